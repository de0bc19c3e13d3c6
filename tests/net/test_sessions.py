"""Sessions and connections that are used again: towards origins (sessions, verified chains, idle connections), towards
clients (tickets). What is resumed shows no certificate, so every decision is made afresh from what is kept: threats.md
rows 28 (good after bad, bad after good), 46 (another name, another policy) and 59 (0-RTT)."""
import contextlib
import ssl
import subprocess

import pytest

from client import read_response
from gateway import policy
from sites import SITES
from space import end, wait_for


def counters(gw):
    return gw.show("counters")[0]


def grown(gw, before, *names):
    now = counters(gw)
    return tuple(now[n] - before[n] for n in names)


def hello(lab, host="www.school.example", who="agent", **how):
    a = lab.curl(who, f"https://{host}/hello", **how)
    assert (a.exit_code, a.status) == (0, 200), a.error
    return a


# ---- towards origins

@contextlib.contextmanager
def own_origin(lab, kind, *options, name="closed.example"):
    """`openssl s_server` with a certificate of that kind at an address where nobody else listens."""
    stem = lab.pki.folder / f"{name}-{kind}"
    if not stem.with_name(stem.name + ".pem").exists():
        lab.pki.make(stem.name, [name], kind)
    site = SITES[name]
    log = open(lab.folder / f"s_server-{kind}.out", "wb")
    server = lab.internet.start("openssl", "s_server", "-accept", f"{site.v4}:443", "-cert", f"{stem}.pem", "-cert_chain",
                                f"{stem}.pem", "-key", f"{stem}.key", "-www", "-quiet", *options, stdout=log, stderr=log)
    log.close()
    try:
        wait_for("s_server", lambda: ":443" in lab.internet.run("ss", "-Hltn", "src", f"{site.v4}:443"))
        yield
    finally:
        end(server, 5)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_later_connections_to_an_origin_are_resumed_and_told_the_same(lab, own_gateway, version):
    gw = own_gateway(policy(lab, workers="1"))
    with own_origin(lab, "ec", version):
        before = counters(gw)
        seen = [lab.curl("agent", "https://closed.example/") for _ in range(4)]
        assert [a.status for a in seen] == [200] * 4, seen[-1].error
        assert grown(gw, before, "upstream_tls", "upstream_resumed") == (4, 3)
    assert len({a.chain for a in seen}) == 1  # the leaf is the same one
    flows = [e for e in gw.events(tls__sni="closed.example") if "subject" in e["tls"]]
    assert len(flows) >= 3 and len({(f["tls"]["subject"], f["tls"]["issuerdn"]) for f in flows}) == 1, flows


def test_good_after_bad_and_bad_after_good_row_28(lab, own_gateway):
    """What an origin showed before never decides about what it shows now; a session outlives neither."""
    gw = own_gateway(policy(lab, workers="1"))

    def outcome():
        a = lab.curl("agent", "https://closed.example/")
        assert a.exit_code == 0, a.error
        return 200 if a.status == 200 else gw.by_code(a.code)[-1]["perron"]["detail"]

    for version in ("-tls1_3", "-tls1_2"):
        for kind, want in (("expired", "expired"), ("ec", 200), ("expired", "expired"), ("ec", 200),
                           ("unknown-issuer", "unknown-issuer"), ("ec", 200)):
            with own_origin(lab, kind, version):
                assert [outcome() for _ in range(3)] == [want] * 3, (version, kind)


def test_reload_that_leaves_trust_alone_keeps_sessions(lab, own_gateway):
    gw = own_gateway(policy(lab, workers="1"))
    hello(lab)
    for n in range(3):
        status, said = gw.reload(policy(lab, workers="1", web=f'  block domain "nobody{n}.example"\n'))
        assert status == 0, said
        before = counters(gw)
        hello(lab)
        assert grown(gw, before, "upstream_tls", "upstream_resumed") == (1, 1)


def test_resumed_origin_is_judged_by_the_policy_of_now(lab, own_gateway):
    """eid.example asks for a client certificate only in full handshakes: the fact stays with the session."""
    text = policy(lab, workers="1")
    gw = own_gateway(text)
    assert "Province" in hello(lab, "eid.example").chain
    stricter = text.replace("  inspect  any\n", '  exempt   certificate asks-client-certificate  category eid\n'
                            "  inspect  any\n").replace("tls {", 'category  eid  domain "eid.example"\ntls {')
    status, said = gw.reload(stricter)
    assert status == 0, said
    before = counters(gw)
    assert "Province" not in hello(lab, "eid.example").chain
    assert grown(gw, before, "upstream_resumed", "exempt") == (1, 1)


def test_the_names_of_one_server_share_no_session(lab, own_gateway):
    gw = own_gateway(policy(lab, workers="1"))
    hello(lab, "many.example")
    before = counters(gw)
    hello(lab, "a.many.example")
    assert grown(gw, before, "upstream_resumed") == (0,)
    hello(lab, "a.many.example")
    assert grown(gw, before, "upstream_resumed") == (1,)


