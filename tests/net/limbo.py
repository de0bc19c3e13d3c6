"""The cases of C2SP's x509-limbo (github.com/C2SP/x509-limbo, folder limbo/testcases), made anew by code of our own from
what the project says of each: the identifiers and what is expected are theirs, the certificates and the words are ours.

Left out, because there is nothing here to judge them by: `online` and `cryptographydotio-*` (real sites' stored
certificates), `bettertls` (another project's thousands), `smime` and the four `rfc5280::nc` cases about mail addresses
(clients, not servers), `rfc9881` (ML-DSA, which OpenSSL 3.0 does not know), `pathlen::max-chain-depth-*` (a depth that
the caller chooses). Where a case of theirs names no host to ask for, the leaf carries example.com as well. Every
authority's name has the case's identifier in it, so that all roots can stand in one file without helping each other.
tests/net/test_limbo.py judges them, offline and served; limbo_web.py and limbo_crl.py hold two of the families.
"""
import datetime
import ipaddress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from chains import NOW, pem
from der import (BITS, CLIENT, SERVER, alt, basic, certificate, constraints, ext, general, issuer_id, key_id, key_pem, name,
                 oid, purposes, seq, subject_id, tlv, usage)

EPOCH = datetime.datetime(1970, 1, 1, 0, 0, 1)
LIFE = (EPOCH, datetime.datetime(2969, 5, 3, 0, 0, 1))
HOST = "example.com"
STRANGE = "1.3.6.1.4.1.55738.666.1"   # an extension of nobody
AIA, POLICY_CONSTRAINTS, AUTHORITY_KEY = "1.3.6.1.5.5.7.1.1", "2.5.29.36", "2.5.29.35"
GOOD, BAD = True, False
# What makes a case pedantic: the feature that x509-limbo itself gives it.
SERIAL, PEDANTIC, EKU, KEY, SUFFIX = ("pedantic-serial-number", "pedantic-rfc5280", "pedantic-webpki-eku",
                                      "pedantic-webpki-subscriber-key", "pedantic-public-suffix-wildcard")


def years(n):
    return NOW + datetime.timedelta(days=365 * n)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def directory(cn):
    """A GeneralName that is a distinguished name."""
    return tlv(0xa4, name(cn))


def other_name():
    """A GeneralName of a kind of nobody's."""
    return tlv(0xa0, oid("1.3.6.1.4.1.55738.666.3"), tlv(0xa0, b"\x05\0"))


def alternatives(*generals):
    """subjectAltName of whole GeneralNames."""
    return ext("2.5.29.17", seq(*generals))


