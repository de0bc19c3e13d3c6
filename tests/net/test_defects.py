"""Defects of origins by policy: each is blocked unless a rule allows it, and an allowed one is re-signed by the untrusted CA
(threats.md rows 1, 2, 4, 11, 13, 23, 24, 28, 52), weak TLS by a second attempt (rows 37, 40, 41, 44). The origins are
`openssl s_server`."""
import re
import ssl
import subprocess
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from gateway import CODE, policy
from hostile import ADDRESS, NAME, Origin
from sites import SITES
from space import end, wait_for

URL = f"https://{NAME}/"
PROXY = "http://10.32.0.1:3128"


@contextmanager
def server(lab, flavour="ec", *options):
    """openssl s_server under a certificate of this flavour; what it prints is in the folder's s_server.txt."""
    lab.pki.make(NAME, [NAME], flavour)
    log = open(lab.folder / "s_server.txt", "wb")
    proc = lab.internet.start("openssl", "s_server", "-accept", f"{ADDRESS}:443", "-www", "-cert", lab.pki.folder / f"{NAME}.pem",
                              "-cert_chain", lab.pki.folder / f"{NAME}.pem", "-key", lab.pki.folder / f"{NAME}.key", *options,
                              stdout=log, stderr=log)
    try:
        wait_for("s_server", lambda: b"ACCEPT" in (lab.folder / "s_server.txt").read_bytes() or proc.poll() is not None)
        assert proc.poll() is None, (lab.folder / "s_server.txt").read_text()
        yield proc
    finally:
        end(proc)
        log.close()
        lab.pki.make(NAME, [NAME], "ec")


def allowing(lab, *rules):
    return policy(lab).replace("tls {", "tls {\n" + "".join(f"  {r}\n" for r in rules))


def subject(answer):
    return re.search(r"^Subject:(.*)$", answer.chain, re.M).group(1)


def block_page(a):
    return a.exit_code == 0 and a.status in (403, 502) and CODE.match(a.code)


WEAK = ["-cipher", "ALL:@SECLEVEL=0"]
FLAVOURS = {"expired": [], "not-yet-valid": [], "wrong-name": [], "self-signed": [], "unknown-issuer": [],
            "weak-key": WEAK, "weak-signature": WEAK}
ALL = "allow certificate " + ", ".join(FLAVOURS) + " for agents"


@pytest.fixture(scope="module")
def lenient(lab):
    """A gateway where agents may go to all defects, and to weak TLS, and pupils to none."""
    if lab.shared:
        lab.shared.stop()
        lab.open_again()
    gw = lab.gateway(allowing(lab, ALL, "allow certificate weak-tls for agents", "block certificate weak-tls for pupils"))
    yield gw
    gw.stop()
    lab.gateways.remove(gw)
    lab.open_again()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_defect_is_blocked_or_keeps_the_clients_own_warning(lab, lenient, flavour):
    with server(lab, flavour, *FLAVOURS[flavour]):
        blocked = lab.curl("pupil", URL)
        assert block_page(blocked) and blocked.issuer.startswith("Perron issuing"), blocked
        e = lenient.by_code(blocked.code)[-1]
        assert e["perron"]["reason"] == "certificate" and flavour in str(e["perron"]), e
        strict = lab.curl("agent", URL)
        assert strict.exit_code == 60 and strict.status == 0, strict
        lax = lab.curl("agent", URL, "--insecure")
        assert (lax.exit_code, lax.status) == (0, 200), lax
        assert lax.issuer.startswith("Perron untrusted"), lax.issuer
        assert f"not verified: {flavour}" in subject(lax) or flavour in subject(lax), subject(lax)
        assert lax.names == ("DNS:another.example" if flavour == "wrong-name" else f"DNS:{NAME}"), lax.names
        assert (lax.exit_code, lab.curl("pupil", URL).issuer[:14]) == (0, "Perron issuing")
        e = lenient.event(event_type="flow", perron__reason="done", perron__defect=flavour)
        assert e["perron"]["action"] == "inspect" and e["perron"]["mode"] == "inspected"


