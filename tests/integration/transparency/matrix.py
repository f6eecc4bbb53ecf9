"""Keep the list of what must be the same through the bastion as through a plain jump host, and of what differs.

Each entry is one test and one row of docs/compatibility.md. To add some:

1.  Write a module `cases_<subject>.py` beside this one (it is found by its name), or add to one that is there.
2.  Name the client program, once per module, with the command that prints its version:

        RSYNC = Client(name="rsync", ask=("rsync", "--version"), version=r"version (\\S+)")

3.  Write a function that takes a Way and does there what a user would do, in a folder prepared for it:

        @case("rsync", RSYNC, "push of a tree, times and modes kept")
        def push(way: Way) -> None:
            (way.here / "a").write_bytes(b"hello")
            done = way.run("rsync", "-a", "-e", "ssh -F ssh_config", "here/", "target:{there}/")
            assert done.status == 0

    It is run once for each way, both at the same time. Everything that `way.run`, `way.ssh` and `way.each` printed,
    with exit statuses, everything given to `way.saw`, and all files in `way.here` and `way.there` (content, mode, and
    times that are older than the case) must be equal both ways. `assert` is for what must be so both ways: it keeps a
    case from passing because the program is not installed. Programs are run in `way.job`; its files are described in
    way.py. `{here}`, `{there}` and `{job}` in words are filled in; in output the folder's name reads `@`.

4.  What differs by design is a function of both ways that checks how each behaves:

        @differs("rsync", RSYNC, "rsync's own daemon through -L", plain="works", bastion="refused", why="no tunnels")
        def daemon(plain: Way, bastion: Way) -> None: ...

5.  Run `scripts/docs`, which writes the page anew.

A program that a case needs is installed by scripts/setup.
"""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.integration.transparency.way import Way
from tests.integration.transparency.ways import Ways

CASE_S = 100  # then what a case has started is killed, and the case has failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program whose way through the bastion is tried, and how to learn its version."""

    name: str
    ask: tuple[str, ...]
    version: str

    def installed(self) -> str:
        """Return the version of the program on this machine; raise OSError or LookupError."""
        done = subprocess.run(self.ask, capture_output=True, timeout=30)
        found = re.search(self.version, (done.stdout + done.stderr).decode(errors="replace"))
        if found is None:
            raise LookupError(f"{' '.join(self.ask)} does not say its version")
        return found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Something that must come out the same both ways; `but` names what is left out of the comparison."""

    group: str
    client: Client
    title: str
    but: str
    story: Callable[[Way], None]

    def check(self, ways: Ways) -> None:
        """Run it both ways at once, and compare."""
        both = (ways.plain, ways.bastion)
        for way in both:
            way.clear()
        with ThreadPoolExecutor(2) as pool:
            stories = {way: pool.submit(self.story, way) for way in both}
            try:
                for way, done in stories.items():
                    _told(way, done)
            finally:
                for way in both:
                    way.end()
        assert ways.bastion.seen == ways.plain.seen
        assert ways.bastion.files() == ways.plain.files()
        assert ways.plain.seen or ways.plain.files(), "nothing was compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not as through a plain jump host, and is not meant to be."""

    group: str
    client: Client
    title: str
    plain: str
    bastion: str
    why: str
    story: Callable[[Way, Way], None]

    def check(self, ways: Ways) -> None:
        """Run what shows it."""
        for way in (ways.plain, ways.bastion):
            way.clear()
        try:
            self.story(ways.plain, ways.bastion)
        finally:
            for way in (ways.plain, ways.bastion):
                way.end()


def _told(way: Way, story: Future[None]) -> None:
    """Wait for a story to end; a failure says on which way, and what came before it."""
    try:
        story.result(CASE_S)
    except BaseException as error:
        error.add_note(f"on the way {way.job.name} ({type(way).__name__}), after {way.seen[-3:]}")
        raise


CASES: list[Case] = []
DIFFERENCES: list[Difference] = []


def case(
    group: str, client: Client, title: str, *, but: str = ""
) -> Callable[[Callable[[Way], None]], Callable[[Way], None]]:
    """Enter a function as a case."""

    def enter(story: Callable[[Way], None]) -> Callable[[Way], None]:
        CASES.append(Case(group=group, client=client, title=title, but=but, story=story))
        return story

    return enter


def differs(
    group: str, client: Client, title: str, *, plain: str, bastion: str, why: str
) -> Callable[[Callable[[Way, Way], None]], Callable[[Way, Way], None]]:
    """Enter a function as a difference by design."""

    def enter(story: Callable[[Way, Way], None]) -> Callable[[Way, Way], None]:
        DIFFERENCES.append(
            Difference(
                group=group, client=client, title=title, plain=plain, bastion=bastion, why=why, story=story
            )
        )
        return story

    return enter


def load() -> None:
    """Import every module of cases, in the order of their names."""
    for path in sorted(Path(__file__).parent.glob("cases_*.py")):
        importlib.import_module(f"tests.integration.transparency.{path.stem}")
