"""A request says which access it takes, what the record tells of it, and where a direct one wants to go."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.requests import DirectName, Pty, Request, parse_direct
from policies.model import Access

PTY = Pty(term="xterm", cols=80, rows=24)


@pytest.mark.parametrize(
    ("request_", "access"),
    [
        (Request(kind="exec", data=b"./deploy.sh"), Access.EXEC),
        (Request(kind="exec", data=b""), Access.EXEC),
        (Request(kind="exec", data=b"\xff\xfe"), Access.EXEC),
        (Request(kind="exec", data=b"bash -s"), Access.EXEC),
        (Request(kind="exec", data=b"./deploy.sh", pty=PTY), Access.EXEC),
        (Request(kind="shell"), Access.SHELL),
        (Request(kind="shell", pty=PTY), Access.SHELL),
        (Request(kind="subsystem", data=b"shell"), Access.SHELL),
        (Request(kind="subsystem", data=b"sftp"), Access.SFTP),
        (Request(kind="exec", data=b"scp -t /srv"), Access.SFTP),
        (Request(kind="exec", data=b"scp -rp -f -- notes"), Access.SFTP),
    ],
)
def test_the_access_that_a_policy_must_grant(request_: Request, access: Access) -> None:
    assert request_.access is access


def test_an_rsync_or_git_server_without_a_terminal_is_a_stream() -> None:
    command = b"git-upload-pack '/srv/orders.git'"
    alone = Request(kind="exec", data=command)
    assert (alone.access, alone.detail()["stream"]) == (Access.EXEC, "git upload-pack")
    for other in (Request(kind="exec", data=command, pty=PTY), Request(kind="subsystem", data=command)):
        assert other.stream is None
        assert "stream" not in other.detail()


@pytest.mark.parametrize(
    "command",
    [b"scp -t /srv; sh", b"scp -t $(id)", b"scp -t /srv\nid", b"scp -S sh -t x", b" scp -t x", b"scp"],
)
def test_t23_what_only_looks_like_scp_is_a_command(command: bytes) -> None:
    request = Request(kind="exec", data=command)
    assert (request.scp, request.access) == (None, Access.EXEC)


def test_t23_scp_with_a_terminal_is_a_command() -> None:
    """A terminal would change the bytes, so that they are not the protocol's."""
    assert Request(kind="exec", data=b"scp -t /srv", pty=PTY).access is Access.EXEC


@pytest.mark.parametrize("name", [b"netconf", b"SFTP", b"sftp ", b"shell:web-1", b"", b"\xff"])
def test_l4_a_subsystem_that_is_not_known_has_no_access(name: bytes) -> None:
    assert Request(kind="subsystem", data=name).access is None


def test_the_record_tells_the_terminal_and_the_environment() -> None:
    request = Request(
        kind="shell",
        pty=Pty(term="vt220", cols=101, rows=30),
        environment={"LANG": "C", "LC_NOTE": b"caf\xe9".decode("utf-8", "surrogateescape")},
        environment_refused=("LD_PRELOAD", "FOO"),
    )
    detail = request.detail()
    assert detail["access"] == "shell"
    assert (detail["pty"], detail["term"], detail["cols"], detail["rows"]) == (True, "vt220", 101, 30)
    assert detail["env"] == {"LANG": "C", "LC_NOTE": "caf\\xe9"}
    assert detail["env_refused"] == ["LD_PRELOAD", "FOO"]
    assert json.loads(json.dumps(detail)) == detail


def test_without_a_terminal_the_record_says_so() -> None:
    detail = Request(kind="exec", data=b"id").detail()
    assert (detail["pty"], detail["term"], detail["cols"], detail["rows"]) == (False, None, None, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"shell:web-1", DirectName(kind="shell", login=None, target="web-1")),
        (b"sftp:deploy@web-1", DirectName(kind="sftp", login="deploy", target="web-1")),
        (b"console:svc@corp@web-1", DirectName(kind="console", login="svc@corp", target="web-1")),
    ],
)
def test_a_direct_name_says_kind_login_and_target(name: bytes, expected: DirectName) -> None:
    assert parse_direct(name) == expected


@pytest.mark.parametrize(
    "name",
    [b"sftp", b"", b":", b"shell:", b":web-1", b"shell:@web-1", b"shell:deploy@", b"shell:web\n1", b"\xff:x"],
)
def test_what_has_no_such_form_is_no_direct_name(name: bytes) -> None:
    assert parse_direct(name) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_direct_name_or_none(name: bytes) -> None:
    found = parse_direct(name)
    if found is not None:
        login = f"{found.login}@" if found.login is not None else ""
        assert f"{found.kind}:{login}{found.target}".encode() == name