def test_an_allowed_defect_is_the_same_on_every_way(lab, lenient):
    """Over HTTP/2 and HTTP/1, by proxy and not, with an address for a name; and where the rule went a connection is over."""
    def wait_gone(tls):
        tls.settimeout(5)
        try:
            while tls.recv(65536):
                pass
        except OSError:
            pass
    with server(lab, "expired and wrong-name"):
        for url, options, defects in ((URL, {}, "expired, wrong-name"), (URL.replace(NAME, NAME.upper()), {}, "expired, wrong-name"),
                                      (URL, {"proxy": PROXY}, "expired, wrong-name"),
                                      (URL.replace(NAME, ADDRESS), {"proxy": PROXY}, "expired, wrong-name"),
                                      (URL.replace(NAME, ADDRESS), {}, "expired")):   # nobody named it
            for version in ("--http1.1", "--http2"):
                a = lab.curl("agent", url, "--insecure", version, **options)
                assert a.status == 200 and a.issuer.startswith("Perron untrusted"), (url, options, a)
                assert subject(a).strip().strip('"').endswith(f"not verified: {defects}"), (url, options, subject(a))
                assert lab.curl("agent", url, version, **options).exit_code == 60
    site = SITES["expired.example"]
    for alpn in ("http/1.1", "h2"):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols([alpn])
        usual = lenient.file.read_text()
        with context.wrap_socket(lab.connect("agent", site.v4, 443), server_hostname="expired.example") as tls:
            assert tls.selected_alpn_protocol() == alpn
            had = len(lab.requests("expired.example"))
            assert lenient.reload(policy(lab))[0] == 0
            if alpn == "http/1.1":
                tls.sendall(b"GET /hello HTTP/1.1\r\nHost: expired.example\r\n\r\n")
            wait_gone(tls)
        assert len(lab.requests("expired.example")) == had
        assert lenient.reload(usual)[0] == 0


def test_the_dates_of_the_origin_stay(lab, lenient):
    with server(lab, "expired"):
        a = lab.curl("agent", URL, "--insecure")
        origin = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", lab.pki.folder / f"{NAME}.pem"],
                                stdout=subprocess.PIPE, check=True).stdout.decode()
        assert origin.split("=")[1].strip() in a.chain, a.chain


CAUSE = {"expired": "a expiré", "wrong-name": "autre site"}


def test_each_of_several_defects_needs_its_rule(lab, lenient):
    with server(lab, "expired and wrong-name"):
        a = lab.curl("agent", URL, "--insecure")
        assert a.status == 200 and "expired, wrong-name" in subject(a), a
        assert lenient.event(event_type="flow", perron__defect="expired, wrong-name")
        lenient.reload(allowing(lab, "allow certificate expired for agents"))
        assert block_page(lab.curl("agent", URL, "--insecure"))
        for rules, stops in ((("allow certificate wrong-name for agents",), "expired"),
                             (("allow certificate expired for agents",), "wrong-name"),
                             (("allow certificate expired", "block certificate wrong-name"), "wrong-name"),
                             (("allow certificate expired for agents", "allow certificate wrong-name for pupils"), "wrong-name")):
            lenient.reload(allowing(lab, *rules))
            a = lab.curl("agent", URL, "--insecure")
            assert block_page(a) and CAUSE[stops] in a.text, a.text
            assert lenient.by_code(a.code)[-1]["perron"]["detail"] == stops, rules
    lenient.reload(allowing(lab, ALL, "allow certificate weak-tls for agents", "block certificate weak-tls for pupils"))


def test_good_and_bad_leaves_of_one_name_never_mix(lab, lenient):
    """Row 28: good after bad, bad after good, in the gateway's caches and in a client that keeps its rules."""
    for flavour in ("ec", "expired", "ec", "self-signed", "expired", "ec"):
        with server(lab, flavour):
            a = lab.curl("agent", URL)
            assert (a.exit_code == 0) == (flavour == "ec"), (flavour, a)
            a = lab.curl("agent", URL, "--insecure")
            assert a.issuer.startswith("Perron issuing" if flavour == "ec" else "Perron untrusted"), (flavour, a.issuer)


def test_the_untrusted_ca_is_the_same_after_a_restart(lab, lenient):
    with server(lab, "expired"):
        before = lab.curl("agent", URL, "--insecure")
        lenient.stop()
        lab.open_again()
        lenient.start()
        after = lab.curl("agent", URL, "--insecure")
        assert before.issuer == after.issuer and before.status == after.status == 200
    # a state directory from before there was a second CA gets one
    lenient.stop()
    lab.open_again()
    (lenient.state / "untrusted.pem").unlink()
    lenient.start()
    with server(lab, "expired"):
        again = lab.curl("agent", URL, "--insecure")
        assert again.status == 200 and again.issuer.startswith("Perron untrusted") and again.issuer != before.issuer


