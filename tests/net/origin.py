#!/usr/bin/python3
"""A web server that does what the path says and writes down every byte it gets: the judge of what leaves the gateway.

origin.py FOLDER ADDRESS...: TLS on 443 and plain on 80 of each address, certificate FOLDER/tls.pem and tls.key.
Every connection is written to FOLDER/conn-N.in as it comes. Paths:
/echo what arrived, as JSON   /chunked chunks and a trailer   /raw/NAME the bytes of FOLDER/NAME.out, then close
/ws WebSocket echo   /stall never answers   /drip?N N bytes, slowly   /close closes at once   /cut announces 1000, sends 10
/continue 100 and then the answer   /early 103 and then the answer   /reset 10 bytes and then RST
"""
import asyncio
import base64
import hashlib
import json
import socket
import ssl
import struct
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
WS_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
serial = 0


class Conn:
    """One connection: reads are recorded, answers go out as they are."""

    def __init__(self, reader, writer):
        global serial
        serial += 1
        self.reader, self.writer = reader, writer
        self.record = open(FOLDER / f"conn-{serial}.in", "wb", buffering=0)

    async def line(self):
        data = await self.reader.readline()
        self.record.write(data)
        return data

    async def exactly(self, n):
        data = await self.reader.readexactly(n)
        self.record.write(data)
        return data

    def send(self, data):
        self.writer.write(data)

    async def body(self, headers):
        """Body of a request, de-chunked."""
        if "chunked" in headers.get("transfer-encoding", ""):
            out = b""
            while True:
                size = int((await self.line()).split(b";")[0], 16)
                if size == 0:
                    while (await self.line()).strip():
                        pass
                    return out
                out += await self.exactly(size)
                await self.exactly(2)
        return await self.exactly(int(headers.get("content-length", 0)))


def answer(body, kind="application/json", status="200 OK"):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


async def websocket(conn, headers):
    digest = hashlib.sha1((headers.get("sec-websocket-key", "") + WS_MAGIC).encode()).digest()
    accept = base64.b64encode(digest).decode()
    conn.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        head = await conn.exactly(2)
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", await conn.exactly(2))[0]
        mask = await conn.exactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await conn.exactly(size)))
        conn.send((bytes([head[0], size]) if size < 126 else bytes([head[0], 126]) + struct.pack(">H", size)) + data)
        await conn.writer.drain()
        if head[0] & 15 == 8:
            return


async def serve_one(conn, method, target, headers, lines):
    """Answers one request; True when the connection may go on."""
    path, _, query = target.partition("?")
    if path == "/echo":
        body = await conn.body(headers)
        conn.send(answer(json.dumps({"request": lines[0], "headers": lines[1:], "length": len(body),
                                     "sha256": hashlib.sha256(body).hexdigest()}).encode()))
    elif path == "/chunked":
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                  b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n")
    elif path.startswith("/raw/"):
        conn.send((FOLDER / (path[5:].replace("/", "_") + ".out")).read_bytes())
        await conn.writer.drain()
        await asyncio.sleep(0.3)
        return False
    elif path == "/ws":
        await websocket(conn, headers)
        return False
    elif path == "/stall":
        await asyncio.sleep(3600)
    elif path == "/drip":
        n = int(query or 10)
        conn.send(f"HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n".encode())
        for _ in range(n):
            conn.send(b"x")
            await conn.writer.drain()
            await asyncio.sleep(0.1)
    elif path == "/close":
        return False
    elif path in ("/cut", "/reset"):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
        await conn.writer.drain()
        if path == "/reset":
            sock = conn.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.writer.transport.abort()
        return False
    elif path == "/continue":
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await conn.writer.drain()
        conn.send(answer(str(len(await conn.body(headers))).encode(), "text/plain"))
    elif path == "/early":
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer(b"late\n", "text/plain"))
    else:
        await conn.body(headers)
        conn.send(answer(b"" if method == "HEAD" else b"hello from script\n", "text/plain"))
    await conn.writer.drain()
    return True


async def serve(reader, writer):
    conn = Conn(reader, writer)
    try:
        while True:
            lines = []
            while True:
                line = await conn.line()
                if not line:
                    return
                if not line.strip():
                    break
                lines.append(line.decode("latin-1").rstrip("\r\n"))
            if not lines:
                continue
            method, target, *_ = (lines[0] + "  ").split(" ")
            headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
            if not await serve_one(conn, method, target, headers, lines):
                return
    except (asyncio.IncompleteReadError, ConnectionError, ValueError, ssl.SSLError):
        pass
    finally:
        conn.record.close()
        writer.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "tls.pem", FOLDER / "tls.key")
    context.set_alpn_protocols(["http/1.1"])
    servers = []
    for address in sys.argv[2:]:
        servers.append(await asyncio.start_server(serve, address, 443, ssl=context))
        servers.append(await asyncio.start_server(serve, address, 80))
    print("up", flush=True)
    await asyncio.gather(*(s.serve_forever() for s in servers))


asyncio.run(main())
