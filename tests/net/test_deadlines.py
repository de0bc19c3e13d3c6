"""The long deadlines of gw/base/limits.h: who stops in the middle of something is ended by the deadline that is meant for
it, not sooner and not much later, and the log says why. The workers' clock hurries while nothing happens
(tests/net/hurried/clock.c): an hour takes half a minute."""
import re

import pytest

from client import read_response
from gateway import BUILD, ROOT, policy
from hostile import Tail, client_hello, read_all
from sites import SITES

WS = (b"GET /ws HTTP/1.1\r\nHost: script.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
GET = b"GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n"


def deadline_s(name):
    text = (ROOT / "gw/base/limits.h").read_text()
    return int(re.search(rf"\bLIM_{name}_MS = (\d+)", text).group(1)) / 1000


class Still:
    """One way to stop in the middle; each returns its socket."""

    def __init__(self, lab):
        self.lab = lab

    def tls(self, name):
        return self.lab.tls("agent", self.lab.connect("agent", SITES[name].v4, 443), name)

    def upload(self):
        tls = self.tls("script.example")
        tls.sendall(b"POST /echo HTTP/1.1\r\nHost: script.example\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        return tls

    def download(self):
        tls = self.tls("files.example")
        tls.sendall(GET % (b"big.bin", b"files.example"))
        return tls

    def answer(self):
        tls = self.tls("script.example")
        tls.sendall(GET % (b"stall", b"script.example"))
        return tls

    def next_request(self):
        tls = self.tls("cdn.example")
        tls.sendall(GET % (b"hello", b"cdn.example"))
        assert read_response(tls.makefile("rb"))[0] == 200
        return tls

    def tunnel(self):
        tls = self.tls("script.example")
        tls.sendall(WS)
        assert b" 101 " in tls.recv(1000)
        return tls

    def splice(self):
        sock = self.lab.connect("agent", SITES["www.bank.example"].v4, 443)
        sock.sendall(client_hello("www.bank.example"))
        assert sock.recv(100)
        return sock


# What it waits for, and the reason and detail of its line.
ENDS = {"upload": ("BODY_STALL", "timeout", "stalled"), "download": ("BODY_STALL", "timeout", "stalled"),
        "answer": ("ANSWER", "timeout", "no-answer"), "next_request": ("KEEPALIVE", "idle", ""),
        "tunnel": ("TUNNEL_IDLE", "idle", ""), "splice": ("TUNNEL_IDLE", "idle", "")}


@pytest.fixture
def hurried(lab, own_gateway):
    return own_gateway(policy(lab), perrond=BUILD / "tests/net/perrond_hurried")


def test_each_deadline_ends_who_stands_still(lab, hurried):
    tail = Tail(hurried)
    socks = {name: getattr(Still(lab), name)() for name in ENDS}
    ports = {name: s.getsockname()[1] for name, s in socks.items()}
    seen = {}
    for name, (limit, reason, detail) in ENDS.items():
        kind = "http" if name == "answer" else "flow"
        tail.flow(ports[name], 120)
        event = tail.of(ports[name], kind)[0]["perron"]
        seen[name] = (event["reason"], event.get("detail", ""))
        took, want = event["times_us"]["total"] / 1e6, deadline_s(limit)
        assert want <= took < want * 1.1 + 15, (name, took, seen)
        assert seen[name] == (reason, detail), seen
    assert read_all(socks["answer"], 5)[0].startswith(b"HTTP/1.1 504 ")
    for s in socks.values():
        s.close()
