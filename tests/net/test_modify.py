"""What policy changes in requests, judged on the bytes that arrive at the origin: search engines, YouTube, tenants,
who stands behind the gateway, fields for the next hop alone, Alt-Svc. The names are served by origin.py."""
import json

import pytest

from client import PEOPLE, read_response
from gateway import policy
from hostile import read_until
from h2_peer import HEADERS, INTERNAL_ERROR, H2Origin, h2_client, plain_answer, serving
from sites import SITES

PROXY = "http://10.32.0.1:3128"
RULES = """
  set safe-search, youtube strict  for pupils
  set youtube moderate             for agents
  set header "Restrict-Access-To-Tenants: province.example", header "X-House: 7"  any
"""


@pytest.fixture(scope="module")
def changing(lab):
    """A gateway with `set` rules, for this file."""
    if lab.shared:
        lab.shared.stop()
        lab.open_again()
    gw = lab.gateway(policy(lab, web=RULES))
    yield gw
    gw.stop()
    lab.gateways.remove(gw)
    lab.open_again()


def news(lab, before):
    """What came to the origin since, on new connections and on those that were open."""
    now = lab.script_bytes()
    return b"".join(data[len(before[i]) if i < len(before) else 0:] for i, data in enumerate(now))


def arrived(lab, who, url, *options, **kw):
    """(request line, [fields]) of the one request that reached the origin, and curl's answer."""
    before = lab.script_bytes()
    a = lab.curl(who, url, *options, **kw)
    got = news(lab, before)
    head, _, _ = got.partition(b"\r\n\r\n")
    assert got.count(b" HTTP/1.1\r\n") == 1, (a, got)
    line, *fields = head.decode("latin-1").split("\r\n")
    return line, fields, a


def values(fields, name):
    return [f.partition(":")[2].strip() for f in fields if f.partition(":")[0].lower().replace("_", "-") == name]


def told(gw, host, **want):
    return gw.event(event_type="http", http__hostname=host, **want)["perron"]


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("proxy", [None, PROXY])
def test_safe_search_arrives_at_the_engine(lab, changing, scheme, proxy):
    for url, want in (("www.google.com/search?q=a&safe=off", "/search?q=a&safe=active"),
                      ("www.google.com/search?q=a&s%61fe=images", "/search?q=a&safe=active"),
                      ("www.google.com//%73earch?q=a", "//%73earch?q=a&safe=active"),
                      ("www.bing.com/images/search?q=a", "/images/search?q=a&adlt=strict"),
                      ("search.example/search?q=a&safe=off", "/search?q=a&safe=off")):
        line, _, a = arrived(lab, "pupil", f"{scheme}://{url}", proxy=proxy)
        assert line == f"GET {want} HTTP/1.1" and a.status == 200, (url, line)
    p = told(changing, "www.google.com")
    assert p["set"].startswith("safe-search, youtube strict") and p["changed"] == "safe-search, header X-House"
    assert told(changing, "search.example")["changed"] == "header X-House"


def test_safe_search_is_for_whom_the_rule_says(lab, changing):
    line, _, _ = arrived(lab, "agent", "https://www.google.com/search?q=a&safe=off")
    assert line == "GET /search?q=a&safe=off HTTP/1.1"


@pytest.mark.parametrize("who, mode", [("pupil", "Strict"), ("agent", "Moderate")])
def test_youtube_gets_our_word_and_no_other(lab, changing, who, mode):
    _, fields, _ = arrived(lab, who, "https://www.youtube.com/watch?v=1", "-H", "YouTube-Restrict: None",
                           "-H", "youtube_restrict: None", "-H", "Connection: YouTube-Restrict, keep-alive")
    assert values(fields, "youtube-restrict") == [mode], fields
    p = told(changing, "www.youtube.com", src_ip=PEOPLE[who].v4)
    assert p["changed"] == f"youtube {mode.lower()}, header X-House", p
    _, fields, _ = arrived(lab, who, "https://search.example/", "-H", "YouTube-Restrict: None")
    assert values(fields, "youtube-restrict") == ["None"]


