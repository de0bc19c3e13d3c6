"""The journal of decision records: every decision once, whatever is killed; found by the code of a page; whole;
nobody named. Each test has a gateway of its own."""
import json
import os
import signal
import threading
import time

from gateway import policy
from space import wait_for

PROXY = "http://10.32.0.1:3128"


def records(gw, *words):
    return [json.loads(line) for line in gw.ctl("--json", "journal", "show", "--last", "0", *words).splitlines()]


def found(gw, code):
    return json.loads(gw.ctl("--json", "journal", "find", code))


def replayed(gw):
    return json.loads(gw.ctl("--json", "replay"))


def what_if(gw, text, *words):
    path = gw.folder / "new.policy"
    path.write_text(text)
    return json.loads(gw.ctl("--json", "what-if", path, *words))


def table(rows):
    return {row["name"]: row["count"] for row in rows}


def in_journal(gw, code):
    wait_for(f"code {code} in the journal", lambda: gw.ctl_run("journal", "find", code)[0] == 0, 5)
    return found(gw, code)


def all_there(gw):
    """How many records there are, once no more come."""
    n, before = len(records(gw)), -1
    while n != before:
        time.sleep(0.5)
        n, before = len(records(gw)), n
    return n


def verified(gw):
    return json.loads(gw.ctl("--json", "journal", "verify"))


def replace_logger(gw):
    old = gw.pids("logger")
    os.kill(old[0], signal.SIGKILL)
    wait_for("another logger", lambda: gw.pids("logger") not in ([], old) and gw.ready(), 5, 0.01)


def bytes_of(gw):
    return b"".join(p.read_bytes() for p in sorted((gw.state / "journal").iterdir()))


def test_codes_of_pages_are_found(own_gateway, lab):
    gw = own_gateway()
    refused = lab.curl("pupil", "https://video.example/watch?v=topsecret", "-H", "Accept: text/html")
    r = in_journal(gw, refused.code)
    assert (r["step"], r["verdict"]["action"], r["verdict"]["why"]) == ("connect", "block", "rule")
    assert r["facts"]["name"] == "video.example" and r["facts"]["groups"] == ["pupils"]
    assert [c["name"] for c in r["categories"]] == ["streaming"] and r["verdict"]["category"] == "streaming"
    assert r["verdict"]["rule_text"] == "block category streaming for pupils"
    assert gw.event(event_type="flow", perron__code=refused.code)["perron"]["snapshot"] == r["snapshot"][:12]
    plain = lab.curl("agent", "http://casino.example/x", "-H", "Accept: text/html")
    r = in_journal(gw, plain.code)
    assert (r["step"], r["verdict"]["action"], r["verdict"]["forbid"]) == ("request", "block", True)
    bad = lab.curl("agent", "https://expired.example/", "-H", "Accept: text/html")
    r = in_journal(gw, bad.code)
    assert (r["step"], r["verdict"]["why"]) == ("certificate", "defect") and r["facts"]["defects"]
    assert lab.curl("agent", "https://files.example/small.bin", proxy=PROXY).status == 200
    code = gw.event(event_type="http", http__hostname="files.example")["perron"]["code"]
    assert found(gw, code)["verdict"]["action"] == "allow"
    code = gw.event(event_type="flow", tls__sni="files.example")["perron"]["code"]
    assert (found(gw, code)["step"], found(gw, code)["verdict"]["action"]) == ("connect", "inspect")
    text = gw.ctl("journal", "find", refused.code.lower().replace("-", ""))
    assert refused.code in text and "block category streaming for pupils" in text and "unidentified" not in text


def test_what_has_no_record_is_said(own_gateway):
    gw = own_gateway()
    for code, words in (("000-0000-000", "no record has the code"), ("A7K", "is no decision code")):
        status, out, err = gw.ctl_run("journal", "find", code)
        assert (status, out) == (1, "") and words in err, err
    status, _, err = gw.ctl_run("journal", "verify", "--journal", gw.folder)
    assert status == 1 and "there is no journal in that directory" in err
    status, _, err = gw.ctl_run("journal", "show", "--journal", gw.folder / "nowhere")
    assert status == 1 and "No such file" in err


def test_nobody_is_named_and_nobody_else_reads_it(own_gateway, lab):
    gw = own_gateway()
    a = lab.curl("pupil", "https://video.example/watch/pathsecret?v=querysecret", "-H", "Cookie: c=cookiesecret")
    b = lab.curl("pupil", "http://plain.example/pathsecret?v=querysecret", "-H", "Authorization: Basic authsecret")
    assert b.status == 404
    r = in_journal(gw, a.code)
    assert r["facts"]["user"].startswith("u-")
    wait_for("the request", lambda: [r for r in records(gw) if r["facts"].get("name") == "plain.example"], 5)
    r = next(r for r in records(gw) if r["facts"].get("name") == "plain.example")
    assert "path" in r["facts"]["lost"] and "path" not in r["facts"], "no rule looks at a path"
    held = bytes_of(gw)
    for secret in (b"dupont", b"querysecret", b"cookiesecret", b"authsecret", b"pathsecret"):
        assert secret not in held, secret
    folder = gw.state / "journal"
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == 64802
    assert all(p.stat().st_mode & 0o777 == 0o600 and p.stat().st_uid == 64802 for p in folder.iterdir())


