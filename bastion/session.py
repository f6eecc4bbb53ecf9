"""Serve one bot on one target: decide each request, relay what it lets through, record all of it.

The whole data path is this sentence: a Principal (identify) asks for a Target (resolve); each Request gets a Verdict
(decide); what may go on is carried (relay) to an Outcome, and nothing goes on before its Receipt (record).

In      a principal, a target, a login; channels with their requests
Out     a sealed recording
Errors  none to the channel's owner: every fault is told to the bot on its stderr, recorded, and ends the session
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from bastion.allowance import Allowance
from bastion.course import Course, StatementDenied, StatementHeld, still_free, tap_of
from bastion.decisions import Decisions
from bastion.ends import BotEnd, TargetEnd, if_kept
from bastion.errors import BastionError, Denied, TargetError
from bastion.gate import STATUS_DENIED, Gate, Ruling
from bastion.holding import Holding
from bastion.holds.waiting import Waiting
from bastion.idleness import idle_too_long
from bastion.inbox import Exited, all_closed
from bastion.inlet import Channel
from bastion.masking import Masking
from bastion.metering import ChannelMeter, LimitExceeded
from bastion.notices.reporting import Reporting, Scene
from bastion.principal import Principal
from bastion.question import Question
from bastion.quota import Quota, QuotaExceeded
from bastion.relay import PolicyChanged, Relay
from bastion.requests import Request
from bastion.settings import Config, Target
from bastion.tallies import Tallies
from bastion.tasks import Tasks
from bastion.transfer import OperationDenied, TransferError
from policies.masking.errors import DetectorFault
from policies.model import Access, Verdict
from recorder.errors import RecorderError
from recorder.events import Kind
from recorder.recording import Recording

log = logging.getLogger("bastion.session")

STATUS_SSH = 255
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
        waiting: Waiting,
        tallies: Tallies,
        reporting: Reporting,
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
        self._question = Question(principal, target, login, config)
        about = f"identity={principal.name} target={target.name} login={login}"
        self._gate = Gate(self._question.asked, session=self.id, about=about)
        self._masking = Masking()
        scene = Scene(principal=principal, session=self.id, target=target.name, login=login)
        recording.veil = reporting.watching(self._masking.events, scene)
        recording.ahead = self._masking.ahead
        self._holding = Holding(
            waiting,
            gate=self._gate,
            recording=recording,
            principal=principal,
            target=target.name,
            login=login,
            masking=self._masking,
        )
        self._decisions = Decisions(
            question=self._question,
            gate=self._gate,
            masking=self._masking,
            holding=self._holding,
            recording=recording,
            target=target,
            config=config,
        )
        self._tasks = Tasks()
        self._allowance = Allowance(
            self._holding,
            tallies,
            session_s=principal.identity.session_s,
            about=about,
            limits=lambda: config().policy.limits,
            joined=lambda: self._tasks.start(self._keep_told(), f"tally {self.id}"),
        )
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
            verdict, access = await self._decisions.decide(channel, request)
            relay = await self._begin(bot, channel, request, verdict, access)
        except StatementHeld as held:
            wait = self._when_settled(bot, channel, request, verdict, access, held.ruling, on_close)
            self._tasks.start(wait, f"hold {self.id}#{channel}")
        except (BastionError, RecorderError) as error:
            return self._not_begun(bot, channel, error, on_close)
        else:
            self._tasks.start(self._serve(relay, channel, on_close), f"relay {self.id}#{channel}")
        return True

    async def _begin(
        self,
        bot: BotEnd,
        channel: int,
        request: Request,
        verdict: Verdict,
        access: Access,
        settled: Ruling | None = None,
    ) -> Relay:
        """Lay the course of a request and open the way; raise StatementHeld, BastionError, RecorderError."""
        judged = self._decisions.channel(channel, request, access, bot)
        course = await self._decisions.lay(judged, request, settled)
        target = await self._way.open(course.request)
        meter = self._allowance.meter(bot, channel, self._question.limited(access), request.data, verdict)
        return self._relay(bot, target, judged, course, verdict, meter)

    def _not_begun(
        self, bot: BotEnd, channel: int, error: BastionError | RecorderError, on_close: Callable[[], None]
    ) -> bool:
        """Say why a request is not served; return whether the channel was taken over."""
        match error:
            case RecorderError():
                self._fail(error)
                return False
            case QuotaExceeded():
                self.end(f"session ended: {error.public}")
            case TargetError():
                log.warning("session=%s target=%s %s", self.id, self.target.name, error)
                self._tasks.start(self._refuse(bot, channel, error.public, STATUS_SSH, on_close), "refuse")
            case Denied():
                status = error.ruling.status if isinstance(error, StatementDenied) else STATUS_DENIED
                self._tasks.start(self._refuse(bot, channel, error.public, status, on_close), "refuse")
            case _:
                raise error
        return True

    async def _when_settled(
        self,
        bot: BotEnd,
        channel: int,
        request: Request,
        verdict: Verdict,
        access: Access,
        ruling: Ruling,
        on_close: Callable[[], None],
    ) -> None:
        """Serve a request that is a statement once people have approved it."""
        judged = self._decisions.channel(channel, request, access, bot)
        try:
            settled = await judged.settled(ruling, request=True)
            relay = await self._begin(bot, channel, request, verdict, access, settled)
        except (BastionError, RecorderError) as error:
            self._not_begun(bot, channel, error, on_close)
        else:
            await self._serve(relay, channel, on_close)

    def watch_idle(self) -> None:
        """End the session once no byte has passed for too long, from now on."""
        idle = idle_too_long(
            lambda: self._config().limits.idle_session_s,
            passed_bytes=lambda: self.recording.passed_bytes,
            waits=lambda: self._holding.held > 0,
        )
        self._tasks.start(self._end_after(idle), f"idle {self.id}")

    async def _end_after(self, idle: Awaitable[int]) -> None:
        limit_s = await idle
        self.end(f"session ended: no byte passed either way for {limit_s} s (limit idle_session)")

    async def refused(self, what: str, reason: str) -> None:
        """Record that something was asked for on the side, and refused."""
        try:
            await self.recording.append([self.recording.event(Kind.REFUSED, what=what, reason=reason)])
        except RecorderError as error:
            self._fail(error)

    def end(self, reason: str, status: int | None = None) -> None:
        """End the session now, telling the bot why, and its channels with a status if there is one."""
        if not self._ending:
            self._tasks.start(self.finish(reason, tell=True, status=status), f"end {self.id}")

    async def finish(
        self,
        reason: str,
        *,
        tell: bool = False,
        status: int | None = None,
        failure: BaseException | None = None,
    ) -> None:
        """Close what is open on either side, then close and seal the recording (once)."""
        if self._ending:
            return
        self._ending = True
        if tell:
            try:
                async with asyncio.timeout(TELL_S):
                    await self._holding.cancel(reason.removeprefix("session ended: "))
                    for channel, bot in list(self._bots.items()):
                        await self._say(bot, channel, reason)
            except TimeoutError:
                pass  # a bot that does not read is not waited for
            for channel, bot in list(self._bots.items()):
                await self._leave(bot, channel, status)
        told = list(self._bots.values()) if tell else []
        self._way.close()
        await self._tasks.cancel()
        try:
            if failure is None:
                await self.recording.append(self._allowance.counted())
            await self.recording.close(reason)
        except RecorderError as error:
            failure = failure or error
        self._allowance.leave()
        await all_closed([bot.inbox for bot in told], TELL_S)
        self._ended(self, failure)
        self.on_end()

    async def _leave(self, bot: BotEnd, channel: int, status: int | None) -> None:
        """Close a channel, with a status if there is one."""
        if status is None:
            bot.close()
            return
        with contextlib.suppress(RecorderError):
            await self.recording.append([self.recording.event(Kind.EXIT, channel, status=status)])
        bot.exit(Exited(status=status))

    def _relay(
        self,
        bot: BotEnd,
        target: TargetEnd,
        judged: Channel,
        course: Course,
        verdict: Verdict,
        meter: ChannelMeter | None,
    ) -> Relay:
        request = course.request
        quota = Quota(
            limit_bytes=self._config().recorder.quota_bytes, digest_only=verdict.record == "digest-only"
        )
        return Relay(
            bot=bot,
            target=target,
            recording=self.recording,
            channel=judged.number,
            quota=quota,
            tap=tap_of(request, judged.operation, self._masking.inspection(judged.number, self.id)),
            inlet=course.inlet,
            mask=self._masking.of(judged.number),
            meter=meter,
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
            await self._refuse(relay.bot, channel, error.public, error.status, on_close)
        except DetectorFault as error:
            log.error("session=%s %s", self.id, error)
            self.end(f"session ended: {error}")
        except LimitExceeded as error:
            self.end(f"session ended by {error.public}", error.status)
        except (QuotaExceeded, TransferError, PolicyChanged) as error:
            self.end(f"session ended: {error.public}")
        except RecorderError as error:
            self._fail(error)
        else:  # a session that ends takes leave of its bots itself
            self._bots.pop(channel, None)
            on_close()
        finally:
            relay.target.abort()
            self._masking.end(channel)

    async def _keep_told(self) -> None:
        try:
            await self._allowance.keep_told()
        except RecorderError as error:
            self._fail(error)

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
        say = partial(bot.send, line, error=True)
        try:
            notice = self.recording.event(Kind.NOTICE, channel, line)
            await self.recording.append([notice], landed=if_kept(say))
        except RecorderError:
            log.warning("session=%s could not record: %s", self.id, text)
            say()
        await bot.room()

    def _fail(self, error: RecorderError) -> None:
        """End the session because it cannot be recorded (law L2)."""
        if not self._ending:
            log.error("session=%s recorder failed: %s", self.id, error)
            reason = f"session ended: {error.public}"
            self._tasks.start(self.finish(reason, tell=True, failure=error), f"fail {self.id}")
