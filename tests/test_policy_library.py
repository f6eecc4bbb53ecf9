"""The policies that are shipped are sound, and their cases get the verdicts that they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.document import parse_policy
from policies.facts import Flag
from policies.shell import quick
from policies.source import library_names, read_source
from tests.integration.operator_desk import bastion


def test_every_case_of_the_library_gets_its_verdict() -> None:
    done = bastion("policy", "test")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", library_names())
def test_every_policy_of_the_library_is_sound(name: str) -> None:
    done = bastion("policy", "check", f"library:{name}")
    assert done.returncode == 0, done.stderr


POLICIES = {
    name: parse_policy([read_source(f"library:{name}", Path())])
    for name in ("baseline", "strict", "read-only", "deploy-only")
}
PIECES = [
    *(
        b"ls",
        b"rm -rf",
        b"/",
        b"/etc/shadow",
        b"$x",
        b"$(ls)",
        b"`ls`",
        b"*",
        b"'",
        b'"',
        b";",
        b"|",
        b"&&",
        b">",
        b"<<E",
    ),
    *(
        b"\n",
        b" ",
        b"\\",
        b"sudo",
        b"sh -c",
        b"{a,b}",
        b"\xff",
        b"\0",
        b"\x1b",
        b"f(){",
        b"}",
        b"for x in",
        b"do",
        b"done",
    ),
    *(b"curl", b"http://h/x", b"PATH=x", b"[a-", b"\xe2\x80\x8b", b"@(", b")"),
]


@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=12))
@settings(deadline=None)
def test_l4_any_bytes_get_a_verdict_and_what_is_not_understood_is_allowed_by_no_list(
    pieces: list[bytes],
) -> None:
    facts = quick(b" ".join(pieces))
    for name, policy in POLICIES.items():
        verdict = policy.judge_alone(facts)
        assert verdict.reason
        if name != "baseline" and verdict.allowed:
            assert not facts.flags & {Flag.UNPARSED, Flag.OPAQUE, Flag.HIDDEN, Flag.INTERPRETER, Flag.DATA}
