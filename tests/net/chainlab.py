"""Serves the chains of chains.py in the laboratory's internet, by a real nginx, and what their authorities publish."""
import json
import shutil
import sys
from pathlib import Path

from chains import write
from der import key_pem
from sites import SITES
from space import end, wait_for

HERE = Path(__file__).resolve().parent
ADDRESS = SITES["chains.example"].v4

NGINX = """
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    log_format lab escape=json '{{"server":"$server_name","host":"$http_host","uri":"$request_uri"}}';
    access_log {dir}/access.log lab;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server_names_hash_bucket_size 256;
    server_names_hash_max_size 4096;
    ssl_protocols {tls};
    ssl_ciphers DEFAULT@SECLEVEL=0;
    {tickets}
    default_type text/plain;
{servers}
}}
"""
SERVER = """
    server {{
        listen {address}:443 ssl;
        server_name {host};
        ssl_certificate {dir}/{name}.pem; ssl_certificate_key {dir}/{name}.key;
        {staple}
        location / {{ return 200 "hello from {name}\\n"; }}
        location /slow {{ root {dir}; limit_rate 20k; }}
    }}
"""


class Origins:
    """nginx with a server for every case; cases may be added while it runs."""

    def __init__(self, lab, folder, tls="TLSv1.2 TLSv1.3"):
        self.lab, self.folder, self.tls = lab, folder, tls
        self.cases, self.proc, self.tickets = [], None, ""
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        (folder / "slow").write_bytes(b"x" * (1 << 20))

    def address(self, case):
        return case.host if case.host[0].isdigit() and case.host.replace(".", "").isdigit() else ADDRESS

    def show(self, case_set, cases):
        write(case_set, self.folder)
        self.start(cases)

    def start(self, cases):
        self.cases = cases
        servers = "".join(SERVER.format(
            dir=self.folder, host=c.host, name=c.name, address=self.address(c),
            staple=f"ssl_stapling on; ssl_stapling_file {self.folder}/{c.name}.ocsp;" if c.staple else "")
            for c in cases)
        (self.folder / "nginx.conf").write_text(NGINX.format(dir=self.folder, servers=servers, tls=self.tls,
                                                               tickets=self.tickets))
        for c in cases:
            if self.address(c) != ADDRESS:
                self.lab.internet.ip([f"addr replace {self.address(c)}/32 dev lo"])
        self.stop()
        log = open(self.folder / "nginx.out", "ab")
        self.proc = self.lab.internet.start("/usr/sbin/nginx", "-p", self.folder, "-c", self.folder / "nginx.conf",
                                            stdout=log, stderr=log)
        log.close()
        wait_for("nginx of the chains: " + (self.folder / "nginx.out").read_text(), (self.folder / "nginx.pid").exists)

    def seal_with(self, letter):
        """The key of session tickets from the next start on: what one start sealed another can open."""
        path = self.folder / f"tickets-{letter}"
        path.write_bytes(letter.encode() * 80)
        self.tickets = f"ssl_session_ticket_key {path};"

    def stop(self):
        if self.proc:
            end(self.proc, 5)
            self.proc = None

    def requests(self, name=None):
        log = self.folder / "access.log"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        hosts = {c.name: c.host for c in self.cases}
        return [r for r in rows if name is None or r["server"] == hosts[name]]

    def curl(self, who, case, *options, path="/", **kw):
        """An address is asked for by CONNECT: without SNI a transparent client says no name that could be wrong."""
        if self.address(case) != ADDRESS:
            kw.setdefault("proxy", "http://10.32.0.1:3128")
        return self.lab.curl(who, f"https://{case.host}{path}", "--resolve", f"{case.host}:443:{self.address(case)}",
                             *options, **kw)


class Web:
    """What authorities publish: lists and certificates, at pki.example."""

    def __init__(self, lab, folder, site="pki.example", address=None):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        address = address or SITES[site].v4
        self.proc = lab.internet.start_server(address, 80, sys.executable, HERE / "pki_web.py", folder, address)
        self.url = f"http://{site}/"

    def put(self, name, data):
        new = self.folder / (name + ".new")
        new.write_bytes(data if isinstance(data, bytes) else data.encode())
        new.rename(self.folder / name)

    def requests(self, path=None):
        log = self.folder / "requests.log"
        rows = log.read_text().splitlines() if log.exists() else []
        return [r for r in rows if path is None or r.endswith(" /" + path)]

    def clear(self):
        for path in self.folder.iterdir():
            path.unlink()

    def stop(self):
        end(self.proc, 5)


def write_one(origins, case):
    """Files of a case that is not in a Set."""
    from chains import pem
    (origins.folder / f"{case.name}.pem").write_bytes(b"".join(pem(d) for d in case.chain))
    (origins.folder / f"{case.name}.key").write_bytes(key_pem(case.key))
    if case.staple:
        (origins.folder / f"{case.name}.ocsp").write_bytes(case.staple)


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
