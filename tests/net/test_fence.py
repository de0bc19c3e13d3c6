"""The fence (threats.md rows 80, 99, 113, 141): wherever a name, CONNECT, an absolute URL, SNI or Host may lead, the
gateway itself, loopback, links, metadata services, management networks and private ranges are not dialled through it;
and what is exempt goes where our own look-up says.

The laboratory's internet has a "private" network beside it: 10.99.0.1 with a page that must stay unseen.
"""
import json
import time
from pathlib import Path

import pytest

from client import read_response
from gateway import policy
from sites import SITES
from space import end, wait_for
from test_reach import OWN, ask, own_page  # noqa: F401 (fixture)

PROXY = "10.32.0.1"
LIAR = "192.0.2.54"


@pytest.fixture(scope="module")
def inner(lab, tmp_path_factory):
    """What lies behind the gateway where clients have no business; gives how often it was asked."""
    log = tmp_path_factory.mktemp("inner") / "inner.out"
    lab.internet.ip(["addr add 10.99.0.1/32 dev lo", "addr add fd00:99::1/128 dev lo nodad",
                     f"addr add {LIAR}/24 dev eth0"])
    with open(log, "wb") as out:
        proc = lab.internet.start("/usr/bin/python3", "-c", OWN, 8000, stdout=out, stderr=out)
    wait_for("the inner page", lambda: b"up" in log.read_bytes())
    yield lambda: log.read_text().count("asked")
    end(proc, 5)
    lab.internet.ip(["addr del 10.99.0.1/32 dev lo", "addr del fd00:99::1/128 dev lo", f"addr del {LIAR}/24 dev eth0"])


@pytest.fixture
def liar(lab, inner, tmp_path):
    """A function that starts the lying resolver with a script; gives the questions that it was asked."""
    procs = []

    def start(script):
        (tmp_path / "answers.json").write_text(json.dumps(script))
        log = tmp_path / "answers.out"
        with open(log, "wb") as out:
            procs.append(lab.internet.start("/usr/bin/python3", Path(__file__).parent / "answers.py", LIAR,
                                            tmp_path / "answers.json", stdout=out, stderr=out))
        wait_for("the lying resolver", lambda: b"up" in log.read_bytes())
        return lambda: log.read_text().splitlines()[1:]
    yield start
    for proc in procs:
        end(proc, 5)


def lying(lab, settings="", **kw):
    return policy(lab, settings=settings, **kw).replace("resolver  192.0.2.53", f"resolver  {LIAR}")


def refused(gw, code, reason, detail):
    for event in gw.by_code(code):
        assert (event["perron"]["reason"], event["perron"].get("detail")) == (reason, detail), event["perron"]


def first_code(sock):
    status, headers, _ = read_response(sock.makefile("rb"))
    sock.close()
    return status, headers.get("perron-code")


# Spelling, reason, detail. `[64:ff9b::...]` would be relayed by a translator to the IPv4 address within.
NEVER = [
    ("127.0.0.1", "local-address"), ("127.1", "local-address"), ("0x7f.1", "local-address"),
    ("017700000001", "local-address"), ("2130706433", "local-address"), ("0", "local-address"),
    ("[::1]", "local-address"), ("[::ffff:127.0.0.1]", "local-address"), ("[64:ff9b::7f00:1]", "local-address"),
    ("[2002:7f00:1::]", "local-address"), ("[2001::80ff:fffe]", "local-address"), ("[::127.0.0.1]", "local-address"),
    ("[fe80::1]", "local-address"), ("169.254.1.1", "local-address"), ("224.0.0.1", "local-address"),
    ("loopback.example", "local-address"),
    ("169.254.169.254", "metadata-service"), ("0xa9fea9fe", "metadata-service"), ("2852039166", "metadata-service"),
    ("[fd00:ec2::254]", "metadata-service"), ("100.100.100.200", "metadata-service"),
    ("168.63.129.16", "metadata-service"), ("[64:ff9b::a9fe:a9fe]", "metadata-service"),
    ("10.32.0.1", "own-address"), ("192.0.2.1", "own-address"), ("3221225985", "own-address"),
    ("[2001:db8:2::1]", "own-address"), ("[fd10:112::1]", "own-address"), ("[64:ff9b::c000:201]", "own-address"),
    ("[2002:c000:201::]", "own-address"), ("inside.example", "own-address"),
]


