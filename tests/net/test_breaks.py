"""Why connections break, told apart with real clients from three devices, and `on broken exempt for`.

Devices are addresses of the clients' namespace; a device "accepts our CA" once curl with our root got an answer there.
The pinning program is curl with --pinnedpubkey and TLS 1.2 only, so that its JA4 is not that of the same device's browser.
"""
import hashlib
import signal
import socket
import ssl
import subprocess
import time

import pytest

from client import PEOPLE, read_response
from gateway import policy
from sites import SITES
from space import end, wait_for

DEVICES = ["10.32.2.20", "10.32.2.21", "10.32.2.22", "10.32.2.23"]
PIN = ["--pinnedpubkey", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "--tls-max", "1.2"]
BROKEN = """
category  apps  domain "script.example"
on broken exempt for 12h category apps
"""
# Rules that stop a name once no request of it is seen.
STOPPED = {"blocked": "  block category apps\n", "warned of": "  warn category apps\n",
           "blocked but for a path": '  allow path "/ok" category apps\n  block category apps\n'}


@pytest.fixture(scope="module")
def devices(lab):
    lab.clients_space.ip([f"addr add {a}/16 dev eth0" for a in DEVICES])
    yield DEVICES
    lab.clients_space.ip([f"addr del {a}/16 dev eth0" for a in DEVICES])


def curl(lab, device, url, *options, store=None):
    """(exit code, body) of curl at this device."""
    cmd = ["curl", "-q", "--silent", "--show-error", "-4", "--interface", device, "--noproxy", "*", "--max-time", "20",
           "--http1.1", "--cacert", str(store or lab.clients.store("agent")), *options, url]
    done = subprocess.run(lab.clients_space.enter(*cmd), capture_output=True, timeout=40, check=False)
    return done.returncode, done.stdout


def accept(lab, device):
    """The device accepts our CA: two sites, as a browser does."""
    for host in ("www.school.example", "files.example"):
        code, body = curl(lab, device, f"https://{host}/hello")
        assert code == 0 and b"hello from" in body, (device, code, body)


def breaks(gw, **want):
    rows = gw.show("breaks")
    return [r for r in rows if all(r.get(k) == v for k, v in want.items())]


def the_break(gw, patience_s=5, **want):
    found = wait_for(f"a break with {want} in\n{gw.ctl('show', 'breaks')}", lambda: breaks(gw, **want), patience_s)
    assert len(found) == 1, found
    return found[0]


def three_fail(lab, devices):
    """What exempts script.example, where the policy says so."""
    for device in devices:
        accept(lab, device)
    for device in devices[:3]:
        assert curl(lab, device, "https://script.example/", *PIN)[0] == 90


def test_nothing_is_told_of_what_works(lab, own_gateway, devices):
    gw = own_gateway()
    accept(lab, devices[0])
    assert lab.curl("pupil", "https://video.example/").status == 403   # a block page that is shown
    assert lab.curl("agent", "https://www.bank.example/hello").status == 200  # exempt
    assert gw.show("breaks") == [] and "nothing has broken" in gw.ctl("show", "breaks")


def test_a_device_that_refuses_our_ca_everywhere_is_missing_it(lab, own_gateway, devices):
    gw = own_gateway()
    hosts = ["www.school.example", "files.example", "cdn.example"]
    for host in hosts:
        code, _ = curl(lab, devices[0], f"https://{host}/hello", store=lab.pki.roots)
        assert code == 60
    for host in hosts:
        row = the_break(gw, kind="ca-refused", name=host)
        assert row["clients"] == [devices[0]] and row["closed_by"] == "client" and "unknown CA" in row["detail"]
        assert row["count"] == 1 and row["after"] == "our certificate" and row["ja4"].startswith("t13")
    assert not breaks(gw, kind="pinned")
    # one worker has to see all three: ask until it has
    for _ in range(20):
        if breaks(gw, kind="ca-missing"):
            break
        for host in hosts:
            curl(lab, devices[0], f"https://{host}/hello", store=lab.pki.roots)
    row = the_break(gw, kind="ca-missing")
    assert row["clients"] == [devices[0]] and "install the CA" in row["advice"]
    event = gw.event(event_type="engine", engine__module="breaks", perron__reason="ca-missing")
    assert devices[0] in event["engine"]["message"]
    text = gw.ctl("show", "breaks")
    assert "ca-missing" in text and "what to do: install the CA" in text and devices[0] in text


