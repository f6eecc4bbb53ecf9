"""Give the commands of the documentation a machine to run on: a folder, a target, a bastion, tokens.

The commands are run as they stand on the page, by bash, with the system's own ssh, sshd and so on. What differs from
the machines that the page speaks of is listed here and nowhere else:

- `scenery()`: paths, addresses, the login and the host key of the target, text for text;
- STAND_INS: programs that cannot be had in a test (systemd, a Kubernetes cluster), as small scripts;
- keys of issuers: what signs as GitHub, GitLab or a cluster here is a key of ours, given to the bastion as a file.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from bastion.demo.host import SshHost, free_port, wait_for_port
from tests.doc_blocks import Block

ROOT = Path(__file__).resolve().parents[1]
VECTORS = ROOT / "tests" / "vectors" / "tokens"
AUDIENCE = "ssh://bastion.example.com"
EXAMPLE_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
FOLDERS = (
    "/opt/bastion",
    "/etc/bastion",  # and /etc/bastion-client
    "/var/lib/bastion",
    "/etc/ssh",
    "/etc/systemd/system",
    "/srv/orders",
    "/var/run/secrets/bastion",
)
STAND_INS = {
    "systemctl": 'echo "$@" >> {folder}/systemctl.log',
    "journalctl": "cat {folder}/bastion.log",
    "kubectl": 'case "$3" in /openid/v1/jwks) cat {folder}/issuer.jwks;;'
    ' *) echo \'{{"issuer":"https://kubernetes.default.svc.cluster.local"}}\';; esac',
}

_KEEP = 'trap \'declare -px > "$SANDBOX/exports"; pwd > "$SANDBOX/cwd"\' EXIT\n'
_GO_ON = '[ ! -e "$SANDBOX/exports" ] || { . "$SANDBOX/exports"; cd "$(cat "$SANDBOX/cwd")"; }\n'


class Sandbox:
    """One machine that is the bastion, the target and the job's runner at once."""

    def __init__(self, folder: Path, *, target_trusts: str | None = None) -> None:
        """Lay out the folder; `target_trusts` is the user CA's line, None for a target still to be told of it."""
        self.folder = folder
        self.work = folder / "work"
        self.port, self.answers_port = free_port(), free_port()
        self._key = JWK.generate(kty="EC", crv="P-256", use="sig", alg="ES256", kid="documented")
        self._bastion: subprocess.Popen[bytes] | None = None
        self._seen_of_systemctl = 0
        for path in (*FOLDERS, "/etc/ssh/sshd_config.d", "/etc/bastion-client", "/bin", "/work"):
            self.real(path).mkdir(parents=True, exist_ok=True)
        for name, script in STAND_INS.items():
            stand_in = folder / "bin" / name
            stand_in.write_text("#!/bin/sh\n" + script.format(folder=folder) + "\n")
            stand_in.chmod(0o755)
        jwks = {"keys": [json.loads(self._key.export_public())]}
        (folder / "issuer.jwks").write_text(json.dumps(jwks))
        self.host = SshHost(self.real("/etc/ssh"), user_ca=target_trusts or "")
        if target_trusts is None:
            config = self.real("/etc/ssh") / "sshd_config"
            include = f"Include {self.real('/etc/ssh')}/sshd_config.d/*.conf"
            config.write_text(re.sub("TrustedUserCAKeys.*|AcceptEnv.*", include, config.read_text(), count=1))
        else:
            self.host.start()
        for name, text in (("deploy.sh", "echo deployed\n"), ("release.tar.gz", "release 7\n" * 4000)):
            (self.work / name).write_text(text)
        self.environment = {
            "PATH": f"{folder}/bin:{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "SANDBOX": str(folder),
            "LANG": "C.UTF-8",
        }

    def real(self, path: str) -> Path:
        """Return where a path of the page lies in the sandbox."""
        return self.folder / path.lstrip("/")

    def scenery(self) -> dict[str, str]:
        """Return what the page says and what it is here."""
        login = self.host.login
        return {
            **{path: str(self.real(path)) for path in FOLDERS},
            "0.0.0.0:2222": f"127.0.0.1:{self.port}",
            "HostName bastion.example.com\n  Port 2222": f"HostName 127.0.0.1\n  Port {self.port}\n"
            "  HostKeyAlias bastion.example.com",
            "127.0.0.1:8022": f"127.0.0.1:{self.answers_port}",
            "10.0.0.5:22": f"127.0.0.1:{self.host.port}",
            "ssh-keyscan -t ed25519 10.0.0.5": f"ssh-keyscan -p {self.host.port} -t ed25519 127.0.0.1",
            "sshd -t\n": f"sshd -t -f {self.real('/etc/ssh')}/sshd_config\n",
            EXAMPLE_HOST_KEY: self.host.host_key,
            'logins = ["deploy"]': f'logins = ["{login}"]',
            "User deploy\n": f"User {login}\n",
            "deploy@web-1": f"{login}@web-1",
        }

    def translate(self, text: str) -> str:
        """Return the text of a page as it must read here."""
        for there, here in self.scenery().items():
            text = text.replace(there, here)
        keys = f'\\1\njwks_file = "{self.folder}/issuer.jwks"\n'
        return re.sub(r'^(url = "https://[^"]*")\n(?!jwks_file)', keys, text, flags=re.MULTILINE)

    def write(self, block: Block) -> None:
        """Write the file that a block is."""
        assert block.file is not None
        path = self.real(block.file) if block.file.startswith("/") else self.work / block.file
        path.write_text(self.translate(block.text))

    def run(self, script: str, *, status: int, place: str, **environment: str) -> str:
        """Run commands where the last ones left off; return what they printed, fail on another exit status."""
        done = subprocess.run(
            ["bash", "-c", _KEEP + _GO_ON + "set -euo pipefail\n" + self.translate(script)],
            cwd=self.work,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        output = (done.stdout + done.stderr).decode(errors="replace")
        journal = self.folder / "bastion.log"
        tail = journal.read_text(errors="replace")[-1500:] if journal.exists() else ""
        assert done.returncode == status, (
            f"{place}: exit status {done.returncode}\n{script}\n{output}\n{tail}"
        )
        self._obey_systemctl()
        return output

    def token(self, vector: str, **changes: Any) -> str:
        """Return a token of the shape in tests/vectors/tokens, good for some minutes from now."""
        claims = json.loads((VECTORS / f"{vector}.json").read_text())["claims"]
        now = int(time.time())
        claims |= {"iat": now, "nbf": now, "exp": now + 600, "jti": secrets.token_hex(8), "aud": AUDIENCE}
        token = JWT(header={"alg": "ES256", "kid": "documented", "typ": "JWT"}, claims={**claims, **changes})
        token.make_signed_token(self._key)
        return str(token.serialize())

    def serve(self, command: list[str]) -> None:
        """Start the bastion, after ending the one that runs, and wait until it listens."""
        self.stop_bastion()
        journal = self.folder / "bastion.log"
        with journal.open("ab") as log:
            self._bastion = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for_port(self.port, self._bastion, journal)

    def stop_bastion(self) -> None:
        """Stop the bastion, if it runs."""
        if self._bastion is not None:
            self._bastion.send_signal(signal.SIGTERM)
            assert self._bastion.wait(timeout=30) == 0
            self._bastion = None

    def strike(self) -> None:
        """End everything."""
        try:
            self.stop_bastion()
        finally:
            self.host.stop()

    def clone(self) -> None:
        """Put what `pip install .` needs into the work folder; pip is to take packages from here, not the network."""
        for name in ("pyproject.toml", "README.md", "LICENSE", "bastion", "policies", "recorder"):
            source, copy = ROOT / name, self.work / name
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
        self.environment |= {
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's own way to say --no-build-isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def _obey_systemctl(self) -> None:
        """Do what systemd would have done."""
        log = self.folder / "systemctl.log"
        asked = log.read_text().splitlines() if log.exists() else []
        for words in asked[self._seen_of_systemctl :]:
            match words:
                case "reload ssh":
                    self.host.start()
                case "enable --now bastion" | "restart bastion":
                    unit = (self.real("/etc/systemd/system") / "bastion.service").read_text()
                    start = re.search("^ExecStart=(.*)$", unit, re.MULTILINE)
                    assert start is not None
                    self.serve(start[1].split())
                case "daemon-reload":
                    pass
                case _:
                    raise AssertionError(f"no stand-in for systemctl {words}")
        self._seen_of_systemctl = len(asked)


class TokenEndpoint:
    """What a runner of GitHub Actions asks for tokens: GET URL?api-version=2.0&audience=…, bearer REQUEST_TOKEN."""

    def __init__(self, token: str) -> None:
        self.request_token = secrets.token_hex(8)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                right = self.headers["Authorization"] == f"bearer {endpoint.request_token}"
                right = right and query == {"api-version": ["2.0"], "audience": [AUDIENCE]}
                self.send_response(200 if right else 401)
                self.end_headers()
                self.wfile.write(json.dumps({"count": 1, "value": token} if right else {}).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def variables(self) -> dict[str, str]:
        """Return the variables that a job has."""
        port = self._server.server_address[1]
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{port}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
