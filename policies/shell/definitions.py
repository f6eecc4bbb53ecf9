"""Know the names that change what later words of a shell mean, or what the programs it starts do.

Source  bash(1), Shell Variables; ld.so(8); the manuals of the programs that are named
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policies.facts import Word
from policies.shell.findings import TooMuch

_GRAVE = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|BASH_FUNC_.*|BASH_LOADABLES_PATH|BASH_CMDS|BASH_ALIASES|CDPATH|FPATH|PS[0-4]"
    r"|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|SHELL|HOME|GLOBIGNORE|EXECIGNORE|FIGNORE|INPUTRC|POSIXLY_CORRECT"
    r"|HIST(?:FILE|SIZE|FILESIZE|CONTROL|IGNORE|CMD)|histchars"
    r"|LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|NLSPATH|LOCPATH|MALLOC_.*|RES_OPTIONS|HOSTALIASES|NIS_PATH"
    r"|PYTHON(?:PATH|HOME|STARTUP|INSPECT|USERBASE|BREAKPOINT|WARNINGS)|PERL(?:5LIB|LIB|5OPT|5DB)|PERL5SHELL"
    r"|RUBY(?:LIB|OPT)|GEM_(?:PATH|HOME)|NODE_(?:OPTIONS|PATH)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS"
    r"|CLASSPATH|LUA_(?:PATH|CPATH|INIT).*|TCLLIBPATH|PHPRC|PHP_INI_SCAN_DIR|AWKPATH|AWKLIBPATH"
    r"|GIT_(?:SSH|SSH_COMMAND|PAGER|EDITOR|SEQUENCE_EDITOR|EXTERNAL_DIFF|ASKPASS|EXEC_PATH|PROXY_COMMAND|CONFIG.*"
    r"|TEMPLATE_DIR)|SSH_ASKPASS|SUDO_(?:ASKPASS|EDITOR)|RSYNC_RSH|CVS_RSH|TAR_OPTIONS"
    r"|PAGER|MANPAGER|MANOPT|LESS|LESSOPEN|LESSCLOSE|LESSEDIT|MORE|BAT_PAGER|SYSTEMD_PAGER|SYSTEMD_EDITOR"
    r"|PSQL_PAGER|PSQL_EDITOR|EDITOR|VISUAL|FCEDIT|BROWSER|VIMINIT|EXINIT|MYVIMRC|TERMINFO|TERMCAP"
    r"|OPENSSL_(?:CONF|ENGINES|MODULES)|KRB5_CONFIG|WGETRC|CURL_HOME|NETRC"
)

_DECLARES = frozenset({"alias", "unalias", "unset", "export", "declare", "typeset", "readonly", "local"})


def is_grave(name: str) -> bool:
    """Say whether a variable of this name changes what later statements, or programs, do."""
    return _GRAVE.fullmatch(name) is not None


def assigned(written: str) -> str:
    """Return the name of the variable that is assigned, also of a part of it; raise TooMuch where it is no name."""
    name = written.partition("[")[0]
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise TooMuch("an assignment to what is no name")
    return name


def defined(words: Sequence[Word]) -> Iterator[str]:
    """Yield the names that a command defines, or takes away, by its words."""
    program = words[0].text
    if program not in _DECLARES:
        return
    functions = any(word.text[:1] == "-" and "f" in word.text for word in words[1:])
    for word in words[1:]:
        name = re.split(r"\+?=", word.text, maxsplit=1)[0]
        if word.text[:1] != "-" and (program in ("alias", "unalias") or functions or is_grave(name)):
            yield name
