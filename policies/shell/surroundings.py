"""Know the programs that start others in changed surroundings: another network, personality, or view of the files.

In      the words of a command
Out     what it starts
Source  ip-netns(8), ip-vrf(8), setarch(8), bwrap(1)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from policies.facts import Word
from policies.shell.options import NONE, Takes, given
from policies.shell.started import Started, loose


def ip(words: Sequence[Word]) -> list[Started]:
    """Return what `ip netns exec NAME` and `ip vrf exec NAME` start; words may be cut short (ip(8))."""
    everywhere = any(word.text in ("-a", "-all", "--all") for word in words)
    for at, (kind, verb) in enumerate(itertools.pairwise(words[1:]), 1):
        of_space = any(whole.startswith(kind.text) and kind.text for whole in ("netns", "vrf"))
        if of_space and verb.text and "exec".startswith(verb.text):
            return [Started(tuple(words[at + 2 + (not everywhere) :]))]
    return []


def setarch(words: Sequence[Word]) -> list[Started]:
    """Return what `setarch [ARCH] [OPTION…] PROGRAM` starts; no option has a value (setarch(8))."""
    rest = words[1:]
    if rest and not rest[0].text.startswith("-"):
        rest = rest[1:]
    rest = rest[given(rest, NONE, stop=True).rest :]
    return [Started(tuple(rest))] if rest else []


_TWO_VALUES = Takes(
    "",
    "bind bind-try dev-bind dev-bind-try ro-bind ro-bind-try bind-fd ro-bind-fd symlink setenv "
    "file bind-data ro-bind-data chmod overlay-src",
)
_NO_VALUE = Takes(
    "",
    "unshare-all share-net unshare-user unshare-user-try unshare-ipc unshare-pid unshare-net "
    "unshare-uts unshare-cgroup unshare-cgroup-try disable-userns clearenv new-session "
    "die-with-parent as-pid-1 assert-userns-disabled help version",
)


def bwrap(words: Sequence[Word]) -> list[Started]:
    """Return what `bwrap` starts: its options have none, one or two values (bwrap(1))."""
    at = 1
    while at < len(words) and words[at].text.startswith("--") and words[at].text != "--":
        name = words[at].text[2:]
        values = (
            3 if name == "overlay" else 2 if name in _TWO_VALUES.names() else name not in _NO_VALUE.names()
        )
        at += 1 + values
    at += at < len(words) and words[at].text == "--"
    rest = words[at:]
    return [*loose(words[1:at]), *([Started(tuple(rest))] if rest else [])]
