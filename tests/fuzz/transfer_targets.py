"""Feed the taps on file transfers from both sides, and the commands and names that lead to them.

Source  OpenSSH PROTOCOL (sftp); OpenSSH scp.c; docs/bots.md
"""

from __future__ import annotations

import re
import shlex

from bastion.requests import Request, parse_direct
from bastion.transfer import ScpTap, SftpTap, Side, Tap, parse_scp_command
from bastion.transfer.scp import HELD_BYTES_MAX
from recorder.events import Kind
from tests.fuzz import mutation
from tests.fuzz.mutation import Part, pack, unpack
from tests.fuzz.target import Target, require
from tests.unit.bastion import transfer_talk as say
from tests.unit.bastion.transfer_talk import Played, Talk, merged, play, split

SIDES: tuple[Side, Side] = ("client", "target")
CUTS = [1, 5, 2, 11]
COMMANDS = (
    b"scp -t x",
    b"scp -r -f /srv/data",
    b"scp -p -d -t -- -x",
    b"scp -f ~deploy/a",
    b"scp -t x; sh",
    b"scp -t $(id)",
    b"scp  -t  a",
    b"scp -tf x",
    b"scp -t a b",
    b"scp -v -t 'a b'",
    b"scp -t ~/a{b,c}",
    b"scp -t x\n",
    b"scp -t -x",
    b"/usr/bin/scp -t x",
)
NAMES = (
    b"shell:deploy@web-1",
    b"sftp:web-1",
    b"console:orders-db",
    b"shell:a@b@web-1",
    b":x",
    b"shell:",
    b"shell:@web-1",
    b"kubectl-exec:app@api-0.payments.prod",
    b"shell:web\x001",
    b"shell:w\xc3\xa9b",
    b"shell:deploy@web-1/path",
)
WORDS = (
    "-t",
    "-f",
    "--",
    "~",
    "/",
    "..",
    "$(x)",
    "`x`",
    ";",
    "&&",
    "\\",
    "'",
    '"',
    "*",
    "{a,b}",
    "@",
    ":",
    "\t",
    "=",
)
UPLOAD, DOWNLOAD = parse_scp_command(b"scp -r -p -t x"), parse_scp_command(b"scp -f y")
assert UPLOAD is not None and DOWNLOAD is not None  # noqa: PT018


def _packed(talk: Talk) -> bytes:
    return pack([(SIDES.index(side), data) for side, data in talk])


def _talk(data: bytes) -> Talk:
    return [(SIDES[kind % 2], body) for kind, body in unpack(data) if body]


def _sftp_requests() -> list[bytes]:
    u32, u64, string, packet = say.u32, say.u64, say.string, say.packet
    paths = [packet(kind, u32(3), string(b"/srv/x")) for kind in (7, 11, 13, 15, 16, 17, 19)]
    pairs = [packet(kind, u32(4), string(b"a"), string(b"b")) for kind in (18, 20)]
    extended = [
        packet(200, u32(5), string(name), string(b"a"), string(b"b"))
        for name in (b"posix-rename@openssh.com", b"hardlink@openssh.com", b"statvfs@openssh.com", b"x@y")
    ]
    copies = [packet(200, u32(5), string(b"copy-data"), string(b"h"), u64(0), u64(9), string(b"k"), u64(1))]
    attributes = [packet(kind, u32(6), string(b"h"), u32(0xF), u64(1), u32(0) * 5) for kind in (9, 10, 14)]
    return [
        *paths,
        *pairs,
        *extended,
        *copies,
        *attributes,
        say.read(7, b"h", 0, 32768),
        say.write(8, b"h", 4, b"abcd"),
    ]


def _sftp_seeds() -> list[bytes]:
    begun: Talk = [*say.GREETING, *say.opened(b"f", b"h", 3, 9)]
    seeds = [_packed(begun), _packed([*begun, *say.closed(b"h")])]
    for number, request in enumerate(_sftp_requests()):
        answer = request[5:9]
        answers = [
            say.packet(101, answer, say.u32(0), say.string(b""), say.string(b"")),
            say.packet(103, answer, say.string(b"data")),
        ]
        seeds.append(
            _packed([*begun, ("client", request), ("target", answers[number % 2]), *say.closed(b"h")])
        )
    return [*seeds, _packed([("client", say.u32(0xFFFFFFFF) + b"\3")]), _packed([("client", say.u32(0))])]


def sftp(data: bytes) -> None:
    """Play a conversation over sftp, in one piece and in many: the same must come of it."""
    _same(SftpTap, _talk(data))


SCP_LINES = (
    b"T1 0 2 0\n",
    b"C0644 5 a\n",
    b"hello\0",
    b"C0644 0 b\n",
    b"\0",
    b"D0755 0 d\n",
    b"E\n",
    b"\1warn\n",
    b"C0644 99999999999999999999 x\n",
    b"C0644 1 ../x\n",
)


