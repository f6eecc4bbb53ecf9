"""Know which programs start other programs, and where in their words these stand.

In      the words of a command
Out     what it starts: words, or a script
Source  the manuals of the programs that are named; sudo(8), env(1), find(1), xargs(1), ssh(1), docker(1), kubectl(1)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.facts import Word
from policies.shell.options import NONE, Takes, given
from policies.shell.special import SPECIAL
from policies.shell.started import COMPUTED, UNKNOWN_START, Started, joined, loose


@dataclass(frozen=True, slots=True)
class Starter:
    """Options that take a value, operands before the program, whether NAME=VALUE may stand there, what follows it."""

    takes: Takes = NONE
    skip: int = 0
    assigns: bool = False
    script: bool = False  # the words are joined for a shell
    more: bool = False  # further words follow that are known at run time only
    single: bool = False


_PLAIN = Starter()
STARTERS: Mapping[str, Starter] = {
    "sudo": Starter(
        Takes(
            "ugChprtTDRU",
            "user group close-from host prompt role type command-timeout chdir chroot other-user",
        ),
        assigns=True,
    ),
    "doas": Starter(Takes("uCa")),
    "dzdo": Starter(Takes("ugChprtU", "user group")),
    "pkexec": Starter(Takes("", "user")),
    "env": Starter(Takes("uCS", "unset chdir split-string"), assigns=True),
    "timeout": Starter(Takes("ks", "kill-after signal"), skip=1),
    "nohup": _PLAIN,
    "nice": Starter(Takes("n", "adjustment")),
    "ionice": Starter(Takes("cnpPu", "class classdata")),
    "chrt": Starter(Takes("TPD", "sched-runtime sched-period sched-deadline"), skip=1),
    "taskset": Starter(Takes("", ""), skip=1),
    "stdbuf": Starter(Takes("ioe", "input output error")),
    "setsid": _PLAIN,
    "time": Starter(Takes("fo", "format output"), assigns=True),
    "command": _PLAIN,
    "builtin": _PLAIN,
    "exec": Starter(Takes("a")),
    "jobs": _PLAIN,  # with -x
    "coproc": _PLAIN,
    "xargs": Starter(
        Takes("aEdILnPs", "arg-file delimiter max-lines max-args max-procs max-chars process-slot-var"),
        more=True,
    ),
    "parallel": Starter(
        Takes("jaSNnLIdE", "jobs arg-file sshlogin colsep delay results joblog timeout"), more=True
    ),
    "watch": Starter(Takes("nq", "interval equexit"), script=True),
    "strace": Starter(Takes("abeEIoOpPsSuUX", "output trace attach env user")),
    "ltrace": Starter(Takes("aAeFlnopsuwxX", "output")),
    "valgrind": _PLAIN,
    "catchsegv": _PLAIN,
    "chroot": Starter(Takes("", "userspec groups"), skip=1),
    "fakeroot": Starter(Takes("lisb", "lib faked")),
    "fakechroot": _PLAIN,
    "unshare": Starter(Takes("RwSG", "root wd setuid setgid propagation setgroups map-users map-groups")),
    "nsenter": Starter(Takes("tSG", "target setuid setgid")),
    "setpriv": Starter(Takes("", "reuid regid groups inh-caps ambient-caps bounding-set securebits")),
    "setarch": Starter(skip=1),
    "linux32": _PLAIN,
    "linux64": _PLAIN,
    "i386": _PLAIN,
    "prlimit": Starter(Takes("p", "pid")),
    "cpulimit": Starter(Takes("lpe", "limit pid exe")),
    "numactl": Starter(Takes("iNmCpl", "interleave membind cpunodebind physcpubind preferred")),
    "cgexec": Starter(Takes("g")),
    "systemd-run": Starter(
        Takes(
            "HMupEt",
            "unit property description slice uid gid nice working-directory setenv on-calendar on-active",
        )
    ),
    "systemd-inhibit": Starter(Takes("", "what who why mode")),
    "systemd-cat": Starter(Takes("tp", "identifier priority")),
    "dbus-run-session": Starter(Takes("", "config-file")),
    "dbus-launch": _PLAIN,
    "xvfb-run": Starter(Takes("nefsp", "server-num error-file auth-file server-args")),
    "proxychains": Starter(Takes("f")),
    "proxychains4": Starter(Takes("f")),
    "torsocks": Starter(Takes("uapP")),
    "torify": _PLAIN,
    "tsocks": _PLAIN,
    "unbuffer": _PLAIN,
    "rlwrap": Starter(Takes("abCDeFfglOpPqsStwz")),
    "eatmydata": _PLAIN,
    "faketime": Starter(Takes("f"), skip=1),
    "gosu": Starter(skip=1),
    "su-exec": Starter(skip=1),
    "chpst": Starter(Takes("uUbe/nlLmdofpctr")),
    "setuidgid": Starter(skip=1),
    "softlimit": Starter(Takes("adfmolprst")),
    "tini": Starter(Takes("epv")),
    "dumb-init": Starter(Takes("r", "rewrite")),
    "catatonit": _PLAIN,
    "logsave": Starter(skip=1),
    "choom": Starter(Takes("np", "adjust pid")),
    "uclampset": Starter(Takes("mMp")),
    "firejail": Starter(),
    "bwrap": Starter(
        Takes("", "bind ro-bind dev proc tmpfs dir setenv chdir uid gid symlink hostname"), single=False
    ),
    "dtach": Starter(Takes("e"), skip=1),
    "busybox": _PLAIN,
    "toybox": _PLAIN,
    "winpty": _PLAIN,
    "ld.so": Starter(Takes("", "library-path preload audit argv0 inhibit-rpath"), single=True),
    "sem": Starter(Takes("j", "id jobs")),
    "retry": Starter(Takes("tds", "times delay")),
    "chronic": _PLAIN,
    "ifne": _PLAIN,
    "gdb": Starter(Takes("xc", "command eval-command")),
    "daemonize": Starter(Takes("aceEloupv")),
}
_LOADER = re.compile(r"ld-linux[\w.-]*\.so\.\d+|ld-musl[\w.-]*\.so\.\d+|ld-\d[\d.]*\.so|ld\.so")


def starts(name: str, words: Sequence[Word]) -> list[Started] | None:
    """Return what a command starts; None if a program of this name starts none."""
    special = SPECIAL.get(name)
    if special is not None:
        return special([Word(name), *words[1:]])
    if _LOADER.fullmatch(name):
        name = "ld.so"
    starter = STARTERS.get(name)
    if starter is None:
        return None
    if name == "gdb" and not any(word.text == "--args" for word in words):
        return []
    return _ordinary(name, starter, words)


def _ordinary(name: str, starter: Starter, words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], starter.takes, stop=True, single=starter.single)
    if name == "env":
        split = options.values("S", "split-string")
        if split:
            rest = words[1 + options.rest :]
            return [Started(script=joined([*split, *rest]))]
    if name == "sudo" and options.has("i", "s", "login", "shell"):
        rest = words[1 + options.rest :]
        return [Started(script=joined(rest))] if rest else [Started((Word("bash"),))]
    if name == "sudo" and options.has("e", "edit", "l", "list", "v", "validate", "K", "V"):
        return []
    if name == "command" and options.has("v", "V"):
        return []
    if name in ("taskset", "ionice", "chrt", "prlimit", "cpulimit") and options.has("p", "pid"):
        return []
    at = 1 + options.rest + starter.skip
    if starter.assigns:
        while at < len(words) and re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[at].text):
            at += 1
    rest = list(words[at:])
    if not rest and name == "sudo" and "=" in words[-1].text:  # nothing follows: then it is no assignment
        rest = [words[-1]]
    unknown = loose(words[1:at])
    if starter.assigns and rest and "=" in rest[0].text:  # to some an assignment, to others a program
        unknown = [UNKNOWN_START]
    if unknown or not rest:  # one of these may become several words, and so name another program
        return [*unknown, Started(tuple(rest))] if rest else unknown
    if starter.script and not options.has("x", "exec"):
        return [Started(script=joined(rest))]
    if name == "parallel":
        return _parallel(rest)
    if starter.more:
        marks = [value.text for value in options.values("I")] + (["{}"] if name == "parallel" else [])
        rest = [
            Word(word.text, "computed", word.text.partition(mark)[0]) if mark and mark in word.text else word
            for word in rest
            for mark in [next((one for one in marks if one in word.text), "")]
        ]
        if not marks:
            rest.append(COMPUTED)
        return [Started(tuple(rest), stdin=name == "parallel")]
    return [Started(tuple(rest))]


def _parallel(rest: list[Word]) -> list[Started]:
    cut = next((at for at, word in enumerate(rest) if re.fullmatch(r":::?:?\+?", word.text)), len(rest))
    template, values = rest[:cut], rest[cut + 1 :]
    if not template:  # each value is a command line
        return [Started(script=word) for word in values if not re.fullmatch(r":::?:?\+?", word.text)] or [
            Started(script=COMPUTED)
        ]
    words = [
        Word(word.text, "computed", word.text.partition("{")[0])
        if re.search(r"\{[^}\s]*\}", word.text)
        else word
        for word in template
    ]
    if words == template:
        words.append(COMPUTED)
    if len(template) == 1 and re.search(r"\s", template[0].text):
        return [Started(script=template[0])]
    return [Started(tuple(words))]
