"""Hostile and clumsy peers: slow ones, ones that vanish, ones that break TLS or HTTP where a state does not expect it.
Whatever they do: the worker lives, others are served, nothing is left over, and each flow has one line with one reason."""
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import read_response
from gateway import BUILD, ROOT
from hostile import (ADDRESS, NAME, PROXY, Origin, Raw13, Tail, client_hello, read_all, read_until, reset, shown_flow,
                     tls_to)
from sites import SITES
from space import wait_for

GET = b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n"
ASK = b"GET /x HTTP/1.1\r\nHost: closed.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
WS = (b"GET /ws HTTP/1.1\r\nHost: closed.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
SANITIZED = b"__asan_init" in (BUILD / "perrond").read_bytes() if (BUILD / "perrond").exists() else False


@pytest.fixture(autouse=True)
def the_workers_live(gw):
    """Whatever a test does, no worker dies of it and no sanitizer complains."""
    before, said = gw.pids("worker"), len(gw.said())
    yield
    assert gw.pids("worker") == before
    fresh = gw.said()[said:]
    assert "Sanitizer" not in fresh and "runtime error" not in fresh and "panic" not in fresh, fresh


def served(lab):
    a = lab.curl("agent", "https://cdn.example/hello", "--max-time", "5")
    return a.status == 200


def port_of(sock):
    return sock.getsockname()[1]


def drop(tls):
    """Closes without close_notify."""
    socket.socket(fileno=tls.detach()).close()


def break_off(tls):
    reset(socket.socket(fileno=tls.detach()))


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


# ---- clients that vanish

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
        wait_for("the flows of the first round to end", lambda: mine_open(gw) == 0, 15)
        flows_from(tail, first)    # a line that the logger writes later would count as one of the second round
        held, tail = descriptors(gw), Tail(gw)
        plan = [(rng.random(), kind) for kind in KINDS * 16]
        rng.shuffle(plan)
        ports = vanish_all(lab, plan)
        wait_for("all flows to end", lambda: mine_open(gw) == 0, 15)
    wait_for("descriptors to be given back", lambda: all(n <= held[pid] + 1 for pid, n in descriptors(gw).items()), 5)
    ends = flows_from(tail, ports)
    assert Counter(e["src_port"] for e in ends) == Counter(ports)
    assert len(ports) == len({e["flow_id"] for e in ends})
    assert {e["perron"]["reason"] for e in ends} <= set(REASONS)
    assert served(lab)


def mine_open(gw):
    """Flows open now but those that are slow on purpose."""
    slow = set(SLOW.get("ports", {}).values())
    return sum(1 for line in gw.show("flows") for f in line["data"] if f["src_port"] not in slow)


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


# ---- clients that break TLS

@pytest.fixture
def raw(lab, tmp_path):
    made = []

    def make(name="cdn.example"):
        made.append(Raw13(lab, name, tmp_path))
        return made[-1]
    yield make
    for r in made:
        r.sock.close()


def test_a_record_too_long_is_refused(gw, raw):
    """RFC 8446 section 5.2: at most 2^14 bytes inside."""
    tail, r = Tail(gw), raw()
    r.send(r.record(23, b"GET / HTTP/1.1\r\n" + b"x" * (16385 - 16)))
    assert read_all(r.sock)[1] != "silent"
    reason, detail = tail.flow(r.port)
    assert reason == "client-tls" and "length" in detail, (reason, detail)


def test_a_whole_record_of_the_longest_kind_is_read(gw, raw):
    r = raw()
    head = b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\nX: "
    r.send(r.record(23, head + b"y" * (16384 - len(head) - 4) + b"\r\n\r\n"))
    assert r.sock.recv(65536)
    assert shown_flow(gw, r.port)["exchanges"] == 1


@pytest.mark.parametrize("flood", ["empty", "alerts", "unknown-alerts", "key-updates", "key-updates-asking"])
def test_a_flood_of_records_that_say_nothing(lab, gw, raw, flood):
    """It ends by itself or costs little: others are served all the while."""
    r = raw()
    n = 60000 if flood.startswith("key") else 6000
    if flood.startswith("key"):
        data = [r.key_update(flood.endswith("asking")) for _ in range(n)]
    else:
        what = {"empty": (23, b""), "alerts": (21, b"\1\x5a"), "unknown-alerts": (21, b"\1\x63")}[flood]
        data = [r.record(*what) for _ in range(n)]
    blob = b"".join(data)
    stop = threading.Event()
    slowest = []

    def others():
        while not stop.is_set():
            begun = time.monotonic()
            assert served(lab)
            slowest.append(time.monotonic() - begun)
    watcher = threading.Thread(target=others)
    watcher.start()
    for at in range(0, len(blob), 65536):
        if not r.send(blob[at:at + 65536]):
            break
    time.sleep(0.3)
    stop.set()
    watcher.join()
    assert slowest and max(slowest) < 4, slowest
    if flood.startswith("key") and r.send(r.record(23, GET)):
        r.sock.settimeout(5)
        assert r.sock.recv(65536)      # it is allowed, so the request behind it is answered or the flow was ended
    else:
        assert read_all(r.sock)[1] != "silent"


GARBAGE = [
    ("plain text", b"GET / HTTP/1.1\r\nHost: cdn.example\r\n\r\n"), ("zeros", b"\0" * 200),
    ("forged record", b"\x17\3\3\0\x30" + b"x" * 48),
    ("a second hello in clear", None), ("long header", b"\x17\3\3\xff\xff" + b"x" * 70000)]


@pytest.mark.parametrize("bad", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_garbage_behind_the_handshake(gw, raw, bad):
    tail, r = Tail(gw), raw()
    r.send(bad if bad is not None else client_hello("cdn.example"))
    assert read_all(r.sock)[1] != "silent"
    reason, detail = tail.flow(r.port)
    assert reason == "client-tls" and detail, (reason, detail)


LATE = {"hello": b"\1\0\0\x26\3\3" + b"x" * 36, "ticket": b"\x04\0\0\4xxxx", "Finished": b"\x14\0\0\x20" + b"x" * 32,
        "key update that asks 7": b"\x18\0\0\1\x07",
        "CertificateVerify": b"\x0f\0\0\4xxxx", "long key update": b"\x18\0\xff\xff" + b"x" * 9000}


@pytest.mark.parametrize("message", LATE)
def test_handshake_messages_that_come_too_late(gw, raw, message):
    """Encrypted, in order, and not wanted."""
    tail, r = Tail(gw), raw()
    r.send(r.record(22, LATE[message]))
    assert read_all(r.sock, 5)[1] != "silent"
    assert tail.flow(r.port)[0] == "client-tls"


def test_renegotiation_is_refused(lab, gw):
    """TLS 1.2: the client asks anew; the answer is a warning, not a second handshake."""
    cmd = lab.clients_space.enter("openssl", "s_client", "-tls1_2", "-connect", f"{SITES['cdn.example'].v4}:443", "-servername",
                                  "cdn.example", "-bind", "10.32.2.10", "-state")
    before = gw.show("counters")[0]["client_tls"]
    with subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        wait_for("the handshake", lambda: gw.show("counters")[0]["client_tls"] > before, 5)
        time.sleep(0.2)
        p.stdin.write(b"R\n")
        p.stdin.flush()
        try:
            out, _ = p.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            p.kill()
            out, _ = p.communicate()
    assert b"RENEGOTIATING" in out
    assert b"no renegotiation" in out or b"no_renegotiation" in out, out[-1500:]
    assert gw.show("counters")[0]["client_tls"] == before + 1


def test_early_data_is_not_accepted(lab, gw, tmp_path):
    """0-RTT can be replayed: a request in it must reach nobody. The session comes from another server of that name."""
    key, cert = lab.pki.folder / f"{NAME}.key", lab.pki.folder / f"{NAME}.pem"
    server = lab.internet.start("openssl", "s_server", "-accept", f"{ADDRESS}:4433", "-key", key, "-cert", cert, "-early_data",
                                "-no_anti_replay", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def session():
            subprocess.run(lab.internet.enter("sh", "-c", f"(echo hello; sleep 0.5) | openssl s_client -connect {ADDRESS}:4433 "
                                              f"-servername {NAME} -sess_out {tmp_path}/session"), check=False, timeout=5,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return (tmp_path / "session").exists()
        wait_for("a session", session, 10)
    finally:
        server.terminate()
        server.communicate()
    (tmp_path / "early").write_bytes(b"GET /early HTTP/1.1\r\nHost: closed.example\r\n\r\n")
    with Origin(lab, lambda conn: origin.head(conn) and conn.sendall(OK)) as origin:
        out = subprocess.run(lab.clients_space.enter(
            "sh", "-c", f"(sleep 1; printf 'GET /late HTTP/1.1\\r\\nHost: {NAME}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | "
            f"openssl s_client -connect {ADDRESS}:443 -servername {NAME} -sess_in {tmp_path}/session -early_data {tmp_path}/early "
            "-bind 10.32.2.10"), check=False, timeout=10, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        assert b"Early data was rejected" in out.stdout, out.stdout[-2000:]
        assert [head.split(b" ")[1] for head in origin.seen] in ([b"/late"], []), origin.seen


def test_client_that_closes_without_close_notify(lab, gw):
    tail = Tail(gw)
    tls = tls_to(lab, "cdn.example")
    port = port_of(tls)
    tls.sendall(GET)
    read_until(tls, b"hello from")
    drop(tls)
    assert tail.flow(port)[0] in ("done", "client-closed")


@pytest.mark.parametrize("way", ["tls", "plain"])
def test_half_close_behind_the_request_is_answered(lab, gw, way):
    """The client has asked all it wanted (FIN, over TLS without close_notify); the answer comes half a second later."""
    def slow(conn):
        if origin.head(conn):
            time.sleep(0.5)
            conn.sendall(OK)
            conn.recv(1)
    with Origin(lab, slow, tls=way == "tls", port=443 if way == "tls" else 80) as origin:
        sock = lab.connect("agent", ADDRESS, 443 if way == "tls" else 80)
        raw_sock = sock.dup()
        if way == "tls":
            sock = tls_to(lab, sock=sock)
        sock.sendall(ASK)
        raw_sock.shutdown(socket.SHUT_WR)
        got, end = read_all(sock)
        assert got == OK and end == "closed", (got, end)
        raw_sock.close()


# ---- requests

def test_a_thousand_pipelined_requests(lab, gw):
    with tls_to(lab, "cdn.example") as tls:
        done = threading.Thread(target=tls.sendall, args=(GET * 1000,))
        done.start()
        stream = tls.makefile("rb")
        assert [read_response(stream)[0] for _ in range(1000)] == [200] * 1000
        done.join()


def test_pipelined_requests_and_half_close_of_a_plain_client(lab, gw):
    """Everything asked before the FIN is answered."""
    sock = lab.connect("agent", SITES["cdn.example"].v4, 80)
    sock.sendall(GET * 100)
    sock.shutdown(socket.SHUT_WR)
    got, end = read_all(sock)
    assert got.count(b"HTTP/1.1 200 OK") == 100 and end == "closed", (got.count(b"HTTP/1.1 200 OK"), end)


@pytest.mark.parametrize("way", ["tls", "plain", "connect"])
def test_connect_inside_a_connection_makes_no_tunnel(lab, gw, way):
    def handler(conn):
        if origin.head(conn):
            conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-evil\r\n")
            conn.recv(100)
    with Origin(lab, handler, tls=way != "plain", port=80 if way == "plain" else 443) as origin:
        if way == "plain":
            sock = lab.connect("agent", ADDRESS, 80)
        elif way == "tls":
            sock = tls_to(lab)
        else:
            sock = lab.connect("agent", *PROXY)
            sock.sendall(b"CONNECT closed.example:443 HTTP/1.1\r\nHost: closed.example:443\r\n\r\n")
            read_until(sock, b"\r\n\r\n")
            sock = tls_to(lab, sock=sock)
        sock.sendall(b"CONNECT closed.example:22 HTTP/1.1\r\nHost: closed.example:22\r\n\r\nSSH-2.0-x\r\n")
        got, _ = read_all(sock, 5)
        assert got.split(b" ")[1] in (b"400", b"403", b"405", b"501"), got
        assert b"SSH" not in got.split(b"\r\n\r\n")[0] and b"evil" not in got
        assert origin.seen == []


def test_hello_in_the_same_segment_as_the_connect(lab, gw):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    tls = context.wrap_bio(incoming, outgoing, server_hostname="cdn.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    sock = lab.connect("agent", *PROXY)
    sock.sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHost: cdn.example:443\r\n\r\n" + outgoing.read())
    got = read_until(sock, b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    incoming.write(got[got.index(b"\r\n\r\n") + 4:])
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            data = sock.recv(65536)
            assert data
            incoming.write(data)
    tls.write(GET)
    sock.sendall(outgoing.read())
    incoming.write(sock.recv(65536))
    assert tls.read(12) == b"HTTP/1.1 200"
    sock.close()


def test_proxy_connection_kept_over_different_hosts(lab, gw):
    """Each request is judged by its own host and goes to its own origin."""
    before = len(lab.requests())
    sock = lab.connect("agent", *PROXY)
    stream = sock.makefile("rb")
    hosts = ["plain.example", "cdn.example", "plain.example", "video.example", "files.example", "cdn.example"]
    for host in hosts:
        sock.sendall(f"GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status, _, body = read_response(stream)
        assert (status, body) == (200, f"hello from {host}\n".encode())
    sock.sendall(b"GET http://casino.example/hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
    assert read_response(stream)[0] == 403
    assert [(r["server"], r["host"]) for r in lab.requests()[before:]] == [(h, h) for h in hosts]
    sock.close()


def test_pipelined_proxy_requests_to_different_hosts(lab, gw):
    hosts = ["plain.example", "cdn.example", "video.example"] * 5
    sock = lab.connect("agent", *PROXY)
    sock.sendall(b"".join(f"GET http://{h}/hello HTTP/1.1\r\nHost: {h}\r\n\r\n".encode() for h in hosts))
    stream = sock.makefile("rb")
    assert [read_response(stream)[2] for _ in hosts] == [f"hello from {h}\n".encode() for h in hosts]
    sock.close()


# ---- tunnels

def ws_origin(lab, then, tls=True):
    def handler(conn):
        if o.head(conn):
            then(conn)
    o = Origin(lab, handler, tls=tls, port=443 if tls else 80)
    return o


def switched(got):
    """What follows the 101 that the gateway writes."""
    head, _, rest = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), got
    return rest


def test_websocket_data_right_behind_the_switch(lab, gw):
    """In the same segment, and the client's first frame right behind its request."""
    def then(conn):
        conn.sendall(SWITCH + b"\x82\x05first")
        conn.sendall(read_until(conn, b"early") + b"|")
        conn.recv(1)
    with ws_origin(lab, then) as origin:
        tls = tls_to(lab)
        tls.sendall(WS + b"\x82\x85\0\0\0\0early")
        assert switched(read_until(tls, b"|")) == b"\x82\x05first" + b"\x82\x85\0\0\0\0early|"
        tls.close()
        assert len(origin.seen) == 1


ENDS = {"origin": ssl.SSLSocket.unwrap, "origin-cut": drop, "origin-reset": break_off,
        "client": ssl.SSLSocket.close, "client-cut": drop, "client-reset": break_off}


@pytest.mark.parametrize("side", ENDS)
def test_websocket_closed_from_either_side(lab, gw, side):
    """An end in order is passed on as one, a broken connection as a broken one; what was said before arrives."""
    ends = []

    def then(conn):
        conn.sendall(SWITCH)
        if side.startswith("client"):
            ends.append(read_all(conn, 5))
            return
        read_until(conn, b"go")
        conn.sendall(b"last words")
        time.sleep(0.2)
        try:
            ENDS[side](conn)
        except OSError:
            pass
    tail = Tail(gw)
    with ws_origin(lab, then):
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(WS)
        assert switched(read_until(tls, b"\r\n\r\n")) == b""
        if side.startswith("client"):
            tls.sendall(b"last words")
            time.sleep(0.2)
            if side == "client":
                tls.settimeout(0.2)
                with pytest.raises(OSError):
                    tls.unwrap()    # sends close_notify; the origin's comes only when it has read ours
            ENDS[side](tls)
            wait_for("the origin to see the end", lambda: ends, 5)
        else:
            tls.sendall(b"go")
            ends.append(read_all(tls, 5))
            tls.close()
        reason, _ = tail.flow(port)
    words, end = ends[0]
    assert words == b"last words"
    assert end == "closed" if side in ("client", "origin") else end in ("cut", "reset"), end
    assert reason in ("done", "client-closed")


# ---- origins that break HTTP or TLS

def test_final_answer_before_the_request_is_complete(lab, gw):
    """413 while the client still sends: the client gets it, and the connection ends with it."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig\n")
        conn.settimeout(0.5)
        read_all(conn, 0.5)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(b"POST /x HTTP/1.1\r\nHost: closed.example\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10000)
        stream = tls.makefile("rb")
        status, headers, body = read_response(stream)
        assert (status, body, headers["connection"]) == (413, b"big\n", "close")
        tls.close()


def test_interim_answer_and_then_the_final_one(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.sendall(OK.replace(b"hello", read_until(conn, b"hello")))
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(b"POST /x HTTP/1.1\r\nHost: closed.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert read_until(tls, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        tls.sendall(b"hello")
        assert b"200 OK" in read_until(tls, b"hello")
        tls.close()


@pytest.mark.parametrize("tls_way", [True, False])
def test_origin_that_closes_when_the_next_request_is_sent(lab, gw, tls_way):
    """The client is not told a lie: its connection ends without an answer, as the origin's did, and it may ask again."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK)
        origin.head(conn)
    with Origin(lab, handler, tls=tls_way, port=443 if tls_way else 80) as origin:
        sock = tls_to(lab) if tls_way else lab.connect("agent", ADDRESS, 80)
        sock.sendall(ASK)
        read_until(sock, b"hello")
        sock.sendall(ASK)
        assert read_all(sock, 5) == (b"", "closed")
        assert len(origin.seen) == 2
        sock.close()


def test_fresh_connection_without_an_answer_is_told(lab, gw):
    """Through the proxy: the second request goes to another origin, which closes at once. That is a 502, no quiet end."""
    with Origin(lab, lambda conn: origin.head(conn), tls=False, port=80) as origin:
        sock = lab.connect("agent", *PROXY)
        stream = sock.makefile("rb")
        sock.sendall(b"GET http://plain.example/hello HTTP/1.1\r\nHost: plain.example\r\n\r\n")
        assert read_response(stream)[0] == 200
        sock.sendall(b"GET http://closed.example/hello HTTP/1.1\r\nHost: closed.example\r\n\r\n")
        assert read_response(stream)[0] == 502
        sock.close()


BROKEN_ANSWERS = [
    ("switch unasked", SWITCH + b"evil", "origin-http"),
    ("flood of interim answers", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200000, "origin-http"),
    ("endless head", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100000, "origin-http"),
    ("endless line", b"HTTP/1.1 200 " + b"x" * 300000, "origin-http"),
    ("not HTTP", b"SSH-2.0-OpenSSH\r\n", "origin-http"),
    ("nothing", b"", "origin-closed"),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le", "origin-closed")]


@pytest.mark.parametrize("answer,reason", [row[1:] for row in BROKEN_ANSWERS], ids=[row[0] for row in BROKEN_ANSWERS])
def test_origin_that_breaks_http(lab, gw, answer, reason):
    def handler(conn):
        origin.head(conn)
        conn.sendall(answer)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, _ = read_all(tls, 8)
        final = re.findall(rb"HTTP/1\.1 (\d{3})", got)
        assert final[-1] == b"502" and set(final[:-1]) <= {b"103"} and len(final) <= 17, got[:300]
        assert b"evil" not in got
        tls.close()
    assert tail.flow(port)[0] == reason
    assert tail.of(port, "http")[0]["perron"]["reason"] == reason


def test_bytes_behind_the_answer_reach_nobody(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        read_all(conn, 3)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(ASK * 2)
        got, _ = read_all(tls, 5)
        assert got.startswith(b"HTTP/1.1 200 OK") and b"evil" not in got, got
        tls.close()


def test_bytes_some_time_behind_the_answer_reach_nobody(lab, gw):
    def handler(conn):
        origin.head(conn)
        conn.sendall(OK)
        time.sleep(0.3)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        read_all(conn, 3)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        read_until(tls, b"hello")
        time.sleep(0.6)
        try:
            tls.sendall(ASK)
        except OSError:
            pass
        assert b"evil" not in read_all(tls, 5)[0]
        tls.close()
    assert tail.flow(port)[0] == "origin-http"


@pytest.mark.parametrize("clean", [True, False])
def test_end_of_a_body_that_only_the_end_of_the_connection_tells(lab, gw, clean):
    """Cut by an attacker it looks the same on TCP; only close_notify tells, and the client must be able to tell too."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nas far as it goes")
        if clean:
            conn.unwrap()
        else:
            drop(conn)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        tls.sendall(ASK)
        got, end = read_all(tls, 5)
        assert got.endswith(b"\r\n\r\nas far as it goes")
        assert end == ("closed" if clean else "cut"), end
        tls.close()


def test_answer_that_is_cut_is_no_whole_one(lab, gw):
    """RST in the middle of chunks: the client sees a broken connection and no last chunk."""
    def handler(conn):
        origin.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        time.sleep(0.2)
        break_off(conn)
    tail = Tail(gw)
    with Origin(lab, handler) as origin:
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, end = read_all(tls, 5)
        assert b"0\r\n\r\n" not in got and end in ("reset", "cut"), (got, end)
        tls.close()
    assert tail.flow(port) == ("origin-closed", "cut")


BROKEN_HANDSHAKES = [
    ("reset", None), ("closed", b""), ("garbage", b"HTTP/1.1 200 OK\r\n\r\nhello"), ("zeros", b"\0" * 5000),
    ("alert", b"\x15\3\3\0\2\2\x28"), ("warnings", b"\x15\3\3\0\2\1\x70" * 1000), ("empty records", b"\x16\3\3\0\0" * 5000),
    ("half a hello", b"\x16\3\3\0\x7a\2\0\0\x76\3\3xx"), ("client hello", client_hello("closed.example")),
    ("long message", b"\x16\3\3\x40\0" + b"\x02\xff\xff\xff" + b"x" * 16380 + (b"\x16\3\3\x40\0" + b"y" * 16384) * 20)]


@pytest.mark.parametrize("bad", [row[1] for row in BROKEN_HANDSHAKES], ids=[row[0] for row in BROKEN_HANDSHAKES])
def test_origin_that_breaks_the_handshake(lab, gw, bad):
    """The client is told by a page, over a handshake of our own; the flow's line says why."""
    def handler(conn):
        conn.recv(1000)
        if bad is None:
            reset(conn)
        elif bad:
            conn.sendall(bad)
            conn.shutdown(socket.SHUT_WR)
            read_all(conn, 1)
    tail = Tail(gw)
    with Origin(lab, handler, tls=False):
        tls = tls_to(lab)
        port = port_of(tls)
        tls.sendall(ASK)
        got, _ = read_all(tls, 5)
        assert got.startswith(b"HTTP/1.1 502 "), got[:200]
        tls.close()
    reason, detail = tail.flow(port)
    assert reason == "upstream-tls" and detail, (reason, detail)


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
