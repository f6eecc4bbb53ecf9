"""Put every statement of a session before the policy in force, and say what came of it.

In      statements as bytes, or facts that are known already (file operations, data)
Out     Ruling: the statement, its facts, its verdict; the event to record, the line for the bot
Holds   one pool of threads for all sessions, SECOND_OPINIONS at once: parsing that takes long is off the loop (L11)
Source  docs/gate.md; docs/security.md, laws L3 and L4
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bastion.errors import Refused
from bastion.holds.hold import Hold, State
from bastion.masking import ChannelMask
from policies.engine import Policy
from policies.facts import Facts, Flag, unparsed
from policies.held_parts import Part, held_parts
from policies.model import Access, Request, Verdict, VerdictKind
from policies.shell import quick
from policies.shell.dialect import foreign
from policies.shell.doubt import doubtful
from policies.shell.second import agreed

log = logging.getLogger("bastion.gate")

STATUS_DENIED = 126
STATUS_EXPIRED = 124
SECOND_OPINIONS = 4
LONG_BYTES = 256  # parsing and judging more than this at once is not for the loop
UNKNOWNS = (b"$", b"`", b"*", b"?", b"[")  # a word with one of them may be many things to a rule
MANY_UNKNOWNS = 16
SHOWN_CHARS = 200
LOOKED_CHARS = SHOWN_CHARS + 8192  # to mask what a log shows: no value on a line is longer
HIDDEN = "[hidden]"

T = TypeVar("T")
Asked = Callable[[Access], tuple[Policy, Request]]

_pool = ThreadPoolExecutor(SECOND_OPINIONS, thread_name_prefix="second-opinion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A statement with its verdict; `source` is what the target would get. `hold` has ended, if people were asked."""

    source: bytes
    facts: Facts
    verdict: Verdict
    hold: Hold | None = None

    @property
    def allowed(self) -> bool:
        if self.hold is not None:
            return self.hold.state is State.APPROVED
        return self.verdict.allowed

    @property
    def asks(self) -> bool:
        """Say whether people are to be asked."""
        return self.hold is None and self.verdict.held

    @property
    def status(self) -> int:
        """Return the exit status of a channel that this ends."""
        expired = self.hold is not None and self.hold.state is State.EXPIRED
        return STATUS_EXPIRED if expired else STATUS_DENIED

    @property
    def switches(self) -> bool:
        """Say whether what follows on the channel may be for something else than the shell."""
        taken = self.facts.flags & {Flag.READS_STDIN, Flag.SWITCHES_INPUT}
        return bool(taken) or not self.verdict.input_stays

    @property
    def takes(self) -> str:
        """Return who may take what follows, for people."""
        if self.facts.flags & {Flag.READS_STDIN, Flag.SWITCHES_INPUT}:
            return "an earlier statement takes the input that follows"
        return f"{self.facts.why.get(Flag.MAY_READ_STDIN, 'an earlier statement may take it')} (a script may not go on)"

    def refused(self, why: str) -> Ruling:
        """Return the ruling on a statement that cannot be passed on, whatever the policy says."""
        verdict = Verdict(
            kind=VerdictKind.DENY, rules=(), reason=f"not a statement: {why}", policy=self.verdict.policy
        )
        return replace(self, verdict=verdict)

    def unseen(self) -> Ruling:
        """Return the ruling without the statement, for one that may be a password."""
        verdict = replace(self.verdict, reason="what was typed unseen is not shown here")
        facts = Facts(statement=HIDDEN, language=self.facts.language, flags=self.facts.flags)
        return replace(self, source=HIDDEN.encode(), facts=facts, verdict=verdict)

    def detail(self) -> dict[str, Any]:
        """Return what the recording says of it, beside its bytes."""
        verdict = self.verdict
        return {
            "verdict": verdict.kind.value,
            "rules": list(verdict.rules),
            "reason": _told(verdict.reason),
            "policy": verdict.policy,
            **({"severity": verdict.severity.value} if verdict.severity else {}),
            **({"attack": list(verdict.attack)} if verdict.attack else {}),
            **({"warn": True} if verdict.warn else {}),
            **({"notify": True} if verdict.notify else {}),
            "facts": _told(self.facts.as_json()),
        }

    def line(self, session: str) -> str:
        """Return what the bot is told: that it is denied, or that it is warned."""
        verdict = self.verdict
        if self.hold is not None:
            return f"{self.hold.id} {_told(self.hold.outcome)} (session {session})"
        by = f" by {', '.join(verdict.rules)}" if verdict.rules else ""
        cannot = " (what is asked this way cannot wait for an approval)" if self.asks else ""
        told = "warned" if verdict.allowed else "denied"
        return f"{told}{by}: {_told(verdict.reason)}{cannot} (session {session})"


