"""The laboratory's internet: who lives where, with which certificate, and the servers' configuration."""
from dataclasses import dataclass, field


@dataclass
class Site:
    """A web site: its addresses, the kind of its certificate, who serves it."""
    v4: str
    v6: str
    cert: str = "ec"
    server: str = "nginx"      # nginx, script (origin.py) or none
    extra: list = field(default_factory=list)   # further names on the same server and certificate
    tls: str = "TLSv1.2 TLSv1.3"
    ports: tuple = (443,)
    asks: bool = False         # asks clients for a certificate of their own


def at(n, net="a"):
    """Addresses number n: net a is 198.51.100.0/24, net b 203.0.113.0/24."""
    return ("198.51.100.%d" if net == "a" else "203.0.113.%d") % n, f"2001:db8:{net}::{n}"


SITES = {
    "www.school.example": Site(*at(10), ports=(443, 8443)),
    "video.example": Site(*at(20), extra=["www.video.example"]),
    "social.example": Site(*at(25)),
    "cdn.example": Site(*at(30), extra=["casino.example"]),
    "files.example": Site(*at(40), cert="rsa", extra=["www.google.be"]),
    "many.example": Site(*at(60), extra=["*.many.example"]),
    "plain.example": Site(*at(70), cert=None),
    "www.bank.example": Site(*at(10, "b"), cert="bank"),
    "expired.example": Site(*at(20, "b"), cert="expired"),
    "selfsigned.example": Site(*at(21, "b"), cert="self-signed"),
    "wrongname.example": Site(*at(22, "b"), cert="wrong-name"),
    "notyet.example": Site(*at(23, "b"), cert="not-yet-valid"),
    "cnonly.example": Site(*at(24, "b"), cert="cn-only"),
    "unknownroot.example": Site(*at(25, "b"), cert="unknown-issuer"),
    "incomplete.example": Site(*at(26, "b"), cert="no-intermediate"),
    "weakkey.example": Site(*at(27, "b"), cert="weak-key"),
    "oldtls.example": Site(*at(28, "b"), tls="TLSv1 TLSv1.1"),
    "tls12.example": Site(*at(29, "b"), cert="rsa", tls="TLSv1.2"),
    "eid.example": Site(*at(30, "b"), asks=True),
    "script.example": Site(*at(99, "b"), server="script",
                           extra=["www.google.com", "www.youtube.com", "www.bing.com", "login.microsoftonline.com",
                                  "search.example"]),
    "pki.example": Site(*at(110), cert=None, server="none"),
    "chains.example": Site(*at(90, "b"), cert=None, server="none", extra=["*.chains.example"]),
    "closed.example": Site(*at(200, "b"), server="none"),
    "blackhole.example": Site(*at(250, "b"), server="none"),
}
# Names that lead where names from outside may not lead.
TRAPS = {
    "loopback.example": ("127.0.0.1", "::1"),
    "inside.example": ("10.32.0.1", "fd10:32::1"),
    "metadata.example": ("169.254.169.254", "fe80::1"),
}

NGINX = """
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 9000; }}
http {{
    types {{ text/html html; application/octet-stream bin; }}
    log_format lab escape=json '{{"server":"$server_name","host":"$http_host","method":"$request_method",'
        '"uri":"$request_uri","status":$status,"client":"$remote_addr","proto":"$server_protocol",'
        '"tls":"$ssl_protocol","sni":"$ssl_server_name","cookie":"$http_cookie","via":"$http_via",'
        '"forwarded":"$http_x_forwarded_for","bytes":$body_bytes_sent}}';
    access_log {dir}/access.log lab;
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    sendfile on;
    gzip off;
    server_names_hash_bucket_size 128;
{servers}
}}
"""

SERVER = """
    server {{
        server_name {names};
        access_log {dir}/access.log lab;
        {listens}
        {tls}
        root {dir}/www;
        default_type text/html;
        location = / {{ return 200 "<!doctype html><title>$host</title><h1>Welcome to $host</h1>\\n"; }}
        location = /hello {{ default_type text/plain; return 200 "hello from $host\\n"; }}
        location = /no-content {{ return 204; }}
        location = /moved {{ return 302 /hello; }}
        location = /teapot {{ return 418 "a teapot\\n"; }}
        location /slow/ {{ alias {dir}/www/; limit_rate 1m; }}
        location /upload {{ proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:81; }}
        location /unread {{ proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:82; }}
    }}
"""


def nginx_conf(folder, pki_folder):
    """The whole configuration: one server block a site."""
    servers = []
    for name, site in SITES.items():
        if site.server != "nginx":
            continue
        listens = [f"listen {site.v4}:80;", f"listen [{site.v6}]:80;"]
        tls = ""
        if site.cert:
            for port in site.ports:
                listens += [f"listen {site.v4}:{port} ssl http2;", f"listen [{site.v6}]:{port} ssl http2;"]
            weak = " ssl_ciphers DEFAULT@SECLEVEL=0;" if site.cert == "weak-key" or "TLSv1 " in site.tls else ""
            tls = (f"ssl_certificate {pki_folder}/{name}.pem; ssl_certificate_key {pki_folder}/{name}.key; "
                   f"ssl_protocols {site.tls};{weak}" + (" ssl_verify_client optional_no_ca;" if site.asks else ""))
        servers.append(SERVER.format(names=" ".join([name, *site.extra]), dir=folder,
                                     listens=" ".join(listens), tls=tls))
    servers.append('    server { listen 127.0.0.1:81; access_log off; client_max_body_size 0; '
                   'location / { return 200 "got $content_length\\n"; } }')
    return NGINX.format(dir=folder, servers="\n".join(servers))


def dnsmasq_conf(folder, addresses):
    """The resolver of the laboratory: knows every site, forwards nothing, writes every question down."""
    lines = ["no-resolv", "no-hosts", "keep-in-foreground", "bind-interfaces", "user=root", "port=53",
             f"log-facility={folder}/dns.log", "log-queries", f"pid-file={folder}/dnsmasq.pid", "local=/example/",
             "cache-size=10000", "no-negcache"]
    lines += [f"listen-address={a}" for a in addresses]
    for name, site in SITES.items():
        for n in [name, *site.extra]:
            if n.startswith("*."):
                lines += [f"address=/{n[2:]}/{site.v4}", f"address=/{n[2:]}/{site.v6}"]
            else:
                lines.append(f"host-record={n},{site.v4},{site.v6}")
    lines += [f"host-record={n},{v4},{v6}" for n, (v4, v6) in TRAPS.items()]
    return "\n".join(lines) + "\n"
