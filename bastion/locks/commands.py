"""Serve what people type about locks: lock, unlock, locks; the same over SSH and on the bastion's machine.

In      words, split already; who types them; where to write
Out     text, JSON; an exit status: 0 done, 1 without effect, 2 not understood, 126 not allowed
Errors  none to the door: each is a line
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bastion.holds.callers import Caller, person_of
from bastion.identity import resolve_owner
from bastion.locks.keeper import LockRefused, Locks, Wish
from bastion.locks.lock import Kind, Lock, Subject, find_person, owner_now
from bastion.principal import find_identity
from bastion.resolve import find_target
from bastion.served import NotAllowed, Parser, Screen, Usage, answered
from bastion.settings import Config
from policies.duration import DAY_S, parse_duration
from recorder.terminal import plain

COMMANDS = ("lock", "unlock", "locks")
REASON_CHARS = 200
LONGEST_S = 366 * DAY_S
SHOWN_SESSIONS = 20
_RUN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _parser() -> tuple[Parser, dict[str, argparse.ArgumentParser]]:
    parser = Parser(prog="", add_help=False, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, prog=name, description=help_text, add_help=False, allow_abbrev=False)
        made.add_argument("-h", "--help", action="store_true", help="Show this.")
        return made

    lock = command(
        "lock", "Stop an identity, a person with all that they own, a target, a session or a run, now."
    )
    lock.add_argument("kind", nargs="?", metavar="|".join(Kind), help="What NAME is the name of.")
    lock.add_argument("name", nargs="?", metavar="NAME", help="Of a run: IDENTITY/RUN; of a session: its id.")
    lock.add_argument("--reason", default="", help="Why, for the record; who runs into the lock is not told.")
    lock.add_argument(
        "--for", dest="for_time", metavar="TIME", help="How long, such as 2h; else until unlocked."
    )
    lock.add_argument("--json", action="store_true", help="Print one object.")
    unlock = command("unlock", "Lift a lock, by its id in `locks`: what it stopped may start again.")
    unlock.add_argument("id", nargs="?", metavar="ID")
    unlock.add_argument("--reason", default="", help="Why, for the record.")
    listing = command("locks", "List the locks in force, the newest last.")
    listing.add_argument("--json", action="store_true", help="Print one array of objects.")
    return parser, {"lock": lock, "unlock": unlock, "locks": listing}


_PARSER, _HELP = _parser()


class LockDesk:
    """The people's side of the locks, at one door."""

    commands = COMMANDS

    def __init__(self, locks: Locks, config: Callable[[], Config]) -> None:
        self._locks = locks
        self._config = config

    async def serve(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        """Run one command, and return its exit status."""
        return await answered(self._run(caller, words, screen), screen)

    async def _run(self, caller: Caller, words: Sequence[str], screen: Screen) -> int:
        self._check_may(caller, reading=list(words[:1]) == ["locks"])
        given = _PARSER.parse_args(list(words))
        if given.help:
            await screen.write(_HELP[given.command].format_help())
            return 0
        match given.command:
            case "lock":
                return await self._lock(caller, screen, given)
            case "unlock":
                return await self._unlock(caller, screen, given)
            case _:
                return await self._list(caller, screen, as_json=given.json)

    def _check_may(self, caller: Caller, *, reading: bool) -> None:
        """Raise NotAllowed unless the caller may set and lift locks, or at least read of them."""
        config = self._config()
        if _owns_the_process(caller) or (reading and caller.reads):
            return
        person = person_of(caller, config)
        groups = frozenset(caller.groups) | frozenset(person.groups if person is not None else ())
        if not groups & config.bastion.lockers:
            needed = ", ".join(sorted(config.bastion.lockers)) or "none"
            who = f"identity {caller.identity}" if caller.identity is not None else f"uid {caller.uid}"
            raise NotAllowed(f"{who} may not lock or unlock: that takes a group among {needed}")

    async def _lock(self, caller: Caller, screen: Screen, given: argparse.Namespace) -> int:
        subject = self._subject(caller, given)
        if len(given.reason) > REASON_CHARS:
            raise LockRefused(f"the reason is longer than {REASON_CHARS} characters")
        wish = Wish(
            subject=subject,
            reason=given.reason,
            by=self._name(caller),
            how=caller.how,
            for_s=_seconds(given.for_time),
        )
        done = await self._locks.set(wish)
        if given.json:
            told = {**lock_object(done.lock), "ended": done.ended, "sessions_ended": list(done.sessions)}
            await screen.write(f"{json.dumps(told)}\n")
        else:
            until = f" until {_instant(done.lock.until)}" if done.lock.until is not None else ""
            which = ", ".join(done.sessions[:SHOWN_SESSIONS])
            more = ", …" if done.ended > SHOWN_SESSIONS else ""
            ended = f"{done.ended} live session{'' if done.ended == 1 else 's'} ended"
            said = f"{done.lock.id} {plain(str(done.lock.subject))} is locked{until}; {ended}"
            await screen.write(f"{said}{': ' if which else ''}{which}{more}\n")
        if subject.kind in (Kind.IDENTITY, Kind.PERSON) and not self._lockers_left():
            text = "no declared identity that may lift it is left unlocked: root on the bastion's machine can"
            await screen.write(f"bastion: {text}\n", error=True)
        return 0

    def _subject(self, caller: Caller, given: argparse.Namespace) -> Subject:
        """Return what is to be locked; raise Usage or LockRefused."""
        usage = _HELP["lock"].format_usage().rstrip()
        if given.kind not in tuple(Kind) or not given.name:
            raise Usage(f"lock what? one of {', '.join(Kind)}, and its name\n{usage}")
        if not given.reason.strip():
            raise Usage(f"--reason says why, for the record\n{usage}")
        subject = self._declared(Subject(kind=Kind(given.kind), name=given.name))
        if self._is_own(caller, subject):
            raise LockRefused(f"{subject} is you, or yours to come in by: somebody else must lock that")
        return subject

    def _declared(self, subject: Subject) -> Subject:
        """Return the subject by the name that it is declared under; raise LockRefused."""
        config, name = self._config(), subject.name
        found: str | None = name
        match subject.kind:
            case Kind.IDENTITY:
                found = name if find_identity(config, name) is not None else None
            case Kind.PERSON:
                found = find_person(name, config)
            case Kind.TARGET:
                target = find_target(config, name)
                found = target.name if target is not None else None
            case Kind.RUN:
                identity, _, run = name.partition("/")
                if not _RUN.fullmatch(run) or find_identity(config, identity) is None:
                    raise LockRefused(
                        f"no run {name[:130]}: expected IDENTITY/RUN, as in a certificate's key id"
                    )
            case Kind.SESSION:
                pass  # the evidence store knows
        if found is None:
            raise LockRefused(f"no {subject.kind.value} {name[:64]} is declared at this bastion")
        return Subject(kind=subject.kind, name=found)

    def _is_own(self, caller: Caller, subject: Subject) -> bool:
        """Say whether a lock would shut the caller out."""
        config = self._config()
        person = person_of(caller, config)
        match subject.kind:
            case Kind.IDENTITY:
                return subject.name == caller.identity
            case Kind.PERSON:
                owner = owner_now(caller.identity, config) if caller.identity is not None else None
                return subject.name == owner or (person is not None and subject.name == person.name)
            case Kind.RUN:
                return subject.name.partition("/")[0] == caller.identity
            case _:
                return False

    def _lockers_left(self) -> bool:
        """Say whether a declared identity is left that may lift locks; groups out of tokens are not known."""
        config, book = self._config(), self._locks.book
        groups = {name: frozenset(one.groups) for one in config.persons for name in one.identities}
        return any(
            not book.stops(identity.name, resolve_owner(identity, config.persons))
            for identity in config.identities
            if (frozenset(identity.groups) | groups.get(identity.name, frozenset())) & config.bastion.lockers
        )

    async def _unlock(self, caller: Caller, screen: Screen, given: argparse.Namespace) -> int:
        if given.id is None:
            raise Usage(f"which one? `locks` lists those in force\n{_HELP['unlock'].format_usage().rstrip()}")
        if len(given.reason) > REASON_CHARS:
            raise LockRefused(f"the reason is longer than {REASON_CHARS} characters")
        lock = await self._locks.lift(given.id, reason=given.reason, by=self._name(caller), how=caller.how)
        others = [one.id for one in self._locks.book.standing() if one.subject == lock.subject]
        more = f"; it stays locked by {', '.join(others)}" if others else ""
        await screen.write(f"{lock.id} is lifted: {lock.subject}{more}\n")
        return 0

    async def _list(self, caller: Caller, screen: Screen, *, as_json: bool) -> int:
        await self._locks.looked(caller.how)
        locks = self._locks.book.standing()
        if as_json:
            await screen.write(f"{json.dumps([lock_object(lock) for lock in locks], indent=1)}\n")
            return 0
        await screen.write("".join(map(_text, locks)) or "nothing is locked\n")
        return 0

    def _name(self, caller: Caller) -> str:
        person = person_of(caller, self._config())
        return person.name if person is not None else caller.identity or caller.how


def lock_object(lock: Lock) -> dict[str, Any]:
    """Return a lock as an object for JSON."""
    return {
        "id": lock.id,
        "kind": lock.subject.kind.value,
        "name": lock.subject.name,
        "reason": plain(lock.reason),
        "by": plain(lock.by),
        "how": plain(lock.how),
        "at": _instant(lock.at),
        "until": None if lock.until is None else _instant(lock.until),
    }


def _text(lock: Lock) -> str:
    until = "until it is lifted" if lock.until is None else f"until {_instant(lock.until)}"
    return (
        f"{lock.id}  {plain(str(lock.subject))}, {until}\n"
        f"        by {plain(lock.by)} at {_instant(lock.at)}: {plain(lock.reason)}\n"
    )


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(parse_duration(text, low_s=1, high_s=LONGEST_S))
    except ValueError as error:
        raise Usage(f"--for: {error}\n{_HELP['lock'].format_usage().rstrip()}") from error


def _owns_the_process(caller: Caller) -> bool:
    """Say whether it is root or the bastion's own user, who can end the process anyway."""
    return caller.uid is not None and caller.uid in (0, os.geteuid())


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
