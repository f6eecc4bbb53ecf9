"""Take a detector's pattern apart, to know what text may still become a match, and where to look for one.

In      a pattern of the syntax that RE2 and Hyperscan share: literals, escapes, classes, groups, alternation,
        greedy repetition, `^`, `$` and `\\b`; one group named `v` is what gets masked, without it the whole match
Out     `gate`: an expression of bounded width that each match begins with; `opening`: one that matches the text
        before a cut exactly if more text could complete a match there, its only group where `v` has begun
Errors  ValueError, with the position in the pattern
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GATE_WIDTH = 24  # characters of the masked part after which a gate is telling enough
MAX_EDGE = 8  # characters before the masked part that do not make a context
_UNBOUNDED = 1 << 20

_ANCHORS = re.compile(r"\^|\$|\\[bBAz]")
_ATOM = re.compile(
    r"\\x[0-9A-Fa-f]{2}|\\.|\[\^?\]?(?:\\x[0-9A-Fa-f]{2}|\\.|[^\]\\])*\]|[^()|*+?{}\\\[]|[{}](?![0-9])"
)
_REPEAT = re.compile(r"\*|\+|\?|\{(\d+)(,?)(\d*)\}")
_GROUP = re.compile(r"\((?:\?:|\?P<v>|\?i:)?")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place between two characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Atom:
    """One character, or any of a class."""

    text: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """Something that follows itself, `most` times at most, or without end if that is None."""

    of: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Either:
    """Alternatives; `flag` is `i:` where case does not matter, `is_value` marks the group named v."""

    ways: tuple[tuple[Node, ...], ...]
    flag: str = ""
    is_value: bool = False


Node = Anchor | Atom | Repeat | Either


class Expression:
    """One pattern, parsed."""

    def __init__(self, pattern: str) -> None:
        flag = ""
        if pattern.startswith("(?i)"):
            flag, pattern = "i:", pattern[len("(?i)") :]
        self._text, self._at = pattern, 0
        self._tree = Either(self._ways(), flag)
        if self._at != len(pattern):
            raise ValueError(f"an unexpected {pattern[self._at]!r} at {self._at}")

    @property
    def width(self) -> int:
        """The fewest characters that a match takes."""
        return _least(self._tree)

    def gate(self) -> str:
        """Return an expression that is found wherever a match begins; it is bounded in width."""
        return _gate(self._tree, _UNBOUNDED if _before_value(self._tree) is not None else GATE_WIDTH)[0]

    def value(self) -> Expression:
        """Return the group v alone, without what must be beside it."""
        found = _value(self._tree)
        if found is None:
            raise ValueError("there is no group v")
        alone = object.__new__(Expression)
        alone._tree = Either(found.ways)
        return alone

    def opening(self) -> str:
        """Return an expression that matches what may still become a match, once the masked part has begun."""
        return _opening_value(self._tree) or f"({_opening(self._tree)})"

    @property
    def has_context(self) -> bool:
        """Whether more than an edge (an escape of one character, say) may precede what gets masked."""
        before = _before_value(self._tree)
        return before is not None and before > MAX_EDGE

    def _ways(self) -> tuple[tuple[Node, ...], ...]:
        ways: list[tuple[Node, ...]] = []
        while True:
            ways.append(self._sequence())
            if not self._text.startswith("|", self._at):
                return tuple(ways)
            self._at += 1

    def _sequence(self) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            node = self._one()
            if found := _REPEAT.match(self._text, self._at):
                self._at = found.end()
                node = _repeated(node, found)
            nodes.append(node)
        return tuple(nodes)

    def _one(self) -> Node:
        if found := _GROUP.match(self._text, self._at):
            self._at = found.end()
            ways = self._ways()
            if not self._text.startswith(")", self._at):
                raise ValueError(f"a group that does not end at {self._at}")
            self._at += 1
            return Either(ways, "i:" if found[0] == "(?i:" else "", found[0] == "(?P<v>")
        for kind, expression in ((Anchor, _ANCHORS), (Atom, _ATOM)):
            if found := expression.match(self._text, self._at):
                self._at = found.end()
                return kind(found[0])
        raise ValueError(f"an unexpected {self._text[self._at]!r} at {self._at}")


def _repeated(node: Node, found: re.Match[str]) -> Node:
    match found[0][0]:
        case "*":
            return Repeat(node, 0, None)
        case "+":
            return Repeat(node, 1, None)
        case "?":
            return Repeat(node, 0, 1)
    least = int(found[1])
    most = int(found[3]) if found[3] else None if found[2] else least
    return Repeat(node, least, most)


def _least(node: Node) -> int:
    match node:
        case Anchor():
            return 0
        case Atom():
            return 1
        case Repeat(of, least, _):
            return _least(of) * least
        case Either(ways):
            return min(sum(_least(each) for each in way) for way in ways)


def _full(node: Node) -> str:
    match node:
        case Anchor(text) | Atom(text):
            return text
        case Repeat(of, least, most):
            count = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
            if count is None:
                count = f"{{{least}}}" if most == least else f"{{{least},{'' if most is None else most}}}"
            return f"{_full(of) if isinstance(of, Atom) else f'(?:{_full(of)})'}{count}"
        case Either(ways, flag):
            return f"(?{flag or ':'}{'|'.join(''.join(map(_full, way)) for way in ways)})"


def _opening(node: Node) -> str:
    """Return what matches every beginning of the node, nothing and all of it included."""
    match node:
        case Anchor():
            return ""
        case Atom(text):
            return f"{text}?"
        case Repeat(Atom() as of, _, most):
            return _full(Repeat(of, 0, most))
        case Repeat(of, _, most):
            return f"{_full(Repeat(of, 0, most))}(?:{_opening(of)})"
        case Either(ways, flag):
            return f"(?{flag or ':'}{'|'.join(_opening_sequence(way) for way in ways)})"


def _opening_sequence(nodes: Sequence[Node]) -> str:
    if not nodes:
        return ""
    first, rest = nodes[0], nodes[1:]
    if not rest:
        return _opening(first)
    return f"(?:{_full(first)}{_opening_sequence(rest)}|{_opening(first)})"


def _opening_value(node: Node) -> str:
    """Return what matches every beginning that has reached the group v, which is captured to its end; or ""."""
    if not isinstance(node, Either):
        return ""
    found = []
    for way in node.ways:
        for index, each in enumerate(way):
            if isinstance(each, Either) and each.is_value:
                before = "".join(map(_full, way[:index]))
                found.append(f"{before}({_opening_sequence(way[index:])})")
            elif inner := _opening_value(each):
                before, after = "".join(map(_full, way[:index])), way[index + 1 :]
                found.append(f"{before}(?:{inner})")
                if after:
                    raise ValueError("a group v inside a group that something follows")
    return f"(?{node.flag or ':'}{'|'.join(found)})" if found else ""


def _value(node: Node) -> Either | None:
    if not isinstance(node, Either):
        return None
    if node.is_value:
        return node
    return next((found for way in node.ways for each in way if (found := _value(each)) is not None), None)


def _before_value(node: Node) -> int | None:
    """Return the most characters that may precede the group v (a large number for no bound), None without one."""
    if not isinstance(node, Either):
        return None
    for way in node.ways:
        width = 0
        for each in way:
            if isinstance(each, Either) and each.is_value:
                return width
            inner = _before_value(each)
            if inner is not None:
                return width + inner
            width += _most(each)
    return None


def _most(node: Node) -> int:
    match node:
        case Anchor():
            return 0
        case Atom():
            return 1
        case Repeat(of, _, most):
            return _most(of) * (1 << 20 if most is None else most)
        case Either(ways):
            return max(sum(_most(each) for each in way) for way in ways)


def _gate(node: Node, room: int) -> tuple[str, int, bool]:
    """Return a bounded beginning of the node, the room that is left, and whether it is all of the node."""
    match node:
        case Anchor(text):
            return text, room, True
        case Atom(text):
            return text, room - 1, room >= 1
        case Repeat(of, least, most):
            steady = most is not None and (least in (0, most) or most - least <= 4)
            if steady and _most(node) <= room:
                return _full(node), room - _most(node), True
            count = min(least, max(1, room // max(1, _least(of))))
            return (_full(Repeat(of, count, count)) if count and _least(of) else ""), room, False
        case Either(ways, flag, is_value):
            if is_value and room > GATE_WIDTH:
                room = GATE_WIDTH
            if _most(node) <= room and _before_value(node) is None:
                return _full(node), room - _most(node), True
            parts = [_gate_sequence(way, room) for way in ways]
            whole = len(parts) == 1 and parts[0][2]
            return f"(?{flag or ':'}{'|'.join(part for part, _, _ in parts)})", parts[0][1], whole


def _gate_sequence(nodes: Sequence[Node], room: int) -> tuple[str, int, bool]:
    text = ""
    for node in nodes:
        part, room, whole = _gate(node, room)
        text += part
        if not whole or room <= 0:
            return text, room, False
    return text, room, True
