"""Know with which words a program that leaves its standard input alone reads it after all.

It does so where it is told to, where it asks a question, where it speaks a protocol on it, and where it starts another
program on it. Passwords are asked for on the terminal; a session without one has only the standard input.

In      the words of a command whose stdin is the channel's input
Out     whether some of them may have it read
Source  the manuals of the programs that are named; getopt_long(3), which takes long options that are cut short
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from policies.facts import Word
from policies.shell.options import given
from policies.shell.roles import ROLES
from policies.shell.transfers import CURL

_FROM_INPUT = re.compile(
    r"-|-[A-Za-z]+-|.*[=@<]\s*-(?:;.*)?|.*/dev/.*(?:stdin|fd\b).*|.*/proc/.*\bfd\b.*|.*\bstdin\b.*"
    r"|-ok(?:dir)?|(?:--)?edit",
    re.IGNORECASE | re.DOTALL,
)
_INTERACTIVE = r"-[A-Za-z]*[iI][A-Za-z]*|--i(?:n[a-z]*)?(?:=.*)?"
# Words of these forms have it read.
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("cp", "ln", "mv", "rm", "killall", "fuser"), _INTERACTIVE),
    "kubectl": r"-i|--i(?:n[a-z]*)?(?:=.*)?",
    "git": rf"{_INTERACTIVE}|-p|--patc.*|-[A-Za-z]*[eF].*|--e.*|--fi.*|--reb.*=i.*",
    "install": r"--stri.*=.*|--strip-.*",
    "docker": r"prune",
    "tar": r"(?!--).*[wFIM].*|--(?!(?:directory|exclude|file|gzip|bzip2|xz|zstd|create|extract|list|verbose|get|append"
    r"|owner|group|mode|strip-components|no-same-owner|no-same-permissions|numeric-owner|overwrite)(?:=|\Z)).*",
    "scp": r"-[A-Za-z0-9]*[tf].*",
    "rsync": r"--(?:server|daemon).*",
    "wget": r"--as.*|--use-a.*",
    "xxhsum": r"-.*|--c.*",
    "sqlite3": r"\..*|--?(?:init|cmd)|.*\bedit\W{0,9}\(.*",
    **dict.fromkeys(("gzip", "gunzip", "zcat"), r"---.*"),
    "tput": r"-S",
    **dict.fromkeys(
        ("awk", "gawk", "mawk"),
        r".*(?:getline|system|\||\"-\"|@|ARGV|ARGC|SYMTAB).*|-[A-Za-z]*[filEW].*|--.*",
    ),
}
_NEVER_SURE = frozenset({"mount", "zstd"})  # they may ask: for a password, or whether to write over a file
# Unless these words are there it may ask for a password.
_NO_PASSWORD = re.compile(r"-w|--no-password")
_OF_POSTGRES = frozenset({"pg_dump", "pg_dumpall", "psql"})
_IP = re.compile(r"-(?:[46osdjpc]|br|brief|json|oneline|stats|details|pretty|color)+")
_IP_OBJECTS = frozenset(["a", "addr", "address", "l", "link", "r", "route", "rule", "n", "neigh", "maddr"])
_SED_PLACE = r"(?:\d+|\$|/(?:\\.|[^/\\])*/)"
_SED = re.compile(
    rf"\s*(?:{_SED_PLACE}(?:,{_SED_PLACE})?)?\s*!?\s*"
    r"(?:[pdqD=]|s([^\w\s\\])(?:\\.|(?!\1)[^\\])*\1(?:\\.|(?!\1)[^\\])*\1[gpI\d]*)\s*;?",
    re.DOTALL,
)


def _curl(words: Sequence[Word]) -> bool:
    found = given(words, CURL)
    users = found.values("u", "user", "U", "proxy-user")
    asks = any(":" not in (word.text if word.literal else word.prefix) for word in users)
    keys = found.has("E", "cert", "key", "proxy-cert", "proxy-key")  # which may have a passphrase
    # "." is the standard input too, and an option that is cut short is none that is looked for here.
    uploads = any(word.text in ("-", ".") for word in found.values("T", "upload-file"))
    cut = any(
        name.startswith(("us", "proxy-u", "up")) and len(name) > 1
        for name, value in found.options
        if not value
    )
    return asks or keys or uploads or cut


def _git(words: Sequence[Word]) -> bool:
    """Say whether a tag has no message yet: an editor is started."""
    texts = [word.text for word in words]
    wants = any(re.fullmatch(r"-[A-Za-z]*[asu].*|--(?:an|si|local-u).*", text) for text in texts)
    return (
        "tag" in texts and wants and not any(text.startswith(("-m", "-am", "-sm", "--mes")) for text in texts)
    )


def _ip(words: Sequence[Word]) -> bool:
    """Say whether it may be anything but a question to the kernel: `netns` and `vrf` start programs."""
    for word in words:
        if not _IP.fullmatch(word.text):
            return word.text not in _IP_OBJECTS
    return False


def _sed(words: Sequence[Word]) -> bool:
    found = given(words, ROLES["sed"].takes)
    scripts = found.values("e", "expression") or found.operands[:1]
    return found.has("f", "file") or any(not _SED.fullmatch(word.text) for word in scripts)


def _trap(words: Sequence[Word]) -> bool:
    """Say whether what it sets may run before the shell ends."""
    texts = [word.text for word in words if word.text != "--"]
    return bool(texts[:1]) and texts[0] not in ("-", "", "-l", "-p") and not {*texts[1:]} <= {"EXIT", "0"}


def _postgres(words: Sequence[Word]) -> bool:
    texts = [word.text for word in words]
    return not any(map(_NO_PASSWORD.fullmatch, texts)) or any("\\" in text for text in texts)


_SPECIAL: Mapping[str, Callable[[Sequence[Word]], bool]] = {
    "curl": _curl,
    "git": _git,
    "ip": _ip,
    "sed": _sed,
    "trap": _trap,
    **dict.fromkeys(_OF_POSTGRES, _postgres),
}
# Of these a word that is known when it runs only may be such an option.
_TOLD_MUCH = frozenset({"curl", "wget", "scp", "rsync", "ip", "tar", "sqlite3"})


def reads_after_all(name: str, words: Sequence[Word]) -> bool:
    """Say whether the words behind a program's name may have it read its standard input."""
    if name in _NEVER_SURE or any(_FROM_INPUT.fullmatch(word.text) for word in words):
        return True
    if name in _TOLD_MUCH and any(_may_be_option(word) for word in words):
        return True
    forms = _WORDS.get(name)
    if forms is not None and any(re.fullmatch(forms, word.text, re.DOTALL) for word in _options(name, words)):
        return True
    special = _SPECIAL.get(name)
    return special is not None and special(words)


def _options(name: str, words: Sequence[Word]) -> Sequence[Word]:
    """Return the words that are held against forms: of tar the options, of which the first needs no dash."""
    if name != "tar":
        return words
    return [word for at, word in enumerate(words) if at == 0 or word.text.startswith("-")]


def _may_be_option(word: Word) -> bool:
    return word.form == "computed" and not word.whole and word.prefix[:1] in ("", "-")
