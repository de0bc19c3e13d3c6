"""The main way of a flow, as the users of the gateway see it: served, blocked, exempt, refused, and what the log says.

One gateway is shared by all tests here. Names, addresses and certificates are in sites.py; the policy in gateway.py.
"""
import json
import os
import re
import socket
import ssl
from pathlib import Path

import pytest

from client import read_response
from gateway import CODE, field, policy
from sites import SITES
from space import wait_for

OURS = "Province de Demonstration"
PROXY = "http://10.32.0.1:3128"


def ours(answer):
    """Was this certificate issued by the gateway?"""
    return OURS in answer.chain and "Public" not in answer.issuer


WAYS = {"transparent-v4": {"ipv": 4}, "transparent-v6": {"ipv": 6}, "connect": {"ipv": 4, "proxy": PROXY},
        "connect-v6": {"ipv": 6, "proxy": "http://[fd10:32::1]:3128"}}


@pytest.mark.parametrize("way", WAYS)
def test_blocked_page_for_pupil(lab, gw, way):
    before = len(lab.requests("video.example"))
    a = lab.curl("pupil", "https://video.example/watch?v=secret", "-H", "Accept: text/html", **WAYS[way])
    assert a.exit_code == 0, a.error
    assert a.status == 403 and ours(a), a.chain
    assert a.headers["cache-control"] == "no-store"
    assert CODE.match(a.code), a.headers
    assert a.code in a.text and "streaming" in a.text and "04/279.25.10" in a.text
    assert len(lab.requests("video.example")) == before


@pytest.mark.parametrize("way", WAYS)
def test_same_url_served_to_agent(lab, gw, way):
    a = lab.curl("agent", "https://video.example/hello", **WAYS[way])
    assert (a.exit_code, a.status, a.text) == (0, 200, "hello from video.example\n"), a.error
    assert ours(a), a.chain
    assert a.names == "DNS:video.example"


def test_gateways_own_address_goes_upstream(lab, gw):
    lab.curl("agent", "https://video.example/hello")
    assert lab.requests("video.example")[-1]["client"] == "192.0.2.1"
    lab.curl("agent", "https://video.example/hello", ipv=6)
    assert lab.requests("video.example")[-1]["client"] == "2001:db8:2::1"


@pytest.mark.parametrize("way", ["transparent-v4", "transparent-v6", "connect"])
def test_bank_keeps_its_own_certificate(lab, gw, way):
    a = lab.curl("pupil", "https://www.bank.example/hello", **WAYS[way])
    assert (a.exit_code, a.status) == (0, 200), a.error
    assert a.issuer == "Public Bank CA (RSA)"


def test_nothing_is_decrypted_for_a_guest(lab, gw):
    a = lab.curl("guest", "https://www.school.example/hello")
    assert (a.exit_code, a.status) == (0, 200), a.error
    assert a.issuer == "Public Web CA (EC)"


def test_blocked_name_gets_an_alert_where_nothing_is_decrypted(lab, gw):
    before = lab.syns("social.example")
    a = lab.curl("guest", "https://social.example/")
    assert a.exit_code == 35 and "access denied" in a.error, a.error
    assert lab.syns("social.example") == before
    assert lab.curl("pupil", "https://social.example/hello").status == 200


def test_blocked_plain_http_of_a_guest_gets_the_page(lab, gw):
    a = lab.curl("guest", "http://social.example/", "-H", "Accept: text/html")
    assert a.status == 403 and CODE.match(a.code)


def test_client_without_a_zone_gets_nothing(lab, gw):
    a = lab.curl("stranger", "https://www.school.example/hello", "--max-time", "5", proxy=PROXY)
    assert a.exit_code != 0 and a.status != 200


def test_plain_http_takes_the_same_way(lab, gw):
    for how in ({}, {"ipv": 6}, {"proxy": PROXY}):
        a = lab.curl("pupil", "http://plain.example/hello", **how)
        assert (a.exit_code, a.status, a.text) == (0, 200, "hello from plain.example\n"), (how, a.error)
        a = lab.curl("pupil", "http://video.example/", **how)
        assert a.status == 403 and CODE.match(a.code)