# ---- towards clients

class Client:
    """A TLS client that keeps what it gets: one context, sessions by hand."""

    def __init__(self, lab, version=None):
        self.lab = lab
        self.context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
        if version:
            self.context.maximum_version = version

    def get(self, sni, session=None, who="agent", site=None):
        """(resumed, session) of a connection with one request."""
        sock = self.lab.connect(who, SITES[site or sni].v4, 443)
        with self.context.wrap_socket(sock, server_hostname=sni, session=session) as tls:
            tls.sendall(f"GET /hello HTTP/1.1\r\nHost: {sni}\r\n\r\n".encode())
            status, _, _ = read_response(tls.makefile("rb"))
            assert status == 200
            return tls.session_reused, tls.session


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_tickets_outlive_workers_and_reloads(lab, own_gateway, version):
    gw = own_gateway(policy(lab))
    client = Client(lab, version)
    resumed, session = client.get("www.school.example")
    assert not resumed and session.has_ticket
    before = counters(gw)
    for _ in range(8):  # whichever worker takes it
        resumed, session = client.get("www.school.example", session)
        assert resumed
    assert grown(gw, before, "client_resumed", "client_tls") == (8, 8)
    assert gw.reload(policy(lab, web='  block domain "nobody.example"\n'))[0] == 0
    resumed, session = client.get("www.school.example", session)
    assert resumed
    old = gw.pids("worker")
    for pid in old:
        gw.kill(pid)
    wait_for("new workers", lambda: gw.ready() and not set(gw.pids("worker")) & set(old))
    assert client.get("www.school.example", session)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_ticket_for_another_name_zone_or_ca_is_not_taken_row_46(lab, own_gateway, version):
    text = policy(lab, workers="1").replace("zone  lan      network 10.32.0.0/16, fd10:32::/64",
                                            "zone  lan      network 10.32.2.0/24, fd10:32::/64\n"
                                            "zone  school   network 10.32.1.0/24")
    gw = own_gateway(text)
    client = Client(lab, version)
    session = client.get("many.example")[1]
    assert not client.get("b.many.example", session, site="many.example")[0]
    assert not client.get("many.example", session, who="pupil")[0]
    assert client.get("many.example", client.get("many.example")[1])[0]
    session = client.get("many.example")[1]
    status, said = gw.reload(text.replace("crl.province.example/issuing", "crl.province.example/other"))
    assert status == 0, said
    wait_for("leaves of another kind", lambda: not client.get("many.example", session)[0])


def test_resumed_client_is_decided_anew(lab, own_gateway):
    """A ticket from before the policy forbade the name brings the page and nothing else."""
    gw = own_gateway(policy(lab, workers="1"))
    client = Client(lab)
    session = client.get("www.school.example")[1]
    assert gw.reload(policy(lab, workers="1", web='  block domain "www.school.example"\n'))[0] == 0
    before = len(lab.requests("www.school.example"))
    sock = lab.connect("agent", SITES["www.school.example"].v4, 443)
    with client.context.wrap_socket(sock, server_hostname="www.school.example", session=session) as tls:
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: www.school.example\r\n\r\n")
        assert read_response(tls.makefile("rb"))[0] == 403
    assert len(lab.requests("www.school.example")) == before


def s_client(lab, *options, host="www.school.example"):
    cmd = lab.clients_space.enter("openssl", "s_client", "-connect", f"{SITES[host].v4}:443", "-servername", host,
                                  "-CAfile", lab.clients.store("agent"), "-bind", "10.32.2.10:0", "-ign_eof", *options)
    done = subprocess.run(cmd, input=f"GET /hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    return done.stdout.decode(errors="replace")


def test_early_data_is_never_accepted_row_59(lab, gw):
    session, early = lab.folder / "early.session", lab.folder / "early.txt"
    early.write_bytes(b"GET /hello?early HTTP/1.1\r\nHost: www.school.example\r\n\r\n")
    first = s_client(lab, "-sess_out", session)
    assert "Max Early Data: 0" in first and first.count("Post-Handshake New Session Ticket") == 1, first
    again = s_client(lab, "-sess_in", session, "-early_data", early)
    assert "Reused, TLSv1.3" in again and "200 OK" in again, again
    assert "Early data was not sent" in again or "Early data was rejected" in again, again
    assert not [r for r in lab.requests("www.school.example") if "early" in str(r)]


def test_client_that_took_a_bad_origins_leaf_gets_no_ticket(lab, own_gateway):
    text = policy(lab, workers="1").replace("  inspect  any\n", "  allow    certificate expired\n  inspect  any\n")
    own_gateway(text)
    said = s_client(lab, host="expired.example")
    assert "200 OK" in said and "Post-Handshake New Session Ticket" not in said, said
