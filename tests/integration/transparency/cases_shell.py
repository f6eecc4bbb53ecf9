"""Shells without a terminal: scripts on stdin, and long sessions as editors hold them."""

from __future__ import annotations

import subprocess

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import case
from tests.integration.transparency.way import Way, until

GROUP = "Shells"


@case(GROUP, OPENSSH, "`ssh host` with a script on stdin: the login shell runs it")
def piped(way: Way) -> None:
    script = b"shopt -q login_shell && echo login\ncd {there} && pwd\n"
    script += b"echo err >&2\nread x\nfor stdin\necho $x\nexit 7\n"
    done = way.ssh("target", stdin=way.filled(script))
    assert (done.status, b"login\n@/there\nfor stdin\n"[:17] in done.stdout) == (7, True)
    assert way.ssh("-T", "target", stdin=b"").status == 0
    assert way.ssh("-T", "target", stdin=b"no-such-program\nfalse\n").status == 1


@case(GROUP, OPENSSH, "`ssh host bash -s -- ARGUMENTS` with a script on stdin")
def arguments(way: Way) -> None:
    done = way.ssh(
        "target", "bash", "-es", "--", "one", "'two three'", stdin=b'echo $# "$2"\nfalse\necho no\n'
    )
    assert (done.status, done.stdout) == (1, b"2 two three\n")


@case(
    GROUP,
    OPENSSH,
    "`ssh -T host bash` as editors use it: a server started, asked and stopped over one session",
)
def editor(way: Way) -> None:
    job = way.start("ssh", "-F", "ssh_config", "-T", "target", "bash", stderr=subprocess.STDOUT, bufsize=0)
    assert job.stdin is not None
    assert job.stdout is not None
    reader = job.stdout

    def ask(script: str) -> None:
        """Send a script and read its answer up to a mark, as VS Code does."""
        assert job.stdin is not None
        job.stdin.write(way.filled(script) + b"\necho MARK $?\n")
        answer = b""
        while not answer.endswith(b"MARK 0\n"):
            line = reader.read(65536)
            assert line, answer[-500:]
            answer += line
        way.saw(script[:60], way.plainly(answer[-2000:]))
        way.saw("length", len(answer))

    ask("cd {there}; uname -s; umask 027; export ANSWER=42")
    ask(
        "cat >server.sh <<'END'\n"
        '{ while read -r x; do echo "$ANSWER: $x"; done; echo stopped; } <asked >answered\nEND'
    )
    ask("mkfifo asked answered; nohup setsid bash server.sh </dev/null >log 2>&1 & disown; echo started")
    ask('exec 4>asked 5<answered; echo hello >&4; read -u 5 answer; echo "$answer"')
    ask("seq 400000")
    ask("sleep 0.5 & wait $!; (exit 3) || echo three")
    ask("base64 -d >binary <<'END'\n" + "AAH/gA0KCg==\n" * 20_000 + "END\nwc -c binary")
    ask('exec 4>&-; read -u 5 answer; echo "$answer"; rm asked answered')
    job.stdin.write(b"exit 9\n")
    job.stdin.close()
    assert job.wait(timeout=30) == 9
    way.saw("status", job.returncode)


@case(GROUP, OPENSSH, "background jobs: one that holds stdout keeps the session open, a daemon outlives it")
def background(way: Way) -> None:
    done = way.ssh("target", "(sleep 0.7; echo late; echo late >&2) & echo first; exit 4")
    assert (done.status, done.stdout, done.stderr) == (4, b"first\nlate\n", b"late\n")
    daemon = f"setsid sh -c '{until('[ -e {there}/go ]')}; echo alive >{{there}}/daemon'"
    done = way.ssh("target", f"{daemon} </dev/null >/dev/null 2>&1 & echo up; exit 5")
    assert (done.status, done.stdout) == (5, b"up\n")
    (way.there / "go").touch()
    way.world.until((way.there / "daemon").exists)