def test_blocked_name_causes_no_query_and_no_syn(lab, gw):
    queries, syns = lab.questions("casino.example"), lab.syns("cdn.example")
    assert lab.curl("agent", "https://casino.example/").status == 403
    assert lab.curl("agent", "https://casino.example/", proxy=PROXY).status == 403
    assert lab.curl("agent", "http://casino.example/", proxy=PROXY).status == 403
    assert lab.questions("casino.example") == queries
    assert lab.syns("cdn.example") == syns


BAD_CERTIFICATES = {"expired.example": "expired", "selfsigned.example": "self-signed", "wrongname.example": "wrong-name",
                    "notyet.example": "not-yet-valid", "cnonly.example": "wrong-name",
                    "unknownroot.example": "unknown-issuer", "weakkey.example": "weak-key"}


@pytest.mark.parametrize("host", sorted(BAD_CERTIFICATES))
def test_bad_certificate_is_answered_with_a_page(lab, gw, host):
    before = len(lab.requests(host))
    a = lab.curl("agent", f"https://{host}/login?secret=1", "-H", "Cookie: session=1")
    assert a.exit_code == 0, a.error
    assert a.status in (403, 502) and ours(a)
    assert len(lab.requests(host)) == before
    event = gw.by_code(a.code)[-1]
    assert event["perron"]["reason"] == "certificate"
    assert BAD_CERTIFICATES[host] in str(event["perron"])


def test_missing_intermediate_is_refused(lab, gw):
    a = lab.curl("agent", "https://incomplete.example/")
    assert a.exit_code == 0 and a.status in (403, 502)
    assert lab.requests("incomplete.example") == []


ASKS = "  exempt   certificate asks-client-certificate  domain \"eid.example\"  for pupils\n  inspect  any"


@pytest.mark.parametrize("way", ["transparent-v4", "transparent-v6", "connect"])
def test_origin_that_asks_for_the_clients_certificate(lab, own_gateway, way):
    """Exempt where a rule says so, before the client is answered; elsewhere the gateway goes on without one."""
    gw = own_gateway(policy(lab).replace("  inspect  any", ASKS))
    a = lab.curl("pupil", "https://eid.example/hello", **WAYS[way])
    assert (a.exit_code, a.status) == (0, 200) and not ours(a), a.error
    e = gw.event(event_type="flow", tls__sni="eid.example")
    assert e["perron"]["mode"] == "exempt" and "asks-client-certificate" in e["perron"]["rule"]
    a = lab.curl("agent", "https://eid.example/hello", **WAYS[way])
    assert (a.exit_code, a.status) == (0, 200) and ours(a), a.error
    assert ours(lab.curl("pupil", "https://cdn.example/hello", **WAYS[way]))


def test_exempt_after_all_stays_so_after_a_reload(lab, own_gateway):
    gw = own_gateway(policy(lab).replace("  inspect  any", ASKS))
    with lab.tls("pupil", lab.connect("pupil", SITES["eid.example"].v4, 443), "eid.example") as tls:
        for text in (policy(lab, web="  block domain \"elsewhere.example\"").replace("  inspect  any", ASKS), None):
            tls.sendall(b"GET /hello HTTP/1.1\r\nHost: eid.example\r\n\r\n")
            assert read_response(tls.makefile("rb"))[0] == 200
            status, said = gw.reload(text or policy(lab))
            assert status == 0, said
        tls.settimeout(5)
        assert tls.recv(10) == b"", "the rule is gone: it would have to be decrypted"


def test_old_tls_of_the_origin_is_refused(lab, gw):
    a = lab.curl("agent", "https://oldtls.example/")
    assert a.exit_code == 0 and a.status in (403, 502)
    assert lab.requests("oldtls.example") == []


