"""Revocation as it happens: staples, lists that the fetcher gets, missing issuers, and what is refused to be fetched. Real
nginx behind a real gateway; the authorities' lists come from a web server of their own. Threats 15, 25-28, 141."""
import datetime
import os
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chainlab import Origins, Web, write_one
from chains import NOW, Case, Maker, Set, days, pem
from client import read_response
from der import basic, crl_at, ext, issuer_at, issuer_id, must_staple, revocations, seq, subject_id, tlv, usage
from space import wait_for
from test_chains import chain_policy

WEEK = (days(-1), days(6))


@pytest.fixture(scope="module")
def cases():
    return Set()


@pytest.fixture
def web(lab, tmp_path):
    server = Web(lab, tmp_path / "web")
    yield server
    server.stop()


@pytest.fixture
def origins(lab, cases, tmp_path):
    where = Origins(lab, tmp_path / "origins")
    where.show(cases, [])
    yield where
    where.stop()


class Authority(Maker):
    """One whose certificate and leaves point to lists at pki.example, and which publishes them."""

    def __init__(self, root, web, name, **how):
        self.web, self.file = web, f"{name}.crl"
        super().__init__(f"Listed {name}", parent=root, serial=9001, more=[crl_at(f"{web.url}root-{name}.crl")], **how)
        self.root_file = f"root-{name}.crl"

    def publish(self, serials=(), times=WEEK, **how):
        self.web.put(self.file, revocations(self.name, self.key, times, list(serials), **how))

    def publish_root(self, serials=(), times=WEEK, **how):
        self.web.put(self.root_file, revocations(self.parent.name, self.parent.key, times, list(serials), **how))

    def case(self, label, serial, above=None, more=(), file=None):
        host = f"{label}.chains.example"
        der, key = self.leaf([host], serial=serial, more=[crl_at(self.web.url + (file or self.file)), *more])
        return Case(label, 26, "", host, [der, *(self.above() if above is None else above)], key)


def start(origins, *shown):
    for case in shown:
        write_one(origins, case)
    origins.start(list(shown))


def listed(origins, web, cases, label):
    """An authority that has revoked the leaf which an origin shows, and that origin's case."""
    ca = Authority(cases.root, web, label)
    ca.publish([31])
    ca.publish_root()
    case = ca.case(f"{label}-revoked", 31)
    start(origins, case)
    return ca, case


def visit_until_refused(origins, case):
    """The first visit has the list fetched."""
    origins.curl("agent", case)
    wait_for("the refusal", lambda: origins.curl("agent", case).status == 403, 20)


def lists(gw):
    """Lists that the fetcher has taken, as its log says."""
    return [line for line in gw.said().splitlines() if "revocation list" in line and "not taken" not in line]


def refusals(gw):
    return [line.rsplit(": ", 1)[1] for line in gw.said().splitlines() if "not taken" in line]


def fetcher(gw):
    return next(p["process"] for p in gw.show("processes") if p["process"]["role"] == "fetcher")


def counter(gw, name):
    rows = gw.show("counters")
    return sum(r.get("counters", r).get(name, 0) for r in rows)


# ---- lists

def test_a_revoked_leaf_is_refused_once_its_list_is_there(lab, own_gateway, origins, web, cases):
    """The first visit finds revocation unknown and is let through; the list arrives, and the second is refused."""
    ca = Authority(cases.root, web, "one")
    ca.publish([5, 4711, 6])
    ca.publish_root()
    bad, good = ca.case("list-revoked", 4711), ca.case("list-good", 4712)
    start(origins, bad, good)
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", good).status == 200
    wait_for("both lists", lambda: len(lists(gw)) == 2, 10)
    wait_for("the refusal", lambda: origins.curl("agent", bad).status == 403, 5)
    before = len(origins.requests("list-revoked"))
    for _ in range(3):
        a = origins.curl("agent", bad)
        assert a.status == 403
        assert origins.curl("agent", good).status == 200
    assert len(origins.requests("list-revoked")) == before
    assert gw.event(tls__sni=bad.host, perron__reason="certificate")["perron"]["defect"].startswith("revoked")