class Gate:
    """The gate of one session."""

    def __init__(self, asked: Asked, *, session: str, about: str) -> None:
        """`asked` gives the policy in force and its question, or raises Refused; `about` is for alerts."""
        self._asked = asked
        self.session = session
        self._about = about

    def filters(self, access: Access) -> bool:
        """Say whether any statement of this access may fare otherwise than another."""
        try:
            policy, request = self._asked(access)
        except Refused:
            return True
        return policy.filters(request)

    def raw_rules(self) -> Mapping[str, bool]:
        """Return the rules that grant raw terminals by name, and of each whether it does so whatever runs there."""
        try:
            policy, request = self._asked(Access.RAW)
        except Refused:
            return {}
        if not policy.decide(request).allowed:
            return {}
        rules = [rule for rule in policy.scope(request).rules if rule.allows and rule.when.access is not None]
        return {rule.id: rule.match is None for rule in rules}

    async def statement(
        self, source: bytes, access: Access, *, shell: str, why: str = "", hidden: bool = False
    ) -> Ruling:
        """Judge one shell statement; `why` says that it is none that can be understood, `hidden` to show it nobody."""
        facts = await facts_of(source, shell, why)
        if len(source) <= LONG_BYTES and sum(map(source.count, UNKNOWNS)) <= MANY_UNKNOWNS:
            return self.known(facts, access, source, hidden=hidden)
        try:
            policy, request = self._asked(access)
        except Refused as error:
            return self._ruled(facts, access, _refusal(error), source, hidden=hidden)
        verdict = await _off_the_loop(policy.judge, request, facts)
        return self._ruled(facts, access, verdict, source, hidden=hidden)

    def operation(self, facts: Facts) -> Ruling | None:
        """Judge an operation on files; None where the policy does not tell them apart."""
        if not self.filters(Access.SFTP):
            return None
        return self.known(facts, Access.SFTP, facts.statement.encode("utf-8", "surrogateescape"))

    def verdict(self, facts: Facts, access: Access) -> Verdict:
        """Return the verdict of the policy in force."""
        try:
            policy, request = self._asked(access)
            return policy.judge(request, facts)
        except Refused as error:
            return _refusal(error)

    def held_parts(self, ruling: Ruling, access: Access) -> tuple[Part, ...]:
        """Return what of a statement its rules have matched; nothing once another policy is in force."""
        try:
            policy, _request = self._asked(access)
        except Refused:
            return ()
        if policy.digest() != ruling.verdict.policy:
            return ()
        return held_parts(policy, ruling.facts, ruling.verdict.rules)

    def _masked(self, text: str, access: Access) -> str:
        """Return a statement as a log may have it."""
        try:
            policy, request = self._asked(access)
        except Refused:
            return text
        plan = policy.masking(request)
        return text if plan is None else ChannelMask(plan, b"").text(text)

    def known(self, facts: Facts, access: Access, source: bytes = b"", *, hidden: bool = False) -> Ruling:
        """Judge what is known already."""
        return self._ruled(facts, access, self.verdict(facts, access), source, hidden=hidden)

    def _ruled(
        self, facts: Facts, access: Access, verdict: Verdict, source: bytes, *, hidden: bool
    ) -> Ruling:
        ruling = Ruling(source=source, facts=facts, verdict=verdict)
        if verdict.notify:
            text = HIDDEN if hidden else self._masked(facts.statement[:LOOKED_CHARS], access)
            shown = text[:SHOWN_CHARS].encode("utf-8", "surrogateescape")
            log.warning(
                "alert session=%s %s verdict=%s rules=%s severity=%s statement=%r",
                self.session,
                self._about,
                verdict.kind.value,
                ",".join(verdict.rules),
                verdict.severity.value if verdict.severity else "none",
                shown,
            )
        return ruling


def _refusal(error: Refused) -> Verdict:
    return Verdict(kind=VerdictKind.DENY, rules=(), reason=error.public)


def _told(value: Any) -> Any:
    """Return a value whose texts are valid UTF-8; other bytes show as `\\xNN`."""
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        case dict():
            return {_told(key): _told(one) for key, one in value.items()}
        case list():
            return [_told(one) for one in value]
        case _:
            return value


async def facts_of(source: bytes, shell: str, why: str = "") -> Facts:
    """Return the facts of one statement for this shell, of which nothing is known if there is a `why`."""
    text = source.decode("utf-8", "surrogateescape")
    why = why or foreign(shell, source)
    if why:
        return unparsed(text, why)
    if len(source) > LONG_BYTES:
        return await _off_the_loop(_both, source)
    facts = quick(source)
    return await _off_the_loop(agreed, source, facts) if doubtful(source) else facts


def data_facts(why: str) -> Facts:
    """Return the facts of input that something else than the shell reads."""
    return Facts(statement="", language="data", flags=frozenset({Flag.DATA}), why={Flag.DATA: why})


def _both(source: bytes) -> Facts:
    facts = quick(source)
    return agreed(source, facts) if doubtful(source) else facts


async def _off_the_loop(work: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_pool, work, *args)
