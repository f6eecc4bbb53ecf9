"""Say whether a shell reads a statement as bash does, by whose grammar it is parsed.

In      the name or path of a shell; the bytes of a statement
Out     why it may read it otherwise; empty if it reads it alike
Source  bash(1), SHELL GRAMMAR, EXPANSION and REDIRECTION; POSIX.1-2017 XCU section 2; dash(1)

For sh and dash: whatever POSIX leaves open and bash gives a meaning to is refused, wherever it stands (quoted as well:
telling would take a parser of its own).
"""

from __future__ import annotations

import re

# What bash gives a meaning to and dash does not, or another one.
_BASH_ALONE = re.compile(
    rb"\$'|\$\"|\$\[|\[\[|(?<!\$)\(\(|<\(|>\(|&>|>&[^0-9-]|\|&|<<<|;&|;;&|\+\(|@\(|!\(|\?\(|\*\("
    rb"|=\(|\{[^{}\n]*(?:,|\.\.)[^{}\n]*\}|\$\{!|\$\{[A-Za-z0-9_@*#?-]+(?:\[|:[^-=?+]|[/^,@])"
    rb"|\$\{[@*]|(?:^|[\s;&|(!])(?:function|select|coproc|time|source|declare|typeset|let|shopt|mapfile|readarray|local)"
    rb"(?=[\s;&|)]|$)|\{[A-Za-z_][A-Za-z0-9_]*\}[<>]|\+="
)


def foreign(shell: str, source: bytes) -> str:
    """Return why this shell may read the statement otherwise than bash."""
    name = shell.rpartition("/")[2]
    if name == "bash":
        return ""
    if name not in ("sh", "dash"):
        return f"the shell is {name}, which is not known to read it as bash does"
    found = _BASH_ALONE.search(source)
    if found is None:
        return ""
    shown = found[0].strip().decode("latin-1")
    return f"the shell is {name}, which may read {shown!r} otherwise than bash"
