"""Chains that an origin may show, good and bad, each with the row of the threat model that it stands for and the word
that the gateway must have for it. Made anew each time; tests/tools/test_certcheck.py judges them from files,
tests/net/test_chains.py serves them behind a gateway.
"""
import base64
import datetime
import subprocess
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509 import ocsp

from der import (ANY, CLIENT, CODE, EMAIL, OCSP, SERVER, SET, UTF8, alt, basic, certificate, constraints, crl_at, ext,
                 issuer_id, key_pem, must_staple, name, oid, purposes, revocations, seq, subject_id, subtree, tlv, usage)

NOW = datetime.datetime.utcnow().replace(microsecond=0)
CRL_URL = "http://pki.example/%s.crl"
GOOD = "acceptable"
# The key of the root that came with laptops in 2014 (its certificate is public; it is 1024 bits short as well).
SUPERFISH = int("e8f34a18765f193fb1cf58e97f430709958035c50ffe71312781991226"
                "20a5df8f6afc425539ee093889d9e036c4ac01825bd539e6f98f0788dffeeef6a114cea97445d8fdf01757"
                "2a82e17a2e12935aac8ad71563d1b79b55800f58bc1c49ed2062ddb64ca53aeb1c3da0ff7a71a6d3107833"
                "ae4bc21cfd924aa1c3e741a42d", 16)


def days(n):
    return NOW + datetime.timedelta(days=n)


LIFE = (days(-20), days(300))
LONG = (days(-700), days(3000))


@lru_cache(None)
def key(kind, number=0):
    """Keys are shared by kind: making them is what costs."""
    if kind.startswith("rsa"):
        size = int(kind[3:])
        if size < 1024:     # the library refuses to make what the standards forbid
            text = subprocess.run(["openssl", "genrsa", "-traditional", str(size)], check=True, capture_output=True).stdout
            return serialization.load_pem_private_key(text, None)
        return rsa.generate_private_key(65537, size)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "dsa":
        return dsa.generate_private_key(2048)
    curve = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1, "p224": ec.SECP224R1,
             "k256": ec.SECP256K1, "bp256": ec.BrainpoolP256R1}[kind]
    return ec.generate_private_key(curve())


class Unknown:
    """A key of a kind that nobody knows."""

    @staticmethod
    def public_bytes(*_):
        return seq(seq(oid("1.2.3.4.5.6")), tlv(3, bytes(33)))


class Maker:
    """An authority: its name, its key, its own certificate and those above it."""

    def __init__(self, cn, kind="p256", parent=None, number=0, **how):
        self.cn, self.key, self.parent = cn, key(kind, (cn, number)), parent
        self.name = how.pop("name", None) or name(cn, "Chains")
        up = parent or self
        exts = how.pop("exts", None)
        if exts is None:
            exts = [basic(True, how.pop("length", None)), how.pop("usage", usage(5, 6)), subject_id(self.key),
                    issuer_id(up.key), *how.pop("more", [])]
        self.der = certificate(self.name, up.name, how.pop("public", self.key), how.pop("signer", up.key),
                               how.pop("times", LONG), exts, **how)

    def above(self):
        """Certificates to send: this one and those above it, without the root."""
        return [self.der, *self.parent.above()] if self.parent else []

    def leaf_exts(self, public, names, **change):
        """The usual extensions of a leaf, each replaced or (None) left out by name."""
        parts = {"basic": basic(False), "usage": usage(0), "purposes": purposes(SERVER), "ski": subject_id(public),
                 "aki": issuer_id(self.key), "alt": alt(*names) if names else None, "more": []}
        parts.update(change)
        more = parts.pop("more")
        return [e for e in parts.values() if e is not None] + more

    def leaf(self, names, kind="p256", cn=None, times=LIFE, exts=None, subject=None, number=0, **how):
        """(DER, key)."""
        k = key(kind, ("leaf", number))
        change = {w: how.pop(w) for w in ("basic", "usage", "purposes", "ski", "aki", "alt", "more") if w in how}
        exts = self.leaf_exts(k, names, **change) if exts is None else exts
        subject = subject or name(cn if cn is not None else
                                  next((n for n in names if isinstance(n, str)), "nobody")[:60])
        return certificate(subject, self.name, how.pop("public", k), how.pop("signer", self.key), times, exts, **how), k