class Explicit:
    """A P-256 key that says its curve number by number."""

    P = 2**256 - 2**224 + 2**192 + 2**96 - 1
    B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
    G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
         0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
    N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551

    def __init__(self):
        self.key = new_key()

    def sign(self, *how):
        return self.key.sign(*how)

    def public_bytes(self, *_):
        def big(n):
            return n.to_bytes(32, "big")

        def number(n):
            return tlv(2, b"\0" * (n >> 255) + n.to_bytes((n.bit_length() + 7) // 8, "big"))
        at = self.key.public_key().public_numbers()
        curve = seq(number(1), seq(oid("1.2.840.10045.1.1"), number(self.P)),
                    seq(tlv(4, big(self.P - 3)), tlv(4, big(self.B))),
                    tlv(4, b"\x04", *map(big, self.G)), number(self.N), number(1))
        return seq(seq(oid("1.2.840.10045.2.1"), curve), tlv(BITS, b"\0\x04", big(at.x), big(at.y)))


class Hollow:
    """An RSA key with nothing in it, whose signatures are an empty sequence."""

    @staticmethod
    def public_bytes(*_):
        return seq(seq(oid("1.2.840.113549.1.1.1"), tlv(5)), tlv(BITS, b"\0"))

    @staticmethod
    def sign(*_):
        return seq()


class Authority:
    """A root, or what `parent` vouches for; extensions are replaced or (None) left out by name."""

    def __init__(self, case, cn, parent=None, *, public=None, dn=None, issuer=None, times=LIFE, length=None, **change):
        self.key, self.parent = public or new_key(), parent
        self.name = name(cn, case) if dn is None else dn
        up = parent or self
        parts = {"basic": basic(True, length), "usage": usage(5, critical=False), "alt": alt(HOST),
                 "aki": issuer_id(parent.key) if parent else None, "ski": subject_id(self.key), "more": ()}
        parts.update({w: change.pop(w) for w in tuple(change) if w in parts})
        more = parts.pop("more")
        self.der = certificate(self.name, up.name if issuer is None else issuer, self.key, up.key, times,
                               [e for e in parts.values() if e is not None] + list(more), **change)


@dataclass
class Case:
    id: str
    want: bool               # what x509-limbo expects: GOOD or BAD
    roots: list              # DER of each
    chain: list              # DER, leaf first
    key: object
    host: str = HOST
    at: datetime.datetime = None
    pedantic: str = ""
    crls: list = field(default_factory=list)
    must_know: bool = False
    served: bool = True      # OpenSSL can be made to show it, and it is for the time of the test

    @property
    def name(self):
        """For files: the identifier without its colons."""
        return self.id.replace("::", ".")

    @property
    def asks_address(self):
        return ":" in self.host or self.host.replace(".", "").isdigit()


class Family:
    """A set of cases, and the ways to make them that most share."""

    def __init__(self):
        self.cases = []
        self.make()
        assert len({c.id for c in self.cases}) == len(self.cases)

    def make(self):
        raise NotImplementedError

    def root(self, id_, cn="x509-limbo-root", **how):
        return Authority(id_, cn, **how)

    def under(self, id_, parent, cn="x509-limbo-intermediate", **how):
        """An intermediate; its name says whom it comes from, so that none is self-issued by accident."""
        return Authority(id_, f"{cn} {key_id(parent.key)[:6].hex()}", parent, **how)

    def leaf(self, parent, *, public=None, dn=None, issuer=None, times=LIFE, exts=None, **change):
        """(DER, key)."""
        k = public or new_key()
        parts = {"ski": subject_id(k), "basic": None, "aki": issuer_id(parent.key), "usage": usage(0, critical=False),
                 "purposes": purposes(SERVER), "alt": alt(HOST), "more": ()}
        parts.update({w: change.pop(w) for w in tuple(change) if w in parts})
        more = parts.pop("more")
        if exts is None:
            exts = [e for e in parts.values() if e is not None] + list(more)
        return certificate(name(HOST) if dn is None else dn, parent.name if issuer is None else issuer, k, parent.key, times,
                           exts, **change), k

    def add(self, id_, want, roots, between, leaf, **more):
        """`roots` and `between` are authorities; `leaf` is (DER, key), or an authority in a leaf's place."""
        der, k = (leaf.der, leaf.key) if isinstance(leaf, Authority) else leaf
        self.cases.append(Case(id_, want, [r.der for r in roots], [der, *[a.der for a in between]], k, **more))

    def two(self, id_, want, root=None, leaf=None, **more):
        """root -> leaf."""
        top = self.root(id_, **(root or {}))
        self.add(id_, want, [top], [], self.leaf(top, **(leaf or {})), **more)

    def three(self, id_, want, ca=None, leaf=None, root=None, **more):
        """root -> intermediate -> leaf."""
        top = self.root(id_, **(root or {}))
        mid = self.under(id_, top, **(ca or {}))
        self.add(id_, want, [top], [mid], self.leaf(mid, **(leaf or {})), **more)


class Profile(Family):
    """rfc5280 without nc and crl, pathlen, pathological, cve, invalid."""

    def make(self):
        for part in (self.form, self.critical, self.key_ids, self.dates, self.lengths, self.graphs, self.cves):
            part()

    def form(self):
        at = "rfc5280::"
        self.two(at + "ee-empty-issuer", BAD, leaf={"issuer": name(None), "dn": name("empty-issuer")})
        self.two(at + "ca-empty-subject", BAD, root={"dn": name(None), "issuer": name("x509-limbo-root")})
        top, stranger = self.root(at + "chain-untrusted-root"), self.root(at + "chain-untrusted-root", "unrelated root")
        mid = self.under(at + "chain-untrusted-root", top, length=0)
        self.add(at + "chain-untrusted-root", BAD, [stranger], [top, mid], self.leaf(mid))
        self.three(at + "intermediate-ca-without-ca-bit", BAD, ca={"basic": basic(False)})
        self.three(at + "intermediate-ca-missing-basic-constraints", BAD, ca={"basic": None})
        self.two(at + "root-missing-basic-constraints", BAD, root={"basic": None})
        self.two(at + "root-non-critical-basic-constraints", BAD, root={"basic": basic(True, critical=False)})
        self.two(at + "root-inconsistent-ca-extensions", BAD, root={"usage": usage(critical=False)})
        self.three(at + "ica-ku-keycertsign", BAD, ca={"length": 0, "usage": usage(critical=False)})
        self.two(at + "leaf-ku-keycertsign", BAD, leaf={"basic": basic(False), "usage": usage(0, 5, critical=False)})
        self.two(at + "duplicate-extensions", BAD, leaf={"more": [alt(HOST)]}, served=False)
        self.two(at + "no-keyusage", GOOD, leaf={"usage": None})
        self.two(at + "no-basicconstraints", GOOD, leaf={"basic": None})
        # Theirs is a real root with one byte changed: what it says of its signature outside is not what it says inside.
        self.two(at + "mismatching-signature-algorithm", BAD, leaf={"outer": "sha384"})
        for label, want, host in (("ca-as-leaf", GOOD, "ca.example.com"), ("ca-as-leaf-wrong-san", BAD, "other.example.com")):
            top = self.root(at + label)
            self.add(at + label, want, [top], [], self.under(at + label, top, alt=alt("ca.example.com")), host=host)
        top = self.root(at + "root-and-intermediate-swapped")
        mid = self.under(at + "root-and-intermediate-swapped", top)
        self.add(at + "root-and-intermediate-swapped", GOOD, [mid], [top], self.leaf(mid))
        self.two(at + "eku::ee-wrong-eku", BAD, leaf={"purposes": purposes(CLIENT)})
        self.two(at + "eku::ee-without-eku", GOOD, leaf={"purposes": None})
        self.two(at + "san::malformed", BAD, leaf={"alt": ext("2.5.29.17", b"example.com")}, served=False)
        self.two(at + "san::noncritical-with-empty-subject", BAD, leaf={"dn": name(None)})
        for label, serial in (("number-too-long", 1 << 174), ("number-zero", 0), ("number-negative", -20)):
            self.two(f"{at}serial::serial-{label}", BAD, leaf={"serial": serial}, pedantic=SERIAL)

    def critical(self):
        at = "rfc5280::"
        strange = {"more": [ext(STRANGE, b"", True)]}
        self.two(at + "unknown-critical-extension-ee", BAD, leaf=strange)
        self.two(at + "unknown-critical-extension-root", BAD, root=strange)
        self.three(at + "unknown-critical-extension-intermediate", BAD, ca={"length": 0, **strange})
        access = seq(seq(oid("1.3.6.1.5.5.7.48.2"), general(HOST)))
        self.two(at + "ee-aia", GOOD, leaf={"more": [ext(AIA, access)]})
        self.two(at + "ee-critical-aia-invalid", BAD, leaf={"more": [ext(AIA, access, True)]})
        self.three(at + "pc::ica-noncritical-pc", BAD, ca={"more": [ext(POLICY_CONSTRAINTS, seq(tlv(0x80, b"\3")))]})

    def key_ids(self):
        at, k = "rfc5280::", new_key()
        own = seq(tlv(0x80, key_id(k)))
        self.two(at + "aki::critical-aki", BAD, root={"public": k, "aki": ext(AUTHORITY_KEY, own, True)})
        self.two(at + "aki::leaf-missing-aki", BAD, leaf={"aki": None})
        self.three(at + "aki::intermediate-missing-aki", BAD, ca={"length": 0, "aki": None})
        self.two(at + "aki::self-signed-root-missing-aki", GOOD)
        label = at + "aki::cross-signed-root-missing-aki"
        mid = self.under(label, self.root(label), length=0, aki=None)
        self.add(label, BAD, [mid], [], self.leaf(mid), pedantic=PEDANTIC)
        k = new_key()
        self.two(at + "ski::critical-ski", BAD, root={"public": k, "ski": ext("2.5.29.14", tlv(4, key_id(k)), True)})
        self.two(at + "ski::root-missing-ski", BAD, root={"ski": None})
        self.three(at + "ski::intermediate-missing-ski", BAD, ca={"ski": None})

    def dates(self):
        """Theirs are 2016 to 2026, looked at in 2022; ours lie as far from today."""
        at, long, short = "rfc5280::validity::", (years(-6), years(4)), (years(-6), years(-2))
        for label, spans in (("root", (short, long, (years(-4), years(1)))), ("intermediate", (long, short, (years(-4), years(1)))),
                             ("leaf", (long, long, (years(-4), years(-1))))):
            root, ca, leaf = ({"times": t} for t in spans)
            self.three(f"{at}expired-{label}", BAD, root=root, ca=ca, leaf=leaf)
        start, stop = datetime.datetime(2024, 3, 1), datetime.datetime(2024, 4, 1)
        second = datetime.timedelta(seconds=1)
        for label, want, since, when in (("notbefore-exact", GOOD, start, start), ("notafter-exact", GOOD, start, stop),
                                         # Fractions: the clock counts whole seconds that have passed.
                                         ("notbefore-fractional", BAD, start + second, start),
                                         ("notafter-fractional", GOOD, start, stop)):
            how = {"times": (since, stop)}
            self.three(at + label, want, root=how, ca=how, leaf=how, at=when, served=False)

    def lengths(self):
        at = "pathlen::"

        def path(label, want, *lengths, leaf=True, same=()):
            top = self.root(at + label)
            mids = [top]
            for i, n in enumerate(lengths):
                how = {"dn": mids[-1].name} if i in same else {}
                mids.append(self.under(at + label, mids[-1], length=n, **how))
            mids = mids[1:]
            last = self.leaf(mids[-1]) if leaf else mids.pop()
            self.add(at + label, want, [top], mids, last)
        for n in range(3):
            path(f"ee-with-intermediate-pathlen-{n}", GOOD, n)
        path("validation-ignores-pathlen-in-leaf", GOOD, 0, 0, leaf=False)
        path("intermediate-violates-pathlen-0", BAD, 0, 0)
        path("intermediate-pathlen-may-increase", GOOD, 1, 2)
        path("intermediate-pathlen-too-long", BAD, 1, 0, 0)
        path("self-issued-certs-pathlen", GOOD, 1, 1, 0, same=(1,))

    def cross(self, id_, cns, pairs, **how):
        """Authorities that sign for each other: {(subject, issuer): authority} for every pair of names' numbers."""
        keys = [new_key() for _ in cns]
        names = [name(cn, id_) for cn in cns]

        class Signer:
            def __init__(self, i):
                self.key, self.name = keys[i], names[i]
        return {(a, b): Authority(id_, "", Signer(b) if a != b else None, public=keys[a], dn=names[a], alt=None, **how)
                for a, b in pairs}

    def graphs(self):
        at = "pathological::"
        label = at + "multiple-chains-expired-intermediate"
        root, second = self.root(label), self.root(label, "x509-limbo-root-2")
        old = self.under(label, second, length=1, dn=root.name, public=root.key,
                         times=(EPOCH, datetime.datetime(1988, 11, 25)))
        self.add(label, GOOD, [root, second], [old], self.leaf(root))
        for end in ("", "-max-depth"):
            label = f"{at}intermediate-cycle-distinct-cas{end}"
            made = self.cross(label, ("cycle one", "cycle two"), ((0, 1), (1, 0)))
            self.add(label, BAD, [self.root(label)], list(made.values()), self.leaf(made[0, 1]))
        label = at + "intermediate-cycle-same-logical-ca"
        made = self.cross(label, ("cycle", "cycle"), ((0, 1), (1, 0)), usage=None)
        self.add(label, BAD, [self.root(label)], list(made.values()), self.leaf(made[0, 1]))
        permitted = [f"t{i}.test" for i in range(513)] + [".test"]
        limits = constraints(permitted, [f"x{i}.test" for i in range(513)])
        self.two(at + "nc-dos-1", BAD, root={"more": [limits]}, leaf={"dn": name(None), "alt": alt(*permitted, critical=True)},
                 host="t0.test")
        label = "invalid::invalid-issuer-key"
        trusted, strange = self.root(label), self.root(label)
        mid = self.under(label, strange, public=Hollow())
        self.add(label, BAD, [trusted], [mid], self.leaf(mid))

    def cves(self):
        label = "cve::cve-2024-0567"     # GnuTLS: a root that others have signed as well is still a root
        made = self.cross(label, ("Root A", "Root B", "Root C"), [(a, b) for a in range(3) for b in range(3)])
        root = made[0, 0]
        mids = [self.under(label, made[i, i], f"Intermediate {c}1", alt=None) for i, c in enumerate("ABC")]
        crossed = [a for (i, k), a in made.items() if i != k]
        self.add(label, GOOD, [root], [*mids, *crossed],
                 self.leaf(mids[0], dn=name(None), alt=alt("cve-2024-0567.example.com", critical=True)),
                 host="cve-2024-0567.example.com")
        wild = {"alt": alt("*.example.com")}
        self.three("cve::cve-2025-61727", BAD, leaf=wild, host="bar.example.com",
                   ca={"alt": None, "more": [constraints(["example.com"], ["bar.example.com"])]})
        self.three("cve::cve-2025-61727-nc-permits-variant", BAD, leaf=wild, host="foo.example.com",
                   ca={"alt": None, "more": [constraints(["foo.example.com"])]})


class Constraints(Family):
    """rfc5280::nc."""

    def make(self):
        for part in (self.names, self.addresses, self.directories, self.whole, self.malformed, self.paths):
            part()

    def limited(self, label, want, permit=(), exclude=(), *, names, host=None, critical=True, dn=None):
        """A root with limits, a leaf with names."""
        self.two("rfc5280::nc::" + label, want, root={"more": [constraints(permit, exclude, critical)]},
                 leaf={"alt": alt(*names), **({} if dn is None else {"dn": dn})}, host=host or names[0])

    def names(self):
        self.limited("permitted-dns-mismatch", BAD, [HOST], names=["not-example.com"])
        self.three("rfc5280::nc::excluded-dns-match", BAD, ca={"more": [constraints(exclude=[HOST])]})
        self.limited("permitted-dns-match", GOOD, [HOST], names=[HOST])
        self.limited("permitted-dns-match-noncritical", BAD, [HOST], names=[HOST], critical=False)
        self.limited("permitted-dns-match-more", GOOD, [HOST], names=["foo.bar.example.com"], dn=name("foo.bar.example.com"))
        self.limited("excluded-dns-match-second", BAD, exclude=["not-allowed.example.com"],
                     names=[HOST, "not-allowed.example.com"])

    def addresses(self):
        net, one = "192.0.2.0/24", "::1/128"
        for label, want, permit, exclude, ip in (
                ("permitted-ip-mismatch", BAD, [net], (), "192.0.3.1"), ("excluded-ipv4-match", BAD, (), [net], "192.0.2.1"),
                ("excluded-ipv6-match", BAD, (), [one], "::1"), ("permitted-ipv4-match", GOOD, [net], (), "192.0.2.1"),
                ("permitted-ipv6-match", GOOD, [one], (), "::1")):
            # Theirs keep the common name example.com here, beside an address; theirs is a rule of its own (webpki::cn).
            self.limited(label, want, permit, exclude, names=[ip], dn=name("an address"))

    def directories(self):
        foo, other = directory("foo"), directory("not-foo")
        for label, want, permit, exclude, cn, san in (
                ("permitted-dn-mismatch", BAD, [foo], (), "not-foo", other), ("excluded-dn-match", BAD, (), [foo], "foo", foo),
                ("permitted-dn-match", GOOD, [foo], (), "foo", foo),
                ("permitted-dn-match-subject-san-mismatch", BAD, [foo], (), "not-foo", foo),
                ("excluded-dn-match-sub-mismatch", BAD, (), [foo], "foo", other)):
            self.two("rfc5280::nc::" + label, want, root={"more": [constraints(permit, exclude)]},
                     leaf={"dn": name(cn), "alt": alternatives(general(HOST), san)})

    def whole(self):
        at, elsewhere = "rfc5280::nc::", name("not-example.com", "rfc5280::nc::permitted-self-issued")
        limits = constraints([HOST])
        strange = {"dn": elsewhere, "alt": alt("not-example.com")}
        self.three(at + "permitted-self-issued", GOOD, root={**strange, "more": [limits]}, ca=strange)
        strange = {"dn": name("not-example.com", at + "excluded-self-issued-leaf"), "alt": alt("not-example.com")}
        self.three(at + "excluded-self-issued-leaf", BAD, root={"more": [limits]}, ca=strange, leaf=strange,
                   host="not-example.com")
        self.limited("excluded-match-permitted-and-excluded", BAD, [HOST], [HOST], names=[HOST])
        self.limited("permitted-different-constraint-type", GOOD, ["192.0.2.0/24"], names=[HOST])
        self.limited("excluded-different-constraint-type", GOOD, exclude=["192.0.2.0/24"], names=[HOST])
        for critical in (False, True):
            self.two(f"{at}not-allowed-in-ee-{'' if critical else 'non'}critical", BAD,
                     leaf={"more": [constraints([HOST], critical=critical)]})

    def malformed(self):
        bare4, bare6 = (tlv(0x87, ipaddress.ip_address(a).packed) for a in ("127.0.0.1", "::1"))
        sub = name("foo.example.com")
        self.limited("invalid-dnsname-wildcard", BAD, ["*.example.com"], names=["foo.example.com"], dn=sub)
        self.limited("invalid-dnsname-leading-period", BAD, [".example.com"], names=["foo.example.com"], dn=sub)
        self.limited("invalid-ipv4-address", BAD, [bare4], names=["127.0.0.1"], dn=name("an address"))
        self.limited("invalid-ipv6-address", BAD, [bare6], names=["::1"], dn=name("an address"))
        at = "rfc5280::nc::"
        self.three(at + "nc-permits-invalid-dns-san", BAD, ca={"more": [constraints([HOST])]},
                   leaf={"dn": sub, "alt": alt(".example.com", "foo.example.com")}, host="foo.example.com")
        net = ipaddress.ip_network("192.0.2.0/24")
        self.three(at + "nc-permits-invalid-ip-san", BAD, ca={"more": [constraints(["192.0.2.0/24"])]}, host="192.0.2.1",
                   leaf={"dn": name("an address"), "alt": alternatives(
                       tlv(0x87, net.network_address.packed, net.netmask.packed), general("192.0.2.1"))})
        for label, want, names in (("nc-forbids-othername", BAD, [other_name()]), ("nc-forbids-othername-noop", GOOD, [])):
            self.three(at + label, want, ca={"alt": None, "more": [constraints([HOST], [other_name()])]},
                       leaf={"alt": alternatives(general(HOST), *names)})

    def paths(self):
        at = "rfc5280::nc::"
        limits = {"more": [constraints(["permitted.example.com"], ["forbidden.example.com"])]}
        for where in ("intermediate", "root"):
            label = f"{at}intermediate-with-san-rejected-by-{where}-nc"
            top = self.root(label, **(limits if where == "root" else {}))
            # Its own name keeps within what the root allows: theirs breaks that rule by accident as well.
            one = self.under(label, top, alt=None, **(limits if where == "intermediate" else {}))
            two = self.under(label, one, alt=alt("forbidden.example.com"))
            self.add(label, BAD, [top], [one, two], self.leaf(two, dn=name("permitted.example.com"),
                                                              alt=alt("permitted.example.com")), host="permitted.example.com")
        foo, bar = "foo.example.com", "bar.example.com"
        for end, upper, lower in (("narrows", [foo, bar], [bar]), ("widens", [bar], [foo, bar])):
            label = f"{at}restrictive-permits-in-intermediates-{end}"
            top = self.root(label)
            one = self.under(label, top, more=[constraints(upper)])
            two = self.under(label, one, alt=None, more=[constraints(lower)])
            self.add(label, BAD, [top], [one, two], self.leaf(two, dn=name(foo), alt=alt(foo)), host=foo)
        self.alternate()
        self.same()

    def alternate(self):
        """The intermediate that comes first leads to no root; another of the same name and key does."""
        label = "rfc5280::nc::nc-forbids-alternate-chain-ica"
        lost, top = self.root(label, alt=None), self.root(label, alt=None)
        above = self.under(label, top, alt=None, more=[constraints(["permitted.example.com"], ["forbidden.example.com"])])
        k, dn, host = new_key(), name("an-intermediate", label), "permitted.example.com"
        first = self.under(label, lost, public=k, dn=dn, alt=alt("forbidden.example.com"))
        second = self.under(label, above, public=k, dn=dn, alt=None)
        self.add(label, GOOD, [top], [above, first, second], self.leaf(first, dn=name(host), alt=alt(host)), host=host)

    def same(self):
        """The intermediate that comes first breaks a limit; another of the same name and key does not."""
        label = "rfc5280::nc::nc-forbids-same-chain-ica"
        a, b = self.root(label, alt=None), self.root(label, alt=None)
        above = self.under(label, a, alt=None, more=[constraints(exclude=["forbidden.example.com"])])
        k, dn, host = new_key(), name("an-intermediate", label), "unconstrained.example.com"
        first = self.under(label, above, public=k, dn=dn, alt=alt("forbidden.example.com"))
        second = self.under(label, b, public=k, dn=dn, alt=alt("unconstrained-ica.example.com"))
        self.add(label, GOOD, [a, b], [above, first, second], self.leaf(first, dn=name(host), alt=alt(host)), host=host)


def write(cases, folder):
    """Files of each case: NAME.roots, NAME.leaf, NAME.chain, NAME.pem, NAME.key and NAME.N.crl."""
    for c in cases:
        base = folder / c.name
        for end, ders in (("roots", c.roots), ("leaf", c.chain[:1]), ("chain", c.chain[1:]), ("pem", c.chain)):
            base.with_name(f"{c.name}.{end}").write_bytes(b"".join(pem(d) for d in ders))
        if c.served:
            base.with_name(f"{c.name}.key").write_bytes(key_pem(c.key))
        for i, crl in enumerate(c.crls):
            base.with_name(f"{c.name}.{i}.crl").write_bytes(crl)
