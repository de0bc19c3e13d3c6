"""Many at once and nothing left over: thousands of exempt flows, a log that takes nothing, a worker that dies."""
import contextlib
import hashlib
import json
import os
import re
import resource
import selectors
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from client import PEOPLE, read_response
from gateway import ROOT, policy
from hostile import tls_to
from sites import SITES
from space import wait_for

N_EXEMPT = 5000


def limit(name):
    """A number of gw/base/limits.h."""
    return int(re.search(rf"\b{name} = (\d+)", (ROOT / "gw/base/limits.h").read_text()).group(1))


def client_hello(name):
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def open_many(lab, n, address, port, first):
    """n connected sockets from the agent's machine; each has said its first bytes."""
    socks = []
    with lab.clients_space:
        for _ in range(n):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            socks.append(s)
            s.bind((PEOPLE["agent"].v4, 0))
            s.settimeout(20)
            s.connect((address, port))
            s.sendall(first)
    return socks


def answers(socks, patience_s):
    """How many of them get at least one byte back."""
    got = set()
    with selectors.DefaultSelector() as sel:
        for s in socks:
            sel.register(s, selectors.EVENT_READ)
        end = time.monotonic() + patience_s
        while len(got) < len(socks) and time.monotonic() < end:
            for key, _ in sel.select(1):
                if key.fileobj.recv(65536):
                    got.add(key.fd)
                sel.unregister(key.fileobj)
    return len(got)


def ends(socks, patience_s):
    """How many of them the other side closes, whatever it still says before."""
    ended = set()
    with selectors.DefaultSelector() as sel:
        for s in socks:
            sel.register(s, selectors.EVENT_READ)
        end = time.monotonic() + patience_s
        while len(ended) < len(socks) and time.monotonic() < end:
            for key, _ in sel.select(1):
                try:
                    said = key.fileobj.recv(65536)
                except ConnectionResetError:
                    said = b""
                if not said:
                    ended.add(key.fd)
                    sel.unregister(key.fileobj)
    return len(ended)


def pipes_of(pid):
    """Descriptors of pipes that a process holds."""
    n = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            n += os.readlink(fd).startswith("pipe:")
        except FileNotFoundError:
            pass
    return n


def test_five_thousand_exempt_flows_at_once(lab, gw):
    """Every one is relayed both ways while all are open, and quiet flows hold no pipe."""
    hello = client_hello("www.bank.example")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = []
    try:
        socks = open_many(lab, N_EXEMPT, SITES["www.bank.example"].v4, 443, hello)
        assert answers(socks, 60) == N_EXEMPT
        flows = gw.show("counters")
        held = [pipes_of(pid) for pid in gw.pids("worker")]
        # two descriptors a pipe, at most 256 pooled; 5,000 flows with two each would be 20,000
        assert all(n <= 2 * 256 + 16 for n in held), held
        assert "flows_open" in str(flows)
        for s in socks:
            s.sendall(b"\x15\x03\x03\x00\x02\x02\x50")  # alert: the client gives up
        assert ends(socks, 60) == N_EXEMPT
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for("the flows' ends", lambda: open_flows(gw) < 50, 20)


def closed_at_once(socks, patience_s):
    """How many of them the gateway has closed when that time is over."""
    gone = 0
    with selectors.DefaultSelector() as sel:
        for s in socks:
            sel.register(s, selectors.EVENT_READ)
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            for key, _ in sel.select(0.2):
                gone += 1
                sel.unregister(key.fileobj)
    return gone


