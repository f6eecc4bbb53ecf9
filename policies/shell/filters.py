"""Know whether a filter is given a file, which it then reads in place of its standard input.

In      the words of a command
Out     whether none of them is a file; whether one surely is
Source  the manuals of the programs that are named: coreutils, util-linux, grep(1), sed(1), gawk(1), jq(1), gzip(1)
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence

from policies.facts import Word
from policies.shell.options import NONE, Given, Takes, given
from policies.shell.roles import ROLES, Roles
from policies.shell.started import splits

_GREP = Takes(
    "GEFPivwxcLlqsbHhnTZaIrRUuyzo",
    "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match word-regexp "
    "line-regexp count color colour files-without-match files-with-matches quiet silent no-messages byte-offset "
    "with-filename no-filename line-number initial-tab null text recursive dereference-recursive line-buffered "
    "null-data only-matching binary",
)
_SUM = Takes("btwz", "binary tag text zero ignore-missing quiet status strict warn")
_PACK = Takes(
    "acdfhklLnNqrtvVez",
    "stdout to-stdout decompress uncompress force keep list no-name name quiet recursive test verbose fast best "
    "rsyncable",
)
# Options of each that have no value: any other one may take the word behind it.
FLAGS: Mapping[str, Takes] = {
    "cat": Takes(
        "AbeEnstTuv",
        "show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting",
    ),
    "tac": Takes("br", "before regex"),
    "nl": Takes("p", "no-renumber"),
    "head": Takes("qvz", "quiet silent verbose zero-terminated"),
    "tail": Takes("fFqvz", "follow quiet silent verbose zero-terminated retry"),
    "sort": Takes(
        "bdfghiMnRrVcCmsuz",
        "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort ignore-nonprinting month-sort "
        "human-numeric-sort numeric-sort random-sort reverse version-sort check merge stable unique zero-terminated",
    ),
    "uniq": Takes("cdDuiz", "count repeated all-repeated ignore-case unique zero-terminated group"),
    "wc": Takes("cmlLw", "bytes chars lines max-line-length words"),
    "cut": Takes("nsz", "complement only-delimited zero-terminated"),
    "sed": Takes(
        "nErsuzi",
        "quiet silent regexp-extended separate unbuffered null-data posix debug sandbox follow-symlinks in-place",
    ),
    **dict.fromkeys(["awk", "gawk", "mawk"], Takes("bcghnOPrstS", "posix re-interval sandbox traditional")),
    **dict.fromkeys(["grep", "egrep", "fgrep", "zgrep"], _GREP),
    "fold": Takes("bs", "bytes spaces"),
    "column": Takes("tJdeLx", "table json fillrows keep-empty-lines table-noheadings"),
    "paste": Takes("sz", "serial zero-terminated"),
    "base64": Takes("di", "decode ignore-garbage"),
    "rev": NONE,
    "od": Takes("abcdfilosxv", "output-duplicates"),
    "hexdump": Takes("bcCdoxv"),
    **dict.fromkeys(["md5sum", "sha1sum", "sha256sum", "sha512sum"], _SUM),
    "cmp": Takes("bls", "print-bytes verbose quiet silent"),
    "comm": Takes("z", "check-order nocheck-order total zero-terminated"),
    "diff": Takes(
        "abBcdeEiNnpqrstTuvwyZ",
        "brief report-identical-files recursive text ignore-case ignore-all-space ignore-space-change "
        "ignore-blank-lines new-file side-by-side unified context normal suppress-common-lines minimal expand-tabs "
        "strip-trailing-cr",
    ),
    "cksum": Takes("wz", "quiet status strict tag untagged warn zero"),
    **dict.fromkeys(["gzip", "gunzip", "zcat", "bzip2", "xz"], _PACK),
    "split": Takes("deux", "numeric-suffixes hex-suffixes elide-empty-files unbuffered verbose"),
    "iconv": Takes("cs", "silent verbose"),
    "jq": Takes(
        "cCarRsSnjMe",
        "compact-output raw-output raw-output0 ascii-output color-output monochrome-output sort-keys tab slurp "
        "raw-input null-input exit-status join-output seq stream stream-errors unbuffered",
    ),
}
# Their other letters: each may take the word behind it.
_TAKING = {name: "".join(sorted({*string.ascii_letters} - {*flags.short})) for name, flags in FLAGS.items()}
# A file `-` has the name of the standard input, and so have those of /dev and /proc.
_BEGINS = re.compile(r"\w|\*[.\w]+\Z|\.{1,2}/[\w*]|~/|/(?!dev\b|proc\b)\w+/")
_FILES = Roles("r")
_SEVERAL = re.compile(r"\$\{?[@*!]|\[[@*]\]")
_MAY_BE_NAMES = re.compile(r"--fil")  # of files whose names stand in a file, or on the input
_NAMED = re.compile(r"--(?:arg|argjson|slurpfile|rawfile|argfile)\Z")
_VALUES = re.compile(r"--(?:args|jsonargs)\Z")


def reads_no_file(name: str, words: Sequence[Word]) -> bool:
    """Say whether none of a filter's words is a file, as far as can be told."""
    return _none_is_file(name, words, ROLES.get(name, _FILES).takes)