def test_a_revoked_intermediate_takes_its_leaves_along(lab, own_gateway, origins, web, cases):
    ca = Authority(cases.root, web, "inter")
    ca.publish([])
    ca.publish_root([9001])
    case = ca.case("inter-revoked", 1)
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    origins.curl("agent", case)
    wait_for("the refusal", lambda: origins.curl("agent", case).status == 403, 10)
    assert gw.event(tls__sni=case.host, perron__reason="certificate")["perron"]["defect"].startswith("revoked")


def test_open_flows_are_judged_again_when_the_list_arrives(lab, own_gateway, origins, web, cases):
    """A download runs while its certificate turns out to be revoked: it is broken off, with the reason."""
    ca = Authority(cases.root, web, "open")
    case = ca.case("open-revoked", 77)
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    ca.publish([77])
    ca.publish_root()
    web.put(f"{ca.file}.slow", "1.5")
    a = origins.curl("agent", case, path="/slow")
    assert a.status == 200 and a.exit_code != 0, "broken off in the middle"
    assert len(a.body) < 1 << 20
    e = gw.event(tls__sni=case.host)
    assert (e["perron"]["reason"], e["perron"]["detail"], e["perron"]["defect"]) == ("certificate", "revoked", "revoked")


def test_what_is_revoked_and_allowed_keeps_the_clients_warning(lab, own_gateway, origins, web, cases):
    """A connection that our CA vouched for before the list came ends; the next one has the untrusted CA's leaf."""
    ca = Authority(cases.root, web, "allowed")
    case = ca.case("allowed-revoked", 31)
    ca.publish([31])
    ca.publish_root()
    web.put(f"{ca.file}.slow", "1.5")
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder, rules="  allow certificate revoked\n"))
    with lab.tls("agent", lab.connect("agent", origins.address(case), 443), case.host) as tls:
        assert "Perron issuing" in str(tls.getpeercert()["issuer"])
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {case.host}\r\n\r\n".encode())
        assert read_response(tls.makefile("rb"))[0] == 200
        wait_for("the warning", lambda: origins.curl("agent", case).exit_code == 60, 20)
        tls.settimeout(5)
        assert tls.recv(100) == b""
    a = origins.curl("agent", case, "--insecure")
    assert (a.status, a.issuer[:16]) == (200, "Perron untrusted"), a
    assert gw.event(event_type="flow", perron__reason="certificate", perron__detail="revoked")


@pytest.mark.parametrize("label, why, how", [
    ("wrong-key", "wrong-signature", {"key": True}),
    ("spoilt", "wrong-signature", {"spoil": True}),
    ("sha1", "weak-or-unknown-signature", {"digest": "sha1"}),
    ("expired", "expired", {"times": (days(-20), days(-1))}),
    ("future", "not-yet-valid", {"times": (days(2), days(9))}),
    ("delta", "delta-list", {"exts": [ext("2.5.29.27", b"\x02\x01\x01", True)]}),
    ("indirect", "indirect-list", {"exts": [ext("2.5.29.28", seq(tlv(0x84, b"\xff")), True)]}),
    ("reasons", "some-reasons-only", {"exts": [ext("2.5.29.28", seq(tlv(0x83, b"\x06\x40")), True)]}),
    ("authorities", "another-scope", {"exts": [ext("2.5.29.28", seq(tlv(0x82, b"\xff")), True)]}),
    ("critical", "unknown-critical-extension", {"exts": [ext("1.2.3.4", b"\x05\0", True)]}),
    ("garbage", "malformed", {"raw": b"<html>no list</html>"}),
    ("cut", "malformed", {"cut": True}),
    ("huge", "too-large", {"raw": bytes((64 << 20) + 1)}),
    ("missing", "not-found", {"none": True}),
])
def test_a_list_that_may_not_count_does_not(lab, own_gateway, origins, web, cases, label, why, how):
    ca = Authority(cases.root, web, label)
    case = ca.case(f"bad-{label}", 4711)
    data = revocations(ca.name, cases.web.key if how.pop("key", False) else ca.key, how.pop("times", WEEK), [4711],
                       **{k: v for k, v in how.items() if k in ("spoil", "digest", "exts")})
    if not how.get("none"):
        web.put(ca.file, how.get("raw") or (data[:-9] if how.get("cut") else data))
    ca.publish_root()
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", case).status == 200
    wait_for("the refusal of the list", lambda: why in refusals(gw), 10)
    wait_for("the other list", lambda: len(lists(gw)) == 1, 10)
    assert origins.curl("agent", case).status == 200


