"""x509-limbo's webpki cases (the CA/Browser Forum's rules), but for the lists; see limbo.py."""
from cryptography.hazmat.primitives.asymmetric import ec

from chains import key as shared_key
from der import (ANY, CLIENT, CODE, EMAIL, OCSP, SERVER, alt, basic, constraints, ext, key_id, name, purposes, seq, tlv, usage)
from limbo import AIA, AUTHORITY_KEY, BAD, EKU, GOOD, HOST, KEY, SUFFIX, Explicit, Family, new_key

STAMPING, PRECERTIFICATE = "1.3.6.1.5.5.7.3.8", "1.3.6.1.4.1.11129.2.4.4"


class Web(Family):
    """webpki without crl."""

    def make(self):
        for part in (self.keys, self.form, self.key_ids, self.common_names, self.purposes, self.limits, self.names):
            part()

    def keys(self):
        at = "webpki::"
        self.two(at + "explicit-curve", BAD, root={"public": Explicit()}, leaf={"public": Explicit()}, served=False)
        for label, kind in (("p192", ec.generate_private_key(ec.SECP192R1())), ("dsa", shared_key("dsa")),
                            ("weak-rsa-key", shared_key("rsa1024")), ("rsa-not-divisable-by-8", shared_key("rsa2052"))):
            # Their names differ: forbidden-p192-root, but forbidden-weak-rsa-key-in-root and -weak-rsa-in-leaf.
            root = f"{at}forbidden-{label}{'-in' if 'rsa' in label else ''}-root"
            leaf = {"weak-rsa-key": "weak-rsa-in-leaf", "rsa-not-divisable-by-8": "rsa-key-not-divisable-by-8-in-leaf"}
            self.two(root, BAD, root={"public": kind})
            self.two(f"{at}forbidden-{leaf.get(label, label + '-leaf')}", BAD, leaf={"public": kind}, pedantic=KEY,
                     served="rsa" in label)
        self.two(at + "ku::ee-rsa-without-any-usages", BAD, leaf={"public": shared_key("rsa2048"), "usage": usage()},
                 served=False)

    def form(self):
        at = "webpki::"
        self.two(at + "malformed-aia", BAD, leaf={"more": [ext(AIA, b"malformed")]})
        self.two(at + "v1-cert", BAD, leaf={"version": 0, "exts": []})
        self.two(at + "ee-basicconstraints-ca", BAD, leaf={"basic": basic(True)})
        top = self.root(at + "ca-as-leaf")
        self.add(at + "ca-as-leaf", BAD, [top], [], self.under(at + "ca-as-leaf", top, alt=alt("ca.example.com")),
                 host="ca.example.com")

    def key_ids(self):
        """What a root's authorityKeyIdentifier may hold: the identifier of its own key, and nothing else."""
        issuer, serial = tlv(0xa1, tlv(0xa4, name("myCN"))), tlv(0x82, (1234).to_bytes(2, "big"))
        for label, parts in (("missing-keyidentifier", ()), ("authoritycertissuer", (issuer,)),
                             ("authoritycertserialnumber", (serial,)), ("all-fields", (issuer, serial))):
            k = new_key()
            own = (tlv(0x80, key_id(k)),) if parts else ()
            self.two(f"webpki::aki::root-with-aki-{label}", BAD,
                     root={"public": k, "aki": ext(AUTHORITY_KEY, seq(*own, *parts))})
        self.two("webpki::aki::root-with-aki-ski-mismatch", BAD,
                 root={"aki": ext(AUTHORITY_KEY, seq(tlv(0x80, key_id(new_key()))))})

    def common_names(self):
        for label, cn, names in (
                ("ipv4-hex-mismatch", "0xC0A80101", ["192.168.1.1"]),
                ("ipv4-leading-zeros-mismatch", "192.168.001.001", ["192.168.1.1"]),
                ("ipv6-uppercase-mismatch", "2001:DB8::8A2E:370:7334", ["2001:db8::8a2e:370:7334"]),
                ("ipv6-uncompressed-mismatch", "2001:0db8:0000:0000:0000:0000:0000:0001", ["2001:db8::1"]),
                ("ipv6-non-rfc5952-mismatch", "2001:db8:0:0:1:0:0:1", ["2001:db8::1:0:0:1"]),
                ("punycode-not-in-san", "xn--nxasmq6b.com", ["xn--n3h.com"]),
                ("utf8-vs-punycode-mismatch", "test-測試.com", ["xn--test--wg5h0h.com"]),
                ("not-in-san", "notinsan.example.com", ["valid.example.com", "another.example.com"]),
                ("case-mismatch", "Example.COM", [HOST])):
            self.two(f"webpki::cn::cabf-cn-{label}", BAD, leaf={"dn": name(cn), "alt": alt(*names)}, host=names[0])

    def purposes(self):
        for label, want, parts in (
                ("ee-anyeku", BAD, [SERVER, ANY]), ("ee-clientauth-only", BAD, [CLIENT]),
                ("ee-precertificate-only", BAD, [PRECERTIFICATE]), ("ee-precertificate-with-serverauth", BAD, [SERVER, PRECERTIFICATE]),
                ("ee-serverauth-with-additional", GOOD, [SERVER, CLIENT]), ("ee-codesigning-with-serverauth", BAD, [SERVER, CODE]),
                ("ee-emailprotection-with-serverauth", BAD, [SERVER, EMAIL]),
                ("ee-timestamping-with-serverauth", BAD, [SERVER, STAMPING]), ("ee-ocspsigning-with-serverauth", BAD, [SERVER, OCSP])):
            self.two("webpki::eku::" + label, want, leaf={"purposes": purposes(*parts)}, pedantic=EKU)
        self.two("webpki::eku::ee-critical-eku", BAD, leaf={"purposes": purposes(SERVER, critical=True)}, pedantic=EKU)
        self.two("webpki::eku::ee-without-eku", BAD, leaf={"purposes": None}, pedantic=EKU)
        self.two("webpki::eku::root-has-eku", BAD, root={"more": [purposes(SERVER)]}, pedantic=EKU)

    def limits(self):
        at = "webpki::nc::"
        self.two(at + "permitted-dns-match-noncritical", GOOD, root={"more": [constraints([HOST], critical=False)]})
        self.three(at + "intermediate-permitted-excluded-subtrees-both-null", BAD, ca={"more": [constraints()]})
        self.three(at + "intermediate-permitted-excluded-subtrees-both-empty-sequences", BAD,
                   ca={"more": [ext("2.5.29.30", seq(tlv(0xa0), tlv(0xa1)), True)]})

    def names(self):
        at = "webpki::san::"
        for label, want, san, host in (
                ("exact-dns-san", GOOD, HOST, HOST), ("mismatch-domain-san", BAD, HOST, "example2.com"),
                ("mismatch-subdomain-san", BAD, "abc.example.com", "def.example.com"),
                ("mismatch-subdomain-apex-san", BAD, HOST, "abc.example.com"),
                ("mismatch-apex-subdomain-san", BAD, "abc.example.com", HOST),
                ("public-suffix-wildcard-san", BAD, "*.com", HOST), ("leftmost-wildcard-san", GOOD, "*.example.com", "foo.example.com"),
                ("wildcard-embedded-leftmost-san", BAD, "ba*.example.com", "baz.example.com"),
                ("wildcard-not-in-leftmost-san", BAD, "foo.*.example.com", "foo.bar.example.com"),
                ("wildcard-match-across-labels-san", BAD, "*.example.com", "foo.bar.example.com"),
                ("wildcard-embedded-ulabel-san", BAD, "xn--*-1b3c148a.example.com", "xn--bliss-1b3c148a.example.com"),
                ("unicode-emoji-san", BAD, "\U0001f61c.example.com".encode(), "xn--628h.example.com"),
                ("san-wildcard-only", BAD, "*", HOST), ("san-wildcard-only-tld", BAD, "*", "com")):
            # The common name is no host name here, so that the subjectAltName alone decides.
            self.two(at + label, want, leaf={"dn": name("a server"), "alt": alt(san)}, host=host,
                     pedantic=SUFFIX if "suffix" in label else "", served=host != "com")    # we sign nothing for one label
        self.two(at + "exact-localhost-ip-san", GOOD, leaf={"dn": name("a server"), "alt": alt("127.0.0.1")}, host="127.0.0.1")
        self.two(at + "no-san", BAD, leaf={"alt": None})
        self.two(at + "san-critical-with-nonempty-subject", BAD,
                 leaf={"dn": name("something-else"), "alt": alt(HOST, critical=True)})
