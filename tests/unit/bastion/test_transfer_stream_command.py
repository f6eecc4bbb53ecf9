"""Which commands bastion.transfer.parse_stream_command takes for an rsync or git server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.transfer import StreamCommand, parse_stream_command
from bastion.transfer.shell_words import simple_command

# What rsync 3.5 and git 2.39 send for various options and paths.
TAKEN = {
    "rsync": [
        b"rsync --server . /x",
        b"rsync --server -logDtpre.iLsfxCIvu . /srv/x",
        b"rsync --server --sender -vlogDtprze.iLsfxCIvu . /srv/*.log",
        b"rsync --server --sender -e.LsfxCIvu . ~/x",
        b"rsync --server --sender -vlHogDtpAXre.iLsfxCIvu --timeout=5 --bwlimit=1024 . ~deploy/x",
        b"rsync --server -blogDtpre.iLsfxCIvu --backup-dir bk --usermap=\\*:a --link-dest ../old --mkpath . .",
        b"rsync --server -lDtprce.iLsfxCIvu --log-format=%i --max-size=1048576 --delete-after --partial . x/",
        b"rsync --server --sender -logDtpRe.LsfxCIvu --files-from /l . /x",
        b"rsync --server -logDtpre.iLsfxCIvu -B700 --append --remove-source-files --fake-super . x",
        b"rsync --server -logDtpre.iLsfxCIvu . /srv/a\\ b\\'c\\$\\(d\\)\\;e\\&f\\|g\\{h\\}i\\!\\~\\#",
        b"rsync --server --sender -logDtpre.iLsfxCIvu . a b ./-odd",
    ],
    "git upload-pack": [
        b"git-upload-pack '/srv/orders.git'",
        b"git upload-pack '/srv/orders.git'",
        b"git-upload-pack '~/orders.git'",
        b"git-upload-pack 'a b&c;d|e$(f)`g`\"h'",
        b"git-upload-pack 'it'\\''s new'\\!''",
        b"git-upload-pack /srv/orders.git",
    ],
    "git receive-pack": [b"git-receive-pack '/srv/orders.git'", b"git receive-pack 'orders.git'"],
    "git upload-archive": [b"git-upload-archive '/srv/orders.git'"],
}

TAILS = [
    b"; sh",
    b";sh",
    b" && sh",
    b" || sh",
    b" & sh",
    b" | sh",
    b" > y",
    b">y",
    b" 2>&1",
    b" < y",
    b"\nsh",
    b"\n",
    b"\r",
    b"\0",
    b" # x",
    b" $(sh)",
    b" `sh`",
    b" $HOME",
    b" ${x}",
    b" {a,b}",
    b" !x",
    b' "x"',
    b" $'x'",
    b" 'x",
    b" x\\",
    b" x\\\ny",
    b" x\\n",
    b" =ls",
    b" ~+",
    b" (x)",
    b" *",
    b" [a]",
    b" --",
    b" --help",
    b" caf\xc3\xa9",
    b"\tx",
    b" ",
]

NOT_TAKEN = [
    *[whole + tail for whole in (b"rsync --server . /x", b"git-upload-pack x") for tail in TAILS],
    b"rsync --server",
    b"rsync --server /x",
    b"rsync . /x",
    b"rsync --sender --server . /x",
    b"rsync --server --daemon .",
    b"rsync --server --daemon --config=/tmp/x . /x",
    b"rsync --server --config=/tmp/x . /x",
    b"rsync --server --log-file=/tmp/x . /x",
    b"rsync --server --log-file /tmp/x . /x",
    b"rsync --server --rsh=sh . /x",
    b"rsync --server -e sh . /x",
    b"rsync --server -esh . /x",
    b"rsync --server -e.sh\\ -c . /x",
    b"rsync --server --rsync-path=sh . /x",
    b"rsync --server --write-batch=x . /x",
    b"rsync --server --only-write-batch=x . /x",
    b"rsync --server --read-batch=x . /x",
    b"rsync --server --sender -slogDtpre.iLsfxCIvu",
    b"rsync --server -slogDtpre.iLsfxCIvu . /x",
    b"rsync --server --secluded-args . /x",
    b"rsync --server --protect-args . /x",
    b"rsync --server -M--daemon . /x",
    b"rsync --server --sender=x . /x",
    b"rsync --server --unknown . /x",
    b"rsync --server --sender . /x --daemon",
    b"rsync --server . -",
    b"rsync --server . --del*",
    b"rsync --server . '--daemon'",
    b"rsync --server . \\-\\-daemon",
    b"rsync --server . -'-daemon'",
    b"A=b rsync --server . /x",
    b"sudo rsync --server . /x",
    b"/tmp/rsync --server . /x",
    b"rsyncx --server . /x",
    b" rsync --server . /x",
    b"exec rsync --server . /x",
    b"git-upload-pack",
    b"git-upload-pack ''",
    b"git-upload-pack a b",
    b"git-upload-pack -x",
    b"git-upload-pack '--timeout=1'",
    b"git-upload-pack --strict x",
    b"git-upload-pack /srv/*.git",
    b"git-upload-pack 'a\\'b'",
    b"git-upload-pack 'a!b'",
    b"git -c core.sshCommand=sh upload-pack x",
    b"git --exec-path=/tmp upload-pack x",
    b"git git-upload-pack x",
    b"git upload-pack",
    b"git",
    b"git push x",
    b"git-shell -c \"git-upload-pack 'x'\"",
    b"git-lfs-transfer x upload",
    b"GIT_TRACE=/tmp/x git-upload-pack x",
    b"upload-pack x",
    b"",
]


@pytest.mark.parametrize(
    ("program", "command"), [(program, command) for program, some in TAKEN.items() for command in some]
)
def test_an_rsync_or_git_server_is_recognised(program: str, command: bytes) -> None:
    assert parse_stream_command(command) == StreamCommand(program=program)


@pytest.mark.parametrize("command", NOT_TAKEN)
def test_t23_anything_else_is_a_plain_exec(command: bytes) -> None:
    assert parse_stream_command(command) is None


@given(
    st.sampled_from([b"rsync --server . /x", b"git-upload-pack x"]),
    st.binary(min_size=1, max_size=6),
    st.data(),
)
def test_t23_any_bytes_at_any_place_are_judged_without_error(
    whole: bytes, more: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(min_value=0, max_value=len(whole)))
    command = whole[:at] + more + whole[at:]
    if parse_stream_command(command) is not None:
        words = simple_command(command)
        assert words is not None
        assert words[0].text in ("rsync", "git-upload-pack")
        assert not set(command) & set(b'\0\t\r\n;&|<>()$`"{}#!') or b"\\" in command or b"'" in command
