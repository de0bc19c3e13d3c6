"""Raw HTTP/1 cases of threats.md section D, rows 63 to 76: what is sent, and what must hold.

A request is refused (nothing of it reaches the origin), clean (exactly these bytes reach it) or cut (a body went wrong on
its way: the origin has at most the beginning of the clean form, never the whole). An answer of an origin is seen by the
client exactly so, refused (our page instead), or cut (the connection ends before the answer is complete).
Hosts are script.example, whose server writes down every byte; casino.example is a name that policy forbids.
"""
import re
from dataclasses import dataclass, field

HOST = b"Host: script.example\r\n"
EVIL = b"EVIL-BYTES"          # what must reach nobody


@dataclass
class Request:
    name: str
    raw: bytes
    status: tuple = (400,)        # what the client gets for a refused one
    why: str = ""                 # and the reason in the log
    clean: list = field(default_factory=list)   # what arrives at the origin, request by request
    cut: bytes = b""              # clean form of which only a beginning may arrive
    answers: list = field(default_factory=list)  # statuses that the client sees; default: 200 for each clean one

    @property
    def kind(self):
        return "cut" if self.cut else "clean" if self.clean else "refused"

    @property
    def begins_like_http(self):
        """Else a plain connection ends without an answer: whoever speaks so would not understand one."""
        return re.match(rb"[A-Za-z-]{8}|[A-Za-z-]+ ", self.raw) is not None


@dataclass
class Answer:
    name: str
    raw: bytes
    method: bytes = b"GET"
    fields: bytes = b""           # more fields of the request
    body: bytes = b""             # of the request
    seen: bytes = b""             # exactly this reaches the client
    begins: bytes = b""           # or: at least this, and then the connection ends
    status: int = 502             # else: our page with this status
    why: str = ""


def refused(name, raw, status=400, why=""):
    return Request(name, raw, (status,), why)


def get(fields=b"", line=b"GET /x HTTP/1.1", body=b""):
    return line + b"\r\n" + HOST + fields + b"\r\n" + body


def post(fields, body=b"", path=b"/x"):
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def post_left(fields, body=b""):
    return b"POST /x HTTP/1.1\r\nHost: script.example\r\n" + fields + b"\r\n" + body


GET_LEFT = b"GET /x HTTP/1.1\r\nHost: script.example\r\n\r\n"
SMUGGLED = b"GET /evil?" + EVIL + b" HTTP/1.1\r\n" + HOST + b"\r\n"


# ---- rows 63 to 65: framing