def test_tls12_and_rsa_origins_are_served(lab, gw):
    for host in ("tls12.example", "files.example"):
        a = lab.curl("agent", f"https://{host}/hello")
        assert (a.exit_code, a.status) == (0, 200) and ours(a), a.error


def test_fronted_host_is_stopped(lab, gw):
    """SNI of an allowed name, Host of a forbidden one on the same server."""
    a = lab.curl("agent", "https://cdn.example/", "-H", "Host: casino.example")
    assert a.status == 403 and CODE.match(a.code)
    assert not [r for r in lab.requests() if r["host"] == "casino.example"]


@pytest.mark.parametrize("host", ["CASINO.example", "casino.example.", "casino.example:443", "Casino.Example:443"])
def test_fronted_host_in_other_spellings(lab, gw, host):
    a = lab.curl("agent", "https://cdn.example/", "-H", f"Host: {host}")
    assert a.status in (400, 403)
    assert not [r for r in lab.requests() if "casino" in r["host"].lower()]


def tls_to(lab, who, name, sni=None):
    sock = lab.connect(who, SITES[name].v4, 443)
    return lab.tls(who, sock, sni or name)


def test_second_request_on_a_connection_is_judged(lab, gw):
    with tls_to(lab, "agent", "cdn.example") as tls:
        stream = tls.makefile("rb")
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n")
        assert read_response(stream)[0] == 200
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
        status, headers, _ = read_response(stream)
        assert status == 403 and "perron-code" in headers
    assert not [r for r in lab.requests() if r["host"] == "casino.example"]


def test_pipelined_requests_are_answered_in_order(lab, gw):
    with tls_to(lab, "agent", "cdn.example") as tls:
        stream = tls.makefile("rb")
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n"
                    b"GET /teapot HTTP/1.1\r\nHost: cdn.example\r\n\r\n"
                    b"GET /no-content HTTP/1.1\r\nHost: cdn.example\r\n\r\n"
                    b"GET /hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
        assert [read_response(stream)[0] for _ in range(4)] == [200, 418, 204, 403]


def test_connect_to_one_name_and_sni_of_another(lab, gw):
    """Both are judged: a proxy request for an allowed name does not open the door for a forbidden hello."""
    sock = lab.connect("agent", "10.32.0.1", 3128)
    sock.sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHost: cdn.example:443\r\n\r\n")
    head = sock.recv(4096)
    assert b" 200 " in head.split(b"\r\n")[0]
    tls = lab.tls("agent", sock, "casino.example")
    stream = tls.makefile("rb")
    tls.sendall(b"GET /hello HTTP/1.1\r\nHost: casino.example\r\n\r\n")
    assert read_response(stream)[0] == 403
    tls.close()


def test_any_port_that_the_policy_names_is_diverted(lab, gw):
    a = lab.curl("agent", "https://www.school.example:8443/hello", proxy=PROXY)
    assert (a.exit_code, a.status) == (0, 200) and ours(a), a.error


def test_pac_file(lab, gw):
    a = lab.curl("agent", "http://10.32.0.1:3128/proxy.pac")
    assert a.status == 200 and a.headers["content-type"] == "application/x-ns-proxy-autoconfig"
    assert "FindProxyForURL" in a.text and "PROXY 10.32.0.1:3128" in a.text


@pytest.mark.parametrize("target", ["127.0.0.1:22", "[::1]:22", "169.254.169.254:80", "10.32.0.1:3128", "10.32.2.10:80",
                                    "loopback.example:443", "inside.example:443", "metadata.example:80", "0:80",
                                    "2130706433:80", "0x7f.1:80", "[::ffff:127.0.0.1]:80"])
def test_proxy_does_not_lead_inside(lab, gw, target):
    sock = lab.connect("agent", "10.32.0.1", 3128)
    sock.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    status, headers, _ = read_response(sock.makefile("rb"))
    assert status in (400, 403, 502), (target, status)
    sock.close()


