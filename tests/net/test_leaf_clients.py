"""Leaves as real clients see them: nginx serves what the signer makes; openssl, curl, Python and Chromium judge it.

No perrond here: tests/net/leaf_make makes a CA and leaves with the signer's own functions.

    one namespace: nginx on 443 (one server a name)  <--  curl, Python's ssl, Chromium (root in its NSS store)
"""
import hashlib
import os
import plistlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from space import Space, check, end, wait_for

BUILD = Path(os.environ.get("PERRON_BUILD", Path(__file__).parents[2] / "build"))
ADDRESS = "192.0.2.7"
LONG = "a" * 50 + "." + "b" * 40 + ".site.test"        # no common name can hold it
NAMES = ["www.site.test", LONG, "*.wild.test", "xn--lige-6oa.test", "foo_bar.site.test", "m-" + "x" * 58 + ".test", ADDRESS]
# What a client asks for, and which leaf answers.
ASKED = {"www.site.test": 0, LONG: 1, "any.wild.test": 2, "xn--lige-6oa.test": 3, "foo_bar.site.test": 4, NAMES[5]: 5}

pytestmark = pytest.mark.skipif(not (BUILD / "tests/net/leaf_make").exists(), reason="tests/net/leaf_make is not built")


def nginx_conf(folder):
    servers = "".join(f"""
    server {{
        listen {ADDRESS}:443 ssl{' default_server' if i == NAMES.index(ADDRESS) else ''};
        server_name {name};
        ssl_certificate {folder}/{i}.pem; ssl_certificate_key {folder}/key.pem;
        location / {{ add_header Content-Type text/html; return 200 '<p id="ok">leaf {i}</p>'; }}
    }}""" for i, name in enumerate(NAMES))
    return f"""daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{ access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; server_names_hash_bucket_size 256;
    server {{ listen {ADDRESS}:80; location = /perron.crl {{ alias {folder}/crl.der; }} }}{servers}
}}
"""


class Shop:
    """The namespace, the folder, nginx."""

    def __init__(self, folder):
        self.folder = folder
        check([BUILD / "tests/net/leaf_make", folder, *NAMES])
        self.space = Space("leaf-clients")
        self.space.ip([f"addr add {ADDRESS}/32 dev lo"])
        (folder / "nginx.conf").write_text(nginx_conf(folder))
        self.nginx = self.space.start("nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log")
        wait_for("nginx", self.answers)

    def answers(self):
        with self.space:
            with socket.socket() as s:
                return s.connect_ex((ADDRESS, 443)) == 0

    def close(self):
        end(self.nginx)
        self.space.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    opened = Shop(tmp_path_factory.mktemp("leaf"))
    yield opened
    opened.close()


def curl(shop, url, *more):
    host = url.split("/")[2]
    return subprocess.run(shop.space.enter("curl", "-sS", "--noproxy", "*", "--cacert", shop.folder / "root.pem", "--resolve",
                                           f"{host}:443:{ADDRESS}", *more, url), capture_output=True, check=False)


def strict_context(shop):
    context = ssl.create_default_context(cafile=shop.folder / "root.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def handshake(shop, context, name):
    with shop.space:
        raw = socket.create_connection((ADDRESS, 443), timeout=10)
    with raw, context.wrap_socket(raw, server_hostname=name) as tls:
        return tls.getpeercert()


def test_another_name_is_refused_by_all(shop):
    assert curl(shop, "https://other.site.test/", "--resolve", f"other.site.test:443:{ADDRESS}").returncode == 60
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(shop, strict_context(shop), "other.site.test")


def test_without_our_root_nobody_accepts(shop):
    assert curl(shop, "https://www.site.test/", "--cacert", "/etc/ssl/certs/ca-certificates.crt").returncode == 60
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(shop, ssl.create_default_context(), "www.site.test")


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_openssl_verify_strict(shop, number):
    out = check(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-auth_level", "2", "-CAfile",
                 shop.folder / "root.pem", "-untrusted", shop.folder / "issuing.pem", shop.folder / f"{number}.pem"])
    assert out.strip().endswith(": OK")