def test_an_older_list_never_replaces_a_newer(lab, own_gateway, origins, web, cases):
    """RFC 5280 section 5.2.3. The clock is set ahead, so that the list is fetched again at half its life."""
    hours = lambda a, b: (NOW + datetime.timedelta(hours=a), NOW + datetime.timedelta(hours=b))
    ca = Authority(cases.root, web, "order")
    ca.publish([31], number=5, times=hours(-1, 2))
    ca.publish_root()
    case = ca.case("order-revoked", 31)
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder), clock=datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ"))
    origins.curl("agent", case)
    wait_for("the refusal", lambda: origins.curl("agent", case).status == 403, 10)
    ca.publish([], number=4, times=hours(-1, 2))
    gw.ctl("simulate", "clock", "--for", "3000")
    wait_for("the refusal of the older list", lambda: "older-than-the-one-in-force" in refusals(gw), 20)
    assert origins.curl("agent", case).status == 403
    ca.publish([], number=6, times=hours(-1, 2))
    gw.ctl("simulate", "clock", "--for", "1000")
    wait_for("the newer list", lambda: origins.curl("agent", case).status == 200, 20)


def test_lists_survive_a_restart_and_the_end_of_the_fetcher(lab, own_gateway, origins, web, cases):
    ca, case = listed(origins, web, cases, "kept")
    gw = own_gateway(chain_policy(lab, origins.folder))
    visit_until_refused(origins, case)
    row = fetcher(gw)
    assert row["uid"] == 64807
    os.kill(row["pid"], 9)
    wait_for("another fetcher", lambda: fetcher(gw)["pid"] not in (0, row["pid"]) and fetcher(gw)["state"] == "ready", 5)
    assert origins.curl("agent", case).status == 403
    gw.stop()
    shown = {r["list"]["url"]: r["list"] for r in gw.show("revocation")}
    assert shown[web.url + ca.file]["entries"] == 1 and not shown[web.url + ca.file]["out_of_date"]
    assert shown[web.url + ca.root_file]["authorities"]
    assert web.url + ca.file in gw.ctl("show", "revocation")
    web.clear()
    gw.start()
    assert origins.curl("agent", case).status == 403, "known from the first connection on"


def test_lists_that_could_not_be_written_are_tried_again(lab, own_gateway, origins, web, cases):
    """As on a disk that was full when they came: once there is room they are written, and it was said once."""
    _, case = listed(origins, web, cases, "unwritten")
    gw = own_gateway(chain_policy(lab, origins.folder))
    (gw.state / "revoked.set").mkdir()
    visit_until_refused(origins, case)
    wait_for("the attempt", lambda: "revoked.set cannot be written" in gw.said(), 15)
    assert not list(gw.state.glob("revoked*new")), "takes room on a full disk"
    (gw.state / "revoked.set").rmdir()
    gw.stop()
    assert (gw.state / "revoked.set").stat().st_size > 0
    assert gw.said().count("revoked.set cannot be written") == 1


# ---- revocation unknown

def test_unknown_is_blocked_where_policy_says_so(lab, own_gateway, origins, web, cases):
    """With `on revocation-unknown block` the first visit waits for the list; where there is none it is refused."""
    ca = Authority(cases.root, web, "must")
    ca.publish([])
    ca.publish_root()
    good, never = ca.case("must-known", 1), ca.case("must-never", 2, file="nowhere.crl")
    no_pointer = Case("must-none", 26, "", "must-none.chains.example", *(lambda d, k: ([d, *cases.web.above()], k))(
        *cases.web.leaf(["must-none.chains.example"])))
    start(origins, good, never, no_pointer)
    gw = own_gateway(chain_policy(lab, origins.folder, settings="on revocation-unknown block"))
    assert origins.curl("agent", good).status == 200, gw.said()
    for case in (never, no_pointer):
        a = origins.curl("agent", case)
        assert (a.status, origins.requests(case.name)) == (403, [])
        e = gw.event(tls__sni=case.host)
        assert (e["perron"]["reason"], e["perron"]["detail"]) == ("certificate", "revocation-unknown")


# ---- staples

