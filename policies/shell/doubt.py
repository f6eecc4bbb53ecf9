r"""Say when the grammar of the first parser is not to be trusted alone.

That grammar misreads some forms without reporting an error: a backslash-newline inside a word, two backtick
substitutions in one command, quotes inside `"${x:-…}"`, `time {`, and more than a list could name. So this guard goes
the other way: it knows plain forms, on which random programs run in a real shell have found no fault (tests/oracle),
and doubts all else. tests/vectors/shell has what was found.

In      the bytes of a statement
Out     "" or, in a few words, why a second parser must agree
Holds   one pass over the bytes. Alternatives begin with different bytes, so that nothing can be read in two ways;
        Python before 3.11.5 matches possessive groups wrongly, so there are none (of single classes they are sound)
"""

from __future__ import annotations

import re

_NAME = rb"[A-Za-z_][A-Za-z0-9_]*+"
_VALUE = rb"[A-Za-z0-9_./:@%+,=-]*+"
_PARAMETER = (
    rb"\$(?:" + _NAME + rb"|[0-9@*#?$!-]"
    rb"|\{\#?"
    + _NAME
    + rb"(?:\[[0-9@*]\])?(?::?[-+=?]"
    + _VALUE
    + rb"|(?:\#\#?|%%?)[A-Za-z0-9_./*:,=-]*+)?\})"
)
_SUM = rb"\$\(\((?:[A-Za-z0-9_ +*/%-]|" + _PARAMETER + rb")+\)\)"
_SINGLE = rb"'[^']*+'"
_ESCAPE = rb"\\[\x21-\x7e]|(?<=[^ \t\n])\\ (?=[A-Za-z0-9_./-])"


def _double(*inside: bytes) -> bytes:
    return rb'"(?:[^"\\$`\x00-\x08\x0b-\x1f\x7f]|\\[^\n]|' + b"|".join((_PARAMETER, *inside)) + rb')*"'


_FLAT = _double()
_BARE = rb"[A-Za-z0-9_./:@%+,=~^*?-]"
_INNER = (
    rb"\$\((?!\()(?:[ |&;]|(?<=[0-9 ])>(?:&[0-9]|(?=[ /A-Za-z]))|"
    + b"|".join((_BARE, _SINGLE, _PARAMETER))
    + rb"|"
)


def _substitution(*quoted: bytes) -> bytes:
    return _INNER + b"|".join((_FLAT, *quoted)) + rb")*\)"


_DOUBLE = _double(_SUM, _substitution())
_TOKENS = (
    _BARE + rb"++",
    rb"[ \t]++",
    _SINGLE,
    _DOUBLE,
    _PARAMETER,
    _SUM,
    rb"\$\((?!\()",
    rb"(?<=[ \t=(|;&!]) `[A-Za-z0-9_./ =-]++`(?![^`]*`)".replace(b") `", b")`"),
    rb"&&|\|\||[|;&)]",
    rb"(?<![$<>A-Za-z0-9_)'\"])\((?!\()",
    rb"(?<=[ \t])<\((?!\()",
    rb"(?<![\])}'\"*?!])>>?(?![>|(])[ \t]*+(?:(?=[A-Za-z0-9_./~\"'$])|&(?=[0-9]++(?:[ \t\n;|)]|\Z)))",
    rb"(?<![\])}'\"*?!<])<(?![<>&(])[ \t]*+(?=[A-Za-z0-9_./~\"'$])",
    rb"&>>?[ \t]*+(?=[A-Za-z0-9_./~\"'$])",
    _ESCAPE,
    rb"(?<=[ \t])\\\n(?=[ \t]*+[A-Za-z0-9_./\"'$-])",
    rb"\n(?![\\])",
    rb"(?:(?<=^)|(?<=[ \t\n;(|&]))(?:\[\[?|!(?![ \t]++!)|\{)(?=[ \t\n])",
    rb"(?<=[ \t])\]\]?(?=[ \t\n;)&|]|\Z)",
    rb"(?<=[ \t\n;])\}(?=[ \t\n;)&|]|\Z)",
    rb"(?<=[ \t])\{\}(?=[ \t\n;)&|/]|\Z)",
    rb"!=",
    rb"\[[A-Za-z0-9_-]++\](?=[A-Za-z0-9_.*/ -]|\Z)",
    rb"(?<!\\[!-~])\{(?!,+\})(?:[A-Za-z0-9_./,*-]|\{[A-Za-z0-9_./,*-]++\})++\}(?![<>\\])",
    rb"(?<=[ \t\n;])\#[^\n`]*+",
)
_TOKEN = re.compile(b"|".join(_TOKENS))
_AHEAD = rb"(?:^|[;&|(){!\n]|\b(?:if|then|elif|else|while|until|do|time)[ \t\n])[ \t]*+"
_KEYWORD = re.compile(
    _AHEAD + rb"(?:(coproc|case|select|function)\b"
    rb"|(time)(?=[ \t]*(?:[<>]|&>)|[ \t]+[-!{(\\\n]|[ \t]+(?:if|while|for|until|time)\b))"
)


_RUNS_TEXT = re.compile(
    rb"\b(?:(?:ba|da|z|k|a|rba|mk|fi|c|tc)?sh|ksh93|busybox|eval|autossh|slogin|su|runuser|trap|alias|watch|parallel"
    rb"|flock|script|tmux|screen|mapfile|readarray|compgen|complete|hyperfine|ansible|git|at|batch)\b"
)
_QUOTED = re.compile(
    rb"(?<![A-Za-z0-9_)}'\"\\])'([^']*+)'(?=[\s;|&)<>]|\Z)|"
    rb"(?<![A-Za-z0-9_)}'\"\\])\"((?:[^\"\\]|\\.)*)\"(?=[\s;|&)<>]|\Z)",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([$`\"\\])")
_PIECED = re.compile(rb"['\"]|\\(?![;()!+{]?(?:[\s;|&)]|\Z))")


def doubtful(source: bytes) -> str:
    """Return why the first parser may misread this statement silently; "" if it does not."""
    why = _doubtful(source)
    if (
        why
        or (b"'" not in source and b'"' not in source and b"\\" not in source)
        or not _RUNS_TEXT.search(source)
    ):
        return why
    inside = [_unescaped(found) for found in _QUOTED.finditer(source)]
    rest = _QUOTED.sub(b"", source)
    if _PIECED.search(rest):
        return "a script that may be pieced together"
    return next((f"{why} in a script inside it" for why in map(_doubtful, inside) if why), "")


def _unescaped(found: re.Match[bytes]) -> bytes:
    return found[1] if found[1] is not None else _ESCAPED.sub(rb"\1", found[2])


def _plain(source: bytes) -> bool:
    """Say whether the source is nothing but plain tokens; each is taken once, and never another way."""
    at, token = 0, _TOKEN.match
    while at < len(source):
        found = token(source, at)
        if found is None or found.end() == at:
            return False
        at = found.end()
    return True


def _doubtful(source: bytes) -> str:
    if not _plain(source):
        return "a form that is not plain"
    keyword = _KEYWORD.search(source)
    return f"a statement with {(keyword[1] or keyword[2]).decode()}" if keyword else ""