def test_openssl_without_our_root_and_one_that_just_leaves(lab, own_gateway, devices):
    gw = own_gateway()
    address = SITES["www.school.example"].v4
    run = lab.clients_space.enter("openssl", "s_client", "-bind", devices[0], "-connect", f"{address}:443", "-servername",
                                  "www.school.example", "-verify_return_error", "-CAfile", str(lab.pki.roots))
    subprocess.run(run, input=b"", capture_output=True, timeout=20, check=False)
    assert "unknown CA" in the_break(gw, kind="ca-refused", name="www.school.example")["detail"]
    run = lab.clients_space.enter("openssl", "s_client", "-bind", devices[0], "-connect", f"{address}:443", "-servername",
                                  "www.school.example", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    subprocess.run(run, input=b"", capture_output=True, timeout=20, check=False)
    assert breaks(gw, kind="weak-client") or breaks(gw, kind="weak-origin"), gw.show("breaks")


def test_a_program_that_pins_is_told_from_a_missing_ca(lab, own_gateway, devices):
    gw = own_gateway()
    accept(lab, devices[0])
    code, _ = curl(lab, devices[0], "https://script.example/", *PIN)
    assert code == 90  # CURLE_SSL_PINNEDPUBKEYNOTMATCH
    row = the_break(gw, kind="pinned", name="script.example")
    assert row["clients"] == [devices[0]] and row["ja4"].startswith("t12") and row["closed_by"] == "client"
    assert not breaks(gw, kind="ca-refused") and not breaks(gw, kind="ca-missing")
    assert "exempt_until" not in row


def test_the_origins_troubles_are_told_apart(lab, own_gateway, devices):
    gw = own_gateway()
    for host, kind, detail in (("expired.example", "weak-origin", "expired"),
                               ("incomplete.example", "weak-origin", "unknown-issuer"),
                               ("oldtls.example", "weak-origin", ""),
                               ("closed.example", "origin-down", "ECONNREFUSED")):
        assert lab.curl("agent", f"https://{host}/").status >= 400
        row = the_break(gw, name=host)
        assert row["kind"] == kind and detail in row["detail"] and row["closed_by"] != "client", row
    assert lab.curl("agent", "https://nowhere.example/", proxy="http://10.32.0.1:3128").status >= 400
    assert the_break(gw, name="nowhere.example")["after"] == "our question for its address"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_an_origin_that_insists_on_the_clients_certificate(lab, own_gateway, version):
    gw = own_gateway()
    pem = lab.pki.folder / "closed.example"
    at = SITES["closed.example"].v4
    server = lab.internet.start_server(at, 443, "openssl", "s_server", "-accept", f"{at}:443", "-cert", f"{pem}.pem",
                                       "-cert_chain", f"{pem}.pem", "-key", f"{pem}.key", version, "-Verify", "1", "-www",
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert lab.curl("agent", "https://closed.example/").status != 200
        row = the_break(gw, name="closed.example")
        assert row["kind"] == "client-certificate" and "asks-client-certificate" in row["advice"], row
    finally:
        end(server, 5)


def test_a_large_hello_of_which_a_part_is_lost(lab, own_gateway, devices):
    """What a device on the way does that drops the second segment of a post-quantum hello."""
    gw = own_gateway()
    sock = lab.connect("agent", SITES["www.school.example"].v4, 443)
    sock.sendall(b"\x16\x03\x01\x08\x00\x01\x00\x07\xfc\x03\x03" + b"x" * 1400)
    time.sleep(0.3)
    sock.close()
    row = the_break(gw, kind="hello-in-pieces")
    assert row["clients"] == [PEOPLE["agent"].v4] and row["after"] == "a part of the hello"


def test_three_devices_that_accept_us_exempt_a_pinned_name(lab, own_gateway, devices):
    """For that name and that kind of client alone, for a time, told in the log and for review."""
    gw = own_gateway(policy(lab, settings=BROKEN))
    for device in devices:
        accept(lab, device)
    for n, device in enumerate(devices[:3]):
        assert not gw.events(perron__reason="broken-exempt"), n
        assert curl(lab, device, "https://script.example/", *PIN)[0] == 90
        assert curl(lab, device, "https://script.example/", *PIN)[0] == 90 or n == 2  # the same device counts once
    event = gw.event(event_type="engine", perron__reason="broken-exempt")
    assert event["perron"]["detail"] == "script.example" and "exempt for 43200 s" in event["engine"]["message"]
    assert event["perron"]["rule"] == "on broken exempt for 12h category apps"
    row = [r for r in breaks(gw, kind="pinned", name="script.example") if r.get("exempt_until")]
    assert len(row) == 1 and row[0]["exempt_until"] > time.time() + 43000
    assert "exempt until" in gw.ctl("show", "breaks")
    # the program now talks to the origin itself, so that its pin would hold; curl's does not, but by another key
    code, _ = curl(lab, devices[3], "https://script.example/", "--tls-max", "1.2", store=lab.pki.roots)
    assert code == 0
    flow = gw.event(event_type="flow", src_ip=devices[3], tls__sni="script.example")
    assert flow["perron"]["mode"] == "exempt" and flow["perron"]["rule"] == "on broken exempt for 12h category apps"
    # another kind of client at that name, and that kind of client at another name, are decrypted as before
    assert curl(lab, devices[3], "https://script.example/", store=lab.pki.roots)[0] == 60
    assert curl(lab, devices[3], "https://www.school.example/", "--tls-max", "1.2", store=lab.pki.roots)[0] == 60
    # where a rule stops the name, for nobody sees the request, and without the line, nothing is exempt, at once
    for text in (*(policy(lab, settings=BROKEN, web=rules) for rules in STOPPED.values()), policy(lab)):
        assert gw.reload(text)[0] == 0
        assert curl(lab, devices[3], "https://script.example/", "--tls-max", "1.2", store=lab.pki.roots)[0] == 60
        if text == policy(lab):
            assert not [r for r in gw.show("breaks") if r.get("exempt_until")]
        assert gw.reload(policy(lab, settings=BROKEN))[0] == 0
        assert curl(lab, devices[3], "https://script.example/", "--tls-max", "1.2", store=lab.pki.roots)[0] == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_exemption_outlives_a_restart(lab, own_gateway, devices, how):
    """What three devices found out does not break again; after a kill too, some seconds later."""
    gw = own_gateway(policy(lab, settings=BROKEN))
    three_fail(lab, devices)
    until = gw.event(perron__reason="broken-exempt") and the_break(gw, kind="exempt")["exempt_until"]
    if how == signal.SIGKILL:
        wait_for("the file of exemptions", (gw.state / "broken").exists, 10)
    gw.stop(how)
    lab.open_again()
    gw.start()
    row = the_break(gw, kind="exempt", name="script.example")
    assert row["exempt_until"] == until and row["ja4"].startswith("t12") and row["clients"] == []
    assert "exempt until" in gw.ctl("show", "breaks")
    assert curl(lab, devices[3], "https://script.example/", "--tls-max", "1.2", store=lab.pki.roots)[0] == 0
    assert curl(lab, devices[3], "https://script.example/", store=lab.pki.roots)[0] == 60
    # a damaged file counts for nothing, is said once, and keeps nobody from starting
    gw.stop()
    lab.open_again()
    text = (gw.state / "broken").read_text()
    assert " script.example\n" in text
    (gw.state / "broken").write_text(text.replace(" script.example\n", " scripu.example\n"))
    gw.start()
    assert gw.said().count("the exemptions of `on broken` were damaged, or of another version") == 1
    assert gw.show("breaks") == []


def test_an_exemption_that_could_not_be_written_is_tried_again(lab, own_gateway, devices):
    """As on a full disk: it is said once, and written once there is room."""
    gw = own_gateway(policy(lab, settings=BROKEN), start=False)
    (gw.state / "broken.new").mkdir()
    gw.start()
    three_fail(lab, devices)
    wait_for("the alarm", lambda: "the exemptions of `on broken` cannot be written" in gw.said(), 10)
    time.sleep(6)   # another attempt (LIM_HITS_TURN_MS)
    (gw.state / "broken.new").rmdir()
    wait_for("the file", (gw.state / "broken").exists, 10)
    assert " script.example\n" in (gw.state / "broken").read_text()
    assert gw.said().count("the exemptions of `on broken` cannot be written") == 1


def begun_before(lab, gw, ago_s):
    """The gateway starts anew, and its one exemption was given so long ago, for 30 days."""
    gw.stop()
    head, line, _ = (gw.state / "broken").read_text().splitlines(keepends=True)
    _, _, ja4, name = line.split()
    old = int(time.time()) - ago_s
    text = f"{head}{old} {old + 30 * 86400} {ja4} {name}\n"
    (gw.state / "broken").write_text(f"{text}end 1 {hashlib.sha256(text.encode()).hexdigest()}\n")
    lab.open_again()
    gw.start()


def test_an_exemption_that_ends_ends_what_runs(lab, own_gateway, devices):
    gw = own_gateway(policy(lab, settings=BROKEN))
    for device in devices:
        accept(lab, device)
    for device in devices[:3]:
        handshake(lab, device, "script.example", 0)
    assert gw.event(perron__reason="broken-exempt")
    begun_before(lab, gw, 12 * 3600 - 6)
    until = the_break(gw, kind="exempt", name="script.example")["exempt_until"]
    assert 0 < until - time.time() <= 6    # as the line says
    with lab.clients_space:
        sock = socket.create_connection((SITES["script.example"].v4, 443), 15, (devices[3], 0))
    context = ssl.create_default_context(cafile=str(lab.pki.roots))    # without our CA
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(sock, server_hostname="script.example") as tls:
        try:
            assert tls.recv(1) == b""
        except OSError:
            pass
    assert until <= time.time() < until + 4
    flow = gw.event(event_type="flow", src_ip=devices[3], tls__sni="script.example")["perron"]
    assert (flow["mode"], flow["reason"], flow["detail"]) == ("exempt", "time-is-up", "to-be-inspected"), flow
    assert breaks(gw, kind="exempt") == []


def test_an_exemption_lasts_no_longer_than_the_line_in_force_says(lab, own_gateway, devices):
    """It was given for 30 days, 13 hours ago; the line says 12 hours by now."""
    gw = own_gateway(policy(lab, settings=BROKEN))
    three_fail(lab, devices)
    assert gw.event(perron__reason="broken-exempt")
    begun_before(lab, gw, 13 * 3600)
    assert breaks(gw, kind="exempt") == []
    agent = ("https://script.example/", "--tls-max", "1.2")
    assert curl(lab, devices[3], *agent, store=lab.pki.roots)[0] == 60
    # what breaks again is exempt again, for as long as the line says
    three_fail(lab, devices)
    assert curl(lab, devices[3], *agent, store=lab.pki.roots)[0] == 0


def handshake(lab, device, host, pause_s, version=ssl.TLSVersion.TLSv1_2, session=None):
    """A whole handshake of a client that knows our CA, closed without a request; its session."""
    context = ssl.create_default_context(cafile=str(lab.clients.store("agent")))
    context.maximum_version = version
    with lab.clients_space:
        sock = socket.socket()
    sock.settimeout(10)
    sock.bind((device, 0))
    sock.connect((SITES[host].v4, 443))
    with context.wrap_socket(sock, server_hostname=host, session=session) as tls:
        time.sleep(pause_s)
        return tls.session


def test_spare_connections_of_a_browser_are_no_pinning(lab, own_gateway, devices):
    """Opened, not needed, closed: the leaf was taken. Only who closes at once did not like it."""
    gw = own_gateway(policy(lab, settings=BROKEN))
    for device in devices:
        accept(lab, device)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for device in devices:
            handshake(lab, device, "script.example", 0.4, version)
    assert gw.show("breaks") == []
    handshake(lab, devices[0], "script.example", 0)
    row = the_break(gw, kind="pinned", name="script.example")
    assert row["count"] == 1 and row["after"] == "the handshake"


def test_a_success_ends_what_was_counted(lab, own_gateway, devices):
    """An exemption needs failures now: the same kind of client got through in between."""
    gw = own_gateway(policy(lab, settings=BROKEN))
    for device in devices:
        accept(lab, device)

    def fails(device):
        assert curl(lab, device, "https://script.example/", *PIN)[0] == 90

    fails(devices[0])
    fails(devices[1])
    assert curl(lab, devices[0], "https://script.example/", "--tls-max", "1.2")[0] == 0
    fails(devices[2])
    fails(devices[1])
    time.sleep(0.3)
    assert not gw.events(perron__reason="broken-exempt")
    fails(devices[3])
    assert gw.event(perron__reason="broken-exempt")["perron"]["detail"] == "script.example"


def test_a_plain_request_before_connect_accepts_no_ca(lab, own_gateway):
    gw = own_gateway()
    sock = lab.connect("agent", "10.32.0.1", 3128)
    stream = sock.makefile("rb")
    sock.sendall(b"GET http://plain.example/hello HTTP/1.1\r\nHost: plain.example\r\n\r\n")
    assert read_response(stream)[0] == 200
    sock.sendall(b"CONNECT script.example:443 HTTP/1.1\r\nHost: script.example:443\r\n\r\n")
    assert stream.readline().startswith(b"HTTP/1.1 200") and stream.readline() == b"\r\n"
    context = ssl.create_default_context(cafile=str(lab.pki.roots))
    with pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(sock, server_hostname="script.example")
    sock.close()
    row = the_break(gw, name="script.example")
    assert row["kind"] == "ca-refused" and "unknown CA" in row["detail"]


def test_who_refuses_the_untrusted_ca_refuses_the_origin(lab, own_gateway, devices):
    """An allowed defect keeps the client's own warning; that says nothing of our CA, nor does a click past it."""
    gw = own_gateway(policy(lab, settings=BROKEN.replace("script", "expired"), workers="1").replace(
        "tls {", "tls {\n  allow certificate expired\n"))
    accept(lab, devices[0])
    for device in devices[:2]:
        assert curl(lab, device, "https://expired.example/")[0] == 60
        row = the_break(gw, name="expired.example", count=1 + devices.index(device))
        assert row["kind"] == "weak-origin" and row["closed_by"] == "client" and "unknown CA" in row["detail"], row
        assert row["after"] == "the untrusted CA's certificate"
    assert curl(lab, devices[1], "https://expired.example/hello", "--insecure") == (0, b"hello from expired.example\n")
    for host in ("www.school.example", "files.example", "cdn.example"):
        assert curl(lab, devices[1], f"https://{host}/hello", store=lab.pki.roots)[0] == 60
    assert the_break(gw, kind="ca-missing")["clients"] == [devices[1]] and not breaks(gw, kind="pinned")


@pytest.mark.parametrize("why", ["no line", "no list", "devices do not accept us", *STOPPED, "two devices",
                                 "origin not verified"])
def test_nothing_else_is_exempt(lab, own_gateway, devices, why):
    settings = {"no line": 'category apps domain "script.example"\n',
                "no list": BROKEN.replace("script.example", "files.example")}.get(why, BROKEN)
    host = "script.example"
    text = policy(lab, settings=settings, web=STOPPED.get(why, ""))
    if why == "origin not verified":
        host = "expired.example"
        text = policy(lab, settings=BROKEN.replace("script.example", host)).replace(
            "tls {", "tls {\n  allow certificate expired\n")
    gw = own_gateway(text)
    for device in devices:
        if why != "devices do not accept us":
            accept(lab, device)
    for device in devices[:2] if why == "two devices" else devices:
        for _ in range(2):
            assert curl(lab, device, f"https://{host}/", *PIN)[0] != 0
    assert breaks(gw, name=host)
    assert not gw.events(perron__reason="broken-exempt")
    assert not [r for r in gw.show("breaks") if r.get("exempt_until")]
    assert gw.show("counters")[0]["broken_exempt"] == 0
