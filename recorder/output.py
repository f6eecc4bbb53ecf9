"""Turn the events of a session into what may be drawn of it, and into the labels of its markers.

In      recorder.events.Event, in order
Out     bytes: whole UTF-8 characters and whole drawing sequences, CR before LF where no PTY has put one
Holds   one TerminalFilter for each stream (stdout, stderr, notices) of each channel
"""

from __future__ import annotations

from recorder.events import Event, Kind
from recorder.terminal import TerminalFilter, plain

LABEL_BOUND = 500

_DRAWN = frozenset({Kind.OUTPUT, Kind.ERROR, Kind.NOTICE})


class SessionOutput:
    """The streams of one session as one terminal would show them."""

    def __init__(self) -> None:
        self._filters: dict[tuple[int, Kind], TerminalFilter] = {}
        self._pty: dict[int, bool] = {}

    def feed(self, event: Event) -> bytes:
        """Return what the event draws, which is nothing unless it is OUTPUT, ERROR or NOTICE."""
        if event.kind is Kind.REQUEST and "pty" in event.detail:
            self._pty[event.channel] = bool(event.detail["pty"])
        if event.kind not in _DRAWN:
            return b""
        key = (event.channel, event.kind)
        if key not in self._filters:
            raw = self._pty.get(event.channel, False) and event.kind is not Kind.NOTICE
            self._filters[key] = TerminalFilter(crlf=not raw)
        return self._filters[key].feed(event.data)

    def finish(self) -> bytes:
        """Return what was held: U+FFFD for each character that was cut off by the end."""
        return b"".join(stream.finish() for stream in self._filters.values())

    @property
    def alternate_screen(self) -> bool:
        """Whether some stream has switched to the alternate screen and not back."""
        return any(stream.alternate_screen for stream in self._filters.values())


class SessionInput:
    """What the bot sent to channels without a PTY (which would have shown it), line by line.

    Holds at most LABEL_BOUND bytes of an unfinished line for each channel; a longer line is shown in pieces.
    """

    def __init__(self) -> None:
        self._held: dict[int, bytes] = {}
        self._pty: dict[int, bool] = {}

    def feed(self, event: Event) -> list[str]:
        """Return the lines that the event completes, escaped; bytes that are no text are only counted."""
        if event.kind is Kind.REQUEST:
            self._pty[event.channel] = bool(event.detail.get("pty"))
        if event.kind in (Kind.EXIT, Kind.EOF) and event.channel in self._held:
            return [_shown_input(self._held.pop(event.channel))]
        if event.kind is not Kind.INPUT or self._pty.get(event.channel, False):
            return []
        if b"\0" in event.data:
            return [f"[{len(event.data)} bytes that are not text]"]
        *lines, rest = (self._held.pop(event.channel, b"") + event.data).split(b"\n")
        while len(rest) > LABEL_BOUND:
            lines.append(rest[:LABEL_BOUND])
            rest = rest[LABEL_BOUND:]
        if rest:
            self._held[event.channel] = rest
        return [_shown_input(line) for line in lines]


def _shown_input(line: bytes) -> str:
    text = plain(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))
    return text if len(text) <= LABEL_BOUND else text[: LABEL_BOUND - 1] + "…"


def command(event: Event) -> str:
    """Return what a REQUEST asks for, escaped for one line: its command or subsystem, else its type."""
    asked = event.data.decode("utf-8", "surrogateescape")
    return plain(asked or str(event.detail.get("type") or event.detail.get("access") or "request"))


def judged(event: Event) -> str | None:
    """Return what a STATEMENT says, escaped for one line, with its verdict if it is another than allow.

    A command that was allowed has its REQUEST beside it, and says nothing.
    """
    verdict = plain(str(event.detail.get("verdict")))
    if verdict == "allow" and event.detail.get("request"):
        return None
    text = plain(event.data.decode("utf-8", "surrogateescape").strip("\r\n"))
    return text if verdict == "allow" else f"{verdict}: {text}"


def repeats_input(event: Event) -> bool:
    """Say whether a statement was allowed, and so is told as input or as what a terminal drew."""
    return event.kind is Kind.STATEMENT and event.detail.get("verdict") == "allow"


def held(event: Event) -> str:
    """Return how a HOLD stands, escaped for one line."""
    detail = {key: plain(str(value)) for key, value in event.detail.items()}
    return f"hold {detail.get('hold', '?')} {detail.get('reason') or detail.get('state', '?')}"


def transferred(event: Event) -> str | None:
    """Return `upload /path 123 bytes` if the event is the last word on a file or a stream, else None."""
    detail = event.detail
    if event.kind is Kind.DIGEST and detail.get("ended"):
        return streamed(event)
    if event.kind is not Kind.FILE or detail.get("op") != "close":
        return None
    verb, path, length = (plain(str(detail.get(key))) for key in ("direction", "path", "length"))
    torn = f" (incomplete: {plain(str(detail.get('status')))})" if detail.get("complete") is False else ""
    return f"{verb} {path} {length} bytes{torn}"


def streamed(event: Event) -> str:
    """Return `rsync upload 123 bytes` for a DIGEST: what of a stream is not kept."""
    detail = {key: plain(str(value)) for key, value in event.detail.items()}
    stream, length = detail.get("stream", "?"), detail.get("length", "?")
    if "of" not in detail:
        return f"{stream} not kept: {length} bytes"
    verb = {"input": "upload", "output": "download"}.get(stream, stream)
    return f"{detail['of']} {verb} {length} bytes"


def label(event: Event) -> str | None:
    """Return the text of the marker that the event makes, cut at LABEL_BOUND characters, or None."""
    match event.kind:
        case Kind.REQUEST:
            text: str | None = command(event)
        case Kind.STATEMENT:
            text = judged(event)
        case Kind.HOLD:
            text = held(event)
        case Kind.MARKER:
            text = plain(str(event.detail.get("label", "")))
        case _:
            text = transferred(event)
    if text is not None and len(text) > LABEL_BOUND:
        return text[: LABEL_BOUND - 1] + "…"
    return text
