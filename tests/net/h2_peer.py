"""HTTP/2 frame by frame: a client or an origin that does exactly what a test says, also what no library would."""
import socket
import ssl
import struct
import time

import hpack
import pytest

from hostile import ADDRESS, NAME, Origin
from sites import SITES
from space import wait_for

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
MAX_STREAMS, WINDOW_SIZE, CONNECT_PROTOCOL = 3, 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED, CANCEL, CALM = 1, 2, 7, 8, 11


class Frame:
    """One frame; `fields` of a head, decoded."""

    def __init__(self, kind, flags, stream, payload, fields=None):
        self.kind, self.flags, self.stream, self.payload, self.fields = kind, flags, stream, payload, fields
        self.at = time.monotonic()

    @property
    def end(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def code(self):
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0]

    def field(self, name):
        return dict(self.fields or ()).get(name)

    def __repr__(self):
        return f"<{self.kind} flags {self.flags} stream {self.stream} {self.fields or self.payload[:60]}>"


class H2:
    """One side of a connection on a TLS socket."""

    def __init__(self, sock, client=True, settings=None, open_windows=True):
        self.sock, self.client, self.open_windows = sock, client, open_windows
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.got, self.buffer, self.next_stream, self.ended = [], b"", 1, ""
        self.peer_settings, self.consumed = {}, 0
        first = PREFACE if client else b""
        sock.sendall(first + self.frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", k, v)
                                                                  for k, v in (settings or {}).items())))
        if not client:
            first = self.exactly(len(PREFACE))
            assert first == PREFACE, first

    # ---- sending

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def send(self, kind, flags=0, stream=0, payload=b""):
        self.sock.sendall(self.frame(kind, flags, stream, payload))

    def head(self, fields):
        return self.encoder.encode(fields, huffman=True)

    def headers(self, stream, fields, end=False):
        self.send(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.head(fields))

    def data(self, stream, data, end=False):
        self.send(DATA, END_STREAM if end else 0, stream, data)

    def request(self, path="/hello", host=NAME, method="GET", fields=(), end=True):
        """A new stream with a request; its number."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.headers(stream, [(":method", method), (":scheme", "https"), (":authority", host), (":path", path),
                              *fields], end)
        return stream

    def reset(self, stream, code=CANCEL):
        self.send(RST, 0, stream, struct.pack(">I", code))

    def window(self, stream, n):
        self.send(WINDOW, 0, stream, struct.pack(">I", n))

    # ---- receiving

    def exactly(self, n, patience_s=10):
        deadline = time.monotonic() + patience_s
        while len(self.buffer) < n:
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            self.buffer += data
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def next(self, patience_s=10):
        """The next frame; None at the end (self.ended says how) or when none comes."""
        try:
            head = self.exactly(9, patience_s)
            payload = self.exactly(int.from_bytes(head[:3], "big"), patience_s)
        except socket.timeout:
            return None
        except (EOFError, OSError) as e:
            self.ended = self.ended or ("closed" if isinstance(e, EOFError) else "reset")
            return None
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        f = Frame(kind, flags, stream & 0x7fffffff, payload)
        self.took(f)
        self.got.append(f)
        return f

    def took(self, f):
        if f.kind == HEADERS:
            block = f.payload
            while not f.flags & END_HEADERS:
                head = self.exactly(9)
                block += self.exactly(int.from_bytes(head[:3], "big"))
                f.flags |= head[4] & END_HEADERS
            f.fields = [(k, v) for k, v in self.decoder.decode(block)]
        elif f.kind == SETTINGS and not f.flags & ACK:
            for i in range(0, len(f.payload), 6):
                k, v = struct.unpack(">HI", f.payload[i:i + 6])
                self.peer_settings[k] = v
            self.quietly(SETTINGS, ACK)
        elif f.kind == PING and not f.flags & ACK:
            self.quietly(PING, ACK, 0, f.payload)
        elif f.kind == DATA and self.open_windows and f.payload:
            self.quietly(WINDOW, 0, 0, struct.pack(">I", len(f.payload)))
            if not f.end:
                self.quietly(WINDOW, 0, f.stream, struct.pack(">I", len(f.payload)))

    def quietly(self, *frame):
        try:
            self.send(*frame)
        except OSError:
            pass

    def until(self, wanted, patience_s=10):
        """Frames up to the first that `wanted` accepts, which is returned; None when it does not come."""
        deadline = time.monotonic() + patience_s
        while True:
            left = deadline - time.monotonic()
            f = self.next(left) if left > 0 else None
            if f is None or wanted(f):
                return f

    def rest(self, patience_s=10):
        """Reads on until the other side ends or is silent for so long. An origin that goes with frames unread resets the
        connection, and what it sent last may be lost with it."""
        while self.next(patience_s):
            pass

    def of(self, stream, kind=None):
        return [f for f in self.got if f.stream == stream and (kind is None or f.kind == kind)]

    def answer(self, stream, patience_s=10):
        """Reads on until this stream has ended: (status, fields, body, trailers, code of RST_STREAM or None)."""
        def over(f):
            return (f.stream == stream and (f.end or f.kind == RST)) or f.kind == GOAWAY and f.code != 0
        if not any(over(f) for f in self.of(stream)):
            self.until(over, patience_s)
        heads = [f for f in self.of(stream, HEADERS)]
        final = [f for f in heads if f.field(":status") and f.field(":status")[0] != "1"]
        resets = self.of(stream, RST)
        ended = any(f.end for f in self.of(stream))
        return Answer(int(final[0].field(":status")) if final else 0, dict(final[0].fields) if final else {},
                      b"".join(f.payload for f in self.of(stream, DATA)),
                      dict(heads[-1].fields) if len(heads) > 1 and not heads[-1].field(":status") else {},
                      resets[0].code if resets else None, ended,
                      [f for f in heads if (f.field(":status") or "2")[0] == "1"])

    def goaway(self, patience_s=10):
        """The GOAWAY that ends the session, read up to it."""
        found = [f for f in self.got if f.kind == GOAWAY]
        return found[-1] if found else self.until(lambda f: f.kind == GOAWAY, patience_s)

    def close(self):
        self.sock.close()


class Answer:
    """What came on one stream."""

    def __init__(self, status, fields, body, trailers, code, ended, interim):
        self.status, self.fields, self.body, self.trailers = status, fields, body, trailers
        self.code, self.ended, self.interim = code, ended, interim
        self.text = body.decode(errors="replace")

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:80]} reset {self.code} ended {self.ended}>"


def h2_client(lab, name=NAME, who="agent", alpn=("h2",), **kw):
    """A client of this site; `port` is its own."""
    sock = lab.connect(who, SITES[name].v4, 443)
    context = ssl.create_default_context(cafile=str(lab.clients.store(who)))
    context.set_alpn_protocols(list(alpn))
    tls = context.wrap_socket(sock, server_hostname=name)
    assert tls.selected_alpn_protocol() == "h2", tls.selected_alpn_protocol()
    c = H2(tls, **kw)
    c.port = tls.getsockname()[1]
    return c


class H2Origin(Origin):
    """Serves NAME over HTTP/2: `script(h2)` has each connection, behind the handshake."""

    def __init__(self, lab, script, settings=None, alpn=("h2", "http/1.1"), open_windows=True):
        def handler(conn):
            self.alpn.append(conn.selected_alpn_protocol())
            if self.alpn[-1] == "h2":
                script(H2(conn, client=False, settings=settings, open_windows=open_windows))
            else:
                self.http11(conn)
        self.alpn = []
        super().__init__(lab, handler)
        self.context.set_alpn_protocols(list(alpn))

    def http11(self, conn):
        head = b"first"
        while head and b"onnection: close" not in head:
            head = self.head(conn)
            if head:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nold\n")


def serving(on_request):
    """A script that calls on_request(h2, stream, fields) for each request head and goes on until the other side ends."""
    def script(peer):
        peer.next_answered = set()
        while True:
            f = peer.next(20)
            if f is None:
                return
            if f.kind == HEADERS and f.stream not in peer.next_answered:
                peer.next_answered.add(f.stream)
                on_request(peer, f.stream, dict(f.fields))
    return script


def plain_answer(peer, stream, fields):
    """200 with what was asked for."""
    body = fields[":path"].encode() + b"\n"
    peer.headers(stream, [(":status", "200"), ("content-type", "text/plain"), ("content-length", str(len(body)))])
    peer.data(stream, body, end=True)


@pytest.fixture
def origin(lab):
    with H2Origin(lab, serving(plain_answer)) as o:
        yield o


def http_events(tail, port, n=1):
    return wait_for(f"{n} exchanges from port {port}",
                    lambda: len(tail.of(port, "http")) >= n and tail.of(port, "http"), 8)


__all__ = ["ADDRESS", "NAME", "wait_for"]
