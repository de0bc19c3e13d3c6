"""perronctl lists: builds, shows, compares; what it says and with which status."""
import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CTL = ROOT / os.environ.get("PERRON_BUILD", "build") / "perronctl"

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"there is no {CTL}")


def lists(*args):
    done = subprocess.run([CTL, *args[:1], "lists", *args[1:]] if args[0] == "--json" else [CTL, "lists", *args],
                          capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def tree(folder, **files):
    for name, text in files.items():
        one = folder / name
        one.mkdir(parents=True, exist_ok=True)
        (one / "domains").write_text(text)
    return folder


@pytest.mark.parametrize("args", [[], ["build"], ["build", "x"], ["frob"], ["diff", "x"], ["show"], ["show", "--odd"],
                                  ["build", "-o"]])
def test_wrong_words_are_one_clear_line(args):
    status, out, err = lists(*args) if args else lists("")
    assert status == 1 and out == "" and err.count("\n") == 1 and err.startswith("perronctl: lists")


def test_what_is_not_there_or_no_list_is_one_clear_line(tmp_path):
    (tmp_path / "binary").write_bytes(b"a\0b")
    (tmp_path / "empty").mkdir()
    (tmp_path / "wide").write_text("a" * 70000)
    for source, why in (("none", "there is no such list"), ("empty", "there is no list in this folder"),
                        ("binary", "this is not a text file"), ("wide", "longer than 65536 bytes")):
        status, _, err = lists("build", str(tmp_path / source), "-o", str(tmp_path / "out"))
        assert status == 1 and err.count("\n") == 1 and why in err
    assert not (tmp_path / "out").exists()
    (tmp_path / "ok").write_text("a.test\n")
    status, _, err = lists("build", str(tmp_path / "ok"), "-o", str(tmp_path / "no" / "out"))
    assert status == 1 and "No such file" in err
    status, _, err = lists("build", str(tmp_path / "ok"), "-o", str(tmp_path / "out"), "--own", "a b")
    assert status == 1 and "this is not a host name" in err


def test_build_counts_and_places_bad_lines(tmp_path):
    tree(tmp_path / "t", one="a.test\nbad line\nbe\n", two="b.test\n")
    hosts = tmp_path / "hosts"
    hosts.write_text("0.0.0.0 c.test\n")
    status, out, _ = lists("--json", "build", str(tmp_path / "t"), f"hosts:{hosts}", "-o", str(tmp_path / "out"))
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and len(rows) == 4
    assert rows[0] == {"list": "ut1 one", "file": str(tmp_path / "t/one/domains"), "lines": 3, "entries": 2, "held": 1,
                       "bad": 1, "not_understood": 0, "bad_lines": [2], "kept": False, "why": ""}
    assert rows[3]["lists"] == 3 and rows[3]["names"] == 3 and rows[3]["held"] == 1
    status, out, _ = lists("held", str(tmp_path / "out"))
    assert status == 0 and "one/domains:3: be  a public suffix" in out
    status, out, _ = lists("show", str(tmp_path / "out.text"))
    assert status == 0 and "ut1 two: 1 live, 0 held back" in out


def test_each_bad_expression_is_shown_with_its_reason(tmp_path):
    games = tmp_path / "games"
    games.mkdir()
    (games / "expressions").write_text("casino\n(open\n(a{100}){100}\n")
    words = ("build", str(games), "-o", str(tmp_path / "out"))
    status, out, _ = lists(*words)
    assert status == 0 and "1 entries, 2 bad: 2 3\n" in out and f"{games}/expressions:2: " in out
    assert f"{games}/expressions:3: its repeats multiply to 10000, 1000 is the most\n" in out
    row = json.loads(lists("--json", *words)[1].splitlines()[0])
    assert row["bad_lines"] == [2, 3] and row["bad_why"]["3"].startswith("its repeats") and row["bad_why"]["2"]


def test_a_damaged_built_file_is_refused(tmp_path):
    (tmp_path / "l").write_text("a.test\n")
    assert lists("build", str(tmp_path / "l"), "-o", str(tmp_path / "out"))[0] == 0
    whole = (tmp_path / "out.text").read_bytes()
    (tmp_path / "out.text").write_bytes(whole[:-8])
    status, _, err = lists("show", str(tmp_path / "out"))
    assert status == 1 and "damaged" in err


def test_diff_shows_flagged_entries_first_and_says_so_by_its_status(tmp_path):
    old = tree(tmp_path / "old", games="a.test\nb.test\n")
    new = tree(tmp_path / "new", games="a.test\nc.test\nsearch.test\n", more="d.test\n")
    popular = tmp_path / "popular"
    popular.write_text("1,search.test\n")
    assert lists("diff", str(old), str(old))[0] == 0
    status, out, _ = lists("diff", str(old), str(new), "--popular", str(popular))
    lines = out.splitlines()
    assert status == 2 and lines[0].startswith("+ search.test  (ut1 games, ") and "LOOK: new, and it means a name" in lines[0]
    assert [line.split()[1] for line in lines[1:4]] == ["c.test", "d.test", "b.test"]
    assert lines[-1] == "3 added, 1 removed, 1 to look at"
    status, out, _ = lists("diff", str(old), str(new))
    assert status == 0 and "LOOK" not in out
    status, out, _ = lists("--json", "diff", str(old), str(new), "--own", "d.test")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 2 and rows[0]["entry"] == "d.test" and rows[0]["line"] == 1 and rows[0]["change"] == "added"
    assert rows[-1] == {"added": 3, "removed": 1, "flagged": 1}


def test_a_build_after_another_keeps_what_went_bad(tmp_path):
    source, out = tmp_path / "l", tmp_path / "out"
    source.write_text("".join(f"n{i}.test\n" for i in range(100)))
    assert lists("build", str(source), "-o", str(out))[0] == 0
    source.write_text("n1.test\n")
    status, text, _ = lists("build", str(source), "-o", str(tmp_path / "then"), "--before", str(out))
    assert status == 0 and "the list of before stays: this list is much shorter" in text and "100 names" in text


def test_a_policy_shows_its_lists():
    status, out, _ = lists("held", str(ROOT / "tests/policy/lists-of-every-kind.policy"))
    assert status == 0 and "wagering/domains:2: be  a public suffix" in out


def test_the_exempt_lists_that_come_along_are_whole():
    """Every name is one, stands once, and has its reason."""
    files = sorted((ROOT / "policy/lists").glob("be-exempt-*.txt"))
    assert {f.stem for f in files} >= {"be-exempt-banking", "be-exempt-health", "be-exempt-unions", "be-exempt-rights"}
    seen = {}
    for file in files:
        for n, line in enumerate(file.read_text().splitlines(), 1):
            name, _, reason = line.partition("#")
            if not name.strip():
                continue
            assert reason.strip(), f"{file.name}:{n} has no reason"
            assert seen.setdefault(name.strip(), file.name) == file.name, f"{file.name}:{n} stands twice"
    status, out, _ = lists("--json", "held", *map(str, files))
    assert status == 0 and out == ""
    status, out, _ = lists("--json", "show", *map(str, files))
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and len(rows) == len(files) and not any(row["bad"] for row in rows)
    assert sum(row["live"] for row in rows) == len(seen)
