"""Know which words of well-known programs are files that they read or write.

In      the words of a command
Out     (mode, word): mode "r", "w" or "rw"
Source  the manuals of the programs that are named: coreutils, tar(1), curl(1), wget(1), dd(1), sed(1), grep(1)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from policies.facts import Word
from policies.shell.options import Given, Takes, given, tail
from policies.shell.roles import ROLES, Roles
from policies.shell.started import SOMETHING
from policies.shell.stores import of_store
from policies.shell.transfers import Touched, of_copy, of_curl, of_wget


def places(name: str, words: Sequence[Word]) -> Touched:
    """Yield the files that a command reads and writes by its words."""
    for word in words[1:]:
        if (at := word.text.find("file:///")) >= 0 and word.form != "computed":  # whoever fetches such a URL
            yield "r", tail(word, at + 7)
    special = _SPECIAL.get(name)
    if special is not None:
        yield from special([Word(name), *words[1:]])
        return
    roles = ROLES.get(name)
    if roles is None and name.startswith(("mkfs.", "fsck.", "mke2fs")):
        roles = ROLES["mkfs"]
    if roles is None:
        return
    found = given(words[1:], roles.takes)
    yield from _of_options(found, roles)
    operands = found.operands[0 if found.has(*roles.unskip) else roles.skip :]
    if roles.last and len(operands) > 1 and not found.has("t", "target-directory"):
        for word in operands[:-1]:
            yield roles.rest, word
        yield roles.last, operands[-1]
    elif roles.rest:
        mode = "w" if name in ("install", "mkdir") and found.has("d", "directory") else roles.rest
        for word in operands:
            if not (name in ("gzip", "bzip2", "xz", "zstd") and word.text == "-"):
                yield mode, word


def modes(name: str) -> str:
    """Return how a program may touch files that its words name, whichever they are: "r", "w", both or neither."""
    if name in _SPECIAL:
        return "rw"
    roles = ROLES.get(name)
    return "" if roles is None else "".join((roles.rest, roles.last, *roles.files.values()))


def _of_options(found: Given, roles: Roles) -> Touched:
    for option, value in found.options:
        mode = roles.files.get(option)
        if mode is not None and value is not None and value.text != "-":
            yield mode, value


def _dd(words: Sequence[Word]) -> Touched:
    for word in words[1:]:
        if word.form == "computed" and not word.prefix:
            yield "rw", SOMETHING
        elif word.text.startswith("if="):
            yield "r", tail(word, 3)
        elif word.text.startswith("of="):
            yield "w", tail(word, 3)


_TAR = Takes(
    "fFCbgHIKLNTVX",
    "file directory files-from exclude exclude-from listed-incremental format use-compress-program transform owner "
    "group mode checkpoint-action to-command rsh-command rmt-command info-script new-volume-script",
)


def of_tar(words: Sequence[Word]) -> Given:
    """Return what tar was given, in the old style (`tar czf x y`) too."""
    rest = list(words[1:])
    if rest and rest[0].literal and re.fullmatch(r"[A-Za-z]+", rest[0].text):
        letters, taken = rest[0].text, []
        at = 1
        for letter in letters:
            if letter in _TAR.short and at < len(rest):
                taken += [Word("-" + letter), rest[at]]
                at += 1
            else:
                taken.append(Word("-" + letter))
        rest = taken + rest[at:]
    return given(rest, _TAR)


def _tar(words: Sequence[Word]) -> Touched:
    found = of_tar(words)
    if words[2:] and words[1].form == "computed" and not words[1].prefix:
        yield "rw", SOMETHING
    makes = found.has("c", "create", "r", "append", "u", "update", "A")
    folders = found.values("C", "directory")
    for archive in found.values("f", "file"):
        if archive.text != "-" and not re.match(r"[\w.@-]+:", archive.text):
            yield ("w" if makes else "r"), archive
    for name in found.values("T", "files-from", "X", "exclude-from", "g", "listed-incremental"):
        yield "r", name
    if makes:
        for word in found.operands:
            if folders and word.literal and not word.text.startswith(("/", "~")) and folders[-1].literal:
                yield "r", Word(f"{folders[-1].text}/{word.text}", word.form)
            else:
                yield "r", word
    else:
        for folder in folders:
            if found.has("x", "extract", "get"):
                yield "w", folder


def _sed(words: Sequence[Word]) -> Touched:
    sed = ROLES["sed"]
    found = given(words[1:], sed.takes)
    for value in found.values("f", "file"):
        yield "r", value
    operands = found.operands[0 if found.has(*sed.unskip) else sed.skip :]
    mode = "w" if found.has("i", "in-place") else "r"  # what it rewrites it shows to nobody
    for word in operands:
        yield mode, word


def _awk(words: Sequence[Word]) -> Touched:
    awk = ROLES["awk"]
    found = given(words[1:], awk.takes, stop=True)
    for value in found.values("f", "file", "E", "exec"):
        yield "r", value
    operands = words[1 + found.rest :][0 if found.has(*awk.unskip) else awk.skip :]
    for word in operands:
        if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", word.text):
            yield "r", word


def _openssl(words: Sequence[Word]) -> Touched:
    for option, value in itertools.pairwise(words[1:]):
        if option.text in ("-in", "-inkey", "-key", "-cert", "-CA", "-CAkey", "-config", "-kfile", "-CAfile"):
            yield "r", value
        elif option.text in ("-out", "-keyout"):
            yield "w", value
    if len(words) > 2 and words[1].text in ("dgst", "sha256", "md5"):
        for word in words[2:]:
            if not word.text.startswith("-"):
                yield "r", word


def _find(words: Sequence[Word]) -> Touched:
    roots = []
    for word in words[1:]:
        if word.text.startswith(("-", "(", "!")) and word.text not in ("-H", "-L", "-P"):
            break
        if not word.text.startswith("-"):
            roots.append(word)
    texts = [word.text for word in words]
    if _may_be_action(words):
        yield "w", SOMETHING
    if "-delete" in texts or _starts_rm(texts):
        for root in roots or [Word(".")]:
            yield "w", root
    for option, value in itertools.pairwise(words):
        if option.text in ("-fprint", "-fprintf", "-fls", "-fprint0"):
            yield "w", value
        elif option.text in ("-newer", "-anewer", "-cnewer", "-samefile", "-files0-from"):
            yield "r", value


def _may_be_action(words: Sequence[Word]) -> bool:
    """Say whether a word may be an action of find, such as -delete, when it runs: none that a test takes is."""
    before = ""
    for word in words[1:]:
        if before in ("-exec", "-execdir", "-ok", "-okdir"):
            return False
        if word.form == "computed" and not word.prefix and not word.whole and before[:1] != "-":
            return True
        before = word.text if word.form != "computed" else ""
    return False


def _starts_rm(texts: Sequence[str]) -> bool:
    return any(
        one in ("-exec", "-execdir", "-ok") and two.rpartition("/")[2] in ("rm", "shred", "unlink")
        for one, two in itertools.pairwise(texts)
    )


def _in_place(takes: Takes, code: tuple[str, ...]) -> Callable[[Sequence[Word]], Touched]:
    """Return what perl and ruby touch: their operands, which `-i` writes to; the first is a script without `code`."""

    def in_place(words: Sequence[Word]) -> Touched:
        found = given(words[1:], takes)
        if not found.has(*code):
            return
        for word in found.operands:
            yield ("rw" if found.has("i") else "r"), word

    return in_place


def _ssh_keygen(words: Sequence[Word]) -> Touched:
    found = given(words[1:], Takes("abCEfFIJjKMmNnOPqRrSstVWwYZz"))
    shows = found.has("l", "y", "e", "B", "F", "H", "L")
    for word in found.values("f"):
        yield ("r" if shows else "rw"), word


def _strings_of(words: Sequence[Word]) -> Touched:
    for word in given(words[1:], Takes("neotT", "bytes radix encoding")).operands:
        yield "r", word


_SPECIAL: Mapping[str, Callable[[Sequence[Word]], Touched]] = {
    "dd": _dd,
    "dcfldd": _dd,
    "tar": _tar,
    "bsdtar": _tar,
    "gtar": _tar,
    "star": _tar,
    "curl": of_curl,
    "wget": of_wget,
    "scp": of_copy,
    "rsync": of_copy,
    "pscp": of_copy,
    "sed": _sed,
    "gsed": _sed,
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk", "busybox-awk"], _awk),
    "openssl": _openssl,
    "find": _find,
    "strings": _strings_of,
    "perl": _in_place(Takes("eEIMm"), ("e", "E")),
    "ruby": _in_place(Takes("eIrCE"), ("e",)),
    "ssh-keygen": _ssh_keygen,
    **dict.fromkeys(["aws", "gsutil", "gcloud", "az", "rclone", "s3cmd", "s5cmd", "mc", "mcli"], of_store),
}
