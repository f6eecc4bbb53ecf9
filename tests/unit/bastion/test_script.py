"""A script's statements go on by their verdicts, in order, however its bytes arrive; what is data is judged as that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bastion.gate import Gate
from bastion.inlet import Admitted, Channel, Inlet
from bastion.script import DataInlet, ScriptInlet
from policies.engine import Policy
from policies.facts import Flag
from policies.model import Access, Match, Request, Rule, VerdictKind
from recorder.events import Kind
from recorder.recording import Recording
from tests.unit.bastion.relay_ends import open_recording, open_store

NAMED = Rule(
    id="named",
    verdict=VerdictKind.ALLOW,
    match=(Match(program=("echo", "cat", "read", "bash", "sh")),),
)
DATA = Rule(id="data", verdict=VerdictKind.ALLOW, match=(Match(flags=frozenset({Flag.DATA})),))
UNPARSED = Rule(id="unparsed", verdict=VerdictKind.ALLOW, match=(Match(flags=frozenset({Flag.UNPARSED})),))
REQUEST = Request(
    identity="orders-deployer",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={},
    login="deploy",
    access=Access.EXEC,
)


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    store = open_store(tmp_path)
    yield await open_recording(store)
    store.close()


def channel(recording: Recording, *rules: Rule) -> Channel:
    policy = Policy(rules=rules)
    gate = Gate(lambda access: (policy, REQUEST), session="01JD", about="")
    return Channel(gate=gate, recording=recording, number=1, access=Access.EXEC, shell="bash")


async def played(inlet: Inlet, chunks: Iterable[bytes]) -> list[Admitted]:
    """Feed an inlet until it shuts, then end its input."""
    admitted: list[Admitted] = []
    for chunk in chunks:
        admitted += [one async for one in inlet.take(chunk)]
        if any(one.shut for one in admitted):
            return admitted
    return admitted + [one async for one in inlet.end()]


def told(admitted: list[Admitted]) -> tuple[bytes, list[tuple[bytes, str]], bool]:
    """Return what went on, each statement with its verdict, and whether the input was shut."""
    events = [event for one in admitted for event in one.events]
    judged = [(event.data, str(event.detail["verdict"])) for event in events if event.kind is Kind.STATEMENT]
    recorded = b"".join(event.data for event in events if event.kind is Kind.INPUT)
    forward = b"".join(one.forward for one in admitted)
    assert recorded == forward, "what goes on is what is recorded"
    return forward, judged, any(one.shut for one in admitted)


SCRIPTS = {
    b"echo one\n\n# it's\necho two\n": (b"echo one\n\n# it's\necho two\n", False),
    b"echo one\nls\necho two\n": (b"echo one\n", True),
    b"echo 'a\nb'\necho c": (b"echo 'a\nb'\necho c", False),
    b"cat <<E\nls\nE\nls\n": (b"cat <<E\nls\nE\n", True),
    b"cat\nls\n": (b"cat\n", True),
    b"bash\necho one\nls\n": (b"bash\necho one\n", True),
    b"echo one\necho 'a\n": (b"echo one\n", True),
    b"echo one\0\necho two\n": (b"", True),
    b"echo one\n" * 200 + b"ls\n": (b"echo one\n" * 200, True),
}


@pytest.mark.parametrize("script", SCRIPTS)
async def test_l3_any_split_of_a_script_lets_the_same_bytes_go_on(
    recording: Recording, script: bytes
) -> None:
    expected, shut = SCRIPTS[script]
    whole = told(await played(ScriptInlet(channel(recording, NAMED)), [script]))
    assert (whole[0], whole[2]) == (expected, shut)
    for size in (1, 3, 7):
        chunks = [script[at : at + size] for at in range(0, len(script), size)]
        parts = told(await played(ScriptInlet(channel(recording, NAMED)), chunks))
        assert (parts[0], parts[2]) == (expected, shut)
        statements = [one for one in parts[1] if one[1] == "allow"]
        assert statements == [one for one in whole[1] if one[1] == "allow"]


async def test_data_that_a_rule_grants_goes_on_as_it_is(recording: Recording) -> None:
    """Also what would be refused in a statement: bytes without newlines, NULs, anything."""
    rest = b"\0\xff" * 100_000 + b"ls\n'"
    inlet = ScriptInlet(channel(recording, NAMED, DATA))
    forward, judged, shut = told(await played(inlet, [b"echo a\ncat\n" + rest[:10], rest[10:]]))
    assert (forward, shut) == (b"echo a\ncat\n" + rest, False)
    assert [verdict for _source, verdict in judged] == ["allow"] * 3


async def test_t33_what_cannot_be_passed_on_whole_is_refused_whatever_a_rule_grants(
    recording: Recording,
) -> None:
    inlet = ScriptInlet(channel(recording, NAMED, UNPARSED))
    forward, _judged, shut = told(await played(inlet, [b"echo 'a' )\n", b"echo " + b"a" * 70_000]))
    assert (forward, shut) == (b"echo 'a' )\n", True)


async def test_refused_data_is_shown_in_the_record_no_further_than_its_beginning(
    recording: Recording,
) -> None:
    inlet = DataInlet(channel(recording, NAMED), "a shell reads it")
    forward, judged, shut = told(await played(inlet, [b"x" * 100_000]))
    assert (forward, shut) == (b"", True)
    assert judged == [(b"x" * 1024, "deny")]


async def test_keys_that_are_refused_do_not_end_a_terminal_and_ctrl_c_passes(recording: Recording) -> None:
    inlet = DataInlet(channel(recording, NAMED), "keys", terminal=True)
    admitted = await played(inlet, [b"\x03", b"q\x03", b"more"])
    forward, judged, shut = told(admitted)
    assert (forward, shut) == (b"\x03\x03", False)
    assert judged == [(b"q\x03", "deny")]
    assert b"".join(one.told for one in admitted).count(b"denied") == 1


async def test_a_nested_sh_is_held_to_what_all_shells_read_alike(recording: Recording) -> None:
    inlet = ScriptInlet(channel(recording, NAMED))
    forward, judged, _shut = told(await played(inlet, [b"echo {a,b}\nsh\necho a\n", b"echo {a,b}\n"]))
    assert forward == b"echo {a,b}\nsh\necho a\n"
    assert judged[-1] == (b"echo {a,b}\n", "deny")
