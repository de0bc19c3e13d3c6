"""A door from the machine's own loopback into the laboratory: what connects here arrives at the gateway's proxy as if
it came from one of the laboratory's people. No interface and no route of the machine is touched."""
import contextlib
import socket
import threading


class Doorway:
    """Listens on 127.0.0.1; relays each connection from the address of `who` to `target`."""

    def __init__(self, clients, who, target, port):
        self.clients, self.who, self.target = clients, who, target
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind(("127.0.0.1", port))
        except OSError:
            self.listener.bind(("127.0.0.1", 0))     # taken: any other
        self.listener.listen(64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                outside, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(outside,), daemon=True).start()

    def relay(self, outside):
        try:
            inside = self.clients.connect(self.who, *self.target)
        except OSError:
            outside.close()
            return
        inside.settimeout(None)
        back = threading.Thread(target=self.pump, args=(inside, outside), daemon=True)
        back.start()
        self.pump(outside, inside)
        back.join()
        inside.close()
        outside.close()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()
