"""What bastion.transfer.ScpTap says of uploads and downloads, and what it refuses."""

from __future__ import annotations

import hashlib

import pytest

from bastion.transfer import ScpTap, TransferError, parse_scp_command
from bastion.transfer.scp import HELD_BYTES_MAX
from bastion.transfer.scp_place import DEPTH_MAX
from bastion.transfer.scp_record import LINE_BYTES_MAX
from recorder.events import Kind
from tests.unit.bastion.transfer_talk import Played, Talk, play

OK: tuple[str, bytes] = ("target", b"\0")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tap_for(command: bytes) -> ScpTap:
    parsed = parse_scp_command(command)
    assert parsed is not None
    return ScpTap(parsed)


def upload(command: bytes, *lines: bytes) -> Talk:
    """Return an upload in which the target accepts everything."""
    talk: Talk = [("target", b"\0")]
    for line in lines:
        talk += [("client", line), ("target", b"\0")]
    return talk


def played(command: bytes, talk: Talk) -> Played:
    return play(tap_for(command), talk)


def test_an_upload_is_recorded_by_length_and_digest() -> None:
    talk = upload(b"", b"T1 0 2 0\n", b"C0644 5 app.conf\n", b"hello\0")
    result = played(b"scp -p -d -t /srv", talk)
    names = {"path": "/srv/app.conf", "direction": "upload"}
    assert result.files() == [
        {"op": "open", **names, "mode": "0644", "size": 5, "status": "ok"},
        {
            "op": "close",
            **names,
            "offset": 0,
            "length": 5,
            "sha256": sha256(b"hello"),
            "sequential": True,
            "complete": True,
            "status": "ok",
            "size": 5,
        },
    ]
    assert result.to_target == b"".join(said for side, said in talk if side == "client")
    assert result.to_client == b"\0\0\0\0"
    assert result.protocol(Kind.CLIENT_PROTOCOL) == b"T1 0 2 0\nC0644 5 app.conf\n\0"


def test_a_download_is_the_same_with_the_sides_exchanged() -> None:
    talk: Talk = [
        ("client", b"\0"),
        ("target", b"C0600 3 key\n"),
        ("client", b"\0"),
        ("target", b"abc\0"),
        ("client", b"\0"),
    ]
    (close,) = played(b"scp -f /srv/key", talk).files("close")
    assert (close["path"], close["direction"], close["sha256"]) == ("/srv/key", "download", sha256(b"abc"))


def test_paths_follow_the_directories_of_the_stream() -> None:
    lines = (
        b"D0755 0 site\n",
        b"D0755 0 css\n",
        b"C0644 0 a\n",
        b"\0",
        b"E\n",
        b"C0644 0 b\n",
        b"\0",
        b"E\n",
    )
    result = played(b"scp -r -d -t /srv/", upload(b"", *lines))
    assert [it["path"] for it in result.files("mkdir")] == ["/srv/site", "/srv/site/css"]
    assert [it["path"] for it in result.files("close")] == ["/srv/site/css/a", "/srv/site/b"]


def test_a_path_that_only_the_target_can_tell_is_given_both_ways() -> None:
    (close,) = played(b"scp -t /srv/app", upload(b"", b"C0644 0 conf\n", b"\0")).files("close")
    assert (close["path"], close["or_path"]) == ("/srv/app/conf", "/srv/app")


@pytest.mark.parametrize(
    ("command", "path"),
    [(b"scp -r -f /srv/site/", "/srv/site/a"), (b"scp -r -f site", "site/a"), (b"scp -r -f ~", "~/a")],
)
def test_paths_of_a_recursive_download_begin_with_what_was_asked_for(command: bytes, path: str) -> None:
    talk: Talk = [("client", b"\0")]
    for line in (b"D0755 0 site\n", b"C0644 0 a\n", b"\0", b"E\n"):
        talk += [("target", line), ("client", b"\0")]
    result = played(command, talk)
    assert [it["path"] for it in result.files("close")] == [path]
    assert len(result.files("list")) == 1


def test_a_refused_file_has_no_payload() -> None:
    refused: Talk = [("target", b"\0"), ("client", b"C0644 5 a\n"), ("target", b"\1scp: a: Is a directory\n")]
    result = played(b"scp -d -t .", [*refused, *upload(b"", b"C0644 2 b\n", b"hi\0")[1:]])
    assert [(it["op"], it["path"], it["status"]) for it in result.files()] == [
        ("open", "./a", "failed"),
        ("open", "./b", "ok"),
        ("close", "./b", "ok"),
    ]


def test_l1_payload_sent_before_an_answer_is_read_as_the_sink_reads_it() -> None:
    """A refused file's payload is records to the sink: believed at once, it would hide the second file."""
    everything = b"C0644 22 a\nC0755 4 evil\nrun!\0\0"
    tap = tap_for(b"scp -d -t .")
    assert tap.client(everything).forward == b""
    assert tap.target(b"\0").release == b"C0644 22 a\n"
    assert tap.target(b"\1no\n").release == b"C0755 4 evil\n"
    tapped = tap.target(b"\0")
    assert tapped.release == b"run!\0"
    assert [event.detail.get("path") for event in tapped.events if event.kind is Kind.FILE] == ["./evil"] * 2


