"""perronctl check, the program itself: what it answers with --json, --coverage, --mutate, --examples and --format, its
exit status, and that long work stays quick."""
import json
import os
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))

HEAD = """\
zone lan network 10.0.0.0/8
zone guests network 172.16.0.0/12 ca none
group staff user "anne"
category games domain "games.test"
category news domain "news.test"
"""


def run(*words, cwd=None):
    done = subprocess.run([BUILD / "perronctl", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def write(tmp_path):
    def put(text, name="a.policy"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)
    return put


# ---- what is refused

@pytest.mark.parametrize("words", [["check"], ["check", "--covrage", "x"], ["check", "a", "b"],
                                   ["check", "--in-place", "a"], ["check", "--format"],
                                   ["check", "--format", "-p", "a"], ["check", "--format", "--coverage", "a"],
                                   ["check", "--format", "--mutate", "a"], ["--json", "check", "--format", "a"]])
def test_words_that_do_not_go_together(words):
    status, out, err = run(*words)
    assert status == 1 and out == "" and err.startswith("perronctl: check: ") and err.count("\n") == 1


def test_errors_end_with_1_and_nothing_else_is_said(write):
    path = write(HEAD + "web { alow any }\nexpect allow get \"http://a.test/\"\n")
    status, out, err = run("check", "--coverage", "--mutate", "--examples", path)
    assert status == 1 and out == ""
    assert "a.policy:6:7: error: " in err and "touch" not in err and "notice" not in err


def test_a_file_that_is_not_there():
    status, out, err = run("--json", "check", "/no/such.policy")
    answer = json.loads(out)
    assert status == 1 and answer["ok"] is False
    assert answer["errors"] == [{"file": "/no/such.policy", "line": 1, "column": 1, "sentence": "there is no such file"}]
    for where in ("/no/such.policy", "/", "/dev/null/x"):
        status, out, err = run("check", "--format", where)
        assert status == 1 and out == "" and err


# ---- --json

def test_errors_and_warnings_as_objects(write):
    path = write(HEAD + "web {\n    block categry games\n    allow any\n}\n")
    status, out, _ = run("--json", "check", path)
    answer = json.loads(out)
    assert status == 1 and answer["ok"] is False and answer["warnings"] == []
    assert len(answer["errors"]) == 1
    assert answer["errors"][0] == {"file": path, "line": 7, "column": 11, "hint": "did you mean `category`?",
                                   "sentence": answer["errors"][0]["sentence"]}
    assert "`categry`" in answer["errors"][0]["sentence"]

    path = write(HEAD + "web {\n    block category games\n    block category games from lan\n    allow any\n}\n")
    status, out, _ = run("--json", "check", path)
    answer = json.loads(out)
    assert status == 0 and answer["ok"] is True and answer["errors"] == []
    assert answer["warnings"] == [{
        "file": path, "line": 8, "column": 5, "hint": f"it stands at {path}:7",
        "sentence": "this rule is never reached: one before it matches all that it matches"}]
    assert f"{path}:8:5: warning: " in answer["text"]


def test_all_of_many_are_there(write):
    path = write(HEAD + "web {\n" + "".join(f"    block domain \"é\" tcp x{i}\n" for i in range(300)) + "}\n")
    status, out, _ = run("--json", "check", path)
    answer = json.loads(out)
    assert status == 1 and len(answer["errors"]) >= 300
    assert "... and " in answer["text"] and answer["text"].count(": error: ") == 20


# ---- --coverage

COVERED = HEAD + """\
tls {
    exempt category news
    inspect any
}
web {
    forbid category games
    block category news for staff
    allow any
}
on journal-full hold
expect block get "http://games.test/"
expect allow get "http://free.test/"
"""


def test_coverage_names_what_no_expectation_touches(write):
    path = write(COVERED)
    status, out, _ = run("check", "--coverage", path)
    assert status == 2
    assert f"{path}:7: no expectation touches it: exempt category news\n" in out
    assert f"{path}:8: no expectation touches it: inspect any\n" in out
    assert f"{path}:12: no expectation touches it: block category news for staff\n" in out
    assert "2 of 5 rules are touched by an expectation (40 %)\n" in out
    assert out.count("no expectation touches it") == 3
    status, out, _ = run("--json", "check", "--coverage", path)
    cover = json.loads(out)["coverage"]
    assert status == 2 and [r["line"] for r in cover["untouched"]] == [7, 8, 12]
    assert (cover["rules"], cover["touched"], cover["percent"], cover["not_counted"]) == (5, 2, 40, 1)
    assert cover["untouched"][0] == {"file": path, "line": 7, "rule": "exempt category news"}


def test_all_touched_ends_with_0(write):
    more = 'expect exempt get "https://news.test/"\nexpect inspect get "https://free.test/"\n' \
           'expect block user "anne" get "https://news.test/"\n'
    path = write(COVERED + more)
    status, out, _ = run("check", "--coverage", path)
    assert out == "5 of 5 rules are touched by an expectation (100 %)\n" and status == 0
    status, out, _ = run("check", path)
    assert out == f"{path}: ok\n" and status == 0


def test_check_sums_up_in_one_line(write):
    path = write(COVERED)
    status, out, _ = run("check", path)
    assert status == 0
    assert out == f"{path}: note: no expectation touches 3 of 5 rules (perronctl check --coverage names them)\n"


# ---- what is not in force

NOT_YET = """\
zone far vpn site "far"
group pupils radius class "eleve"
web {
    set quota 1h per user per day, safe-search any
    block application tor
    allow any
}
content { forbid virus }
dns { block category games }
firewall {
    masquerade from lan
    allow any
}
on scanner-down block
on journal-full block
"""


def test_what_nothing_acts_on_is_named(write):
    path = write(HEAD + NOT_YET)
    status, out, _ = run("--json", "check", path)
    found = {n["what"]: (n["line"], n["times"]) for n in json.loads(out)["not_in_force"]}
    assert status == 0 and found == {
        "zone vpn": (6, 1), "group ldap or radius": (7, 1), "set quota": (9, 1), "application": (10, 1),
        "content": (13, 1), "dns": (14, 1), "masquerade": (16, 1), "on": (19, 1)}
    status, out, _ = run("check", path)
    assert f"{path}:9: note: `set quota` is not in force yet: time is not counted: it never blocks\n" in out
    status, out, _ = run("--json", "check", write(COVERED))
    assert status == 0 and json.loads(out)["not_in_force"] == []


# ---- --mutate

def survivors(path):
    status, out, _ = run("--json", "check", "--mutate", path)
    m = json.loads(out)["mutation"]
    assert status == (2 if m["survivors"] else 0)
    assert m["noticed"] + len(m["survivors"]) == m["changes"]
    assert not {(s["line"], s["what"]) for s in m["equivalent"]} & {(s["line"], s["what"]) for s in m["survivors"]}
    return m, {(s["line"], s["what"]) for s in m["survivors"]}


def test_every_kind_of_change(write):
    path = write(COVERED)
    m, left = survivors(path)
    assert left == {
        (7, "the rule left out"), (7, "`inspect` for `exempt`"), (7, "`category news` left out"),
        (8, "`exempt` for `inspect`"),
        (12, "the rule left out"), (12, "`allow` for `block`"), (12, "`category news` left out"),
        (12, "`for staff` left out")}
    assert m["changes"] == 13 and m["not_counted"] == 1
    assert [(s["line"], s["what"]) for s in m["equivalent"]] == [(8, "the rule left out")]  # the default is the same
    kinds = {(s["line"], s["what"]): s["change"] for s in json.loads(run("--json", "check", "--mutate", path)[1])
             ["mutation"]["survivors"]}
    assert kinds[(7, "the rule left out")] == "delete" and kinds[(8, "`exempt` for `inspect`")] == "flip"
    assert kinds[(12, "`for staff` left out")] == "drop"
    status, out, _ = run("check", "--mutate", path)
    assert status == 2
    assert f"{path}:12: no expectation notices `for staff` left out: block category news for staff\n" in out
    assert "5 of 13 changes are noticed by an expectation (38 %); equivalent ones do not count\n" in out
    assert f"{path}:8: equivalent, no flow can tell the rule left out: inspect any\n" in out


def test_an_expectation_more_notices_more(write):
    _, before = survivors(write(COVERED))
    _, after = survivors(write(COVERED + 'expect block user "anne" get "https://news.test/"\n'
                                         'expect exempt get "https://news.test/"\n'
                                         'expect inspect get "https://free.test/"\n'))
    assert before - after == {(7, "the rule left out"), (7, "`inspect` for `exempt`"), (7, "`category news` left out"),
                              (8, "`exempt` for `inspect`"),
                              (12, "the rule left out"), (12, "`allow` for `block`"), (12, "`for staff` left out")}
    assert after < before


def test_changes_by_hand_come_out_as_foretold(write):
    """Each change, made to the text, and judged by check's own word on the expectations."""
    text = (ROOT / "tests/policy/mutants.policy").read_text()
    base = write(text, "base.policy")
    assert run("check", base)[0] == 0
    m, left = survivors(base)
    equal = {(s["line"], s["what"]) for s in m["equivalent"]}
    lines = text.split("\n")
    tried = 0
    for n, line in enumerate(lines, 1):
        rule = re.match(r" +(allow|block|exempt|inspect|forbid) (.*)", line)
        if not rule:
            continue
        verb, rest = rule.groups()
        other = {"allow": "block", "block": "allow", "forbid": "allow", "exempt": "inspect", "inspect": "exempt"}[verb]
        certificate = "certificate" in rest
        for what, new in (("the rule left out", ""), (f"`{other}` for `{verb}`", f"    {other} {rest}")):
            if other in ("allow",) and "tls" in line:
                continue
            changed = write("\n".join(lines[:n - 1] + [new] + lines[n:]), "changed.policy")
            status, _, err = run("check", changed)
            assert status == 0 or "this is not what happens" in err, err
            assert ((n, what) in left | equal) == (status == 0), (n, what, certificate)
            tried += 1
    assert tried > 20 and 0 < len(left) < m["changes"]


# ---- --examples

def test_an_example_for_each_rule(write):
    path = write(COVERED)
    status, out, _ = run("--json", "check", "--examples", path)
    found = {e["line"]: e["flow"] for e in json.loads(out)["examples"]}
    assert status == 0 and sorted(found) == [7, 8, 11, 12, 13, 15]
    assert "category news" in found[7] and "category games" in found[11] and 'user "anne"' in found[12]
    status, out, _ = run("check", "--examples", path)
    assert f"{path}:12: decides, for example: block category news for staff\n    from 10." in out


# ---- --format

UNTIDY = """\
\ufeff# a head, which stays


zone   lan network   10.0.0.0/8	# tabs
category a domain "a.test" ,
      "b.test",   # goes on
  "c.test"
web{allow from lan category a
# inside
    block   reason "not now"  from lan  any  log # why


}
web { block any   owner "x" except domain "a.test" }
"""
TIDY = """\
# a head, which stays

zone lan network 10.0.0.0/8  # tabs
category a domain "a.test",
    "b.test",  # goes on
    "c.test"
web {
    allow category a from lan
    # inside
    block any from lan reason "not now" log  # why

}
web { block any except domain "a.test" owner "x" }
"""


def test_format_and_in_place(write):
    path = write(UNTIDY)
    assert run("check", "--format", path) == (0, TIDY, "")
    assert Path(path).read_text() == UNTIDY
    os.chmod(path, 0o640)
    assert run("check", "--format", "--in-place", path) == (0, "", "")
    assert Path(path).read_text() == TIDY and stat.S_IMODE(os.stat(path).st_mode) == 0o640
    before = os.stat(path)
    assert run("check", "--format", "--in-place", path) == (0, "", "")
    assert os.stat(path).st_ino == before.st_ino and os.stat(path).st_mtime_ns == before.st_mtime_ns
    assert os.listdir(os.path.dirname(path)) == ["a.policy"]


def test_a_file_that_is_wrong_stays_as_it_is(write):
    good, bad = write(UNTIDY, "good.policy"), write("web {\n  allow any\n", "bad.policy")
    status, out, err = run("check", "--format", "--in-place", bad, good)
    assert status == 1 and "bad.policy:1:1: error: this block is not closed" in err
    assert Path(bad).read_text() == "web {\n  allow any\n" and Path(good).read_text() == TIDY


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/policy/*.policy")) + sorted(ROOT.glob("policy/**/*.policy")),
                         ids=lambda p: p.name)
def test_formatting_twice_changes_nothing_more(path, tmp_path):
    status, once, err = run("check", "--format", str(path))
    if status:
        assert "error: " in err and once == ""
        return
    (tmp_path / "once.policy").write_text(once)
    assert run("check", "--format", str(tmp_path / "once.policy")) == (0, once, "")
    comments = re.compile(r"#[^\n]*")
    text = path.read_text()
    assert [c.rstrip() for c in comments.findall(text)] == comments.findall(once)
    words = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^\s{},"#]+|[{},]')
    assert sorted(words.findall(comments.sub("", text.lstrip("\ufeff")))) == sorted(words.findall(comments.sub("", once)))


# ---- how long it takes

def test_ten_thousand_rules_and_a_thousand_with_expectations(write):
    rules = "".join(f'    block domain "d{i}.test" for staff\n' for i in range(9998))
    path = write(HEAD + "web {\n" + rules + '    block domain "www.d17.test" for staff\n    allow any\n}\n')
    began = time.process_time(), os.times().children_user
    status, out, _ = run("check", path)
    assert status == 0 and out.count("warning") == 1 and f"it stands at {path}:24\n" in out
    assert os.times().children_user - began[1] < 4
    rules = "".join(f'    block domain "d{i}.test" for staff\n' for i in range(999))
    expects = "".join(f'expect block user "anne" get "http://d{i}.test/"\n' for i in range(0, 999, 5))
    path = write(HEAD + "web {\n" + rules + "    allow any\n}\n" + expects)
    began = os.times().children_user
    status, out, _ = run("--json", "check", "--mutate", path)
    assert status == 2 and json.loads(out)["mutation"]["changes"] == 4 * 999 + 2
    assert os.times().children_user - began < 20
