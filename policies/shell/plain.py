"""Know which code of sed, vi, ed and SQL clients surely starts no program and names no file.

In      the text of the code
Out     whether it is plain; anything that is not known is not
Source  sed(1), vim(1) and its :help, ed(1), psql(1), mysql(1), sqlite3(1), gawk(1)
"""

from __future__ import annotations

import re

_LONGEST = 20_000  # characters that are looked through

_SED_PLACE = re.compile(r"\s*(?:[+~]?\d+(?:~\d+)?|\$)?")
_SED_FLAGS = re.compile(r"[gpiImM\d]*")
_SED_LABEL = re.compile(r"[ \t]*[^;}\n]*")
_SED_BARE = frozenset("=dDgGhHnNpPxz")
_SED_NUMBERED = frozenset("qQlL")

_SQL = re.compile(
    r"\\|\bedit\b\W{0,9}\(|load_ext|writefile|readfile|fsdir|\bsystem\b|lo_(?:import|export)|pg_(?:read|write|ls)|load_file"
    r"|\binto\b\s{1,99}(?:out|dump)file|sys_e|(?:^|[;\n])[ \t]*(?:source|edit|pager|tee)\b"
    r"|(?:^|\n)[ \t]*\.(?:sh|sy|lo|ex[ec]|on|rea|(?:o|imp)[^\n|]{0,999}\|)",
    re.IGNORECASE,
)
_COPY, _PROGRAM = re.compile(r"(?i)\bcopy\b"), re.compile(r"(?i)\bprogram\b")

_EX_PART = re.compile(r"[|\n\r]")
_EX = re.compile(
    r"(?:sil(?:ent)?!?[ \t]+)?[%.$\d,;]*(?:"
    r"(?:w|wq|wqa|wqall|q|qa|qall|x|xa|xall|wa|wall|e|d|de|delete|j|join|noh|nohlsearch|u|redo|startinsert|p|print)?!?"
    r"|s(?P<mark>[/#,@!])(?:\\.|(?!(?P=mark))[^\\])*(?P=mark)(?:\\[^=]|(?!(?P=mark))[^\\])*(?:(?P=mark)[&cegiInp#lr]*)?"
    r"|[gv]!?/(?:\\.|[^/\\])*/(?:d|p)?"
    r"|[/?][^|]*"
    r"|set?[ \t]+(?:no|inv)?(?:nu|number|rnu|ic|ignorecase|paste|bomb|eol|et|expandtab|list|ro|hls|hlsearch|wrap|ai)!?"
    r"|set?[ \t]+(?:ff|fileformat|fenc|fileencoding|ts|tabstop|sw|shiftwidth|ft|filetype|enc|encoding)=[\w-]+"
    r"|syn(?:tax)?[ \t]+(?:on|off))"
)


def sed(text: str) -> bool:
    """Say whether no command of a sed script runs a program or names a file."""
    at = 0
    while at < len(text) and len(text) < _LONGEST:
        if text[at] in " \t\n;{}":
            at += 1
            continue
        after = _sed_command(text, at)
        if after is None:
            return False
        at = after
    return at >= len(text)


def _sed_command(text: str, at: int) -> int | None:
    """Return where a command ends, with its addresses; None if it is not plain."""
    for _ in range(2):
        end = _sed_address(text, at)
        if end is None:
            return None
        at = end
        if text[at : at + 1] != ",":
            break
        at += 1
    while text[at : at + 1] in (" ", "\t", "!"):
        at += 1
    letter = text[at : at + 1]
    at += 1
    if letter == "{" or letter in _SED_BARE:
        return at
    if letter in _SED_NUMBERED:
        while text[at : at + 1].isdigit() or text[at : at + 1] in (" ", "\t"):
            at += 1
        return at
    if letter in ("b", "t", "T", ":"):
        return _past(_SED_LABEL, text, at)
    if letter in ("a", "i", "c"):
        return _sed_lines(text, at)
    if letter in ("s", "y"):
        parts = _delimited(text, at, 2)
        if parts is None or letter == "y":
            return parts
        end = _past(_SED_FLAGS, text, parts)
        return end if text[end : end + 1] in ("", " ", "\t", "\n", ";", "}", "#") else None
    if letter == "#":
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    return None


def _sed_address(text: str, at: int) -> int | None:
    at = _past(_SED_PLACE, text, at)
    if text[at : at + 1] == "/":
        end = _delimited(text, at, 1)
    elif text[at : at + 1] == "\\":
        end = _delimited(text, at + 1, 1)
    else:
        return at
    while end is not None and text[end : end + 1] in ("I", "M"):
        end += 1
    return end


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return the end of what a pattern matches at a place, which may be nothing."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _delimited(text: str, at: int, parts: int) -> int | None:
    """Return what follows so many parts that the character at a place ends; None if one has no end."""
    mark = text[at : at + 1]
    if mark in ("", "\n", "\\"):
        return None
    at += 1
    while parts and at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == mark:
            parts -= 1
        at += 1
    return None if parts else at


def _sed_lines(text: str, at: int) -> int:
    """Return where the text of a, i or c ends: at a line end that no backslash stands before."""
    while at < len(text) and text[at] != "\n":
        at += 2 if text[at] == "\\" else 1
    return at


def sql(text: str) -> bool:
    """Say whether no statement runs a program, or reads or writes a file of the client or server."""
    return (
        len(text) < _LONGEST and not _SQL.search(text) and not (_COPY.search(text) and _PROGRAM.search(text))
    )


def ex(text: str) -> bool:
    """Say whether the Ex commands of vi are all known, and start nothing."""
    if len(text) >= _LONGEST or "\\=" in text:
        return False
    return all(_EX.fullmatch(part.strip(" \t:")) for part in _EX_PART.split(text))


def ed(text: str) -> bool:
    """Say whether no command of ed starts a program: none does without an exclamation mark."""
    return "!" not in text


def awk(text: str) -> bool:
    """Say whether an awk program starts nothing, and names no file."""
    if len(text) >= _LONGEST:
        return False
    bare = re.sub(r'"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\\n])*/', '""', text)
    bare = re.sub(r"\|\||[<>]=|>\s{0,9}[\d$]", " ", bare)
    return not re.search(r"\bsystem\b|\||\bgetline\b|>|@|/inet", bare)
