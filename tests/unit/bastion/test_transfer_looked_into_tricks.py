"""A client that tells the looking wrong things about a file gets nothing of a secret by it."""

from __future__ import annotations

from bastion.transfer import SftpTap
from recorder.events import Kind
from tests.unit.bastion.test_transfer_looked_into import KEY_ID, LINE, Server, inspection, text
from tests.unit.bastion.transfer_talk import data, opened, packet, read, status, string, u32, u64, write


def served(content: bytes) -> Server:
    return Server(content, SftpTap(inspection=inspection()))


def test_t38_a_read_of_nothing_does_not_say_that_the_file_ends_there() -> None:
    """Servers answer it with the end of the file, wherever it is."""
    server = served(LINE + KEY_ID + b"\n" + LINE)
    for number, offset in enumerate(range(len(LINE), len(LINE) + len(KEY_ID))):
        server.ask((10 + number, offset, 1), (100 + number, offset + 1, 0))
    assert [server.got[10 + number] for number in range(len(KEY_ID))] == [3] * len(KEY_ID)


def test_t38_a_file_that_has_grown_since_its_end_was_seen_is_looked_into_as_it_is() -> None:
    server = served(LINE)
    server.ask((10, len(LINE), 100))
    assert server.got[10] == 1  # the end
    server.content += KEY_ID + b"\n" + LINE
    server.ask((11, len(LINE), 10))
    assert server.got[11] == 3


def test_t38_a_file_that_shrinks_while_it_is_looked_into_is_stopped() -> None:
    """What is before the piece can be read no more: nobody can say whether it is the end of a secret."""
    server = served(text(70_000) + KEY_ID + b"\n" + LINE)
    asked = server.tap.client(read(10, b"h", 70_010, 10))
    server._serve(asked.forward)
    server.content = b""
    server.ask()
    assert server.got[10] == 3


def test_t38_no_other_file_is_looked_into_where_a_handle_is_given_out_again() -> None:
    """A handle that is closed while the middle of a WRITE keeps our own READ from going out."""
    tap = SftpTap(inspection=inspection())
    Server(KEY_ID + b"\n" + LINE, tap)
    for side, said in opened(b"/srv/up", b"w", 2, 2):
        (tap.client if side == "client" else tap.target)(said)
    asked = tap.client(read(10, b"h", 0, 10))
    up = write(11, b"w", 0, b"x" * 100)
    tap.client(up[:-50])
    tapped = tap.target(data(10, KEY_ID[:10]))
    assert asked.forward
    assert (tapped.forward, tapped.release) == (b"", b"")
    again = packet(4, u32(12), string(b"h")) + packet(3, u32(13), string(b"/srv/clean"), u32(1), u32(0))
    tapped = tap.client(up[-50:] + again)
    assert tapped.forward == up[-50:] + again  # and no READ of our own on what is another file now
    tapped = tap.target(status(11))
    assert packet(101, u32(10), u32(3))[5:13] in tapped.forward
    assert KEY_ID[:10] not in tapped.forward


def test_t38_pieces_of_a_file_are_not_copied_where_files_are_looked_into() -> None:
    tap = SftpTap(inspection=inspection())
    Server(KEY_ID, tap)
    for side, said in opened(b"/srv/piece", b"p", 3, 2):
        (tap.client if side == "client" else tap.target)(said)
    copied = packet(200, u32(9), string(b"copy-data"), string(b"h"), u64(0), u64(7), string(b"p"), u64(0))
    tapped = tap.client(copied)
    assert (tapped.forward, tapped.owes) == (b"", True)
    assert tap.target(b"").forward[4] == 101
    (event,) = [event for event in tapped.events if event.kind is Kind.FILE]
    assert (event.detail["op"], event.detail["status"]) == ("copy-data", "denied")
