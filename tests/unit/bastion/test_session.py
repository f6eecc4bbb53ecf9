"""A session decides, records, relays and ends, and always says why."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bastion.errors import Unreachable
from bastion.holds.waiting import Waiting
from bastion.identity import Identity
from bastion.inbox import Closed, Data, Eof, Exited, Inbox, Resize
from bastion.notices.reporting import Reporting
from bastion.principal import Principal
from bastion.requests import Request
from bastion.session import Session
from bastion.settings import Config, Target
from bastion.tallies import Tallies
from policies.engine import Policy
from policies.model import Access, Rule, VerdictKind, When
from recorder.events import Kind
from recorder.evidence import Evidence, Filter
from recorder.recording import Header, Recording
from recorder.seal import KeySet, Signer, generate_seal_key
from recorder.store import Store


class Bot:
    """The bot's end, in memory."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.out = b""
        self.err = b""
        self.ended: Exited | str | None = None

    async def write(self, data: bytes, *, error: bool = False) -> None:
        self.send(data, error=error)

    def has_room(self) -> bool:
        return True

    async def room(self) -> None:
        pass

    def send(self, data: bytes, *, error: bool = False) -> None:
        if error:
            self.err += data
        else:
            self.out += data

    def write_eof(self) -> None:
        pass

    def exit(self, exited: Exited) -> None:
        self.ended = exited

    def close(self) -> None:
        self.ended = self.ended or "closed"


