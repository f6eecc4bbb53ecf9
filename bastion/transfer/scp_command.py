"""Tell the commands that are an scp server and nothing else.

In      the bytes of an exec request
Out     ScpCommand, or None: then the command is a plain exec and all its bytes are recorded
Source  OpenSSH scp.c: the command that `scp -O` sends
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Words that every shell takes as they stand: no quotes, globs, substitutions, braces or controls; a tilde
# only where it names a home; "=" and "%" not first (zsh and fish expand them); "-" first only after "--".
_COMMAND = re.compile(
    rb"scp"
    rb"(?P<flags>(?: +-[rpvdqtf]+)+)"
    rb"(?P<end> +--)?"
    rb" +(?P<path>~(?:[A-Za-z_][A-Za-z0-9_.-]*)?(?:/[A-Za-z0-9_./@%+:,=-]*)?"
    rb"|[A-Za-z0-9_./@+:,-][A-Za-z0-9_./@%+:,=-]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScpCommand:
    """An scp server: `upload` for -t (the bot sends), else -f; the other flags by what they mean."""

    upload: bool
    path: str
    recursive: bool = False
    times: bool = False
    directory: bool = False


def parse_scp_command(command: bytes) -> ScpCommand | None:
    """Return the scp server that this command starts; None unless every shell would read it the same way."""
    match = _COMMAND.fullmatch(command)
    if match is None:
        return None
    flags, path = match["flags"], match["path"]
    if flags.count(b"t") + flags.count(b"f") != 1:
        return None
    if path.startswith(b"-") and match["end"] is None:
        return None
    return ScpCommand(
        upload=b"t" in flags,
        path=path.decode("ascii"),
        recursive=b"r" in flags,
        times=b"p" in flags,
        directory=b"d" in flags,
    )
