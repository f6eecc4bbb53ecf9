"""Decide the requests of one session by the policy in force, and lay the course of those that may begin.

In      a request on a channel
Out     its verdict and its course, on record before anything of it begins (law L1)
Errors  Denied, StatementDenied, StatementHeld, QuotaExceeded, RecorderError
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bastion.course import Course, StatementDenied, lay_course
from bastion.ends import BotEnd
from bastion.errors import Denied
from bastion.gate import Gate, Ruling, facts_of
from bastion.holding import REASON, Holding
from bastion.inlet import Channel
from bastion.masking import Masking
from bastion.question import Question
from bastion.quota import QuotaExceeded
from bastion.requests import Request
from bastion.resolve import find_target
from bastion.settings import Config, Target
from policies.model import Access, Verdict
from recorder.events import Event, Kind
from recorder.recording import Recording


class Decisions:
    """The decisions of one session."""

    def __init__(
        self,
        *,
        question: Question,
        gate: Gate,
        masking: Masking,
        holding: Holding,
        recording: Recording,
        target: Target,
        config: Callable[[], Config],
    ) -> None:
        self._question = question
        self._gate = gate
        self._masking = masking
        self._holding = holding
        self._recording = recording
        self._target = target
        self._config = config

    async def decide(self, channel: int, request: Request) -> tuple[Verdict, Access]:
        """Ask the policy in force whether the access may begin, and record the request with its verdict; raise Denied.

        A terminal may also begin as `raw`: recorded and not filtered.
        """
        access = request.access
        self._masking.begin(channel, self._question.masked(access))
        verdict = self._question.begins(access)
        terminal = request.pty is not None and access in (Access.EXEC, Access.SHELL)
        if terminal and not verdict.allowed and not verdict.rules and self._gate.raw_rules():
            access, verdict = Access.RAW, self._question.begins(Access.RAW)
        quota_bytes = self._config().recorder.quota_bytes
        if self._recording.content_bytes >= quota_bytes and verdict.record != "digest-only":
            raise QuotaExceeded(
                f"this session has reached the recorder's quota of {quota_bytes} bytes of content"
            )
        await self._recording.append(
            [
                self._recording.event(Kind.REQUEST, channel, request.data, **request.detail()),
                self._recording.event(
                    Kind.VERDICT,
                    channel,
                    verdict=verdict.kind.value,
                    rules=list(verdict.rules),
                    reason=verdict.reason,
                    policy=verdict.policy,
                ),
            ]
        )
        waits = verdict.held and access is not Access.RAW  # each statement or operation will, by itself
        if access is None or not (verdict.allowed or waits):
            raise Denied(self._question.denial(access, verdict, self._recording.id))
        return verdict, access

    async def lay(self, judged: Channel, request: Request, settled: Ruling | None = None) -> Course:
        """Lay the course of the request, and record the verdict on it if it is a statement.

        One that people have settled is on record. Raise Denied, StatementHeld.
        """
        mask = self._masking.of(judged.number)
        if request.stream is not None and mask is not None and mask.plan.refuses_unread:
            raise Denied(
                f"{request.stream.program} denied on {self._target.name}: what it carries cannot be read,"
                f" and the policy refuses what cannot (session {self._recording.id})"
            )
        try:
            course = await lay_course(request, judged, settled)
        except StatementDenied as denied:
            if denied.ruling.hold is None:
                await self._recording.append([judged.statement(denied.ruling, request=True)])
            raise
        events = (
            [judged.statement(course.ruling, request=True)]
            if course.ruling and not course.ruling.hold
            else []
        )
        if course.raw:
            events.append(
                self._recording.event(Kind.MARKER, judged.number, label="raw terminal: not filtered")
            )
        if events:
            await self._recording.append(events)
        if request.kind == "exec" and request.pty is None and self._question.excepts_files(judged.access):
            facts = course.ruling.facts if course.ruling else await facts_of(request.data, judged.shell)
            plan = self._question.masked(judged.access)
            self._masking.begin(judged.number, plan, self._question.masked(judged.access, facts))
        return course

    def channel(self, number: int, request: Request, access: Access, bot: BotEnd) -> Channel:
        """Return what judges the statements of a channel."""

        async def settle(ruling: Ruling, statement: Event) -> Ruling:
            return await self._holding.settle(
                ruling,
                access,
                channel=number,
                inbox=bot.inbox,
                say=partial(bot.send, error=True),
                statement=statement,
                stated=request.environment.get(REASON, ""),
                terminal=request.pty is not None,
            )

        return Channel(
            gate=self._gate,
            recording=self._recording,
            number=number,
            access=access,
            shell=(find_target(self._config(), self._target.name) or self._target).shell,
            settle=settle,
        )