class Far:
    """The target's end, in memory."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.lost = ""
        self.got = b""
        self.aborted = False

    async def write(self, data: bytes) -> None:
        self.send(data)

    def has_room(self) -> bool:
        return True

    async def room(self) -> None:
        pass

    def send(self, data: bytes) -> None:
        self.got += data

    def write_eof(self) -> None:
        pass

    def resize(self, size: Resize) -> None:
        pass

    def signal(self, name: str) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class Road:
    """The way to the target, in memory."""

    def __init__(self, far: Far) -> None:
        self.far = far
        self.closed = False
        self.failure: Unreachable | None = None

    async def open(self, request: Request) -> Far:
        if self.failure is not None:
            raise self.failure
        return self.far

    def close(self) -> None:
        self.closed = True


class Scene:
    """A session on a real store, between two ends in memory."""

    def __init__(self, store: Store, rules: tuple[Rule, ...], quota_bytes: int) -> None:
        self.bot, self.far = Bot(), Far()
        self.road = Road(self.far)
        self.store = store
        self.ended = asyncio.Event()
        target = SimpleNamespace(name="web-1", labels={}, logins=("deploy",), shell="bash")
        self.config = SimpleNamespace(
            policy=Policy(rules=rules),
            recorder=SimpleNamespace(quota_bytes=quota_bytes),
            identities=(IDENTITY,),
            persons=(),
            targets=(target,),
        )
        header = Header(
            id="01JD0000000000000000000001",
            identity="orders-deployer",
            owner="dana",
            target="web-1",
            login="deploy",
            started_us=store.now_us(),
            claims={},
            certificate={},
            peer="192.0.2.1",
        )
        certified = SimpleNamespace(identity="orders-deployer", groups=("ci",))
        principal = SimpleNamespace(
            name="orders-deployer",
            login=certified,
            peer="192.0.2.1",
            owner="dana",
            identity=IDENTITY,
            groups=frozenset({"ci"}),
            claims={},
        )
        self.session = Session(
            principal=cast(Principal, principal),
            target=cast(Target, target),
            login="deploy",
            recording=Recording(store, header),
            way=self.road,
            config=lambda: cast(Config, self.config),
            waiting=cast(Waiting, None),  # nothing is held here
            tallies=Tallies(lambda *_: (), lambda: 0.0),
            reporting=Reporting(lambda _notice: None, lambda: 0.0),
            ended=lambda _session, _failure: self.ended.set(),
        )

    async def ask(self, request: Request) -> None:
        await self.session.recording.open()
        assert await self.session.handle(self.bot, request)

    async def over(self) -> None:
        async with asyncio.timeout(10):
            await self.ended.wait()

    async def bot_ended(self) -> None:
        async with asyncio.timeout(10):
            while self.bot.ended is None:
                await asyncio.sleep(0.005)

    def recorded(self) -> list[Any]:
        evidence = Evidence(self.store.path, KeySet.of(self.store.signer))
        events = list(evidence.events(self.session.id))
        evidence.close()
        return events


IDENTITY = Identity(
    name="orders-deployer",
    owner="dana",
    issuer="ci",
    match={"repository_id": "1"},
    groups=(),
    lifetime_s=600,
    session_s=600,
)
ALLOW = Rule(id="may", verdict=VerdictKind.ALLOW, when=When(access=frozenset({Access.EXEC})))
LENIENT = Rule(id="bulk", verdict=VerdictKind.ALLOW, when=When(), past_quota="digest-only")
EXEC = Request(kind="exec", data=b"run")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    tick = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000, 1000))
    store = Store(tmp_path / "recordings.sqlite", Signer(generate_seal_key()), now_us=lambda: next(tick))
    yield store
    store.close()


async def test_a_request_is_relayed_to_its_end(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(EXEC)
    scene.bot.inbox.put(Data(b"in"))
    scene.far.inbox.put(Data(b"out"))
    scene.far.inbox.put(Data(b"err", error=True))
    scene.far.inbox.put(Exited(status=4))
    scene.far.inbox.put(Closed())
    await scene.bot_ended()
    assert (scene.bot.out, scene.bot.err, scene.bot.ended) == (b"out", b"err", Exited(status=4))
    await scene.session.finish("done")
    await scene.over()
    assert scene.road.closed
    assert scene.recorded()[-1].detail["reason"] == "done"


async def test_l4_without_a_rule_a_request_is_denied_with_126_and_the_reason_is_recorded(
    store: Store,
) -> None:
    scene = Scene(store, (), 1 << 20)
    await scene.ask(EXEC)
    await scene.bot_ended()
    assert scene.bot.ended == Exited(status=126)
    assert b"exec denied on web-1" in scene.bot.err
    assert scene.session.id.encode() in scene.bot.err
    assert scene.far.got == b""
    kinds = [event.kind for event in scene.recorded()]
    assert kinds == [Kind.OPEN, Kind.REQUEST, Kind.VERDICT, Kind.NOTICE, Kind.EXIT]


async def test_a_subsystem_that_is_not_served_is_denied(store: Store) -> None:
    scene = Scene(store, (LENIENT,), 1 << 20)
    await scene.ask(Request(kind="subsystem", data=b"netconf"))
    await scene.bot_ended()
    assert scene.bot.ended == Exited(status=126)
    assert b"not served" in scene.bot.err


async def test_a_target_that_cannot_be_reached_is_told_on_stderr_with_255(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    scene.road.failure = Unreachable("secret address", public="target web-1 cannot be reached")
    await scene.ask(EXEC)
    await scene.bot_ended()
    assert scene.bot.ended == Exited(status=255)
    assert scene.bot.err == b"bastion: target web-1 cannot be reached\r\n"


async def test_past_the_quota_the_session_ends_and_says_so(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 2000)
    await scene.ask(EXEC)
    scene.far.inbox.put(Data(b"x" * 4000))
    await scene.over()
    assert scene.bot.out == b""
    assert b"quota of 2000 bytes" in scene.bot.err
    assert scene.far.aborted


async def test_past_the_quota_a_rule_may_let_it_go_on_by_length_and_digest(store: Store) -> None:
    scene = Scene(store, (LENIENT,), 2000)
    await scene.ask(EXEC)
    scene.far.inbox.put(Data(b"x" * 4000))
    scene.far.inbox.put(Exited(status=0))
    scene.far.inbox.put(Closed())
    await scene.bot_ended()
    assert scene.bot.out == b"x" * 4000
    digests = [event.detail for event in scene.recorded() if event.kind is Kind.DIGEST]
    assert digests[-1]["length"] == 4000
    assert digests[-1]["stream"] == "output"


async def test_l1_of_an_rsync_stream_length_and_digest_are_kept_and_stderr_whole(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(Request(kind="exec", data=b"rsync --server . /x"))
    scene.bot.inbox.put(Data(b"up"))
    for item in (Data(b"down"), Data(b"oops", True), Exited(status=23), Closed()):
        scene.far.inbox.put(item)
    await scene.bot_ended()
    assert (scene.far.got, scene.bot.out, scene.bot.err) == (b"up", b"down", b"oops")
    events = scene.recorded()
    told = {event.detail["stream"]: event.detail for event in events if event.kind is Kind.DIGEST}
    assert {stream: (it["of"], it["length"], it["ended"]) for stream, it in told.items()} == {
        "input": ("rsync", 2, True),
        "output": ("rsync", 4, True),
    }
    assert told["output"]["sha256"] == hashlib.sha256(b"down").hexdigest()
    kept = [(event.kind, event.data) for event in events if event.data]
    assert kept == [(Kind.REQUEST, b"rsync --server . /x"), (Kind.ERROR, b"oops")]
    (request,) = [event for event in events if event.kind is Kind.REQUEST]
    assert (request.detail["access"], request.detail["stream"]) == ("exec", "rsync")


async def test_t23_a_command_that_only_begins_like_rsync_is_kept_whole(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(Request(kind="exec", data=b"rsync --server . /x; sh"))
    scene.bot.inbox.put(Data(b"up"))
    for item in (Data(b"down"), Exited(status=0), Closed()):
        scene.far.inbox.put(item)
    await scene.bot_ended()
    kept = {event.kind: event.data for event in scene.recorded() if event.data}
    assert (kept[Kind.INPUT], kept[Kind.OUTPUT]) == (b"up", b"down")


async def test_t23_a_malformed_sftp_stream_ends_the_session(store: Store) -> None:
    scene = Scene(store, (LENIENT,), 1 << 20)
    await scene.ask(Request(kind="subsystem", data=b"sftp"))
    scene.bot.inbox.put(Data(b"\xff\xff\xff\xff\x01garbage"))
    await scene.over()
    assert scene.far.got == b""
    assert b"bastion:" in scene.bot.err


async def test_l2_when_nothing_can_be_recorded_the_session_ends_and_nothing_is_released(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(EXEC)
    store._connection.execute("PRAGMA query_only = ON")
    scene.far.inbox.put(Data(b"unrecorded"))
    await scene.over()
    store._connection.execute("PRAGMA query_only = OFF")
    assert scene.bot.out == b""
    assert b"session ended: the session recorder is not available" in scene.bot.err
    assert scene.session.recording.sealed is False


async def test_ending_a_session_tells_the_bot_and_closes_both_ends(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(EXEC)
    scene.session.end("session ended: target web-1 was removed")
    await scene.over()
    assert scene.bot.err == b"bastion: session ended: target web-1 was removed\r\n"
    assert scene.bot.ended == "closed"
    assert scene.road.closed
    assert not await scene.session.handle(Bot(), EXEC)
    evidence = Evidence(store.path, KeySet.of(store.signer))
    assert evidence.sessions(Filter())[0].end_reason == "session ended: target web-1 was removed"
    evidence.close()


async def test_t27_a_bot_that_vanishes_ends_what_it_ran(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(EXEC)
    scene.bot.inbox.put(Data(b"half"))
    scene.bot.inbox.put(Eof())
    scene.bot.inbox.put(Closed())
    async with asyncio.timeout(10):
        while not scene.far.aborted:
            await asyncio.sleep(0.005)
    assert scene.far.got == b"half"


async def test_a_reload_reaches_the_next_request_of_a_live_session(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    await scene.ask(EXEC)
    scene.far.inbox.put(Exited(status=0))
    scene.far.inbox.put(Closed())
    await scene.bot_ended()
    scene.config.targets = (SimpleNamespace(name="web-1", labels={}, logins=("someone-else",)),)
    later = Bot()
    assert await scene.session.handle(later, EXEC)
    async with asyncio.timeout(10):
        while later.ended is None:
            await asyncio.sleep(0.005)
    assert later.ended == Exited(status=126)
    assert b"deploy@web-1 is no longer open" in later.err


async def test_denied_requests_count_into_the_quota_too(store: Store) -> None:
    scene = Scene(store, (), 50_000)
    await scene.session.recording.open()
    for _request in range(10):
        bot = Bot()
        if not await scene.session.handle(bot, Request(kind="exec", data=b"x" * 20_000)):
            break
        await asyncio.sleep(0.02)
    await scene.over()
    assert b"quota" in bot.err or scene.session.ending
    assert sum(len(event.data) for event in scene.recorded()) < 100_000


async def test_a_session_is_idle_while_nothing_runs_in_it(store: Store) -> None:
    scene = Scene(store, (ALLOW,), 1 << 20)
    assert scene.session.idle
    await scene.ask(EXEC)
    assert not scene.session.idle
    scene.far.inbox.put(Exited(status=0))
    scene.far.inbox.put(Closed())
    await scene.bot_ended()
    async with asyncio.timeout(10):
        while not scene.session.idle:
            await asyncio.sleep(0.005)