def test_a_client_that_never_waits_is_served() -> None:
    everything = b"C0644 5 a\nhello\0C0644 0 b\n\0"
    tap = tap_for(b"scp -tr .")
    result = Played()
    result.add("client", tap.client(everything))
    assert (result.to_target, tap.stalled) == (b"", "client")
    for _ in range(5):
        result.add("target", tap.target(b"\0"))
    assert result.to_target == everything
    assert tap.stalled is None
    assert [it["complete"] for it in result.files("close")] == [True, True]


def test_a_source_that_goes_on_without_answers_is_bounded() -> None:
    tap = tap_for(b"scp -t .")
    tap.client(b"x" * HELD_BYTES_MAX)
    with pytest.raises(TransferError, match="without an answer"):
        tap.client(b"x")


def test_a_source_that_could_not_read_leaves_the_file_incomplete() -> None:
    (close,) = played(b"scp -t .", upload(b"", b"C0644 2 a\n", b"hi\1scp: a: Input/output error\n")).files(
        "close"
    )
    assert (close["complete"], close["status"], close["length"]) == (False, "failed", 2)


def test_a_sink_that_could_not_write_leaves_the_file_incomplete() -> None:
    talk = upload(b"", b"C0644 2 a\n", b"hi\0")[:-1]
    (close,) = played(b"scp -t .", [*talk, ("target", b"\1scp: a: No space left on device\n")]).files("close")
    assert (close["complete"], close["status"]) == (False, "failed")


def test_a_warning_of_the_source_needs_no_answer() -> None:
    talk: Talk = [("client", b"\0"), ("target", b"\1scp: x: No such file or directory\n")]
    result = played(b"scp -f x", talk)
    assert (result.fault, result.files()) == ("", [])
    assert b"No such file" in result.protocol(Kind.TARGET_PROTOCOL)


@pytest.mark.parametrize(
    ("sent", "status"), [(b"he", "not-closed"), (b"hello", "not-closed"), (b"hello\0", "unanswered")]
)
def test_the_end_of_the_channel_leaves_a_file_incomplete(sent: bytes, status: str) -> None:
    talk: Talk = [*upload(b"", b"C0644 5 a\n"), ("client", sent)]
    (close,) = played(b"scp -t .", talk).files("close")
    assert (close["complete"], close["status"], close["length"]) == (False, status, len(sent.rstrip(b"\0")))


def test_an_unanswered_file_is_reported() -> None:
    (it,) = played(b"scp -d -t .", [("target", b"\0"), ("client", b"C0644 5 a\nhe")]).files()
    assert (it["op"], it["status"]) == ("open", "unanswered")


@pytest.mark.parametrize("name", [b"..", b".", b"../x", b"/etc/cron.d/x", b"a/b", b"a\0b"])
def test_t46_a_name_that_leaves_its_directory_is_refused(name: bytes) -> None:
    for letter in (b"C", b"D"):
        result = played(b"scp -r -t .", [("target", b"\0"), ("client", letter + b"0755 0 " + name + b"\n")])
        assert result.fault == "scp stream names a file outside of its directory"
        assert result.to_target == b""


def test_t46_a_target_that_sends_another_file_is_refused() -> None:
    result = played(b"scp -f /srv/report.csv", [("client", b"\0"), ("target", b"C0644 9 .bashrc\n")])
    assert result.fault == "scp stream names a file that was not asked for"
    assert result.to_client == b""


REFUSED = {
    b"X\n": "not a record",
    b"\n": "not a record",
    b"E0\n": "not a record",
    b"C644 5 a\n": "not a record",
    b"C0849 5 a\n": "not a record",
    b"C0644 -5 a\n": "not a record",
    b"C0644 +5 a\n": "not a record",
    b"C0644  5 a\n": "not a record",
    b"C0644 5\n": "not a record",
    b"C0644 5 \n": "not a record",
    b"C0644 9223372036854775808 a\n": "not a record",
    b"C0644 99999999999999999999 a\n": "not a record",
    b"T1 0 2\n": "not a record",
    b"E\n": "was not begun",
    b"D0755 0 d\n": "without -r",
    b"C0644 0 " + b"a" * LINE_BYTES_MAX: "too long",
}


@pytest.mark.parametrize("line", REFUSED)
def test_l2_a_stream_that_is_not_scp_is_refused(line: bytes) -> None:
    result = played(b"scp -t .", [("target", b"\0"), ("client", line)])
    assert REFUSED[line] in result.fault
    assert result.to_target == b""


def test_l2_more_than_the_announced_size_is_refused() -> None:
    result = played(b"scp -t .", [*upload(b"", b"C0644 2 a\n"), ("client", b"hi!")])
    assert result.fault == "scp stream has more than the announced size"
    assert result.to_target == b"C0644 2 a\nhi"


def test_l2_an_answer_to_nothing_is_refused() -> None:
    result = played(b"scp -t .", [("target", b"\0\0")])
    assert (result.fault, result.to_client) == ("scp answer to nothing that was sent", b"\0")


def test_l2_a_shells_greeting_is_refused() -> None:
    assert "greeting" in played(b"scp -t .", [("target", b"Welcome to web-1\n")]).fault


def test_l2_nothing_passes_after_a_fault() -> None:
    tap = tap_for(b"scp -t .")
    with pytest.raises(TransferError):
        tap.target(b"Welcome")
    for call in (tap.client, tap.target):
        with pytest.raises(TransferError, match="greeting"):
            call(b"\0")


def test_depth_is_bounded() -> None:
    result = played(b"scp -r -t .", upload(b"", *[b"D0755 0 d\n"] * (DEPTH_MAX + 1)))
    assert result.fault == "scp stream has too many directories in each other"
