"""A SoftHSM token for the signer: made in a folder, filled with a key, taken away and put back."""
import os
import subprocess

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SIGNER_UID = 64801
PIN = "4711"


class Token:
    def __init__(self, folder, label="perron"):
        self.folder, self.label = folder, label
        self.tokens, self.conf, self.pin = folder / "tokens", folder / "softhsm2.conf", folder / "pin"
        folder.mkdir(mode=0o755)
        self.tokens.mkdir()
        self.conf.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.conf.chmod(0o644)
        self.run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN)
        self.write_pin(PIN)

    def run(self, *cmd):
        subprocess.run([str(w) for w in cmd], check=True, capture_output=True, timeout=30,
                       env={**os.environ, "SOFTHSM2_CONF": str(self.conf)})

    def write_pin(self, pin):
        self.pin.unlink(missing_ok=True)
        self.pin.write_text(pin + "\n")
        self.pin.chmod(0o400)

    def key(self, name="issuing", kind="EC:prime256v1"):
        self.run("pkcs11-tool", "--module", MODULE, "--token-label", self.label, "--login", "--pin", PIN, "--keypairgen",
                 "--key-type", kind, "--label", name)
        self.give()
        return self

    def give(self):
        for at, folders, files in os.walk(self.tokens):
            for name in [at, *(os.path.join(at, n) for n in folders + files)]:
                os.chown(name, SIGNER_UID, SIGNER_UID)

    def uri(self, name="issuing"):
        return f"pkcs11:token={self.label};object={name}?module-path={MODULE}&pin-source=file:{self.pin}"

    def words(self, name="issuing"):
        """For perronctl ca init and prepare."""
        return ["--token", self.uri(name), "--token-path", self.tokens, "--token-env", f"SOFTHSM2_CONF={self.conf}"]

    def take_away(self):
        self.tokens.rename(self.folder / "away")

    def put_back(self):
        (self.folder / "away").rename(self.tokens)
