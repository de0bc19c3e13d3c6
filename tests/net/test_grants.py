"""Grants: live at once, for whom they were meant and nobody else, behind every `forbid`, named in the log, until their end or
until they are taken back. And the emergency lever: a zone in which nothing is intercepted for a while."""
import datetime
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from gateway import BUILD, policy
from space import wait_for
from test_again import ask, ended, open_tls

VIDEO, CASINO = "https://video.example/hello", "https://casino.example/hello"
WHO = ("--by", "Mme Renard", "--reason", "cours d'histoire")


def grant(gw, what, *words, until="1h"):
    return gw.ctl_run("grant", what, *words, "--until", until, *WHO, "--yes")


def granted(gw, *words):
    answers = [json.loads(line) for line in gw.ctl("--json", "grants", *words).splitlines()]
    return [a["grant"] for a in answers if "grant" in a]


def test_refused_with_one_reason(lab, own_gateway):
    gw = own_gateway()
    for words, said in ((("casino.example", "--for", "all"), "does not allow grants"),
                        (("gambling", "--for", "group", "agents"), "`forbid category gambling` ("),
                        (("www.casino.example", "--for", "user", "p.dupont"), "does not allow grants"),
                        (("https://casino.example/x", "--for", "all"), "does not allow grants"),
                        (("gamblin", "--for", "all"), "no category gamblin"),
                        (("streaming", "--for", "group", "pupil"), "no group pupil"),
                        (("streaming", "--for", "zone", "lann"), "no zone lann"),
                        (("streaming", "--for", "address", "10.32.1"), "not an address"),
                        (("no..name.example", "--for", "all"), "not a host name"),
                        (("https://video.example/a?b=c", "--for", "all"), "behind ?"),
                        (("streaming", "--for", "nobody", "x"), "no such kind"),
                        (("streaming", "--for"), "--for wants"), (("streaming", "for", "all"), "a word too many")):
        status, out, err = grant(gw, *words)
        assert status == 1 and said in err and err.count("\n") == 1, (words, out, err)
    for until, said in (("367d", "366 days"), ("2020-01-01", "passed"), ("2027-02-30", "a time is"), ("soon", "a time is")):
        status, _, err = grant(gw, "streaming", "--for", "all", until=until)
        assert status == 1 and said in err, err
    status, _, err = gw.ctl_run("grant", "streaming", "--for", "all", "--until", "1h", "--by", "x", "--reason", " ", "--yes")
    assert status == 1 and "--reason" in err, err
    status, _, err = gw.ctl_run("grant", "streaming", "--for", "all", "--until", "1h", *WHO)
    assert status == 1 and "--yes" in err, err    # nobody at a terminal
    for words in (("revoke", "7", *WHO), ("revoke", "x", *WHO), ("revoke",), ("exempt", "end", "zone", "lan", *WHO),
                  ("exempt", "zone", "nowhere", "for", "1h", *WHO), ("exempt", "zone", "lan", "for", "25h", *WHO)):
        status, _, err = gw.ctl_run(*words)
        assert status == 1 and err.count("\n") == 1, (words, err)
    assert granted(gw, "--all") == []
    assert not gw.events(perron__reason="grants-changed")


