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

from policies.shell.options import NONE, Takes


def _never(_text: str) -> bool:
    return False


def _awk_is_plain(text: str) -> bool:
    bare = re.sub(r'"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\\n])*/', '""', text)
    return not re.search(
        r"\bsystem\b|\|&?|\bgetline\b|>|@|\bENVIRON\b.*\||/inet", re.sub(r"\|\||[<>]=|>\s*[\d$]", " ", bare)
    )


def _sed_is_plain(text: str) -> bool:
    """Say whether no command of a sed script runs a program or names a file."""
    return (
        not re.search(
            r"(?:^|[;{}\n]|[0-9$/,!}])\s*[eEwWrRF]\b(?!\w)|s(?P<mark>[^\w\s\\])(?:\\.|(?!(?P=mark)).)*(?P=mark)(?:\\.|(?!(?P=mark)).)*(?P=mark)[gpiImM\d]*[ew]",
            text,
        )
        if len(text) < 4096
        else False
    )


def _sql_is_plain(text: str) -> bool:
    return not re.search(
        r"(?i)\\|^\s*\.(?:shell|system|load)\b|^\s*\.\w+\s.*\||\bedit\(|load_extension|writefile|\bcopy\b.*\bprogram\b|\bsystem\b|lo_(?:import|export)|pg_(?:read|write|ls)|load_file|into\s+(?:out|dump)file|sys_e",
        text,
        re.MULTILINE,
    )


def _ex_is_plain(text: str) -> bool:
    """Say whether no Ex command runs a program, or code of another language."""
    bare = re.sub(r"\b(?:wqa?|qa?|wa?|xa?|e|bd)!(?=\s*(?:[|\n]|\Z)|\s+[^!])", "", text)
    return not re.search(
        r"!|`|\b(?:system|systemlist|job_start|term_start|sh|shell|exe\w*|so|source|ru\w*|ter|term|terminal|lua\w*|pe?rl?\w*"
        r"|py\w*|rub\w*|tcl\w*|mz\w*|make|lmake|gr\w*|lgr\w*|normal?|au\w*|map|nnoremap)\b",
        bare,
    )


