#!/usr/bin/python3
"""A resolver that lies by a script: each question for the A record of a name gets the next of its answers.

answers.py ADDRESS FILE: FILE is JSON, {"name": [["198.51.100.10"], ["127.0.0.1", "10.99.0.1"]]}; the last answer stays,
[] is "no such name", null is silence. Every lifetime is 0. One line a question goes to standard output.
"""
import ipaddress
import json
import socket
import struct
import sys


def question(data):
    """Name, type and the bytes of the one question."""
    at, labels = 12, []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    kind, = struct.unpack(">H", data[at + 1:at + 3])
    return ".".join(labels).lower(), kind, data[12:at + 5]


def reply(data, addresses, kind, asked):
    want = [ipaddress.ip_address(a) for a in addresses]
    records = [a.packed for a in want if (a.version == 4) == (kind == 1)]
    code = 0 if addresses else 3
    head = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
    return head + asked + b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(r)) + r for r in records)


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((sys.argv[1], 53))
    with open(sys.argv[2]) as f:
        script = json.load(f)
    turn = {}
    print("up", flush=True)
    while True:
        data, whom = sock.recvfrom(4096)
        name, kind, asked = question(data)
        answers = script.get(name, [[]])
        n = turn.get((name, kind), 0)
        turn[name, kind] = n + 1
        now = answers[min(n, len(answers) - 1)]
        print(name, kind, now, flush=True)
        if now is not None and kind in (1, 28):
            sock.sendto(reply(data, now, kind, asked), whom)


if __name__ == "__main__":
    main()
