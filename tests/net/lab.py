"""The laboratory: three namespaces with real servers, used by the namespace tests, the demo and by hand.

      clients                        gateway                          internet
  pupil 10.32.1.10  --+                                         +-- nginx: sites of sites.py
  agent 10.32.2.10  --+-- eth0 ... lan0 [perrond] wan0 ... eth0 +-- origin.py (script.example)
  guest 10.112.1.10 --+         10.32.0.1   192.0.2.1           +-- dnsmasq 192.0.2.53
  (each with an IPv6 address too)                  192.0.2.254

Needs root. Everything goes when the Lab is closed, or with this process, however it ends: the namespaces have no name.
By hand: `python3 tests/net/lab.py` and then `nsenter` as it says.
"""
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from client import PEOPLE, Clients
from gateway import Gateway, policy
from pki import Pki
from sites import SITES, dnsmasq_conf, nginx_conf
from space import Space, end, wait_for

HERE = Path(__file__).resolve().parent
RESOLVERS = ["192.0.2.53", "2001:db8:2::53"]
LANS = [("10.32", "fd10:32"), ("10.112", "fd10:112"), ("10.200", "fd10:200")]
SYN_RULES = """
table inet lab {
  set asked4 { type ipv4_addr . inet_service; flags dynamic; counter; }
  set asked6 { type ipv6_addr . inet_service; flags dynamic; counter; }
  chain in { type filter hook prerouting priority -300;
    ip daddr 203.0.113.250 drop
    tcp flags & (syn | ack) == syn add @asked4 { ip daddr . tcp dport }
    tcp flags & (syn | ack) == syn add @asked6 { ip6 daddr . tcp dport }
    udp dport != 53 add @asked4 { ip daddr . udp dport }
  }
}
"""


