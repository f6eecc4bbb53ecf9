r"""Put a notice into words for people, in the dialect of where they read it, so that nothing in it acts there (T36).

Every text in a notice is escaped already as for a terminal: control, bidi and zero-width characters are written out.
What is markup to a platform is written out here, as `\xNN`: mentions, links, emphasis, tags. A platform of which it is
not known what it takes for markup gets all of these written out. What does not fit is cut with a mark, never without.

In      Notice; a dialect; how many characters there is room for
Out     Message: title and body
Source  docs/notifications.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from bastion.holds.shown import CLAIMS
from bastion.notices.notice import Notice, Statement, recut

ROW_CHARS = 300
FACTS = 8
MIN_STATEMENT = 60  # with less room than that the statement is not begun at all
MARK_CHARS = 80
SEE = "ssh BASTION approvals"


class Dialect(Enum):
    """How a platform reads a text."""

    PLAIN = "plain"  # as it is; or the sender escapes all of it, as for HTML mail
    FENCED = "fenced"  # Markdown whose code blocks show everything as it is
    STRICT = "strict"  # anything might be markup


# How the services that Apprise knows read what it sends them as text, by the scheme of their URL. All others are
# STRICT. tests/unit/bastion/notices/test_platforms.py sends each of these what would act there.
DIALECTS: Mapping[str, Dialect] = {
    **dict.fromkeys(("mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms"), Dialect.PLAIN),
    **dict.fromkeys(("ntfy", "ntfys", "gotify", "gotifys", "pover", "syslog"), Dialect.PLAIN),
    **dict.fromkeys(("discord", "mmost", "mmosts"), Dialect.FENCED),
}

_STRICT = re.compile(r"[<>&@*_~`\[\]{}#|^\\]|:(?=//|[A-Za-z0-9_+-]+:)")
_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])")
_FENCE = "```"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent; `whole` says that all of the statement is in it."""

    title: str
    body: str
    whole: bool


def title_of(notice: Notice) -> str:
    """Return what a notice is about, in a line of names that have no markup in them but `_`."""
    where = f" on {notice.target}" if notice.target else ""
    who = f"{notice.identity}{where}"
    match notice.kind:
        case "hold.asked":
            return f"{_hold(notice)} waits for an approval: {who}"
        case "hold.ended":
            return f"{_hold(notice)} {notice.hold['state'] if notice.hold else 'ended'}: {who}"
        case "denial":
            return f"denied: {who}"
        case "alert":
            return f"alert ({notice.severity or 'no severity'}): {who}"
        case "left-out":
            return f"left out: {notice.left_out} more of {notice.identity}"
        case _:
            return "test of this channel"


