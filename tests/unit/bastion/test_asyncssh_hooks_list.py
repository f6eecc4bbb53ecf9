"""Each hook into asyncssh is on one list, with why it is needed, what would replace it, and a test that there is."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.connection import SSHConnection, SSHServerConnection

from bastion.adapters import asyncssh_hooks
from bastion.adapters.asyncssh_hooks import bounds, channel, channel_bounds, connection

HERE = Path(__file__).parent
ENTRY = re.compile(r"^(\S.*?)\n    (\S.*?)\n    Test: (\w+)$", re.DOTALL | re.MULTILINE)
LIST = (asyncssh_hooks.__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]
ENTRIES = {names: (why, test) for names, why, test in ENTRY.findall(LIST)}
TESTS = {
    node.name
    for path in HERE.glob("test_asyncssh_hooks*.py")
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}
# Overridden because another of the same entry is.
BESIDE = {
    *(
        "__init__",
        "connection_made",
        "room",
        "data_received",
        "_cleanup",
        "_packet_handlers",
        "_process_request",
    ),
    *("_process_shell_request", "_process_subsystem_request", "_process_env_request"),
    *("_process_x11_req_request", "_flush_recv_buf", "limits"),
}


def test_the_list_is_read_whole() -> None:
    assert len(ENTRIES) == LIST.count("Test: ") > 20
    assert not ENTRY.sub("", LIST).strip()


@pytest.mark.parametrize("names", ENTRIES)
def test_a_hook_says_why_and_what_is_wanted_and_has_a_test(names: str) -> None:
    why, test = ENTRIES[names]
    assert "Wanted: " in " ".join(why.split())
    assert test in TESTS


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (connection.ServerConnection, (SSHServerConnection, SSHConnection)),
        (bounds.Bounds, (SSHServerConnection, SSHConnection)),
        (channel.ServerChannel, (SSHServerChannel, SSHChannel)),
        (channel_bounds.ChannelBounds, (SSHServerChannel, SSHChannel)),
    ],
)
def test_whatever_is_overridden_is_on_the_list(ours: type, theirs: tuple[type, ...]) -> None:
    theirs_too = {name for each in theirs for name, _ in inspect.getmembers(each)}
    overridden = {name for name in vars(ours) if name in theirs_too and not name.startswith("__")}
    listed = {name.rpartition(".")[2] for names in ENTRIES for name in names.split(", ")}
    assert overridden - listed - BESIDE == set()
