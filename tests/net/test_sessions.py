"""Sessions and connections that are used again: towards origins (sessions, verified chains, idle connections), towards
clients (tickets). What is resumed shows no certificate, so every decision is made afresh from what is kept: threats.md
rows 28 (good after bad, bad after good), 46 (another name, another policy) and 59 (0-RTT)."""
import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from client import read_response
from gateway import policy
from sites import SITES
from space import end, wait_for
from test_defects import LAX_CLIENT, NAME, URL, allowing, server, weak_options


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
    server = lab.internet.start_server(site.v4, 443, "openssl", "s_server", "-accept", f"{site.v4}:443", "-cert", f"{stem}.pem",
                                       "-cert_chain", f"{stem}.pem", "-key", f"{stem}.key", "-www", "-quiet", *options,
                                       stdout=log, stderr=log)
    log.close()
    try:
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
    told = lambda: [e for e in gw.events(tls__sni="closed.example") if "subject" in e["tls"]]
    flows = wait_for("their events", lambda: len(told()) >= 3 and told(), 5)
    assert len({(f["tls"]["subject"], f["tls"]["issuerdn"]) for f in flows}) == 1, flows


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_that_an_origin_does_not_resume_are_not_hoarded(lab, own_gateway, version):
    """Each of them holds a certificate chain of its own. A server that starts anew knows nothing of before."""
    gw, seen = own_gateway(policy(lab, workers="1")), []
    for _ in range(5):
        before = counters(gw)
        with own_origin(lab, "ec", version):
            assert lab.curl("agent", "https://closed.example/").status == 200
        assert grown(gw, before, "upstream_tls", "upstream_resumed") == (1, 0)
        seen.append(counters(gw)["origin_sessions"])
    assert 0 < seen[-1] <= 2, seen


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


# ---- origins of weak TLS

def test_an_origin_that_needs_the_weak_offer_is_remembered(lab, own_gateway):
    """The second connection makes it at once, for as long as the rule is there and the origin is no better."""
    rule = "allow certificate weak-tls for agents"
    text = allowing(lab, rule).replace("workers   2", "workers   1")
    gw = own_gateway(text)

    def dials(who="agent"):
        syns = lab.syns(NAME, 443)
        a = lab.curl(who, URL, *LAX_CLIENT)
        return lab.syns(NAME, 443) - syns, a.status, a.issuer.split(" issuing")[0].split(" untrusted")[0] + \
            (" untrusted" if "untrusted" in a.issuer else "")

    with server(lab, "rsa", *weak_options(lab, "cbc")):
        assert dials() == (2, 200, "Perron untrusted")
        assert dials() == (1, 200, "Perron untrusted")
        assert dials("pupil")[:2] == (1, 502)   # whom no rule lets through gets the strong offer alone
        assert gw.show("counters")[0]["weak_tries"] == 1
        assert gw.reload(text.replace(rule, rule.replace("agents", "pupils")))[0] == 0
        assert gw.reload(text)[0] == 0          # the rule was gone, and with it what it had let through
        assert dials() == (2, 200, "Perron untrusted")
    with server(lab, "rsa", "-cipher", "ALL:@SECLEVEL=0"):
        assert dials() == (1, 200, "Perron")    # better now, and not weak for having been
    with server(lab, "rsa", *weak_options(lab, "cbc")):
        assert dials() == (2, 200, "Perron untrusted")


# ---- idle connections with origins