def test_live_within_a_second_and_named(lab, own_gateway):
    gw = own_gateway()
    assert lab.curl("pupil", VIDEO).status == 403
    lists = sorted(p.name for p in (gw.state / "lists").iterdir())
    policies = sorted(p.name for p in (gw.state / "parts").iterdir())
    begun = time.monotonic()
    status, out, err = grant(gw, "streaming", "--for", "group", "pupils")
    took = time.monotonic() - begun
    assert status == 0, err
    assert lab.curl("pupil", VIDEO).status == 200
    assert took < 1, took
    event = gw.event(event_type="http", http__hostname="video.example", perron__action="allow")
    one = granted(gw)[0]
    assert event["perron"]["grant"] == one["id"] and "block category streaming" in event["perron"]["rule"]
    assert one["by"] == "Mme Renard" and one["who"] == "pupils" and one["kind"] == "category"
    # Nothing else was made anew: one small part came.
    assert sorted(p.name for p in (gw.state / "lists").iterdir()) == lists
    assert len(set(p.name for p in (gw.state / "parts").iterdir()) - set(policies)) == 1
    note = gw.event(perron__reason="grants-changed")
    assert note["perron"]["who"] == "Mme Renard" and note["perron"]["detail"] == "cours d'histoire"
    assert note["perron"]["rule"] == "grant category streaming for group pupils" and note["perron"]["outcome"] == "granted"
    # It outlives a reload and a restart, and a rollback does not touch it.
    first = next(s["snapshot"]["hash"] for s in gw.show("snapshots") if s["snapshot"]["in_force"])
    assert gw.reload(policy(lab, web='  block domain "social.example"\n'))[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200
    assert gw.ctl_run("reload", "--to", first[:16])[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200
    gw.stop()
    gw.start()
    assert lab.curl("pupil", VIDEO).status == 200
    # Taken back.
    assert gw.ctl_run("revoke", str(one["id"]), *WHO)[0] == 0
    assert lab.curl("pupil", VIDEO).status == 403
    assert granted(gw) == [] and granted(gw, "--all")[0]["revoked_by"] == "Mme Renard"
    listed = gw.ctl("grants", "--all")
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+  by .*  \(revoked .* by Mme Renard: ", listed), listed
    assert gw.ctl_run("reload", "--to", first[:16])[0] == 0
    assert lab.curl("pupil", VIDEO).status == 403, "going back gives no revoked grant new life"


def at_terminal(gw, answer, *words):
    """(exit status, what was said) of perronctl with a person in front of it."""
    master, slave = pty.openpty()
    cmd = gw.lab.gateway_space.enter(BUILD / "perronctl", "-d", gw.state, *words)
    proc = subprocess.Popen(cmd, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.close(slave)
    os.write(master, answer)
    out = proc.communicate(timeout=30)[0].decode()
    os.close(master)
    return proc.returncode, out


def test_a_code_and_whom_it_would_touch(lab, own_gateway):
    gw = own_gateway()
    codes = [lab.curl("pupil", VIDEO).code for _ in range(3)]
    gw.by_code(codes[-1])
    words = ("grant", codes[0], "--for", "me", "--until", "1h", *WHO)
    status, out = at_terminal(gw, b"n\n", *words)
    assert status == 1 and "nothing was changed" in out, out
    assert "of 1 person" in out and "video.example" in out and "10.32.1.10" in out, out
    assert granted(gw, "--all") == [] and lab.curl("pupil", VIDEO).status == 403
    status, out = at_terminal(gw, b"y\n", *words)
    assert status == 0, out
    one = granted(gw)[0]
    assert (one["kind"], one["target"], one["scope"], one["who"]) == ("name", "video.example", "address", "10.32.1.10")
    assert lab.curl("pupil", VIDEO).status == 200
    # The record of what it let through names it, and so does the next decision made from it.
    assert gw.event(event_type="http", perron__grant=one["id"])
    # For a group the code knows which one; nobody else was stopped there.
    status, out = at_terminal(gw, b"n\n", "grant", codes[1], "--for", "group", "--until", "1h", *WHO)
    assert "group pupils" in out, out
    status, out = at_terminal(gw, b"n\n", "grant", "social", "--for", "all", "--until", "1h", *WHO)
    assert "would have let nothing through" in out, out
    casino = lab.curl("agent", CASINO).code
    gw.by_code(casino)
    for what, said in ((casino, "which no grant lifts"), ("A7K-2Q9F-XMH", "no decision"), ("A7K-2Q9F-XM4", "mistyped")):
        status, _, err = gw.ctl_run("grant", what, "--for", "me", "--until", "1h", *WHO, "--yes")
        assert status == 1 and said in err and err.count("\n") == 1, err
    status, _, err = gw.ctl_run("grant", "streaming", "--for", "me", "--until", "1h", *WHO, "--yes")
    assert status == 1 and "decision code" in err, err


def test_narrow_scopes(lab, own_gateway):
    gw = own_gateway(policy(lab).replace("for pupils\n", "\n"))
    for _ in range(2):
        assert lab.curl("pupil", VIDEO).status == 403 and lab.curl("agent", VIDEO).status == 403
        assert grant(gw, "VIDEO.example.", "--for", "user", "p.dupont")[0] == 0
        assert lab.curl("pupil", VIDEO).status == 200 and lab.curl("agent", VIDEO).status == 403
        assert gw.ctl_run("revoke", str(granted(gw)[0]["id"]), *WHO)[0] == 0
    assert grant(gw, VIDEO, "--for", "all")[0] == 0
    assert lab.curl("agent", VIDEO).status == 200
    assert lab.curl("agent", "https://video.example/other").status == 403
    # Each of these decisions comes out the same from its record alone, under the grants of its time.
    said = json.loads(gw.ctl("--json", "replay").splitlines()[-1])
    assert said["ok"] and said["same"] > 10 and said["not_checked"] == 0, said
    # The same policy changes nothing: grants of that time count under it too.
    said = json.loads(gw.ctl("--json", "what-if", gw.file))
    assert said["same"] > 10 and said["changed"] == 0 and said["cannot_tell"] == 0, said


def test_two_at_once_are_served_one_after_the_other(lab, own_gateway):
    gw = own_gateway()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: grant(gw, f"n{n}.example", "--for", "all"), range(8)))
    assert [d[0] for d in done] == [0] * 8, done
    assert len(granted(gw)) == 8


def test_what_is_shown_is_only_shown(lab, own_gateway):
    """Neither a name nor a reason can speak to the terminal of who lists grants or rules."""
    gw = own_gateway(policy(lab).replace("category banking   reason", 'category banking  owner "école"  reason'))
    evil = "a\x1b[31m", "\u009b2J", "a\u202eb"
    for text in evil:
        for words in ((f"https://video.example/{text}", "--for", "all"), ("streaming", "--for", "user", text)):
            status, out, err = grant(gw, *words)
            assert status == 1 and err.count("\n") == 1 and not set(err) & set("\x1b\u009b\u202e"), (out, err)
        for words in (("grant", "streaming", "--for", "all", "--until", "1h", "--yes"), ("exempt", "zone", "lan", "for", "1h")):
            for who in (("--by", text, "--reason", "x"), ("--by", "x", "--reason", text)):
                status, _, err = gw.ctl_run(*words, *who)
                assert status == 1 and "can all be seen" in err, err
    assert grant(gw, "streaming", "--for", "user", "Zoé")[0] == 0
    status, _, err = gw.ctl_run("revoke", "1", "--by", "x", "--reason", evil[0])
    assert status == 1 and "can all be seen" in err
    # What an earlier version wrote down is shown harmlessly.
    db = gw.state / "grants" / "grants.sqlite"
    with sqlite3.connect(db) as store:
        store.execute("UPDATE grants SET who = ?, by = ?, reason = ?", evil)
    store.close()
    for path in db.parent.iterdir():
        os.chown(path, 64806, 64806)
    out = gw.ctl("grants")
    assert "user a?[31m" in out and "by ?2J: a?b" in out, out
    assert not set(out + gw.said()) & set("\x1b\u009b\u202e")
    assert re.search(r"^ +\d+  -  .*  école         tls       exempt", gw.ctl("show", "rules"), re.M), gw.ctl("show", "rules")


def test_options_that_mean_nothing_are_refused(lab, own_gateway):
    gw = own_gateway()
    for words in (("exempt", "zone", "lan", "for", "1h", "--until", "5h", *WHO), ("exempt", "zone", "lan", "--until", "5h", *WHO),
                  ("exempt", "zone", "lan", "for", "1h", "--for", "all", *WHO), ("revoke", "1", "--until", "1h", *WHO),
                  ("exempt", "end", "zone", "lan", "--journal", "x", *WHO), ("revoke", "1", "--for", "all", *WHO),
                  ("grant", "streaming", "--for", "all", "--until", "1h", "--all", "--yes", *WHO)):
        status, out, err = gw.ctl_run(*words)
        assert status == 1 and out == "" and "wants" in err and err.count("\n") == 1, (words, err)
    assert granted(gw, "--all") == []


def test_a_store_that_cannot_be_used_says_why(lab, own_gateway):
    gw = own_gateway()
    assert grant(gw, "streaming", "--for", "all")[0] == 0
    folder = gw.state / "grants"
    db = folder / "grants.sqlite"
    os.chown(db, 0, 0)
    for words in (("grants",), ("revoke", "1", *WHO)):
        status, _, err = gw.ctl_run(*words)
        assert status == 1 and "must belong to the owner of its folder" in err and err.count("\n") == 1, err
    os.chown(db, 64806, 64806)
    away = gw.state / "grants.away"
    folder.rename(away)
    folder.symlink_to(away)
    status, _, err = gw.ctl_run("grants")
    assert status == 1 and "the folder `grants`" in err, err
    assert "cannot be used: Not a directory" in gw.said() or "cannot be used: Too many levels" in gw.said()
    assert lab.curl("pupil", VIDEO).status == 200, "what is in force stays"
    gw.stop()
    gw.start()
    assert lab.curl("pupil", VIDEO).status == 403, "the gateway starts without it"
    folder.unlink()
    away.rename(folder)
    assert len(granted(gw)) == 1


def test_a_full_disk(lab, own_gateway):
    """Nothing half done: what cannot be written is refused and says so; a policy is kept once there is room."""
    gw = own_gateway()
    assert grant(gw, "social", "--for", "user", "somebody")[0] == 0
    gw.stop()
    with lab.gateway_space.on_tmpfs(gw.state) as disk:
        gw.start()
        disk.fill()
        for words in (("grant", "streaming", "--for", "all", "--until", "1h", "--yes", *WHO), ("revoke", "1", *WHO)):
            status, _, err = gw.ctl_run(*words)
            assert status == 1 and "nothing was changed" in err and "disk is full" in err, err
        assert [g["id"] for g in granted(gw)] == [1]
        assert lab.curl("pupil", VIDEO, "-k").status != 200
        status, said = gw.reload(policy(lab, web='  block domain "plain.example"\n'))
        assert status == 0, said
        assert re.search(r"alarm: decisions under policy \w+ cannot be repeated later: .*No space left on device$", gw.said(), re.M)
        assert not [s for s in gw.show("snapshots") if s["snapshot"]["in_force"]]
        assert lab.curl("agent", "http://plain.example/").status == 403
        disk.empty()
        wait_for("the policy to be kept", lambda: [s for s in gw.show("snapshots") if s["snapshot"]["in_force"]], 30)
        assert "is kept now" in gw.said()
        wait_for("the record", lambda: json.loads(gw.ctl("--json", "replay"))["same"] >= 1, 10)
        assert json.loads(gw.ctl("--json", "replay"))["snapshot_gone"] == 0
        assert grant(gw, "streaming", "--for", "all")[0] == 0
        gw.stop()


def test_ends_by_itself(lab, own_gateway):
    """A grant of one minute is over a minute later, nobody does anything."""
    gw = own_gateway()
    assert grant(gw, "streaming", "--for", "group", "pupils", until="1m")[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200
    until = granted(gw)[0]["until"]
    wait_for("its end", lambda: time.time() > until, 70)
    assert lab.curl("pupil", VIDEO).status == 403
    assert granted(gw) == [] and granted(gw, "--all")[0]["ended"]


def test_killed_while_it_grants(lab, own_gateway):
    gw = own_gateway()
    known = 0
    for n in range(5):
        words = lab.gateway_space.enter(BUILD / "perronctl", "-d", gw.state, "grant", f"n{n}.example", "--for", "all",
                                        "--until", "1h", *WHO, "--yes")
        proc = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(0.012 * n)
        pids = gw.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        gw.proc.wait(10)
        proc.wait(10)
        gw.err.close()
        gw.start()
        now = len(granted(gw))
        assert known <= now <= known + 1, "a grant is there or not, and those before are all there"
        known = now
    assert grant(gw, "streaming", "--for", "all")[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200


def test_a_damaged_store_is_an_alarm(lab, own_gateway):
    gw = own_gateway()
    assert grant(gw, "streaming", "--for", "all")[0] == 0
    gw.stop()
    for path in (gw.state / "grants").iterdir():
        if path.name != "grants.sqlite":
            path.unlink()
    (gw.state / "grants" / "grants.sqlite").write_bytes(b"no database" * 500)
    gw.start()
    assert "alarm: no grant is in force" in gw.said()
    assert lab.curl("pupil", VIDEO).status == 403 and lab.curl("agent", "https://cdn.example/hello").status == 200
    status, _, err = grant(gw, "streaming", "--for", "all")
    assert status == 1 and "store of grants" in err and err.count("\n") == 1, err


def test_exempt_zone(lab, own_gateway):
    gw = own_gateway()
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    assert gw.event(event_type="flow", tls__sni="cdn.example")["perron"]["mode"] == "inspected"
    status, out, err = gw.ctl_run("exempt", "zone", "lan", "for", "1h", *WHO)
    assert status == 0, err
    assert "alarm: nothing is intercepted in zone lan" in gw.said()
    assert gw.event(perron__outcome="exempted")["perron"]["rule"] == "exempt zone lan"
    assert "lan" in gw.ctl("exempt") and gw.show("counters")[0]["zones_exempt"] == 1
    assert "zone lan is exempt until" in gw.ctl("show", "rules")
    flow = exempt_flow(lab, gw)
    assert flow["perron"]["mode"] == "exempt" and flow["perron"]["grant"] == granted(gw)[0]["id"]
    # Rules on names hold: a blocked one gets the alert, no page.
    assert lab.curl("pupil", VIDEO).status == 0
    gw.stop()
    gw.start()
    assert "alarm: nothing is intercepted in zone lan" in gw.said()
    assert exempt_flow(lab, gw)["perron"]["mode"] == "exempt"
    assert gw.ctl_run("exempt", "end", "zone", "lan", *WHO)[0] == 0
    assert gw.event(perron__outcome="exempt-ended")
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    wait_for("an inspected flow again", lambda: gw.events(event_type="flow", tls__sni="cdn.example")[-1]["perron"]["mode"]
             == "inspected")
    assert gw.ctl("exempt") == "" and gw.show("counters")[0]["zones_exempt"] == 0


def test_an_exemption_that_ends_while_flows_are_open(lab, own_gateway):
    """By itself: what was left encrypted because of it ends, is told apart in the log, and the end is an event."""
    gw = own_gateway(clock=datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert gw.ctl_run("exempt", "zone", "lan", "for", "30m", *WHO)[0] == 0
    gw.ctl("simulate", "clock", "--for", "1790")
    with open_tls(lab, "agent", "www.bank.example") as bank, open_tls(lab, "agent", "cdn.example") as cdn:
        assert ask(bank, "www.bank.example")[0] == ask(cdn, "cdn.example")[0] == 200
        assert b"Public" in cdn.getpeercert(True)
        assert not ended(cdn, 2), "not before its end"
        assert ended(cdn, 15)
        assert ask(bank, "www.bank.example")[0] == 200, "what `tls` exempts goes on"
    e = gw.event(event_type="flow", tls__sni="cdn.example", perron__mode="exempt")
    assert e["perron"]["reason"] == "time-is-up" and e["perron"]["detail"] == "to-be-inspected", e
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    assert gw.event(perron__outcome="exempt-ended", patience_s=10)["perron"]["detail"] == "its time is over"
    assert gw.ctl("exempt") == "" and gw.show("counters")[0]["zones_exempt"] == 0


def test_what_a_grant_is_about_may_go_and_come_again(lab, own_gateway):
    gw = own_gateway()
    assert grant(gw, "streaming", "--for", "group", "pupils")[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200
    without = policy(lab, web='  block domain "video.example"\n')
    for line in ('category  streaming  domain "video.example"\n', "  block    category streaming  for pupils\n"):
        without = without.replace(line, "")
    status, said = gw.reload(without)
    assert status == 0, said
    assert lab.curl("pupil", VIDEO).status == 403 and len(granted(gw)) == 1
    said = json.loads(gw.ctl("--json", "replay"))
    assert said["ok"] and said["not_checked"] == 0, said
    assert gw.reload(policy(lab))[0] == 0
    assert lab.curl("pupil", VIDEO).status == 200
    # A rule that forbids what was granted wins, and is not asked.
    assert gw.reload(policy(lab, web="  forbid category streaming\n"))[0] == 0
    assert lab.curl("pupil", VIDEO).status == 403


def ask_raw(gw, request):
    """The last line that the gateway answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gw.state / "control"))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().read().splitlines()[-1])


def test_each_of_many_grants_makes_decisions_that_can_be_made_again(lab, own_gateway):
    """A grant makes a snapshot. However many a journal names, each record is decided under its own."""
    gw = own_gateway()
    n = 520
    for i in range(n):
        done = ask_raw(gw, {"cmd": "grants", "op": "add", "kind": "name", "target": f"n{i}.example", "scope": "all", "who": "",
                            "until": int(time.time()) + 3600, "reason": "x", "by": "y", "dry": False})
        assert done["ok"], done
        assert lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").status == 403
    wait_for("the records", lambda: json.loads(gw.ctl("--json", "journal", "verify"))["records"] == n, 10)
    said = json.loads(gw.ctl("--json", "replay"))
    assert said["ok"] and said["same"] == n and said["not_checked"] == 0, said
    said = json.loads(gw.ctl("--json", "what-if", gw.file))
    assert said["same"] == n and said["cannot_tell"] == 0, said


def test_a_code_in_small_letters(lab, own_gateway):
    gw = own_gateway()
    code = lab.curl("pupil", VIDEO).code
    gw.by_code(code)
    wait_for("the record", lambda: gw.ctl_run("journal", "find", code)[0] == 0)
    status, out, err = grant(gw, code.lower(), "--for", "me")
    assert status == 0, out + err
    assert granted(gw)[0]["target"] == "video.example"


def exempt_flow(lab, gw):
    n = len(gw.events(event_type="flow", perron__mode="exempt"))
    lab.curl("agent", "https://cdn.example/hello", "--insecure")
    return wait_for("an exempt flow", lambda: gw.events(event_type="flow", perron__mode="exempt")[n:])[-1]
