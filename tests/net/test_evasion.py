"""Ways past the filter that begin below HTTP: no SNI, a name that leads elsewhere, rules about addresses."""
import ssl
import time

import pytest

from client import read_response
from gateway import policy
from hostile import ADDRESS, OK, Origin
from sites import SITES


def ask_without_sni(lab, who, address, host, context=None):
    """(status, headers) of one request on a connection that names nobody."""
    sock = lab.connect(who, address, 443)
    context = context or ssl.create_default_context(cafile=str(lab.clients.store(who)))
    context.check_hostname = False
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(sock, server_hostname=None) as tls:
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: " + host.encode() + b"\r\nConnection: close\r\n\r\n")
        status, headers, _ = read_response(tls.makefile("rb"))
        return status, headers


def test_blocked_host_without_sni_and_with_an_allowed_host_field(lab, gw):
    """The names in the origin's certificate are judged where the client gives none."""
    before = len(lab.requests("video.example"))
    status, headers = ask_without_sni(lab, "pupil", SITES["video.example"].v4, "www.school.example")
    assert status == 403 and headers["perron-code"]
    assert len(lab.requests("video.example")) == before
    assert gw.by_code(headers["perron-code"])[0]["perron"]["reason"] == "policy"


def test_host_must_be_one_of_the_certificates_names_where_there_is_no_sni(lab, gw):
    before = len(lab.requests("video.example"))
    status, headers = ask_without_sni(lab, "agent", SITES["video.example"].v4, "www.school.example")
    assert status == 421 and headers["perron-code"]
    assert len(lab.requests("video.example")) == before
    assert ask_without_sni(lab, "agent", SITES["video.example"].v4, "video.example")[0] == 200


def test_wildcard_over_a_public_suffix_names_nobody_without_sni_either_row_7(lab, gw):
    lab.pki.make("suffix", ["*.co.uk", "www.many.example"], "ec")

    def answer(conn):
        while o.head(conn):
            conn.sendall(OK)
    with Origin(lab, answer) as o:
        o.context.load_cert_chain(lab.pki.folder / "suffix.pem", lab.pki.folder / "suffix.key")
        status, headers = ask_without_sni(lab, "agent", ADDRESS, "closed.co.uk")
        assert (status, o.seen) == (421, []) and headers["perron-code"]
        assert ask_without_sni(lab, "agent", ADDRESS, "www.many.example")[0] == 200


@pytest.mark.parametrize("url", ["https://social.example/hello", "http://plain.example/hello"])
def test_a_rule_about_addresses_holds_for_what_a_name_leads_to(own_gateway, lab, url):
    """The client need not have said the address: it is judged before it is dialled, by proxy too."""
    sites = [SITES["social.example"], SITES["plain.example"]]
    addresses = ", ".join(a for s in sites for a in (s.v4, s.v6))
    own_gateway(policy(lab, web=f"  block any to {addresses}"))
    host = url.split("/")[2]
    before = lab.syns(host)
    for proxy in (None, "http://10.32.0.1:3128"):
        answer = lab.curl("agent", url, proxy=proxy)
        assert answer.status == 403, (proxy, answer)
    assert lab.syns(host) == before
    # a name that is asked for at another address than its own
    elsewhere = SITES["cdn.example"].v4
    port = 443 if url.startswith("https") else 80
    answer = lab.curl("agent", url, "--resolve", f"{host}:{port}:{elsewhere}")
    assert answer.status == 403, answer
    assert lab.syns(host) == before


def test_logger_down_has_its_own_answer(own_gateway, lab):
    from test_load import fill_the_log, stop_the_logger
    gw = own_gateway(policy(lab, settings="on journal-full hold\non logger-down allow for agents", workers="1"))
    stop_the_logger(gw, 25)
    sock, seen = fill_the_log(lab, 40000)
    sock.close()
    assert seen == 40000
    begun = time.monotonic()
    assert lab.curl("pupil", "http://plain.example/hello", "--max-time", "3").status == 0
    assert time.monotonic() - begun > 2  # no answer is named for pupils: the default holds


def test_an_exempt_network_is_not_had_by_claiming_its_address(own_gateway, lab):
    """`exempt to NETWORK` counts for where the flow really goes: our look-up's address, not the client's claim."""
    bank = SITES["www.bank.example"].v4
    own_gateway(policy(lab).replace("tls {", f"tls {{\n  exempt to {bank}"))
    answer = lab.curl("agent", "https://www.school.example/hello", "--resolve", f"www.school.example:443:{bank}")
    assert answer.status == 200 and "Perron" in answer.issuer, answer


def test_an_open_connection_stays_in_its_zone_over_a_reload(own_gateway, lab):
    """Zones of another policy have other numbers; the guest's next request is still a guest's."""
    text = policy(lab)
    gw = own_gateway(text)
    sock = lab.connect("guest", SITES["plain.example"].v4, 80)
    ask = b"GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n"
    stream = sock.makefile("rb")
    sock.sendall(ask % b"plain.example")
    assert read_response(stream)[0] == 200
    lines = text.splitlines()
    zones = [line for line in lines if line.startswith("zone ")]
    swapped = "\n".join(zones.pop() if line.startswith("zone ") else line for line in lines)
    assert gw.reload(swapped)[0] == 0
    sock.sendall(ask % b"social.example")  # blocked from guests alone
    status, headers, _ = read_response(stream)
    sock.close()
    assert status == 403
    assert gw.by_code(headers["perron-code"])[0]["perron"]["zone"] == "guests"


def test_an_allowed_defect_is_never_re_signed_as_good(own_gateway, lab):
    """The client's own warning stays: no authority that it knows has signed the leaf."""
    own_gateway(policy(lab).replace("tls {", "tls {\n  allow certificate expired for agents"))
    answer = lab.curl("agent", "https://expired.example/hello")
    assert answer.exit_code == 60 and answer.status == 0, answer
    answer = lab.curl("agent", "https://expired.example/hello", "--insecure")
    assert answer.status == 200 and answer.issuer.startswith("Perron untrusted"), answer
    assert lab.curl("pupil", "https://expired.example/hello").status == 403
    assert lab.curl("agent", "https://selfsigned.example/hello").status == 403
