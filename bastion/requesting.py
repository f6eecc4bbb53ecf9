"""Serve what a bot asks ahead: a statement that people decide on before any session runs it.

The statement is judged as it would be in a session of the same run. Where people must decide, their approval is a
grant: one later statement of this run uses it up, instead of being held.

In      a principal, the words of `request`; where to write
Out     text or JSON; an exit status: 0 approved, or no approval is needed; 1 without effect; 2 not understood;
        75 it still waits; 124 expired; 126 denied, or not to be had any more
Holds   nothing: what waits is on the desk
Errors  none to the door: each is a line
Source  docs/approvals.md, Ask ahead
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bastion.asking import REASON_CHARS, Author, Told, ask_of, objection
from bastion.gate import STATUS_DENIED, STATUS_EXPIRED, Gate, Ruling
from bastion.holds.errors import CannotHold
from bastion.holds.hold import Ask, Hold, State
from bastion.holds.office import Approvals, Chain
from bastion.holds.waiting import Waiting
from bastion.locks.book import Book
from bastion.locks.lock import party_of
from bastion.masking import Masking
from bastion.principal import Principal
from bastion.question import Question
from bastion.resolve import check_login, resolve
from bastion.served import Parser, Screen, Usage, answered
from bastion.settings import Config
from bastion.tasks import Tasks
from policies.duration import DAY_S, parse_duration
from policies.model import Access, Verdict, VerdictKind
from recorder.terminal import plain

COMMAND = "request"
STATUS_WAITS = 75  # sysexits.h, EX_TEMPFAIL
NOTED_CHARS = 4096  # of a statement that the policy alone has answered, in its entry on the audit chain
_CHANNEL = 1


def _parser() -> Parser:
    parser = Parser(
        prog=COMMAND,
        add_help=False,
        allow_abbrev=False,
        usage="request --target T [--login L] [--reason R] [--for TIME] [--no-wait] [--json] -- STATEMENT\n"
        "       request --poll ID [--json]",
        description="Ask people for a statement before it is to run, and wait for their answer. What they approve is "
        "good once, for the same statement by this run, until its certificate ends. With --no-wait an id is printed; "
        "--poll says how it stands: exit status 0 approved, 75 it waits, 124 expired, 126 denied or gone.",
    )
    parser.add_argument("-h", "--help", action="store_true", help="Show this.")
    parser.add_argument("--target", metavar="T", help="Where it is to run.")
    parser.add_argument("--login", metavar="L", help="As whom; left out, the only login that is open.")
    parser.add_argument(
        "--reason", default="", metavar="R", help="Why; the approvers are shown it as your word."
    )
    parser.add_argument(
        "--for", dest="for_time", metavar="TIME", help="How long the grant is good, such as 10m."
    )
    parser.add_argument("--no-wait", action="store_true", help="Print an id and end.")
    parser.add_argument("--poll", metavar="ID", help="Say how an earlier request of this run stands.")
    parser.add_argument("--json", action="store_true", help="Print one object.")
    parser.add_argument("statement", nargs="*", help="What is to run, behind --, as it will be written then.")
    return parser


_PARSER = _parser()


def words_of(line: str) -> list[str]:
    """Return the words of a command by POSIX quoting; raise ValueError.

    Behind `--` in a request all is one word, byte for byte: what `ssh TARGET STATEMENT` would send.
    """
    if line.split(maxsplit=1)[:1] != [COMMAND]:
        return shlex.split(line)
    source = io.StringIO(line)
    lexer = shlex.shlex(source, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in lexer:
        words.append(word)
        if word == "--":
            return [*words, line[source.tell() :]]
    return words


class RequestDesk:
    """The bots' side of the desk."""

    def __init__(
        self,
        approvals: Approvals,
        waiting: Waiting,
        book: Book,
        config: Callable[[], Config],
        now: Callable[[], float],
        chain: Chain,
    ) -> None:
        self._approvals = approvals
        self._waiting = waiting
        self._book = book
        self._config = config
        self._now = now
        self._chain = chain

    async def serve(self, principal: Principal, words: Sequence[str], screen: Screen) -> int:
        """Serve one request, and return its exit status."""
        return await answered(self._run(principal, words, screen), screen)

    async def _run(self, principal: Principal, words: Sequence[str], screen: Screen) -> int:
        given = _PARSER.parse_args(list(words[1:]))
        if given.help:
            await screen.write(_PARSER.format_help())
            return 0
        if given.poll is not None:
            return await self._poll(principal, given.poll, screen, as_json=given.json)
        statement = " ".join(given.statement)
        if not given.target or not statement.strip():
            raise Usage(
                f"--target and, behind --, the statement are needed\n{_PARSER.format_usage().rstrip()}"
            )
        return await self._ask(principal, given, statement, screen)

    async def _ask(
        self, principal: Principal, given: argparse.Namespace, statement: str, screen: Screen
    ) -> int:
        config = self._config()
        target = resolve(config, principal, given.target)
        self._book.check(party_of(principal, target.name))
        only = target.logins[0] if len(target.logins) == 1 else None
        login = check_login(config, principal, target, given.login or only)
        question = Question(principal, target, login, self._config)
        gate = Gate(
            question.asked,
            session="",
            about=f"identity={principal.name} target={target.name} login={login} asked-ahead",
        )
        author = Author(principal=principal, target=target.name, login=login)
        masking = Masking()
        masking.begin(_CHANNEL, question.masked(Access.EXEC))
        begins = question.begins(Access.EXEC)
        if not (begins.allowed or begins.held):
            await self._note(author, statement, given.reason, begins, masking)
            return await self._denied(f"exec on {target.name}: {begins.reason}", begins.rules, screen)
        ruling = await gate.statement(statement.encode(), Access.EXEC, shell=target.shell)
        verdict = ruling.verdict
        if not ruling.asks:
            await self._note(author, statement, given.reason, verdict, masking)
        if verdict.kind is VerdictKind.DENY:
            return await self._denied(verdict.reason, verdict.rules, screen)
        if not ruling.asks:
            by = f", by {', '.join(verdict.rules)}" if verdict.rules else ""
            text = f"no approval is needed: it may run as it is{by}"
            await self._tell(
                screen, {"state": "allowed", "rule": list(verdict.rules)}, text, as_json=given.json
            )
            return 0
        until = min(float(principal.login.valid_before), self._now() + _seconds(given.for_time))
        told = Told(
            session="",
            stated=given.reason[:REASON_CHARS],
            within_s=max(1.0, until - self._now()),
            good_until=until,
        )
        ask = await asyncio.to_thread(
            partial(ask_of, gate=gate, masking=masking, waiting=self._waiting),
            ruling,
            Access.EXEC,
            author,
            told,
            _CHANNEL,
        )
        if given.no_wait:
            hold = await self._approvals.put(ask)
            await self._tell(
                screen, _object(hold), f"{hold.id} waits: request --poll {hold.id}", as_json=given.json
            )
            return 0
        return await self._wait(ask, ruling, gate, screen, as_json=given.json)

    async def _wait(self, ask: Ask, ruling: Ruling, gate: Gate, screen: Screen, *, as_json: bool) -> int:
        """Wait for the answer; withdraw it when the client leaves."""

        async def held(hold: Hold) -> None:
            until = _clock(hold.expires_at)
            groups = ", ".join(sorted(ask.groups))
            text = f"asked ahead as {hold.id} by {', '.join(ask.rules)}: waits until {until} for {groups}"
            await screen.write(f"bastion: {text}\n", error=True)

        tasks = Tasks()
        waits = self._waiting.wait(
            ask, held=held, objection=lambda: objection(ruling, gate.verdict(ruling.facts, Access.EXEC))
        )
        try:
            answering = tasks.start(waits, "wait for an approval", awaited=True)
            leaving = tasks.start(screen.gone.wait(), "notice that the bot leaves", awaited=True)
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                return STATUS_DENIED  # nobody reads it: the hold is withdrawn
            hold: Hold = answering.result()
        finally:
            await tasks.cancel()
        await self._tell(screen, _object(hold), _text(hold), as_json=as_json, error=not _usable(hold))
        return _status(hold)

    async def _poll(self, principal: Principal, name: str, screen: Screen, *, as_json: bool) -> int:
        hold = self._approvals.published.find(name)
        if hold is None or not hold.ask.ahead or hold.ask.run != principal.login.key_id:
            raise CannotHold(f"there is no request {name[:32]} of run {principal.login.key_id}")
        await self._tell(screen, _object(hold), _text(hold), as_json=as_json)
        return _status(hold)

    async def _note(
        self, author: Author, statement: str, stated: str, verdict: Verdict, masking: Masking
    ) -> None:
        """Write down what the policy alone has answered: who tries out what it allows is seen doing it."""
        shown = await asyncio.to_thread(masking.text, _CHANNEL, statement)
        await self._chain.audit(
            "request.judged",
            {
                "identity": author.principal.name,
                "run": author.principal.login.key_id,
                "target": author.target,
                "login": author.login,
                "verdict": verdict.kind.value,
                "rules": list(verdict.rules),
                "policy": verdict.policy,
                "statement": "\n".join(map(plain, _cut(shown).split("\n"))),
                "stated": plain(masking.text(_CHANNEL, stated[:REASON_CHARS])),
            },
        )

    async def _denied(self, reason: str, rules: Sequence[str], screen: Screen) -> int:
        by = f" by {', '.join(rules)}" if rules else ""
        await screen.write(f"bastion: it would be denied{by}: {plain(reason)}\n", error=True)
        return STATUS_DENIED

    async def _tell(
        self, screen: Screen, value: dict[str, Any], text: str, *, as_json: bool, error: bool = False
    ) -> None:
        if as_json:
            await screen.write(f"{json.dumps(value)}\n")
        else:
            await screen.write(f"bastion: {text}\n" if error else f"{text}\n", error=error)


