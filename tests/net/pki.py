"""Certificates of the laboratory's internet: public-like roots and chains, good ones and bad ones.

The roots go into the gateway's `trust` file and into the clients' stores. All throw-away, made anew each time.
"""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)


def days(n):
    return NOW + datetime.timedelta(days=n)


def new_key(kind):
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:] or 2048))


def subject(common_name, org=None):
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, org)] if org else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def key_usage(**on):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{n: on.get(n, False) for n in names})


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Authority:
    """A certification authority: a root, or an intermediate of one."""

    def __init__(self, common_name, kind, parent=None, org="Public Trust Services"):
        self.key = new_key(kind)
        self.parent = parent
        name = subject(common_name, org)
        signer = parent.key if parent else self.key
        builder = (x509.CertificateBuilder().subject_name(name)
                   .issuer_name(parent.cert.subject if parent else name)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(days(-400)).not_valid_after(days(2000))
                   .add_extension(x509.BasicConstraints(True, 0 if parent else None), True)
                   .add_extension(key_usage(key_cert_sign=True, crl_sign=True), True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False))
        self.cert = builder.sign(signer, hashes.SHA256())

    def chain(self):
        """Certificates between a leaf and the root, without the root."""
        return [self.cert, *self.parent.chain()] if self.parent else []

    def leaf(self, names, kind="ec", start=-30, stop=300, common_name=None, digest=None, san=True):
        """(certificate, key) for names; addresses among them become addresses."""
        key = new_key(kind)
        builder = (x509.CertificateBuilder().subject_name(subject(common_name or names[0]))
                   .issuer_name(self.cert.subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(days(start)).not_valid_after(days(stop))
                   .add_extension(x509.BasicConstraints(False, None), True)
                   .add_extension(key_usage(digital_signature=True, key_encipherment=kind != "ec"), True)
                   .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False))
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName([general_name(n) for n in names]), False)
        return builder.sign(self.key, digest or hashes.SHA256()), key


def general_name(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def self_signed(name):
    key = new_key("ec")
    cert = (x509.CertificateBuilder().subject_name(subject(name)).issuer_name(subject(name))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(days(-30)).not_valid_after(days(300))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(key_usage(digital_signature=True), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(key, hashes.SHA256()))
    return cert, key


class Pki:
    """The authorities of the laboratory, and a folder with what servers and clients need."""

    def __init__(self, folder):
        self.folder = folder
        self.root_ec = Authority("Public Root EC", "ec")
        self.root_rsa = Authority("Public Root RSA", "rsa2048")
        self.web_ec = Authority("Public Web CA (EC)", "ec", self.root_ec)
        self.web_rsa = Authority("Public Web CA (RSA)", "rsa2048", self.root_rsa)
        self.bank = Authority("Public Bank CA (RSA)", "rsa2048", self.root_rsa)
        self.unknown = Authority("Nobody's Root", "ec", org="Nobody")
        self.roots = folder / "public-roots.pem"
        self.roots.write_bytes(pem(self.root_ec.cert) + pem(self.root_rsa.cert))

    def write(self, name, cert, key, chain):
        (self.folder / f"{name}.pem").write_bytes(pem(cert) + b"".join(pem(c) for c in chain))
        (self.folder / f"{name}.key").write_bytes(key_pem(key))

    def make(self, name, names, flavour):
        """Writes NAME.pem and NAME.key: the certificate that a server called `name` shows."""
        chain = None
        issuer = self.web_ec
        args = {}
        if flavour == "rsa":
            issuer, args = self.web_rsa, {"kind": "rsa2048"}
        elif flavour == "bank":
            issuer, args = self.bank, {"kind": "rsa2048"}
        elif flavour == "expired":
            args = {"start": -90, "stop": -3}
        elif flavour == "not-yet-valid":
            args = {"start": 20, "stop": 300}
        elif flavour == "wrong-name":
            names = ["another.example"]
        elif flavour == "cn-only":
            args = {"san": False}
        elif flavour == "unknown-issuer":
            issuer = self.unknown
        elif flavour == "weak-key":
            issuer, args = self.web_rsa, {"kind": "rsa1024"}
        elif flavour == "weak-signature":
            issuer, args = self.web_rsa, {"kind": "rsa2048", "digest": hashes.SHA1()}
        elif flavour == "expired and wrong-name":
            names, args = ["another.example"], {"start": -90, "stop": -3}
        elif flavour == "no-intermediate":
            chain = []
        if flavour == "self-signed":
            cert, key = self_signed(name)
            chain = []
        else:
            cert, key = issuer.leaf(names, **args)
        self.write(name, cert, key, issuer.chain() if chain is None else chain)
