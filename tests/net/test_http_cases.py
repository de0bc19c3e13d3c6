"""HTTP/1 cases of threats.md rows 63 to 76 against the running gateway: judged by the bytes that arrive at the origin and
those that arrive at the client, over plain HTTP and inside intercepted TLS."""
import re
import socket
import time

import pytest

from http_cases import ANSWERS, EVIL, HOST, PROXY, REQUESTS, spellings
from sites import SITES
from space import wait_for

NAME = "script.example"
WAYS = ["plain", "tls"]


def last_record(lab, known=[0]):
    """Number of the newest connection at the origin; remembers how far it had counted, for there are thousands."""
    while (lab.script / f"conn-{known[0] + 1}.in").exists():
        known[0] += 1
    return known[0]


class Talk:
    """One connection of a pupil to the scripted origin, through the gateway, and what the origin got by it."""

    def __init__(self, lab, way):
        self.folder, self.before, self.way = lab.script, last_record(lab), way
        where = ("10.32.0.1", 3128) if way == "proxy" else (SITES[NAME].v4, 443 if way == "tls" else 80)
        self.sock = lab.connect("pupil", *where)
        if way == "tls":
            self.sock = lab.tls("pupil", self.sock, NAME)
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass   # refused before we had said it all

    def read(self, enough=lambda got: False, patience_s=8):
        """Everything that comes until the end, or until it is enough."""
        deadline = time.monotonic() + patience_s
        while not enough(self.got):
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                raise AssertionError(f"no end in {patience_s} s after {self.got[:300]!r}") from None
            except OSError:
                break
            if not data:
                break
            self.got += data
        return self.got

    def arrived(self, path=b""):
        """What reached the origin on all connections made meanwhile. A broken request may arrive after its client has
        learned of the break: such ones have paths of their own and are not taken for another case's."""
        data, n = b"", self.before
        while (record := self.folder / f"conn-{(n := n + 1)}.in").exists():
            one = record.read_bytes()
            if path in one if path else b" /cut-" not in one:
                data += one
        return data