def test_the_untrusted_ca_is_not_in_the_chain_and_not_exported(lab, lenient):
    with server(lab, "expired"):
        a = lab.curl("agent", URL, "--insecure")
        assert a.chain.count("BEGIN CERTIFICATE") == 1
    assert b"untrusted" not in subprocess.run(["openssl", "x509", "-noout", "-text", "-in", lenient.root_pem()],
                                              stdout=subprocess.PIPE, check=True).stdout


# ---- weak TLS

def dhparam(lab, bits):
    path = lab.folder / f"dh{bits}.pem"
    if not path.exists():
        subprocess.run(["openssl", "dhparam", "-dsaparam", "-out", path, str(bits)], check=True, stderr=subprocess.DEVNULL)
    return path


def weak_options(lab, kind):
    return {"cbc": ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"],
            "static-rsa": ["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"],
            "dh-1024": ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-dhparam", dhparam(lab, 1024)],
            "sha-1": ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"],
            "null": ["-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"],
            "anonymous": ["-tls1_2", "-cipher", "ADH-AES128-GCM-SHA256:@SECLEVEL=0"],
            "tls1.1": ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            "tls1.0": ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]}[kind]


LAX_CLIENT = ["--insecure", "--ciphers", "DEFAULT:@SECLEVEL=0"]


@pytest.mark.parametrize("kind", ["cbc", "static-rsa", "dh-1024", "sha-1"])
def test_weak_tls_is_blocked_or_allowed_by_a_second_attempt(lab, lenient, kind):
    with server(lab, "rsa", *weak_options(lab, kind)):
        syns = lab.syns(NAME, 443)
        blocked = lab.curl("pupil", URL, *LAX_CLIENT)
        assert block_page(blocked), blocked
        assert lab.syns(NAME, 443) == syns + 1   # nothing more is tried where no rule could let it through
        e = lenient.by_code(blocked.code)[-1]
        assert e["perron"]["reason"] in ("upstream-tls", "certificate") and e["perron"]["detail"], e
        strict = lab.curl("agent", URL, "--ciphers", "DEFAULT:@SECLEVEL=0")
        assert strict.exit_code == 60, strict
        lax = lab.curl("agent", URL, *LAX_CLIENT)
        assert lax.status == 200 and "weak-tls" in subject(lax) and lax.issuer.startswith("Perron untrusted"), lax
        assert syns + 3 <= lab.syns(NAME, 443) <= syns + 5   # a worker that knows it begins with the weak offer
        e = lenient.event(event_type="flow", perron__defect="weak-tls", perron__reason="done")
        assert e["tls"]["version"] == "TLSv1.2"  # row 44: no more than the origin has
        assert e["perron"]["origin_tls"].startswith("TLSv1.2 ") and e["perron"]["client_tls"].startswith("TLSv1.2 ")


def test_weak_tls_that_is_allowed_makes_revocation_no_less_due(lab, lenient):
    """`on revocation-unknown block` holds beside it; nobody has said anything of this certificate."""
    usual = lenient.file.read_text()
    try:
        assert lenient.reload(usual + "on revocation-unknown block\n")[0] == 0
        with server(lab, "rsa", *weak_options(lab, "cbc")):
            a = lab.curl("agent", URL, *LAX_CLIENT)
            assert block_page(a), a
            p = lenient.by_code(a.code)[-1]["perron"]
            assert (p["reason"], p["detail"]) == ("certificate", "revocation-unknown"), p
    finally:
        lenient.reload(usual)


@pytest.mark.parametrize("kind", ["null", "anonymous", "tls1.1", "tls1.0"])
def test_what_no_rule_can_allow(lab, lenient, kind):
    """Rows 37-40: refused whatever the policy says, after two attempts at most."""
    with server(lab, "rsa", *weak_options(lab, kind)):
        syns = lab.syns(NAME, 443)
        a = lab.curl("agent", URL, *LAX_CLIENT)
        assert block_page(a) and a.issuer.startswith("Perron issuing"), a
        assert lab.syns(NAME, 443) <= syns + (1 if kind.startswith("tls1") else 2)
        assert lenient.by_code(a.code)[-1]["perron"]["reason"] == "upstream-tls"


