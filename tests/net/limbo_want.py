"""All of x509-limbo's cases that we have (limbo.py), and what Perron says of each: what x509-limbo expects, but where the
table below says that it differs, and why."""
from limbo import Constraints, Profile
from limbo_crl import Lists
from limbo_web import Web

CASES = [c for family in (Profile, Constraints, Web, Lists) for c in family().cases]

ANCHOR = "an anchor is trusted for being in the file, not for its form; roots of Debian's list are so"
WEB = "RFC 5280 alone would have it so; the rules of the web's authorities say the opposite, as webpki's twin of this case"
BROWSERS = "browsers accept it: serverAuth is there, and nobody is deceived"
DIFFERS = {
    # Accepted although x509-limbo refuses.
    "rfc5280::root-non-critical-basic-constraints": ANCHOR + " (ePKI, Go Daddy Class 2)",
    "rfc5280::ski::root-missing-ski": ANCHOR + " (TWCA Global Root CA, Hongkong Post Root CA 1)",
    "rfc5280::nc::permitted-dns-match-noncritical": WEB,
    # Accepted and pedantic.
    "rfc5280::serial::serial-number-zero": "private authorities number from nought",
    "webpki::eku::ee-anyeku": BROWSERS,
    "webpki::eku::ee-critical-eku": BROWSERS,
    "webpki::eku::ee-codesigning-with-serverauth": BROWSERS,
    "webpki::eku::ee-emailprotection-with-serverauth": BROWSERS,
    "webpki::eku::root-has-eku": "a root that limits itself to servers does no harm",
    # Refused although x509-limbo accepts.
    "rfc5280::ca-as-leaf": WEB,
    "rfc5280::eku::ee-without-eku": WEB,
    "pathlen::validation-ignores-pathlen-in-leaf": "the leaf is an authority: refused as webpki::ca-as-leaf is",
    "crl::crl-update-generalizedtime-2025": "the list is its authority's, and says in another form of date that the certificate is "
                                            "revoked: believed",
}


# What is accepted without being pedantic: no more than this.
STANDS = {"rfc5280::root-non-critical-basic-constraints", "rfc5280::ski::root-missing-ski",
          "rfc5280::nc::permitted-dns-match-noncritical"}


def ours(case):
    """GOOD or BAD, as Perron must say."""
    return case.want != (case.id in DIFFERS)


def right(verdicts, lists):
    """(As expected, cases): of the chains alone, or of those with lists."""
    some = [c for c in CASES if bool(c.crls) == lists]
    return sum(verdicts[c.id] == c.want for c in some), len(some)


def summary(verdicts):
    """One line for people: {identifier: verdict} counted."""
    chains, lists = right(verdicts, False), right(verdicts, True)
    accepted = [c for c in CASES if verdicts[c.id] and not c.want]
    pedantic = [c.id for c in accepted if c.pedantic]
    others = [c.id for c in accepted if not c.pedantic]
    refused = [c.id for c in CASES if not verdicts[c.id] and c.want]
    return (f"limbo: {chains[0] + lists[0]} of {chains[1] + lists[1]} as expected, of these {lists[0]} of {lists[1]} with lists; "
            f"pedantic accepted: {len(pedantic)} ({', '.join(pedantic)}); others accepted: {len(others)} ({', '.join(others)}); "
            f"refused: {len(refused)} ({', '.join(refused)})")
