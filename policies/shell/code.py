"""Know the programs that take code in a language that is not parsed here, and guess at the commands in it.

In      the words of a command; the text of its code
Out     how it takes code; the shell commands that stand in it as literal text, as far as they can be seen
Source  python(1), perl(1), ruby(1), node(1), php(1), lua(1), gawk(1), sed(1), psql(1), mysql(1), sqlite3(1), vim(1),
        ed(1), tclsh(1)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from policies.facts import Word
from policies.shell import plain
from policies.shell.options import NONE, Given, Takes, tail
from policies.shell.roles import ROLES


def _never(_text: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Code:
    """How a program is given code.

    `inline`: options whose value is code; `first`: the first operand is, or all of them that stand `behind` so many;
    `plus`: so is an operand that begins with `+`; `files`: options whose value is a file of it, `away`: those that have
    it come from elsewhere; `input`: what stands on its input is code, whatever its operands are, and even behind code
    that was given if it is `both`; `mixed`: options may stand behind operands.
    """

    language: str
    takes: Takes = NONE
    inline: tuple[str, ...] = ()
    first: bool = False
    behind: int = 0
    plus: bool = False
    input: bool = False
    both: bool = False
    files: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()  # options with which no code is read
    harmless: Callable[[str], bool] = _never
    single: bool = False
    scripts: bool = True
    mixed: bool = False


_PYTHON = Code(
    "Python",
    Takes("cmWXQ", "check-hash-based-pycs"),
    ("c",),
    away=("m",),
    quiet=("V", "version", "h", "help"),
)
_AWK = Code(
    "awk",
    ROLES["awk"].takes,
    ("e", "source"),
    first=True,
    files=("f", "file", "E", "exec"),
    harmless=plain.awk,
    scripts=False,
)
_SED = Code(
    "sed",
    ROLES["sed"].takes,
    ("e", "expression"),
    first=True,
    files=("f", "file"),
    quiet=("version", "help"),
    harmless=plain.sed,
    scripts=False,
    mixed=True,
)
_LUA = Code("Lua", Takes("el"), ("e",), quiet=("v",))
_NODE = Code(
    "JavaScript",
    Takes("epr", "eval print require import loader"),
    ("e", "p", "eval", "print"),
    quiet=("v", "version", "h", "help"),
)
_PSQL = Code(
    "SQL",
    Takes("cdfhLopRTUvFP", "command dbname file host log-file output port username set variable pset"),
    ("c", "command"),
    files=("f", "file"),
    quiet=("l", "list", "V", "version", "help"),
    harmless=plain.sql,
    input=True,
    scripts=False,
    mixed=True,
)
_MYSQL = Code(
    "SQL",
    Takes("hPuSDe", "host user port database execute socket"),
    ("e", "execute"),
    quiet=("V", "version", "help"),
    harmless=plain.sql,
    input=True,
    scripts=False,
    mixed=True,
)
_SQLITE = Code(
    "SQL",
    Takes("", "cmd init separator nullvalue newline mmap maxsize lookaside pagecache vfs heap nonce"),
    ("cmd",),
    first=True,
    behind=1,
    input=True,
    both=True,
    files=("init",),
    quiet=("version", "help"),
    harmless=plain.sql,
    single=True,
    scripts=False,
    mixed=True,
)
_VI = Code(
    "Ex commands",
    Takes("cSuUiwWTtqr", "cmd startuptime servername remote-send remote-expr"),
    ("c", "cmd", "remote-expr", "remote-send"),
    plus=True,
    input=True,
    both=True,
    files=("S", "u"),
    harmless=plain.ex,
    scripts=False,
    mixed=True,
)
_ED = Code(
    "ed commands", Takes("p", "prompt"), input=True, harmless=plain.ed, scripts=False, mixed=True, both=True
)

CODE: Mapping[str, Code] = {
    "python": _PYTHON,
    "pypy": _PYTHON,
    "ipython": _PYTHON,
    "micropython": _PYTHON,
    "perl": Code("Perl", Takes("eEIMm"), ("e", "E"), quiet=("v", "V")),
    "ruby": Code("Ruby", Takes("eIrCE"), ("e",), quiet=("v", "version")),
    "irb": Code("Ruby", Takes("rI")),
    "jruby": Code("Ruby", Takes("eIrC"), ("e",)),
    "node": _NODE,
    "nodejs": _NODE,
    "deno": Code("JavaScript", Takes(), ("eval",)),
    "bun": Code("JavaScript", Takes("ep", "eval print"), ("e", "p", "eval", "print")),
    "jjs": Code("JavaScript", Takes()),
    "js": Code("JavaScript", Takes("e"), ("e",)),
    "php": Code(
        "PHP",
        Takes("rRBEFfdzcSt", "run"),
        ("r", "R", "B", "E", "run"),
        files=("f", "F"),
        away=("S",),
        quiet=("v", "i", "m", "l"),
    ),
    "lua": _LUA,
    "luajit": _LUA,
    "texlua": _LUA,
    "tclsh": Code("Tcl", Takes()),
    "wish": Code("Tcl", Takes()),
    "expect": Code("Tcl", Takes("cfd"), ("c",), files=("f",)),
    "guile": Code("Scheme", Takes("cesLlx"), ("c",)),
    "gosh": Code("Scheme", Takes("eIlu"), ("e",)),
    "sbcl": Code(
        "Lisp", Takes("", "eval load script"), ("eval",), files=("load", "script"), quiet=("version",)
    ),
    "clisp": Code("Lisp", Takes("xi"), ("x",)),
    "ghci": Code("Haskell", Takes("e"), ("e",)),
    "ocaml": Code("OCaml", Takes("e"), ("e",)),
    "erl": Code("Erlang", Takes("", "eval"), ("eval",), single=True),
    "elixir": Code("Elixir", Takes("er", "eval"), ("e", "eval")),
    "iex": Code("Elixir", Takes()),
    "Rscript": Code("R", Takes("e"), ("e",)),
    "R": Code("R", Takes("ef"), ("e",), files=("f",), away=("CMD",)),
    "octave": Code("Octave", Takes("", "eval"), ("eval",)),
    "julia": Code("Julia", Takes("eE", "eval print"), ("e", "E", "eval", "print")),
    "groovy": Code("Groovy", Takes("e"), ("e",)),
    "jshell": Code("Java", Takes()),
    "scala": Code("Scala", Takes("e"), ("e",)),
    "osascript": Code("AppleScript", Takes("el"), ("e",)),
    "pwsh": Code("PowerShell", Takes("c", "command"), ("c", "command"), single=True),
    "gdb": Code(
        "gdb commands",
        Takes("xp", "ex eval-command iex eiex init-eval-command command init-command ix pid core"),
        ("ex", "eval-command", "iex", "eiex", "init-eval-command"),
        files=("x", "command", "init-command", "ix"),
        quiet=("v", "version"),
        input=True,
        both=True,
        single=True,
        scripts=False,
        mixed=True,
    ),
    "awk": _AWK,
    "gawk": _AWK,
    "mawk": _AWK,
    "nawk": _AWK,
    "sed": _SED,
    "gsed": _SED,
    "psql": _PSQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
    "ed": _ED,
    "red": _ED,
    "ex": _VI,
    **dict.fromkeys(
        ["vi", "vim", "nvim", "view", "rvim", "rview", "vimdiff", "gvim", "vim.basic", "vim.tiny"], _VI
    ),
}

_CALLS = re.compile(
    r"""(?:\b(?:system|popen[23]?|exec[lv]?[pe]{0,2}|spawn[lv]?[pe]{0,2}|call|check_call|check_output|getoutput|getstatusoutput
    |run|Popen|shell_exec|passthru|proc_open|pcntl_exec|execSync|spawnSync|exec|qx|os\.execute|io\.popen|shell|backtick)\b
    |\\!|\b(?i:PROGRAM)\b|\|\s{0,9}getline|\bsh\s{1,9}-c\b|!)
    (?:\s{0,9}[({\[]){0,3}\s{0,9}
    (?:(?P<quote>["'`])(?P<text>(?:\\.|(?!(?P=quote)).){1,2000})(?P=quote))""",
    re.VERBOSE | re.DOTALL,
)
_BACKTICKS = re.compile(r"`((?:\\.|[^`\\]){1,2000})`|%x\{([^}]{1,2000})\}|qx\{([^}]{1,2000})\}", re.DOTALL)
_PIPED = re.compile(
    r"\|&?\s{0,9}\"((?:\\.|[^\"\\]){1,2000})\"|\"((?:\\.|[^\"\\]){1,2000})\"\s{0,9}\|&?\s{0,9}getline"
)
_STRING = r"(?:\"(?:\\.|[^\"\\]){0,999}\"|'(?:\\.|[^'\\]){0,999}')"
_LIST = re.compile(
    rf"\[\s{{0,9}}({_STRING}(?:\s{{0,9}},\s{{0,9}}{_STRING}|\s{{1,9}}{_STRING}){{0,40}})[\s,]{{0,9}}\]"
)
_SQL = re.compile(
    r"\\!([^\n;]{1,2000})|(?:^|[;\n])[ \t]{0,99}(?:system|\.sh\w*|\.sy\w*)[ \t]([^\n;]{1,2000})"
    r"|(?:\\(?:o|out|g|gx|w|write)|\.(?:once|o\w*))[ \t]{0,99}\|([^\n]{1,2000})"
)
_TCL = re.compile(r"\b(?:spawn|exec)[ \t]{1,9}((?:-\w{1,20}[ \t]{1,9}){0,5}[^\]\n;]{1,2000})")
_EX_SHELL = re.compile(
    r"(?:sil(?:ent)?!?[ \t]+)?(?:(?:[%.$\d,;']*|r(?:ead)?|w(?:rite)?)[ \t]*!|te(?:r|rm|rminal)?[ \t])(.{1,2000})"
)
_ED_SHELL = re.compile(
    r"[\d,.$%;+ \t-]{0,99}(?:'\w)?(?:[gGvV]?(?:/[^/]{0,99}/|\?[^?]{0,99}\?)|,|[ \t]){0,5}"
    r"[rweEWq]{0,2}[ \t]{0,9}!(.{1,2000})"
)
_MOST = 20
_LOOKED_THROUGH = 8_000  # characters


def code_in(code: Code, found: Given) -> list[Word]:
    """Return the words that are code, of those that a command was given."""
    texts, operands = found.values(*code.inline), found.operands
    if code.first and not found.has(*code.files, *code.away) and operands and not texts:
        texts = operands[code.behind :] if code.behind else operands[:1]
    if code.plus:
        texts += [tail(word, 1) for word in operands if _known(word).startswith("+") and word.text != "+"]
    if code.language == "ed commands":
        texts += [word for word in operands if _known(word).startswith("!")]
    if code.language == "sed" and len(texts) > 1 and all(word.literal for word in texts):
        texts = [Word("\n".join(word.text for word in texts))]  # a line may go on in the next of them
    if code.language == "SQL":
        texts += [
            Word("\\o " + word.text) for word in found.values("o", "output") if word.text.startswith("|")
        ]
    return texts


def _known(word: Word) -> str:
    """Return what a word begins with in any case."""
    return word.prefix if word.form == "computed" else word.text


def scripts_in(text: str, code: Code) -> Iterator[str]:
    """Yield what looks like shell commands in code, at most a few: `interpreter` says that there may be more."""
    text = text[:_LOOKED_THROUGH]
    found = [one["text"] for one in _CALLS.finditer(text)]
    found += (
        [a or b or c for a, b, c in _BACKTICKS.findall(text)]
        if code.language in ("Perl", "Ruby", "PHP")
        else []
    )
    if code.language == "awk":
        found += [a or b for a, b in _PIPED.findall(text)]
    found += [" ".join(re.findall(r"[\"']((?:\\.|[^\"'\\])*)[\"']", inner)) for inner in _LIST.findall(text)]
    found += _of_language(text, code.language)
    for script in list(dict.fromkeys(found))[:_MOST]:
        yield re.sub(r"\\([\"'`\\])", r"\1", script)


def _of_language(text: str, language: str) -> Iterator[str]:
    """Yield what a language has of its own to start a shell command, by the line."""
    if language in ("SQL", "Tcl"):
        for found in (_SQL if language == "SQL" else _TCL).finditer(text):
            yield "".join(filter(None, found.groups())).strip()
        return
    if language not in ("Ex commands", "ed commands"):
        return
    shell = _EX_SHELL if language == "Ex commands" else _ED_SHELL
    for line in re.split(r"[\n\r]", text):
        starts = [0, *(at + 1 for at, char in enumerate(line) if char == "|")] if shell is _EX_SHELL else [0]
        for at in starts[:_MOST]:
            if (match := shell.match(line[at : at + 3000].lstrip(" \t:"))) is not None:
                yield match[1].strip()
                break
