"""Streams of HTTP/2 that nobody reads hold nobody else: a page's requests stand beside downloads that their user has paused.
nginx is the origin; the client leaves every window as it is."""
import socket
import struct
import threading
import time

from gateway import policy
from h2_peer import DATA, HEADERS, REFUSED, RST, WINDOW, WINDOW_SIZE, h2_client
from space import wait_for

HOST = "www.school.example"
FIRST, MOST = 65535, 8 << 20      # what a stream may hold, and a connection (gw/base/limits.h)
CLIENT_WAITING = 64 << 20         # and all of a client before it gets no more


def unread_downloads(lab, n):
    """A client with n downloads that it does not take: each has filled the window that the client gave."""
    c = h2_client(lab, HOST, open_windows=False)
    c.window(0, 1 << 30)
    streams = [c.request("/big.bin", host=HOST) for _ in range(n)]
    while c.next(2):
        pass
    assert all(sum(len(f.payload) for f in c.of(s, DATA)) == FIRST for s in streams)
    return c, streams


def memory_kib(gw):
    total = 0
    for pid in gw.pids("worker"):
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


def test_page_beside_unread_downloads(lab, gw):
    c, streams = unread_downloads(lab, 8)
    began = time.monotonic()
    for _ in range(10):
        assert c.answer(c.request("/hello", host=HOST), 5).text == f"hello from {HOST}\n"
    assert time.monotonic() - began < 5
    c.open_windows = True      # the downloads go on when they are read
    c.window(streams[0], 1 << 30)
    c.next(5)
    assert sum(len(f.payload) for f in c.of(streams[0], DATA)) > FIRST
    c.close()


def test_memory_of_as_many_unread_downloads_as_there_may_be(lab, gw):
    c, _ = unread_downloads(lab, 8)      # what a worker keeps for the next ones is there already
    c.close()
    time.sleep(1)
    before = memory_kib(gw)
    c, _ = unread_downloads(lab, 99)
    assert c.answer(c.request("/hello", host=HOST), 5).text == f"hello from {HOST}\n"
    held = memory_kib(gw) - before
    print(f"{held} KiB for 99 unread downloads")
    assert 99 * FIRST // 2048 < held < (MOST >> 10) + 2048
    c.close()


def test_client_with_many_connections_that_read_nothing_is_refused(lab, own_gateway):
    """Windows bound a connection; what all connections of a client hold is bounded too, and others do not notice."""
    g = own_gateway(policy(lab, workers="1"))
    before, held, refused = memory_kib(g), [], None
    while not refused and len(held) < 20:
        c = h2_client(lab, HOST, open_windows=False)
        c.window(0, 1 << 30)
        held.append(c)
        for _ in range(99):
            c.request("/big.bin", host=HOST)
        refused = c.until(lambda f: f.kind == RST, 2)
    assert refused and refused.code == REFUSED and len(held) > 4, (refused, len(held))
    assert memory_kib(g) - before < 2 * CLIENT_WAITING >> 10
    told = g.event(event_type="http", perron__detail="h2-waiting")
    assert (told["perron"]["reason"], told["http"]["hostname"]) == ("limit", HOST)
    assert g.show("counters")[0]["h2_refused"] > 0
    other = h2_client(lab, HOST, who="pupil")
    assert other.answer(other.request("/hello", host=HOST), 5).text == f"hello from {HOST}\n"
    other.close()
    for c in held:
        c.close()
    time.sleep(0.5)
    c = h2_client(lab, HOST)      # when it lets go it is served again
    assert c.answer(c.request("/hello", host=HOST), 5).text == f"hello from {HOST}\n"
    c.close()


def test_refusals_that_nobody_reads_hold_nobody_else(lab, gw):
    """The page of a refused request waits for the client's window like any other content."""
    c = h2_client(lab, "cdn.example", settings={WINDOW_SIZE: 0}, open_windows=False)
    refused = [c.request(host="casino.example", fields=[("accept", "text/html")]) for _ in range(50)]
    s = c.request("/hello", host="cdn.example")
    c.window(s, FIRST)
    assert c.answer(s, 5).status == 200
    assert [f.field(":status") for r in refused for f in c.of(r, HEADERS)] == ["403"] * 50
    assert not any(c.of(r, DATA) for r in refused)
    c.window(0, 1 << 20)
    for r in refused:
        c.window(r, FIRST)
        a = c.answer(r, 5)
        assert a.ended and b"</html>" in a.body, a
    c.close()


class Upload:
    """Content of requests, sent as far as the windows go."""

    def __init__(self, c, paths):
        self.c, self.seen = c, 0
        self.streams = [c.request(p, host=HOST, method="POST", end=False) for p in paths]
        wait_for("settings", lambda: WINDOW_SIZE in c.peer_settings or (c.next(0.2) and False))
        self.windows = {0: FIRST, **{s: c.peer_settings[WINDOW_SIZE] for s in self.streams}}
        self.sent = dict.fromkeys(self.streams, 0)

    def grow(self):
        for f in self.c.got[self.seen:]:
            if f.kind == WINDOW and f.stream in self.windows:
                self.windows[f.stream] += struct.unpack(">I", f.payload)[0]
        self.seen = len(self.c.got)

    def send(self, stream, most=1 << 30):
        """Until a window is empty; how much."""
        total = 0
        while True:
            self.grow()
            n = min(16384, most - total, self.windows[0], self.windows[stream])
            if n <= 0:
                return total
            self.c.data(stream, b"u" * n)
            self.windows[0] -= n
            self.windows[stream] -= n
            self.sent[stream] += n
            total += n

    def until_stuck(self):
        quiet = 0
        while quiet < 3:
            moved = sum(self.send(s) for s in self.streams)
            quiet = 0 if moved or self.c.next(0.5) else quiet + 1


def test_page_beside_uploads_that_the_origin_does_not_read(lab, gw):
    held = []
    with lab.internet:
        deaf = socket.create_server(("127.0.0.1", 82))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def accept():
        try:
            while True:
                held.append(deaf.accept())      # never read
        except OSError:
            pass
    threading.Thread(target=accept, daemon=True).start()
    try:
        before = memory_kib(gw)
        c = h2_client(lab, HOST)
        up = Upload(c, ["/unread"] * 8)
        up.until_stuck()
        assert len(held) == 8 and min(up.sent.values()) > FIRST, (len(held), up.sent)
        assert memory_kib(gw) - before < (MOST >> 10) + 2048
        began = time.monotonic()
        assert c.answer(c.request("/hello", host=HOST), 5).text == f"hello from {HOST}\n"
        s = c.request("/upload", host=HOST, method="POST", end=False, fields=[("content-length", "50000")])
        up.grow()
        up.windows[s], up.sent[s] = c.peer_settings[WINDOW_SIZE], 0
        assert up.send(s, 50000) == 50000, up.windows
        c.data(s, b"", end=True)
        assert c.answer(s, 5).text == "got 50000\n"
        assert time.monotonic() - began < 5
        c.close()
    finally:
        deaf.close()
        for conn, _ in held:
            conn.close()
