"""Say who runs a command, and over which way it was reached.

In      --door and --terminal from the bastion itself, or else the user of this process
Out     the name under which a read is recorded
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the command was reached: `asker` is set when it came over SSH."""

    asker: str | None
    terminal: bool

    @property
    def remote(self) -> bool:
        return self.asker is not None

    def who(self) -> str:
        """Return who reads, for the audit chain."""
        return self.asker if self.asker is not None else f"{user()} on the bastion itself"


def user() -> str:
    """Return the name and the number of the user who runs this process."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "unknown"
    return f"{name} (uid {uid})"
