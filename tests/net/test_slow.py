"""Clients that are slow, or do nothing at all: deadlines end them, nobody holds memory or processor time by waiting. Each flow
has one line with one reason."""
import os
import socket
import time

import pytest

from client import read_response
from gateway import BUILD
from hostile import (NAME, PROXY, WS, Origin, Tail, client_hello, port_of, read_all, reset, served, shown_flow,
                     tls_to)
from sites import SITES
from space import wait_for

pytestmark = pytest.mark.usefixtures("the_workers_live")
SANITIZED = b"__asan_init" in (BUILD / "perrond").read_bytes() if (BUILD / "perrond").exists() else False


# ---- slow clients: begun at the first test of this file, looked at in the last one

SLOW = {}


def begin_slow(lab, gw):
    """Clients that stop in the middle of something; the deadline of each state ends them."""
    if SLOW:
        return
    hello = client_hello("cdn.example")
    drip = lab.connect("agent", SITES["cdn.example"].v4, 443)
    for byte in hello[:40]:
        drip.sendall(bytes([byte]))
    mute = lab.connect("agent", SITES["cdn.example"].v4, 443)
    proxy = lab.connect("agent", *PROXY)
    tunnel = lab.connect("agent", *PROXY)
    tunnel.sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHost: cdn.example:443\r\n\r\n" + hello[:11])
    shake = lab.connect("agent", SITES["cdn.example"].v4, 443)
    shake.sendall(hello)
    hole = lab.connect("agent", *PROXY)
    hole.sendall(b"GET http://blackhole.example/ HTTP/1.1\r\nHost: blackhole.example\r\n\r\n")
    SLOW.update(tail=Tail(gw), begun=time.monotonic(), socks={"drip": drip, "mute": mute, "proxy": proxy, "tunnel": tunnel,
                                                             "shake": shake, "hole": hole})
    SLOW["ports"] = {name: port_of(s) for name, s in SLOW["socks"].items()}


def test_slow_clients_begin(lab, gw):
    begin_slow(lab, gw)
    assert served(lab)


# ---- clients that read slowly, or not at all

def rss(gw):
    """Bytes that all workers hold."""
    total = 0
    for pid in gw.pids("worker"):
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            total += int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return total


