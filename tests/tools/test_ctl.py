"""perronctl without a gateway: what it answers to words that are mistyped and to journals that are none."""
import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))

POLICY = """\
zone lan network 10.64.0.0/16
category streaming domain "video.example"
web {
    block method PUT
    allow any
}
"""
CODE, MISTYPED = "A7K-2Q9F-XMH", "A7K-2Q9F-XM4"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "a.policy").write_text(POLICY)

    def ctl(*words):
        done = subprocess.run([BUILD / "perronctl", "-d", tmp_path / "state", *words], cwd=tmp_path, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.decode(), done.stderr.decode()
    return ctl


def fails(answer, said):
    status, out, err = answer
    assert status == 1 and out == "" and err.startswith("perronctl: ") and err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize("code", [MISTYPED, MISTYPED.lower(), MISTYPED.replace("-", "")])
def test_a_mistyped_code_is_called_that(run, code):
    fails(run("journal", "find", code), "is mistyped")
    fails(run("explain", code), "is mistyped")


def test_the_code_that_serves_as_an_example_is_one(run):
    fails(run("journal", "find", "A7K"), f"one looks like {CODE}")
    fails(run("journal", "find"), "which code?")
    fails(run("journal", "find", CODE), "/journal: No such file or directory")
    pages = [ROOT / "README.md", ROOT / "gw/man/perronctl.8"]
    assert all(CODE in p.read_text() and MISTYPED not in p.read_text() for p in pages)


@pytest.mark.parametrize("words,said", [
    (["--at", "2026-02-30"], "--at 2026-02-30 is no time"),
    (["--at", "2026-11-24 25:00"], "is no time"),
    (["--method", "put"], "words in capitals"),
    (["--method", "PU T"], "words in capitals"),
    (["--method", ""], "words in capitals"),
    (["--from", "10.64.3.777"], "is no address"),
    (["--certificate", "bogus"], "no defect bogus"),
])
def test_a_request_that_cannot_be(run, words, said):
    fails(run("explain", "-f", "a.policy", *words, "http://a.example/"), said)


def test_who_was_not_named_is_said_to_be_assumed(run):
    status, out, _ = run("explain", "-f", "a.policy", "http://a.example/")
    assert status == 0 and "not said: an address of the first zone" in out
    status, out, _ = run("explain", "-f", "a.policy", "https://École.example./x")
    assert status == 0 and " xn--cole-9oa.example, port 443" in out
    status, out, _ = run("explain", "-f", "a.policy", "--from", "10.64.3.7", "http://a.example/")
    assert status == 0 and "not said" not in out


@pytest.fixture
def damaged(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "000000000001.seg").write_bytes(bytes(5000))
    return str(folder)


def test_a_journal_that_is_none(run, tmp_path):
    (tmp_path / "empty").mkdir()
    for words in (["what-if", "a.policy"], ["replay"], ["journal", "show"], ["journal", "verify"]):
        fails(run(*words, "--journal", "none"), "No such file or directory")
        fails(run(*words, "--journal", "empty"), "no journal in that directory")
        fails(run(*words, "--journal", "a.policy"), "Not a directory")


def test_a_damaged_journal_never_looks_whole(run, damaged):
    for words in (["what-if", "a.policy"], ["replay"], ["journal", "show"], ["journal", "verify"]):
        status, _, err = run(*words, "--journal", damaged)
        assert status == 1 and err.startswith("perronctl: segment 000000000001, byte 0: ") and err.count("\n") == 1
    for words in (["what-if", "a.policy"], ["journal", "verify"]):
        status, out, _ = run("--json", *words, "--journal", damaged)
        assert status == 1
        broken = json.loads(out)["broken"]
        assert broken["segment"] == 1 and broken["offset"] == 0 and broken["why"]