TE_WRONG = [
    ("identity", b"Transfer-Encoding: identity", 501), ("gzip", b"Transfer-Encoding: gzip", 501),
    ("gzip, chunked", b"Transfer-Encoding: gzip, chunked", 501), ("cow", b"Transfer-Encoding: cow", 501),
    ("xchunked", b"Transfer-Encoding: xchunked", 501), ("chunked, identity", b"Transfer-Encoding: chunked, identity", 400),
    ("comma before", b"Transfer-Encoding: ,chunked", 400), ("comma behind", b"Transfer-Encoding: chunked,", 400),
    ("twice in a list", b"Transfer-Encoding: chunked, chunked", 400), ("parameter", b"Transfer-Encoding: chunked;q=1", 400),
    ("quoted", b'Transfer-Encoding: "chunked"', 400), ("empty", b"Transfer-Encoding:", 400),
    ("VT before", b"Transfer-Encoding: \x0bchunked", 400), ("FF behind", b"Transfer-Encoding: chunked\x0c", 400),
    ("NUL behind", b"Transfer-Encoding: chunked\x00", 400), ("NBSP behind", b"Transfer-Encoding: chunked\xa0", 400),
    ("DEL behind", b"Transfer-Encoding: chunked\x7f", 400), ("space before colon", b"Transfer-Encoding : chunked", 400),
    ("tab before colon", b"Transfer-Encoding\t: chunked", 400), ("folded", b"Transfer-Encoding:\r\n chunked", 400),
    ("folded later", b"X: y\r\n Transfer-Encoding: chunked", 400), ("leading space", b" Transfer-Encoding: chunked", 400),
    ("bare CR before", b"X: y\rTransfer-Encoding: chunked", 400), ("bare LF before", b"X: y\nTransfer-Encoding: chunked", 400),
    ("underscore", b"Transfer_Encoding: chunked", 400), ("no hyphen", b"TransferEncoding: chunked", 400),
    ("NUL in name", b"Transfer-\x00Encoding: chunked", 400), ("two", b"Transfer-Encoding: chunked\r\n" * 2, 400),
    ("two, first odd", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", 400),
]
CL_WRONG = [b"", b"5,5", b"5, 5", b"5, 6", b"+5", b"-5", b"0x5", b"0_5", b"5_0", b'"5"', b"5;", b"5 5", b"5.0", b"5e0", b"five",
            b"\xb25", b"5\x00", b"5\x0b", b"-0"]
CL_HUGE = [b"9223372036854775808", b"18446744073709551616", b"18446744073709551621", b"9" * 40]

FRAMING = [
    refused("CL and TE", post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), why="cl-and-te"),
    refused("TE and CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
            why="cl-and-te"),
    refused("CL 0 and TE", post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), why="cl-and-te"),
    refused("TE in HTTP/1.0", b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
            why="te-http10"),
    refused("twin CL", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"), why="content-length-twice"),
    refused("CL 5 and 0", post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"hello"), why="content-length-twice"),
    refused("Content_Length", post(b"Content_Length: 5\r\n", b"hello" + SMUGGLED), why="field-lookalike"),
    *[refused(f"TE {name}", post(line + b"\r\n", b"0\r\n\r\n" + SMUGGLED), status) for name, line, status in TE_WRONG],
    *[refused(f"CL and TE {name}", post(b"Content-Length: 6\r\n" + line + b"\r\n", b"0\r\n\r\n" + SMUGGLED), 400)
      for name, line, _ in TE_WRONG],
    *[refused(f"CL {v!r}", post(b"Content-Length: " + v + b"\r\n", b"hello" + SMUGGLED)) for v in CL_WRONG],
    *[refused(f"CL {v.decode()}", post(b"Content-Length: " + v + b"\r\n", b"hello"), 413, "content-length-huge")
      for v in CL_HUGE],
    *[Request(f"TE {line!r}", post(line + b"\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
              clean=[post_left(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")])
      for line in (b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED", b"TRANSFER-ENCODING:\t Chunked \t")],
    *[Request(f"CL {v!r}", post(b"content-length:" + v + b"\r\n", b"hello"), clean=[post_left(b"Content-Length: 5\r\n", b"hello")])
      for v in (b"5", b" 5 ", b"\t005")],
    Request("no body", post(b""), clean=[post_left(b"")]),
]

# ---- rows 66 and 67: chunks

CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNK_LEFT = post_left(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n")
BAD_CHUNKS = [
    b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0_5\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\t\r\nhello\r\n0\r\n\r\n", b"5\x00\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n", b";x\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n", b"5,\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"x" * 70000 + b"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\nX\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
]
CHUNKS = [
    *[Request(f"chunk {c[:24]!r}", post(CHUNKED, c + SMUGGLED, b"/cut-%d." % i), cut=CHUNK_LEFT.replace(b"/x", b"/cut-%d." % i))
      for i, c in enumerate(BAD_CHUNKS)],
    Request("extension dropped", post(CHUNKED, b'5;a="b";c\r\nhello\r\n0;d\r\n\r\n'), clean=[CHUNK_LEFT]),
    Request("zeros", post(CHUNKED, b"0000000000000005\r\nhello\r\n0000\r\n\r\n"), clean=[CHUNK_LEFT]),
    Request("trailer kept", post(CHUNKED, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            clean=[post_left(CHUNKED, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")]),
    Request("trailer Content-Length and Host dropped",
            post(CHUNKED, b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: casino.example\r\nTransfer-Encoding: x\r\n\r\n"),
            clean=[CHUNK_LEFT]),
    Request("trailer credentials dropped", post(CHUNKED, b"5\r\nhello\r\n0\r\nAuthorization: x\r\nCookie: y\r\n\r\n"),
            clean=[CHUNK_LEFT]),
]

# ---- rows 68 and 69: field lines and Host

LINES = [
    refused("bare LF throughout", b"GET /x HTTP/1.1\nHost: script.example\n\n", why="bare-lf"),
    refused("bare LF after start line", b"GET /x HTTP/1.1\nHost: script.example\r\n\r\n", why="bare-lf"),
    refused("bare LF at the end", b"GET /x HTTP/1.1\r\nHost: script.example\r\n\n", why="bare-lf"),
    refused("bare CR in a value", get(b"X: a\rY: b\r\n"), why="bare-cr"),
    refused("bare CR at the end", get(b"X: a\r\r\n"), why="bare-cr"),
    refused("obs-fold", get(b"X: a\r\n b\r\n"), why="obs-fold"),
    refused("leading space", b"GET /x HTTP/1.1\r\n Host: script.example\r\n\r\n", why="obs-fold"),
    refused("space before colon", get(b"X : a\r\n"), why="space-before-colon"),
    refused("NUL in a value", get(b"X: a\x00b\r\n"), why="nul"),
    refused("NUL in a name", get(b"X\x00: a\r\n"), why="nul"),
    refused("control byte", get(b"X: a\x01\r\n"), why="field-value"),
    refused("no name", get(b": a\r\n"), why="no-name"),
    refused("no colon", get(b"X\r\n"), why="no-colon"),
    refused("name with a space", get(b"X Y: a\r\n"), why="field-name"),
    refused("name with a slash", get(b"X/Y: a\r\n"), why="field-name"),
    refused("request line as a field", get(b"GET /evil HTTP/1.1\r\n"), why="field-name"),
    refused("no Host", b"GET /x HTTP/1.1\r\n\r\n", why="host-missing"),
    refused("two Hosts", get(b"Host: script.example\r\n"), why="host-twice"),
    refused("two Hosts, one forbidden", get(b"Host: casino.example\r\n"), why="host-twice"),
    refused("Host list", b"GET /x HTTP/1.1\r\nHost: script.example, casino.example\r\n\r\n", why="host-list"),
    refused("Host userinfo", b"GET /x HTTP/1.1\r\nHost: casino.example@script.example\r\n\r\n", why="host-userinfo"),
    refused("Host empty", b"GET /x HTTP/1.1\r\nHost:\r\n\r\n", why="host-empty"),
    refused("Host with a path", b"GET /x HTTP/1.1\r\nHost: script.example/\r\n\r\n", why="host-syntax"),
    refused("Host with a space", b"GET /x HTTP/1.1\r\nHost: script.example casino.example\r\n\r\n", why="host-syntax"),
    refused("Host percent", b"GET /x HTTP/1.1\r\nHost: script%2eexample\r\n\r\n", why="host-syntax"),
    refused("Host port", b"GET /x HTTP/1.1\r\nHost: script.example:8x\r\n\r\n", why="host-port"),
    Request("white space around a value", get(b"X:\t a b \t\r\nEmpty:\r\n"),
            clean=[b"GET /x HTTP/1.1\r\nHost: script.example\r\nX: a b\r\nEmpty: \r\n\r\n"]),
    Request("Host first, whatever the order", b"GET /x HTTP/1.1\r\nX: a\r\nhOST:script.example\r\n\r\n",
            clean=[b"GET /x HTTP/1.1\r\nHost: script.example\r\nX: a\r\n\r\n"]),
    Request("one empty line between", get() + b"\r\n" + get(), clean=[GET_LEFT, GET_LEFT]),
    Request("two empty lines between", get() + b"\r\n\r\n" + get(), why="empty-lines", clean=[GET_LEFT], answers=[200, 400]),
    Request("hop-by-hop fields", get(b"Connection: keep-alive, x-own, cookie\r\nKeep-Alive: 5\r\nX-Own: 1\r\nCookie: a\r\n"
                                     b"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\n"),
            clean=[b"GET /x HTTP/1.1\r\nHost: script.example\r\nCookie: a\r\n\r\n"]),
    Request("absolute target rewrites Host", b"GET http://script.example/x HTTP/1.1\r\nHost: casino.example\r\n\r\n",
            clean=[GET_LEFT]),
    refused("absolute target to a forbidden host", b"GET http://casino.example/x HTTP/1.1\r\n" + HOST + b"\r\n", 403),
]

# ---- rows 70 to 74: start lines, sizes, pipelining, expectations, upgrades

STARTS = [
    *[refused(f"version {v.decode('latin-1')}", get(line=b"GET /x " + v), 505, "version")
      for v in (b"HTTP/2.0", b"HTTP/1.32", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/3", b"http/1.1", b"HTTP/1.", b"HTTP/11.1")],
    refused("no version", b"GET /x\r\n", why="http-0.9"),
    *[refused(f"method {m!r}", get(line=m + b" /x HTTP/1.1"), why="method")
      for m in (b"get", b"GeT", b"G@T", b"GET:", b'"GET"', b"G\xc9T")],
    refused("method too long", get(line=b"A" * 40 + b" /x HTTP/1.1"), 501, "method-long"),
    *[refused(f"start line {s!r}", get(line=s)) for s in
      (b"GET\t/x HTTP/1.1", b"GET  /x HTTP/1.1", b"GET /x  HTTP/1.1", b"GET /x HTTP/1.1 ", b"GET /x y HTTP/1.1",
       b" GET /x HTTP/1.1", b"GET /x\x00 HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"GET /x#y HTTP/1.1", b"GET x HTTP/1.1",
       b"GET * HTTP/1.1", b"GET http:///x HTTP/1.1", b"GET http://a@script.example/x HTTP/1.1",
       b"GET ftp://script.example/x HTTP/1.1", b"GET script.example:80 HTTP/1.1", b"CONNECT /x HTTP/1.1")],
    refused("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "h2-preface"),
    refused("100 KB target", get(line=b"GET /" + b"x" * 100000 + b" HTTP/1.1"), 414, "target-long"),
    refused("100 KB field", get(b"X: " + b"x" * 100000 + b"\r\n"), 431, "head-long"),
    refused("5,000 fields", get(b"X: y\r\n" * 5000), 431, "field-count"),
    Request("8 KB target", get(line=b"GET /" + b"x" * 8000 + b" HTTP/1.1"),
            clean=[b"GET /" + b"x" * 8000 + b" HTTP/1.1\r\nHost: script.example\r\n\r\n"]),
    Request("pipelined in order", get(line=b"GET /1 HTTP/1.1") + post(b"Content-Length: 5\r\n", b"hello", b"/2") +
            get(line=b"HEAD /3 HTTP/1.1") + get(line=b"GET /4 HTTP/1.1"),
            clean=[b"GET /1 HTTP/1.1\r\nHost: script.example\r\n\r\n",
                   b"POST /2 HTTP/1.1\r\nHost: script.example\r\nContent-Length: 5\r\n\r\nhello",
                   b"HEAD /3 HTTP/1.1\r\nHost: script.example\r\n\r\n", b"GET /4 HTTP/1.1\r\nHost: script.example\r\n\r\n"]),
    Request("each pipelined one is judged", get() + b"GET /x HTTP/1.1\r\nHost: casino.example\r\n\r\n" + get(),
            clean=[GET_LEFT], answers=[200, 403]),
    Request("bad second one", get() + get(b"X : y\r\n") + get(), clean=[GET_LEFT], answers=[200, 400]),
    refused("Expect of another kind", post(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello"), 417, "expect"),
    Request("Expect without a body", get(b"Expect: 100-continue\r\n"), clean=[GET_LEFT]),
    Request("Upgrade to h2c goes on without", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                                  b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), clean=[GET_LEFT]),
    Request("Upgrade to TLS goes on without", get(b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"), clean=[GET_LEFT]),
    Request("WebSocket of another version goes on without",
            get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
            clean=[b"GET /x HTTP/1.1\r\nHost: script.example\r\nSec-WebSocket-Version: 777\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"]),
    Request("a request behind an offer that was not taken",
            get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") + b"GET /x HTTP/1.1\r\nHost: casino.example\r\n\r\n",
            clean=[b"GET /x HTTP/1.1\r\nHost: script.example\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
            answers=[200, 403]),
]

# ---- on the explicit proxy's port

def proxied(line, fields=b"", body=b""):
    return line + b"\r\n" + HOST + fields + b"\r\n" + body


PROXY = [
    Request("absolute target", proxied(b"GET http://script.example/x HTTP/1.1", b"Proxy-Authorization: Basic eDp5\r\n"
                                       b"Proxy-Connection: keep-alive\r\n"), clean=[GET_LEFT]),
    Request("absolute target, no path", proxied(b"GET http://script.example?q HTTP/1.1"),
            clean=[b"GET /?q HTTP/1.1\r\nHost: script.example\r\n\r\n"]),
    Request("absolute target wins over Host", b"GET http://script.example/x HTTP/1.1\r\nHost: casino.example\r\n\r\n",
            clean=[GET_LEFT]),
    Request("OPTIONS of the server", proxied(b"OPTIONS http://script.example HTTP/1.1"),
            clean=[b"OPTIONS * HTTP/1.1\r\nHost: script.example\r\n\r\n"]),
    refused("forbidden target behind an allowed Host", proxied(b"GET http://casino.example/x HTTP/1.1"), 403),
    refused("user information", proxied(b"GET http://casino.example@script.example/x HTTP/1.1"), why="target-userinfo"),
    refused("another scheme", proxied(b"GET ftp://script.example/x HTTP/1.1"), why="target-scheme"),
    refused("origin-form", proxied(b"GET /x HTTP/1.1")),
    refused("https without a tunnel", proxied(b"GET https://script.example/x HTTP/1.1")),
    refused("CONNECT without a port", proxied(b"CONNECT script.example HTTP/1.1"), why="connect-port"),
    refused("CONNECT with a path", proxied(b"CONNECT script.example:80/x HTTP/1.1"), why="target-host"),
    refused("CONNECT with a URL", proxied(b"CONNECT http://script.example:80 HTTP/1.1"), why="target-host"),
    refused("CONNECT with user information", proxied(b"CONNECT casino.example@script.example:80 HTTP/1.1"),
            why="target-userinfo"),
    refused("CONNECT with a body", proxied(b"CONNECT script.example:80 HTTP/1.1", b"Content-Length: 5\r\n", b"hello"),
            why="connect-body"),
    refused("CONNECT with chunks", proxied(b"CONNECT script.example:80 HTTP/1.1", CHUNKED, b"0\r\n\r\n"), why="connect-body"),
]

REQUESTS = {"framing": FRAMING, "chunks": CHUNKS, "lines": LINES, "starts": STARTS}


# ---- row 64: Transfer-Encoding under every spelling

def spellings():
    """About 1,700 field lines that somebody, somewhere, takes for Transfer-Encoding: chunked."""
    name, value = b"Transfer-Encoding", b"chunked"
    odd = [bytes([c]) for c in (*range(0, 33), 0x22, 0x27, 0x2c, 0x2d, 0x2e, 0x3a, 0x3b, 0x3d, 0x5c, 0x5f, 0x7f, 0x80, 0x85, 0xa0,
                                0xad, 0xff)] + [b"\xc2\xa0", b"\xe2\x80\x8b", b"\xef\xbb\xbf", b"\r\n ", b"\r\n\t", b"\r\n"]
    lines = []
    for o in odd:
        lines += [name[:i] + o + name[i:] + b": " + value for i in range(len(name) + 1)]
        lines += [name + b":" + o + value, name + b": " + value + o, name + b": " + o + value, name + o + b":" + value]
        lines += [name + b": " + value[:i] + o + value[i:] for i in range(1, len(value))]
    for sep in (b"_", b".", b"", b"--", b"-_", b" ", b"~", b"+", b"|"):
        lines += [b"Transfer" + sep + b"Encoding: chunked", b"transfer" + sep + b"encoding:chunked"]
    for other in (b"identity", b"gzip", b"x", b"", b"chunked", b"deflate", b"\x0b", b"compress;q=0", b"*"):
        for sep in (b",", b", ", b" ", b";", b" ;", b"\t", b",,"):
            lines += [name + b": " + other + sep + value, name + b": " + value + sep + other]
        for second in (name, name.lower(), name.upper()):
            lines.append(name + b": " + other + b"\r\n" + second + b": chunked")
            lines.append(name + b": chunked\r\n" + second + b": " + other)
    return sorted(set(lines))


# ---- rows 75 and 76: answers

OK = b"HTTP/1.1 200 OK\r\n"
WS = (b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
CLOSE = b"Connection: close\r\n"

ANSWERS = [
    Answer("CL and TE", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL, why="cl-and-te"),
    Answer("TE and CL", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + EVIL, why="cl-and-te"),
    Answer("twin CL", OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", why="content-length-twice"),
    Answer("CL 5 and 6", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + EVIL, why="content-length-twice"),
    Answer("CL list", OK + b"Content-Length: 5, 5\r\n\r\nhello", why="content-length-list"),
    Answer("CL negative", OK + b"Content-Length: -5\r\n\r\nhello", why="content-length"),
    Answer("CL huge", OK + b"Content-Length: 18446744073709551621\r\n\r\nhello", why="content-length-huge"),
    Answer("TE gzip", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", why="transfer-coding"),
    Answer("TE in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", why="te-http10"),
    Answer("NUL in a field", OK + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nhello", why="nul"),
    Answer("LF in a field", OK + b"X: a\nSet-Cookie: " + EVIL + b"\r\nContent-Length: 5\r\n\r\nhello", why="bare-lf"),
    Answer("CR in a field", OK + b"X: a\rSet-Cookie: " + EVIL + b"\r\nContent-Length: 5\r\n\r\nhello", why="bare-cr"),
    Answer("fold", OK + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", why="obs-fold"),
    Answer("space before colon", OK + b"Content-Length : 5\r\n\r\nhello", why="space-before-colon"),
    Answer("HTTP/0.9", b"<html>" + EVIL, why="status-line"),
    Answer("status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello", why="status-line"),
    Answer("status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", why="status-line"),
    Answer("another version", b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", why="version"),
    Answer("300 KB head", OK + b"X: " + b"x" * 300000 + b"\r\n\r\n", why="head-long"),
    Answer("20,000 fields", OK + b"X: y\r\n" * 20000 + b"\r\n", why="head-long"),
    Answer("300 fields", OK + b"X: y\r\n" * 300 + b"\r\n", why="field-count"),
    Answer("101 unasked", SWITCH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + ACCEPT + b"\r\n" + EVIL, why="switch-unasked"),
    Answer("101 to another protocol", SWITCH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + ACCEPT + b"\r\n" + EVIL, fields=WS,
           why="switch-other"),
    Answer("101 without what it needs", SWITCH + b"\r\n" + EVIL, fields=WS, why="switch-broken"),
    Answer("200 times 100", b"HTTP/1.1 100 Continue\r\n\r\n" * 200 + OK + b"Content-Length: 5\r\n\r\nhello",
           why="too-many-interim"),
    Answer("no answer", b"", why="no-answer"),
    Answer("head cut", b"HTTP/1.1 200 OK\r\nContent-Le", why="no-answer"),
    Answer("body cut", OK + b"Content-Length: 1000\r\n\r\n0123456789",
           begins=OK + b"Content-Length: 1000\r\nConnection: close\r\n\r\n0123456789"),
    Answer("bad chunk", OK + CHUNKED + b"\r\n5\r\nhello\r\n0x5\r\n" + EVIL + b"\r\n0\r\n\r\n",
           begins=OK + CHUNKED + CLOSE + b"\r\n5\r\nhello\r\n"),
    Answer("chunk without CRLF", OK + CHUNKED + b"\r\n5\r\nhello0\r\n\r\n" + EVIL,
           begins=OK + CHUNKED + CLOSE + b"\r\n5\r\nhello\r\n"),
    Answer("chunks cut", OK + CHUNKED + b"\r\n5\r\nhello\r\n", begins=OK + CHUNKED + CLOSE + b"\r\n5\r\nhello\r\n"),
    Answer("extra bytes", OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 10\r\n\r\n" + EVIL,
           seen=OK + b"Content-Length: 5\r\n" + CLOSE + b"\r\nhello"),
    Answer("extra bytes behind chunks", OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n" + EVIL,
           seen=OK + CHUNKED + CLOSE + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    Answer("204 with a body", b"HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n" + EVIL,
           seen=b"HTTP/1.1 204 No Content\r\n" + CLOSE + b"\r\n"),
    Answer("204 with chunks", b"HTTP/1.1 204 No Content\r\n" + CHUNKED + b"\r\na\r\n" + EVIL + b"\r\n0\r\n\r\n",
           seen=b"HTTP/1.1 204 No Content\r\n" + CLOSE + b"\r\n"),
    Answer("304 with a body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n" + EVIL,
           seen=b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n" + CLOSE + b"\r\n"),
    Answer("HEAD with a body", OK + b"Content-Length: 10\r\n\r\n" + EVIL, method=b"HEAD",
           seen=OK + b"Content-Length: 10\r\n" + CLOSE + b"\r\n"),
    Answer("HTTP/1.0 to the end", b"HTTP/1.0 200 Fine\r\n\r\nhello", seen=b"HTTP/1.1 200 Fine\r\n" + CLOSE + b"\r\nhello"),
    Answer("HTTP/1.1 to the end", b"HTTP/1.1 200 OK\r\n\r\nhello", seen=OK + CLOSE + b"\r\nhello"),
    Answer("framing written afresh", b"HTTP/1.1 200\r\ncontent-length:\t005 \r\nKEEP-ALIVE: 5\r\n\r\nhello",
           seen=b"HTTP/1.1 200 \r\nContent-Length: 5\r\n" + CLOSE + b"\r\nhello"),
    Answer("fields for the hop and Alt-Svc", OK + b"Connection: x-own, set-cookie\r\nX-Own: 1\r\nSet-Cookie: a\r\n"
           b'Alt-Svc: h3=":443"\r\n' b"Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
           seen=OK + b"Set-Cookie: a\r\nContent-Length: 0\r\n" + CLOSE + b"\r\n"),
    Answer("trailers", OK + CHUNKED + b"\r\n5;x\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: " + EVIL + b"\r\nContent-Length: 9\r\n\r\n",
           seen=OK + CHUNKED + CLOSE + b"\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    Answer("interim answers", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" + OK +
           b"Content-Length: 5\r\n\r\nhello",
           seen=b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n" + CLOSE +
           b"\r\nhello"),
    Answer("a body behind an interim answer", b"HTTP/1.1 100 Continue\r\nContent-Length: 10\r\n\r\n" + EVIL + OK + b"\r\n",
           begins=b"HTTP/1.1 100 Continue\r\n\r\n"),
]