def _cut(text: str) -> str:
    left = len(text) - NOTED_CHARS
    return f"{text[:NOTED_CHARS]}… ({left} more characters)" if left > 0 else text


def _usable(hold: Hold) -> bool:
    return hold.state is State.APPROVED and not hold.spent


def _status(hold: Hold) -> int:
    match hold.state:
        case State.WAITING:
            return STATUS_WAITS
        case State.APPROVED if hold.spent.startswith("used"):
            return 0
        case State.APPROVED if hold.spent.startswith("expired"):
            return STATUS_EXPIRED
        case State.APPROVED:
            return STATUS_DENIED if hold.spent else 0
        case State.EXPIRED:
            return STATUS_EXPIRED
        case _:
            return STATUS_DENIED


def _text(hold: Hold) -> str:
    if hold.waits:
        return f"{hold.id} waits until {_clock(hold.expires_at)}"
    spent = f"; {hold.spent}" if hold.spent else f"; good once, until {_clock(hold.ask.good_until)}"
    return plain(f"{hold.id} {hold.outcome}{spent if hold.state is State.APPROVED else ''}")


def _object(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "state": hold.state.value,
        "why": plain(hold.why),
        "spent": plain(hold.spent),
        "run": hold.ask.run,
        "target": hold.ask.target,
        "login": plain(hold.ask.login),
        "rule": list(hold.ask.rules),
        "expires_at": _instant(hold.expires_at),
        "good_until": _instant(hold.ask.good_until),
    }


def _seconds(text: str | None) -> float:
    if text is None:
        return float(DAY_S)
    try:
        return float(parse_duration(text, low_s=1, high_s=DAY_S))
    except ValueError as error:
        raise Usage(f"--for: {error}\n{_PARSER.format_usage().rstrip()}") from error


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
