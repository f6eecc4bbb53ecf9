"""List the programs that start another one which stands in their words, and which of their options have a value.

Source  the manuals of the programs that are named; sudo(8), env(1), timeout(1), xargs(1), parallel(1), systemd-run(1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.shell.options import NONE, Takes


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
    "sshpass": Starter(Takes("dfpP"), flags=Takes("ev")),
    "s6-setuidgid": Starter(skip=1),
    "s6-envuidgid": Starter(skip=1),
    "envuidgid": Starter(skip=1),
    "envdir": Starter(skip=1),
    "s6-envdir": Starter(skip=1),
    "setlock": Starter(skip=1, flags=Takes("nNxX")),
    "runcon": Starter(Takes("lrtu", "type user role range"), skip=1, flags=Takes("c", "compute")),
    "aa-exec": Starter(Takes("np", "namespace profile"), flags=Takes("div", "debug immediate verbose")),
    "ssh-agent": Starter(Takes("aEtPO"), flags=Takes("cDdks")),
    "caffeinate": Starter(Takes("tw"), flags=Takes("dimsu")),
    "memusage": Starter(Takes("npdxy", "progname png data")),
    "heaptrack": Starter(Takes("o", "output")),
    "envconsul": Starter(
        Takes(
            "",
            "config prefix secret exec log-level",
        ),
        single=True,
    ),
    "dotenv": Starter(Takes("ef", "file")),
    "vault-env": _PLAIN,
    "npx": Starter(Takes("pc", "package call"), flags=Takes("yq", "yes no no-install quiet")),
    "pnpx": _PLAIN,
    "bunx": Starter(flags=Takes("", "bun")),
    "uvx": Starter(Takes("p", "from with python")),
    "watchexec": Starter(
        Takes(
            "cdefFijopswW",
            "watch exts filter ignore signal on-busy-update stop-signal stop-timeout debounce shell",
        ),
        flags=Takes("cnprv", "restart clear postpone no-vcs-ignore no-project-ignore quiet verbose"),
    ),
    "pdsh": Starter(Takes("fgGlRtuwxX"), script=True),
    "clush": Starter(Takes("fglotuwxX", "user hostfile group"), script=True),
    **dict.fromkeys(
        ["pssh", "parallel-ssh"],
        Starter(
            Takes("eHhloOptxX", "host hosts user par outdir errdir timeout options extra-args"), script=True
        ),
    ),
    "rsh": Starter(Takes("l"), skip=1, script=True),
    "mosh": Starter(Takes("p", "client server predict port ssh family"), skip=1),
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
    "lxc-execute": Starter(Takes("nfsPugL", "name rcfile define lxcpath uid gid share-net")),
}
# Tools that start a program behind a word of theirs: which of its options have a value, and what stands before it.
RUNNERS: Mapping[str, Mapping[str, Takes]] = {
    **{tool: {"exec": NONE} for tool in ("bundle", "bundler")},
    **{tool: {"run": NONE} for tool in ("poetry", "pipenv", "pdm", "hatch", "rye", "pipx")},
    "uv": {"run": Takes("p", "with python extra group env-file package directory project")},
    **{tool: {"run": Takes("np", "name prefix cwd")} for tool in ("conda", "mamba", "micromamba")},
    "npm": {"exec": Takes("cpw", "package call workspace"), "x": Takes("cpw", "package call workspace")},
    "pnpm": {"exec": Takes("CF", "filter dir"), "dlx": Takes("", "package")},
    "yarn": {"exec": NONE, "dlx": Takes("p", "package")},
    "direnv": {"exec": NONE},
    "op": {"run": Takes("", "env-file account environment")},
    "doppler": {"run": Takes("cpt", "config project token scope fallback mount")},
    "infisical": {"run": Takes("", "env path projectId token")},
    "chamber": {"exec": NONE},
    "aws-vault": {"exec": Takes("dnrt", "duration region mfa-token")},
    "consul": {"lock": Takes("", "name timeout http-addr token")},
    **{tool: {"exec": Takes("", "mode env cwd user group project")} for tool in ("lxc", "incus")},
    "machinectl": {"shell": Takes("EMH", "uid setenv machine host")},
    "multipass": {"exec": Takes("d", "working-directory")},
    "toolbox": {"run": Takes("cdr", "container distro release")},
    "distrobox": {"enter": Takes("n", "name")},
    "rr": {"record": Takes("", "output-trace-dir")},
    "nix": {"shell": NONE, "develop": NONE},
}
SKIPS: Mapping[str, int] = {
    "direnv": 1,
    "chamber": 1,
    "aws-vault": 1,
    "consul": 1,
    "lxc": 1,
    "incus": 1,
    "machinectl": 1,
    "multipass": 1,
}
