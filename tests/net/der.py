"""Certificates built byte by byte, so that they can be wrong in any way that a stranger may think of."""
import hashlib
import ipaddress
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa

SEQ, SET, INT, BITS, OCTETS, OID, BOOL, UTF8 = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x01, 0x0c
HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
          "sha512": hashes.SHA512}
RSA_SIG = {"md5": 4, "sha1": 5, "sha256": 11, "sha384": 12, "sha512": 13}
EC_SIG = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
          "sha512": "1.2.840.10045.4.3.4"}


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    head = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + head + body


def seq(*parts):
    return tlv(SEQ, *parts)


def integer(n):
    return tlv(INT, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=n < 0))


def oid(text):
    a, b, *rest = [int(x) for x in text.split(".")]
    out = bytes([40 * a + b])
    for v in rest:
        group = [v & 127]
        while v > 127:
            v >>= 7
            group.insert(0, v & 127 | 128)
        out += bytes(group)
    return tlv(OID, out)


def name(cn, org=None, raw=None):
    """A distinguished name; `raw` stands in place of the common name's bytes."""
    parts = []
    if org:
        parts.append(tlv(SET, seq(oid("2.5.4.10"), tlv(UTF8, org.encode()))))
    if cn is not None or raw is not None:
        parts.append(tlv(SET, seq(oid("2.5.4.3"), tlv(UTF8, raw if raw is not None else cn.encode()))))
    return seq(*parts)


def time(t):
    return tlv(0x17, t.strftime("%y%m%d%H%M%SZ").encode()) if t.year < 2050 else \
        tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").encode())


def spki(key):
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(key):
    return hashlib.sha1(spki(key)).digest()


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def algorithm(key, digest):
    if isinstance(key, rsa.RSAPrivateKey):
        return seq(oid(f"1.2.840.113549.1.1.{RSA_SIG[digest]}"), tlv(5))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return seq(oid("1.3.101.112"))
    if isinstance(key, dsa.DSAPrivateKey):
        return seq(oid("2.16.840.1.101.3.4.3.2"))
    return seq(oid(EC_SIG[digest]))


def sign(key, digest, data):
    h = HASHES[digest]()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), h)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, dsa.DSAPrivateKey):
        return key.sign(data, h)
    return key.sign(data, ec.ECDSA(h))


def signed(body, key, digest="sha256", spoil=False, outer=None):
    """SEQUENCE { body, algorithm, signature }; `outer` is a digest to claim there in place of the one used."""
    value = bytearray(sign(key, digest, body))
    if spoil:
        value[-1] ^= 1
    return seq(body, algorithm(key, outer or digest), tlv(BITS, b"\0", bytes(value)))


# ---- extensions: (identifier, critical, value)

def ext(dotted, value, critical=False):
    return seq(oid(dotted), *([tlv(BOOL, b"\xff")] if critical else []), tlv(OCTETS, value))


def basic(ca, length=None, critical=True):
    parts = [tlv(BOOL, b"\xff")] if ca else []
    return ext("2.5.29.19", seq(*parts, *([integer(length)] if length is not None else [])), critical)


def usage(*bits, critical=True):
    """Bit numbers: 0 digitalSignature, 2 keyEncipherment, 5 keyCertSign, 6 cRLSign; none at all is a mistake."""
    value = sum(0x80 >> b for b in bits)
    return ext("2.5.29.15", tlv(BITS, bytes([7 - max(bits), value]) if bits else b"\0"), critical)


SERVER, CLIENT, CODE, EMAIL, OCSP = ["1.3.6.1.5.5.7.3." + n for n in ("1", "2", "3", "4", "9")]
ANY = "2.5.29.37.0"


def purposes(*list_, critical=False):
    return ext("2.5.29.37", seq(*[oid(p) for p in list_]), critical)


def general(text):
    """One GeneralName: an address, an e-mail address, a URL, else a host name; bytes are a raw dNSName."""
    if isinstance(text, bytes):
        return tlv(0x82, text)
    if "://" in text:
        return tlv(0x86, text.encode())
    if "@" in text:
        return tlv(0x81, text.encode())
    if re.fullmatch(r"[0-9.]+|[0-9a-f:]+:[0-9a-f:]*", text):
        return tlv(0x87, ipaddress.ip_address(text).packed)
    return tlv(0x82, text.encode())


def alt(*names, critical=False):
    return ext("2.5.29.17", seq(*[general(n) for n in names]), critical)


def subtree(text):
    """A network, else a host name; bytes are a whole GeneralName."""
    if isinstance(text, bytes):
        return seq(text)
    if "/" in text:
        net = ipaddress.ip_network(text)
        return seq(tlv(0x87, net.network_address.packed + net.netmask.packed))
    return seq(tlv(0x82, text.encode()))


def constraints(permit=(), exclude=(), critical=True):
    return ext("2.5.29.30", seq(*([tlv(0xa0, *[subtree(p) for p in permit])] if permit else []),
                                *([tlv(0xa1, *[subtree(e) for e in exclude])] if exclude else [])),
               critical)


def subject_id(key):
    return ext("2.5.29.14", tlv(OCTETS, key_id(key)))


def issuer_id(key):
    return ext("2.5.29.35", seq(tlv(0x80, key_id(key))))


def crl_at(url):
    return ext("2.5.29.31", seq(seq(tlv(0xa0, tlv(0xa0, tlv(0x86, url.encode()))))))


def issuer_at(url):
    return ext("1.3.6.1.5.5.7.1.1", seq(seq(oid("1.3.6.1.5.5.7.48.2"), tlv(0x86, url.encode()))))


def must_staple():
    return ext("1.3.6.1.5.5.7.1.24", seq(integer(5)))


def certificate(subject, issuer, public, signer, times, exts, *, serial=None, version=2, digest="sha256", spoil=False,
                outer=None):
    """A certificate from its parts; `subject` and `issuer` are names in DER, `public` a key of any kind."""
    import secrets
    serial = secrets.randbits(120) | 1 << 119 if serial is None else serial
    body = seq(*([tlv(0xa0, integer(version))] if version else []), integer(serial), algorithm(signer, digest), issuer,
               seq(time(times[0]), time(times[1])), subject, spki(public),
               *([tlv(0xa3, seq(*exts))] if exts else []))
    return signed(body, signer, digest, spoil, outer)


def revocations(issuer, signer, times, serials, *, number=1, exts=(), digest="sha256", spoil=False, version=1,
                dates=None):
    """A certificate revocation list; `serials` are numbers, or whole entries in DER; `dates` stand in place of the DER
    of `times`."""
    dates = time(times[0]) + time(times[1]) if dates is None else dates
    entries = [e if isinstance(e, bytes) else seq(integer(e), time(times[0])) for e in serials]
    body = seq(*([integer(version)] if version else []), algorithm(signer, digest), issuer, dates,
               *([seq(*entries)] if entries else []),
               tlv(0xa0, seq(issuer_id(signer), *([ext("2.5.29.20", integer(number))] if number is not None else []), *exts)))
    return signed(body, signer, digest, spoil)