def test_under_observe_a_connection_that_failed_stays_failed(lab, lenient):
    """`observe` lifts what a rule blocks, but there is nothing here to be let through."""
    usual = lenient.file.read_text()
    try:
        assert lenient.reload(allowing(lab, "block certificate weak-tls for agents") + "observe from lan until 2099-01-01\n")[0] == 0
        lab.pki.make(NAME, [NAME], "rsa")
        with small_group_origin(lab, 512, []):
            a = lab.curl("agent", URL, *LAX_CLIENT)
            assert block_page(a) and a.status == 502, a
            e = lenient.event(event_type="flow", perron__detail="wrong cipher returned")
            assert (e["perron"]["reason"], e["perron"]["defect"]) == ("upstream-tls", "weak-tls"), e
    finally:
        lab.pki.make(NAME, [NAME], "ec")
        lenient.reload(usual)


def test_what_the_client_does_not_offer_is_not_offered(lab, lenient):
    """A client of ECDHE and AEAD alone does not get a weak origin by way of the gateway."""
    for kind, options in (("cbc", ["--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"]), ("static-rsa", ["--tlsv1.3"]),
                          ("dh-1024", ["--ciphers", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA"])):
        with server(lab, "rsa", *weak_options(lab, kind)):
            a = lab.curl("agent", URL, "--insecure", *options)
            assert block_page(a), (kind, a)
            e = lenient.by_code(a.code)[-1]
            assert e["perron"]["reason"] in ("upstream-tls", "certificate"), e


def test_an_origin_that_can_do_better_is_never_weak(lab, lenient):
    with server(lab, "rsa", "-cipher", "ALL:@SECLEVEL=0"):
        syns = lab.syns(NAME, 443)
        a = lab.curl("agent", URL)
        assert a.status == 200 and a.issuer.startswith("Perron issuing"), a
        assert lab.syns(NAME, 443) == syns + 1


# ---- a group that OpenSSL's own server refuses to use

def record(kind, body):
    return bytes([22, 3, 3]) + (len(body) + 4).to_bytes(2, "big") + bytes([kind]) + len(body).to_bytes(3, "big") + body


def small_group_origin(lab, bits, seen):
    """A server of TLS 1.2 that answers every hello with a Diffie-Hellman group of so many bits, signed as it should be."""
    key = serialization.load_pem_private_key((lab.pki.folder / f"{NAME}.key").read_bytes(), None)
    end_line = "-----END CERTIFICATE-----\n"
    chain = [ssl.PEM_cert_to_DER_cert(c + end_line) for c in (lab.pki.folder / f"{NAME}.pem").read_text().split(end_line)[:-1]]
    p = (1 << bits) - 1 - 2 * 38    # no prime, and nobody has the time to find out

    def vec(body, width):
        return len(body).to_bytes(width, "big") + body

    def handler(conn):
        hello = conn.recv(65536)
        seen.append(hello)
        random = bytes(32)
        params = b"".join(vec(n.to_bytes(bits // 8, "big").lstrip(b"\0"), 2) for n in (p, 2, p // 3))
        signed = key.sign(hello[11:43] + random + params, padding.PKCS1v15(), hashes.SHA256())
        conn.sendall(record(2, b"\3\3" + random + b"\0" + b"\0\x9e\0" + b"\0\5\xff\1\0\1\0") +
                     record(11, vec(b"".join(vec(c, 3) for c in chain), 3)) +
                     record(12, params + b"\4\1" + vec(signed, 2)) + record(14, b""))
        while conn.recv(65536):
            pass
    return Origin(lab, handler, tls=False)


def test_a_group_below_1024_bits_is_refused_whatever_the_policy_says(lab, lenient):
    """Row 40: export grade groups (Logjam); of 1,024 bits the same server is understood."""
    lab.pki.make(NAME, [NAME], "rsa")
    small = {"dh key too small", "unknown security bits"}   # as OpenSSL 3.0 and 3.5 say it
    for bits, says in ((512, small), (768, small), (1024, None)):
        seen = []
        with small_group_origin(lab, bits, seen):
            if says:
                a = lab.curl("agent", URL, *LAX_CLIENT)
                assert block_page(a) and lenient.by_code(a.code)[-1]["perron"]["detail"] in says, a
                assert len(seen) == 2
            else:
                with pytest.raises(subprocess.TimeoutExpired):
                    lab.curl("agent", URL, *LAX_CLIENT, patience_s=2)   # our key exchange went there and was not answered
    lab.pki.make(NAME, [NAME], "ec")
