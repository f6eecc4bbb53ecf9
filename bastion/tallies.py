"""Count what all sessions of an identity let pass within the last hour, for limits that hold over all of them.

What passes in this process counts at once. What passes elsewhere, or passed before this process began, is read from the
rows that lists show, every POLL_S seconds: so it holds over several workers and over a restart.

In      what passes in sessions here; recorder.counted
Out     the figure of one limit of one identity
Holds   a sample a minute for each session and limit; a session of which there is no older one is counted whole
Errors  StoreError: the figure cannot be known (law L2)
Source  docs/masking.md, "Limits"
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bastion.tasks import Tasks
from policies.limit import Limit
from recorder.counted import Counted
from recorder.errors import StoreError

log = logging.getLogger("bastion.tallies")

SPAN_S = 3600.0
SAMPLE_S = 60.0
POLL_S = 1.0
REST = 20  # a reading may take one part in so many of the time

Key = tuple[str, str]  # a limit and its measure
Read = Callable[[str, int, int], Iterable[Counted]]  # identity, begun since, ended since (microseconds)


class Series:
    """How much one session has let pass, over time."""

    def __init__(self) -> None:
        self.total = 0
        self._samples: deque[tuple[float, int]] = deque([(-math.inf, 0)])

    def reached(self, total: int, now: float) -> None:
        """Take note of a total."""
        if now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, self.total))
        self.total = max(self.total, total)

    def lately(self, now: float) -> int:
        """Return how much of it was within the last hour, or rather more."""
        while len(self._samples) > 1 and self._samples[1][0] <= now - SPAN_S:
            self._samples.popleft()
        return self.total - self._samples[0][1]


@dataclass(slots=True, kw_only=True)
class _Account:
    """One identity, for as long as it has sessions here."""

    longest_s: float
    own: dict[str, dict[Key, Series]] = field(default_factory=dict)
    left: dict[str, dict[Key, Series]] = field(default_factory=dict)  # over, and not yet read from the store
    here: Counter[Key] = field(default_factory=Counter)
    elsewhere: Counter[Key] = field(default_factory=Counter)
    read: dict[tuple[str, Key], Series] = field(default_factory=dict)  # of the thread that reads
    known: asyncio.Event = field(default_factory=asyncio.Event)
    failure: StoreError | None = None


class Tallies:
    """The tallies of one process."""

    def __init__(self, read: Read, now: Callable[[], float]) -> None:
        self._read = read
        self._now = now
        self._accounts: dict[str, _Account] = {}
        self._tasks = Tasks()

    def join(self, identity: str, session: str, session_s: float) -> None:
        """Begin to count for a session, which may last so long."""
        account = self._accounts.get(identity)
        if account is None:
            account = self._accounts[identity] = _Account(longest_s=session_s)
            self._tasks.start(self._watch(identity, account), f"tallies of {identity}")
        account.longest_s = max(account.longest_s, session_s)
        account.own.setdefault(session, {})

    def leave(self, identity: str, session: str) -> None:
        """Take note that a session is over, and that its row says what it let pass."""
        account = self._accounts.get(identity)
        if account is not None and (series := account.own.pop(session, None)) is not None:
            account.left[session] = series

    async def known(self, identity: str) -> None:
        """Wait until it is known what passed elsewhere."""
        await self._accounts[identity].known.wait()

    def figure(self, identity: str, limit: Limit) -> int:
        """Return how much has passed within the last hour; raise StoreError."""
        account, key = self._accounts[identity], (limit.id, limit.measure.value)
        if account.failure is not None:
            raise account.failure
        return account.here[key] + account.elsewhere[key]

    def add(self, identity: str, session: str, limit: Limit, amount: int) -> None:
        """Count what passes in a session here."""
        account, key = self._accounts[identity], (limit.id, limit.measure.value)
        series = account.own[session].setdefault(key, Series())
        series.reached(series.total + amount, self._now())
        account.here[key] += amount

    async def close(self) -> None:
        """Count no more."""
        await self._tasks.cancel()

    async def _watch(self, identity: str, account: _Account) -> None:
        """Keep one account, until its last session here is over and read from the store."""
        loop = asyncio.get_running_loop()
        while account.own or account.left:
            own, over, began = frozenset(account.own), tuple(account.left), loop.time()
            try:
                elsewhere = await asyncio.to_thread(self._elsewhere, identity, account, own)
            except StoreError as error:
                log.error("%s", error)
                account.failure = error
            else:
                account.failure, account.elsewhere = None, elsewhere
                for session in over:
                    account.left.pop(session, None)
            now = self._now()
            here = (*account.own.values(), *account.left.values())
            account.here = _lately(((key, series) for each in here for key, series in each.items()), now)
            account.known.set()
            await asyncio.sleep(max(POLL_S, REST * (loop.time() - began)))
        del self._accounts[identity]

    def _elsewhere(self, identity: str, account: _Account, own: frozenset[str]) -> Counter[Key]:
        """Read what passed in sessions that are not this process's own (in a thread; nothing else uses `read`)."""
        now = self._now()
        since_us, begun_us = (
            int((now - back_s) * 1_000_000) for back_s in (SPAN_S, SPAN_S + account.longest_s)
        )
        read: dict[tuple[str, Key], Series] = {}
        for it in self._read(identity, begun_us, since_us):
            for measure, total in it.counts.items() if it.session not in own else ():
                key = (it.limit, measure)
                series = read[it.session, key] = account.read.get((it.session, key)) or Series()
                series.reached(total, now)
        account.read = read
        return _lately(((key, series) for (_session, key), series in read.items()), now)


def _lately(found: Iterable[tuple[Key, Series]], now: float) -> Counter[Key]:
    """Add up what each series had within the last hour, by key."""
    totals: Counter[Key] = Counter()
    for key, series in found:
        totals[key] += series.lately(now)
    return totals