class Origin:
    """A TLS origin in this process: counts connections and requests; each connection serves `lives` requests and then
    does what `dies` says (waits: nothing, close: closes behind the next request's head without an answer)."""

    def __init__(self, lab, name="closed.example", tls=True):
        self.name, self.lives, self.dies = name, 10**9, "close"
        self.extra = b""
        self.requests, self.conns = [], []
        stem = lab.pki.folder / f"{name}-ec"
        if not stem.with_name(stem.name + ".pem").exists():
            lab.pki.make(stem.name, [name], "ec")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
        with lab.internet:
            self.listener = socket.create_server((SITES[name].v4, 443 if tls else 80))
        self.context = context if tls else None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError):
            sock = self.context.wrap_socket(sock, server_side=True) if self.context else sock
            number = len(self.conns)
            self.conns.append(sock)
            stream = sock.makefile("rb")
            for n in range(self.lives + 1):
                head = []
                while (line := stream.readline()) not in (b"\r\n", b""):
                    head.append(line.decode().strip())
                if not head:
                    break
                self.requests.append((number, head[0]))
                if n == self.lives:
                    break
                body = f"connection {number}\n".encode()
                sock.sendall(b"HTTP/1.1 200 OK\r\n" + self.extra + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            sock.close()

    def drop_all(self):
        for sock in self.conns:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.listener.close()
        self.drop_all()


@pytest.fixture
def origin(lab):
    origins = []

    def make(**how):
        origins.append(Origin(lab, **how))
        return origins[-1]
    yield make
    for o in origins:
        o.close()


def ask(lab, who="agent", *options, scheme="https", proxy=None):
    """(status, text) of one request over a connection of its own."""
    a = lab.curl(who, f"{scheme}://closed.example/", *options, proxy=proxy)
    assert a.exit_code == 0, a.error
    return a.status, a.text


@pytest.mark.parametrize("proxy", [None, "http://10.32.0.1:3128"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_client_goes_on_over_its_own_idle_connection(lab, own_gateway, origin, scheme, proxy):
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin(tls=scheme == "https")
    how = {"scheme": scheme, "proxy": proxy}
    for _ in range(4):
        assert ask(lab, **how) == (200, "connection 0\n")
    assert grown(gw, {"pool_hits": 0, "pooled": 0}, "pool_hits", "pooled") == (3, 4)
    assert ask(lab, "pupil", **how) == (200, "connection 1\n")  # another user
    assert ask(lab, **how) == (200, "connection 0\n")
    assert len(o.conns) == 2


def test_the_same_address_of_no_user_is_a_client_too_and_others_are_not(lab, own_gateway, origin):
    text = policy(lab, workers="1", pool=None).replace('user  "p.dupont"  address 10.32.1.10, fd10:32::1:10\n', "")
    own_gateway(text)
    origin()
    assert [ask(lab, "pupil")[1], ask(lab, "pupil")[1], ask(lab)[1]] == ["connection 0\n", "connection 0\n", "connection 1\n"]


def test_pool_shared_is_for_all_and_none_for_nobody(lab, own_gateway, origin):
    text = policy(lab, workers="1", pool=None)
    gw, o = own_gateway(policy(lab, workers="1", pool="shared")), origin()
    assert [ask(lab)[1], ask(lab, "pupil")[1]] == ["connection 0\n"] * 2
    assert gw.reload(text)[0] == 0
    assert ask(lab)[1] == "connection 1\n"  # what was everybody's is nobody's own
    assert gw.reload(policy(lab, workers="1"))[0] == 0
    assert [ask(lab)[1], ask(lab)[1]] == ["connection 2\n", "connection 3\n"]
    assert gw.reload(text)[0] == 0
    assert [ask(lab)[1], ask(lab)[1]] == ["connection 1\n"] * 2
    assert len(o.conns) == 4


def test_certificate_and_request_are_judged_again_on_an_idle_connection(lab, own_gateway, origin):
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin()
    assert ask(lab)[0] == 200
    assert gw.reload(policy(lab, workers="1", pool=None, web='  block domain "closed.example"\n'))[0] == 0
    assert ask(lab)[0] == 403
    assert len(o.requests) == 1


@pytest.mark.parametrize("how", ["request", "answer"])
@pytest.mark.parametrize("setting", ["own", "shared"])
def test_authentication_of_a_connection_keeps_it_with_its_client(lab, own_gateway, origin, how, setting):
    own_gateway(policy(lab, workers="1", pool=setting))
    o = origin()
    o.extra = b"WWW-Authenticate: Negotiate\r\n" if how == "answer" else b""
    words = ["-H", "Authorization: NTLM TlRMTVNTUAABAAAA"] if how == "request" else []
    assert ask(lab, "agent", *words)[1] == "connection 0\n"
    o.extra = b""
    assert ask(lab)[1] == "connection 1\n"
    assert ask(lab)[1] == "connection 1\n"


def test_answer_that_says_close_or_is_not_read_whole_leaves_nothing(lab, own_gateway, origin):
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin()
    o.extra = b"Connection: close\r\n"
    assert [ask(lab)[1], ask(lab)[1]] == ["connection 0\n", "connection 1\n"]
    o.extra = b""
    assert lab.curl("agent", "https://closed.example/", "--max-time", "1", "-H", "Expect: x")
    assert grown(gw, {"pooled": 0}, "pooled")[0] <= 1


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_connection_that_we_said_close_on_is_used_by_nobody(lab, own_gateway, origin, scheme):
    """This origin keeps it open all the same, and would answer on it; another may close at any moment."""
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin(tls=scheme == "https")
    for n in range(2):
        assert ask(lab, "agent", "-H", "Connection: close", scheme=scheme)[1] == f"connection {n}\n"
    assert grown(gw, {"pooled": 0}, "pooled") == (0,) and len(o.conns) == 2


def test_idle_connection_whose_certificate_was_verified_too_long_ago_is_not_used(lab, own_gateway, origin):
    """What was verified holds for 12 hours; then the origin shows its certificate again, on another connection."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    gw, o = own_gateway(policy(lab, workers="1", pool=None), clock=now), origin()
    assert ask(lab)[1] == "connection 0\n"
    for _ in range(11):   # an hour at a time, the most there is
        gw.ctl("simulate", "clock", "--for", "3600")
    assert ask(lab)[1] == "connection 0\n"
    gw.ctl("simulate", "clock", "--for", "3600")
    assert ask(lab)[1] == "connection 1\n"
    assert len(o.conns) == 2


SWAPS = {   # one reload that makes somebody else of the client: what changes, who asks next, under which pool
    "user": ("user  \"a.martin\"  address 10.32.2.10", "user  \"a.martin\"  address 10.32.2.10, 10.32.1.10", "own"),
    "source": ("fd10:32::/64   source keep", "fd10:32::/64", "shared"),
}


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("what", SWAPS)
def test_connection_of_a_client_who_became_another_is_nobodys(lab, own_gateway, origin, scheme, what):
    """A reload gives the address of an open connection to another user, or ends `source keep`: the origin was asked as
    the one before, and sees the first client's address."""
    old, new, pool = SWAPS[what]
    text = policy(lab, workers="1", pool=pool)
    if what == "user":
        after = text.replace('user  "p.dupont"  address 10.32.1.10, fd10:32::1:10\n', 'user  "p.dupont"  address 10.32.3.10\n')
        after = after.replace(old, new)
    else:
        text, after = text.replace(new + "\n", old + "\n", 1), text
    gw, o = own_gateway(text), origin(tls=scheme == "https")
    sock = lab.connect("pupil", SITES["closed.example"].v4, 443 if scheme == "https" else 80)
    port = sock.getsockname()[1]
    sock = lab.tls("pupil", sock, "closed.example") if scheme == "https" else sock
    stream = sock.makefile("rb")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: closed.example\r\n\r\n")
    assert read_response(stream)[2] == b"connection 0\n"
    assert after != text and gw.reload(after)[0] == 0
    stream.close()
    sock.close()
    wait_for("the end of its flow", lambda: gw.events(event_type="flow", src_port=port))
    assert ask(lab, scheme=scheme)[1] == "connection 1\n"
    assert grown(gw, {"pooled": 0}, "pooled") == (1,) and len(o.conns) == 2


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_client_whose_zone_a_reload_took_away_leaves_nothing_in_the_pool(lab, own_gateway, origin, scheme):
    """Its connection with the origin is nobody's, and no worker dies of that."""
    text = policy(lab, workers="1", pool=None)
    gw, o = own_gateway(text), origin(tls=scheme == "https")
    workers = gw.pids("worker")
    sock = lab.connect("agent", SITES["closed.example"].v4, 443 if scheme == "https" else 80)
    port = sock.getsockname()[1]
    sock = lab.tls("agent", sock, "closed.example") if scheme == "https" else sock
    stream = sock.makefile("rb")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: closed.example\r\n\r\n")
    assert read_response(stream)[0] == 200
    assert gw.reload(text.replace("10.32.0.0/16, fd10:32::/64", "10.99.0.0/16"))[0] == 0
    with contextlib.suppress(OSError):
        stream.close()
        sock.close()
    wait_for("the end of its flow", lambda: gw.events(event_type="flow", src_port=port))
    time.sleep(0.3)
    assert gw.pids("worker") == workers and grown(gw, {"pooled": 0}, "pooled") == (0,)
    assert len(o.conns) == 1


def test_redial_of_a_decrypted_client_never_becomes_exempt(lab, own_gateway, origin):
    """Its idle connection was dead, the new one is under way when a reload exempts the name: the request that waits was
    decrypted and goes out as such; the next connection follows the rule."""
    text = policy(lab, workers="1", pool=None)
    gw, o = own_gateway(text), origin()
    o.lives = 1
    assert ask(lab)[1] == "connection 0\n"
    held = (f"add table inet held; add chain inet held in {{ type filter hook prerouting priority -310; }}; "
            f"add rule inet held in ip daddr {SITES['closed.example'].v4} tcp flags & (syn|ack) == syn drop")
    lab.internet.run("nft", held)
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(lab)))
    client.start()
    try:
        wait_for("the second dial", lambda: [f for f in gw.show("flows") if "dial" in str(f)])
        assert gw.reload(text.replace("tls {", 'tls {\n  exempt domain "closed.example"'))[0] == 0
        time.sleep(0.3)
    finally:
        lab.internet.run("nft", "delete table inet held")
    client.join(30)
    assert answers == [(200, "connection 1\n")]
    assert lab.curl("agent", "https://closed.example/", store=lab.pki.roots).status == 200   # exempt: the origin's own leaf


def test_dead_idle_connection_is_noticed(lab, own_gateway, origin):
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin()
    assert ask(lab)[1] == "connection 0\n"
    o.drop_all()
    time.sleep(0.2)
    assert ask(lab)[1] == "connection 1\n"
    assert grown(gw, {"pool_hits": 0}, "pool_hits") == (0,)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_request_on_a_dead_connection_is_asked_once_more_where_that_does_no_harm(lab, own_gateway, origin, scheme):
    """The origin closes when it has read the second request of a connection: a GET is asked anew, a POST is not."""
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin(tls=scheme == "https")
    o.lives = 1
    assert ask(lab, scheme=scheme) == (200, "connection 0\n")
    assert ask(lab, scheme=scheme) == (200, "connection 1\n")
    assert o.requests == [(0, "GET / HTTP/1.1"), (0, "GET / HTTP/1.1"), (1, "GET / HTTP/1.1")]
    status, _ = ask(lab, "agent", "-X", "POST", "-H", "Content-Length: 0", scheme=scheme)
    assert status == 502
    assert o.requests[3:] == [(1, "POST / HTTP/1.1")]
    o.lives = 0  # every connection dies behind its first request: an error, not a third try
    n = len(o.requests)
    assert ask(lab, scheme=scheme)[0] == 502 and len(o.requests) == n + 1
    assert gw.running()


def test_origin_that_turned_bad_is_not_asked_anew_behind_a_good_leaf_row_28(lab, own_gateway, origin):
    """Between the idle connection and the new one the certificate expired: the request gets a page, not an answer."""
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin()
    o.lives = 1
    assert ask(lab)[1] == "connection 0\n"
    lab.pki.make("closed.example-expired", ["closed.example"], "expired")
    o.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    o.context.load_cert_chain(f"{lab.pki.folder}/closed.example-expired.pem", f"{lab.pki.folder}/closed.example-expired.key")
    a = lab.curl("agent", "https://closed.example/")
    assert a.status in (403, 502)
    assert gw.by_code(a.code)[-1]["perron"]["reason"] == "certificate"
    assert o.requests == [(0, "GET / HTTP/1.1")] * 2


@pytest.mark.parametrize("together", [True, False])
def test_plain_client_that_changes_hosts_comes_back_to_its_connection(lab, own_gateway, origin, together):
    gw, o = own_gateway(policy(lab, workers="1", pool=None)), origin(tls=False)
    asked = [f"GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
             for host in ("closed.example", "plain.example", "closed.example", "plain.example")]
    sock = lab.connect("agent", "10.32.0.1", 3128)
    stream, bodies = sock.makefile("rb"), []
    if together:
        sock.sendall(b"".join(asked))
    for one in asked:
        if not together:
            sock.sendall(one)
        status, _, body = read_response(stream)
        bodies.append((status, body.decode()))
    assert bodies == [(200, "connection 0\n"), (200, "hello from plain.example\n")] * 2
    assert len(o.conns) == 1 and grown(gw, {"pool_hits": 0}, "pool_hits") == (2,)
    sock.close()


def test_connect_behind_a_plain_request_on_one_connection(lab, own_gateway):
    """The origin of the plain request is let go before another is dialled; no worker dies of it."""
    gw = own_gateway(policy(lab, pool=None))
    workers = gw.pids("worker")
    sock = lab.connect("agent", "10.32.0.1", 3128)
    sock.sendall(b"GET http://plain.example/hello HTTP/1.1\r\nHost: plain.example\r\n\r\n")
    assert read_response(sock.makefile("rb", buffering=0))[0] == 200
    sock.sendall(b"CONNECT cdn.example:443 HTTP/1.1\r\nHost: cdn.example:443\r\n\r\n")
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += sock.recv(1)
    assert got.startswith(b"HTTP/1.1 200 ")
    tls = lab.tls("agent", sock, "cdn.example")
    tls.sendall(b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n")
    assert read_response(tls.makefile("rb"))[0] == 200
    tls.close()
    assert gw.pids("worker") == workers
