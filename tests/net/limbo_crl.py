"""x509-limbo's cases of revocation lists; see limbo.py. Their harness refuses what has no list that counts, so these are
judged with --must-know; but for three of `crl`, where a list that may not count must not refuse either. A list is read
where a certificate points to it: most of theirs point nowhere, ours do, but where that is what the case is about."""
import datetime
import secrets

from der import crl_at, ext, general, integer, oid, revocations, seq, time, tlv, usage
from limbo import BAD, GOOD, HOST, STRANGE, Family

AT = datetime.datetime(2024, 1, 1)
USUAL = (AT - datetime.timedelta(days=1), AT + datetime.timedelta(days=30))
NUMBER, SCOPE = "2.5.29.20", "2.5.29.28"
URL = "http://example.com/partition.crl"
YES = b"\xff"


def itself(mine):
    return [mine]


def day(n):
    return AT + datetime.timedelta(days=n)


def urls(*texts):
    """distributionPoint: fullName."""
    return tlv(0xa0, tlv(0xa0, *[general(t) for t in texts]))


def scope(*parts):
    return ext(SCOPE, seq(*parts), True)


class Lists(Family):
    """rfc5280::crl, webpki::crl and crl."""

    def make(self):
        for part in (self.form, self.issuers, self.entries, self.scopes, self.web_scopes, self.dates, self.ignored):
            part()

    def root(self, id_, cn="x509-limbo-root", **how):
        return super().root(id_, cn, **{"usage": usage(5, 6, critical=False), **how})

    def under(self, id_, parent, cn="x509-limbo-intermediate", **how):
        return super().under(id_, parent, cn, **{"usage": usage(5, 6, critical=False), "more": [crl_at(URL)], **how})

    def leaf(self, parent, **how):
        return super().leaf(parent, **{"more": [crl_at(URL)], **how})

    def listed(self, label, want, revoked=(4711,), *, root=None, leaf=None, times=USUAL, must_know=True, **how):
        """root -> leaf, and a list; `revoked`: serial numbers, or what makes entries from the leaf's own."""
        top, mine = self.root(label, **(root or {})), secrets.randbits(120) | 1 << 119
        crl = revocations(top.name, top.key, times, revoked(mine) if callable(revoked) else revoked, **how)
        self.add(label, want, [top], [], self.leaf(top, serial=mine, **(leaf or {})), at=AT, crls=[crl], must_know=must_know,
                 served=False)

    def form(self):
        at = "rfc5280::crl::"
        self.listed(at + "revoked-certificate-with-crl", BAD, itself)
        self.listed(at + "crlnumber-missing", BAD, number=None)
        self.listed(at + "crlnumber-critical", BAD, number=None, exts=[ext(NUMBER, integer(12345), True)])
        self.listed(at + "certificate-not-on-crl", GOOD, [4711, 4712])
        self.listed(at + "crl-empty", GOOD, [])
        self.listed(at + "crl-very-large", GOOD, [1 << 100 | n for n in range(10000)])
        self.listed(at + "crl-unknown-critical-extension", BAD, exts=[ext(STRANGE, b"", True)])
        self.listed(at + "crl-unknown-noncritical-extension", GOOD, exts=[ext(STRANGE, b"")])
        self.listed("webpki::crl::crl-duplicate-revoked-serial", BAD, [4711, 4711])

    def issuers(self):
        at = "rfc5280::crl::"
        self.listed(at + "issuer-missing-crlsign", BAD, root={"usage": usage(5, critical=False)})
        self.listed(at + "issuer-no-keyusage-extension", GOOD, root={"usage": None})
        self.listed(at + "issuer-valid-crlsign-and-keycertsign", GOOD)
        label = at + "certificate-serial-on-crl-different-issuer"
        one, two = self.root(label, "Root CA 1"), self.root(label, "Root CA 2")
        self.add(label, GOOD, [one, two], [], self.leaf(one, serial=4711), at=AT, must_know=True, served=False,
                 crls=[revocations(one.name, one.key, USUAL, []), revocations(two.name, two.key, USUAL, [4711])])
        label = at + "crl-invalid-signature"
        top = self.root(label)
        # The key identifier is the root's, the signature is not.
        crl = revocations(top.name, top.key, USUAL, [4711], spoil=True)
        self.add(label, BAD, [top], [], self.leaf(top), at=AT, crls=[crl], must_know=True, served=False)
        label = at + "crl-wrong-signing-key"
        one, two = self.root(label, "Root CA 1"), self.root(label, "Root CA 2")
        self.add(label, BAD, [one, two], [], self.leaf(one), at=AT, must_know=True, served=False,
                 crls=[revocations(one.name, two.key, USUAL, [4711])])

    def entries(self):
        for critical in (True, False):
            self.listed(f"rfc5280::crl::entry-unknown-{'' if critical else 'non'}critical-extension", BAD, lambda mine, c=critical: [
                seq(integer(mine), time(day(-1)), seq(ext(STRANGE, b"", c)))])
        self.listed("rfc5280::crl::revocation-date-in-future", BAD, lambda mine: [seq(integer(mine), time(day(1)))])
        self.listed("rfc5280::crl::revocation-date-before-not-before", BAD, lambda mine: [seq(integer(mine), time(day(-60)))],
                    leaf={"times": (day(-30), day(300))})

    def scopes(self):
        at = "rfc5280::crl::"
        self.listed(at + "idp-cdp-scope-mismatch", BAD, [], exts=[scope(urls("http://example.com/other.crl"))])
        self.listed(at + "idp-cdp-scope-match", GOOD, [], exts=[scope(urls(URL))])
        self.listed(at + "idp-only-contains-ca-certs-ee-target", BAD, [], exts=[scope(tlv(0x82, YES))])
        self.listed(at + "idp-present-certificate-missing-cdp", BAD, [], leaf={"more": ()}, exts=[scope(urls(URL))])
        self.listed(at + "idp-only-contains-attribute-certs", BAD, exts=[scope(tlv(0x85, YES))])
        label = at + "idp-only-contains-user-certs-ca-target"
        top = self.root(label)
        mid = self.under(label, top)
        crls = [revocations(top.name, top.key, USUAL, [], exts=[scope(tlv(0x81, YES))]),
                revocations(mid.name, mid.key, USUAL, [])]
        self.add(label, BAD, [top], [mid], self.leaf(mid), at=AT, crls=crls, must_know=True, served=False)

    def web_scopes(self):
        at = "webpki::crl::"
        relative = tlv(0xa0, tlv(0xa1, seq(oid("2.5.4.3"), tlv(0x0c, b"partition"))))
        mixed = ext("2.5.29.31", seq(seq(urls(URL, HOST))))
        self.listed(at + "idp-name-relative-to-crl-issuer", BAD, [], exts=[scope(relative)])
        self.listed(at + "idp-fullname-non-uri-generalname", BAD, [], exts=[scope(urls(URL, HOST))])
        self.listed(at + "idp-indirect-crl", BAD, [], exts=[scope(urls(URL), tlv(0x84, YES))])
        self.listed(at + "idp-only-some-reasons-no-complete-crl", BAD, [],
                    exts=[scope(urls(URL), tlv(0x83, b"\6\x40"))])
        self.listed(at + "idp-uri-not-byte-identical", BAD, [],
                    leaf={"more": [crl_at("http://example.com/crls/%73hard.crl")]},
                    exts=[scope(urls("http://example.com/crls/shard.crl"))])
        self.listed(at + "idp-present-certificate-cdp-non-uri-generalname", BAD, [], leaf={"more": [mixed]},
                    exts=[scope(urls(URL))])

    def dates(self):
        at = "rfc5280::crl::"
        self.listed(at + "this-update-in-future", BAD, [], times=(day(1), day(30)))
        self.listed(at + "next-update-in-past", BAD, [], times=(day(-60), day(-30)))
        self.listed(at + "crl-validity-no-overlap", BAD, [], times=(day(-365), day(-180)),
                    leaf={"times": (day(-30), day(30))})

    def ignored(self):
        """Theirs are stored files: lists that revoke the leaf, and break the rules of RFC 5280 section 5.1."""
        def long(t):
            return tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").encode())
        for label, how in (("invalid-version", {"version": 5}),
                           ("update-generalizedtime-2025", {"dates": long(USUAL[0]) + long(USUAL[1])}),
                           ("missing-next-update", {"dates": time(USUAL[0])})):
            self.listed("crl::crl-" + label, GOOD, itself, must_know=False, **how)
