"""The clients that people use, with our CA in their stores, each over HTTP/1.1 and HTTP/2: what they ask for arrives at the
origin in that version, and without our CA they refuse. `make clients` installs and runs them."""
import os
import shutil
import ssl
import subprocess

import pytest

from client import PEOPLE
from sites import SITES
from space import wait_for

HOST = "cdn.example"
URL = f"https://{HOST}/hello"
WANT = f"hello from {HOST}"
HERE = os.path.dirname(os.path.abspath(__file__))


def run(lab, *cmd, env=None, patience_s=60, **kw):
    done = subprocess.run(lab.clients_space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience_s,
                          env={**os.environ, **{k: str(v) for k, v in (env or {}).items()}}, check=False, **kw)
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def curl(lab, folder, store, version):
    return run(lab, "curl", "-qsS", "--cacert", store, "--http2" if version == "h2" else "--http1.1", URL)


def wget(lab, folder, store, version):
    return run(lab, "wget", "-q", "-O", "-", "--ca-certificate", store, URL)


def git(lab, folder, store, version):
    """A clone by the plain protocol; Debian's git has GnuTLS."""
    www = lab.folder / "web" / "www" / "clients.git"
    if not www.exists():
        subprocess.run(["git", "init", "-q", "--bare", str(www)], check=True)
        tree = subprocess.run(["git", "-C", str(www), "mktree"], input=b"", stdout=subprocess.PIPE, check=True).stdout.strip()
        commit = subprocess.run(["git", "-C", str(www), "-c", "user.name=x", "-c", "user.email=x@y", "commit-tree", "-m", WANT, tree],
                                stdout=subprocess.PIPE, check=True).stdout.strip()
        subprocess.run(["git", "-C", str(www), "update-ref", "HEAD", commit], check=True)
        subprocess.run(["git", "-C", str(www), "update-server-info"], check=True)
    out, err = run(lab, "git", "-c", f"http.version={'HTTP/2' if version == 'h2' else 'HTTP/1.1'}", "clone", "-q",
                   f"https://{HOST}/clients.git", folder / "clone", env={"GIT_SSL_CAINFO": store, "GIT_TERMINAL_PROMPT": "0"})
    log, _ = run(lab, "git", "-C", folder / "clone", "log", "--format=%s")
    return log, out + err