def test_a_client_with_too_many_connections_takes_nobodys_place(lab, own_gateway):
    most, more = limit("LIM_CLIENT_FLOWS"), 200
    gw = own_gateway(policy(lab, workers="1"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = []
    try:
        socks = open_many(lab, most + more, SITES["cdn.example"].v4, 80, b"GET /")    # half a head may take 30 s
        assert closed_at_once(socks, 2) == more
        assert lab.curl("pupil", "https://cdn.example/hello").status == 200
        assert lab.curl("agent", "https://cdn.example/hello").status == 0
        for s in socks[:10]:
            s.close()
        wait_for("a place for the client itself", lambda: lab.curl("agent", "https://cdn.example/hello").status == 200, 5)
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    refused = wait_for("a line for each", lambda: (e := gw.events(perron__reason="client-flows")) and len(e) > more and e, 10)
    assert {(e["event_type"], e["src_ip"], e["perron"]["action"]) for e in refused} == {("flow", PEOPLE["agent"].v4, "block")}
    wait_for("all flows to end", lambda: open_flows(gw) == 0, 15)
    assert gw.show("counters")[0]["client_flows"] == len(refused)
    assert lab.curl("agent", "https://cdn.example/hello").status == 200



def open_flows(gw):
    return sum(int(n) for n in re.findall(r'"flows_open": ?(\d+)', gw.ctl("--json", "show", "counters")))


def fill_the_log(lab, n):
    """n small exchanges on one connection, pipelined; the answers are read and counted."""
    ask = b"GET /hello HTTP/1.1\r\nHost: plain.example\r\nUser-Agent: " + b"x" * 400 + b"\r\n\r\n"
    sock = lab.connect("agent", SITES["plain.example"].v4, 80, timeout_s=5)
    seen, sent = 0, 0
    sock.setblocking(False)
    last = time.monotonic()
    out, got = ask * n, b""
    with selectors.DefaultSelector() as sel:
        sel.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while seen < n and time.monotonic() - last < 3:
            for _, what in sel.select(0.2):
                if what & selectors.EVENT_WRITE and sent < len(out):
                    try:
                        sent += sock.send(out[sent:sent + 65536])
                    except BlockingIOError:
                        pass
                if what & selectors.EVENT_READ:
                    got += sock.recv(1 << 20)
                    fresh = got.count(b"HTTP/1.1 ")
                    got = got[-16:] if fresh else got
                    seen += fresh
                    last = time.monotonic() if fresh else last
                if sent == len(out):
                    sel.modify(sock, selectors.EVENT_READ)
    return sock, seen


def stop_the_logger(gw, seconds):
    gw.ctl("simulate", "logger-down", "--for", str(seconds))


@pytest.mark.parametrize("answer", ["hold", "block", "allow"])
def test_a_log_that_takes_nothing(own_gateway, lab, answer):
    """Without a logger the ring fills; then new decisions wait, are refused, or go on, as policy says."""
    gw = own_gateway(policy(lab, settings=f"on journal-full {answer}\non logger-down {answer}", workers="1"))
    stop_the_logger(gw, 30 if answer == "hold" else 20)
    sock, seen = fill_the_log(lab, 40000)
    begun = time.monotonic()
    reply = lab.curl("agent", "http://plain.example/hello", "--max-time", "15")
    waited = time.monotonic() - begun
    sock.close()
    if answer == "hold":
        assert seen < 40000
        assert reply.status == 503 and 9 < waited < 13, (reply, waited)
    elif answer == "block":
        assert reply.status == 503 and waited < 3, (reply, waited)
    else:
        assert seen == 40000 and reply.status == 200
    wait_for("service to be back", lambda: lab.curl("agent", "http://plain.example/hello").status == 200, 60)
    assert_no_gap(gw)


def assert_no_gap(gw):
    """Every accepted record is in the log once: sequence numbers without a gap, per worker and boot."""
    def whole():
        seqs = sorted(e["perron"]["seq"] for e in gw.events() if e["perron"]["worker"] == 0)
        return seqs and seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    wait_for("a log without a gap", whole, 20)


def test_held_requests_are_served_when_the_log_takes_them_again(own_gateway, lab):
    gw = own_gateway(policy(lab, workers="1"))
    begun = time.monotonic()
    stop_the_logger(gw, 15)
    sock, _ = fill_the_log(lab, 40000)
    time.sleep(max(0, begun + 9 - time.monotonic()))  # a hold lasts 10 s: the logger is back in time
    late = lab.connect("agent", SITES["plain.example"].v4, 80, timeout_s=20)
    late.sendall(b"GET /hello HTTP/1.1\r\nHost: plain.example\r\n\r\n")
    status, _, _ = read_response(late.makefile("rb"))
    assert status == 200
    sock.close()
    late.close()
    assert_no_gap(gw)


def test_a_held_upload_arrives_whole(own_gateway, lab):
    """Its body comes while it is held: more than anybody takes in meanwhile, so that some of it waits with the client."""
    gw = own_gateway(policy(lab, workers="1"))
    body = bytes(range(256)) * 65536   # 16 MiB
    with tls_to(lab, "script.example") as late:
        late.sendall(b"GET /echo HTTP/1.1\r\nHost: script.example\r\n\r\n")   # this connection is decided already
        answers = late.makefile("rb")
        assert read_response(answers)[0] == 200
        before = b"".join(lab.script_bytes())
        begun = time.monotonic()
        stop_the_logger(gw, 15)
        sock, _ = fill_the_log(lab, 40000)
        time.sleep(max(0, begun + 9 - time.monotonic()))
        late.sendall(b"POST /echo HTTP/1.1\r\nHost: script.example\r\nContent-Length: %d\r\n\r\n" % len(body))
        late.setblocking(False)
        sent = 0
        with contextlib.suppress(ssl.SSLWantWriteError):
            while sent < len(body):
                sent += late.send(body[sent:sent + 16384])
        assert sent < len(body) and b"".join(lab.script_bytes()) == before
        late.settimeout(20)
        while sent < len(body):
            sent += late.send(body[sent:sent + 16384])
        status, _, got = read_response(answers)
    sock.close()
    assert status == 200 and json.loads(got)["sha256"] == hashlib.sha256(body).hexdigest()
    assert_no_gap(gw)


def test_a_panic_prints_the_flow_and_its_states(own_gateway, lab):
    gw = own_gateway(policy(lab, workers="1"))
    sock = lab.connect("agent", SITES["www.school.example"].v4, 443)
    with lab.tls("agent", sock, "www.school.example"):
        os.kill(gw.pids("worker")[0], signal.SIGSEGV)
        wait_for("the panic", lambda: "panic: signal 11" in gw.said(), 5)
    said = re.search(r"flow \d+:( \w+@\d+)+", gw.said())
    assert said and "client@" in said.group(0) and "http@" in said.group(0), gw.said()


def test_a_head_in_drops_is_ended_however_steadily_they_fall(lab, gw):
    """Slow-loris: the deadline counts from the head's first byte, not from its last."""
    sock = lab.connect("agent", SITES["plain.example"].v4, 80, timeout_s=1)
    sock.sendall(b"GET /slow HTTP/1.1\r\nHost: plain.example\r\n")
    begun = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - begun < 45:
            sock.sendall(b"X: y\r\n")
            try:
                assert sock.recv(4096) == b""
                raise ConnectionResetError
            except socket.timeout:
                pass
    assert 25 < time.monotonic() - begun < 40
    assert gw.event(event_type="flow", perron__reason="timeout", perron__detail="head")


def test_source_keep_lets_the_origin_see_the_clients_address(own_gateway, lab):
    text = policy(lab).replace("zone  lan      network 10.32.0.0/16, fd10:32::/64",
                               "zone  lan      network 10.32.0.0/16, fd10:32::/64   source keep")
    own_gateway(text)
    for ipv, address in ((4, PEOPLE["agent"].v4), (6, PEOPLE["agent"].v6)):
        before = len(lab.requests("www.school.example"))
        assert lab.curl("agent", "https://www.school.example/hello", ipv=ipv).status == 200
        wait_for("the origin's log", lambda n=before: len(lab.requests("www.school.example")) > n, 5)
        assert address in str(lab.requests("www.school.example")[-1])


def test_source_keep_may_come_with_a_reload(own_gateway, lab):
    gw = own_gateway(policy(lab))
    assert not gw.pids("opener")
    text = policy(lab).replace("zone  lan      network 10.32.0.0/16, fd10:32::/64",
                               "zone  lan      network 10.32.0.0/16, fd10:32::/64   source keep")
    assert gw.reload(text)[0] == 0
    wait_for("the opener", lambda: gw.pids("opener"), 5)
    before = len(lab.requests("www.school.example"))
    assert lab.curl("agent", "https://www.school.example/hello").status == 200
    wait_for("the origin's log", lambda: len(lab.requests("www.school.example")) > before, 5)
    assert PEOPLE["agent"].v4 in str(lab.requests("www.school.example")[-1])


def test_a_full_disk_is_journal_full_and_heals(own_gateway, lab):
    """The logger is there but its disk takes nothing: `on journal-full` answers; with room again nothing is missing."""
    gw = own_gateway(policy(lab, settings="on journal-full block\non logger-down allow", workers="1"), start=False)
    space = lab.gateway_space
    space.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", gw.logs)
    try:
        gw.start()
        sock, seen = fill_the_log(lab, 40000)
        sock.close()
        assert seen < 40000
        assert lab.curl("agent", "http://plain.example/hello", "--max-time", "5").status == 503
        space.run("mount", "-o", "remount,size=300m", gw.logs)
        wait_for("service to be back", lambda: lab.curl("agent", "http://plain.example/hello").status == 200, 20)
        read = space.enter("sh", "-c", f"cat {gw.logs}/eve.json*")
        seqs = []
        for line in subprocess.run(read, stdout=subprocess.PIPE, check=True).stdout.splitlines():
            event = json.loads(line)["perron"]
            if event.get("worker") == 0 and "seq" in event:
                seqs.append(event["seq"])
        assert sorted(set(seqs)) == list(range(min(seqs), max(seqs) + 1))
    finally:
        gw.stop()
        space.run("umount", gw.logs)


def test_one_client_cannot_use_up_the_leaves_of_all(own_gateway, lab):
    """A flood of names never seen gets its share and no more; somebody else's new host is served meanwhile."""
    gw = own_gateway(policy(lab, workers="1"))
    hello, socks = client_hello("n0000.casino.example"), []
    for i in range(1500):
        socks.append(lab.connect("pupil", SITES["cdn.example"].v4, 443))
        socks[-1].sendall(hello.replace(b"n0000", b"n%04d" % i))
    refused = sum(s.recv(7)[:1] == b"\x15" for s in socks)  # an alert instead of a ServerHello
    for s in socks:
        s.close()
    assert 20 < refused < 600
    answer = lab.curl("agent", "https://files.example/hello")
    assert answer.status == 200 and answer.seconds < 2, answer
    assert gw.event(event_type="flow", perron__reason="mint", perron__detail="client-rate")
