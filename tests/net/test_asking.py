"""Origins that ask for a certificate of the client's own (threats.md row 47): exempt where a rule names them, on the first
attempt and then for a while without one; elsewhere answered without a certificate; refused when they ask in the middle."""
import ssl
import subprocess
from contextlib import contextmanager

import pytest

from client import read_response
from gateway import CODE, policy
from h2_peer import HEADERS, H2, H2Origin
from hostile import ADDRESS, NAME
from sites import SITES
from space import end, wait_for

EID = "eid.example"
URL = f"https://{EID}/hello"
RULE = f'  exempt   certificate asks-client-certificate  domain "{EID}", "{NAME}"\n  inspect  any'


def exempting(lab, rule=RULE, **kw):
    return policy(lab, **kw).replace("  inspect  any", rule)


def shown(gw):
    return [(row["name"], row["address"], row["port"]) for answer in gw.show("asking") for row in answer["data"]]


def ours(a):
    return a.issuer.startswith("Perron")


@pytest.fixture
def gw(own_gateway, lab):
    return own_gateway(exempting(lab, workers="1"))


def test_it_is_exempt_on_the_first_attempt_and_remembered(lab, gw):
    syns = lab.syns(EID, 443)
    assert shown(gw) == []
    a = lab.curl("agent", URL)
    assert (a.exit_code, a.status) == (0, 200) and not ours(a), a
    assert lab.syns(EID, 443) == syns + 2      # one to find out, one for the kernel's relay
    assert shown(gw) == [(EID, SITES[EID].v4, 443)]
    assert EID in gw.ctl("show", "asking")
    for n in (1, 2):
        a = lab.curl("pupil", URL)
        assert (a.exit_code, a.status) == (0, 200) and not ours(a), a
        assert lab.syns(EID, 443) == syns + 2 + n
    e = wait_for("its lines", lambda: gw.events(event_type="flow", tls__sni=EID)[2:])[-1]
    assert e["perron"]["mode"] == "exempt" and "asks-client-certificate" in e["perron"]["rule"]
    counters = gw.show("counters")[0]
    assert counters["asking_known"] == 2 and counters["exempt"] == 3 and counters["inspected"] == 0


def test_it_is_bound_to_the_address(lab, gw):
    assert not ours(lab.curl("agent", URL))
    syns = lab.syns(EID, 443)
    assert not ours(lab.curl("agent", URL, ipv=6))
    assert lab.syns(EID, 443) == syns + 2      # its other address has to ask for itself
    assert sorted(shown(gw)) == sorted([(EID, SITES[EID].v4, 443), (EID, SITES[EID].v6, 443)])


def test_by_proxy_it_is_the_address_of_our_own_look_up(lab, gw):
    assert not ours(lab.curl("agent", URL, proxy="http://10.32.0.1:3128"))
    syns = lab.syns(EID, 443)
    a = lab.curl("agent", URL, proxy="http://10.32.0.1:3128")
    assert not ours(a) and a.status == 200 and lab.syns(EID, 443) == syns + 1


def test_another_rule_decides_the_next_flow(lab, gw):
    assert not ours(lab.curl("agent", URL))
    assert gw.reload(exempting(lab, workers="1", web=f'  block domain "{EID}" for pupils'))[0] == 0
    assert shown(gw) == [(EID, SITES[EID].v4, 443)]    # the rule is still there
    assert not ours(lab.curl("agent", URL))
    assert lab.curl("pupil", URL).status == 403
    assert gw.reload(policy(lab, workers="1"))[0] == 0
    assert shown(gw) == []
    a = lab.curl("agent", URL)
    assert ours(a) and a.status == 200, a


def test_who_is_not_meant_is_inspected_and_changes_nothing(lab, own_gateway):
    gw = own_gateway(exempting(lab, RULE.replace("\n", "  for pupils\n", 1), workers="1"))
    assert not ours(lab.curl("pupil", URL))
    a = lab.curl("agent", URL)
    assert ours(a) and a.status == 200, a
    syns = lab.syns(EID, 443)
    assert not ours(lab.curl("pupil", URL)) and lab.syns(EID, 443) == syns + 1


def test_what_the_rule_means_now_counts(lab, own_gateway):
    """The rule is the same after the reload, its category is not."""
    text = exempting(lab, "  exempt certificate asks-client-certificate category cards\n  inspect any", workers="1",
                     settings=f'category cards domain "{EID}"')
    gw = own_gateway(text)
    assert not ours(lab.curl("agent", URL))
    assert gw.reload(text.replace(f'cards domain "{EID}"', 'cards domain "other.example"'))[0] == 0
    a = lab.curl("agent", URL)
    assert ours(a) and a.status == 200, a


def test_an_exemption_that_went_ends_what_runs(lab, gw):
    with lab.tls("agent", lab.connect("agent", SITES[EID].v4, 443), EID) as first:
        assert first.getpeercert()
    with lab.tls("agent", lab.connect("agent", SITES[EID].v4, 443), EID) as tls:
        gw.reload(policy(lab, workers="1"))
        tls.settimeout(5)
        try:
            assert tls.recv(1) == b""
        except OSError:
            pass
    e = gw.event(event_type="flow", perron__reason="policy-changed")
    assert e["perron"]["detail"] == "to-be-inspected"