def test_twenty_kills_of_the_logger_lose_no_record(own_gateway, lab):
    gw = own_gateway(policy(lab, web="block domain \"plain.example\" for pupils"))
    stop = threading.Event()
    blocked, allowed = [], []

    def ask(who, answers):
        while not stop.is_set():
            answers.append(lab.curl(who, "http://plain.example/", "-H", "Accept: text/html"))
    threads = [threading.Thread(target=ask, args=args) for args in
               (("pupil", blocked), ("agent", allowed), ("pupil", blocked))]
    for t in threads:
        t.start()
    for _ in range(20):
        replace_logger(gw)
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    assert {a.status for a in blocked} == {403} and {a.status for a in allowed} == {200}
    want = len(blocked) + len(allowed)
    assert want > 20
    wait_for("every record", lambda: len(records(gw)) >= want, 10)
    all_of_them = records(gw)
    assert len(all_of_them) == want, "each decision once"
    codes = [r["code"] for r in all_of_them]
    assert len(set(codes)) == len(codes)
    assert {a.code for a in blocked} <= set(codes)
    assert {e["perron"]["code"] for e in gw.events(event_type="http")} == set(codes)
    for worker in (0, 1):
        seqs = [r["seq"] for r in all_of_them if r["worker"] == worker]
        assert sorted(seqs) == list(range(1, len(seqs) + 1)), "no number is missing and none is there twice"
    v = verified(gw)
    assert v["ok"] and v["records"] == want and v["unreadable"] == 0
    assert replayed(gw) == {"ok": True, "same": want, "not_checked": 0, "snapshot_gone": 0, "cannot_tell": 0,
                            "unreadable": 0}


def test_a_changed_byte_is_told(own_gateway, lab):
    gw = own_gateway()
    codes = [lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").code for _ in range(5)]
    r = in_journal(gw, codes[2])
    in_journal(gw, codes[4])
    assert verified(gw)["ok"]
    path = gw.state / "journal" / f"{r['segment']:012}.seg"
    with open(path, "r+b") as f:
        f.seek(r["offset"] + 100)
        byte = f.read(1)[0]
        f.seek(r["offset"] + 100)
        f.write(bytes([byte ^ 1]))
    status, _, err = gw.ctl_run("journal", "verify")
    assert status == 1 and f"segment {r['segment']:012}, byte {r['offset']}:" in err, err


def test_a_journal_that_ends_in_nonsense_is_answered_for_all_the_same(own_gateway, lab):
    """What can be read is read; --json has an answer, and the exit status says that it is not all."""
    gw = own_gateway()
    in_journal(gw, lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").code)
    gw.stop()
    path = sorted((gw.state / "journal").glob("*.seg"))[-1]
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4096))
    for words in (("replay",), ("what-if", gw.file)):
        status, out, err = gw.ctl_run("--json", *words)
        said = json.loads(out)
        assert status == 1 and said["same"] == 1 and said["broken"]["offset"] == len(whole), (words, out)
        assert f"byte {len(whole)}: no record stands here" in err and err.count("\n") == 1, err
    assert json.loads(gw.ctl_run("--json", "replay")[1])["ok"] is False
    path.write_bytes(whole[:-7])    # cut off in the middle of a record: the rest counts
    assert replayed(gw)["ok"] and replayed(gw)["same"] == 0


def test_a_folder_that_cannot_be_written_is_named(own_gateway, lab):
    gw = own_gateway()
    gw.stop()
    for path in (gw.state / "journal").iterdir():
        os.chown(path, 0, 0)
    gw.start()
    assert lab.curl("agent", "http://plain.example/").status == 200
    wait_for("the complaint", lambda: "the journal cannot be written (EACCES); lines and records wait" in gw.said(), 5)
    gw.stop()
    assert "alarm: the gateway ends and the journal cannot be written: what waits in the rings is lost" in gw.said()


def test_after_a_restart_the_chain_goes_on(own_gateway, lab):
    gw = own_gateway()
    first = lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").code
    in_journal(gw, first)
    for pid in gw.pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    gw.proc.wait(10)
    gw.start()
    second = lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").code
    in_journal(gw, second)
    assert found(gw, first)["boot"] != found(gw, second)["boot"]
    assert verified(gw)["ok"] and len(records(gw)) == 2


RULES = """
  block    category social from lan
  block    domain "plain.example" path "/private"
  block    method POST for agents
"""


