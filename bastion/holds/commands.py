"""Serve what people type: approvals, approve, deny; the same over SSH and on the bastion's machine.

In      words, split already; who types them; where to write
Out     text, JSON; an exit status: 0 done, 1 without effect, 2 not understood, 126 not allowed
Holds   FOLLOWED events for each follower that reads slowly; one that reads slower than that is let go of
Errors  none to the door: each is a line
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence

from bastion.holds import shown
from bastion.holds.callers import Caller, circle_of, person_of, voter_of
from bastion.holds.desk import Event
from bastion.holds.eligible import may_see, objection
from bastion.holds.errors import AnswerRefused
from bastion.holds.hold import Hold, State
from bastion.holds.live import FOLLOWED, LiveScreen
from bastion.holds.office import Approvals
from bastion.served import Live, NotAllowed, Parser, Screen, Usage, answered
from bastion.settings import Config
from bastion.tasks import Tasks
from recorder.terminal import plain

COMMANDS = ("approvals", "approve", "deny")


def _parser() -> Parser:
    parser = Parser(prog="", add_help=False, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, prog=name, description=help_text, add_help=False, allow_abbrev=False)
        made.add_argument("-h", "--help", action="store_true", help="Show this.")
        return made

    listing = command(
        "approvals",
        "List the statements that wait for an approval, the newest last; on a terminal, a live screen.",
    )
    listing.add_argument("--json", action="store_true", help="Print one array of objects.")
    listing.add_argument(
        "--follow", action="store_true", help="Go on with a line for each step; with --json an object."
    )
    listing.epilog = (
        "With --history, and --since, --identity, --person: what became of them; for who may read evidence."
    )
    approve = command("approve", "Let a statement run that waits: once, and exactly it.")
    approve.add_argument("id", metavar="ID", nargs="?")
    approve.add_argument("--reason", default="", help="Why, for the record.")
    approve.add_argument(
        "--for-session", action="store_true", help="Let the same statement run until its session ends."
    )
    deny = command("deny", "Refuse a statement that waits.")
    deny.add_argument("id", metavar="ID", nargs="?")
    deny.add_argument("--reason", default="", help="Why; the bot is told.")
    _HELP.update({"approvals": listing, "approve": approve, "deny": deny})
    return parser


_HELP: dict[str, argparse.ArgumentParser] = {}
_PARSER = _parser()


class Desk:
    """The people's side of the desk, at one door."""

    commands = COMMANDS

    def __init__(self, approvals: Approvals, config: Callable[[], Config], now: Callable[[], float]) -> None:
        self._approvals = approvals
        self._config = config
        self._now = now

    async def serve(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        """Run one command, and return its exit status."""
        return await answered(self._run(caller, words, screen), screen)

    async def _run(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        self._groups(caller)
        given = _parse(words)
        if given.help:
            await screen.write(_HELP[given.command].format_help())
            return 0
        match given.command:
            case "approvals" if given.follow:
                return await self._follow(caller, screen, as_json=given.json)
            case "approvals" if not given.json and (live := await screen.live()) is not None:
                return await self._live(caller, live)
            case "approvals":
                return await self._list(caller, screen, as_json=given.json)
            case _:
                return await self._answer(caller, screen, given)

    def _groups(self, caller: Caller) -> frozenset[str]:
        """Return the groups whose holds the caller may see; raise NotAllowed if they are nobody here."""
        try:
            return voter_of(caller, self._config()).groups
        except AnswerRefused as error:
            if caller.reads:
                return frozenset()
            raise NotAllowed(error.public) from error

    def name(self, caller: Caller) -> str:
        """Return what to call the caller; raise NotAllowed if they are nobody here."""
        self._groups(caller)
        person = person_of(caller, self._config())
        return person.name if person is not None else f"{caller.identity}, who may only look"

    def sees(self, caller: Caller, hold: Hold) -> bool:
        """Say whether the caller may see a hold; raise NotAllowed if they are nobody here."""
        return caller.reads or may_see(hold.ask, self._groups(caller))

    def objection(self, caller: Caller, hold: Hold) -> str | None:
        """Say why the caller's approval would not count."""
        config = self._config()
        try:
            voter = voter_of(caller, config)
        except AnswerRefused as error:
            return error.public
        circle = circle_of(config)
        objections = [objection(hold.ask, terms, voter, circle) for terms in hold.ask.terms]
        return None if any(one is None for one in objections) else objections[0]

    async def _live(self, caller: Caller, live: Live) -> int:
        try:
            await LiveScreen(self._approvals, self, self._now, caller, live).serve()
        finally:
            status = await live.end()
        return status

    async def _list(self, caller: Caller, screen: Screen, *, as_json: bool) -> int:
        await self._approvals.looked(caller, "approvals")
        seen = [hold for hold in self._approvals.published.waiting() if self.sees(caller, hold)]
        if as_json:
            await screen.write("[")
            for at, hold in enumerate(seen):
                await screen.write((",\n " if at else "\n ") + json.dumps(shown.hold_object(hold)))
            await screen.write("\n]\n" if seen else "]\n")
            return 0
        for at, hold in enumerate(seen):
            text = shown.hold_text(hold, self._now(), objection=self.objection(caller, hold))
            await screen.write(f"\n{text}" if at else text)
        if not seen:
            await screen.write("nothing waits for an approval\n")
        return 0

    async def _follow(self, caller: Caller, screen: Screen, *, as_json: bool) -> int:
        await self._approvals.looked(caller, "approvals --follow")
        events: asyncio.Queue[Event | None] = asyncio.Queue(FOLLOWED)
        slow = asyncio.Event()

        def heard(event: Event) -> None:
            try:
                events.put_nowait(event)
            except asyncio.QueueFull:
                slow.set()

        waiting = [Event(step="asked", hold=hold) for hold in self._approvals.published.waiting()]

        async def leave() -> None:
            await screen.gone.wait()
            await events.put(None)

        unlisten, tasks = self._approvals.published.listen(heard), Tasks()
        tasks.start(leave(), "leave")
        try:
            for event in waiting:
                await self._tell(caller, screen, event, as_json=as_json)
            while not slow.is_set():
                step = await events.get()
                if step is None:
                    return 0
                await self._tell(caller, screen, step, as_json=as_json)
        finally:
            unlisten()
            await tasks.cancel()
        await screen.write("bastion: events came faster than they were read; follow again\n", error=True)
        return 1

    async def _tell(self, caller: Caller, screen: Screen, event: Event, *, as_json: bool) -> None:
        if self.sees(caller, event.hold):
            line = json.dumps(shown.event_object(event)) + "\n" if as_json else shown.event_text(event)
            await screen.write(line)

    async def _answer(self, caller: Caller, screen: Screen, given: argparse.Namespace) -> int:
        if given.id is None:
            raise Usage(
                f"which one? `approvals` lists those that wait\n{_HELP[given.command].format_usage()}"
            )
        approve = given.command == "approve"
        if not approve and not given.reason.strip():
            raise Usage(f"--reason says why, and the bot is told\n{_HELP['deny'].format_usage()}")
        hold = await self._approvals.answer(
            caller,
            given.id,
            approve=approve,
            reason=given.reason,
            for_session=approve and given.for_session,
        )
        if hold.state is State.WAITING:
            await screen.write(f"{hold.id} has your approval and waits for that of others\n")
        else:
            await screen.write(f"{hold.id} {plain(hold.outcome)}\n")
        return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Return what the words say; raise Usage."""
    return _PARSER.parse_args(list(words))
