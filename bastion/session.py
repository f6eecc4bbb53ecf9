"""Serve one bot on one target: decide each request, relay what it lets through, record all of it.

The whole data path is this sentence: a Principal (identify) asks for a Target (resolve); each Request gets a Verdict
(decide); what may go on is carried (relay) to an Outcome, and nothing goes on before its Receipt (record).

In      a principal, a target, a login; channels with their requests
Out     a sealed recording
Errors  none to the channel's owner: every fault is told to the bot on its stderr, recorded, and ends the session
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from bastion.course import Course, StatementDenied, lay_course, still_free
from bastion.errors import Denied, Refused, TargetError
from bastion.gate import Gate
from bastion.inbox import Exited
from bastion.inlet import Channel
from bastion.principal import Principal, principal_of
from bastion.relay import STATUS_DENIED, BotEnd, PolicyChanged, Quota, QuotaExceeded, Relay, TargetEnd
from bastion.requests import Request
from bastion.resolve import access_request, find_target
from bastion.settings import Config, Target
from bastion.tasks import Tasks
from bastion.transfer import OperationDenied, ScpTap, SftpTap, StreamTap, Tap, TransferError
from policies.engine import Policy
from policies.model import Access, Verdict, VerdictKind
from policies.model import Request as Question
from recorder.errors import RecorderError
from recorder.events import Kind
from recorder.recording import Recording

log = logging.getLogger("bastion.session")

STATUS_SSH = 255
IDLE_LOOKS = 20  # in the time that a session may be idle
TELL_S = 0.3  # how long the end of a session may wait for a bot to take the reason


class Way(Protocol):
    """The way to one target as one login, for one session."""

    async def open(self, request: Request) -> TargetEnd:
        """Open a channel for a request; raise TargetError."""

    def close(self) -> None:
        """Close every channel and connection."""


class Session:
    """One bot on one target, over any number of channels."""

    def __init__(
        self,
        *,
        principal: Principal,
        target: Target,
        login: str,
        recording: Recording,
        way: Way,
        config: Callable[[], Config],
        ended: Callable[[Session, BaseException | None], None],
    ) -> None:
        """Take what the session needs; `config` gives the configuration in force at each request."""
        self.principal = principal
        self.target = target
        self.login = login
        self.recording = recording
        self.id = recording.id
        self.on_end: Callable[[], None] = lambda: None
        self._way = way
        self._config = config
        self._ended = ended
        self._gate = Gate(
            self._asked,
            session=self.id,
            about=f"identity={principal.name} target={target.name} login={login}",
        )
        self._tasks = Tasks()
        self._channels = 0
        self._bots: dict[int, BotEnd] = {}
        self._ending = False

    @property
    def idle(self) -> bool:
        """Say whether nothing runs in it: a multiplexing client keeps its session open for the next command."""
        return not self._bots

    @property
    def ending(self) -> bool:
        return self._ending

    async def handle(
        self, bot: BotEnd, request: Request, on_close: Callable[[], None] = lambda: None
    ) -> bool:
        """Decide a request and start to serve it; true means that the channel was taken over."""
        if self._ending:
            return False
        self._channels += 1
        channel = self._channels
        self._bots[channel] = bot
        try:
            verdict, access = await self._decide(channel, request)
            course = await self._lay(channel, request, access)
            target = await self._way.open(course.request)
        except QuotaExceeded as error:
            self.end(f"session ended: {error.public}")
        except Denied as error:
            self._tasks.start(self._refuse(bot, channel, error.public, STATUS_DENIED, on_close), "refuse")
        except TargetError as error:
            log.warning("session=%s target=%s %s", self.id, self.target.name, error)
            self._tasks.start(self._refuse(bot, channel, error.public, STATUS_SSH, on_close), "refuse")
        except RecorderError as error:
            self._fail(error)
            return False
        else:
            relay = self._relay(bot, target, channel, course, verdict)
            self._tasks.start(self._serve(relay, channel, on_close), f"relay {self.id}#{channel}")
        return True

    def watch_idle(self) -> None:
        """End the session once no byte has passed for too long, from now on."""
        self._tasks.start(self._end_when_idle(), f"idle {self.id}")

    async def _end_when_idle(self) -> None:
        passed_bytes, still_s = -1, 0.0
        while True:
            limit_s = self._config().limits.idle_session_s
            step_s = limit_s / IDLE_LOOKS
            await asyncio.sleep(step_s)
            still_s += step_s
            if self.recording.passed_bytes != passed_bytes:
                passed_bytes, still_s = self.recording.passed_bytes, 0.0
            if still_s >= limit_s:
                self.end(f"session ended: no byte passed either way for {limit_s} s (limit idle_session)")
                return

    async def refused(self, what: str, reason: str) -> None:
        """Record that something was asked for on the side, and refused."""
        try:
            await self.recording.append([self.recording.event(Kind.REFUSED, what=what, reason=reason)])
        except RecorderError as error:
            self._fail(error)

    def end(self, reason: str) -> None:
        """End the session now, telling the bot why."""
        if not self._ending:
            self._tasks.start(self.finish(reason, tell=True), f"end {self.id}")

    async def finish(self, reason: str, *, tell: bool = False, failure: BaseException | None = None) -> None:
        """Close what is open on either side, then close and seal the recording (once)."""
        if self._ending:
            return
        self._ending = True
        if tell:
            try:
                async with asyncio.timeout(TELL_S):
                    for channel, bot in list(self._bots.items()):
                        await self._say(bot, channel, reason)
            except TimeoutError:
                pass  # a bot that does not read is not waited for
            for bot in list(self._bots.values()):
                bot.close()
        told = list(self._bots.values()) if tell else []
        self._way.close()
        await self._tasks.cancel()
        try:
            await self.recording.close(reason)
        except RecorderError as error:
            failure = failure or error
        await _closed(told)
        self._ended(self, failure)
        self.on_end()

    async def _decide(self, channel: int, request: Request) -> tuple[Verdict, Access]:
        """Ask the policy in force whether the access may begin, and record the request with its verdict; raise Denied.

        A terminal may also begin as `raw`: recorded and not filtered.
        """
        access = request.access
        verdict = self._begins(access)
        terminal = request.pty is not None and access in (Access.EXEC, Access.SHELL)
        if terminal and not verdict.allowed and not verdict.rules and self._gate.raw_rules():
            access, verdict = Access.RAW, self._begins(Access.RAW)
        config = self._config()
        quota_bytes = config.recorder.quota_bytes
        if self.recording.content_bytes >= quota_bytes and verdict.record != "digest-only":
            raise QuotaExceeded(
                f"this session has reached the recorder's quota of {quota_bytes} bytes of content"
            )
        await self.recording.append(
            [
                self.recording.event(Kind.REQUEST, channel, request.data, **request.detail()),
                self.recording.event(
                    Kind.VERDICT,
                    channel,
                    verdict=verdict.kind.value,
                    rules=list(verdict.rules),
                    reason=verdict.reason,
                    policy=verdict.policy,
                ),
            ]
        )
        if access is None or not verdict.allowed:
            raise Denied(self._denial(access, verdict))
        return verdict, access

    def _begins(self, access: Access | None) -> Verdict:
        """Return whether an access may begin."""
        if access is None:
            return _denied("this subsystem is not served here")
        try:
            policy, question = self._asked(access)
            return policy.decide(question)
        except Refused as error:
            return _denied(error.public)

    async def _lay(self, channel: int, request: Request, access: Access) -> Course:
        """Lay the course of the request, and record the verdict on it if it is a statement; raise Denied."""
        target = find_target(self._config(), self.target.name) or self.target
        judged = Channel(
            gate=self._gate, recording=self.recording, number=channel, access=access, shell=target.shell
        )
        try:
            course = await lay_course(request, judged)
        except StatementDenied as denied:
            await self.recording.append([judged.statement(denied.ruling, request=True)])
            raise
        events = [judged.statement(course.ruling, request=True)] if course.ruling is not None else []
        if course.raw:
            events.append(self.recording.event(Kind.MARKER, channel, label="raw terminal: not filtered"))
        if events:
            await self.recording.append(events)
        return course

    def _asked(self, access: Access) -> tuple[Policy, Question]:
        """Return the policy in force and what it is asked; raise Refused."""
        config = self._config()
        return config.policy, self._question(config, access)

    def _question(self, config: Config, access: Access) -> Question:
        """Return what the policy is asked, by what the configuration says now; raise Refused."""
        principal = principal_of(self.principal.login, config, self.principal.peer)
        target = find_target(config, self.target.name)
        if target is None or self.login not in target.logins:
            raise Refused(f"{self.login}@{self.target.name} is no longer open")
        return access_request(principal, target, self.login, access)

    def _denial(self, access: Access | None, verdict: Verdict) -> str:
        what = access.value if access is not None else "this subsystem"
        by = f" by rule {', '.join(verdict.rules)}" if verdict.rules else ""
        return f"{what} denied on {self.target.name}{by}: {verdict.reason} (session {self.id})"

    def _relay(self, bot: BotEnd, target: TargetEnd, channel: int, course: Course, verdict: Verdict) -> Relay:
        request = course.request
        tap: Tap | None = None
        scp, stream = request.scp, request.stream
        if scp is not None:
            tap = ScpTap(scp, self._gate.operation)
        elif stream is not None:
            tap = StreamTap(stream)
        elif request.access is Access.SFTP:
            tap = SftpTap(self._gate.operation)
        quota = Quota(
            limit_bytes=self._config().recorder.quota_bytes, digest_only=verdict.record == "digest-only"
        )
        return Relay(
            bot=bot,
            target=target,
            recording=self.recording,
            channel=channel,
            quota=quota,
            tap=tap,
            inlet=course.inlet,
            free=still_free(request, self._gate, lambda: self._config().policy)
            if not course.raw
            else lambda: True,
        )

    async def _serve(self, relay: Relay, channel: int, on_close: Callable[[], None]) -> None:
        """Run one relay to its end, and end the session when it cannot go on."""
        try:
            outcome = await relay.run()
            if outcome.exited is None and not outcome.bot_gone:
                text = f"{self.target.name} closed the channel without saying how the command ended"
                if relay.target.lost:
                    text = f"the connection to {self.target.name} broke: {relay.target.lost}"
                await self._say(relay.bot, channel, text)
                relay.bot.close()
        except OperationDenied as error:
            await self._refuse(relay.bot, channel, error.public, STATUS_DENIED, on_close)
        except (QuotaExceeded, TransferError, PolicyChanged) as error:
            self.end(f"session ended: {error.public}")
        except RecorderError as error:
            self._fail(error)
        else:  # a session that ends takes leave of its bots itself
            self._bots.pop(channel, None)
            on_close()
        finally:
            relay.target.abort()

    async def _refuse(
        self, bot: BotEnd, channel: int, text: str, status: int, on_close: Callable[[], None]
    ) -> None:
        try:
            await self._say(bot, channel, text)
            await self.recording.append([self.recording.event(Kind.EXIT, channel, status=status)])
            bot.exit(Exited(status=status))
        except RecorderError as error:
            self._fail(error)
        else:
            self._bots.pop(channel, None)
            on_close()

    async def _say(self, bot: BotEnd, channel: int, text: str) -> None:
        """Write one line to the bot's stderr; what we say is recorded too, unless nothing can be any more."""
        line = f"bastion: {text}\r\n".encode()
        try:
            await self.recording.append([self.recording.event(Kind.NOTICE, channel, line)])
        except RecorderError:
            log.warning("session=%s could not record: %s", self.id, text)
        await bot.write(line, error=True)

    def _fail(self, error: RecorderError) -> None:
        """End the session because it cannot be recorded (law L2)."""
        if not self._ending:
            log.error("session=%s recorder failed: %s", self.id, error)
            reason = f"session ended: {error.public}"
            self._tasks.start(self.finish(reason, tell=True, failure=error), f"fail {self.id}")


def _denied(reason: str) -> Verdict:
    return Verdict(kind=VerdictKind.DENY, rules=(), reason=reason)


async def _closed(bots: list[BotEnd]) -> None:
    """Wait a little until each bot has closed its channel in turn: OpenSSH does so once it has shown what came on it.

    A disconnect that reaches it before that makes it exit at once, and what it was told is never seen.
    """
    try:
        async with asyncio.timeout(TELL_S):
            for bot in bots:
                await bot.inbox.closed.wait()
    except TimeoutError:
        pass