def test_post_and_large_bodies_go_through(lab, gw, tmp_path):
    big = tmp_path / "body"
    big.write_bytes(b"x" * 3_000_000)
    a = lab.curl("agent", "https://files.example/upload", "--data-binary", f"@{big}")
    assert (a.status, a.text) == (200, "got 3000000\n"), a.error
    a = lab.curl("agent", "https://files.example/big.bin")
    assert a.status == 200 and len(a.body) == 64 << 20


def test_chunked_trailers_head_expect_and_early_hints(lab, gw):
    a = lab.curl("agent", "https://script.example/chunked")
    assert (a.exit_code, a.text) == (0, "hello world"), a.error
    a = lab.curl("agent", "https://script.example/hello", "--head")
    assert a.exit_code == 0 and a.status == 200
    a = lab.curl("agent", "https://script.example/continue", "-H", "Expect: 100-continue", "--data-binary", "x" * 2000)
    assert (a.status, a.text) == (200, "2000"), a.error
    a = lab.curl("agent", "https://script.example/early")
    assert (a.exit_code, a.status, a.text) == (0, 200, "late\n"), a.error
    a = lab.curl("agent", "https://script.example/echo", "-H", "Transfer-Encoding: chunked", "--data-binary", "y" * 5000)
    assert '"length": 5000' in a.text, a.text


