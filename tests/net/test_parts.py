"""A snapshot is made of parts: only what has changed is made anew, what was in force can be gone back to, lists that would break
what a policy expects do not go live."""
import os
import signal
import time

from gateway import policy
from space import wait_for

RULE = "  block    category streaming  for pupils\n"

def listed(lab, path, web="  block category extra for pupils\n", more=""):
    text = policy(lab, web=web).replace('category  banking', f'category  extra  file "{path}"\ncategory  banking')
    return text + more


def hashes(gw):
    return [s["snapshot"] for s in gw.show("snapshots")]


def test_back_to_what_was_in_force(lab, own_gateway):
    gw = own_gateway()
    assert lab.curl("pupil", "https://video.example/hello").status == 403
    first = next(s["hash"] for s in hashes(gw) if s["in_force"])
    status, said = gw.reload(policy(lab).replace(RULE, ""))
    assert status == 0, said
    assert lab.curl("pupil", "https://video.example/hello").status == 200
    status, out, err = gw.ctl_run("reload", "--to", first[:10])
    assert status == 0, out + err
    assert lab.curl("pupil", "https://video.example/hello").status == 403
    now = [s for s in hashes(gw) if s["in_force"]]
    assert [s["hash"] for s in now] == [first] and now[0]["who"] == "uid 0"
    events = wait_for("the event", lambda: [e for e in gw.events(event_type="engine")
                                            if e["perron"].get("detail") == "rolled-back"])
    assert events[-1]["perron"]["new"] == first


def test_unknown_and_damaged_snapshots_change_nothing(lab, own_gateway):
    gw = own_gateway()
    old = next(s["hash"] for s in hashes(gw) if s["in_force"])
    assert gw.reload(policy(lab).replace(RULE, ""))[0] == 0
    for prefix, word in (("ffffffffffff", "is kept"), ("zz", "is kept"), ("", "is kept"), ("../../lock", "is kept")):
        status, _, err = gw.ctl_run("reload", "--to", prefix)
        assert status == 1 and word in err and err.count("\n") == 1, err
    assert gw.ctl_run("reload", "--to")[0] == 1
    policies = sorted((gw.state / "parts").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    damaged = policies[0].read_bytes()
    policies[0].chmod(0o600)
    policies[0].write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 1]))
    status, _, err = gw.ctl_run("reload", "--to", old)
    assert status == 1 and "damaged" in err, err
    policies[0].unlink()
    status, _, err = gw.ctl_run("reload", "--to", old)
    assert status == 1 and "kept no longer" in err, err
    assert lab.curl("pupil", "https://video.example/hello").status == 200
    assert gw.show("processes")   # and the gateway is well


def test_killed_while_it_writes(lab, own_gateway):
    """kill -9 of everything at any moment of many loads: what is kept is whole, and the next start is an ordinary one."""
    gw = own_gateway()
    for n in range(6):
        texts = [policy(lab, web=f'  block domain "n{n}-{k}.example"\n') for k in range(3)]
        for text in texts[:2]:
            assert gw.reload(text)[0] == 0
        gw.write(texts[2])
        pids = gw.pids()
        os.kill(gw.proc.pid, signal.SIGHUP)
        time.sleep(0.004 * n)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        gw.proc.wait(10)
        gw.err.close()
        gw.start()
        shown = gw.show("snapshots")
        assert not [s for s in shown if "damaged" in s], shown
        assert [s for s in shown if s.get("snapshot", {}).get("in_force")]
    whole = [s["hash"] for s in hashes(gw) if s["whole"] and not s["in_force"]]
    assert whole
    for name in whole[:5]:
        status, out, err = gw.ctl_run("reload", "--to", name)
        assert status == 0, out + err


def test_only_changed_lists_are_made_anew(lab, own_gateway):
    listing = lab.folder / "extra-list"
    listing.write_text("video.example\n")
    gw = own_gateway(listed(lab, listing))
    assert lab.curl("pupil", "https://video.example/hello").status == 403
    lists = gw.state / "lists"
    before = sorted(p.name for p in lists.iterdir())
    assert gw.reload(listed(lab, listing, web="  block category extra for agents\n").replace(RULE, ""))[0] == 0
    assert sorted(p.name for p in lists.iterdir()) == before, "the lists were built although they had not changed"
    assert lab.curl("pupil", "https://video.example/hello").status == 200
    assert lab.curl("agent", "https://video.example/hello").status == 403
    listing.write_text("cdn.example\n")
    assert gw.reload()[0] == 0
    assert sorted(p.name for p in lists.iterdir()) != before
    assert lab.curl("agent", "https://video.example/hello").status == 200
    assert lab.curl("agent", "https://cdn.example/hello").status == 403


