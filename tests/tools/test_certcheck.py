"""perronctl cert-check: more than a hundred chains, good and bad, judged from files by the gateway's own verification;
each case names its row of the threat model. And the program's own manners: options, exit status, JSON."""
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests" / "net"))

from chains import GOOD, Set, write

CASES = Set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("chains")
    write(CASES, where)
    return where


def check(*words, cwd):
    done = subprocess.run([BUILD / "perronctl", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=30, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def words_of(case):
    words = ["cert-check", "--host", case.host, "--roots", "roots.pem", "--own-ca", "own.pem"]
    if len(case.chain) > 1:
        words += ["--chain", f"{case.name}.chain"]
    if case.staple:
        words += ["--staple", f"{case.name}.ocsp"]
    for i in range(len(case.crls)):
        words += ["--crl", f"{case.name}.{i}.crl"]
    return [*words, f"{case.name}.leaf"]


# ---- the program's manners

@pytest.mark.parametrize("words, said", [
    (["cert-check"], "--host"),
    (["cert-check", "--host", "a.example"], "both needed"),
    (["cert-check", "--host", "a.example", "--roots", "nowhere.pem", "good-p256.leaf"], "nowhere.pem"),
    (["cert-check", "--host", "a.example", "--roots", "good-p256.key", "good-p256.leaf"], "good-p256.key"),
    (["cert-check", "--host", "a.example", "--roots", "roots.pem", "nothing.leaf"], "nothing.leaf"),
    (["cert-check", "--host", "a.example", "--roots", "roots.pem", "good-p256.key"], "good-p256.key"),
    (["cert-check", "--host", "a b", "--roots", "roots.pem", "good-p256.leaf"], "not a host name"),
    (["cert-check", "--at", "yesterday", "--host", "a.example", "good-p256.leaf"], "yesterday"),
    (["cert-check", "--frob", "x", "--host", "a.example", "good-p256.leaf"], "--frob"),
    (["cert-check", "--crl", "nothing.crl", "--host", "a.example", "--roots", "roots.pem", "good-p256.leaf"], "nothing.crl"),
])
def test_what_cannot_be_read_is_two_and_one_line(folder, words, said):
    status, out, err = check(*words, cwd=folder)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_the_clock_is_an_argument(folder):
    words = ["cert-check", "--host", "good-p256.chains.example", "--roots", "roots.pem", "--chain", "good-p256.chain"]
    for at, status in (("2d", 0), ("5000d", 1), ("1000000000", 1)):
        assert check(*words, "--at", at, "good-p256.leaf", cwd=folder)[0] == status, at


def test_what_is_not_known_is_bad_only_on_demand(folder):
    words = ["--json", "cert-check", "--host", "good-p256.chains.example", "--roots", "roots.pem", "--chain",
             "good-p256.chain", "good-p256.leaf"]
    status, out, _ = check(*words, cwd=folder)
    assert (status, json.loads(out)["revocation"]) == (0, "unknown")
    status, out, _ = check(*words, "--must-know", cwd=folder)
    assert (status, json.loads(out)["reason"]) == (1, "revocation-unknown")


def test_text_for_people_names_every_defect_and_no_control_character(folder):
    status, out, _ = check(*words_of(next(c for c in CASES.cases if c.name == "script-in-subject")), cwd=folder)
    assert status == 1
    assert out.startswith("bad: wrong-name for ") and "wrong-name" in out.splitlines()[1]
    assert all(ch == "\n" or ch >= " " for ch in out)


# ---- the chains

def test_there_are_enough_and_every_row_has_some():
    rows = Counter(c.row for c in CASES.cases)
    assert len(CASES.cases) >= 80
    assert not {*range(1, 15), *range(16, 28), 29, 30, 32, 33, 34, 35} - set(rows), rows


@pytest.mark.parametrize("case", CASES.cases, ids=[f"row{c.row}-{c.name}" for c in CASES.cases])
def test_a_chain_is_judged_as_it_must_be(folder, case):
    status, out, err = check("--json", *words_of(case), cwd=folder)
    assert err == ""
    said = json.loads(out)
    assert (status, said["reason"]) == (0 if case.want == GOOD else 1, case.want), said
    assert set(case.also) <= set(said["defects"]), said