def test_websocket_is_relayed(lab, gw):
    with tls_to(lab, "agent", "script.example") as tls:
        tls.sendall(b"GET /ws HTTP/1.1\r\nHost: script.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        stream = tls.makefile("rb")
        status, headers, _ = read_response_101(stream)
        assert status == 101 and headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        tls.sendall(bytes([0x81, 0x85, 1, 2, 3, 4]) + bytes(b ^ k for b, k in zip(b"hello", [1, 2, 3, 4, 1])))
        assert stream.read(7) == b"\x81\x05hello"


def read_response_101(stream):
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        key, _, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    return status, headers, b""


def test_cut_answer_is_never_passed_as_whole(lab, gw):
    for path in ("/cut", "/reset"):
        a = lab.curl("agent", f"https://script.example{path}")
        assert a.exit_code != 0, a.headers


def test_origin_that_cannot_be_reached(lab, gw):
    for host, proxy in (("closed.example", None), ("closed.example", PROXY), ("nowhere.example", PROXY)):
        a = lab.curl("agent", f"https://{host}/", proxy=proxy)
        assert a.status in (502, 503, 504), (host, proxy, a.error)
    a = lab.curl("agent", "http://nowhere.example/", proxy=PROXY)
    assert a.status in (502, 503, 504) and CODE.match(a.code)


def test_request_smuggling_never_reaches_the_origin(lab, gw):
    bad = [b"POST /echo HTTP/1.1\r\nHost: script.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: script.example\r\n\r\n",
           b"POST /echo HTTP/1.1\r\nHost: script.example\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloG",
           b"POST /echo HTTP/1.1\r\nHost: script.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
           b"GET /echo HTTP/1.1\r\nHost: script.example\r\nHost: casino.example\r\n\r\n",
           b"GET /echo HTTP/1.1\r\n\r\n"]
    for request in bad:
        before = len(b"".join(lab.script_bytes()))
        with tls_to(lab, "agent", "script.example") as tls:
            tls.sendall(request)
            assert read_response(tls.makefile("rb"))[0] == 400, request
        assert len(b"".join(lab.script_bytes())) == before, request


# ---- what a client can see of us


def test_page_in_four_languages_and_one_line_for_programs(lab, gw):
    seen = {}
    for lang in ("fr", "nl", "de", "en"):
        a = lab.curl("pupil", "https://video.example/", "-H", "Accept: text/html", "-H", f"Accept-Language: {lang}")
        assert a.status == 403 and f'lang="{lang}"' in a.text
        seen[lang] = a.text
    assert len(set(seen.values())) == 4
    a = lab.curl("pupil", "https://video.example/", "-H", "Accept: application/json")
    assert a.status == 403 and a.text.count("\n") <= 1 and "<" not in a.text and a.code in a.text


def test_page_escapes_what_strangers_wrote(lab, gw):
    a = lab.curl("pupil", "https://video.example/<script>alert(1)</script>\"'&", "-H", "Accept: text/html")
    assert a.status in (400, 403) and "<script" not in a.text
    a = lab.curl("pupil", "https://video.example/%3Cscript%3E", "-H", "Accept: text/html", "-H",
                 "Accept-Language: <script>,en")
    assert a.status == 403 and "<script" not in a.text
    assert not re.search(r'(?:src|href)="https?://', a.text)


def test_leaf_is_strictly_valid(lab, gw, tmp_path):
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    with lab.tls("agent", sock, "cdn.example") as tls:
        (tmp_path / "leaf.der").write_bytes(tls.getpeercert(True))
    out = lab.clients_space.run("openssl", "s_client", "-connect", f"{SITES['cdn.example'].v4}:443", "-servername",
                                "cdn.example", "-CAfile", gw.root_pem(), "-verify_return_error", "-x509_strict",
                                "-purpose", "sslserver", "-brief", input=b"")
    assert "Verification: OK" in out, out
    text = lab.clients_space.run("openssl", "x509", "-inform", "DER", "-in", tmp_path / "leaf.der", "-noout", "-text")
    assert "DNS:cdn.example" in text and "casino" not in text
    assert "CA:FALSE" in text and "TLS Web Server Authentication" in text
    assert "CRL Distribution" in text


def test_crl_pointer_of_the_leaf_is_answered_in_every_zone(lab, gw, tmp_path):
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    with lab.tls("agent", sock, "cdn.example") as tls:
        (tmp_path / "leaf.der").write_bytes(tls.getpeercert(True))
    text = lab.clients_space.run("openssl", "x509", "-inform", "DER", "-in", tmp_path / "leaf.der", "-noout",
                                 "-ext", "crlDistributionPoints")
    url = re.search(r"URI:(\S+)", text).group(1)
    host = url.split("/")[2]
    for who, address, proxy in (("pupil", "198.51.100.10", None), ("guest", "203.0.113.9", None), ("agent", None, PROXY)):
        a = lab.curl(who, url, *(["--resolve", f"{host}:80:{address}"] if address else []), proxy=proxy)
        assert (a.status, a.headers["content-type"]) == (200, "application/pkix-crl"), (who, a.status, a.error)
        (tmp_path / "crl.der").write_bytes(a.body)
        assert "Certificate Revocation List" in lab.clients_space.run(
            "openssl", "crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-noout", "-text")


def test_without_sni_the_leaf_names_what_the_origin_names(lab, gw):
    sock = lab.connect("agent", SITES["video.example"].v4, 443)
    with lab.tls("agent", sock, None) as tls:
        names = [v for k, v in tls.getpeercert()["subjectAltName"]]
    assert "video.example" in names and "www.video.example" in names


def test_hello_in_single_bytes_and_split_records(lab, gw):
    """The hello is read in any cut: one byte a segment."""
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="cdn.example")
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                sock.sendall(bytes([byte]))
            data = sock.recv(65536)
            assert data
            incoming.write(data)
    sock.sendall(outgoing.read())
    assert ("commonName", "cdn.example") in [x for rdn in tls.getpeercert()["subject"] for x in rdn] or \
        ("DNS", "cdn.example") in tls.getpeercert()["subjectAltName"]
    sock.close()


@pytest.mark.parametrize("first", [b"SSH-2.0-x\r\n", b"\x00" * 50, b"\x16\x03\x01\xff\xff" + b"\x02" * 100,
                                   b"GET / HTTP/9.9\r\n\r\n", b"\x80\x2e\x01\x03\x01" + b"\x00" * 60])
def test_first_bytes_that_are_neither_tls_nor_http(lab, gw, first):
    before = lab.syns("www.school.example")
    sock = lab.connect("agent", SITES["www.school.example"].v4, 443)
    sock.sendall(first)
    sock.settimeout(8)
    answer = sock.recv(4096)
    sock.close()
    assert b"school" not in answer and not answer.startswith(b"HTTP/1.1 200")
    assert lab.syns("www.school.example") == before


