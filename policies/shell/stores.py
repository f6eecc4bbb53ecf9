"""Know which words of programs that copy to and from object stores are local files.

In      the words of a command
Out     (mode, word): mode "r" or "w"
Source  the references of aws s3 and s3api, gsutil, gcloud storage, az storage, rclone, s3cmd, s5cmd, mc
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from policies.facts import Word
from policies.shell.options import Takes, given

_COPIES = frozenset(
    [
        "cp",
        "mv",
        "sync",
        "rsync",
        "copy",
        "move",
        "copyto",
        "moveto",
        "mirror",
        "bisync",
        "put",
        "get",
        "rcat",
        "cat",
        "pipe",
        "upload",
        "download",
    ]
)
_TAKES = Takes(
    "h",
    "profile region endpoint-url acl exclude include storage-class sse expires content-type cache-control metadata "
    "filter transfers bwlimit config log-file project account-name account-key container-name name destination "
    "sas-token connection-string pattern attr limit-upload limit-download",
)
_READS = frozenset({"--body", "--file", "-f", "--source", "-s", "--local-path"})
_AWAY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[\w.@+-]+:|https?://")


def of_store(words: Sequence[Word]) -> Iterator[tuple[str, Word]]:
    """Yield the local files that a copy reads, or writes."""
    name, texts = words[0].text, [word.text for word in words]
    if name == "az":
        yield from _of_options(words, writes="download" in texts or "download-batch" in texts)
        return
    if "put-object" in texts or "upload-part" in texts:
        yield from _of_options(words, writes=False)
        return
    at = next((at for at, text in enumerate(texts[1:5], 1) if text in _COPIES), None)
    if at is None:
        return
    operands = given(words[at + 1 :], _TAKES).operands
    away = [_is_away(name, word) for word in operands]
    if not any(away):
        return
    for place, word in enumerate(operands):
        if not away[place] and word.text != "-":
            yield ("w" if place == len(operands) - 1 else "r"), word


def _is_away(name: str, word: Word) -> bool:
    known = word.prefix if word.form == "computed" else word.text
    if name in ("mc", "mcli"):
        return not known.startswith(("/", ".", "-", "~")) and "/" in known
    return _AWAY.match(known) is not None


def _of_options(words: Sequence[Word], *, writes: bool) -> Iterator[tuple[str, Word]]:
    for option, value in itertools.pairwise(words):
        if option.text in _READS:
            yield ("w" if writes else "r"), value