def test_a_list_that_is_gone_does_not_empty_its_category(lab, own_gateway):
    listing = lab.folder / "fragile-list"
    listing.write_text("video.example\n")
    gw = own_gateway(listed(lab, listing))
    listing.unlink()
    status, said = gw.reload(listed(lab, listing, web="  block category extra\n"))
    assert status == 0 and "no such list" in said and "the list that is in force stays as it is" in said, said
    assert lab.curl("agent", "https://video.example/hello").status == 403, "the policy's other change is in force"
    assert "alarm:" in gw.said() and "held back" in gw.said()
    wait_for("the event", lambda: [e for e in gw.events(event_type="engine")
                                   if e["perron"].get("detail") == "lists-held-back"])
    status, said = gw.reload(listed(lab, lab.folder / "another-list"))
    assert status == 1, "a list that never was there is an error"
    listing.write_text("cdn.example\n")
    assert gw.reload(listed(lab, listing, web="  block category extra\n"))[0] == 0
    assert lab.curl("agent", "https://cdn.example/hello").status == 403


def test_a_start_with_a_missing_list(lab, own_gateway):
    """The lists that were in force before stand in; where there never were any it is an error that ends the start."""
    listing = lab.folder / "start-list"
    listing.write_text("video.example\n")
    gw = own_gateway(listed(lab, listing, web="  block category extra\n"))
    lists = sorted(p.name for p in (gw.state / "lists").iterdir())
    gw.stop()
    gw.start()
    assert sorted(p.name for p in (gw.state / "lists").iterdir()) == lists, "nothing had changed, and nothing was built"
    gw.stop()
    listing.rename(lab.folder / "start-list-away")
    gw.start()
    assert "alarm:" in gw.said() and "held back" in gw.said()
    assert lab.curl("agent", "https://video.example/hello").status == 403
    gw.stop()
    for path in (gw.state / "lists").iterdir():   # damaged: as good as not there
        path.write_bytes(b"x" * path.stat().st_size)
    gw.err = open(gw.folder / "stderr.txt", "ab")
    gw.proc = lab.gateway_space.start(*gw.command(), stdout=gw.err, stderr=gw.err)
    assert gw.proc.wait(20) == 1 and "no such list" in gw.said()


def test_lists_that_break_an_expectation_are_held_back(lab, own_gateway):
    listing = lab.folder / "wild-list"
    listing.write_text("video.example\n")
    expects = 'expect  allow  user "a.martin"  get "https://cdn.example/hello"\n'
    gw = own_gateway(listed(lab, listing, web="  block category extra\n", more=expects))
    listing.write_text("video.example\ncdn.example\n")
    text = listed(lab, listing, web='  block category extra\n  block domain "social.example"\n', more=expects)
    status, said = gw.reload(text)
    assert status == 0 and "held back" in said and "expect" in said, said
    assert lab.curl("agent", "https://cdn.example/hello").status == 200
    assert lab.curl("agent", "https://social.example/hello").status == 403, "the policy's other change is in force"
    # A policy that fails by itself is refused whole.
    status, said = gw.reload(text + 'expect  allow  user "a.martin"  get "https://social.example/hello"\n')
    assert status == 1 and "not what happens" in said, said
    listing.write_text("video.example\ncasino.example\n")
    status, said = gw.reload(text)
    assert status == 0 and "held back" not in said, said


def test_a_failing_expectation_is_refused(lab, own_gateway):
    gw = own_gateway()
    before = next(s["hash"] for s in hashes(gw) if s["in_force"])
    status, said = gw.reload(policy(lab) + 'expect  block  user "a.martin"  get "https://cdn.example/hello"\n')
    assert status == 1 and "not what happens" in said, said
    assert next(s["hash"] for s in hashes(gw) if s["in_force"]) == before