def rows_of(notice: Notice) -> list[tuple[str, str]]:
    """Return what is said of a notice beside its statement: labels and lines, none of which is long."""
    rows: list[tuple[str, str]] = []

    def row(label: str, text: str) -> None:
        if text:
            rows.append((label, text if len(text) <= ROW_CHARS else f"{text[:ROW_CHARS]}… (cut)"))

    def several(label: str, texts: Sequence[str]) -> None:
        for text in texts[:FACTS]:
            row(label, text)
        if len(texts) > FACTS:
            row(label, f"… and {len(texts) - FACTS} more: {SEE}")

    hold = notice.hold or {}
    several("held for", hold.get("held_for", ()))  # the deciding part, also where the statement itself is cut
    if notice.identity and notice.kind != "left-out":
        row("who", f"{notice.identity}, owned by {notice.owner}" if notice.owner else notice.identity)
    claims = notice.claims or {}
    row("run", ", ".join(f"{name} {claims[name]}" for name in CLAIMS if name in claims))
    if notice.target:
        when = f"session {notice.session or 'none'}"
        if hold.get("ahead"):
            when = f"asked ahead, for a later session of run {hold['run']}"
        row("where", f"{notice.login}@{notice.target}, {when}")
    row("verdict", notice.verdict if notice.kind == "alert" else "")
    several("fact", hold.get("facts", ()))
    row("rule", ", ".join(notice.rules))
    row("reason", notice.reason)
    row("attack", ", ".join(notice.attack))
    row("the bot says", hold.get("stated", ""))
    if notice.kind == "hold.asked" and hold:
        persons = "one person" if hold["count"] == 1 else f"{hold['count']} persons"
        row("waits for", f"{persons} of {', '.join(hold['groups'])}, until {hold['expires_at']}")
        row("answer", f"ssh BASTION approve {hold['id']}, or deny {hold['id']} --reason …")
    if notice.kind == "hold.ended" and hold:
        row("ended", f"{hold['state']}: {hold['why']}")
    if notice.left_out:
        row("left out", f"{notice.left_out} more of the same kind before this were not told of")
    row("at", datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ"))
    return rows


def statement_lines(statement: Statement, room: int) -> tuple[list[str], bool]:
    """Return the lines of a statement, each with a bar before it, and whether all of it is there.

    What is missing is between its beginning and its end, on a line without a bar, which no statement can write.
    """
    lines = _barred(statement.head) + (_barred(statement.tail) if statement.tail else [])
    if statement.whole and _size(lines) <= room:
        return lines, True
    most = len(statement.head) + len(statement.tail)
    while True:
        cut = recut(statement, most)
        mark = f"… {cut.cut} characters are not shown here: {SEE}"
        lines = [*_barred(cut.head), mark, *_barred(cut.tail)] if most >= MIN_STATEMENT else [mark]
        if _size(lines) <= room or most < MIN_STATEMENT:
            return lines, False
        most = most * 3 // 4 if most * 3 // 4 >= MIN_STATEMENT else 0


def compose(notice: Notice, dialect: Dialect, room: int, title_room: int) -> Message:
    """Return the message for a platform that has room for so many characters in body and title."""
    written = _WRITTEN[dialect]
    title = written(title_of(notice))
    if not title_room:  # the title goes into the body there
        room -= len(title) + 10
    elif len(title) > title_room:
        title = f"{title[: max(0, title_room - 1)]}…"
    frame = len(_fenced("")) if dialect is Dialect.FENCED else 0
    room -= frame
    shown = Statement(head="")
    needed = 0
    if (statement := notice.statement) is not None:
        shown = Statement(head=written(statement.head), cut=statement.cut, tail=written(statement.tail))
        needed = min(room * 2 // 3, _size(_barred(shown.head)) + _size(_barred(shown.tail)) + MARK_CHARS)
    rows = _fitting([written(f"{label}: {text}") for label, text in rows_of(notice)], room - needed)
    lines: list[str] = []
    whole = True
    if statement is not None:
        lines, whole = statement_lines(shown, room - _size(rows))
    body = "\n".join(lines + rows)
    return Message(title=title, body=_fenced(body) if dialect is Dialect.FENCED else body, whole=whole)


def _fitting(rows: list[str], room: int) -> list[str]:
    """Return the first rows, which matter most, and a mark if some are missing."""
    if _size(rows) <= room:
        return rows
    mark = f"… and more: {SEE}"
    kept = list(rows)
    while kept and _size([*kept, mark]) > room:
        kept.pop()
    return [*kept, mark]


def _hold(notice: Notice) -> str:
    return str(notice.hold["id"]) if notice.hold else "a hold"


def _barred(text: str) -> list[str]:
    return [f"› {line}" for line in text.removesuffix("\n").split("\n")]


def _size(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _plain(text: str) -> str:
    return text


def _strict(text: str) -> str:
    """Write out every character that any platform might take for markup; what is written out already stays so."""
    pieces = []
    at = 0
    for found in _STRICT.finditer(text):
        pieces.append(text[at : found.start()])
        escape = found[0] == "\\" and _ESCAPED.match(text, found.start())
        pieces.append("\\" if escape else f"\\x{ord(found[0]):02x}")
        at = found.end()
    return "".join(pieces) + text[at:]


def _in_fence(text: str) -> str:
    """Write out what could end a code block, and what mentions somebody even there on some platforms."""
    return text.replace("`", "\\x60").replace("@", "\\x40")


def _fenced(text: str) -> str:
    return f"{_FENCE}text\n{text}\n{_FENCE}"


_WRITTEN = {Dialect.PLAIN: _plain, Dialect.FENCED: _in_fence, Dialect.STRICT: _strict}