def test_tenants_field_is_ours_and_tells_nobody_else(lab, changing):
    _, fields, _ = arrived(lab, "agent", "https://login.microsoftonline.com/common", "-H",
                           "Restrict-Access-To-Tenants: evil.example", "-H", "restrict_access_to_tenants: evil.example")
    assert values(fields, "restrict-access-to-tenants") == ["province.example"], fields
    assert told(changing, "login.microsoftonline.com")["changed"] == "header Restrict-Access-To-Tenants, header X-House"
    _, fields, _ = arrived(lab, "agent", "https://search.example/")
    assert values(fields, "restrict-access-to-tenants") == [] and values(fields, "x-house") == ["7"]
    assert "province.example" not in json.dumps(changing.events(http__hostname="login.microsoftonline.com"))


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_no_trailer_carries_what_is_set(lab, changing, scheme):
    """An origin that merges trailers into the head would have the client's value too."""
    before = lab.script_bytes()
    sock = lab.connect("agent", SITES["script.example"].v4, 443 if scheme == "https" else 80)
    sock = lab.tls("agent", sock, "search.example") if scheme == "https" else sock
    sock.sendall(b"POST / HTTP/1.1\r\nHost: search.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"2\r\nup\r\n0\r\nX-Sum: 1\r\nX-House: 8\r\nx_house: 9\r\nX-Housed: 10\r\n\r\n")
    assert read_response(sock.makefile("rb"))[0] == 200
    sock.close()
    head, _, body = news(lab, before).partition(b"\r\n\r\n")
    assert head.count(b"X-House: 7") == 1
    assert body == b"2\r\nup\r\n0\r\nX-Sum: 1\r\nX-Housed: 10\r\n\r\n"


def test_no_http2_trailer_carries_what_is_set(lab, changing):
    seen = []

    def script(peer):
        f = peer.until(lambda f: f.kind == HEADERS)
        seen.append((f.field("x-house"), peer.until(lambda f: f.end).fields))
        plain_answer(peer, f.stream, dict(f.fields))
        peer.rest()
    with H2Origin(lab, script):
        c = h2_client(lab)
        s = c.request("/t", method="POST", end=False)
        c.data(s, b"up")
        c.headers(s, [("x-sum", "1"), ("x-house", "8"), ("x_house", "9"), ("x-housed", "10")], end=True)
        assert c.answer(s).status == 200
    assert seen == [("7", [("x-sum", "1"), ("x-housed", "10")])]


def test_http2_trailers_behind_our_page_are_nobodys(lab, changing):
    """The origin gives up, our page answers, and then the client sends the trailers it had promised."""
    def gives_up(peer, stream, fields):
        peer.reset(stream, INTERNAL_ERROR)
    with H2Origin(lab, serving(gives_up)):
        c = h2_client(lab)
        streams = [c.request("/t", method="POST", end=False) for _ in range(20)]
        for s in streams:
            assert c.answer(s).status == 502
        for s in streams:
            c.headers(s, [(f"x-{i}", "1") for i in range(50)], end=True)
        assert c.answer(c.request("/after")).status == 502      # the same connection goes on
        c.close()


def test_fields_for_the_next_hop_end_here(lab, changing):
    """RFC 9110 section 7.6.1; what Connection names goes too, unless it is for the last recipient by nature."""
    _, fields, _ = arrived(lab, "agent", "https://search.example/", "-H", "Connection: X-Hop, close, Accept-Encoding",
                           "-H", "X-Hop: 1", "-H", "Keep-Alive: timeout=5", "-H", "TE: trailers", "-H", "Trailer: X-A",
                           "-H", "Proxy-Authorization: Basic YTpi", "-H", "Proxy-Connection: close",
                           "-H", "Proxy: http://evil.example", "-H", "Upgrade: h2c", "-H", "HTTP2-Settings: AAMAAABk",
                           "-H", "Accept-Encoding: gzip, br, zstd;q=0.5", "-H", "X-Stays: 1")
    names = {f.partition(":")[0].lower() for f in fields}
    gone = {"x-hop", "keep-alive", "te", "trailer", "proxy-authorization", "proxy-connection", "proxy", "upgrade",
            "http2-settings"}
    assert not names & gone, names & gone
    assert values(fields, "accept-encoding") == ["gzip, br, zstd;q=0.5"] and values(fields, "x-stays") == ["1"]


def test_what_connection_names_ends_here_in_trailers_too(lab, changing):
    """RFC 9110 section 7.6.1, both ways; what may be no trailer at all goes as well."""
    def sent(data):
        sock = lab.tls("agent", lab.connect("agent", SITES["script.example"].v4, 443), "search.example")
        sock.sendall(data)
        return sock
    before = lab.script_bytes()
    with sent(b"POST / HTTP/1.1\r\nHost: search.example\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n"
              b"2\r\nup\r\n0\r\nX-Sum: 1\r\nx-hop: 2\r\nX-Forwarded-For: 10.0.0.7\r\nVia: 1.1 school\r\n\r\n") as sock:
        assert read_response(sock.makefile("rb"))[0] == 200
    assert news(lab, before).endswith(b"2\r\nup\r\n0\r\nX-Sum: 1\r\n\r\n")
    lab.script_answer("tr", b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-hop: 2\r\nAlt-Svc: h3=\":443\"\r\n\r\n")
    with sent(b"GET /raw/tr HTTP/1.1\r\nHost: search.example\r\n\r\n") as sock:
        assert read_until(sock, b"1\r\n\r\n").endswith(b"\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")


def test_compression_is_between_client_and_origin(lab, changing):
    body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00"
    lab.script_answer("gz", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(body) + body)
    a = lab.curl("agent", "https://search.example/raw/gz", "-H", "Accept-Encoding: gzip")
    assert (a.body, a.headers["content-encoding"], a.headers["vary"]) == (body, "gzip", "Accept-Encoding")


@pytest.mark.parametrize("sent, seen", [
    (b'h3=":443"; ma=86400', None), (b'h3=":443", h3-29=":443"', None), (b"clear", "clear"),
    (b'h3=":443"; ma=86400, h2="alt.example:443"; ma=60', 'h2="alt.example:443"; ma=60')])
def test_http3_is_not_offered_row_62(lab, changing, sent, seen):
    lab.script_answer("alt", b"HTTP/1.1 200 OK\r\nAlt-Svc: " + sent + b"\r\nContent-Length: 2\r\n\r\nok")
    for url in ("https://search.example/raw/alt", "http://search.example/raw/alt"):
        a = lab.curl("agent", url)
        assert a.status == 200 and a.headers.get("alt-svc") == seen, a.headers


@pytest.mark.parametrize("first, rest", [
    (b"103 Early Hints", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    (b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"hello")])
def test_http3_is_not_offered_before_the_answer_either_row_62(lab, changing, first, rest):
    lab.script_answer("early", b"HTTP/1.1 " + first + b"\r\nAlt-Svc: h3=\":443\"\r\nX-Stays: 1\r\n\r\n" + rest)
    sock = lab.tls("agent", lab.connect("agent", SITES["script.example"].v4, 443), "search.example")
    sock.sendall(b"GET /raw/early HTTP/1.1\r\nHost: search.example\r\nConnection: Upgrade\r\n"
                 b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    got = b""
    while not got.endswith(rest[-2:]) and (data := sock.recv(4096)):
        got += data
    sock.close()
    assert got.startswith(b"HTTP/1.1 " + first[:3]) and b"X-Stays: 1" in got and got.endswith(rest[-2:]), got
    assert b"alt-svc" not in got.lower(), got


def test_requests_that_changed_are_counted(lab, changing):
    had = changing.show("counters")[0]["changed"]
    arrived(lab, "agent", "https://search.example/")
    assert changing.show("counters")[0]["changed"] == had + 1


def test_http2_is_changed_by_the_same_code(lab, changing):
    """h2 on both sides, as nginx tells: the query that we force, and nothing of who is inside."""
    had = len(lab.requests("files.example"))
    a = lab.curl("pupil", "https://www.google.be/search?safe=off&q=a", "--http2", "-H", "X-Forwarded-For: 10.0.0.7",
                 "-H", "Via: 1.1 school")
    assert a.exit_code == 0, a
    request = lab.requests("files.example")[had:][0]
    assert request["proto"] == "HTTP/2.0" and request["uri"] == "/search?q=a&safe=active", request
    assert request["forwarded"] == request["via"] == ""
    assert told(changing, "www.google.be")["changed"] == "safe-search, header X-House"
