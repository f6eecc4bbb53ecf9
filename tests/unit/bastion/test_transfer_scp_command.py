"""Which commands bastion.transfer.parse_scp_command takes for an scp server."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.transfer import ScpCommand, parse_scp_command

TAKEN = {
    b"scp -t .": ScpCommand(upload=True, path="."),
    b"scp -f /srv/app.tgz": ScpCommand(upload=False, path="/srv/app.tgz"),
    b"scp -v -r -p -d -t /srv/": ScpCommand(
        upload=True, path="/srv/", recursive=True, times=True, directory=True
    ),
    b"scp -tr /srv/app": ScpCommand(upload=True, path="/srv/app", recursive=True),
    b"scp -qrt -- -odd": ScpCommand(upload=True, path="-odd", recursive=True),
    b"scp -t ~/x": ScpCommand(upload=True, path="~/x"),
    b"scp -f ~deploy/releases/v1.2+3@x,y:z=1%": ScpCommand(
        upload=False, path="~deploy/releases/v1.2+3@x,y:z=1%"
    ),
    b"scp -t ../../etc": ScpCommand(upload=True, path="../../etc"),
}

NOT_TAKEN = [
    b"scp -t x; sh",
    b"scp -t x&",
    b"scp -t x|sh",
    b"scp -t x>y",
    b"scp -t $(id)",
    b"scp -t `id`",
    b"scp -t $HOME",
    b"scp -t 'x'",
    b'scp -t "x"',
    b"scp -t x\\ y",
    b"scp -t x y",
    b"scp -t *",
    b"scp -t x?",
    b"scp -t [x]",
    b"scp -t {a,b}",
    b"scp -t !x",
    b"scp -t x#y",
    b"scp -t x\nsh",
    b"scp -t x\n",
    b"scp -t x\r",
    b"scp -t x\0",
    b"scp\t-t x",
    b"scp -t caf\xc3\xa9",
    b"scp -t =ls",
    b"scp -t %self",
    b"scp -t ~+",
    b"scp -t ~-",
    b"scp -t ~1",
    b"scp -t x~",
    b"scp -t ",
    b"scp -t",
    b"scp -t --",
    b"scp -t -x",
    b"scp -t -r",
    b"scp -t x -r",
    b"scp -tf x",
    b"scp -t -f x",
    b"scp -t -t x",
    b"scp -r x",
    b"scp x",
    b"scp -S sh -t x",
    b"scp -o ProxyCommand=sh -t x",
    b"scp -t -l 1 x",
    b" scp -t x",
    b"scp -t x ",
    b"/usr/bin/scp -t x",
    b"A=b scp -t x",
    b"sudo scp -t x",
    b"scpx -t x",
    b"",
]


@pytest.mark.parametrize("command", TAKEN)
def test_an_scp_server_is_recognised(command: bytes) -> None:
    assert parse_scp_command(command) == TAKEN[command]


@pytest.mark.parametrize("command", NOT_TAKEN)
def test_t23_anything_else_is_a_plain_exec(command: bytes) -> None:
    assert parse_scp_command(command) is None


@given(
    st.one_of(
        st.binary(max_size=12), st.text(alphabet="-tf rp;$(`'\"~*\n\\&|=%x/", max_size=12).map(str.encode)
    )
)
def test_t23_what_is_taken_has_the_same_words_for_any_shell(tail: bytes) -> None:
    command = parse_scp_command(b"scp -t " + tail)
    if command is not None:
        words = shlex.split((b"scp -t " + tail).decode(), comments=True)
        assert words[0] == "scp"
        assert words[-1] == command.path
        assert all(word.startswith("-") for word in words[1:-1])