@pytest.mark.parametrize("way", ["tls", "plain"])
def test_a_client_that_reads_nothing_holds_the_origin(lab, gw, way):
    sock = lab.connect("agent", SITES["files.example"].v4, 443 if way == "tls" else 80)
    port = port_of(sock)
    if way == "tls":
        sock = lab.tls("agent", sock, "files.example")
    before = rss(gw)
    sock.sendall(b"GET /big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
    seen = [-1]

    def held():
        seen.append(shown_flow(gw, port)["bytes_down"])
        return seen[-1] == seen[-2] > 0
    wait_for("the flow to stand still", held, 10, 0.5)
    assert seen[-1] < 24 << 20     # what two kernels' buffers take
    assert rss(gw) - before < (64 << 20 if SANITIZED else 3 << 20)
    stream = sock.makefile("rb")
    status, headers, _ = read_response(stream, "HEAD")
    n = 0
    while n < 64 << 20:
        n += len(stream.read(min(1 << 20, (64 << 20) - n)))
    assert status == 200 and headers["content-length"] == str(64 << 20)
    sock.close()


def test_a_slow_reader_that_has_half_closed_gets_all_it_asked_for(lab, gw):
    """Of all these sizes some leave a rest that no buffer of the kernel takes before the client begins to read."""
    socks = []
    for n in range(700_000, 900_000, 2_000):
        lab.script_answer(f"half-{n}", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + b"x" * n)
        sock = lab.connect("agent", SITES["script.example"].v4, 80)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(b"GET /raw/half-%d HTTP/1.1\r\nHost: script.example\r\n\r\n" % n)
        sock.shutdown(socket.SHUT_WR)
        socks.append((n, sock))
    time.sleep(2.5)
    for n, sock in socks:
        got, end = read_all(sock)
        assert end == "closed" and len(got) - got.index(b"\r\n\r\n") - 4 == n, (n, len(got), end)
        sock.close()


# ---- nobody makes a worker spin

def cpu_seconds(gw):
    total = 0
    for pid in gw.pids("worker"):
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


STALL = b"GET /stall HTTP/1.1\r\nHost: script.example\r\n\r\n"


class Waiting:
    """Ways to make a flow wait while its sockets have something to say."""

    def __init__(self, lab):
        self.lab = lab

    def to(self, name, port=443):
        return self.lab.connect("agent", SITES[name].v4, port)

    def half_closed_for_an_answer(self):
        s = self.to("script.example", 80)
        s.sendall(STALL)
        s.shutdown(socket.SHUT_WR)
        return s

    def half_closed_tls_for_an_answer(self):
        s = tls_to(self.lab, "script.example")
        s.sendall(STALL)
        socket.socket.shutdown(s, socket.SHUT_WR)
        return s

    def more_requests_for_an_answer(self):
        s = tls_to(self.lab, "script.example")
        s.sendall(STALL * 2000)
        return s

    def half_closed_in_dial(self):
        s = self.to("blackhole.example")
        s.sendall(client_hello("blackhole.example") + b"x" * 5000)
        s.shutdown(socket.SHUT_WR)
        return s

    def half_closed_in_upstream(self):
        s = self.to(NAME)
        s.sendall(client_hello(NAME))
        s.shutdown(socket.SHUT_WR)
        return s

    def half_closed_splice(self):
        s = self.to("www.bank.example")
        s.sendall(client_hello("www.bank.example")[:-1])
        return s

    def reads_nothing(self, port=443):
        s = tls_to(self.lab, "files.example") if port == 443 else self.to("files.example", port)
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n" * 50 + b"X" * 100000)
        return s

    def reads_nothing_plain(self):
        return self.reads_nothing(80)

    def reads_nothing_and_has_closed(self):
        s = self.reads_nothing(80)
        s.shutdown(socket.SHUT_WR)
        return s

    def body_that_nobody_reads(self):
        s = tls_to(self.lab, "script.example")
        s.settimeout(0.3)
        try:
            s.sendall(b"POST /stall HTTP/1.1\r\nHost: script.example\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (20 << 20))
        except OSError:
            pass
        return s

    def half_closed_tunnel(self):
        s = self.to("script.example", 80)
        s.sendall(WS.replace(b"closed", b"script"))
        s.recv(1000)
        s.shutdown(socket.SHUT_WR)
        return s

    def idle(self):
        return tls_to(self.lab, "cdn.example")

    def half_hello(self):
        s = self.to("cdn.example")
        s.sendall(client_hello("cdn.example")[:100])
        return s


@pytest.mark.parametrize("how", [name for name in vars(Waiting) if name[0] != "_" and name != "to"])
def test_a_flow_that_waits_costs_nothing(lab, gw, how):
    with Origin(lab, lambda conn: time.sleep(3), tls=False):
        sock = getattr(Waiting(lab), how)()
        time.sleep(0.3)
        before = cpu_seconds(gw)
        time.sleep(0.5)
        spent = cpu_seconds(gw) - before
        reset(sock)
    assert spent < 0.15, spent


# ---- at last

def test_slow_clients_have_been_ended(lab, gw):
    """Each by the deadline of its state, and named so."""
    begin_slow(lab, gw)
    left = SLOW["begun"] + 12 - time.monotonic()
    ends = {name: SLOW["tail"].flow(port, max(left, 1) + 5) for name, port in SLOW["ports"].items()}
    assert {n: r for n, (r, _) in ends.items()} == {"drip": "hello-timeout", "mute": "hello-timeout", "proxy": "hello-timeout",
                                                   "tunnel": "hello-timeout", "shake": "client-tls", "hole": "connect"}
    took = {name: SLOW["tail"].of(port)[0]["perron"]["times_us"]["total"] / 1e6 for name, port in SLOW["ports"].items()}
    linger = {"hole": 2}    # its page waits for a client that does not close
    assert all(9.9 < s - linger.get(name, 0) < 11.5 for name, s in took.items()), took
    assert read_all(SLOW["socks"]["hole"], 2)[0].startswith(b"HTTP/1.1 502 ")
    for sock in SLOW["socks"].values():
        sock.close()
