"""Ask a target for what asyncssh's client does not let one ask for.

In      bytes of a command
Source  RFC 4254 section 6.5
"""

from __future__ import annotations


class Command(bytes):
    """The bytes of an exec request, which is one even when there are none."""

    def __bool__(self) -> bool:
        return True