def test_every_decision_comes_out_the_same_again(own_gateway, lab):
    gw = own_gateway(policy(lab, web=RULES))
    for who in ("pupil", "agent", "guest"):
        for url in ("http://plain.example/", "http://plain.example/private/x?q=1", "https://files.example/small.bin",
                    "https://video.example/", "https://www.bank.example/", "https://expired.example/",
                    "http://casino.example/", "https://social.example/"):
            for proxy in (None, PROXY):
                if who != "guest" or not proxy:
                    lab.curl(who, url, "-H", "Accept: text/html", "-d" if "plain" in url else "-H", "x=1", proxy=proxy)
    status, said = gw.reload(policy(lab, web="block any"))
    assert status == 0, said
    lab.curl("agent", "http://plain.example/")
    n = all_there(gw)
    assert n > 40
    r = replayed(gw)
    assert r["ok"] and r["same"] == n and r["not_checked"] == 0, r
    assert {r["verdict"]["action"] for r in records(gw)} == {"allow", "block", "exempt", "inspect"}
    assert {r["step"] for r in records(gw)} == {"connect", "certificate", "request"}
    for path in (gw.state / "snapshots").iterdir():   # what is gone is said
        path.unlink()
    r = replayed(gw)
    assert r["ok"] and r["same"] == 0 and r["snapshot_gone"] == n


def test_a_record_that_comes_out_otherwise_is_named(own_gateway, lab):
    gw = own_gateway()
    code = lab.curl("pupil", "http://video.example/", "-H", "Accept: text/html").code
    r = in_journal(gw, code)
    path = gw.state / "journal" / f"{r['segment']:012}.seg"
    with open(path, "r+b") as f:
        f.seek(r["offset"] + 32 + 13)   # the action in the record's bytes: 1, block
        assert f.read(1) == b"\x01"
        f.seek(r["offset"] + 32 + 13)
        f.write(b"\x00")
    status, _, err = gw.ctl_run("replay")
    assert status == 1 and f"{code} (segment" in err and "the action differs: was allow" in err, err


def test_what_another_policy_would_change(own_gateway, lab):
    gw = own_gateway()
    for who, n in (("pupil", 3), ("agent", 2)):
        for _ in range(n):
            assert lab.curl(who, "http://plain.example/private/x").status == 404
            lab.curl(who, "http://video.example/", "-H", "Accept: text/html")
    wait_for("the records", lambda: len(records(gw)) == 10, 5)
    same = what_if(gw, policy(lab))
    assert (same["records"], same["same"], same["changed"], same["cannot_tell"]) == (10, 10, 0, 0)
    w = what_if(gw, policy(lab, web="block category streaming\n  allow domain \"plain.example\" for pupils\n"
                                    "block domain \"plain.example\" for agents"))
    assert (w["same"], w["changed"], w["cannot_tell"]) == (6, 4, 0), w
    assert table(w["changes"]) == {"allow -> block": 4}
    assert table(w["by_group"]) == {"agents": 4}
    assert table(w["by_category"]) == {"streaming": 2, "(none)": 2}
    assert sorted(table(w["by_rule"]).values()) == [2, 2]
    assert found(gw, w["changes"][0]["examples"][0])["facts"]["groups"] == ["agents"]
    w = what_if(gw, policy(lab, web="block domain \"plain.example\" path \"/private\""), "--journal",
                gw.state / "journal")
    assert (w["same"], w["changed"], w["cannot_tell"]) == (5, 0, 5), "no path was kept"
    assert table(w["cannot_tell_by"]) == {"request path and its categories": 5}
    text = gw.ctl("what-if", gw.folder / "new.policy")
    assert "10 decisions: 5 as before" in text and "5 cannot be told" in text
    # Long words of any language are cut between two characters.
    for pad in ("", "x"):
        w = what_if(gw, policy(lab, web=f'block domain "plain.example" for agents reason "{pad}{"é" * 80}"'))
        assert w["by_rule"][0]["name"].startswith(f'block domain "plain.example" for agents reason "{pad}éé'), w["by_rule"]
    # A word that nothing acts on yet changes nothing, and that is said.
    w = what_if(gw, policy(lab, web='block application "bittorrent"'))
    assert w["changed"] == 0 and [u["what"] for u in w["not_in_force"]] == ["application"], w
    status, _, err = gw.ctl_run("what-if", gw.folder / "new.policy")
    assert status == 0 and "note: `application` is not in force yet" in err and same["not_in_force"] == []
    status, _, err = gw.ctl_run("what-if", gw.folder / "nowhere.policy")
    assert status == 1 and "nowhere.policy" in err
    (gw.folder / "bad.policy").write_text("zone\n")
    status, _, err = gw.ctl_run("what-if", gw.folder / "bad.policy")
    assert status == 1 and "the policy has errors" in err
