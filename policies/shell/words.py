"""Turn the words of a tree into what a program gets: quotes and escapes resolved, braces expanded.

In      nodes of one word, which touch each other; the source that they lie in
Out     Word, several where braces make several
Holds   at most MAX_BRACES words of one
Source  POSIX.1-2017 XCU section 2.6; bash(1), QUOTING, Brace Expansion, Tilde Expansion
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from policies.facts import Word
from policies.shell.findings import TooMuch
from policies.shell.grammar import Node
from policies.shell.quoting import ansi

MAX_BRACES = 64

PLAIN, QUOTED, UNKNOWN = "u", "q", "c"
_HOLE = "\ufffc"
# What is the same to a shell however it stands there: bare, or all of it in quotes of one kind.
_SAID = re.compile(
    rb"([A-Za-z0-9_./:@%+,=-]++)|'([ -&(-}][ -&(-~]*+)'|\"([ !#%-[\]-_a-}][ !#%-[\]-_a-~]*+)\""
)
_SAYING = frozenset({"word", "number", "command_name", "raw_string", "string"})
_NO_WORD = re.compile(r"[ \t\n`]")  # unless escaped
_NAME_BEHIND = re.compile(rb"[A-Za-z0-9_{(@*#?!$-]")
_NO_OPTION = re.compile(r"[A-Za-z0-9_./@][A-Za-z0-9_./:@%+,-]*")
_PLAINLY = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_SEQUENCE = re.compile(r"(-?\d+)\.\.(-?\d+)\Z|([A-Za-z])\.\.([A-Za-z])\Z")


class Piece:
    """Text with, for each character, whether the shell still sees it as special, or it is not known at all."""

    __slots__ = ("mask", "text")

    def __init__(self, text: str = "", mask: str = "") -> None:
        self.text = text
        self.mask = mask

    def add(self, text: str, kind: str) -> None:
        self.text += text
        self.mask += kind * len(text)

    def hole(self) -> None:
        """Add something that is known at run time only."""
        self.add(_HOLE, UNKNOWN)

    def __getitem__(self, part: slice) -> Piece:
        return Piece(self.text[part], self.mask[part])

    def __add__(self, other: Piece) -> Piece:
        return Piece(self.text + other.text, self.mask + other.mask)


class Words:
    """Resolves words; `known` are variables whose value is certain where they stand."""

    def __init__(self, source: bytes, known: dict[str, str]) -> None:
        self._source = source
        self._known = known
        self._guessed: list[str] = []
        self._certain: dict[str, str] = {}
        self.plain: set[str] = set()  # variables that each become one plain word

    def certain(self, word: Word) -> str:
        """Return what is certain of a word, also of a computed one: its text with a mark for each hole."""
        return word.text if word.form != "computed" else self._certain.get(word.text, "")

    def text(self, node: Node) -> str:
        """Return a node's source."""
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def of(self, nodes: Sequence[Node]) -> list[Word]:
        """Return the word, or words, that these adjoining nodes make."""
        if len(nodes) == 1 and (plain := self.plainly(nodes[0])) is not None:
            return [plain]
        piece = Piece()
        self._guessed = []
        for node in nodes:
            self._add(node, piece)
        written = "".join(self.text(node) for node in nodes)
        parts = list(_braced(piece))
        empty = len(parts) > 1 and not all(part.text for part in parts)
        if len(parts) > 1 and any("$" in part.text and _bare_dollar(part) for part in parts):
            return [Word(written, "computed")]  # `{$,}x` makes an expansion of what follows the braces
        if len(parts) > MAX_BRACES or (empty and re.search(r"['\"\\]", written)):
            return [Word(written, "computed")]
        if empty:  # braces that leave nothing make no word
            parts = [part for part in parts if part.text]
        return [self._word(part, written, first=index == 0) for index, part in enumerate(parts)]

    def plainly(self, node: Node) -> Word | None:
        """Return the word that a node makes in which nothing means anything to a shell but quotes around all of it."""
        found = _SAID.fullmatch(self._source, node.start_byte, node.end_byte)
        if found is None or node.type not in _SAYING:
            return None
        return Word((found[1] or found[2] or found[3] or b"").decode("ascii"))

    def _word(self, piece: Piece, written: str, *, first: bool) -> Word:
        text = _homed(piece)
        if UNKNOWN in piece.mask:
            self._certain[written] = text
            prefix = text.partition(_HOLE)[0]
            if self._guessed and first:
                guesses = iter(self._guessed)
                prefix = re.sub(_HOLE, lambda _hole: next(guesses, _HOLE), text).partition(_HOLE)[0]
            return Word(written, "computed", prefix, self._whole(written))
        if any(kind == PLAIN and char in "*?[" for char, kind in zip(piece.text, piece.mask, strict=True)):
            return Word(text, "glob")
        return Word(text)

    def assigned(self, node: Node, values: Sequence[Word]) -> Word:
        """Return the word that an assignment is to a command that declares."""
        written = self.text(node)
        left = written[: written.index("=") + 1]
        value = values[0] if len(values) == 1 else Word("", "computed")
        return Word(left + value.text) if value.literal else Word(written, "computed", left + value.prefix)

    def looped(self, loop: Node, values: Sequence[Word]) -> str:
        """Note the variable of a loop that gives it plain words, if nothing in it gives any other; return its name."""
        variable = loop.child_by_field_name("variable")
        if variable is None or not values or not all(map(_is_plain, values)):
            return ""
        name, source = self.text(variable), self.text(loop)
        named = len(re.findall(rf"\b{name}\b", source)) - len(re.findall(rf"\$\{{?{name}\b", source))
        if named != 1 or "IFS" in source or name in self.plain:
            return ""
        self.plain.add(name)
        return name

    def _whole(self, written: str) -> bool:
        """Say whether a word becomes one word, and no option: nothing outside quotes but variables that are plain."""
        if not self.plain:
            return False
        rest = _PLAINLY.sub(lambda name: "" if (name[1] or name[2]) in self.plain else name[0], written)
        return "$" not in rest and "`" not in rest

    def _add(self, node: Node, piece: Piece) -> None:
        kind = node.type
        if kind in ("concatenation", "brace_expression", "command_name", "array"):
            last = node.start_byte
            for child in node.children:
                if child.start_byte > last:  # what the tree leaves out of a word is part of it all the same
                    gap = self._source[last : child.start_byte]
                    if gap.strip(b" \t\n") != gap:
                        raise TooMuch("a word with space in it")
                    piece.add(gap.decode("utf-8", "surrogateescape"), PLAIN)
                self._add(child, piece)
                last = child.end_byte
        elif kind in ("word", "number", "variable_name", "extglob_pattern", "regex") or not node.is_named:
            if self.text(node) == "$" and self._source[node.end_byte : node.end_byte + 1] == b'"':
                return  # of $"…": a translation
            if (kind == "number" and node.child_count) or (
                kind[:1] == "$" and self.text(node).count("$") > 1
            ):
                piece.hole()  # $$ at the end of a word is no expansion in the tree
            elif self.text(node) == "$" and _NAME_BEHIND.match(self._source, node.end_byte):
                piece.hole()  # a variable that the tree takes apart: `{}$x,`
            elif kind == "regex" and "$" in self.text(node):
                piece.hole()  # behind `==`, which stands outside a condition here
            else:
                _unquote(self.text(node), piece)
        elif kind == "raw_string":
            piece.add(self.text(node)[1:-1], QUOTED)
        elif kind == "ansi_c_string" and "\\x{" in self.text(node):
            raise TooMuch("a character in braces")
        elif kind == "ansi_c_string":
            piece.add(ansi(self.text(node)[2:-1]), QUOTED)
        elif kind in ("string", "translated_string"):
            self._string(node, piece)
        elif kind in ("simple_expansion", "expansion"):
            self._expansion(node, piece)
        else:
            piece.hole()

    def _string(self, node: Node, piece: Piece) -> None:
        if not node.text or node.type == "translated_string":
            for child in node.children:
                if child.type == "string":
                    self._string(child, piece)
            return
        at = node.start_byte + 1
        for child in node.children[1:-1]:
            if child.start_byte > at:
                _unquote_double(self._source[at : child.start_byte].decode("utf-8", "surrogateescape"), piece)
            if child.type == "string_content":
                _unquote_double(self.text(child), piece)
            elif child.type in ("simple_expansion", "expansion"):
                self._expansion(child, piece, quoted=True)
            elif child.is_named:
                piece.hole()
            else:
                _unquote_double(self.text(child), piece)
            at = child.end_byte
        if node.end_byte - 1 > at:
            _unquote_double(self._source[at : node.end_byte - 1].decode("utf-8", "surrogateescape"), piece)
        if not piece.text:
            piece.add("", QUOTED)

    def _expansion(self, node: Node, piece: Piece, *, quoted: bool = False) -> None:
        named = [child for child in node.children if child.is_named]
        simple = len(named) == 1 and named[0].type == "variable_name"
        plain = simple and (node.type == "simple_expansion" or node.child_count == 3)
        name = self.text(named[0]) if plain else ""
        if name == "HOME" and "HOME" not in self._known and not piece.text:
            piece.add("~", PLAIN)
            return
        value = self._known.get(name)
        if value is not None and (quoted or not re.search(r"[\s*?\[]", value)):
            self._guessed.append(value)
        else:
            self._guessed.append(_HOLE)
        piece.hole()


