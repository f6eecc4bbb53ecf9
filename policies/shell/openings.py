"""Follow what is open in shell input line by line: quotes, substitutions, compound commands, here-documents.

In      physical lines, each with its newline
Out     whether bash, at the end of the line, has a complete command or waits for more
Holds   a frame for each opening (DEPTH_MAX), delimiters of here-documents; never the text
Errors  Lost: where the statement ends cannot be told
Source  bash 5.2 parse.y; POSIX.1-2017 XCU section 2

It does not parse: whether a complete command is a sound one is for the grammar to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from policies.shell.here_document import HereDocument, read_delimiter

DEPTH_MAX = 100

_PLAIN = re.compile(r"[^ \t\n'\"\\$`;&|<>()]++")
_DOUBLE = re.compile(r'[^"\\$`]*+')
_ANSI = re.compile(r"(?:[^\\']|\\.)*", re.DOTALL)
_BACKTICK = re.compile(r"(?:[^\\`]|\\.)*", re.DOTALL)
_BRACED = re.compile(r"[^}'\"\\$`]*+")
_ARITHMETIC = re.compile(r"[^()\[\]'\"\\$`]*+")
_OPERATOR = re.compile(r";;&|;;|;&|;|&&|&>>|&>|&|\|\||\|&|\||<<<|<<-|<<|<&|<>|<|>>|>&|>\||>")
_CALL = re.compile(r"\([ \t]*\)")
_DESCRIPTOR = re.compile(r"[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\}")
_ASSIGNS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[.*\])?\+?=", re.DOTALL)

_OPENS = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "select": "done",
    "case": "esac",
    "{": "}",
}
_EXPECTS = {"for": "name", "select": "name", "case": "subject", "function": "function"}
_CLOSES = frozenset(_OPENS.values())
_GOES_ON = frozenset({"then", "else", "elif", "do", "!", "time", "coproc"})

Kind = Literal["commands", "single", "double", "ansi", "backtick", "braced", "arithmetic", "bracket"]


class Lost(Exception):
    """Where the statement ends cannot be told; the text says why."""


@dataclass(slots=True)
class _Frame:
    """One opening; all but the first three fields are of command text alone.

    `starts` says that a reserved word would be recognised; `word` is the word under way, "" if it is not plain.
    """

    kind: Kind
    within_word: bool = False
    depth: int = 0
    closes: str = ""
    closers: list[str] = field(default_factory=list)
    starts: bool = True
    word: str | None = None
    called: bool = False  # the last token was a word, which "()" would make a function of
    after: bool = False  # the last token was an operator that needs another command
    body: bool = False  # a function's body is to come
    redirects: bool = False
    conditional: bool = False
    listed: bool = False  # words of an array, or a pattern in parentheses
    expects: str = ""
    documents: list[HereDocument] = field(default_factory=list)


class Openings:
    """What is open so far; `line` takes the next physical line."""

    def __init__(self) -> None:
        self._stack = [_Frame("commands")]
        self._reading: list[HereDocument] = []
        self._joined: list[str] = []
        self._complete = True

    @property
    def what(self) -> str:
        """Name what is open, for people."""
        if self._reading:
            return f"a here-document that {self._reading[0].delimiter[:64]!r} ends"
        top = self._stack[-1]
        names = {"single": "'…'", "double": '"…"', "ansi": "$'…'", "backtick": "`…`", "braced": "${…}"}
        if top.kind != "commands":
            return names.get(top.kind, "((…))")
        if top.closers:
            return f"a command that {top.closers[-1]!r} ends"
        return "(…)" if top.closes else "a command that goes on"

    def line(self, text: str) -> bool:
        """Follow one line with its newline; say whether a complete command ends with it; raise Lost."""
        self._complete = False
        if self._reading:
            self._body(text)
            return self._complete
        at = 0
        while at < len(text):
            frame = self._stack[-1]
            step = self._commands if frame.kind == "commands" else self._quoted
            at = step(frame, text, at)
        return self._complete

    # Here-documents.

    def _body(self, text: str) -> None:
        """Take a line of a here-document; without quotes around its delimiter, backslash-newline joins lines."""
        document = self._reading[0]
        line = text.removesuffix("\n")
        if document.goes_on(line):
            self._joined.append(line[:-1])
            return
        whole = "".join([*self._joined, line])
        self._joined.clear()
        if document.ends(whole):
            del self._reading[0]
            if not self._reading:
                self._newline(self._stack[-1])

    def _document(self, frame: _Frame, text: str, at: int, operator: str) -> int:
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        try:
            document, at = read_delimiter(text, at, strips_tabs=operator == "<<-")
        except ValueError as error:
            raise Lost(str(error)) from None
        frame.documents.append(document)
        return at

    # Quotes and expansions.

    def _push(self, kind: Kind, *, within_word: bool = True, closes: str = "", starts: bool = True) -> _Frame:
        if len(self._stack) + sum(len(frame.closers) for frame in self._stack) > DEPTH_MAX:
            raise Lost(f"nested deeper than {DEPTH_MAX}")
        frame = _Frame(kind, within_word=within_word, closes=closes, starts=starts)
        self._stack.append(frame)
        return frame

    def _quoted(self, frame: _Frame, text: str, at: int) -> int:
        """Go on within a quote or an expansion."""
        match frame.kind:
            case "single":
                end = text.find("'", at)
                return len(text) if end < 0 else self._pop(end + 1)
            case "ansi":
                end = _end(_ANSI, text, at)
                return self._pop(end + 1) if text[end : end + 1] == "'" else len(text)
            case "backtick":
                end = _end(_BACKTICK, text, at)
                return self._pop(end + 1) if text[end : end + 1] == "`" else len(text)
            case "double":
                at = _end(_DOUBLE, text, at)
                if text[at : at + 1] == '"':
                    return self._pop(at + 1)
            case "braced":
                at = _end(_BRACED, text, at)
                if text[at : at + 1] == "}":
                    return self._pop(at + 1)
            case _:
                at = _end(_ARITHMETIC, text, at)
                if text[at : at + 1] and text[at] in "()[]":
                    return self._parenthesis(frame, text, at)
        return self._special(text, at) if at < len(text) else at

    def _pop(self, at: int) -> int:
        self._stack.pop()
        return at

    def _special(self, text: str, at: int) -> int:
        """Take a quote, a backslash or a dollar sign."""
        holder = next(frame for frame in reversed(self._stack) if frame.kind != "braced")
        within_double = holder.kind == "double"
        match text[at]:
            case "\\":
                return at + 2
            case "'":  # also within "${x:-'…'}", where bash looks for its end, and then keeps both quotes
                self._push("single")
                return at + 1
            case '"':
                self._push("double")
                return at + 1
            case "`":
                self._push("backtick")
                return at + 1
        follows = text[at + 1 : at + 3]
        if follows == "((":
            self._push("arithmetic")
            return at + 3
        match follows[:1]:
            case "(":
                self._push("commands", closes=")")
            case "{":
                self._push("braced")
            case "[":
                self._push("bracket")
            case "'" if not within_double:
                self._push("ansi")
            case _:
                return at + 1
        return at + 2

    def _parenthesis(self, frame: _Frame, text: str, at: int) -> int:
        opens, closes = ("(", ")") if frame.kind == "arithmetic" else ("[", "]")
        if text[at] == opens:
            frame.depth += 1
        elif text[at] == closes and frame.depth:
            frame.depth -= 1
        elif text[at] == closes and frame.kind == "bracket":
            self._stack.pop()
        elif text.startswith("))", at):
            self._stack.pop()
            return at + 2
        elif text[at] == closes:  # "((" began two subshells, and the inner one ends here
            self._stack[-1] = _Frame("commands", within_word=frame.within_word, closes=")")
        return at + 1

    # Command text.

    def _commands(self, frame: _Frame, text: str, at: int) -> int:
        """Take one token, or one piece of a word."""
        match text[at]:
            case " " | "\t":
                self._word_done(frame)
            case "\n":
                self._word_done(frame)
                if frame.documents:
                    self._reading, frame.documents = frame.documents, []
                else:
                    self._newline(frame)
            case "#" if frame.word is None:
                return len(text) - text.endswith("\n")
            case "\\" if text[at + 1 : at + 2] == "\n":
                return at + 2
            case "'" | '"' | "\\" | "`" | "$":
                frame.word = ""
                return self._special(text, at)
            case "(" | ")":
                return self._group(frame, text, at)
            case "<" | ">" if text[at + 1 : at + 2] == "(" and not frame.conditional:
                frame.word = ""
                self._push("commands", closes=")")
                return at + 2
            case ";" | "&" | "|" | "<" | ">":
                return self._operator(frame, text, at)
            case _:
                end = _end(_PLAIN, text, at)
                frame.word = text[at:end] if frame.word is None else frame.word and frame.word + text[at:end]
                return end
        return at + 1

    def _group(self, frame: _Frame, text: str, at: int) -> int:
        """Take a parenthesis."""
        if frame.conditional or (frame.expects == "pattern" and text[at] == "(" and frame.word is None):
            self._word_done(frame)
            return at + 1
        if text[at] == ")":
            self._close(frame)
            return at + 1
        names = (frame.word and not frame.word.endswith("=")) or frame.called
        if names and (call := _CALL.match(text, at)):
            frame.word, frame.expects = None, ""
            frame.called, frame.after, frame.body, frame.starts = False, False, True, True
            return call.end()
        if frame.word is not None:
            self._push("commands", closes=")", starts=False).listed = True
            frame.word = ""
            return at + 1
        frame.after = frame.body = False
        if text.startswith("((", at) and (frame.starts or frame.expects == "name"):
            frame.expects, frame.starts = "", True
            self._push("arithmetic", within_word=False)
            return at + 2
        self._push("commands", within_word=False, closes=")")
        return at + 1

    def _close(self, frame: _Frame) -> None:
        self._word_done(frame)
        if frame.expects == "pattern":
            frame.expects, frame.starts = "", True
            return
        if frame.closes != ")" or frame.closers or frame.expects:
            raise Lost("a parenthesis closes that was not opened")
        self._stack.pop()
        below = self._stack[-1]
        below.documents += frame.documents
        if not frame.within_word:
            below.starts, below.after, below.called = True, False, False

    def _operator(self, frame: _Frame, text: str, at: int) -> int:
        found = _OPERATOR.match(text, at)
        assert found is not None  # noqa: S101 - one of its first characters is here
        operator = found[0]
        redirects = operator[0] in "<>" or operator.startswith("&>")
        if redirects and frame.word and _DESCRIPTOR.fullmatch(frame.word):
            frame.word = None
        self._word_done(frame)
        if frame.conditional or (frame.expects == "pattern" and operator == "|"):
            return at + len(operator)
        if redirects:
            frame.starts = frame.after = False
            if operator in ("<<", "<<-"):
                return self._document(frame, text, found.end(), operator)
            frame.redirects = True
            return found.end()
        if operator in (";;", ";&", ";;&"):
            if frame.closers[-1:] != ["esac"]:
                raise Lost(f"{operator} is not in a case")
            frame.expects = "pattern"
        elif frame.expects == "in":
            frame.expects = ""
        frame.called, frame.starts, frame.after = False, True, operator in ("&&", "||", "|", "|&")
        return found.end()

    def _newline(self, frame: _Frame) -> None:
        if frame.conditional or frame.listed:
            return
        if frame.redirects:
            raise Lost("a redirection has no target")
        frame.called = False
        if not frame.expects:
            frame.starts = True
            self._complete = len(self._stack) == 1 and not (frame.closers or frame.body or frame.after)

    def _word_done(self, frame: _Frame) -> None:
        """End the word under way: it may be a reserved one."""
        word, frame.word = frame.word, None
        if word is None or frame.listed:
            return
        if frame.redirects:
            frame.redirects = False
            return
        frame.after = False
        if frame.conditional:
            frame.conditional, frame.starts = word != "]]", word == "]]"
        elif frame.expects:
            self._expected(frame, word)
        elif frame.starts and word:
            self._first(frame, word)
        else:
            frame.starts = frame.called = False

    def _expected(self, frame: _Frame, word: str) -> None:
        match frame.expects:
            case "name":
                frame.expects = "in"
            case "subject":
                frame.expects = "case in"
            case "case in" if word == "in":
                frame.expects = "pattern"
            case "in" if word in ("in", "do"):
                frame.expects, frame.starts = "", word == "do"
            case "function":
                frame.expects, frame.starts, frame.body, frame.called = "", True, True, True
            case "pattern":
                if word == "esac":
                    frame.expects, frame.starts = "", True
                    frame.closers.pop()
            case _:
                raise Lost(f"{word[:64]!r} where {frame.expects.split()[-1]!r} was expected")

    def _first(self, frame: _Frame, word: str) -> None:
        """Take a plain word where a reserved one would be recognised."""
        frame.called = False
        if word in _CLOSES:
            if frame.closers[-1:] != [word]:
                raise Lost(f"{word!r} closes what was not opened")
            frame.closers.pop()
        elif word in _OPENS or word == "function":
            if len(frame.closers) >= DEPTH_MAX:
                raise Lost(f"nested deeper than {DEPTH_MAX}")
            frame.closers += [_OPENS[word]] if word in _OPENS else []
            frame.expects = _EXPECTS.get(word, "")
            frame.starts, frame.body = not frame.expects, False
        elif word == "[[":
            frame.conditional, frame.body = True, False
        elif word not in _GOES_ON:
            frame.starts, frame.body, frame.called = False, False, not _ASSIGNS.match(word)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()
