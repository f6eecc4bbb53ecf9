"""Say what every table of a policy file has in common, and read one string where a list is asked for.

In      tables as TOML gives them
Errors  pydantic.ValidationError, which document.py puts into words
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a policy file: no key that is not named, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def listed(value: object) -> object:
    """Return a string as a list of one."""
    return [value] if isinstance(value, str) else value
