"""Rules and what they did: counts outlive a reload, a killed worker and a restart of the whole gateway, and a rule keeps its count
when it moves or gets another reason."""
import datetime
import os
import signal
import time

import pytest

from gateway import policy
from space import wait_for


def rule(gw, start, block="web"):
    found = [r["rule"] for r in gw.show("rules") if r["rule"]["text"].startswith(start) and r["rule"]["block"] == block]
    assert len(found) == 1, found
    return found[0]


def test_counts_survive(lab, own_gateway):
    gw = own_gateway()
    assert rule(gw, "block category streaming")["hits"] == 0 and rule(gw, "block category streaming")["last"] is None
    for _ in range(3):
        assert lab.curl("pupil", "https://video.example/hello").status == 403
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    before = rule(gw, "block category streaming")
    assert before["hits"] >= 3 and abs(before["last"] - time.time()) < 60
    assert rule(gw, "inspect any", "tls")["hits"] >= 1 and rule(gw, "allow any")["hits"] >= 1
    # The rule moves, gets a reason and an owner: it is the same one.
    moved = policy(lab, web='  block  category streaming  for pupils   owner "école"  reason "cours"\n')
    moved = moved.replace("  block    category streaming  for pupils\n", "")
    assert gw.reload(moved)[0] == 0
    after = rule(gw, "block category streaming")
    assert after["hits"] == before["hits"] and after["owner"] == "école" and after["key"] == before["key"]
    answer = lab.curl("pupil", "https://video.example/hello")
    assert answer.status == 403
    # ... and who owns it stays inside; the reason is told once.
    assert "block category streaming for pupils" in answer.text and answer.text.count("cours") == 1
    assert "école" not in answer.text
    # Another set of people is another rule.
    assert gw.reload(moved.replace("streaming  for pupils", "streaming  for agents"))[0] == 0
    assert rule(gw, "block category streaming")["hits"] == 0
    assert gw.reload(moved)[0] == 0
    count = rule(gw, "block category streaming")["hits"]
    assert count > before["hits"]
    for pid in gw.pids("worker"):
        gw.kill(pid)
    wait_for("new workers", lambda: all(p["state"] == "ready" for p in
                                        (r["process"] for r in gw.show("processes"))), 20)
    assert rule(gw, "block category streaming")["hits"] == count
    gw.stop()
    gw.start()
    assert rule(gw, "block category streaming")["hits"] == count
    gw.stop()
    (gw.state / "hits").write_bytes(b"perron hits 1\nnonsense\n")
    gw.start()
    assert rule(gw, "block category streaming")["hits"] == 0 and "counters of rules were damaged" in gw.said()


def test_counts_are_written_while_it_runs(lab, own_gateway):
    gw = own_gateway()
    assert lab.curl("pupil", "https://video.example/hello").status == 403
    wait_for("the file", lambda: (gw.state / "hits").exists(), 40)
    count = rule(gw, "block category streaming")["hits"]
    for pid in gw.pids():
        os.kill(pid, signal.SIGKILL)
    gw.proc.wait(10)
    gw.err.close()
    gw.start()
    assert rule(gw, "block category streaming")["hits"] == count


@pytest.mark.parametrize("zone,off,ahead", [("Asia/Kolkata", "+05:30", 330), ("America/Caracas", "-04:00", -240)])
def test_times_are_the_policys_own(lab, own_gateway, zone, off, ahead):
    """On the page and in `show rules`, with the distance from UTC, whatever zone the machine is in."""
    gw = own_gateway(policy(lab, settings=f'time-zone "{zone}"',
                            web='  block  domain "www.school.example"  for pupils  until 2099-01-15\n'))
    before = datetime.datetime.utcnow() + datetime.timedelta(minutes=ahead)
    page = lab.curl("pupil", "https://www.school.example/", "-H", "Accept: text/html")
    minutes = [before, before + datetime.timedelta(minutes=1)]
    assert page.status == 403 and any(f"{t:%d/%m/%Y %H:%M} (UTC{off})" in page.text for t in minutes), page.text
    row = rule(gw, "block domain")
    assert row["last_local"] in [f"{t:%Y-%m-%d %H:%M} {off}" for t in minutes]
    assert row["until_local"] == f"2099-01-16 00:00 {off}" and row["since_local"] is None
    shown = [line for line in gw.ctl("show", "rules").splitlines() if "until 2099-01-15" in line]
    assert len(shown) == 1 and row["last_local"] in shown[0] and row["until_local"] in shown[0]
    gw.ctl("exempt", "zone", "guests", "for", "1h", "--by", "durand", "--reason", "app store")
    assert f" {off}: nothing is intercepted there" in gw.ctl("show", "rules")


def test_unused_rules(lab, own_gateway):
    gw = own_gateway()
    assert lab.curl("pupil", "https://video.example/hello").status == 403
    out = gw.ctl("show", "rules", "--unused")
    assert "block category social" in out and "category streaming for pupils" not in out
    assert "block category social" in gw.ctl("show", "rules", "--unused", "30")
    status, _, err = gw.ctl_run("show", "rules", "--unused", "soon")
    assert status == 1 and "days" in err
    assert "block category streaming for pupils" in gw.ctl("show", "rules")
