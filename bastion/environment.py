"""Read the process environment; nothing else does.

In      BASTION_CONFIG: the configuration file that commands use when --config is not given
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def configuration_path() -> str | None:
    """Return what BASTION_CONFIG says, if it says anything."""
    return os.environ.get("BASTION_CONFIG") or None


def child_environment(**extra: str) -> Mapping[str, str]:
    """Return this process's environment for a child, with some values set."""
    return {**os.environ, **extra}