@pytest.mark.parametrize("tls", ["TLSv1.2", "TLSv1.3"])
def test_staples_are_asked_for_and_judged(lab, own_gateway, cases, tmp_path, tls):
    """Rows 25 and 27, with either version of TLS; a good staple makes revocation known without any list."""
    origins = Origins(lab, tmp_path / "origins", tls=tls)
    own = Maker("No Lists", parent=cases.root_rsa)
    rows = []
    for label, status, exts, how, want in (
            ("good", "good", [], {}, 200), ("revoked", "revoked", [], {}, 403),
            ("must-good", "good", [must_staple()], {}, 200),
            ("must-late", "good", [must_staple()], {"until": -1}, 403),
            ("must-none", None, [must_staple()], {}, 403)):
        host = f"staple-{label}.chains.example"
        der, key = own.leaf([host], more=exts)
        staple = cases.statement(der, own, status, **how) if status else None
        rows.append((Case(f"staple-{label}", 25, "", host, [der, own.der], key, staple=staple), want))
    origins.show(cases, [])
    start(origins, *[c for c, _ in rows])
    gw = own_gateway(chain_policy(lab, origins.folder))
    for case, want in rows:
        for _ in range(2):      # the second time from the caches
            assert origins.curl("agent", case).status == want, case.name
        if want != 200:
            assert origins.requests(case.name) == []
    assert gw.event(tls__sni="staple-revoked.chains.example", perron__reason="certificate")["perron"]["defect"].startswith("revoked")
    assert gw.event(tls__sni="staple-must-none.chains.example")["perron"]["defect"] == "no-staple"
    assert gw.event(tls__sni="staple-must-late.chains.example", perron__reason="certificate")["perron"]["revocation"] == \
        "unknown, out-of-date"
    assert gw.event(tls__sni="staple-must-good.chains.example")["perron"]["revocation"] in ("good, good", "unknown, good")
    # What a session was begun with holds when it is resumed, a staple seen before needs no second look.
    assert counter(gw, "staples_cached") + counter(gw, "upstream_resumed") >= 2
    assert not [e for e in gw.events(tls__sni="staple-must-good.chains.example") if "defect" in e["perron"]]
    origins.stop()


@pytest.mark.parametrize("tls", ["TLSv1.2", "TLSv1.3"])
def test_a_bad_staple_ends_the_sessions_of_before(lab, own_gateway, cases, tmp_path, tls):
    """Row 28: what was begun under a good staple is not resumed any more once a revoked one was seen."""
    origins = Origins(lab, tmp_path / "origins", tls=tls)
    own = Maker("Turning Lists", parent=cases.root_rsa)
    host = "turning.chains.example"
    der, key = own.leaf([host])

    def serve(status, letter):
        case = Case("turning", 28, "", host, [der, own.der], key, staple=cases.statement(der, own, status))
        origins.seal_with(letter)
        start(origins, case)
        return case

    origins.show(cases, [])
    case = serve("good", "a")
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", case).status == 200
    assert origins.curl("agent", case).status == 200 and counter(gw, "upstream_resumed") == 1
    serve("revoked", "b")   # nobody can open the tickets of before: a full handshake, with its staple
    assert origins.curl("agent", case).status == 403
    serve("revoked", "a")
    assert origins.curl("agent", case).status == 403 and counter(gw, "upstream_resumed") == 1
    origins.stop()


def test_a_staple_beneath_a_bad_chain_is_kept_for_nobody(lab, own_gateway, origins, cases):
    """Its issuer is whoever a stranger says."""
    stranger = Maker("Stapling Stranger")
    host = "staple-stranger.chains.example"
    der, key = stranger.leaf([host])
    case = Case("staple-stranger", 25, "", host, [der, stranger.der], key, staple=cases.statement(der, stranger))
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    for _ in range(2):
        assert origins.curl("agent", case).status == 403
    assert counter(gw, "staples_cached") == 0 and origins.requests(case.name) == []


def test_must_staple_is_policys_to_lift(lab, own_gateway, origins, cases):
    """Row 27: allowed by a rule, and re-signed by nobody whom a client trusts."""
    der, key = cases.web.leaf(["lifted.chains.example"], more=[must_staple()])
    case = Case("lifted", 27, "", "lifted.chains.example", [der, *cases.web.above()], key)
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder, rules="  allow certificate no-staple\n"))
    assert origins.curl("agent", case).exit_code == 60
    a = origins.curl("agent", case, "--insecure")
    assert (a.status, a.text) == (200, "hello from lifted\n")
    assert any(e["perron"].get("defect") == "no-staple" for e in gw.events(tls__sni=case.host))


# ---- missing issuers

