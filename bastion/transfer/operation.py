"""Name what a file transfer does as facts that a policy judges: one operation, on one or two paths.

In      what taps read of sftp, scp, rsync and git
Out     Facts with `operation`, `reads` and `writes`
Source  docs/gate.md

Paths are those of the wire, made plain as far as text goes: relative ones begin in the home folder, as servers have
it. One with `..` in it may lead elsewhere by way of a symbolic link, so it is not known where (`computed`).
"""

from __future__ import annotations

import posixpath

from bastion.transfer.sftp_request import Request
from bastion.transfer.sftp_wire import PacketType
from bastion.transfer.shell_words import simple_command
from bastion.transfer.stream_command import StreamCommand
from policies.facts import Facts, Flag, Touch, Word

BELOW = "/**/*"  # beside a folder's own path: whatever may lie in it

_BY_PATH = {
    "list": ("list", "r"),
    "remove": ("delete", "w"),
    "rmdir": ("rmdir", "w"),
    "mkdir": ("mkdir", "w"),
    "setstat": ("setstat", "w"),
    "lsetstat": ("setstat", "w"),
    "fsetstat": ("setstat", "w"),
    "rename": ("rename", "b"),
    "posix-rename": ("rename", "b"),
    "symlink": ("link", "b"),
    "hardlink": ("link", "b"),
}
_SEEN_BY_PATH = frozenset({PacketType.STAT, PacketType.LSTAT, PacketType.READLINK})


def sftp_facts(request: Request, path: str) -> list[Facts]:
    """Return what a request does, as one operation or two; `path` is that of its handle or its own."""
    detail = request.detail
    if request.type in _SEEN_BY_PATH:
        return [_facts("stat", path, reads=[path])]
    if detail is None:
        return []
    op = str(detail.get("op"))
    if op == "open":
        flags = set(detail["flags"])
        found = []
        if "read" in flags:
            found.append(_facts("download", path, reads=[path]))
        if flags - {"read"} or not flags:
            found.append(_facts("upload", path, writes=[path]))
        return found
    if op in _BY_PATH:
        operation, mode = _BY_PATH[op]
        both = [path, str(detail["to"])] if mode == "b" else [path]
        reads = [path] if mode in "rb" else []
        return [_facts(operation, " ".join(both), reads=reads, writes=[] if mode == "r" else both)]
    if op == "copy-data":  # both files are open, and were judged as that
        return []
    why = f"the sftp extension {detail.get('name', op)!r} is not known"
    return [
        Facts(
            statement=f"extended {detail.get('name', op)}",
            language="files",
            flags=frozenset({Flag.UNPARSED}),
            why={Flag.UNPARSED: why},
        )
    ]


def scp_facts(upload: bool, paths: dict[str, str], *, folder: bool) -> Facts:
    """Return what a record of an scp stream does; where two paths are possible it may be either."""
    places = list(paths.values())
    if not upload:
        return _facts("list" if folder else "download", places[0], reads=places)
    return _facts("mkdir" if folder else "upload", places[0], writes=places)


def stream_facts(stream: StreamCommand, command: bytes) -> Facts:
    """Return what an rsync or git server does: all that lies below its paths."""
    text = command.decode("utf-8", "surrogateescape")
    words = [word.text for word in simple_command(command) or []]
    if stream.program == "rsync":
        paths = words[words.index(".") + 1 :] or ["."]
        sends = "--sender" in words
    else:
        paths, sends = words[-1:], not stream.program.endswith("receive-pack")
    touches = [place for path in paths for place in (path, posixpath.join(path, BELOW.lstrip("/")))]
    if sends:
        return _facts("download", text, reads=touches, whole=True)
    # What a client may ask of it: to delete, to read what it compares with.
    return _facts("upload", text, reads=touches, writes=touches, whole=True)


def place(path: str) -> Word:
    """Return a path of the wire as a word that rules match."""
    if path.startswith("~") and not path.startswith("~/") and path != "~":
        return Word(path, "computed")
    if ".." in path.split("/"):
        return Word(path, "computed")
    plain = posixpath.normpath(path)
    if plain.startswith("//"):
        plain = plain[1:]
    if plain == "." or plain == "~":
        return Word("~")
    return Word(plain if plain.startswith(("/", "~/")) else f"~/{plain}")


def _facts(
    operation: str,
    what: str,
    *,
    reads: list[str] | tuple[str, ...] = (),
    writes: list[str] | tuple[str, ...] = (),
    whole: bool = False,
) -> Facts:
    return Facts(
        statement=what if whole else f"{operation} {what}",
        language="files",
        operation=operation,
        reads=tuple(Touch(place(path)) for path in reads),
        writes=tuple(Touch(place(path)) for path in writes),
    )