def _bare_dollar(piece: Piece) -> bool:
    return any(kind == PLAIN and char == "$" for char, kind in zip(piece.text, piece.mask, strict=True))


def _is_plain(word: Word) -> bool:
    known = word.literal and _NO_OPTION.fullmatch(word.text) is not None
    return known and not word.text.startswith(("/dev", "/proc"))


def _homed(piece: Piece) -> str:
    """Return the text; a quoted tilde at its start, which is no home folder, is a file of the current one."""
    if piece.text[:1] == "~" and piece.mask[0] == QUOTED:
        return "./" + piece.text
    return piece.text


def _unquote(text: str, piece: Piece) -> None:
    if _NO_WORD.search(re.sub(r"\\.", "", text, flags=re.DOTALL) if "\\" in text else text):
        raise TooMuch("a word with space or a backtick in it")
    if "\\" not in text:
        piece.add(text, PLAIN)
        return
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            if text[at + 1] != "\n":
                piece.add(text[at + 1], QUOTED)
            at += 2
        else:
            piece.add(text[at], PLAIN)
            at += 1


def _unquote_double(text: str, piece: Piece) -> None:
    text = re.sub(r"\\\n", "", text)
    piece.add(re.sub(r"\\([$`\"\\])", r"\1", text), QUOTED)


