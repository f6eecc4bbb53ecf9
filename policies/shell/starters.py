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
from policies.shell.options import NONE, Given, Takes, given, may_have_value
from policies.shell.special import SPECIAL
from policies.shell.started import COMPUTED, UNKNOWN_START, Started, joined, loose


@dataclass(frozen=True, slots=True)
class Starter:
    """How a program is told what to start.

    `takes` are its options with a value, `flags` those that are known to have none: the word behind any other one may
    be its value, or the program. `skip` operands stand before the program; `assigns` says whether NAME=VALUE may.
    """

    takes: Takes = NONE
    skip: int = 0
    assigns: bool = False
    script: bool = False  # the words are joined for a shell
    more: bool = False  # further words follow that are known at run time only
    single: bool = False
    flags: Takes = NONE


_PLAIN = Starter()
STARTERS: Mapping[str, Starter] = {
    "sudo": Starter(
        Takes(
            "aCcDghpRrtTUu",
            "user group close-from host prompt role type command-timeout chdir chroot other-user auth-type login-class",
        ),
        assigns=True,
        flags=Takes(
            "ABbEeHiKklNnPSsVv",
            "askpass background bell edit preserve-env set-home help login remove-timestamp reset-timestamp list "
            "no-update non-interactive preserve-groups stdin shell version validate",
        ),
    ),
    "doas": Starter(Takes("uCa"), flags=Takes("Lns")),
    "dzdo": Starter(Takes("ugChprtU", "user group"), flags=Takes("AbEHiKklnPSsVv")),
    "pkexec": Starter(Takes("", "user"), flags=Takes("", "disable-internal-agent keep-cwd")),
    "env": Starter(
        Takes("uCSaP", "unset chdir split-string argv0"),
        assigns=True,
        flags=Takes(
            "i0v",
            "ignore-environment null debug block-signal default-signal ignore-signal list-signal-handling",
        ),
    ),
    "timeout": Starter(
        Takes("ks", "kill-after signal"), skip=1, flags=Takes("fpv", "foreground preserve-status verbose")
    ),
    "nohup": _PLAIN,
    "nice": Starter(Takes("n", "adjustment"), flags=Takes("0123456789")),
    "ionice": Starter(Takes("cnpPu", "class classdata"), flags=Takes("t", "ignore")),
    "chrt": Starter(
        Takes("TPD", "sched-runtime sched-period sched-deadline"),
        skip=1,
        flags=Takes("abdfiomRrv", "all-tasks batch deadline fifo idle other rr reset-on-fork max verbose"),
    ),
    "taskset": Starter(skip=1, flags=Takes("acp", "all-tasks cpu-list pid")),
    "stdbuf": Starter(Takes("ioe", "input output error")),
    "setsid": Starter(flags=Takes("cfw", "ctty fork wait")),
    "time": Starter(
        Takes("fo", "format output"), assigns=True, flags=Takes("apqv", "append portability quiet verbose")
    ),
    "command": Starter(flags=Takes("pvV")),
    "builtin": _PLAIN,
    "exec": Starter(Takes("a"), flags=Takes("cl")),
    "jobs": Starter(flags=Takes("lnprsx")),
    "coproc": _PLAIN,
    "xargs": Starter(
        Takes("aEdIJLnPRSs", "arg-file delimiter max-args max-procs max-chars process-slot-var"),
        more=True,
        flags=Takes(
            "0eilopxrt",
            "null eof replace open-tty interactive exit no-run-if-empty max-lines verbose show-limits",
        ),
    ),
    "parallel": Starter(
        Takes(
            "aCdEIjLNnPSs",
            "jobs max-procs arg-file sshlogin sshloginfile slf colsep delay results joblog timeout max-args "
            "max-replace-args max-chars delimiter halt halt-on-error retries memfree memsuspend load tagstring env "
            "tmpdir tempdir workdir wd nice basefile bf return transferfile tf block block-size recstart recend limit "
            "header profile rpl arg-sep arg-file-sep trim compress-program decompress-program ssh group-by id",
        ),
        more=True,
        flags=Takes(
            "0kmqrtuvVXxil",
            "bar cat cleanup dry-run dryrun eta fg bg fifo files group gnu keep-order line-buffer linebuffer lb link "
            "xapply no-notice will-cite nonall onall no-run-if-empty null pipe pipepart plus progress quote resume "
            "resume-failed semaphore shuf tag tty ungroup verbose wait xargs",
        ),
    ),
    "watch": Starter(
        Takes("nqs", "interval equexit shotsdir"),
        script=True,
        flags=Takes(
            "bcdegptrwxC", "beep color differences errexit chgexit precise no-title exec no-wrap no-rerun"
        ),
    ),
    "strace": Starter(
        Takes("abeEIoOpPsSuUX", "output trace attach env user"),
        flags=Takes(
            "cCdDfFhiknqrtTvVwxyYzZ",
            "follow-forks output-separately summary summary-only relative-timestamps no-abbrev decode-fds quiet",
        ),
    ),
    "ltrace": Starter(Takes("aAeFlnopsuwxX", "output"), flags=Takes("bcCfiLrStTV")),
    "valgrind": Starter(flags=Takes("dhqv")),
    "catchsegv": _PLAIN,
    "chroot": Starter(Takes("", "userspec groups"), skip=1, flags=Takes("", "skip-chdir")),
    "fakeroot": Starter(Takes("lfisb", "lib faked"), flags=Takes("uv", "unknown-is-real")),
    "fakechroot": _PLAIN,
    "unshare": Starter(
        Takes("RwSG", "root wd setuid setgid propagation setgroups map-users map-groups map-user map-group"),
        flags=Takes(
            "CfcimnprTUu",
            "mount uts ipc net pid user cgroup time fork kill-child mount-proc map-root-user map-current-user "
            "map-auto keep-caps",
        ),
    ),
    "nsenter": Starter(
        Takes("tSG", "target setuid setgid"),
        flags=Takes(
            "aCeFimnprTUuwZ",
            "all mount uts ipc net pid user cgroup time root wd env no-fork preserve-credentials follow-context",
        ),
    ),
    "setpriv": Starter(
        Takes(
            "",
            "reuid regid ruid euid rgid egid groups inh-caps ambient-caps bounding-set securebits pdeathsig",
        ),
        flags=Takes("d", "clear-groups keep-groups init-groups no-new-privs nnp reset-env list-caps dump"),
    ),
    "linux32": _PLAIN,
    "linux64": _PLAIN,
    "i386": _PLAIN,
    "prlimit": Starter(Takes("p", "pid")),
    "cpulimit": Starter(Takes("lpePcs", "limit pid exe path cpu signal"), flags=Takes("bfikmqrvz")),
    "numactl": Starter(
        Takes(
            "iNmCpPw",
            "interleave membind cpunodebind physcpubind preferred preferred-many weighted-interleave",
        ),
        flags=Takes("albsHk", "all localalloc balancing"),
    ),
    "cgexec": Starter(Takes("g"), flags=Takes("", "sticky")),
    "systemd-run": Starter(
        Takes(
            "CHMupE",
            "unit property description slice uid gid nice working-directory setenv host machine capsule service-type "
            "background on-calendar on-active on-boot on-startup on-unit-active on-unit-inactive timer-property "
            "path-property socket-property",
        ),
        flags=Takes(
            "dGPqrSt",
            "user system scope pty pipe quiet wait collect remain-after-exit send-sighup same-dir no-ask-password "
            "no-block shell slice-inherit on-clock-change on-timezone-change ignore-failure",
        ),
    ),
    "systemd-inhibit": Starter(Takes("", "what who why mode"), flags=Takes("", "list no-pager no-legend")),
    "systemd-cat": Starter(Takes("tp", "identifier priority stderr-priority level-prefix")),
    "dbus-run-session": Starter(Takes("", "config-file dbus-daemon")),
    "dbus-launch": Starter(
        Takes("", "autolaunch config-file"),
        flags=Takes("", "exit-with-session exit-with-x11 auto-syntax sh-syntax"),
    ),
    "xvfb-run": Starter(
        Takes("nefpsw", "server-num error-file auth-file server-args xauth-protocol wait"),
        flags=Takes("adl", "auto-servernum auto-display listen-tcp"),
    ),
    "proxychains": Starter(Takes("f"), flags=Takes("q")),
    "proxychains4": Starter(Takes("f"), flags=Takes("q")),
    "torsocks": Starter(Takes("uapP", "address port user pass"), flags=Takes("diq")),
    "torify": _PLAIN,
    "tsocks": _PLAIN,
    "unbuffer": Starter(flags=Takes("p")),
    "rlwrap": Starter(Takes("abCDeFfglOpPqsStwz"), flags=Takes("AcEhHiImMnNrRvW")),
    "eatmydata": _PLAIN,
    "faketime": Starter(Takes("p", "date-prog"), skip=1, flags=Takes("fm", "exclude-monotonic")),
    "gosu": Starter(skip=1),
    "su-exec": Starter(skip=1),
    "chpst": Starter(Takes("uUbeC/nlLmdofpctr"), flags=Takes("vP012")),
    "setuidgid": Starter(skip=1),
    "softlimit": Starter(Takes("acdflmoprst")),
    "tini": Starter(Takes("ep"), flags=Takes("glsvw")),
    "dumb-init": Starter(Takes("r", "rewrite"), flags=Takes("cv", "single-child verbose")),
    "catatonit": Starter(flags=Takes("gv")),
    "logsave": Starter(skip=1, flags=Takes("asv")),
    "choom": Starter(Takes("np", "adjust pid")),
    "uclampset": Starter(Takes("mMp"), flags=Takes("asRv")),
    "firejail": _PLAIN,
    "dtach": Starter(Takes("er"), skip=1, flags=Takes("aAcEnNpzZ")),
    "busybox": _PLAIN,
    "toybox": _PLAIN,
    "winpty": _PLAIN,
    "ld.so": Starter(
        Takes("", "library-path preload audit argv0 inhibit-rpath glibc-hwcaps-mask glibc-hwcaps-prepend"),
        single=True,
        flags=Takes("", "list verify inhibit-cache list-tunables list-diagnostics"),
    ),
    "sem": Starter(Takes("j", "id jobs semaphoretimeout st"), flags=Takes("", "fg bg wait")),
    "retry": Starter(Takes("tds", "times delay")),
    "chronic": Starter(flags=Takes("ev")),
    "ifne": Starter(flags=Takes("n")),
    "gdb": Starter(Takes("xc", "command eval-command")),
    "daemonize": Starter(Takes("ceEloup"), flags=Takes("av")),
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
    if name == "doas" and options.has("s"):
        return [Started((Word("bash"),))]
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
    if name == "chrt" and at <= len(words) and words[at - 1].literal and not words[at - 1].text.isdigit():
        rest.insert(0, words[at - 1])  # some policies need no priority
    if not rest and name == "sudo" and "=" in words[-1].text:  # nothing follows: then it is no assignment
        rest = [words[-1]]
    found = _behind(name, starter, options, rest, loose(words[1:at]))
    if len(rest) > 1 and not rest[1].text.startswith("-") and may_have_value(options, starter.flags):
        found += _behind(name, starter, options, rest[1:], [])
    return found


def _behind(
    name: str, starter: Starter, options: Given, rest: list[Word], unknown: list[Started]
) -> list[Started]:
    """Return what is started by the words behind the options."""
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
