"""Differ by design: what a plain jump host lets through and the bastion does not, and what it answers itself."""

from __future__ import annotations

import os
import signal
import socket

from bastion.demo.host import free_port
from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import differs
from tests.integration.transparency.way import Way

FORWARDING, LOGIN, TRANSPORT = "Forwarding", "Login", "Transport"


@differs(
    FORWARDING,
    OPENSSH,
    "`-A`, agent forwarding",
    plain="the target can use the client's keys",
    bastion="refused and recorded; the command runs without an agent",
    why="no credential leaves the job's machine (L6)",
)
def agent(plain: Way, bastion: Way) -> None:
    script = "eval $(ssh-agent) >&2; ssh -F ssh_config -A target 'echo agent=${SSH_AUTH_SOCK:+yes}'; ssh-agent -k >&2"
    assert plain.run("sh", "-c", script).stdout == b"agent=yes\n"
    assert bastion.run("sh", "-c", script).stdout == b"agent=\n"


@differs(
    FORWARDING,
    OPENSSH,
    "`-X`, `-Y`, X11 forwarding",
    plain="works, if the target allows it",
    bastion="refused and recorded; the command runs without a display",
    why="a way past the record (T22)",
)
def display(plain: Way, bastion: Way) -> None:
    words = ("-Y", "-o", "XAuthLocation=/bin/true", "permissive", "echo display=${DISPLAY:+yes}")
    through = {"DISPLAY": "127.0.0.1:63"}
    assert bastion.ssh(*words, env=through).stdout == b"display=\n"
    asked = plain.ssh("-v", *words, env=through).stderr
    assert b"Requesting X11 forwarding" in asked
    assert b"X11 forwarding request failed" not in asked
    assert b"X11 forwarding request failed" in bastion.ssh(*words, env=through).stderr


@differs(
    FORWARDING,
    OPENSSH,
    "`-L`, `-D`, `-W`: connections from the target to elsewhere",
    plain="opened from the target, or by the jump host",
    bastion="`administratively prohibited`, recorded; what else runs on the connection goes on",
    why="a way past the record (T22); native tunnels to databases are to come",
)
def local(plain: Way, bastion: Way) -> None:
    for way, expected in ((plain, b"SSH-2.0-"), (bastion, b"")):
        port = free_port()
        forward = f"127.0.0.1:{port}:127.0.0.1:{way.target_port}"
        job = way.start("ssh", "-F", "ssh_config", "-L", forward, "target", "echo up; cat; echo still up")
        assert job.stdout is not None
        assert job.stdout.readline() == b"up\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as through:
            assert through.recv(8) == expected
        assert job.communicate(timeout=20)[0] == b"still up\n"
        done = way.ssh("-W", f"127.0.0.1:{way.target_port}", "target")
        assert done.stdout.startswith(expected)
        assert (b"administratively prohibited: bastion: forwarding is not served" in done.stderr) == (
            way is bastion
        )


@differs(
    FORWARDING,
    OPENSSH,
    "`-R`: connections from the target's network back to the client; Unix sockets",
    plain="opened at the target",
    bastion="refused and recorded; the command runs without it, or not with `ExitOnForwardFailure`",
    why="a way past the record (T22)",
)
def remote(plain: Way, bastion: Way) -> None:
    for way, refused in ((plain, False), (bastion, True)):
        for listen in (str(free_port()), str(way.there / "socket")):
            words = ("-R", f"{listen}:127.0.0.1:9", "target", "echo runs")
            done = way.ssh(*words)
            (way.there / "socket").unlink(missing_ok=True)
            assert (done.stdout, b"forwarding failed for listen" in done.stderr) == (b"runs\n", refused)
            done = way.ssh("-o", "ExitOnForwardFailure=yes", *words)
            assert (done.status != 0) is refused
            (way.there / "socket").unlink(missing_ok=True)