def pointed(web, maker, label, file):
    host = f"{label}.chains.example"
    der, key = maker.leaf([host], more=[issuer_at(web.url + file)])
    return Case(label, 15, "", host, [der], key)


@pytest.mark.parametrize("form", ["der", "pem", "p7c"])
def test_a_missing_issuer_is_fetched_and_remembered(lab, own_gateway, origins, web, cases, form):
    """Row 15: the chain is completed on the first attempt, and the second asks nobody."""
    ca = Maker(f"Fetched {form}", parent=cases.root_rsa, kind="rsa2048")
    data = ca.der if form == "der" else pem(ca.der)
    if form == "p7c":
        from cryptography.hazmat.primitives.serialization import pkcs7
        data = pkcs7.serialize_certificates([x509.load_der_x509_certificate(d) for d in (cases.web.der, ca.der)],
                                            serialization.Encoding.DER)
    web.put(f"ca.{form}", data)
    case = pointed(web, ca, f"aia-{form}", f"ca.{form}")
    second = pointed(web, ca, f"aia-again-{form}", f"ca.{form}")
    start(origins, case, second)
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", case).status == 200, gw.said()
    assert origins.curl("agent", second).status == 200
    assert len(web.requests(f"ca.{form}")) == 1
    assert counter(gw, "chains_completed") >= 2


def test_two_missing_issuers_are_fetched_one_after_the_other(lab, own_gateway, origins, web, cases):
    upper = Maker("Fetched Upper", parent=cases.root)
    lower = Maker("Fetched Lower", parent=upper, more=[issuer_at(web.url + "upper.der")])
    web.put("upper.der", upper.der)
    web.put("lower.der", lower.der)
    case = pointed(web, lower, "aia-two", "lower.der")
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", case).status == 200, gw.said()


def test_an_issuer_of_the_same_name_is_not_taken_for_the_one_that_signed(lab, own_gateway, origins, web, cases):
    """Two authorities of one name and one key identifier, with keys of their own. Each completes what it signed."""
    pairs, known_as = [], Maker("Twin", parent=cases.root).key
    for n, file in ((1, "one.der"), (2, "two.der")):
        ca = Maker("Twin", parent=cases.root, number=n,
                   exts=[basic(True), usage(5, 6), subject_id(known_as), issuer_id(cases.root.key)])
        web.put(file, ca.der)
        host = f"twin-{n}.chains.example"
        der, key = ca.leaf([host], more=[issuer_at(web.url + file)], aki=issuer_id(known_as))
        pairs.append(Case(f"twin-{n}", 15, "", host, [der], key))
    start(origins, *pairs)
    gw = own_gateway(chain_policy(lab, origins.folder))
    for case in (*pairs, *pairs):
        assert origins.curl("agent", case).status == 200, (case.name, gw.said())


def test_what_is_no_issuer_completes_nothing(lab, own_gateway, origins, web, cases):
    ca, other = Maker("Wanted", parent=cases.root), Maker("Wanted", parent=cases.root, number=2)
    assert ca.key is not other.key
    stranger = Maker("Stranger Root")
    web.put("other.der", other.der)
    web.put("junk.der", b"\x30\x82junk" * 100)
    web.put("stranger.der", stranger.der)
    rows = [pointed(web, ca, "aia-other", "other.der"), pointed(web, ca, "aia-junk", "junk.der"),
            pointed(web, ca, "aia-nothing", "nothing.der"), pointed(web, stranger, "aia-stranger", "stranger.der")]
    start(origins, *rows)
    gw = own_gateway(chain_policy(lab, origins.folder))
    for case in rows:
        assert origins.curl("agent", case).status == 403, case.name
        assert origins.requests(case.name) == []
        assert gw.event(tls__sni=case.host)["perron"]["defect"].startswith("unknown-issuer"), case.name


def test_a_slow_issuer_holds_nobody_for_long(lab, own_gateway, origins, web, cases):
    ca = Maker("Slow", parent=cases.root)
    web.put("slow.der", ca.der)
    web.put("slow.der.slow", "20")
    case = pointed(web, ca, "aia-slow", "slow.der")
    start(origins, case)
    own_gateway(chain_policy(lab, origins.folder))
    before = time.monotonic()
    assert origins.curl("agent", case).status == 403
    assert 2.5 < time.monotonic() - before < 5


# ---- where the fetcher does not go

