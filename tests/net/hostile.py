"""Tools for tests of hostile peers: an origin that does what a test says, TLS records that no library would send, clients
that vanish, and a tail of the gateway's log."""
import hmac
import json
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sites import SITES
from space import wait_for

NAME = "closed.example"    # nobody serves this name in the laboratory: an Origin does
ADDRESS = SITES[NAME].v4
PROXY = ("10.32.0.1", 3128)
RST = struct.pack("ii", 1, 0)

# What tests send and origins answer.
GET = b"GET /hello HTTP/1.1\r\nHost: cdn.example\r\n\r\n"
ASK = b"GET /x HTTP/1.1\r\nHost: closed.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
WS = (b"GET /ws HTTP/1.1\r\nHost: closed.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


class Origin:
    """Serves NAME while it is open: every connection is handed to `handler`, with TLS on it if wanted."""

    def __init__(self, lab, handler, tls=True, port=443):
        self.handler, self.wrong, self.n, self.seen = handler, [], 0, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if tls:
            self.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
            self.context.load_cert_chain(lab.pki.folder / f"{NAME}.pem", lab.pki.folder / f"{NAME}.key")
        with lab.internet:
            self.listener = socket.create_server((ADDRESS, port), backlog=64)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.n += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            conn.settimeout(20)
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True, suppress_ragged_eofs=False)
            self.handler(conn)
        except OSError:
            pass    # the gateway went away: the test looks at the client's side
        except AssertionError as e:
            self.wrong.append(e)
        finally:
            conn.close()

    def head(self, conn):
        """One request head, kept in `seen` too; b"" at the end."""
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            byte = conn.recv(1)
            if not byte:
                break
            got += byte
        if got:
            self.seen.append(got)
        return got

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        if kind is None and self.wrong:
            raise self.wrong[0]


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    sock.close()


def served(lab):
    a = lab.curl("agent", "https://cdn.example/hello", "--max-time", "5")
    return a.status == 200


def port_of(sock):
    return sock.getsockname()[1]


def drop(tls):
    """Closes without close_notify."""
    socket.socket(fileno=tls.detach()).close()


def break_off(tls):
    reset(socket.socket(fileno=tls.detach()))


def read_all(sock, patience_s=10):
    """(bytes until the end, how it ended): "closed" in order, "cut" without close_notify, "reset", "silent"."""
    got, deadline = b"", time.monotonic() + patience_s
    while True:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = sock.recv(1 << 20)
        except socket.timeout:
            return got, "silent"
        except ssl.SSLError as e:
            return got, "cut" if "EOF" in str(e) else "reset"
        except OSError:
            return got, "reset"
        if not data:
            return got, "closed"
        got += data


def read_until(sock, what, patience_s=10):
    got, deadline = b"", time.monotonic() + patience_s
    while what not in got:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        data = sock.recv(65536)
        assert data, got
        got += data
    return got


def tls_to(lab, name=NAME, who="agent", sock=None):
    """TLS that tells an end without close_notify from a clean one."""
    sock = sock or lab.connect(who, SITES[name].v4, 443)
    context = ssl.create_default_context(cafile=str(lab.clients.store(who)))
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)


def client_hello(name, tls12=False):
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Raw13:
    """A client with a finished TLS 1.3 handshake that then sends any records at all, properly encrypted."""

    def __init__(self, lab, name, folder, who="agent"):
        log = Path(folder) / "keys.log"
        log.unlink(missing_ok=True)
        self.sock = lab.connect(who, SITES[name].v4, 443)
        self.port = self.sock.getsockname()[1]
        context = ssl.create_default_context(cafile=str(lab.clients.store(who)))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.keylog_filename = str(log)
        tls = context.wrap_socket(self.sock, server_hostname=name)
        assert tls.cipher()[0] == "TLS_AES_128_GCM_SHA256", tls.cipher()
        lines = dict((words[0], words[2]) for words in (line.split() for line in log.read_text().splitlines())
                     if len(words) == 3)
        self.sock = socket.socket(fileno=tls.detach())
        self.sock.settimeout(10)
        self.use(bytes.fromhex(lines["CLIENT_TRAFFIC_SECRET_0"]))

    def expand(self, label, n):
        name = b"tls13 " + label
        info = struct.pack(">HB", n, len(name)) + name + b"\0"
        return hmac.digest(self.secret, info + b"\1", "sha256")[:n]    # HKDF-Expand of one block

    def use(self, secret):
        self.secret, self.seq = secret, 0
        self.aead, self.iv = AESGCM(self.expand(b"key", 16)), int.from_bytes(self.expand(b"iv", 12), "big")

    def record(self, kind, data):
        """A record with this inner type and content (RFC 8446 section 5.2)."""
        head = struct.pack(">BHH", 23, 0x0303, len(data) + 17)
        nonce = (self.iv ^ self.seq).to_bytes(12, "big")
        self.seq += 1
        return head + self.aead.encrypt(nonce, data + bytes([kind]), head)

    def key_update(self, ask):
        out = self.record(22, bytes([24, 0, 0, 1, ask]))
        self.use(self.expand(b"traffic upd", 32))
        return out

    def send(self, data):
        """False when the gateway has had enough."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False


class Tail:
    """Events written since it was made, without reading a long log again and again."""

    def __init__(self, gw):
        self.gw = gw
        self.at = {p: p.stat().st_size for p in gw.logs.glob("eve*.json*")}
        self.kept = []

    def events(self):
        for path in sorted(self.gw.logs.glob("eve*.json*")):
            with open(path, "rb") as f:
                f.seek(self.at.get(path, 0))
                data = f.read()
            whole = data[:data.rfind(b"\n") + 1]
            self.at[path] = self.at.get(path, 0) + len(whole)
            self.kept += [json.loads(line) for line in whole.splitlines()]
        return self.kept

    def of(self, port, kind="flow"):
        return [e for e in self.events() if e.get("src_port") == port and e["event_type"] == kind]

    def flow(self, port, patience_s=8):
        """(reason, detail) of the one flow from this port, waited for."""
        found = wait_for(f"the event of the flow from port {port}", lambda: self.of(port), patience_s)
        assert len(found) == 1, found
        return found[0]["perron"]["reason"], found[0]["perron"].get("detail", "")


def shown_flow(gw, port):
    """What `show flows` says of the flow from this port; None when it is not open."""
    return next((f for line in gw.show("flows") for f in line["data"] if f["src_port"] == port), None)
