"""Real clients with our CA installed are content with our leaves, by their own strict rules."""
import os
import socket
import ssl
import subprocess

from sites import SITES


def test_python_with_strict_verification(lab, gw):
    context = ssl.create_default_context(cafile=str(gw.root_pem()))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    with context.wrap_socket(sock, server_hostname="cdn.example") as tls:
        assert tls.version() == "TLSv1.3"
        assert ("DNS", "cdn.example") in tls.getpeercert()["subjectAltName"]


def test_page_over_a_leaf_satisfies_python_too(lab, gw):
    context = ssl.create_default_context(cafile=str(gw.root_pem()))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("casino.example", "expired.example"):
        site = SITES.get(name, SITES["cdn.example"])
        sock = lab.connect("agent", site.v4, 443)
        with context.wrap_socket(sock, server_hostname=name) as tls:
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            assert tls.recv(4096).startswith(b"HTTP/1.1 403 ")


def chromium(lab, home, *args):
    cmd = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={home}/p",
           *args]
    done = subprocess.run(lab.clients_space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(home)}, check=False)
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def test_chromium_with_our_ca(lab, gw, tmp_path):
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-N", "--empty-password"], check=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", "-A", "-t", "C,,", "-n", "gateway", "-i", str(gw.root_pem())],
                   check=True)
    page, said = chromium(lab, tmp_path, "--dump-dom", "https://www.school.example/")
    assert "Welcome to www.school.example" in page, said[-1500:]
    assert lab.requests("www.school.example")[-1]["proto"] == "HTTP/2.0"
    page, said = chromium(lab, tmp_path, "--lang=en", "--dump-dom", "https://video.example/")
    assert "04/279.25.10" in page and "streaming" in page, said[-1500:]


def test_chromium_by_the_explicit_proxy(lab, gw, tmp_path):
    """Without our CA in its store the browser must refuse: proof that the test above tests something."""
    page, said = chromium(lab, tmp_path, "--proxy-server=http://10.32.0.1:3128", "--dump-dom",
                          "https://www.school.example/")
    assert "Welcome" not in page and "ERR_CERT_AUTHORITY_INVALID" in said + page


def test_tls12_client(lab, gw):
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    with context.wrap_socket(sock, server_hostname="cdn.example") as tls:
        assert tls.version() == "TLSv1.2" and "GCM" in tls.cipher()[0] or "CHACHA" in tls.cipher()[0]


def test_old_tls_of_a_client_is_refused(lab, gw):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    sock = lab.connect("agent", SITES["cdn.example"].v4, 443)
    try:
        with context.wrap_socket(sock, server_hostname="cdn.example") as tls:
            raise AssertionError(f"{tls.version()} was accepted")
    except (ssl.SSLError, ConnectionError, socket.timeout):
        pass