def statuses(got):
    """Statuses of the answers in these bytes, oldest first (bodies of the lab hold no such line)."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def head_end(got):
    return got.find(b"\r\n\r\n")


def check_refused(talk, case):
    talk.send(case.raw)
    got = talk.read()
    silent = talk.way == "plain" and not case.begins_like_http
    assert statuses(got) == ([] if silent else list(case.status)), got[:200]
    assert talk.arrived() == b""


def check_cut(talk, case):
    talk.send(case.raw)
    got = talk.read()
    assert 200 not in statuses(got), got[:200]
    arrived = talk.arrived(case.cut.split(b" ")[1])
    assert case.cut.startswith(arrived) and arrived != case.cut, arrived


def check_clean(talk, case):
    want = case.answers or [200] * len(case.clean)
    talk.send(case.raw)
    talk.read(lambda got: len(statuses(got)) >= len(want) and (got.endswith(b"\n") or b"HEAD" in case.raw))
    assert statuses(talk.got) == want, talk.got[:300]
    wait_for("the clean form at the origin", lambda: len(talk.arrived()) >= sum(map(len, case.clean)), 3)
    assert talk.arrived() == b"".join(case.clean)


CHECKS = {"refused": check_refused, "cut": check_cut, "clean": check_clean}


def run_all(cases, run):
    """Runs every case and names all that failed."""
    wrong = []
    for case in cases:
        try:
            run(case)
        except (AssertionError, OSError) as e:
            wrong.append(f"{case.name}: {type(e).__name__}: {str(e)[:600]}")
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong), pytrace=False)


def check_request(lab, way, case):
    with Talk(lab, way) as talk:
        CHECKS[case.kind](talk, case)
        assert EVIL not in talk.arrived()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("group", REQUESTS)
def test_requests(lab, gw, group, way):
    run_all(REQUESTS[group], lambda case: check_request(lab, way, case))


def test_requests_to_the_explicit_proxy(lab, gw):
    run_all(PROXY, lambda case: check_request(lab, "proxy", case))


@pytest.mark.parametrize("group", REQUESTS)
def test_refusals_are_logged_by_name(lab, gw, group):
    cases = [c for c in REQUESTS[group] if c.why]

    def run(case):
        n = len(gw.log_lines())
        with Talk(lab, "plain" if case.begins_like_http else "tls") as talk:
            talk.send(case.raw)
            talk.read(lambda got: len(statuses(got)) > len(case.clean))
        wait_for(f"a line with {case.why}", lambda: any(f'"{case.why}"' in line for line in gw.log_lines()[n:]), 3)
    run_all(cases, run)


def test_http10_clients_get_no_chunks(lab, gw):
    lab.script_answer("old-chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n")
    lab.script_answer("old-length", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    for fields, name, want in (
            (b"", b"old-chunks", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
            (b"Connection: keep-alive\r\n", b"old-chunks", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
            (b"", b"old-length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")):
        with Talk(lab, "plain") as talk:
            talk.send(b"GET /raw/" + name + b" HTTP/1.0\r\n" + HOST + fields + b"\r\n")
            assert talk.read() == want
    with Talk(lab, "plain") as talk:
        talk.send(b"GET /x HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
        assert b"Connection: keep-alive\r\n" in talk.read(lambda got: got.endswith(b"script\n"))
        talk.send(b"GET /x HTTP/1.0\r\n" + HOST + b"\r\n")
        assert statuses(talk.read()) == [200, 200]


def test_http10_without_host_goes_where_it_was_sent(lab, gw):
    for way, host in (("tls", NAME), ("plain", SITES[NAME].v4)):
        with Talk(lab, way) as talk:
            talk.send(b"GET /x HTTP/1.0\r\n\r\n")
            assert statuses(talk.read()) == [200], talk.got
            assert talk.arrived() == f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def squeezed(line):
    """What a careless reader may take a field line for."""
    name, _, value = line.partition(b":")
    return bytes(c for c in name.lower() if 97 <= c <= 122), value


@pytest.mark.parametrize("before", [b"", b"Content-Length: 5\r\n"], ids=["alone", "behind-content-length"])
def test_no_spelling_of_transfer_encoding_arrives_unclean(lab, gw, before):
    """Row 64: whatever is refused is refused whole; whatever arrives frames in one plain way or not at all."""
    n_refused = n_other = 0
    for line in spellings():
        with Talk(lab, "plain") as talk:
            talk.send(b"POST /x HTTP/1.1\r\n" + HOST + before + line + b"\r\nConnection: close\r\n\r\n0\r\n\r\n")
            talk.read()
            arrived = talk.arrived()
        status = statuses(talk.got)
        if not arrived:
            assert status[:1] in ([], [400], [501]), (line, talk.got[:100])
            n_refused += 1
            continue
        n_other += 1
        framing = [f for f in arrived[:head_end(arrived)].split(b"\r\n")[1:]
                   if squeezed(f)[0] in (b"transferencoding", b"contentlength")]
        assert framing in ([], [b"Transfer-Encoding: chunked"], [b"Content-Length: 5"]), (line, arrived)
    print(f"{n_refused} refused, {n_other} are other fields or clean")
    assert n_refused > 1000


def check_answer(lab, way, case):
    name = "case-" + "".join(c if c.isalnum() else "-" for c in case.name)
    lab.script_answer(name, case.raw)
    with Talk(lab, way) as talk:
        talk.send(case.method + b" /raw/" + name.encode() + b" HTTP/1.1\r\n" + HOST + case.fields +
                  (b"" if case.fields else b"Connection: close\r\n") + b"\r\n" + case.body)
        got = talk.read()
    assert EVIL not in got, got[:600]
    if case.seen:
        assert got == case.seen, got[:600]
    elif case.begins:
        # what was on its way when the fault came may be lost with the connection, but never ends as if it were whole
        assert got.startswith(case.begins) or case.begins.startswith(got), got[:600]
        assert b"\r\n0\r\n" not in got and got.count(b" 200 ") <= 1, got[:600]
    else:
        assert statuses(got)[-1] == case.status and b"Perron-Code" in got, got[:600]


@pytest.mark.parametrize("way", WAYS)
def test_answers(lab, gw, way):
    run_all(ANSWERS, lambda case: check_answer(lab, way, case))


def test_bad_answers_are_logged_by_name(lab, gw):
    def run(case):
        n = len(gw.log_lines())
        check_answer(lab, "plain", case)
        wait_for(f"a line with {case.why}", lambda: any(f'"{case.why}"' in line for line in gw.log_lines()[n:]), 3)
    run_all([c for c in ANSWERS if c.why], run)


@pytest.mark.parametrize("way", WAYS)
def test_bytes_behind_an_answer_are_nobodys_answer(lab, gw, way):
    """Response splitting: what an origin adds behind an answer must not become the answer to the next request."""
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + EVIL
    firsts = {"length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "204": b"HTTP/1.1 204 No Content\r\n\r\n",
              "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
              "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}
    for name, first in firsts.items():
        lab.script_answer(f"extra-{name}", first + extra)
        with Talk(lab, way) as talk:
            talk.send(b"GET /raw/extra-" + name.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            talk.read(lambda got: head_end(got) >= 0)
            time.sleep(0.1)
            talk.send(b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
            got = talk.read()
        assert EVIL not in got, (name, got)


@pytest.mark.parametrize("way", WAYS)
def test_requests_in_single_bytes(lab, gw, way):
    """However a request is cut on the wire, the same arrives."""
    raw = (b"POST /x HTTP/1.1\r\nX: 1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
           b"5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
    with Talk(lab, way) as talk:
        talk.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(raw)):
            talk.send(raw[i:i + 1])
            time.sleep(0.001)
        assert statuses(talk.read()) == [200]
        head, _, body = talk.arrived().partition(b"\r\n\r\n")
    assert head == b"POST /x HTTP/1.1\r\nHost: script.example\r\nX: 1\r\nTransfer-Encoding: chunked\r\nConnection: close"
    assert body.endswith(b"0\r\nX-Sum: 1\r\n\r\n") and b"ext" not in body