def python(lab, folder, store, version):
    """The standard library has no HTTP/2: there the handshake with strict verification alone is looked at."""
    context = ssl.create_default_context(cafile=str(store))
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"] if version == "h2" else ["http/1.1"])
    sock = lab.connect("pupil", SITES[HOST].v4, 443)
    try:
        tls = context.wrap_socket(sock, server_hostname=HOST)
    except ssl.SSLError as e:
        return "", str(e)
    with tls:
        if version == "h2":
            return (WANT if tls.selected_alpn_protocol() == "h2" else ""), ""
        tls.sendall(f"GET /hello HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: tls.recv(4096), b"")).decode(), ""


def java(lab, folder, store, version):
    trust = folder / "trust.p12"
    run(lab, "keytool", "-importcert", "-noprompt", "-storetype", "PKCS12", "-keystore", trust, "-storepass", "changeit", "-alias",
        "ca", "-file", folder / "last.pem")
    return run(lab, "java", f"-Djavax.net.ssl.trustStore={trust}", "-Djavax.net.ssl.trustStorePassword=changeit",
               f"{HERE}/Get.java", URL, "HTTP_2" if version == "h2" else "HTTP_1_1")


def node(lab, folder, store, version):
    return run(lab, "node", f"{HERE}/get.js", URL, version, env={"NODE_EXTRA_CA_CERTS": store})


def gnutls(lab, folder, store, version):
    """gnutls-cli speaks no HTTP: over h2 the handshake is looked at, over HTTP/1.1 a request by hand."""
    ask = "" if version == "h2" else f"printf 'GET /hello HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n'; "
    out, err = run(lab, "sh", "-c", f"({ask}sleep 1) | gnutls-cli --x509cafile {store} --alpn="
                   f"{'h2' if version == 'h2' else 'http/1.1'} {HOST}:443", stdin=subprocess.DEVNULL)
    trusted = "The certificate is trusted" in out
    if version == "h2":
        return (WANT if trusted and "Application protocol: h2" in out else ""), out + err
    return out if trusted else "", out + err


def nss_store(folder, last):
    """Only the gateway's root goes in: the public ones of the laboratory are not the browser's business."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["certutil", "-d", f"sql:{folder}", "-N", "--empty-password"], check=True)
    subprocess.run(["certutil", "-d", f"sql:{folder}", "-A", "-t", "C,,", "-n", "gateway", "-i", str(last)], check=True)


def chromium(lab, folder, store, version):
    nss_store(folder / ".pki" / "nssdb", folder / "last.pem")
    return run(lab, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}/p",
               *([] if version == "h2" else ["--disable-http2"]), "--dump-dom", URL, env={"HOME": folder})


def firefox(lab, folder, store, version):
    """It can only make a picture: that the origin was asked is the proof."""
    profile = folder / "profile"
    nss_store(profile, folder / "last.pem")
    prefs = {"network.http.http2.enabled": version == "h2", "network.dns.disableIPv6": True, "app.update.enabled": False,
             "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
             "datareporting.policy.dataSubmissionEnabled": False, "browser.shell.checkDefaultBrowser": False}
    (profile / "user.js").write_text("".join(f'user_pref("{k}", {str(v).lower()});\n' for k, v in prefs.items()))
    before = len(lab.requests(HOST))
    picture = folder / "page.png"
    cmd = lab.clients_space.enter("firefox-esr", "--headless", "--no-remote", "--profile", profile, "--screenshot", picture, URL)
    with subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(folder)}) as p:
        try:
            wait_for("Firefox", lambda: p.poll() is not None or picture.exists(), 60)
            asked = len(lab.requests(HOST)) > before
        except AssertionError:
            asked = False
        p.kill()
        said = p.communicate()[0].decode(errors="replace")
    return WANT if asked else "", said


CLIENTS = {"curl": curl, "wget": wget, "git": git, "python3": python, "java": java, "node": node, "gnutls-cli": gnutls,
           "chromium": chromium, "firefox-esr": firefox}
NO_H2 = {"wget"}
NO_REQUEST_OVER_H2 = {"python3", "gnutls-cli"}


@pytest.fixture(scope="module")
def h2(lab, gw):
    """Does the gateway speak HTTP/2?"""
    with lab.tls("pupil", lab.connect("pupil", SITES[HOST].v4, 443), HOST, alpn=("h2", "http/1.1")) as tls:
        return tls.selected_alpn_protocol() == "h2"


def needed(name):
    if not shutil.which(name) or (name == "java" and not shutil.which("javac")):
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("name", CLIENTS)
def test_client(lab, gw, h2, tmp_path, name, version):
    needed(name)
    if version == "h2" and (name in NO_H2 or not h2):
        pytest.skip(f"{name} speaks no HTTP/2" if name in NO_H2 else "this gateway speaks no HTTP/2")
    shutil.copy(gw.root_pem(), tmp_path / "last.pem")
    before = len(lab.requests(HOST))
    out, said = CLIENTS[name](lab, tmp_path, lab.clients.store("pupil"), version)
    assert WANT in out, (out, said[-2000:])
    if version == "h1" or name not in NO_REQUEST_OVER_H2:
        seen = lab.requests(HOST)[before:]
        assert seen and {r["proto"] for r in seen} == {"HTTP/2.0" if version == "h2" else "HTTP/1.1"}, seen
        assert {r["client"] for r in seen} <= {"192.0.2.1", "2001:db8:2::1"}    # it came by the gateway


@pytest.mark.parametrize("name", CLIENTS)
def test_client_without_our_ca_refuses(lab, gw, tmp_path, name):
    """So the test above tests something."""
    needed(name)
    shutil.copy(lab.pki.folder / "public-roots.pem", tmp_path / "last.pem")
    before = len(lab.requests(HOST))
    assert PEOPLE["guest"].has_our_ca is False
    out, _ = CLIENTS[name](lab, tmp_path, lab.clients.store("guest"), "h1")
    assert WANT not in out and len(lab.requests(HOST)) == before
