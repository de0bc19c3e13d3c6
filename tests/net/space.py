"""Network namespaces without a name, and processes in them.

A namespace lives as long as its holder process; the holder dies with us (even by kill -9), so nothing is left behind.
The holder also has a mount namespace of its own, for a resolv.conf of its own.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def check(cmd, **kw):
    """Runs a command that must succeed; its output is in the error when it does not."""
    if "input" not in kw:
        kw["stdin"] = subprocess.DEVNULL
    done = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **kw)
    out = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(c) for c in cmd)}: exit status {done.returncode}\n{out}")
    return out


class Space:
    """One network namespace. `with space:` puts the calling thread into it, for sockets of our own."""

    def __init__(self, name, resolv_conf=None):
        self.name = name
        self.outside = []
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--propagation", "private",
             "sh", "-c", "echo up; exec sleep infinity"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"up\n":
            raise RuntimeError("cannot make a network namespace: this needs root")
        self.pid = self.holder.pid
        check(self.enter("ip", "link", "set", "lo", "up"))
        if resolv_conf:
            # A link may lead elsewhere in the tree of mounts: bind over what it points to.
            check(self.enter("mount", "--bind", resolv_conf, os.path.realpath("/etc/resolv.conf")))

    def enter(self, *cmd, when_we_die="KILL"):
        """The command line that runs cmd in this namespace; it gets a signal when we die."""
        return ["setpriv", "--pdeathsig", when_we_die, "nsenter", "-t", str(self.pid), "-n", "-m", "--", *[str(c) for c in cmd]]

    def run(self, *cmd, **kw):
        return check(self.enter(*cmd), **kw)

    def ip(self, lines):
        """Commands of ip(8), one a line; those of IPv6 begin with -6."""
        for family in ("-4", "-6"):
            batch = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ") == (family == "-6")]
            if batch:
                self.run("ip", *(["-6"] if family == "-6" else []), "-batch", "-", input="\n".join(batch).encode())

    def start(self, *cmd, **kw):
        """Starts a long-lived process there; it gets SIGTERM when we die."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.enter(*cmd, when_we_die="TERM"), **kw)

    def start_server(self, address, port, *cmd, **kw):
        """The same, for one that listens at that address and port: when this returns, it does."""
        at = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        proc = self.start(*cmd, **kw)
        try:
            wait_for(f"{cmd[0]} to listen at {at}", lambda: proc.poll() is not None or self.run("ss", "-Hltn", "src", at))
            if proc.returncode is not None:
                raise AssertionError(f"{cmd[0]} was to listen at {at} and ended with status {proc.returncode}")
        except BaseException:
            end(proc, 5)
            raise
        return proc

    @contextlib.contextmanager
    def on_tmpfs(self, folder):
        """A folder with all that is in it on a file system of its own, which can be filled up. Nothing may use it."""
        copy = f"{folder}.copy"
        self.run("cp", "-a", folder, copy)
        self.run("mount", "-t", "tmpfs", "-o", "size=64m,mode=711", "tmpfs", folder)
        self.run("cp", "-a", f"{copy}/.", folder)
        try:
            yield Disk(self, folder)
        finally:
            self.run("umount", folder)
            self.run("rm", "-r", copy)

    def __enter__(self):
        self.outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(fd)
        finally:
            os.close(fd)
        return self

    def __exit__(self, *exc):
        fd = self.outside.pop()
        try:
            _setns(fd)
        finally:
            os.close(fd)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Disk:
    def __init__(self, space, folder):
        self.space, self.folder = space, folder

    def fill(self):
        """Not a block is left. (A file system that is shrunk to what it holds: what fills up a larger one does not always
        come back on removal, for reasons of the kernel's.)"""
        used = int(self.space.run("df", "--output=used", "-k", self.folder).split()[-1])
        self.space.run("mount", "-o", f"remount,size={used}k", self.folder)

    def empty(self):
        self.space.run("mount", "-o", "remount,size=64m", self.folder)


def _setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def end(proc, patience_s=10):
    """Ends one process of ours in order, then by force."""
    if proc is None or proc.poll() is not None:
        return
    proc.send_signal(signal.SIGTERM)
    try:
        proc.wait(patience_s)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()


def wait_for(what, probe, patience_s=10.0, step_s=0.05):
    """Polls until probe() gives something true and returns that; fails with a sentence."""
    deadline = time.monotonic() + patience_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:g} s in vain for {what}")
        time.sleep(step_s)
