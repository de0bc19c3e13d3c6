"""perrond in the gateway's namespace: start it with a policy, ask perronctl, read the log, stop it."""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from space import end, wait_for

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PERRON_BUILD", ROOT / "build"))

# What most tests start from. Words in <> are replaced by policy().
POLICY = """
listen    transparent  port 3129
listen    explicit     10.32.0.1:3128
listen    explicit     [fd10:32::1]:3128
resolver  192.0.2.53
trust     "<roots>"
workers   <workers>
private-destinations  block
crl       "http://crl.province.example/issuing.crl"
<pool>
<settings>
zone  lan      network 10.32.0.0/16, fd10:32::/64
zone  guests   network 10.112.0.0/16, fd10:112::/64   ca none

user  "p.dupont"  address 10.32.1.10, fd10:32::1:10
user  "a.martin"  address 10.32.2.10, fd10:32::2:10
group pupils   user "p.dupont"
group agents   user "a.martin"

category  streaming  domain "video.example"
category  gambling   domain "casino.example"
category  social     domain "social.example"
category  banking    domain "www.bank.example"

tls {
  exempt   category banking   reason "secret bancaire, vie privee"
  inspect  any
}
web {
<web>
  forbid   category gambling
  block    category streaming  for pupils
  block    category social     from guests
  allow    any
}
help  telephone "04/279.25.10"  mail "helpdesk@province.example"
"""


def policy(lab, web="", settings="", workers="2", text=POLICY, pool="none"):
    """The text. Each flow opens its own connection with the origin, so that what arrives there can be told apart; with
    `pool` None the gateway's default holds."""
    text = text.replace("<pool>", f"pool {pool}" if pool else "")
    return (text.replace("<roots>", str(lab.pki.roots)).replace("<web>", web)
            .replace("<settings>", settings).replace("<workers>", workers))


class Gateway:
    """One perrond with its own state and log folders."""

    def __init__(self, lab, text, clock=None, name="gw", ca_from=None, extra=(), perrond=BUILD / "perrond"):
        self.lab, self.name, self.clock, self.extra = lab, name, clock, [*extra, *os.environ.get("PERRON_ARGS", "").split()]
        self.folder = lab.folder / name
        self.state, self.logs = self.folder / "state", self.folder / "log"
        self.file = self.folder / "site.policy"
        self.proc, self.perrond = None, perrond
        self.folder.mkdir(mode=0o755)
        self.logs.mkdir(mode=0o755)
        self.write(text)
        if ca_from:
            shutil.copytree(ca_from, self.state)
            for path in ca_from.rglob("*"):
                st = path.stat()
                os.chown(self.state / path.relative_to(ca_from), st.st_uid, st.st_gid)
            os.chown(self.state, ca_from.stat().st_uid, ca_from.stat().st_gid)

    def write(self, text):
        self.file.write_text(text)
        self.file.chmod(0o644)

    # ---- programs

    def ctl_run(self, *words):
        """(exit status, standard output, standard error) of perronctl."""
        cmd = self.lab.gateway_space.enter(BUILD / "perronctl", "-d", self.state, *words)
        done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              timeout=60, check=False)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def ctl(self, *words):
        status, out, err = self.ctl_run(*words)
        assert status == 0, f"perronctl {' '.join(str(w) for w in words)}: exit status {status}\n{out}{err}"
        return out

    def show(self, *words):
        """Objects that `perronctl --json show` prints, one a line."""
        return [json.loads(line) for line in self.ctl("--json", "show", *words).splitlines()]

    def command(self):
        cmd = [self.perrond, "-f", self.file, "-d", self.state, "--log-dir", self.logs, *self.extra]
        return cmd + (["--clock", self.clock] if self.clock else [])

    def init_ca(self, org="Province de Demonstration"):
        self.ctl("ca", "init", "--org", org)

    def root_pem(self):
        """Path of our root certificate, for clients' stores."""
        path = self.folder / "our-root.pem"
        if path.exists():
            return path
        self.ctl("ca", "export", "--for", "pem", "-o", path)
        return path

    def start(self, patience_s=15):
        self.err = open(self.folder / "stderr.txt", "ab")
        self.proc = self.lab.gateway_space.start(*self.command(), stdout=self.err, stderr=self.err)
        self.lab.clients.our_ca = self.root_pem()
        wait_for(f"the gateway to be ready; it said:\n{self.said()}", self.ready, patience_s)
        return self

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    def ready(self):
        if self.proc.poll() is not None:
            raise AssertionError(f"perrond ended with status {self.proc.returncode}; it said:\n{self.said()}")
        status, out, _ = self.ctl_run("--json", "show", "processes")
        if status != 0:
            return False
        rows = processes(out)
        return any(p["role"] == "worker" for p in rows) and all(p["state"] == "ready" for p in rows)

    def said(self):
        try:
            return (self.folder / "stderr.txt").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def reload(self, text=None):
        """(exit status, what perronctl said) of a reload, with a new text if given."""
        if text is not None:
            self.write(text)
        status, out, err = self.ctl_run("reload")
        return status, out + err

    def pids(self, role=None):
        rows = processes(self.ctl("--json", "show", "processes"))
        return [p["pid"] for p in rows if role is None or p["role"] == role]

    def kill(self, pid, sig=signal.SIGKILL):
        os.kill(pid, sig)

    def stop(self, sig=signal.SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(3)
            except subprocess.TimeoutExpired:
                end(self.proc, 10)   # asked a second time it does not wait for open connections
        if self.proc:
            self.err.close()
        status = self.proc.returncode if self.proc else None
        self.proc = None
        found = re.findall(r"^.*(?:Sanitizer:|runtime error:).*$", self.said(), re.M)
        self.lab.complaints += [f"{self.name} said:\n{self.said()[:20000]}"] if found else []
        return status

    # ---- log

    def log_lines(self):
        lines = []
        for path in sorted(self.logs.glob("eve*.json*")):
            whole, newline, _ = path.read_bytes().rpartition(b"\n")  # the logger may be in the middle of a line
            lines += whole.decode().splitlines() if newline else []
        return lines

    def events(self, **want):
        """Events whose fields have these values; perron__code means field code of object perron."""
        found = []
        for line in self.log_lines():
            event = json.loads(line)
            if all(field(event, key) == value for key, value in want.items()):
                found.append(event)
        return found

    def event(self, patience_s=5, **want):
        """The one such event, waited for."""
        found = wait_for(f"an event with {want}", lambda: self.events(**want), patience_s)
        return found[-1]

    def by_code(self, code, patience_s=5):
        return wait_for(f"code {code} in the log", lambda: self.events(perron__code=code), patience_s)


def processes(text):
    """Rows of `perronctl --json show processes`."""
    return [json.loads(line)["process"] for line in text.splitlines()]


def field(event, key):
    for part in key.split("__"):
        event = event.get(part) if isinstance(event, dict) else None
    return event


CODE = re.compile(r"^[0-9A-HJKMNP-TV-Z]{3}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{3}$")
