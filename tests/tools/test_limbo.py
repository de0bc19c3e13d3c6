"""x509-limbo's cases (tests/net/limbo.py) judged from files by perronctl cert-check: Perron's verdict on each is the one
that the table of tests/net/limbo_want.py says, in either direction."""
import calendar
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests" / "net"))

from limbo import write
from limbo_want import CASES, DIFFERS, STANDS, ours, right, summary

AIM = 135 / 147    # as the threat model counts, of chains without lists


def judge(case, folder):
    words = ["cert-check", "--host", case.host, "--roots", f"{case.name}.roots"]
    if len(case.chain) > 1:
        words += ["--chain", f"{case.name}.chain"]
    if case.at:
        words += ["--at", str(calendar.timegm(case.at.timetuple()))]
    for i in range(len(case.crls)):
        words += ["--crl", f"{case.name}.{i}.crl"]
    if case.must_know:
        words += ["--must-know"]
    done = subprocess.run([BUILD / "perronctl", *words, f"{case.name}.leaf"], cwd=folder, capture_output=True, timeout=30,
                          check=False)
    assert done.returncode in (0, 1), (case.id, done.stderr)
    return done.returncode == 0


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limbo")
    write(CASES, folder)
    return {case.id: judge(case, folder) for case in CASES}


def test_every_verdict_is_the_one_we_stand_for(verdicts, capsys):
    with capsys.disabled():
        print("\n" + summary(verdicts))
    wrong = [(c.id, "accepted" if verdicts[c.id] else "refused") for c in CASES if verdicts[c.id] != ours(c)]
    assert wrong == []


def test_the_table_names_real_cases_only():
    assert set(DIFFERS) <= {c.id for c in CASES}
    assert all(reason for reason in DIFFERS.values())


def test_nothing_is_accepted_wrongly_but_what_is_pedantic_and_two_forms_of_anchors(verdicts):
    assert {c.id for c in CASES if verdicts[c.id] and not c.want and not c.pedantic} == STANDS


def test_as_many_as_the_aim_are_as_expected(verdicts):
    n, all_ = right(verdicts, False)
    assert n >= AIM * all_
