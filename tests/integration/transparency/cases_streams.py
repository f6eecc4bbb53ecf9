"""Streams: end of file in each direction, readers that go away, order, size, compression, new session keys."""

from __future__ import annotations

import random
import subprocess

from tests.integration.transparency.clients import OPENSSH
from tests.integration.transparency.matrix import Client, case
from tests.integration.transparency.way import Way

GROUP = "Streams"
TAR = Client(name="tar", ask=("tar", "--version"), version=r"tar\) (\S+)")
MEGABYTE = 1 << 20


def noise(size_bytes: int, seed: int = 7) -> bytes:
    """Return bytes that look random and are the same each time."""
    return random.Random(seed).randbytes(size_bytes)


@case(GROUP, OPENSSH, "`yes | head -1` ends, and so does a command that prints only now and then")
def enough(way: Way) -> None:
    for command in ("yes", "while sleep 0.1; do echo again; done"):
        done = way.run("sh", "-c", f"ssh -F ssh_config target '{command}' 2>/dev/null | head -1")
        assert done.stdout.count(b"\n") == 1


@case(GROUP, OPENSSH, "half-close: output goes on after the end of input")
def end_of_input(way: Way) -> None:
    done = way.each("cat >/dev/null; sleep 0.3; echo later; exit 4", "sort; echo end >&2", stdin=b"b\na\n")
    assert [(it.status, it.stdout) for it in done] == [(4, b"later\n"), (0, b"a\nb\n")]


@case(GROUP, OPENSSH, "half-close: input goes on after the end of output")
def end_of_output(way: Way) -> None:
    command = "echo first; exec >&- 2>&-; touch {there}/closed; cat >{there}/rest; exit 5"
    job = way.start("ssh", "-F", "ssh_config", "target", command)
    way.world.until((way.there / "closed").exists)
    way.saw("ended", (job.communicate(noise(300_000), timeout=30), job.returncode))
    assert job.returncode == 5
    assert (way.there / "rest").read_bytes() == noise(300_000)


@case(GROUP, OPENSSH, "a command that does not read its input, and one that stops reading")
def unread(way: Way) -> None:
    size = 5 * MEGABYTE
    done = way.ssh("target", "exec <&-; sleep 0.2; echo closed; exit 6", stdin=noise(size))
    assert (done.status, done.stdout) == (6, b"closed\n")
    assert way.ssh("target", "head -c 10 | wc -c; exit 7", stdin=noise(size)).status == 7


@case(GROUP, OPENSSH, "stdout and stderr: each complete, and in the order in which they were written")
def order(way: Way) -> None:
    script = "for i in 1 2 3 4 5; do echo out $i; read x; echo err $i >&2; read x; done"
    job = way.start("ssh", "-F", "ssh_config", "target", script, stderr=subprocess.STDOUT, bufsize=0)
    assert job.stdin is not None
    assert job.stdout is not None
    lines = []
    for _ in range(10):
        lines.append(job.stdout.readline())
        job.stdin.write(b"\n")  # only now the next one is written
    way.saw("order", (lines, job.communicate(timeout=30), job.returncode))
    assert lines == [f"{kind} {number}\n".encode() for number in range(1, 6) for kind in ("out", "err")]
    both = "for i in $(seq 20000); do echo out $i; echo err $i >&2; done"
    done = way.ssh("target", both)
    assert (done.stdout.count(b"\n"), done.stderr.count(b"\n")) == (20_000, 20_000)
    merged = way.ssh("target", f"({both}) 2>&1")
    assert merged.stdout.startswith(b"out 1\nerr 1\nout 2\nerr 2\n")


@case(GROUP, OPENSSH, "100 MB up and 100 MB down")
def large(way: Way) -> None:
    (way.here / "up").write_bytes(noise(100 * MEGABYTE))
    with (way.here / "up").open("rb") as up, (way.here / "down").open("wb") as down:
        both = [
            way.start("ssh", "-F", "ssh_config", "target", "cat >{there}/up", stdin=up),
            way.start("ssh", "-F", "ssh_config", "target", "cat {here}/up", stdout=down),
        ]
        for job in both:
            assert (job.communicate(timeout=120)[1], job.returncode) == (b"", 0)
    sizes = {path: about[4] for path, about in way.files().items()}
    assert sizes["here/up"] == sizes["here/down"] == sizes["there/up"]


@case(GROUP, OPENSSH, "compression (`-C`)")
def compression(way: Way) -> None:
    text = b"again and again the same line\n" * 50_000
    for words in (("-C", "target"), ("-o", "Compression=yes", "-C", "target")):
        assert way.ssh(*words, "cat", stdin=text).stdout == text


@case(GROUP, OPENSSH, "`RekeyLimit=1M` at the client, 24 MB each way at once")
def rekeying_client(way: Way) -> None:
    data = noise(24 * MEGABYTE)
    assert way.ssh("-o", "RekeyLimit=1M", "target", "cat", stdin=data).stdout == data


@case(GROUP, OPENSSH, "`RekeyLimit 1M` at the target, and `RekeyLimit=default 1s` at the client")
def rekeying_target(way: Way) -> None:
    data = noise(12 * MEGABYTE)
    assert way.ssh("rekeying", "cat", stdin=data).stdout == data
    slow = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done"
    assert way.ssh("-o", "RekeyLimit=default 1", "target", slow).stdout == b"1\n2\n3\n4\n5\n6\n"


@case(GROUP, TAR, "`tar c | ssh … tar x` and back: trees with links, modes and times")
def tar(way: Way) -> None:
    tree = way.here / "tree"
    way.plant(tree)
    up = way.run(
        "bash",
        "-o",
        "pipefail",
        "-c",
        "tar -cf - -C here tree | ssh -F ssh_config target 'tar -xpf - -C {there}'",
    )
    down = (
        "mkdir here/back && ssh -F ssh_config target 'tar -czf - -C {there} tree' | tar -xzpf - -C here/back"
    )
    assert (up.status, way.run("bash", "-o", "pipefail", "-c", down).status) == (0, 0)
    assert way.files_in(tree) == way.files_in(way.there / "tree") == way.files_in(way.here / "back" / "tree")