class Lab:
    """Namespaces, origins and resolver; gateways are started in it."""

    def __init__(self, keep_big=64 << 20):
        self.closing = []
        self.gateways = []
        self.n_gateways = 0
        self.complaints = []   # of sanitizers
        self.shared = None     # the tests' common gateway (conftest.py)
        self.folder = Path(tempfile.mkdtemp(prefix="perron-lab-"))
        self.folder.chmod(0o755)
        self.closing.append(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        try:
            self.make(keep_big)
        except BaseException:
            self.close()
            raise

    def make(self, big):
        resolv = self.folder / "resolv.conf"
        resolv.write_text(f"nameserver {RESOLVERS[0]}\noptions timeout:2 attempts:2\n")
        (self.folder / "pki").mkdir()
        self.pki = Pki(self.folder / "pki")
        self.clients_space = self.space("clients", resolv)
        self.gateway_space = self.space("gateway", resolv)
        self.internet = self.space("internet", resolv)
        self.lay_cables()
        self.start_resolver()
        self.start_nginx(big)
        self.start_script()
        self.clients = Clients(self.clients_space, self.folder, self.pki.roots)
        self.curl, self.connect, self.tls = self.clients.curl, self.clients.connect, self.clients.tls
        self.ca = None

    def space(self, name, resolv):
        space = Space(name, resolv)
        self.closing.append(space.close)
        return space

    # ---- cables

    def lay_cables(self):
        c, g, i = self.clients_space, self.gateway_space, self.internet
        g.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        c.ip([f"link add eth0 type veth peer name lan0 netns {g.pid}", "link set eth0 up"])
        i.ip([f"link add eth0 type veth peer name wan0 netns {g.pid}", "link set eth0 up"])
        g.ip(["link set lan0 up", "link set wan0 up", "addr add 192.0.2.1/24 dev wan0",
              "addr add 2001:db8:2::1/64 dev wan0 nodad", "route add default via 192.0.2.254",
              "-6 route add default via 2001:db8:2::fe"] +
             [f"addr add {v4}.0.1/16 dev lan0" for v4, _ in LANS] +
             [f"addr add {v6}::1/64 dev lan0 nodad" for _, v6 in LANS])
        c.ip([f"addr add {p.v4}/16 dev eth0" for p in PEOPLE.values()] +
             [f"addr add {p.v6}/64 dev eth0 nodad" for p in PEOPLE.values()] +
             [f"route add default via 10.32.0.1 src {PEOPLE['pupil'].v4}",
              f"-6 route add default via fd10:32::1 src {PEOPLE['pupil'].v6}"])
        i.ip([f"addr add {a} dev eth0" for a in ("192.0.2.254/24", "192.0.2.53/24")] +
             [f"addr add {a} dev eth0 nodad" for a in ("2001:db8:2::fe/64", "2001:db8:2::53/64")] +
             [f"addr add {s.v4}/32 dev lo" for s in SITES.values()] +
             [f"addr add {s.v6}/128 dev lo nodad" for s in SITES.values()] +
             [f"route add {v4}.0.0/16 via 192.0.2.1" for v4, _ in LANS] +
             [f"-6 route add {v6}::/64 via 2001:db8:2::1" for _, v6 in LANS])
        rules = self.folder / "syn.nft"
        rules.write_text(SYN_RULES)
        i.run("nft", "-f", rules)

    # ---- servers

    def start_resolver(self):
        folder = self.folder / "dns"
        folder.mkdir()
        (folder / "dnsmasq.conf").write_text(dnsmasq_conf(folder, RESOLVERS))
        # dnsmasq changes its capabilities, and the kernel then forgets the signal it should get at our death.
        self.server("dnsmasq", "sh", "-c", '"$@" & trap "kill $!" TERM; wait $!', "dnsmasq",
                    "/usr/sbin/dnsmasq", "-C", folder / "dnsmasq.conf")

    def start_nginx(self, big):
        folder = self.folder / "web"
        (folder / "www").mkdir(parents=True)
        with open(folder / "www" / "big.bin", "wb") as f:
            f.truncate(big)
        (folder / "www" / "small.bin").write_bytes(bytes(range(256)) * 4)
        for name, site in SITES.items():
            if site.cert:
                self.pki.make(name, [name, *site.extra], site.cert)
        (folder / "nginx.conf").write_text(nginx_conf(folder, self.pki.folder))
        self.server("nginx", "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf")
        wait_for("nginx", (folder / "nginx.pid").exists)
        self.access_log = folder / "access.log"

    def start_script(self):
        self.script = self.folder / "script"
        self.script.mkdir()
        site = SITES["script.example"]
        for end_of_name in ("pem", "key"):
            shutil.copy(self.pki.folder / f"script.example.{end_of_name}", self.script / f"tls.{end_of_name}")
        self.server("script", "/usr/bin/python3", HERE / "origin.py", self.script, site.v4, site.v6)
        log = self.folder / "script.out"
        wait_for("the scripted origin", lambda: b"up" in log.read_bytes())

    def server(self, name, *cmd):
        log = open(self.folder / f"{name}.out", "ab")
        proc = self.internet.start(*cmd, stdout=log, stderr=log)
        log.close()
        self.closing.append(lambda: end(proc, 5))
        return proc

    # ---- what the internet saw

    def requests(self, server=None):
        """Requests that arrived at nginx, oldest first; `server` is the first name of a site."""
        if not self.access_log.exists():
            return []
        rows = [json.loads(line) for line in self.access_log.read_text().splitlines()]
        return [r for r in rows if server is None or r["server"] == server]

    def syns(self, name=None, port=None):
        """How often somebody tried to connect to a site (SYNs that arrived), over IPv4 and IPv6."""
        rows = []
        for table in ("asked4", "asked6"):
            out = json.loads(self.internet.run("nft", "-j", "list", "set", "inet", "lab", table))
            for item in out["nftables"]:
                for elem in item.get("set", {}).get("elem", []):
                    address, dport = elem["elem"]["val"]["concat"]
                    rows.append((address, dport, elem["elem"]["counter"]["packets"]))
        site = SITES.get(name)
        return sum(n for address, dport, n in rows
                   if (site is None or address in (site.v4, site.v6)) and (port is None or dport == port))

    def questions(self, name, asked_by=("192.0.2.1", "2001:db8:2::1")):
        """How often the gateway (or another) asked the resolver for a name."""
        log = self.folder / "dns" / "dns.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return sum(1 for line in lines if "query[" in line and f" {name} from " in line
                   and line.rsplit(" ", 1)[1] in asked_by)

    def script_bytes(self):
        """What each connection to script.example brought, oldest first."""
        files = sorted(self.script.glob("conn-*.in"), key=lambda p: int(p.stem.split("-")[1]))
        return [p.read_bytes() for p in files]

    def script_answer(self, name, data):
        """From now on /raw/NAME at script.example answers with these bytes."""
        (self.script / f"{name}.out").write_bytes(data)

    # ---- gateways

    def gateway(self, text=None, start=True, fresh_ca=False, **kw):
        """A gateway with a policy text; the authority is made once and copied for the next ones."""
        self.n_gateways += 1
        name = f"gw{self.n_gateways}"
        gw = Gateway(self, text or policy(self), name=name, ca_from=None if fresh_ca else self.ca, **kw)
        self.gateways.append(gw)
        if not gw.state.exists():
            gw.init_ca()
            if not fresh_ca:
                self.ca = self.folder / "ca-master-copy"
                shutil.copytree(gw.state, self.ca)
                for path in [gw.state, *gw.state.rglob("*")]:
                    st = path.stat()
                    os.chown(self.ca / path.relative_to(gw.state), st.st_uid, st.st_gid)
        return gw.start() if start else gw

    def open_again(self):
        """Removes what a stopped gateway left to hold its zones shut (`on gateway-down closed`, the default)."""
        for line in self.gateway_space.run("nft", "list", "tables").splitlines():
            if " perron" in line:
                self.gateway_space.run("nft", "delete", *line.split())

    def close(self):
        """Ends everything, in the opposite order; safe to call twice."""
        for gw in self.gateways:
            try:
                gw.stop()
            except Exception as e:  # the rest must go too
                print(f"stopping {gw.name}: {e}", file=sys.stderr)
        self.gateways = []
        while self.closing:
            try:
                self.closing.pop()()
            except Exception as e:
                print(f"closing the laboratory: {e}", file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def main():
    with Lab() as lab:
        for space in (lab.clients_space, lab.gateway_space, lab.internet):
            print(f"{space.name:9} nsenter -t {space.pid} -n -m")
        print("Ctrl-C ends it")
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
