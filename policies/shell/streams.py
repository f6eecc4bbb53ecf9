"""Know which programs read their standard input, and what a few write to their output.

In      the words of a command; the text that it reads, if that is known
Out     whether it reads; what it writes, if that is certain
Source  the manuals of the programs that are named; echo and printf of bash(1)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from policies.facts import Word
from policies.shell.code import CODE
from policies.shell.filters import reads_no_file
from policies.shell.options import Takes, given
from policies.shell.started import SSH

# Programs that read the channel's input if they are given no file, and nothing else is at their stdin.
_READS = frozenset(
    [
        "cat",
        "tac",
        "nl",
        "head",
        "tail",
        "less",
        "more",
        "tee",
        "sort",
        "uniq",
        "wc",
        "cut",
        "tr",
        "sed",
        "awk",
        "gawk",
        "mawk",
        "grep",
        "egrep",
        "fgrep",
        "rev",
        "fold",
        "fmt",
        "column",
        "paste",
        "base64",
        "base32",
        "xxd",
        "od",
        "hexdump",
        "md5sum",
        "sha1sum",
        "sha256sum",
        "sha512sum",
        "cksum",
        "gzip",
        "gunzip",
        "zcat",
        "bzip2",
        "xz",
        "zstd",
        "tar",
        "cpio",
        "dd",
        "xargs",
        "parallel",
        "patch",
        "bc",
        "dc",
        "ed",
        "ex",
        "mail",
        "mailx",
        "sendmail",
        "psql",
        "mysql",
        "mariadb",
        "sqlite3",
        "redis-cli",
        "mongo",
        "mongosh",
        "crontab",
        "at",
        "batch",
        "passwd",
        "chpasswd",
        "nc",
        "ncat",
        "netcat",
        "socat",
        "telnet",
        "ftp",
        "sftp",
        "jq",
        "yq",
        "sponge",
        "pv",
        "split",
        "iconv",
        "openssl",
        "gpg",
        "git-shell",
    ]
)
_ALWAYS_READS = frozenset(
    [
        "read",
        "mapfile",
        "readarray",
        "tee",
        "tr",
        "tar-in",
        "xargs",
        "bc",
        "dc",
        "ed",
        "chpasswd",
        "passwd",
        "at",
        "batch",
        "telnet",
        "ftp",
        "sftp",
        "ex",
        "sponge",
        "cpio",
        "parallel",
        "socat",
        "mail",
        "mailx",
        "sendmail",
    ]
)
_OF_REDIS = Takes("hpanu", "user pass")
_SQLITE = re.compile(
    r"-{1,2}(?:cmd|separator|nullvalue|newline|header|noheader|csv|json|line|list|column|html|batch|bail|readonly|box"
    r"|table|markdown|ascii|tabs|echo|safe|quote|version|help)"
)
_SQL = frozenset(["psql", "mysql", "mariadb", "sqlite3", "redis-cli", "mongo", "mongosh"])
# With these openssl and gpg read a file, or nothing at all.
_WITHOUT_INPUT = re.compile(
    r"-in|version|rand|gen\w+|ciphers|speed|list|prime|errstr|help|dhparam|ecparam"
    r"|-k|-K|--(?:list|version|export|gen|quick|full|delete|fingerprint|help|send|recv|refresh|search|edit).*"
)


def certain_output(words: Sequence[Word], fed: str | None) -> str | None:
    """Return what echo, printf or cat writes, if it is certain."""
    if not all(word.literal for word in words):
        return None
    texts = [word.text for word in words]
    name = posixpath.basename(texts[0])
    if name == "cat":
        return fed if texts[1:] in ([], ["-"]) else None
    if name == "echo":
        rest = texts[1:]
        escaped = False
        while rest and re.fullmatch(r"-[neE]+", rest[0]):
            escaped = escaped or "e" in rest[0]
            rest = rest[1:]
        text = " ".join(rest)
        return None if escaped and "\\" in text else text + "\n"
    if name == "printf" and len(texts) == 2 and not re.search(r"[%\\]", texts[1].replace("\\n", "")):
        return texts[1].replace("\\n", "\n")
    return None


def takes_input(name: str, words: Sequence[Word]) -> bool:
    """Say whether a program that is given the channel's input reads it."""
    texts = [word.text for word in words[1:]]
    if name in ("at", "batch"):
        return not any(text in ("-l", "-r", "-c", "-d", "-f") for text in texts)
    if name in _ALWAYS_READS:
        return True
    if name == "ssh":
        return not given(words[1:], SSH, stop=True).has("n", "f", "G", "V")
    if name not in _READS:
        return False
    if name in ("nc", "ncat", "netcat"):
        return not any(re.fullmatch(r"-[A-Za-z]*[zd][A-Za-z]*|-N|--recv-only", text) for text in texts)
    if name == "tar":
        first = texts[0] if texts else ""
        return "x" in first and not first.startswith("--") and ("f" not in first or "-" in texts)
    if "-" in texts:
        return True
    if name == "dd":
        return not any(text.startswith("if=") for text in texts)
    if name in _SQL:
        inline = any(
            re.match(r"-[A-Za-z]{0,9}[cefl]|--(?:command|execute|file|eval|list)", text) for text in texts
        )
        if name == "sqlite3":
            known = all(_SQLITE.fullmatch(text) for text in texts if text.startswith("-"))
            return not known or len(given(words[1:], CODE["sqlite"].takes, single=True).operands) < 2
        return not inline and not (name == "redis-cli" and given(words[1:], _OF_REDIS).operands)
    if name in ("openssl", "gpg"):
        return not any(map(_WITHOUT_INPUT.fullmatch, texts)) and not (
            name == "gpg" and given(words[1:], Takes("oru")).operands
        )
    if name == "patch":
        return not given(words[1:], Takes("dDFgioprBVYz")).has("i", "input")
    if name == "crontab":
        return not texts
    return reads_no_file(name, words)