@dataclass
class Case:
    name: str
    row: int
    want: str              # the first defect, or GOOD
    host: str
    chain: list            # DER, leaf first
    key: object
    staple: bytes = None
    crls: list = field(default_factory=list)    # DER
    also: tuple = ()       # defects that must be there too
    served: bool = True    # a real server can be made to show it


class Set:
    """All cases, their roots, and the files that cert-check and servers read."""

    def __init__(self, own=None):
        self.cases = []
        self.root = Maker("Chains Root")
        self.root_rsa = Maker("Chains Root RSA", "rsa2048")
        self.web = Maker("Chains Web CA", parent=self.root, more=[crl_at(CRL_URL % "root")])
        self.web_rsa = Maker("Chains Web CA RSA", "rsa2048", self.root_rsa)
        self.own = own or Maker("Chains Own CA")
        self.superfish = self.bad_root()
        self.roots = [self.root.der, self.root_rsa.der, self.superfish.der]
        for part in (self.good, self.times, self.names, self.addresses, self.issuers, self.forms, self.limits,
                     self.constrained, self.purposes, self.keys, self.revoked, self.ours):
            part()
        assert len({c.name for c in self.cases}) == len(self.cases)

    def bad_root(self):
        public = rsa.RSAPublicNumbers(65537, SUPERFISH).public_key()
        root = Maker("Superfish, Inc.")
        exts = [basic(True), usage(5, 6), ext("2.5.29.14", tlv(4, b"superfish-key-id-bad"))]
        root.der = certificate(root.name, root.name, public, root.key, LONG, exts)
        return root

    def add(self, row, label, want, leaf, above=None, *, host=None, **more):
        der, k = leaf
        above = self.web.above() if above is None else above
        self.cases.append(Case(label, row, want, host or f"{label}.chains.example", [der, *above], k, **more))

    def plain(self, row, label, want, *, maker=None, above=None, host=None, case=None, **how):
        """A leaf for the case's own name, with one thing changed."""
        maker = maker or self.web
        host = host or f"{label}.chains.example"
        self.add(row, label, want, maker.leaf(how.pop("names", [host]), **how),
                 maker.above() if above is None else above, host=host, **(case or {}))

    # ---- what must load

    def good(self):
        for kind in ("p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"):
            self.plain(32, f"good-{kind}", GOOD, kind=kind, maker=self.web_rsa if kind.startswith("rsa") else self.web)
        self.plain(32, "good-sha384", GOOD, digest="sha384")
        self.plain(32, "good-sha512-rsa", GOOD, digest="sha512", maker=self.web_rsa, kind="rsa2048")
        self.plain(32, "good-1000-names", GOOD, names=["good-1000-names.chains.example",
                                                     *[f"n{i}.chains.example" for i in range(999)]])
        deep = self.root
        for i in range(6):
            deep = Maker(f"Chains Level {i}", parent=deep)
        self.plain(32, "good-deep", GOOD, maker=deep)
        self.plain(32, "good-shuffled", GOOD, maker=deep, above=deep.above()[::-1])
        self.plain(32, "good-with-root", GOOD, above=[self.web.der, self.root.der])
        self.plain(32, "good-with-stranger", GOOD, above=[self.web.der, self.web_rsa.der])
        self.plain(32, "good-idn", GOOD, host="xn--caf-dma.chains.example")
        self.plain(7, "good-wildcard", GOOD, names=["*.chains.example"])
        self.plain(7, "good-upper-case", GOOD, names=["GOOD-Upper-Case.Chains.Example"])
        old = Maker("Chains Cross", parent=self.root_rsa, times=(days(-900), days(-5)))
        new = Maker("Chains Cross", parent=self.root, number=0)
        assert old.key is new.key
        self.plain(32, "good-expired-cross-sign", GOOD, maker=new, above=[old.der, new.der])
        self.plain(20, "good-server-and-client", GOOD, purposes=purposes(SERVER, CLIENT))
        self.plain(18, "good-path-length", GOOD, maker=Maker("Chains Length 0", parent=self.root, length=0))
        self.plain(32, "good-short-life", GOOD, times=(days(-2), days(4)))
        ed = Maker("Chains Ed25519", "ed25519", self.root)
        self.plain(32, "good-ed25519-authority", GOOD, maker=ed)
        self.extension_case(22, "good-unknown-extension", GOOD, [ext("1.2.3.4.5", b"\x05\0")])

    def extension_case(self, row, label, want, exts, **how):
        host = f"{label}.chains.example"
        k = key("p256", ("leaf", 0))
        self.plain(row, label, want, exts=self.web.leaf_exts(k, [host], more=exts), **how)

    # ---- rows 1-3

    def times(self):
        self.plain(1, "expired-yesterday", "expired", times=(days(-90), days(-1)))
        self.plain(1, "expired-2015", "expired", times=(datetime.datetime(2014, 4, 9), datetime.datetime(2015, 4, 12)))
        self.plain(2, "not-yet", "not-yet-valid", times=(days(2), days(90)))
        self.plain(2, "reversed-dates", "expired", times=(days(10), days(-10)), case={"also": ("malformed",)})
        self.plain(3, "expired-intermediate", "expired",
                   maker=Maker("Chains Old CA", parent=self.root, times=(days(-900), days(-2))))
        self.plain(3, "not-yet-intermediate", "not-yet-valid",
                   maker=Maker("Chains Future CA", parent=self.root, times=(days(3), days(900))))

    # ---- rows 4-10

    def names(self):
        for row, label, names, cn in (
                (4, "wrong-host", ["other.chains.example"], None),
                (5, "cn-right-san-other", ["other.chains.example"], "cn-right-san-other.chains.example"),
                (10, "only-email", ["who@chains.example"], None),
                (10, "only-url", ["https://only-url.chains.example/"], None),
                (10, "san-of-parent", ["chains.example"], None)):
            self.plain(row, label, "wrong-name", names=names, cn=cn)
        self.plain(5, "cn-not-in-san", "malformed", cn="elsewhere.chains.example")
        self.plain(5, "second-cn-not-in-san", "malformed",
                   subject=seq(*[tlv(SET, seq(oid("2.5.4.3"), tlv(UTF8, n + b".chains.example")))
                         for n in (b"second-cn-not-in-san", b"elsewhere")]))
        self.plain(5, "wide-cn-not-in-san", "malformed",
                   subject=seq(tlv(SET, seq(oid("2.5.4.3"), tlv(0x1e, "elsewhere.chains.example".encode("utf-16-be"))))))
        self.plain(22, "leftover-in-san", "malformed",
                   alt=ext("2.5.29.17", seq(tlv(0x82, b"leftover-in-san.chains.example")) + b"\x05\0"))
        self.plain(6, "cn-only", "wrong-name", alt=None, cn="cn-only.chains.example")
        for label, san, asked in (
                ("wild-two-labels", "*.chains.example", "a.b.chains.example"),
                ("wild-bare", "*", "wild-bare.chains.example"),
                ("wild-top", "*.example", "wild-top.example"),
                ("wild-co-uk", "*.co.uk", "wild.co.uk"),
                ("wild-github", "*.github.io", "wild.github.io"),
                ("wild-middle", "a.*.chains.example", "a.wild-middle.chains.example"),
                ("wild-partial", "wild-p*.chains.example", "wild-partial.chains.example"),
                ("wild-apex", "*.wild-apex.chains.example", "wild-apex.chains.example"),
                ("wild-embedded", "x*y.chains.example", "xay.chains.example"),
                ("wild-double", "*.*.chains.example", "a.double.chains.example")):
            self.plain(7, label, "wrong-name", names=[san], host=asked, cn="Wildcards")
        self.plain(8, "nul-in-san", "wrong-name", names=[b"nul-in-san.chains.example\0.evil.example"], cn="x",
                   case={"also": ("malformed",)})
        self.plain(8, "nul-in-cn", "wrong-name", alt=None,
                   subject=name(None, raw=b"nul-in-cn.chains.example\0.evil.example"))
        self.plain(8, "space-in-san", "malformed", names=["space-in-san.chains.example", b"a b.chains.example"])
        self.plain(8, "line-feed-in-san", "malformed", names=["line-feed-in-san.chains.example", b"a\nb"])
        self.plain(10, "empty-san", "wrong-name", alt=ext("2.5.29.17", seq()), cn="x")
        self.plain(35, "script-in-subject", "wrong-name", names=["other.chains.example"],
                   subject=name(None, "<script>alert(1)</script>", raw=b"x\r\n{\"event\":1}\"<img src=x>"))

    # ---- row 9

    def addresses(self):
        for i, (label, want, names, cn) in enumerate((
                ("ip-good", GOOD, ["203.0.113.100"], "x"),
                ("ip-wrong", "wrong-name", ["203.0.113.9"], "x"),
                ("ip-as-name", "wrong-name", [b"203.0.113.102"], "x"),
                ("ip-in-cn", "wrong-name", ["host.chains.example"], "203.0.113.103"),
                ("ip-in-cn-hex", "wrong-name", ["host.chains.example"], "0xcb007168"),
                ("ip-wildcard", "wrong-name", [b"*.0.113.105"], "x"))):
            self.plain(9, label, want, names=names, cn=cn, host=f"203.0.113.{100 + i}")

    # ---- rows 11-17

    def issuers(self):
        alone = Maker("self-signed.chains.example", name=name("self-signed.chains.example"))
        k = alone.key
        der = certificate(alone.name, alone.name, k, k, LIFE,
                          alone.leaf_exts(k, ["self-signed.chains.example"], aki=None))
        self.add(11, "self-signed", "self-signed", (der, k), [])
        fake = Maker("Chains Root", number="fake")
        fake_web = Maker("Chains Fake Web CA", parent=fake)
        self.plain(12, "fake-root", "unknown-issuer", maker=fake_web, above=[fake_web.der, fake.der])
        self.plain(12, "fake-root-not-sent", "unknown-issuer", maker=fake_web)
        stranger = Maker("Nobody's Root")
        stranger_web = Maker("Nobody's Web CA", parent=stranger)
        self.plain(13, "unknown-root", "unknown-issuer", maker=stranger_web)
        self.plain(13, "unknown-root-sent", "unknown-issuer", maker=stranger_web,
                   above=[stranger_web.der, stranger.der])
        self.plain(14, "no-intermediate", "unknown-issuer", above=[])
        self.plain(14, "other-intermediate", "unknown-issuer", above=[self.web_rsa.der])
        self.plain(16, "leaf-signature", "bad-signature", spoil=True)
        broken = Maker("Chains Broken CA", parent=self.root, spoil=True)
        self.plain(16, "intermediate-signature", "bad-signature", maker=broken)
        self.plain(16, "signed-by-other-key", "bad-signature", signer=key("p256", "another"))

    # ---- rows 17, 18, 21, 22, 33

    def forms(self):
        def authority(label, **how):
            return Maker(f"Chains {label}", parent=self.root, **how)
        der, k = self.web.leaf(["issuing.chains.example"])
        leaf_maker = Maker("Issuing Leaf", parent=self.web)
        leaf_maker.key, leaf_maker.der, leaf_maker.name = k, der, name("issuing.chains.example")
        self.plain(17, "issued-by-leaf", "constraint", maker=leaf_maker, number=1)
        no_bc = authority("No BC")
        no_bc.der = certificate(no_bc.name, self.root.name, no_bc.key, self.root.key, LONG,
                                [usage(5, 6), subject_id(no_bc.key), issuer_id(self.root.key)])
        self.plain(17, "no-basic-constraints", "constraint", maker=no_bc)
        v1 = authority("V1")
        v1.der = certificate(v1.name, self.root.name, v1.key, self.root.key, LONG, [], version=0)
        self.plain(17, "v1-intermediate", "constraint", maker=v1, case={"also": ("malformed",)})
        self.plain(17, "no-cert-sign", "constraint", maker=authority("No Sign", usage=usage(6)))
        self.plain(21, "crl-sign-only", "constraint", maker=authority("CRL Only", usage=usage(6), number=1))
        not_ca = authority("Not CA", exts=[basic(False), usage(5, 6), subject_id(key("p256", ("Chains Not CA", 0))),
                                           issuer_id(self.root.key)])
        self.plain(17, "ca-false-intermediate", "constraint", maker=not_ca)
        self.plain(17, "v1-leaf", "wrong-name", exts=[], version=0, case={"also": ("malformed",)})
        self.plain(18, "path-length", "constraint",
                   maker=Maker("Chains Too Deep", parent=authority("Length Zero", length=0)))
        self.extension_case(22, "unknown-critical", "malformed", [ext("1.2.3.4.5", b"\x05\0", True)])
        self.plain(22, "unknown-critical-intermediate", "malformed",
                   maker=authority("Critical", more=[ext("1.2.3.4.5", b"\x05\0", True)]))
        self.extension_case(22, "two-alt-names", "unknown-issuer", [alt("second.chains.example")],
                            case={"also": ("malformed",)})
        self.extension_case(22, "two-basic-constraints", "unknown-issuer", [basic(False)],
                            case={"also": ("malformed",)})
        self.plain(22, "two-basic-constraints-intermediate", "unknown-issuer",
                   maker=authority("Twice", more=[basic(True)]))
        self.plain(22, "serial-negative", "malformed", serial=-5)
        self.plain(22, "serial-21-bytes", "malformed", serial=1 << 167)
        self.plain(20, "leaf-is-authority", "wrong-purpose", basic=basic(True), usage=usage(0, 5))
        self.plain(17, "no-key-identifiers", "malformed", ski=None, aki=None)

    def limits(self):
        many = [Maker(f"Chains Chaff {i}", parent=self.root).der for i in range(12)]
        self.plain(33, "too-many-certificates", "malformed", above=[self.web.der, *many])
        self.plain(33, "10000-names", "malformed", names=["x.chains.example", *[f"name{i}.chains.example" for i in range(10000)]],
                   cn="x.chains.example", host="x.chains.example")
        loop_a, loop_b = Maker("Chains Loop A"), Maker("Chains Loop B")
        for one, two in ((loop_a, loop_b), (loop_b, loop_a)):
            one.der = certificate(one.name, two.name, one.key, two.key, LONG,
                                  [basic(True), usage(5, 6), subject_id(one.key), issuer_id(two.key)])
        self.plain(34, "loop", "unknown-issuer", maker=loop_a, above=[loop_a.der, loop_b.der])
        same = [Maker("Chains Bomb", parent=self.root, number=i, spoil=True).der for i in range(8)]
        bomb = Maker("Chains Bomb", parent=self.root, number=99)
        self.plain(34, "many-of-one-name", "bad-signature", maker=bomb, above=same, aki=None)

    # ---- row 19

    def constrained(self):
        def limited(label, **what):
            return Maker(f"Chains NC {label}", parent=self.root, more=[constraints(**what)])
        yes = limited("own", permit=["chains.example"])
        self.plain(19, "good-permitted", GOOD, maker=yes)
        self.plain(19, "good-not-excluded", GOOD, maker=limited("out", exclude=["bank.example"]))
        self.plain(19, "good-permitted-ip", GOOD, maker=limited("ip", permit=["203.0.113.0/24"]),
                   names=["203.0.113.110"], cn="x", host="203.0.113.110")
        self.plain(19, "not-permitted", "constraint", maker=limited("other", permit=["bank.example"]))
        self.plain(19, "excluded", "constraint", maker=limited("self", exclude=["chains.example"]))
        self.plain(19, "excluded-exactly", "constraint",
                   maker=limited("one", exclude=["excluded-exactly.chains.example"]))
        self.plain(19, "ip-excluded", "constraint", maker=limited("ip out", exclude=["203.0.113.0/24"]),
                   names=["203.0.113.111"], cn="x", host="203.0.113.111")
        self.plain(19, "ip-not-permitted", "constraint", maker=limited("ip other", permit=["198.51.100.0/24"]),
                   names=["203.0.113.112"], cn="x", host="203.0.113.112")
        self.plain(19, "second-name-not-permitted", "constraint", maker=yes,
                   names=["second-name-not-permitted.chains.example", "www.bank.example"])
        self.plain(19, "wildcard-over-excluded", "constraint",
                   maker=limited("wild", exclude=["secret.chains.example"]),
                   names=["wildcard-over-excluded.chains.example", "*.secret.chains.example"])
        self.plain(19, "wildcard-reaches-excluded", "constraint", names=["*.chains.example"],
                   maker=limited("reach", exclude=["wildcard-reaches-excluded.chains.example"]))
        self.plain(19, "wildcard-reaches-another", "constraint", names=["*.chains.example"],
                   maker=limited("reach other", exclude=["elsewhere.chains.example"]))
        self.plain(19, "good-wildcard-beside-excluded", GOOD, names=["*.chains.example"],
                   maker=limited("beside", exclude=["deep.er.chains.example", "example.test"]))
        self.plain(22, "leftover-in-constraints", "malformed",
                   maker=Maker("Chains NC left", parent=self.root,
                               more=[ext("2.5.29.30", seq(tlv(0xa1, subtree("bank.example"))) + b"\x05\0", True)]))
        self.plain(19, "constraint-leading-dot", "constraint", maker=limited("dot", permit=[".chains.example"]))
        self.plain(19, "constraint-wildcard", "constraint", maker=limited("star", permit=["*.chains.example"]))
        self.plain(19, "constraint-empty", "constraint",
                   maker=Maker("Chains NC empty", parent=self.root, more=[ext("2.5.29.30", seq(), True)]))
        self.extension_case(19, "constraint-on-leaf", "constraint", [constraints(permit=["chains.example"])])
        self.plain(19, "cn-under-constraint", "wrong-name", maker=yes, alt=None, cn="www.bank.example")
        above = Maker("Chains NC below", parent=limited("upper", permit=["bank.example"]))
        self.plain(19, "constrained-higher-up", "constraint", maker=above)

    # ---- row 20

    def purposes(self):
        self.plain(20, "client-only", "wrong-purpose", purposes=purposes(CLIENT))
        self.plain(20, "code-signing", "wrong-purpose", purposes=purposes(CODE))
        self.plain(20, "no-purpose", "wrong-purpose", purposes=None)
        self.plain(20, "any-purpose", "wrong-purpose", purposes=purposes(ANY))
        self.plain(20, "email-intermediate", "wrong-purpose",
                   maker=Maker("Chains Mail CA", parent=self.root, more=[purposes(EMAIL)]))

    # ---- rows 23, 24

    def keys(self):
        for kind in ("rsa512", "rsa768", "rsa1024", "rsa2047"):
            self.plain(23, f"weak-{kind}", "weak-key", kind=kind, maker=self.web_rsa,
                       case={"served": kind not in ("rsa512", "rsa768")})
        self.plain(23, "weak-intermediate", "weak-key", maker=Maker("Chains Weak CA", "rsa1024", self.root_rsa))
        for kind in ("p224", "k256", "bp256"):
            self.plain(23, f"curve-{kind}", "weak-key", kind=kind, case={"served": False})
        self.plain(23, "of-no-known-kind", "weak-key", public=Unknown(), case={"served": False})
        self.plain(23, "dsa", "weak-key", kind="dsa", case={"served": False})
        self.plain(24, "md5-leaf", "weak-signature", digest="md5", maker=self.web_rsa, kind="rsa2048")
        self.plain(24, "sha1-leaf", "weak-signature", digest="sha1", maker=self.web_rsa, kind="rsa2048")
        self.plain(24, "sha1-leaf-ec", "weak-signature", digest="sha1")
        self.plain(24, "sha1-intermediate", "weak-signature",
                   maker=Maker("Chains SHA-1 CA", "rsa2048", self.root_rsa, digest="sha1"), kind="rsa2048")
        self.plain(24, "md5-intermediate", "weak-signature",
                   maker=Maker("Chains MD5 CA", "rsa2048", self.root_rsa, digest="md5"), kind="rsa2048")

    # ---- rows 25-27

    def statement(self, der, issuer, status="good", *, signer=None, certs=(), until=3, about=None, demands=None):
        """A stapled statement about `der`, from its issuer or another signer (certificate, key)."""
        cert, above = [x509.load_der_x509_certificate(d) for d in (about or der, issuer.der)]
        revoked = status == "revoked"
        by, with_key = signer or (above, issuer.key)
        said = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED,
                "unknown": ocsp.OCSPCertStatus.UNKNOWN}[status]
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert, above, hashes.SHA1(), said, days(-4), days(until), days(-5) if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None).responder_id(ocsp.OCSPResponderEncoding.HASH, by)
        if certs:
            builder = builder.certificates(list(certs))
        if demands:
            builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(demands), b"\x05\0"), True)
        return builder.sign(with_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def responder(self, maker, purpose, more=()):
        k = key("p256", "responder")
        der = certificate(name("Chains Responder"), maker.name, k, maker.key, LIFE,
                          [basic(False), usage(0), purposes(purpose), subject_id(k), issuer_id(maker.key), *more])
        return x509.load_der_x509_certificate(der), k

    def revoked(self):
        def stapled(row, label, want, exts=(), **how):
            host = f"{label}.chains.example"
            leaf = self.web.leaf([host], more=list(exts))
            staple = how.pop("raw", None) or self.statement(leaf[0], self.web, **how)
            self.add(row, label, want, leaf, host=host, staple=staple)
        by = self.responder(self.web, OCSP)
        no_right = self.responder(self.web, SERVER)
        foreign = self.responder(self.root, OCSP)
        other = self.web.leaf(["other.chains.example"])[0]
        stapled(25, "staple-good", GOOD)
        stapled(25, "staple-revoked", "revoked", status="revoked")
        stapled(25, "staple-revoked-by-delegate", "revoked", status="revoked", signer=by, certs=by[:1])
        stapled(25, "staple-good-by-delegate", GOOD, exts=[must_staple()], signer=by, certs=by[:1])
        stapled(27, "must-staple-good", GOOD, exts=[must_staple()])
        self.extension_case(27, "must-staple-without", "no-staple", [must_staple()])
        must = [must_staple()]
        stapled(27, "must-staple-expired", "no-staple", must, until=-1)
        stapled(27, "must-staple-unknown", "no-staple", must, status="unknown")
        stapled(27, "must-staple-garbage", "no-staple", must, raw=b"\x30\x03\x0a\x01\x00garbage")
        stapled(27, "must-staple-about-another", "no-staple", must, about=other)
        stapled(27, "must-staple-wrong-signer", "no-staple", must, signer=foreign, certs=foreign[:1])
        stapled(27, "must-staple-no-right", "no-staple", must, signer=no_right, certs=no_right[:1])
        stapled(27, "must-staple-critical", "no-staple", must, demands="1.2.3.4.5")
        demanding = self.responder(self.web, OCSP, [ext("1.2.3.4.5", b"\x05\0", True)])
        stapled(27, "must-staple-critical-signer", "no-staple", must, signer=demanding, certs=demanding[:1])
        stapled(25, "staple-revoked-wrong-signer", GOOD, status="revoked", signer=no_right, certs=no_right[:1])
        self.listed()

    def listed(self):
        """Row 26: revoked by a list, the leaf or its issuer; lists that may not count do not."""
        times = (days(-1), days(6))
        maker = Maker("Chains Listed CA", parent=self.root, more=[crl_at(CRL_URL % "top")], serial=7001)
        point = [crl_at(CRL_URL % "listed")]

        def case(label, want, crl_for, serial, **how):
            host = f"{label}.chains.example"
            self.add(26, label, want, how.pop("maker", maker).leaf([host], serial=serial, more=point),
                     how.pop("above", maker.above()), host=host, crls=[crl_for(serial)])
        case("crl-revoked", "revoked", lambda s: revocations(maker.name, maker.key, times, [5, s, 9]), 101)
        case("crl-good", GOOD, lambda s: revocations(maker.name, maker.key, times, [5, 9]), 102)
        case("crl-intermediate-revoked", "revoked",
             lambda s: revocations(self.root.name, self.root.key, times, [7001]), 103)
        case("crl-wrong-signer", GOOD, lambda s: revocations(maker.name, self.web.key, times, [s]), 104)
        case("crl-other-issuer", GOOD, lambda s: revocations(self.web.name, self.web.key, times, [s]), 105)
        case("crl-spoilt", GOOD, lambda s: revocations(maker.name, maker.key, times, [s], spoil=True), 106)
        case("crl-sha1", GOOD, lambda s: revocations(maker.name, maker.key, times, [s], digest="sha1"), 107)
        shard = ext("2.5.29.28", seq(tlv(0xa0, tlv(0xa0, tlv(0x86, (CRL_URL % "shard").encode())))), True)
        case("crl-other-shard", GOOD, lambda s: revocations(maker.name, maker.key, times, [s], exts=[shard]), 108)
        own = ext("2.5.29.28", seq(tlv(0xa0, tlv(0xa0, tlv(0x86, (CRL_URL % "listed").encode())))), True)
        case("crl-own-shard", "revoked", lambda s: revocations(maker.name, maker.key, times, [s], exts=[own]), 109)

    # ---- rows 29, 30

    def ours(self):
        self.plain(29, "own-ca", "own-ca", maker=self.own, above=[self.own.der])
        self.plain(29, "own-ca-by-name-alone", "own-ca", maker=self.own, signer=key("p256", "thief"), aki=None)
        self.plain(30, "superfish", "unknown-issuer", maker=self.superfish, above=[], aki=None,
                   signer=key("rsa1024", "thief"), case={"also": ("known-bad", "weak-key")})


def pem(der):
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"


def write(cases, folder):
    """Files of all cases: roots.pem, own.pem, and for each NAME.leaf, NAME.chain, NAME.pem, NAME.key, lists, staple."""
    (folder / "roots.pem").write_bytes(b"".join(pem(r) for r in cases.roots))
    (folder / "own.pem").write_bytes(pem(cases.own.der))
    for c in cases.cases:
        (folder / f"{c.name}.leaf").write_bytes(pem(c.chain[0]))
        (folder / f"{c.name}.chain").write_bytes(b"".join(pem(d) for d in c.chain[1:]))
        (folder / f"{c.name}.pem").write_bytes(b"".join(pem(d) for d in c.chain))
        (folder / f"{c.name}.key").write_bytes(key_pem(c.key))
        if c.staple:
            (folder / f"{c.name}.ocsp").write_bytes(c.staple)
        for i, crl in enumerate(c.crls):
            (folder / f"{c.name}.{i}.crl").write_bytes(crl)