def _scp_seeds() -> list[bytes]:
    turns = [turn for line in SCP_LINES[:8] for turn in (("client", line), ("target", b"\0"))]
    downloads = [turn for line in SCP_LINES[:8] for turn in (("target", line), ("client", b"\0"))]
    begun: Talk = [("target", b"\0")]
    seeds = [_packed([*begun, *turns]), b"\xff" + _packed([("client", b"\0"), *downloads])]  # type: ignore[list-item]
    return [*seeds, *(_packed([*begun, ("client", line), ("target", b"\0")]) for line in SCP_LINES)]


def scp(data: bytes) -> None:
    """Play a conversation over the scp protocol, in one piece and in many."""
    command = DOWNLOAD if data[:1] == b"\xff" else UPLOAD
    _same(lambda: ScpTap(command), _talk(data[1:] if command is DOWNLOAD else data))


def _same(tap: object, talk: Talk) -> None:
    assert callable(tap)
    made: Tap = tap()
    whole = play(made, talk)
    _prefix(whole, talk)
    require(
        all(len(event.data) <= HELD_BYTES_MAX or event.kind is not Kind.FILE for event in whole.events),
        "holds",
    )
    recorded = len(whole.protocol(Kind.CLIENT_PROTOCOL)) + len(whole.protocol(Kind.TARGET_PROTOCOL))
    payload = sum(close["length"] for close in whole.files("close"))
    require(
        len(whole.to_target) + len(whole.to_client) == recorded + payload,
        "bytes passed that no event accounts for",
    )
    pieces = play(tap(), split(talk, CUTS))
    require(pieces.fault == whole.fault, f"cut up, the fault is another: {pieces.fault!r} {whole.fault!r}")
    require(
        (pieces.to_client, pieces.to_target) == (whole.to_client, whole.to_target), "cut up, other bytes pass"
    )
    require(_released(pieces) == _released(whole), "cut up, another meaning")


def _prefix(it: Played, talk: Talk) -> None:
    for side, out in (("client", it.to_target), ("target", it.to_client)):
        said = b"".join(data for who, data in talk if who == side)
        require(said.startswith(out), "other bytes came out than went in")


def _released(it: Played) -> list[tuple[object, bytes, dict[str, object]]]:
    return [event for event in merged(it.events) if "released" not in event[2]]


def names(data: bytes) -> None:
    """Read a command and a subsystem's name; what has a meaning has it for a shell and in its own spelling too."""
    command = parse_scp_command(data)
    if command is not None:
        words = shlex.split(data.decode("ascii"))
        require(words[0] == "scp" and words[-1] == command.path, "a shell reads another path")
        require(not re.search(rb"[;&|<>$`\\\"'(){}\[\]*?!#\n\0]", data), "a shell would do more than that")
        flags = "".join(word for word in words[1:-1] if word != "--")
        require(
            ("t" in flags) == command.upload and ("f" in flags) != command.upload, "the direction differs"
        )
        require("--" in words[1:-1] or not command.path.startswith("-"), "a path that is a flag")
    direct = parse_direct(data)
    if direct is not None:
        login = f"{direct.login}@" if direct.login else ""
        require(f"{direct.kind}:{login}{direct.target}".encode() == data, "spelled in another way")
        require("@" not in direct.target and data.decode().isprintable(), "a target that acts")
    for kind in ("exec", "shell", "subsystem"):
        request = Request(kind=kind, data=data)
        request.detail()
        require(
            (request.scp is not None) == (kind == "exec" and command is not None),
            "two readings of one command",
        )


SPARE: tuple[Part, ...] = (*((0, line) for line in SCP_LINES), (1, b"\0"), (1, b"\1no\n"))
SFTP = Target(
    name="sftp",
    feeds="sftp between a bot and a target, both of them hostile; cut up, the same must come of it",
    run=sftp,
    seeds=_sftp_seeds,
    mutate=mutation.parts(mutation.strings, (0, 1), tuple((0, request) for request in _sftp_requests())),
)
SCP = Target(
    name="scp",
    feeds="the scp protocol between a bot and a target, both of them hostile; cut up, the same must come of it",
    run=scp,
    seeds=_scp_seeds,
    mutate=mutation.parts(lambda data, _, havoc: havoc(data or b"\0"), (0, 1), SPARE),
)
NAMES_TARGET = Target(
    name="names",
    feeds="commands of exec requests and names of subsystems; what is taken for scp must be just that to a shell",
    run=names,
    seeds=lambda: [*COMMANDS, *NAMES],
    mutate=mutation.lines(WORDS),
)
