"""Match one string against one pattern of a rule.

In      a pattern: the exact string, or `glob:` and then a glob (`*` any run of characters, `?` any one)
Out     whether the whole text matches; code points are compared as they are, case and form included
Holds   two positions; the time is at most the product of both lengths, whatever the pattern
"""

from __future__ import annotations

GLOB_PREFIX = "glob:"


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole of `text` matches `pattern`."""
    if not pattern.startswith(GLOB_PREFIX):
        return pattern == text
    return _glob(pattern[len(GLOB_PREFIX) :], text)


def _glob(glob: str, text: str) -> bool:
    # Only the last star can need another try: what an earlier one took is settled by the next.
    at_glob = at_text = 0
    star, resume = -1, 0
    while at_text < len(text):
        if at_glob < len(glob) and glob[at_glob] == "*":
            star, resume = at_glob, at_text
            at_glob += 1
        elif at_glob < len(glob) and glob[at_glob] in ("?", text[at_text]):
            at_glob += 1
            at_text += 1
        elif star >= 0:
            resume += 1
            at_glob, at_text = star + 1, resume
        else:
            return False
    return not glob[at_glob:].strip("*")
