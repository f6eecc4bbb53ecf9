"""Tell the commands that are an rsync or git server and nothing else: all that passes on them is file content.

In      the bytes of an exec request
Out     StreamCommand, or None: then the command is a plain exec and all its bytes are recorded
Source  rsync options.c server_options(): what a client sends; gitprotocol-pack(5), "SSH Transport"

The name is believed: which program `rsync` is on the target, its login's startup files say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bastion.transfer.shell_words import Word, simple_command

_GIT = {"upload-pack", "receive-pack", "upload-archive"}

# The letters that an rsync client sends, then what it is able to ("e" takes the rest of the word, and a server runs
# no remote shell). Not "s": with it the options and paths follow in the stream.
_RSYNC_LETTERS = re.compile(r"-(?=.)[vqbunldKmOJLkWHogDtUNpEAXrcIRxSzyi]*(?:e[0-9]*\.[0-9]*[A-Za-z]*)?")
_RSYNC_BLOCK = re.compile(r"-B[0-9]+")

# What else a client sends, all of it about which files and how. Not: daemon and config (which run programs),
# log-file, write-batch (which write what the stream does not hold), secluded-args.
_RSYNC_FLAG = re.compile(
    r"--(?:"
    r"append|backup|copy-devices|copy-unsafe-links|delay-updates|delete|delete-after|delete-before|"
    r"delete-delay|delete-during|delete-excluded|delete-missing-args|devices|existing|fake-super|force|"
    r"from0|fuzzy|hard-links|ignore-errors|ignore-existing|ignore-missing-args|ignore-non-existing|"
    r"inplace|list-only|mkpath|munge-links|new-compress|no-W|no-fuzzy|no-i-r|no-implied-dirs|"
    r"no-inc-recursive|no-r|no-relative|no-specials|numeric-ids|old-compress|open-noatime|partial|"
    r"preallocate|prune-empty-dirs|relative|remove-sent-files|remove-source-files|safe-links|sender|"
    r"size-only|specials|stats|super|trust-sender|use-qsort|write-devices"
    r")"
)
_RSYNC_VALUE = re.compile(
    r"--(?:"
    r"backup-dir|block-size|bwlimit|checksum-choice|checksum-seed|compare-dest|compress-choice|"
    r"compress-level|copy-dest|debug|files-from|groupmap|iconv|info|link-dest|log-format|max-alloc|"
    r"max-delete|max-size|min-size|modify-window|partial-dir|skip-compress|stop-at|suffix|temp-dir|"
    r"timeout|usermap"
    r")(?:=.*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCommand:
    """A server whose stdin and stdout are recorded by length and digest."""

    program: str


def parse_stream_command(command: bytes) -> StreamCommand | None:
    """Return the rsync or git server that this command starts; None unless it is sure to start nothing else."""
    words = simple_command(command)
    if words is None:
        return None
    if words[0].text == "rsync":
        return StreamCommand(program="rsync") if _is_rsync_server(words[1:]) else None
    return _git_server(words)


def _is_rsync_server(words: list[Word]) -> bool:
    """Say whether these are arguments of a server; every word that looks like an option must be a known one."""
    if not words or words[0].text != "--server" or "." not in [word.text for word in words]:
        return False
    return all(not word.text.startswith("-") or _is_rsync_option(word.text) for word in words[1:])


def _is_rsync_option(text: str) -> bool:
    return any(form.fullmatch(text) for form in (_RSYNC_LETTERS, _RSYNC_BLOCK, _RSYNC_FLAG, _RSYNC_VALUE))


def _git_server(words: list[Word]) -> StreamCommand | None:
    """Return the git server with one path and no option."""
    name, paths = words[0].text.removeprefix("git-"), words[1:]
    if words[0].text == "git" and paths:
        name, paths = paths[0].text, paths[1:]
    if name not in _GIT or words[0].text == name or len(paths) != 1:
        return None
    (path,) = paths
    if not path.text or path.pattern or path.text.startswith("-"):
        return None
    return StreamCommand(program=f"git {name}")
