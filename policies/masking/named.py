"""Hold the values that somebody has named: to be masked everywhere, or to be told by their hashes.

In      values in plain (of files, of the bastion's own credentials), hashes, the key of the hashes
Out     Named, which makes detectors where a plan needs them
Holds   the values, in memory, for as long as the policy is in force; no digest or text of it tells them
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.masking.detector import Detector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Named:
    """Values that are always masked, and the key by which hashes of values were made."""

    values: frozenset[bytes] = frozenset()
    hashes: frozenset[str] = frozenset()
    key: bytes = b""

    def __repr__(self) -> str:
        return f"Named({len(self.values)} values, {len(self.hashes)} hashes)"

    def __bool__(self) -> bool:
        return bool(self.values or self.hashes)

    def detectors(self) -> list[Detector]:
        """Return what finds them; raise ValueError for a value or a hash that is none."""
        from policies.masking.hashed import hashed_values
        from policies.masking.known import known_value

        return [*map(known_value, sorted(self.values)), *hashed_values(self.key, self.hashes)]


NOTHING_NAMED = Named()