@pytest.mark.parametrize("private", ["block", "allow"])
def test_what_is_never_dialled_on_no_way_row_80_141(lab, own_gateway, inner, own_page, private):  # noqa: F811
    """By absolute URL, by CONNECT, by Host; `private-destinations allow` changes nothing."""
    gw = own_gateway(policy(lab).replace("private-destinations  block", f"private-destinations  {private}"))
    before, site = lab.syns(), SITES["plain.example"]
    for target, detail in NEVER:
        sock = lab.connect("agent", PROXY, 3128)
        sock.sendall(f"GET http://{target}:8000/ HTTP/1.1\r\nHost: {target}:8000\r\n\r\n".encode())
        status, code = first_code(sock)
        assert status == 403 and code, (target, status)
        refused(gw, code, "forbidden-destination", detail)
        sock = lab.connect("agent", PROXY, 3128)
        sock.sendall(f"CONNECT {target}:8000 HTTP/1.1\r\nHost: {target}:8000\r\n\r\n".encode())
        stream = sock.makefile("rb")
        assert b" 200 " in stream.readline() and stream.readline() == b"\r\n"
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {target}:8000\r\n\r\n".encode())
        assert read_response(stream)[0] == 403, target
        sock.close()
        status = ask(lab, "agent", site.v4, 80, f"GET / HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert status == 403, target
    assert lab.syns() == before and own_page() == 0


def test_a_whole_block_of_our_own_is_ours_row_141(lab, own_gateway, own_page):  # noqa: F811
    """An address with its network on `lo`, or a local route: the gateway answers at every address of it. Made while it
    runs."""
    gw = own_gateway()
    blocks = ["addr {} 203.0.114.65/28 dev lo", "route {} local 203.0.115.0/24 dev lo",
              "-6 route {} local 2001:db8:77::/64 dev lo"]
    lab.gateway_space.ip([b.format("add") for b in blocks])
    try:
        for target in ("203.0.114.65", "203.0.114.66", "203.0.115.7", "[2001:db8:77::7]"):
            sock = lab.connect("agent", PROXY, 3128)
            sock.sendall(f"GET http://{target}:8000/ HTTP/1.1\r\nHost: {target}:8000\r\n\r\n".encode())
            status, code = first_code(sock)
            assert status == 403, (target, status)
            refused(gw, code, "forbidden-destination", "own-address")
    finally:
        lab.gateway_space.ip([b.format("del") for b in blocks])
    assert own_page() == 0


def test_sni_that_leads_inside_row_141(lab, own_gateway, inner):
    gw = own_gateway()
    before = lab.syns()
    for name, detail in (("loopback.example", "local-address"), ("inside.example", "own-address"),
                         ("metadata.example", "metadata-service")):
        a = lab.curl("agent", f"https://{name}/", "--resolve", f"{name}:443:{SITES['www.school.example'].v4}")
        assert a.status == 403 and a.code, (name, a)
        refused(gw, a.code, "forbidden-destination", detail)
    assert lab.syns() == before


PRIVATE = ["10.99.0.1", "[fd00:99::1]", "0x0a630001", "174260225", "[::ffff:10.99.0.1]"]


@pytest.mark.parametrize("target", PRIVATE)
def test_private_ranges_are_closed_to_who_is_led_there(lab, gw, inner, target):
    before = lab.syns()
    sock = lab.connect("agent", PROXY, 3128)
    sock.sendall(f"GET http://{target}:8000/ HTTP/1.1\r\nHost: {target}:8000\r\n\r\n".encode())
    status, code = first_code(sock)
    assert status == 403, status
    refused(gw, code, "private-destination", "private-address")
    site = SITES["plain.example"]
    assert ask(lab, "agent", site.v4, 80, f"GET / HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()) == 403
    assert lab.syns() == before and inner() == 0


def test_private_ranges_are_the_policys(lab, own_gateway, inner):
    """`except` opens a range and nothing beside it; `management` closes it again, and public addresses too."""
    gw = own_gateway(policy(lab).replace("private-destinations  block", "private-destinations  block except 10.99.0.0/24"))
    had = inner()
    get = b"GET http://%s:8000/ HTTP/1.1\r\nHost: %s:8000\r\n\r\n"
    assert ask(lab, "agent", PROXY, 3128, get % (b"10.99.0.1", b"10.99.0.1")) == 200 and inner() == had + 1
    assert ask(lab, "agent", PROXY, 3128, get % (b"10.99.1.1", b"10.99.1.1")) == 403
    assert ask(lab, "agent", PROXY, 3128, get % (b"[fd00:99::1]", b"[fd00:99::1]")) == 403
    text = policy(lab).replace("private-destinations  block", "private-destinations  allow\nmanagement 10.99.0.0/24, %s"
                               % SITES["social.example"].v4)
    assert gw.reload(text)[0] == 0
    sock = lab.connect("agent", PROXY, 3128)
    sock.sendall(get % (b"10.99.0.1", b"10.99.0.1"))
    status, code = first_code(sock)
    assert status == 403
    refused(gw, code, "forbidden-destination", "management-network")
    before = lab.syns()
    assert ask(lab, "agent", PROXY, 3128, get % (b"[fd00:99::1]", b"[fd00:99::1]")) == 502  # nobody listens there
    assert lab.syns() > before
    before = lab.syns("social.example")
    sock = lab.connect("agent", PROXY, 3128)
    sock.sendall(b"CONNECT %s:80 HTTP/1.1\r\nHost: x\r\n\r\n" % SITES["social.example"].v4.encode())
    stream = sock.makefile("rb")
    assert b" 200 " in stream.readline() and stream.readline() == b"\r\n"
    sock.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % SITES["social.example"].v4.encode())
    assert read_response(stream)[0] == 403
    sock.close()
    assert lab.syns("social.example") == before


def test_a_rule_about_an_address_holds_for_its_translated_form_row_80(lab, own_gateway):
    v4 = SITES["social.example"].v4
    gw = own_gateway(policy(lab, web=f"  block any to {v4}"))
    packed = "".join("%02x" % int(b) for b in v4.split("."))
    for target in (f"[64:ff9b::{packed[:4]}:{packed[4:]}]", f"[2002:{packed[:4]}:{packed[4:]}::1]"):
        sock = lab.connect("agent", PROXY, 3128)
        sock.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        status, code = first_code(sock)
        assert status == 403
        refused(gw, code, "policy", None)


def test_mixed_answers_lead_to_the_public_one_alone_row_113(lab, own_gateway, liar):
    site = SITES["plain.example"]
    asked = liar({"mixed.example": [["10.99.0.1", "127.0.0.1", site.v4, "169.254.169.254", "192.0.2.1"]],
                  "all-bad.example": [["10.99.0.1", "127.0.0.1"]]})
    gw = own_gateway(lying(lab))
    before, to_site = lab.syns(), lab.syns("plain.example")
    a = lab.curl("agent", "http://mixed.example/hello", proxy=f"http://{PROXY}:3128")
    assert a.status == 200 and asked(), a
    assert gw.event(http__hostname="mixed.example")["dest_ip"] == site.v4
    assert lab.syns() - before == lab.syns("plain.example") - to_site == 1
    a = lab.curl("agent", "http://all-bad.example/hello", proxy=f"http://{PROXY}:3128")
    assert a.status == 403
    assert lab.syns() - before == 1


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.99.0.1", "169.254.169.254", "192.0.2.1"])
def test_a_name_that_is_bound_anew_gains_nothing_row_113(lab, own_gateway, liar, inside):
    """First a public address, a second later the inner one: each dial goes where its own look-up was judged."""
    site = SITES["plain.example"]
    asked = liar({"rebind.example": [[site.v4], [inside]]})
    gw = own_gateway(lying(lab))
    assert lab.curl("agent", "http://rebind.example/hello", proxy=f"http://{PROXY}:3128").status == 200
    before = lab.syns()
    time.sleep(1.2)  # an answer without a lifetime counts for a second
    a = lab.curl("agent", "http://rebind.example:8000/", proxy=f"http://{PROXY}:3128")
    assert len([q for q in asked() if "rebind.example 1 " in q]) == 2, asked()
    assert a.status == 403 and lab.syns() == before
    assert gw.by_code(a.code)[0]["perron"]["reason"] in ("forbidden-destination", "private-destination")


def test_an_exemption_is_not_had_by_sni_alone_row_99(lab, own_gateway, inner):
    """The client's DNS lies, or the client does: the hello of the bank goes to the bank, wherever it was sent to."""
    gw = own_gateway()
    bank, evil = SITES["www.bank.example"], SITES["script.example"]
    at_evil, had = lab.syns("script.example"), len(lab.requests("www.bank.example"))
    a = lab.curl("agent", "https://www.bank.example/hello", "--resolve", f"www.bank.example:443:{evil.v4}")
    assert a.status == 200 and "Perron" not in a.issuer, a
    assert lab.syns("script.example") == at_evil and len(lab.requests("www.bank.example")) == had + 1
    event = gw.event(event_type="flow", tls__sni="www.bank.example")
    assert event["perron"]["mode"] == "exempt" and event["dest_ip"] == bank.v4


@pytest.mark.parametrize("answer", [[], None, ["127.0.0.1"], ["10.99.0.1"]], ids=["no name", "silence", "loopback", "private"])
def test_an_exemption_without_a_good_look_up_goes_nowhere_row_99(lab, own_gateway, liar, answer):
    """Not to where the client says either."""
    liar({"www.bank.example": [answer]})
    gw = own_gateway(lying(lab))
    before = lab.syns()
    bank = SITES["www.bank.example"].v4
    a = lab.curl("agent", "https://www.bank.example/hello", "--resolve", f"www.bank.example:443:{bank}")
    assert a.status == 0 and a.exit_code != 0
    event = gw.event(event_type="flow", tls__sni="www.bank.example", patience_s=8)
    assert event["perron"]["reason"] in ("dns", "private-destination", "forbidden-destination"), event["perron"]
    assert lab.syns() == before


def test_an_inspected_name_without_a_look_up_still_has_to_be_proved(lab, own_gateway, liar):
    """Its own certificate decides, at the address that the client named; that address is fenced all the same."""
    liar({"www.school.example": [[]]})
    own_gateway(lying(lab))
    good, evil = SITES["www.school.example"].v4, SITES["script.example"].v4
    a = lab.curl("agent", "https://www.school.example/hello", "--resolve", f"www.school.example:443:{good}")
    assert a.status == 200, a
    a = lab.curl("agent", "https://www.school.example/hello", "--resolve", f"www.school.example:443:{evil}")
    assert a.status == 403 or a.status >= 500, a
    assert not any(b"/hello" in data and b"www.school" in data for data in lab.script_bytes())


def test_the_fence_counts(lab, gw):
    had = gw.show("counters")[0]["fenced"]
    ask(lab, "agent", PROXY, 3128, b"GET http://127.0.0.1:8000/ HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n")
    wait_for("the counter", lambda: gw.show("counters")[0]["fenced"] == had + 1)