@pytest.mark.parametrize("url, why", [
    ("http://loopback.example/x.crl", "forbidden-address"),
    ("http://127.0.0.1/x.crl", "forbidden-address"),
    ("http://inside.example/x.crl", "forbidden-address"),
    ("http://metadata.example/x.crl", "forbidden-address"),
    ("http://169.254.169.254/latest/x", "forbidden-address"),
    ("http://192.0.2.1/x.crl", "forbidden-address"),           # the gateway's own, outside
    ("http://10.32.1.10/x.crl", "forbidden-address"),          # a client
    ("http://[::1]/x.crl", "forbidden-address"),
    ("http://pki.example:22/x.crl", "forbidden-port"),
    ("http://pki.example:3128/x.crl", "forbidden-port"),
    ("http://nowhere.example/x.crl", "no-such-host"),
    ("http://pki.example/to-loopback", "forbidden-address"),   # by a redirect
    ("http://pki.example/to-https", "no-http-url"),
    ("http://pki.example/round", "too-many-redirects"),
])
def test_the_fetcher_goes_nowhere_inside(lab, own_gateway, origins, web, cases, url, why):
    """Row 141: certificates are strangers' words, and so is what they point to; every redirect is looked at again."""
    web.put("to-loopback.redirect", "http://127.0.0.1/x.crl")
    web.put("to-https.redirect", "https://pki.example/x.crl")
    web.put("round.redirect", "/round")
    ca = Maker("Pointing", parent=cases.root)
    host = "pointing.chains.example"
    der, key = ca.leaf([host], more=[crl_at(url)])
    case = Case("pointing", 141, "", host, [der, ca.der], key)
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    assert origins.curl("agent", case).status == 200
    wait_for(f"the refusal; it said {refusals(gw)}", lambda: why in refusals(gw), 10)


def test_a_stranger_makes_the_fetcher_fetch_nothing(lab, own_gateway, origins, web, cases):
    """Row 141: a chain that ends in no anchor of ours says nothing that is followed, but for its missing issuer; and an
    issuer is looked for only where nothing else is wrong."""
    stranger = Maker("Stranger Pointing")
    below = Maker("Stranger Below", parent=stranger, more=[crl_at(web.url + "below.crl")])
    host = "stranger.chains.example"
    der, key = below.leaf([host], more=[crl_at(web.url + "leaf.crl"), issuer_at(web.url + "issuer.der")])
    complete = Case("stranger", 141, "", host, [der, below.der, stranger.der], key)
    late, key = cases.root.leaf(["late.chains.example"], times=(days(-9), days(-1)), signer=below.key,
                                aki=None, more=[issuer_at(web.url + "late.der")])
    expired = Case("late", 141, "", "late.chains.example", [late], key)
    start(origins, complete, expired)
    gw = own_gateway(chain_policy(lab, origins.folder))
    for case in (complete, expired):
        assert origins.curl("agent", case).status == 403
    time.sleep(1)
    assert web.requests() == [] and refusals(gw) == []


def test_private_addresses_are_fetched_from_only_where_policy_allows(lab, own_gateway, origins, cases, tmp_path):
    """A list at an address of a private network, which the internet side of the laboratory has for this test."""
    lab.internet.ip(["addr replace 172.16.9.9/32 dev lo"])
    ca = Maker("Private", parent=cases.root)
    host = "private.chains.example"
    der, key = ca.leaf([host], more=[crl_at("http://172.16.9.9/private.crl")], serial=12)
    case = Case("private", 141, "", host, [der, ca.der], key)
    server = Web(lab, tmp_path / "private", address="172.16.9.9")
    server.put("private.crl", revocations(ca.name, ca.key, WEEK, [12]))
    start(origins, case)
    gw = own_gateway(chain_policy(lab, origins.folder))
    origins.curl("agent", case)
    wait_for("the refusal", lambda: "forbidden-address" in refusals(gw), 10)
    assert server.requests() == []
    gw.stop()
    text = chain_policy(lab, origins.folder).replace("private-destinations  block", "private-destinations  allow")
    gw = own_gateway(text)
    origins.curl("agent", case)
    wait_for("the list", lambda: lists(gw), 10)
    wait_for("revoked", lambda: origins.curl("agent", case).status == 403, 5)
    server.stop()
    lab.internet.ip(["addr del 172.16.9.9/32 dev lo"])