# ---- the log

def test_event_of_an_exchange(lab, gw):
    a = lab.curl("pupil", "https://video.example/watch/path?v=topsecret", "-H", "Referer: https://news.example/x?y=z",
                 "-H", "Cookie: c=topsecret", "-H", "Authorization: Basic topsecret", "-H", "Accept: text/html")
    event = gw.event(event_type="http", perron__code=a.code)
    assert event["event_type"] == "http" and event["src_ip"] == "10.32.1.10"
    assert event["dest_ip"] == SITES["video.example"].v4 and event["dest_port"] == 443
    assert event["http"]["hostname"] == "video.example" and event["http"]["status"] == 403
    perron = event["perron"]
    assert perron["action"] == "block" and perron["reason"] == "policy"
    assert "block category streaming for pupils" in perron["rule"]
    assert perron["snapshot"] and perron["times_us"]
    text = "\n".join(gw.log_lines())
    assert "topsecret" not in text and "p.dupont" not in text
    assert "news.example/x" not in text


def test_user_stands_under_a_pseudonym(lab, gw):
    a = lab.curl("pupil", "https://video.example/")
    b = lab.curl("pupil", "https://video.example/")
    users = {gw.by_code(x.code)[-1]["perron"]["user"] for x in (a, b)}
    assert len(users) == 1 and users.pop().startswith("u-")


def test_every_flow_has_one_event_with_one_reason(lab, gw):
    wait_for("the flows of earlier tests to end", lambda: '"flows_open": 0' in re.sub(
        r'": ?', '": ', gw.ctl("--json", "show", "counters")), 15)
    n = len(gw.events(event_type="flow"))
    lab.curl("agent", "https://www.bank.example/hello")
    lab.curl("agent", "https://cdn.example/hello")
    wait_for("two flow events", lambda: len(gw.events(event_type="flow")) >= n + 2)
    flows = gw.events(event_type="flow")[n:]
    assert len(flows) == 2
    assert {field(f, "perron__mode") for f in flows} == {"exempt", "inspected"}
    assert all(isinstance(field(f, "perron__reason"), str) for f in flows)
    exempt = next(f for f in flows if field(f, "perron__mode") == "exempt")
    assert exempt["tls"]["sni"] == "www.bank.example" and exempt["tls"]["ja4"]


def test_lines_validate_against_the_schema_of_suricata(lab, gw):
    jsonschema = pytest.importorskip("jsonschema")
    folder = Path(os.environ.get("PERRON_DATA", "../shared/data")) / "siem" / "suricata-eve"
    schemas = sorted(folder.rglob("*.json")) if folder.exists() else []
    if not schemas:
        pytest.skip("shared test data is not here (PERRON_DATA)")
    lab.curl("agent", "https://cdn.example/hello")
    validator = jsonschema.Draft7Validator(json.loads(schemas[0].read_text()))
    for line in gw.log_lines():
        event = json.loads(line)
        event.pop("perron")
        errors = [e.message for e in validator.iter_errors(event)]
        assert not errors, (errors[:3], line)


def test_sequence_numbers_have_no_gap(lab, gw):
    for _ in range(5):
        lab.curl("agent", "https://cdn.example/hello")
    seen = {}
    for line in gw.log_lines():
        p = json.loads(line)["perron"]
        seen.setdefault((p["boot"], p["worker"]), []).append(p["seq"])
    for numbers in seen.values():
        assert sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers)))


def test_flow_ids_differ_between_flows(lab, gw):
    for _ in range(20):
        lab.curl("agent", "https://cdn.example/hello")
    wait_for("the flows' ends", lambda: len(gw.events(event_type="flow")) >= 20)
    flows = gw.events(event_type="flow")
    assert len({f["flow_id"] for f in flows}) == len(flows)