def surely_reads_file(name: str, words: Sequence[Word]) -> bool:
    """Say whether a filter of FLAGS surely reads the files among its words, and nothing else."""
    if not all(map(_is_named, words[1:])) or any(_MAY_BE_NAMES.match(word.text) for word in words):
        return False
    longs = {word.text[2:] for word in words if word.text.startswith("--") and "=" not in word.text}
    takes = Takes(_TAKING[name], " ".join(longs - FLAGS[name].names()))
    return not _none_is_file(name, words, takes)


def _is_named(word: Word) -> bool:
    """Say whether a word is surely no name of the standard input, and no option that is not written out."""
    if word.literal or word.whole:
        return True
    if splits(word) or _SEVERAL.search(word.text):
        return False
    return _BEGINS.match(word.prefix if word.form == "computed" else word.text) is not None


def _may_assign(word: Word) -> bool:
    if word.form == "computed":
        return re.match(r"[A-Za-z_]?\w*(?:\Z|=)", word.prefix) is not None
    return re.match(r"[A-Za-z_]\w*=", word.text) is not None


def _none_is_file(name: str, words: Sequence[Word], takes: Takes) -> bool:
    found, operands = _operands(name, words, takes)
    recursive = found.has("r", "R", "recursive", "dereference-recursive")
    if name.endswith("grep") and name != "zgrep" and recursive:
        return found.has("d", "directories") or any(word.text.startswith("--di") for word in words)
    if name == "jq" and found.has("n", "null-input"):
        return found.has("f", "from-file") or any(re.search(r"\binputs?\b", word.text) for word in words)
    if name == "sort" and any(word.text.startswith("--files0-from=") for word in words):
        return False
    return not operands


def _operands(name: str, words: Sequence[Word], takes: Takes) -> tuple[Given, list[Word]]:
    rest = list(words[1:])
    if name == "jq":
        while (at := next((at for at, word in enumerate(rest) if _NAMED.match(word.text)), None)) is not None:
            del rest[at : at + 3]
        if any(_VALUES.match(word.text) for word in rest):
            rest = rest[:1]
    of_awk, roles = name.endswith("awk"), ROLES.get(name, _FILES)
    found = given(rest, takes, stop=of_awk)
    operands = rest[found.rest :] if of_awk else found.operands
    skip = 1 if name == "cmp" else roles.skip  # which compares one file with its input
    operands = operands[0 if found.has(*roles.unskip) else skip :]
    if of_awk:
        operands = [word for word in operands if word.text and not _may_assign(word)]
    if name in ("tail", "sort", "uniq", "od"):  # as they were told numbers once
        operands = [word for word in operands if not re.match(r"\+\d", word.text)]
    return found, operands
