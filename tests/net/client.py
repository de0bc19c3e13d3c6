"""Clients of the laboratory: curl for what people do, raw sockets for what only attackers do."""
import json
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass, field


@dataclass
class Person:
    """Somebody with a device: addresses, and which authorities the device knows."""
    name: str
    v4: str
    v6: str
    has_our_ca: bool = True
    agent: str = "Mozilla/5.0 (X11; Linux x86_64) LabBrowser/1.0"


PEOPLE = {
    "pupil": Person("pupil", "10.32.1.10", "fd10:32::1:10"),
    "agent": Person("agent", "10.32.2.10", "fd10:32::2:10"),
    "guest": Person("guest", "10.112.1.10", "fd10:112::1:10", has_our_ca=False),
    "stranger": Person("stranger", "10.200.1.10", "fd10:200::1:10"),
}


@dataclass
class Answer:
    """What a client saw."""
    exit_code: int
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    issuer: str = ""
    names: str = ""
    chain: str = ""
    error: str = ""
    peer: str = ""
    seconds: float = 0.0
    n_connects: int = 0

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def code(self):
        """The decision code of a block page."""
        return self.headers.get("perron-code", "")


def common_name(text):
    """"O = X, CN = Y" or "CN=Y" gives Y."""
    found = re.search(r"CN ?= ?([^,/\n]+)", text)
    return found.group(1).strip() if found else text.strip()


def parse_headers(block):
    headers = {}
    for line in block.decode("latin-1").split("\r\n")[1:]:
        key, colon, value = line.partition(":")
        if colon:
            headers[key.strip().lower()] = value.strip()
    return headers


def last_head(blob):
    """Header fields of the last answer in curl's header dump (a proxy's own answer to CONNECT comes before it)."""
    blocks = [b for b in re.split(rb"\r\n\r\n", blob) if b.startswith(b"HTTP/")]
    return parse_headers(blocks[-1]) if blocks else {}


class Clients:
    """Runs clients in the clients' namespace."""

    def __init__(self, space, folder, roots):
        self.space, self.folder, self.roots = space, folder, roots
        self.serial = 0
        self.our_ca = None     # path of the gateway's root, once there is one

    def store(self, who):
        """Path of the authorities that this person's device knows."""
        person = PEOPLE[who]
        path = self.folder / f"store-{who}.pem"
        text = self.roots.read_text()
        if person.has_our_ca and self.our_ca:
            text += self.our_ca.read_text()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def curl_command(self, who, url, *options, ipv=4, proxy=None, store=None):
        person = PEOPLE[who]
        cmd = ["curl", "-q", "--silent", "--show-error", f"-{ipv}", "--interface", person.v4 if ipv == 4 else person.v6,
               "--cacert", str(store or self.store(who)), "--max-time", "30", "--user-agent", person.agent,
               "--http1.1", "--path-as-is", "--noproxy", "" if proxy else "*"]
        if proxy:
            cmd += ["--proxy", proxy]
        return [*cmd, *[str(o) for o in options], url]

    def curl(self, who, url, *options, ipv=4, proxy=None, store=None, patience_s=40):
        """One request, as `who`; everything the client saw. Many at once are fine (each has files of its own)."""
        self.serial += 1
        stem = self.folder / f"curl-{who}-{self.serial}"
        head, body = f"{stem}.head", f"{stem}.body"
        cmd = self.curl_command(who, url, "--dump-header", head, "--output", body, "--write-out",
                                "%{json}\n%{certs}", *options, ipv=ipv, proxy=proxy, store=store)
        done = subprocess.run(self.space.enter(*cmd), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=patience_s, check=False)
        return self.read_answer(done, head, body)

    @staticmethod
    def read_answer(done, head, body):
        out = done.stdout.decode(errors="replace")
        first, _, certs = out.partition("\n")
        facts = json.loads(first) if first.startswith("{") else {}
        answer = Answer(done.returncode, error=done.stderr.decode(errors="replace").strip(), chain=certs,
                        status=int(facts.get("response_code") or facts.get("http_connect") or 0),
                        peer=facts.get("remote_ip", ""), seconds=facts.get("time_total", 0.0),
                        n_connects=facts.get("num_connects", 0))
        for path, attribute in ((head, "headers"), (body, "body")):
            try:
                with open(path, "rb") as f:
                    data = f.read()
                setattr(answer, attribute, last_head(data) if attribute == "headers" else data)
            except FileNotFoundError:
                pass
        found = re.search(r"^Issuer:(.*)$", certs, re.M)
        answer.issuer = common_name(found.group(1)) if found else ""
        found = re.search(r"Subject Alternative Name:(.*)$", certs, re.M)
        answer.names = found.group(1).strip() if found else ""
        return answer

    def connect(self, who, host, port, ipv=4, timeout_s=10):
        """A connected TCP socket from this person's address; `host` is an address."""
        person = PEOPLE[who]
        with self.space:
            sock = socket.socket(socket.AF_INET if ipv == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout_s)
            sock.bind((person.v4 if ipv == 4 else person.v6, 0))
            sock.connect((host, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def tls(self, who, sock, sni, alpn=("http/1.1",)):
        """TLS on a connected socket, verified against what this person's device knows."""
        context = ssl.create_default_context(cafile=str(self.store(who)))
        context.check_hostname = sni is not None
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context.wrap_socket(sock, server_hostname=sni)


def read_response(stream, method="GET"):
    """(status, headers, body) of one HTTP/1.1 answer from a file made by socket.makefile('rb')."""
    status = int(stream.readline().split()[1])
    headers = {}
    while True:
        line = stream.readline()
        if line in (b"\r\n", b""):
            break
        key, _, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    if method == "HEAD" or status in (204, 304) or status < 200:
        return status, headers, b""
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while True:
            size = int(stream.readline().split(b";")[0], 16)
            body += stream.read(size)
            stream.readline()
            if size == 0:
                return status, headers, body
    if "content-length" in headers:
        return status, headers, stream.read(int(headers["content-length"]))
    return status, headers, stream.read()
