"""The web server of an authority: serves the files of a folder, as they are at the moment of the request.
NAME.redirect holds a Location instead, NAME.slow seconds to wait. Every request is a line of requests.log.

usage: pki_web.py FOLDER ADDRESS
"""
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(FOLDER / "requests.log", "a") as log:
            log.write(f"{self.headers['Host']} {self.path}\n")
        name = self.path.lstrip("/").split("?")[0]
        for end in (".redirect", ".slow"):
            extra = FOLDER / (name + end)
            if extra.exists() and end == ".slow":
                time.sleep(float(extra.read_text()))
            elif extra.exists():
                return self.say(302, b"", {"Location": extra.read_text().strip()})
        path = FOLDER / name
        if not name or not path.is_file():
            return self.say(404, b"nothing here\n")
        return self.say(200, path.read_bytes())

    def say(self, status, body, fields=None):
        self.send_response(status)
        for key, value in (fields or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[2], 80), Handler).serve_forever()
