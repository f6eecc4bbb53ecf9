"""Keep what is on the live screen: the holds, the chosen one, the answer that is being given.

The choice never moves by itself: a key always speaks of the hold that the person has before them, and one that has
ended meanwhile stays until they choose another. Nobody approves a statement whose end they have not had on the screen.

In      what the bastion tells; keys; the size of the terminal; the time
Out     rows to draw; messages to the bastion
Holds   the holds that wait, and one that has ended
Source  docs/approvals.md
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bastion.approval_screen.page import LABEL_CELLS, Page, page
from bastion.approval_screen.rows import Measure, Row, cut, escaped
from bastion.holds.hold import Hold, hold_from_json
from bastion.holds.shown import span

Answering = Literal["approve", "session", "deny"]
Message = dict[str, Any]

MIN_COLS, MIN_ROWS = 40, 12
HASTE_S, CALM_S, IDLE_S = 1.0, 5.0, 60.0  # between two drawings of times that go on
LAST_S = 60.0  # of a hold, in which each second counts
LIST_SHARE = 4  # of the rows, one in so many is for the list
KEYS = (
    ("a", "approve once"),
    ("s", "for session"),
    ("d", "deny"),
    ("↑↓", "choose"),
    ("PgDn", "read"),
    ("q", "leave"),
)
ASKS: dict[Answering, str] = {
    "approve": "approve once",
    "session": "approve until its session ends",
    "deny": "deny",
}


@dataclass(slots=True)
class _Chosen:
    """The hold that the person has before them, and how far they have read it."""

    hold: Hold
    objection: str | None = None
    top: int = 0
    width: int = 0
    read_to: int = 0


class Board:
    """The screen."""

    def __init__(self, now: Callable[[], float], measure: Measure) -> None:
        """`now` counts seconds, from anywhere; the bastion says what time it is."""
        self.answering: Answering | None = None
        self.over: tuple[str, int] | None = None  # the last words, and the exit status
        self._now = now
        self._measure = measure
        self._ahead_s = 0.0  # of `now`
        self._name = ""
        self._ready = False
        self._holds: dict[str, Hold] = {}
        self._chosen: _Chosen | None = None
        self._said: Row = []
        self._sent = ""  # the hold for which an answer is under way
        self._page_rows = 1
        self._page: tuple[Hold, str | None, int, Page] | None = None

    # What the bastion tells.

    def heard(self, told: Message) -> tuple[bool, list[Message]]:
        """Take in what the bastion tells; return whether to ring the bell, and what to say to it."""
        match told:
            case {"hello": str(name), "now": float() | int() as now}:
                self._name, self._ahead_s = name, now - self._now()
            case {"ready": True}:
                self._ready = True
            case {"event": str(step), "hold": dict(hold)}:
                return self._stepped(step, hold_from_json(hold))
            case {"looked": name, "objection": objection}:
                if self._chosen is not None and self._chosen.hold.id == name:
                    self._chosen.objection = objection or ""
            case {"told": str(text), "hold": name, "effect": effect}:
                self._sent = "" if name == self._sent else self._sent
                self._say(text, "class:good" if effect else "class:warning")
            case {"bye": str(text), "status": int(status)} | {"err": str(text), "status": int(status)}:
                self.over = (text, status)
            case _:
                pass
        return False, []

    def _stepped(self, step: str, hold: Hold) -> tuple[bool, list[Message]]:
        known = self._holds.get(hold.id)
        chosen = self._chosen
        mine = chosen is not None and chosen.hold.id == hold.id
        rings = self._ready and step == "asked" and hold.waits
        if chosen is not None and mine:
            chosen.hold = hold
        if hold.waits:
            self._holds[hold.id] = hold
        elif known is not None:
            if mine:
                self._holds[hold.id] = hold
                return False, self._overtaken(hold)
            del self._holds[hold.id]
        if chosen is None and hold.waits:
            return rings, self._choose(hold)
        return rings, []

    def _overtaken(self, hold: Hold) -> list[Message]:
        """Say that the chosen hold has ended, by others if it was not by the person's own answer."""
        if self._sent == hold.id:
            return []
        if self.answering is None:
            self._say(f"{hold.id} {hold.outcome}", "class:warning")
            return []
        self.answering = None
        self._say(f"{hold.id} {hold.outcome}: your answer was not given", "class:warning")
        return [{"leave": hold.id}]

    # What the person does.

    def move(self, by: int) -> list[Message]:
        """Choose another hold, so many further down."""
        if self.answering is not None or not self._holds:
            return []
        names = list(self._holds)
        at = names.index(self._chosen.hold.id) if self._chosen is not None else 0
        name = names[min(max(at + by, 0), len(names) - 1)]
        if self._chosen is not None and name == self._chosen.hold.id:
            return []
        return self._choose(self._holds[name])

    def scroll(self, pages: float) -> None:
        """Read on in the chosen hold, or back."""
        if self._chosen is not None:
            step = max(1, int(abs(pages) * (self._page_rows - 2)))
            self._chosen.top = max(0, self._chosen.top + (step if pages > 0 else -step))

    def begin(self, answering: Answering) -> list[Message]:
        """Begin to answer the chosen hold, or say why that cannot be."""
        chosen = self._chosen
        if chosen is None or self.answering is not None:
            return []
        hold, why = chosen.hold, ""
        if not hold.waits:
            why = f"{hold.id} waits no more: {hold.outcome}"
        elif self._sent:
            why = f"your answer to {self._sent} is under way"
        elif answering != "deny" and chosen.objection:
            why = f"you cannot approve {hold.id}: {chosen.objection}"
        elif answering == "session" and not hold.ask.for_session:
            why = f"rule {', '.join(hold.ask.rules)} takes no approval for the rest of a session"
        elif answering != "deny" and (unread := self._unread(chosen)):
            self.scroll(1)
            why = f"{unread} rows of the statement were not on the screen yet: read on, then answer"
        if why:
            self._say(why, "class:warning")
            return []
        self.answering = answering
        self._say("Enter gives this answer, Esc does not", "")
        return [{"begin": hold.id, "approve": answering != "deny"}]

    def give(self, reason: str) -> list[Message]:
        """Give the answer that was begun."""
        chosen, answering = self._chosen, self.answering
        if chosen is None or answering is None:
            return []
        reason = " ".join(reason.split())
        if answering == "deny" and not reason:
            self._say("say why: the bot is told", "class:warning")
            return []
        self.answering = None
        self._sent = chosen.hold.id
        self._say(f"{chosen.hold.id}: your answer is under way", "")
        return [
            {
                "answer": chosen.hold.id,
                "approve": answering != "deny",
                "reason": reason,
                "for_session": answering == "session",
            }
        ]

    def leave(self) -> list[Message]:
        """Do not give the answer that was begun; with none begun, leave the screen."""
        if self.answering is None:
            self.over = ("", 0)
            return []
        self.answering = None
        self._say("not answered", "")
        return [{"leave": self._chosen.hold.id if self._chosen is not None else ""}]

    def _choose(self, hold: Hold) -> list[Message]:
        if self._chosen is not None and not self._chosen.hold.waits:
            self._holds.pop(self._chosen.hold.id, None)
        self._chosen = _Chosen(hold)
        self._said = []
        return [{"look": hold.id}]

    def _say(self, text: str, style: str) -> None:
        self._said = escaped(text, style)

    def _unread(self, chosen: _Chosen) -> int:
        return 0 if self._page is None else max(0, self._page[3].end - chosen.read_to)

    # What is drawn.

    def prompt(self) -> Row:
        """Return what stands before the reason that the person types."""
        if self._chosen is None or self.answering is None:
            return []
        why = "why, which the bot is told" if self.answering == "deny" else "why, or nothing"
        return [("class:asks", f" {ASKS[self.answering]} {self._chosen.hold.id} "), ("", f" {why}: ")]

    def rows(self, cols: int, rows: int) -> list[Row]:
        """Return the screen without its last line, which is for the keys or for a reason."""
        if cols < MIN_COLS or rows + 1 < MIN_ROWS:
            return [escaped(f"at least {MIN_COLS}x{MIN_ROWS}, please", "class:warning")]
        listed = self._list(cols, max(3, rows // LIST_SHARE))
        head = [self._title(cols), *listed]
        room = rows - len(head) - 2
        drawn = [*head, self._rule(cols), *self._body(cols, room)]
        drawn += [[] for _ in range(rows - 1 - len(drawn))]
        return [*drawn, cut([("", " "), *self._said], cols, self._measure)]

    def keys(self, cols: int) -> Row:
        """Return the line of keys."""
        said: Row = []
        for key, does in KEYS:
            session = key == "s" and (self._chosen is None or not self._chosen.hold.ask.for_session)
            if not session:
                said += [("class:key", f" {key} "), ("class:keys", f" {does} ")]
        return [
            ("class:keys", text) if style == "" else (style, text)
            for style, text in cut(said, cols, self._measure)
        ]

    def rests_s(self) -> float:
        """Return for how long nothing changes by itself that a person would miss: many screens may be open."""
        waiting = [hold.expires_at for hold in self._holds.values() if hold.waits]
        if not waiting:
            return IDLE_S
        return HASTE_S if min(waiting) - self._time() < LAST_S else CALM_S

    def _time(self) -> float:
        return self._now() + self._ahead_s

    def _title(self, cols: int) -> Row:
        count = sum(hold.waits for hold in self._holds.values())
        waits = f"{count or 'nothing'} wait{'' if count > 1 else 's'} for an approval"
        return [
            ("class:title", text)
            for _style, text in cut(escaped(f" {waits}   {self._name}"), cols, self._measure)
        ]

    def _list(self, cols: int, most: int) -> list[Row]:
        """Return the holds around the chosen one, a row each; that there are others is said."""
        holds = list(self._holds.values())
        chosen = self._chosen.hold.id if self._chosen is not None else ""
        at = next((at for at, hold in enumerate(holds) if hold.id == chosen), 0)
        first = min(max(0, at - most // 2), max(0, len(holds) - most))
        shown = holds[first : first + most]
        listed = [self._entry(hold, cols, chosen=hold.id == chosen) for hold in shown]
        above, below = first, len(holds) - first - len(shown)
        if above and at > first:
            listed[0] = self._more(f"▲ {above + 1} older ones", cols)
        if below and at < first + len(shown) - 1:
            listed[-1] = self._more(f"▼ {below + 1} newer ones", cols)
        return listed

    def _entry(self, hold: Hold, cols: int, *, chosen: bool) -> Row:
        ask, now = hold.ask, self._time()
        if hold.waits:
            age, left = span(now - hold.asked_at), span(hold.expires_at - now)
            times = f"{age:>7} ago {left:>7} left"
            times += f" {len(hold.approvals())} yes" if hold.approvals() else ""
        else:
            times = f"{hold.state.value:<23}"
        first, *more = ask.statement.removesuffix("\n").split("\n")
        lines = f" (+{len(more)} lines)" if more else ""
        start = f"{'▸' if chosen else ' '} {hold.id} {times}  "
        style = "class:chosen" if chosen else "" if hold.waits else "class:faint"
        text = [
            *escaped(f"{start}{ask.identity}  {ask.login}@{ask.target}{lines}  ", style),
            *escaped(first, style),
        ]
        return [(f"{style} {own}".strip(), piece) for own, piece in cut(text, cols, self._measure)]

    def _more(self, text: str, cols: int) -> Row:
        return cut([("class:more", f"  {text}")], cols, self._measure)

    def _rule(self, cols: int) -> Row:
        if self._chosen is None:
            return [("class:line", "─" * cols)]
        hold = self._chosen.hold
        said = f"── {hold.id} {'' if hold.waits else hold.outcome} ".replace("  ", " ")
        style = "class:line" if hold.waits else "class:warning"
        line = [*escaped(said, style), (style, "─" * max(0, cols - len(said)))]
        return cut(line, cols, self._measure)

    def _body(self, cols: int, room: int) -> list[Row]:
        """Return the rows of the chosen hold that are in sight; that there are others is said in their place."""
        self._page_rows = room
        chosen = self._chosen
        if chosen is None:
            return [[], cut([("", " what comes is shown here, and rings")], cols, self._measure)]
        made = self._made(chosen, cols)
        if chosen.width != cols:
            chosen.width, chosen.read_to, chosen.top = cols, 0, 0
        last = max(0, len(made.rows) - room)
        chosen.top = min(chosen.top, last)
        begin, end = chosen.top, chosen.top + room
        shown = made.rows[begin:end]
        above, below = begin, len(made.rows) - end
        if above > 0:
            shown[0] = self._cut_off(f"▲ {above + 1} rows above (PgUp)", made, 0, begin + 1, cols)
        if below > 0:
            shown[-1] = self._cut_off(f"▼ {below + 1} rows below (PgDn)", made, end - 1, len(made.rows), cols)
            end -= 1
        if begin + (1 if above > 0 else 0) <= chosen.read_to:
            chosen.read_to = max(chosen.read_to, end)
        return shown

    def _cut_off(self, text: str, made: Page, begin: int, end: int, cols: int) -> Row:
        """Return the mark for rows that are out of sight, which says if they are the statement's."""
        count = max(0, min(end, made.end) - max(begin, made.begin))
        statement = f", {count} of the statement" if count else ""
        style = "class:warning" if count else "class:more"
        return cut([(style, f" {' ' * LABEL_CELLS}{text}{statement}")], cols, self._measure)

    def _made(self, chosen: _Chosen, cols: int) -> Page:
        known = self._page
        if known is None or known[0] is not chosen.hold or known[1:3] != (chosen.objection, cols):
            made = page(chosen.hold, cols, self._measure, objection=chosen.objection)
            self._page = known = (chosen.hold, chosen.objection, cols, made)
        return known[3]