def test_where_no_rule_names_it_nothing_is_remembered(lab, own_gateway):
    """Else any server could ask its way out of inspection."""
    gw = own_gateway(exempting(lab, workers="1", rule='  exempt certificate asks-client-certificate domain "other.example"\n  inspect any'))
    for _ in range(2):
        a = lab.curl("agent", URL)
        assert ours(a) and a.status == 200, a
    assert shown(gw) == []


def test_it_is_not_had_by_a_name_that_leads_elsewhere(lab, own_gateway):
    """A client's own server that asks, under a name below the rule's for which there is no address: to be decrypted or
    nothing, whatever certificate is allowed; nor under the name itself."""
    gw = own_gateway(exempting(lab, RULE.replace("inspect", "allow certificate wrong-name\n  inspect"), workers="1"))
    below = f"nowhere.{EID}"
    with talkative(lab, "-verify", "1", "-www") as _:
        a = lab.curl("agent", f"https://{below}/", "--resolve", f"{below}:443:{ADDRESS}", "--insecure")
        assert a.exit_code != 0 and not a.issuer, a
        assert gw.event(event_type="flow", tls__sni=below)["perron"]["reason"] == "dns"
        a = lab.curl("agent", URL, "--resolve", f"{EID}:443:{ADDRESS}")
        assert a.status == 200 and gw.event(event_type="flow", tls__sni=EID)["dest_ip"] == SITES[EID].v4
    assert ADDRESS not in [row[1] for row in shown(gw) if row[0] == EID]


# ---- asked in the middle

@contextmanager
def talkative(lab, *options):
    """openssl s_server that does what is typed into it."""
    lab.pki.make(NAME, [NAME], "rsa")
    log = open(lab.folder / "s_server.txt", "wb")
    proc = lab.internet.start("openssl", "s_server", "-accept", f"{ADDRESS}:443", "-cert", lab.pki.folder / f"{NAME}.pem",
                              "-cert_chain", lab.pki.folder / f"{NAME}.pem", "-key", lab.pki.folder / f"{NAME}.key", *options,
                              stdout=log, stderr=log, stdin=subprocess.PIPE)

    def said(what):
        return wait_for(f"s_server to say {what}", lambda: what in (lab.folder / "s_server.txt").read_bytes())

    def types(text):
        proc.stdin.write(text)
        proc.stdin.flush()
    try:
        said(b"ACCEPT")
        yield said, types
    finally:
        end(proc)
        log.close()
        lab.pki.make(NAME, [NAME], "ec")


WAYS = {"renegotiation": (["-tls1_2"], b"R\n"), "post-handshake": (["-tls1_3"], b"c\n")}


def open_flow(lab):
    """A client that takes part in authentication after the handshake (RFC 8446 section 4.6.2), and trusts our CA."""
    sock = lab.connect("agent", ADDRESS, 443)
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    context.post_handshake_auth = True
    return context.wrap_socket(sock, server_hostname=NAME)


@pytest.mark.parametrize("how", WAYS)
def test_one_that_asks_while_a_request_waits_is_ended_by_name(lab, gw, how):
    options, command = WAYS[how]
    with talkative(lab, *options) as (said, types):
        with open_flow(lab) as tls:
            tls.sendall(f"GET /private HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            said(b"GET /private")
            types(command)
            status, headers, _ = read_response(tls.makefile("rb"))
            assert status == 502 and CODE.match(headers["perron-code"])
        e = gw.by_code(headers["perron-code"])[-1]
        assert e["perron"]["reason"] == "asks-late", e
        assert shown(gw) == [(NAME, ADDRESS, 443)]      # the next connection follows the rule
        with open_flow(lab) as tls:
            assert "Perron" not in str(tls.getpeercert()["issuer"])


@pytest.mark.parametrize("how", WAYS)
def test_one_that_asks_between_requests_is_ended_by_name(lab, gw, how):
    options, command = WAYS[how]
    gw.reload(policy(lab, workers="1"))
    with talkative(lab, *options) as (said, types):
        with open_flow(lab) as tls:
            tls.sendall(f"GET /first HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            said(b"GET /first")
            types(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\n")
            assert read_response(tls.makefile("rb"))[0] == 200
            types(command)
            tls.settimeout(5)
            assert tls.recv(100) == b""
        e = gw.event(event_type="flow", perron__reason="asks-late")
        assert e["tls"]["sni"] == NAME
        assert shown(gw) == []                           # no rule names it: the next one is inspected too
        with open_flow(lab) as tls:
            assert "Perron" in str(tls.getpeercert()["issuer"])


def test_one_that_asks_on_http2_is_ended_by_name(lab, gw):
    """RFC 9113 section 9.2.3 forbids it."""
    def asks(peer):
        if peer.until(lambda f: f.kind == HEADERS):
            peer.sock.verify_client_post_handshake()
            peer.rest(5)
    with H2Origin(lab, asks) as origin:
        origin.context.load_verify_locations(str(lab.pki.roots))
        origin.context.post_handshake_auth = True
        origin.context.verify_mode = ssl.CERT_OPTIONAL
        context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
        context.post_handshake_auth = True
        context.set_alpn_protocols(["h2"])
        h2 = H2(context.wrap_socket(lab.connect("agent", ADDRESS, 443), server_hostname=NAME))
        a = h2.answer(h2.request("/private"))
        assert a.status == 502 and gw.by_code(a.fields["perron-code"])[-1]["perron"]["reason"] == "asks-late", a
        h2.close()
    assert shown(gw) == [(NAME, ADDRESS, 443)]