def _ed_is_plain(text: str) -> bool:
    return not re.search(r"^[^\w\n!]*(?:\d[^\w\n!]*)*[rweE]?\s*!", text, re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """How a program is given code.

    `inline`: options whose value is code; `first`: the first operand is, or all of them that stand `behind` so many;
    `plus`: so is an operand that begins with `+`; `files`: options that give it as a file; `input`: what stands on its
    input is code, whatever its operands are; `mixed`: options may stand behind operands.
    """

    language: str
    takes: Takes = NONE
    inline: tuple[str, ...] = ()
    first: bool = False
    behind: int = 0
    plus: bool = False
    input: bool = False
    files: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()  # options with which no code is read
    harmless: Callable[[str], bool] = _never
    single: bool = False
    scripts: bool = True
    mixed: bool = False


_PYTHON = Code(
    "Python",
    Takes("cmWXQ", "check-hash-based-pycs"),
    ("c",),
    files=("m",),
    quiet=("V", "version", "h", "help"),
)
_AWK = Code(
    "awk",
    Takes("fFvieElo", "file field-separator assign include exec source"),
    ("e", "source"),
    first=True,
    files=("f", "file", "E", "exec"),
    harmless=_awk_is_plain,
    scripts=False,
)
_SED = Code(
    "sed",
    Takes("efl", "expression file line-length"),
    ("e", "expression"),
    first=True,
    files=("f", "file"),
    quiet=("version", "help"),
    harmless=_sed_is_plain,
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
    files=("f", "file", "l", "list"),
    quiet=("l", "list", "V", "version", "help"),
    harmless=_sql_is_plain,
    input=True,
    scripts=False,
    mixed=True,
)
_MYSQL = Code(
    "SQL",
    Takes("hPuSDep", "host user port database execute password socket"),
    ("e", "execute"),
    quiet=("V", "version", "help"),
    harmless=_sql_is_plain,
    input=True,
    scripts=False,
    mixed=True,
)
_SQLITE = Code(
    "SQL",
    Takes("", "cmd init separator nullvalue newline mmap maxsize lookaside pagecache vfs"),
    ("cmd",),
    first=True,
    behind=1,
    input=True,
    quiet=("version", "help"),
    harmless=_sql_is_plain,
    single=True,
    scripts=False,
    mixed=True,
)
_EX_TAKES = Takes("cSuUiwWTtqr", "cmd startuptime servername remote-send remote-expr")
_VIM = Code(
    "Ex commands",
    _EX_TAKES,
    ("c", "cmd", "remote-expr"),
    plus=True,
    harmless=_ex_is_plain,
    scripts=False,
    mixed=True,
)
_EX = Code(
    "Ex commands",
    _EX_TAKES,
    ("c", "cmd"),
    plus=True,
    input=True,
    harmless=_ex_is_plain,
    scripts=False,
    mixed=True,
)
_ED = Code("ed commands", Takes("p", "prompt"), input=True, harmless=_ed_is_plain, scripts=False, mixed=True)

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
        files=("f", "F", "S"),
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
    "R": Code("R", Takes("ef"), ("e",), files=("f", "CMD")),
    "octave": Code("Octave", Takes("", "eval"), ("eval",)),
    "julia": Code("Julia", Takes("eE", "eval print"), ("e", "E", "eval", "print")),
    "groovy": Code("Groovy", Takes("e"), ("e",)),
    "jshell": Code("Java", Takes()),
    "scala": Code("Scala", Takes("e"), ("e",)),
    "osascript": Code("AppleScript", Takes("el"), ("e",)),
    "pwsh": Code("PowerShell", Takes("c", "command"), ("c", "command"), single=True),
    "gdb": Code(
        "gdb commands",
        Takes("x", "ex eval-command command"),
        ("ex", "eval-command"),
        files=("x", "command", "args", "p", "pid", "batch"),
        quiet=("v", "version"),
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
    "ex": _EX,
    **dict.fromkeys(
        ["vi", "vim", "nvim", "view", "rvim", "rview", "vimdiff", "gvim", "vim.basic", "vim.tiny"], _VIM
    ),
}

_CALLS = re.compile(
    r"""(?:\b(?:system|popen[23]?|exec[lv]?[pe]{0,2}|spawn[lv]?[pe]{0,2}|call|check_call|check_output|getoutput|getstatusoutput
    |run|Popen|shell_exec|passthru|proc_open|pcntl_exec|execSync|spawnSync|exec|qx|os\.execute|io\.popen|shell|backtick)\s*[({]?\s*\(?\[?\s*
    |\\!\s*|\b(?i:PROGRAM)\s+|\|\s*getline|\bsh\s+-c\s+|!)
    (?:(?P<quote>["'`])(?P<text>(?:\\.|(?!(?P=quote)).){1,2000})(?P=quote))""",
    re.VERBOSE | re.DOTALL,
)
_BACKTICKS = re.compile(r"`((?:\\.|[^`\\]){1,2000})`|%x\{([^}]{1,2000})\}|qx\{([^}]{1,2000})\}", re.DOTALL)
_PIPED = re.compile(r"\|&?\s*\"((?:\\.|[^\"\\]){1,2000})\"|\"((?:\\.|[^\"\\]){1,2000})\"\s*\|&?\s*getline")
_LIST = re.compile(r"\[((?:\s*[\"'](?:\\.|[^\"'\\])*[\"']\s*,?)+)\]")
_LINES: Mapping[str, re.Pattern[str]] = {
    "SQL": re.compile(
        r"\\!\s*([^\n;]{1,2000})|(?:^|[;\n])\s*(?:system|\.shell|\.system)\s+([^\n;]{1,2000})"
        r"|(?:\\(?:o|out|g|gx|w|write)|\.(?:once|output))\s+\|\s*([^\n]{1,2000})"
    ),
    "Ex commands": re.compile(
        r"(?:^|[|\n])[\s:]*(?:sil(?:ent)?!?\s+)?(?:[%.$\d,;']*|r(?:ead)?|w(?:rite)?)\s*!\s*([^\n]{1,2000})()"
        r"|(?:^|[|\n])[\s:]*ter(?:m|minal)?\s+([^\n]{1,2000})"
    ),
    "ed commands": re.compile(r"(?:^|\n)[^\w\n!]*(?:\d[^\w\n!]*)*[rweE]?\s*!\s*([^\n]{1,2000})()()"),
    "Tcl": re.compile(r"\b(?:spawn|exec)\s+((?:-\w+\s+)*[^\]\n;]{1,2000})()()"),
}
_MOST = 20


def scripts_in(text: str, code: Code) -> Iterator[str]:
    """Yield what looks like shell commands in code, at most a few: `interpreter` says that there may be more."""
    text = text[:20_000]
    found = [one["text"] for one in _CALLS.finditer(text)]
    found += (
        [a or b or c for a, b, c in _BACKTICKS.findall(text)]
        if code.language in ("Perl", "Ruby", "PHP")
        else []
    )
    if code.language == "awk":
        found += [a or b for a, b in _PIPED.findall(text)]
    found += [" ".join(re.findall(r"[\"']((?:\\.|[^\"'\\])*)[\"']", inner)) for inner in _LIST.findall(text)]
    if (lines := _LINES.get(code.language)) is not None:
        found += ["".join(groups).strip() for groups in lines.findall(text)]
    for script in list(dict.fromkeys(found))[:_MOST]:
        yield re.sub(r"\\([\"'`\\])", r"\1", script)
