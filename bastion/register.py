"""Decide what must be decided once for the whole service, however many processes serve it.

Which key a token was first used with (T16), how often one source may ask for certificates, and how often what strangers
do wrong is put on the record.

In      a token's digest with a key; a source (an address)
Out     the key that came first; whether this one may pass
Holds   one entry per token that is still valid (key fingerprint), and at most as many of expired ones, or
        FORGET_TOKENS; two kinds of throttle
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from bastion.admission import source_of
from bastion.notes import Notes
from bastion.throttle import Throttle
from recorder.audit import Entry

FORGET_TOKENS = 1024
ASK_BURST = 30.0
ASK_PER_S = 2.0


class Register(Protocol):
    """What a process that serves asks; the answer may come from another process."""

    async def first_key(self, token: str, key: str, expires_at: int) -> str:
        """Return the key that a token was first used with, this one if there was none."""

    async def may_ask(self, source: str) -> bool:
        """Say whether a source may ask for another certificate now."""

    async def may_note(self, source: str, what: str) -> int | None:
        """Say whether one more thing that a source did wrong goes on the record, None if not.

        The number says how many of that source were left out before it.
        """


class OwnRegister:
    """The register itself, in the one process that keeps it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._used: dict[str, tuple[str, int]] = {}
        self._forget_at = FORGET_TOKENS
        self._asking = Throttle(burst=ASK_BURST, per_s=ASK_PER_S)
        self.notes = Notes()

    def remember(self, entries: Iterable[Entry]) -> None:
        """Take in, at start, which tokens were used for which key (from the audit chain)."""
        now = self._now()
        for entry in entries:
            detail = entry.detail
            if detail["token_expires"] > now:
                self._used[detail["token"]] = (detail["key"], detail["token_expires"])

    async def first_key(self, token: str, key: str, expires_at: int) -> str:
        known = self._used.get(token)
        if known is not None and known[0] != key:
            return known[0]
        if len(self._used) >= self._forget_at:  # twice as many as were left: cheap however many tokens live
            now = self._now()
            self._used = {digest: use for digest, use in self._used.items() if use[1] > now}
            self._forget_at = max(FORGET_TOKENS, 2 * len(self._used))
        self._used[token] = (key, expires_at)
        return key

    async def may_ask(self, source: str) -> bool:
        return self._asking.admit(source, self._now())

    async def may_note(self, source: str, what: str) -> int | None:
        return self.notes.admit(source_of(source), what, self._now())
