"""bastion.transfer.shell_words agrees with real shells on every command that it takes."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.transfer.shell_words import simple_command

PIECES = [
    b"a",
    b"-x",
    b"=",
    b"%",
    b"\\ ",
    b"\\$",
    b"\\~",
    b"\\'",
    b"\\\\",
    b"\\n",
    b"\\\n",
    b"'b c'",
    b"'",
    b'"',
    b"~",
]
PIECES += [
    b"$x",
    b"`x`",
    b"$(x)",
    b";",
    b"&",
    b"|",
    b">y",
    b"#",
    b"{",
    b"}",
    b"!",
    b"^",
    b" ",
    b"\n",
    b"\t",
    b"\xe9",
]
commands = st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)


@given(commands)
def test_t23_the_words_are_those_of_a_posix_lexer(tail: bytes) -> None:
    words = simple_command(b"printf " + tail)
    if words is not None:
        assert [word.text for word in words] == shlex.split((b"printf " + tail).decode(), comments=True)


@pytest.mark.parametrize("shell", ["bash", "sh"])
@settings(max_examples=25)
@given(some=st.lists(commands, min_size=40, max_size=40))
def test_t23_the_words_are_those_that_a_shell_runs(shell: str, some: list[bytes]) -> None:
    """Each taken command is run, as one line of a script of its own shell; printf says which words it got."""
    taken = [
        (b"printf %s\\\\0 x" + tail, words)
        for tail in some
        if (words := simple_command(b"printf a b x" + tail))
    ]
    script = b"\n".join(command + b"; printf '\\n'" for command, _ in taken)
    done = subprocess.run([shell], input=script, capture_output=True, timeout=20, env={"HOME": "~"})
    assert done.stderr == b""
    told = [line.split(b"\0")[:-1] for line in done.stdout.split(b"\n")[:-1]]
    assert told == [[word.text.encode() for word in words[3:]] for _, words in taken]


@given(st.binary(max_size=20))
def test_any_bytes_give_words_or_none(command: bytes) -> None:
    words = simple_command(command)
    assert words is None or all(word.text.isascii() and word.text.isprintable() for word in words)


def test_a_pattern_never_begins_like_an_option() -> None:
    assert [word.pattern for word in simple_command(b"ls /srv/*.log x\\*") or []] == [False, True, False]
    for command in (b"ls -*", b"ls *", b"ls [a]", b"ls ''*", b"ls '-'*", b"ls \\-*"):
        assert simple_command(command) is None