@differs(
    FORWARDING,
    OPENSSH,
    "`SendEnv` of other variables than LANG, LC_*, TERM and BASTION_*",
    plain="all that the target accepts",
    bastion="dropped; their names are recorded",
    why="variables that change what a command does (T26)",
)
def environment(plain: Way, bastion: Way) -> None:
    words = ("-o", "SetEnv=FOO=bar BASH_ENV={there}/evil", "permissive", "echo $FOO $BASH_ENV")
    assert plain.ssh(*words).stdout == b"bar @/there/evil\n"
    assert bastion.ssh(*words).stdout == b"\n"


@differs(
    LOGIN,
    OPENSSH,
    "who logs in at the target",
    plain="the client, with a key, password or certificate that the target takes",
    bastion="the bastion, with a certificate made for the session; the client's opens nothing but the bastion",
    why="no credential for a target is in the job's hands (L6)",
)
def identity(plain: Way, bastion: Way) -> None:
    straight = (
        "-o",
        "ProxyJump=none",
        "-o",
        "HostName=127.0.0.1",
        "-o",
        "PreferredAuthentications=publickey",
    )
    assert plain.ssh(*straight, "target", "true").status == 0
    known = f"UserKnownHostsFile={plain.job}/known_hosts"
    done = bastion.ssh(*straight, "-o", known, "target", "true")
    assert (done.status, b"Permission denied" in done.stderr) == (255, True)


@differs(
    LOGIN,
    OPENSSH,
    "the target's host key",
    plain="the target's own",
    bastion="a host certificate for the target's name; the bastion checks the target's own key",
    why="one `@cert-authority` line instead of a key for each target",
)
def host_key(plain: Way, bastion: Way) -> None:
    checked = rb"Server host key: ssh-ed25519 SHA256"
    assert checked in plain.ssh("-v", "target", "true").stderr
    certified = bastion.ssh("-v", "target", "true").stderr
    assert b"Server host certificate: ssh-ed25519-cert-v01@openssh.com" in certified


@differs(
    LOGIN,
    OPENSSH,
    "the target's login banner (`Banner` in its sshd_config)",
    plain="shown on stderr",
    bastion="not passed on",
    why="it comes before the bastion has let anybody in; the target sends it to the bastion",
)
def banner(plain: Way, bastion: Way) -> None:
    assert plain.ssh("permissive", "true").stderr == b"Authorized use only\n"
    assert bastion.ssh("permissive", "true").stderr == b""


@differs(
    TRANSPORT,
    OPENSSH,
    "`-C`, compression",
    plain="negotiated with the target",
    bastion="asked for, not used: the same bytes arrive",
    why="length of compressed secrets tells of them; the recording compresses for itself",
)
def compression(plain: Way, bastion: Way) -> None:
    for way, name in ((plain, b"zlib@openssh.com"), (bastion, b"none")):
        done = way.ssh("-C", "-v", "target", "echo same")
        assert done.stdout == b"same\n"
        last = [line for line in done.stderr.splitlines() if b"kex: server->client cipher" in line][-1]
        assert last.rstrip().endswith(b"compression: " + name)


@differs(
    TRANSPORT,
    OPENSSH,
    "`ServerAliveInterval` against a target that hangs",
    plain="the client gives up after `ServerAliveCountMax`",
    bastion="the bastion answers the client, and gives up the target itself after 90 s",
    why="there are two connections, each with keep-alives of its own",
)
def target_hangs(plain: Way, bastion: Way) -> None:
    options = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1")
    command = "echo $PPID >{there}/pid.new; mv {there}/pid.new {there}/pid; read x; echo back"
    jobs = {
        way: way.start("ssh", "-F", "ssh_config", *options, "target", command) for way in (plain, bastion)
    }
    for way in jobs:
        way.world.until((way.there / "pid").exists)
    stopped = [int((way.there / "pid").read_text()) for way in jobs]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        assert jobs[plain].wait(timeout=30) == 255
        assert jobs[bastion].poll() is None
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)
    assert jobs[bastion].communicate(b"\n", timeout=30)[0] == b"back\n"
