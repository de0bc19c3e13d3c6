"""The names that the gateway has seen lately, for the guard of list updates: STATE/seen/names."""
import os
import signal

from gateway import policy
from space import wait_for

PROXY = "http://10.32.0.1:3128"


def lines_of(gw):
    text = (gw.state / "seen" / "names").read_text()
    assert text == "" or text.endswith("\n"), "the file is whole"
    return [line.split(" ") for line in text.splitlines() if not line.startswith("#")]


def names(gw):
    return {line[0]: int(line[1]) for line in lines_of(gw)}


def ask(lab, who, url, times=2, **kw):
    return [lab.curl(who, url, "-H", "Accept: text/html", **kw).status for _ in range(times)]


def mode_and_owner(path):
    return path.stat().st_mode & 0o777, path.stat().st_uid


def test_names_let_through_are_there_after_a_stop(own_gateway, lab):
    gw = own_gateway()
    assert not (gw.state / "seen" / "names").exists(), "nothing was asked for yet"
    assert ask(lab, "agent", "https://files.example/small.bin?v=querysecret") == [200, 200]
    assert ask(lab, "agent", "http://plain.example/pathsecret", 3) == [404] * 3
    assert ask(lab, "pupil", "https://www.bank.example/", proxy=PROXY) == [200, 200]
    ask(lab, "agent", "https://files.example/small.bin", proxy=PROXY)
    assert ask(lab, "agent", "https://www.example.com/", 1), "one flow alone"
    ask(lab, "pupil", "https://video.example/watch")
    ask(lab, "pupil", "http://video.example/watch")
    ask(lab, "agent", "http://casino.example/")
    ask(lab, "agent", "https://casino.example/", proxy=PROXY)
    assert gw.stop() == 0
    seen = names(gw)
    assert set(seen) == {"files.example", "plain.example", "www.bank.example"}, seen
    # How often is told roughly: flows that take turns count each time they do.
    assert seen["plain.example"] >= 3 and seen["files.example"] >= 4, seen
    folder = gw.state / "seen"
    assert [p.name for p in folder.iterdir()] == ["names"]
    text = (folder / "names").read_text()
    for word in ("dupont", "martin", "u-", "10.32", "fd10", "secret", "pupils", "video", "casino", "example.com"):
        assert word not in text, word
    assert mode_and_owner(folder) == (0o750, 64802)
    assert mode_and_owner(folder / "names") == (0o640, 64802)


def test_a_killed_logger_leaves_the_file_of_before(own_gateway, lab):
    gw = own_gateway()
    ask(lab, "agent", "http://plain.example/")
    gw.stop()
    assert names(gw) == {"plain.example": 2}
    gw.start()
    before = (gw.state / "seen" / "names").read_bytes()
    for _ in range(5):
        ask(lab, "agent", "http://plain.example/")
        old = gw.pids("logger")
        os.kill(old[0], signal.SIGKILL)
        wait_for("another logger", lambda o=old: gw.pids("logger") not in ([], o) and gw.ready(), 5, 0.01)
        assert (gw.state / "seen" / "names").read_bytes() == before
    ask(lab, "agent", "https://files.example/small.bin")
    gw.stop()
    seen = names(gw)
    assert seen["files.example"] >= 2 and 2 <= seen["plain.example"] <= 12, seen


def test_a_damaged_file_is_told_once_and_replaced(own_gateway, lab):
    gw = own_gateway()
    gw.stop()
    (gw.state / "seen" / "names").write_text("plain.example 2 20785\nwhat is this\n" * 100)
    gw.start()
    ask(lab, "agent", "http://plain.example/")
    gw.stop()
    assert names(gw) == {"plain.example": 2}
    told = [line for line in gw.said().splitlines() if "names seen lately" in line]
    assert len(told) == 1 and "line 2)" in told[0], gw.said()


def test_the_compiler_can_read_there(own_gateway, lab):
    """In its sandbox, with its own user; what is read does not matter here."""
    gw = own_gateway()
    path = gw.state / "seen" / "names"
    path.write_text("plain.example\n")
    os.chown(path, 64802, 64802)
    path.chmod(0o640)
    late = policy(lab, web="block category late", settings=f"category late  file \"{path}\"\n")
    status, said = gw.reload(late)
    assert status == 0, said
    assert ask(lab, "agent", "http://plain.example/") == [403, 403]