def _braced(piece: Piece) -> Iterator[Piece]:
    """Yield what brace expansion makes of a word, at most one more than MAX_BRACES."""
    made = [piece]
    done: list[Piece] = []
    while made:
        one = made.pop(0)
        found = _brace(one)
        if found is None:
            done.append(one)
        else:
            made[:0] = found
        if len(made) + len(done) > MAX_BRACES:
            yield from (done + made)[: MAX_BRACES + 1]
            return
    yield from done


def _brace(piece: Piece) -> list[Piece] | None:
    """Return the alternatives of the first brace expression; None if there is none."""
    text, mask = piece.text, piece.mask
    for start, char in enumerate(text):
        if char != "{" or mask[start] != PLAIN:
            continue
        depth, cuts = 0, [start]
        for at in range(start, len(text)):
            if mask[at] != PLAIN:
                continue
            if text[at] == "{":
                depth += 1
            elif text[at] == "}":
                depth -= 1
                if depth == 0:
                    cuts.append(at)
                    break
            elif text[at] == "," and depth == 1:
                cuts.append(at)
        if depth or len(cuts) < 2:
            continue
        before, after = piece[:start], piece[cuts[-1] + 1 :]
        if len(cuts) > 2:
            return [before + piece[one + 1 : two] + after for one, two in itertools.pairwise(cuts)]
        inside = text[start + 1 : cuts[-1]]
        if ".." not in inside:
            continue
        found = _SEQUENCE.match(inside)
        if found is None:
            return [before + Piece(_HOLE, UNKNOWN) + after]
        if found[1] is not None:
            low, high = int(found[1]), int(found[2])
        else:
            low, high = ord(found[3]), ord(found[4])
        if abs(high - low) >= MAX_BRACES:
            return [before + Piece(_HOLE, UNKNOWN) + after]
        step = 1 if high >= low else -1
        values = range(low, high + step, step)
        texts = [str(value) if found[1] is not None else chr(value) for value in values]
        return [before + Piece(value, PLAIN * len(value)) + after for value in texts]
    return None