def test_openssl_verify_with_the_crl(shop):
    """Windows clients look at it: our CRL must satisfy a check of the leaf."""
    pem = shop.folder / "crl.pem"
    check(["openssl", "crl", "-inform", "DER", "-in", shop.folder / "crl.der", "-out", pem])
    out = check(["openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", pem, "-CAfile", shop.folder / "root.pem",
                 "-untrusted", shop.folder / "issuing.pem", shop.folder / "0.pem"])
    assert out.strip().endswith(": OK")


@pytest.mark.parametrize("name", ASKED)
def test_curl(shop, name):
    done = curl(shop, f"https://{name}/")
    assert done.returncode == 0, done.stderr
    assert f"leaf {ASKED[name]}<".encode() in done.stdout


def test_curl_by_address(shop):
    done = curl(shop, f"https://{ADDRESS}/")
    assert done.returncode == 0, done.stderr
    assert f"leaf {NAMES.index(ADDRESS)}<".encode() in done.stdout


@pytest.mark.parametrize("name", [n for n in ASKED if "_" not in n])
def test_python_strict(shop, name):
    names = [value for kind, value in handshake(shop, strict_context(shop), name)["subjectAltName"] if kind == "DNS"]
    assert names == [NAMES[ASKED[name]]]


def test_python_strict_by_address(shop):
    assert handshake(shop, strict_context(shop), ADDRESS)["subjectAltName"] == (("IP Address", ADDRESS),)


@pytest.fixture(scope="module")
def browser_home(shop):
    if not shutil.which("chromium") or not shutil.which("certutil"):
        pytest.skip("chromium or certutil (libnss3-tools) is not installed")
    home = shop.folder / "home"
    store = home / ".pki/nssdb"
    store.mkdir(parents=True)
    check(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"])
    check(["certutil", "-A", "-d", f"sql:{store}", "-n", "perron", "-t", "C,,", "-i", shop.folder / "root.pem"])
    return home


def chromium(shop, home, url):
    cmd = shop.space.enter("env", f"HOME={home}", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                           "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                           f"--user-data-dir={home}/profile", f"--host-resolver-rules=MAP * {ADDRESS}", "--timeout=15000",
                           "--dump-dom", url)
    return subprocess.run(cmd, capture_output=True, timeout=90, check=False).stdout.decode(errors="replace")


@pytest.mark.parametrize("name", ["www.site.test", LONG, "any.wild.test"])
def test_chromium(shop, browser_home, name):
    assert f"leaf {ASKED[name]}<" in chromium(shop, browser_home, f"https://{name}/")


def test_chromium_by_address(shop, browser_home):
    assert f"leaf {NAMES.index(ADDRESS)}<" in chromium(shop, browser_home, f"https://{ADDRESS}/")


def test_chromium_refuses_another_name(shop, browser_home):
    page = chromium(shop, browser_home, "https://other.site.test/")
    assert "leaf" not in page.replace("leaf-clients", "")


def test_export_for_ios_is_a_profile_with_the_root(shop):
    profile = plistlib.loads((shop.folder / "export.ios").read_bytes())
    payload = profile["PayloadContent"][0]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert payload["PayloadContent"] == (shop.folder / "export.gpo").read_bytes()


def test_export_for_java_is_a_trust_store(shop):
    keytool = shutil.which("keytool")
    if not keytool:
        pytest.skip("keytool is not installed")
    out = check([keytool, "-list", "-storetype", "PKCS12", "-keystore", shop.folder / "export.java", "-storepass", "changeit"])
    digest = hashlib.sha256((shop.folder / "export.gpo").read_bytes()).hexdigest().upper()
    assert "trustedCertEntry" in out
    assert ":".join(digest[i:i + 2] for i in range(0, 64, 2)) in out
