"""Clients that vanish, in every state: nothing is left of them, and each flow has one line with one reason."""
import os
import random
import re
import ssl
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import ROOT
from hostile import GET, NAME, PROXY, WS, Origin, Tail, client_hello, port_of, reset, served
from sites import SITES
from space import wait_for

pytestmark = pytest.mark.usefixtures("the_workers_live")


class Vanishing:
    """One way to be gone. Each leaves one flow behind."""

    def __init__(self, lab, rng):
        self.lab, self.rng = lab, rng
        self.sock, self.port, self.always_reset = None, None, False

    def bye(self):
        if self.sock.fileno() < 0:
            return    # a handshake that failed has closed it
        if self.always_reset or self.rng.random() < 0.75:
            reset(self.sock)
        else:
            self.sock.close()

    def nap(self, most=0.03):
        time.sleep(self.rng.random() * most)

    def to(self, name, port=443):
        return self.at(SITES[name].v4 if name in SITES else SITES["many.example"].v4, port)

    def at(self, address, port):
        self.sock = self.lab.connect("agent", address, port)
        self.port = port_of(self.sock)
        return self.sock

    def in_connect(self):
        self.to("cdn.example")

    def in_hello(self):
        hello = client_hello("cdn.example")
        self.to("cdn.example").sendall(hello[:self.rng.randrange(1, len(hello))])
        self.nap()

    def in_proxy_head(self):
        self.at(*PROXY).sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHos"[:self.rng.randrange(1, 39)])
        self.nap()

    def behind_an_old_hello(self):
        self.behind_the_hello(True)

    def behind_the_hello(self, tls12=False):
        """Look-up, dial, handshake with the origin, leaf: whichever the moment hits, for a name never seen before."""
        name = f"v{self.rng.randrange(1 << 30)}.many.example"
        self.to(name).sendall(client_hello(name, tls12))
        self.nap(0.06)

    def in_dial(self):
        self.to("blackhole.example").sendall(client_hello("blackhole.example"))
        time.sleep(0.05)
        self.always_reset = True    # FIN is noticed at the deadline only

    def in_upstream(self):
        """The origin accepts and says nothing."""
        self.to(NAME).sendall(client_hello(NAME))
        time.sleep(0.05)

    def in_client_handshake(self):
        self.to("cdn.example").sendall(client_hello("cdn.example"))
        self.sock.recv(self.rng.choice((1, 1000, 65536)))

    def in_tls(self, name="cdn.example"):
        tls = self.lab.tls("agent", self.to(name), name)
        self.sock = tls
        return tls

    def when_idle(self):
        self.in_tls()

    def in_head(self):
        self.in_tls().sendall(GET[:self.rng.randrange(1, len(GET))])
        self.nap()

    def in_request_body(self):
        self.in_tls("files.example").sendall(b"POST /upload HTTP/1.1\r\nHost: files.example\r\nContent-Length: 1000000\r\n\r\n" +
                                             b"x" * self.rng.randrange(100000))
        self.nap()

    def in_wait(self):
        """The origin never answers."""
        self.in_tls("script.example").sendall(b"GET /stall HTTP/1.1\r\nHost: script.example\r\n\r\n")
        time.sleep(0.03)
        self.always_reset = True    # one that has only half-closed is owed an answer

    def in_answer(self):
        tls = self.in_tls("files.example")
        tls.sendall(b"GET /big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        tls.recv(self.rng.choice((1, 100000)))

    def in_plain_answer(self):
        self.to("files.example", 80).sendall(b"GET /big.bin HTTP/1.1\r\nHost: files.example\r\n\r\n")
        self.sock.recv(1)

    def in_page(self):
        tls = self.in_tls("cdn.example")
        tls.sendall(b"GET / HTTP/1.1\r\nHost: casino.example\r\n\r\n" * 3)
        self.nap()

    def in_tunnel(self):
        tls = self.in_tls("script.example")
        tls.sendall(WS.replace(b"closed", b"script"))
        tls.recv(1000)
        tls.sendall(b"\x81\x85\1\2\3\4abcde")

    def in_splice(self):
        self.to("www.bank.example").sendall(client_hello("www.bank.example"))
        self.nap()

    def refused(self):
        self.to("cdn.example").sendall(client_hello("casino.example"))
        self.nap()


KINDS = [name for name in vars(Vanishing) if name.split("_")[0] in ("in", "behind", "when", "refused") and name != "in_tls"]
REASONS = re.findall(r'^R\(\w+,\s+"([^"]+)"', (ROOT / "gw/flow/reason.tbl").read_text(), re.M)


def vanish(lab, seed, kind):
    v = Vanishing(lab, random.Random(seed))
    try:
        getattr(v, kind)()
    except (OSError, ssl.SSLError):
        pass      # refused before it could go away
    if v.sock is not None:
        v.bye()
    return v.port    # of every connection that there was


def vanish_all(lab, seeds_and_kinds):
    with ThreadPoolExecutor(6) as pool:
        return [p for p in pool.map(lambda x: vanish(lab, *x), seeds_and_kinds) if p]


def descriptors(gw):
    """How many each worker holds, without the pooled pipes."""
    counts = {}
    for pid in gw.pids("worker"):
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        counts[pid] = sum(1 for link in links if not link.startswith("pipe:"))
    return counts


def flows_from(tail, ports):
    """Flow events from these ports, waited for until there is one for each connection: a port may be used again."""
    wait_for("an event for each", lambda: len(of_ports(tail, ports)) >= len(ports), 10)
    return of_ports(tail, ports)


def of_ports(tail, ports):
    wanted = set(ports)
    return [e for e in tail.events() if e["event_type"] == "flow" and e["src_port"] in wanted]


def test_clients_that_vanish_leave_nothing_behind(lab, gw):
    rng = random.Random(int(os.environ.get("PERRON_SEED", "1")))
    with Origin(lab, lambda conn: time.sleep(3), tls=False):
        tail = Tail(gw)
        first = vanish_all(lab, [(rng.random(), kind) for kind in KINDS])
        wait_for("the flows of the first round to end", lambda: n_open(gw) == 0, 15)
        flows_from(tail, first)    # a line that the logger writes later would count as one of the second round
        held, tail = descriptors(gw), Tail(gw)
        plan = [(rng.random(), kind) for kind in KINDS * 16]
        rng.shuffle(plan)
        ports = vanish_all(lab, plan)
        wait_for("all flows to end", lambda: n_open(gw) == 0, 15)
    wait_for("descriptors to be given back", lambda: all(n <= held[pid] + 1 for pid, n in descriptors(gw).items()), 5)
    ends = flows_from(tail, ports)
    assert Counter(e["src_port"] for e in ends) == Counter(ports)
    assert len(ports) == len({e["flow_id"] for e in ends})
    assert {e["perron"]["reason"] for e in ends} <= set(REASONS)
    assert served(lab)


def n_open(gw):
    return sum(len(line["data"]) for line in gw.show("flows"))


def test_clients_that_vanish_while_a_leaf_is_made(lab, gw):
    """The signer is away for a moment; whoever waited for it is gone when it answers."""
    tail, socks = Tail(gw), []
    hellos = [client_hello(f"m{i}-{time.time_ns()}.many.example") for i in range(20)]
    gw.ctl("simulate", "signer-down", "--for", "2")
    for hello in hellos:
        sock = lab.connect("agent", SITES["many.example"].v4, 443)
        sock.sendall(hello)
        socks.append(sock)
    ports = [port_of(s) for s in socks]
    wait_for("flows in state mint", lambda: any(f["state"] == "mint" for line in gw.show("flows") for f in line["data"]), 2, 0.02)
    for sock in socks:
        reset(sock)
    ends = [tail.flow(port) for port in ports]
    assert ("client-closed", "reset") in ends and {e[0] for e in ends} == {"client-closed"}, ends
    wait_for("the signer to be back", lambda: lab.curl("agent", f"https://n{time.time_ns()}.many.example/hello", "--resolve",
                                                       f"*:443:{SITES['many.example'].v4}").status == 200, 5)
