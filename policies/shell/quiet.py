"""Know the programs that surely leave their standard input alone, so that a script on it goes on behind them.

What is not here may read what the shell was to read next, and a shell that goes on behind it begins in the middle of
a judged statement. So this lists what is certain: a program that asks questions, starts what others wrote (hooks,
scripts of packages), or reads its input if it is given `-`, is certain only without.

In      the words of a command whose stdin is the channel's input
Out     whether it surely does not read it
Source  the manuals of the programs that are named; bash(1), SHELL BUILTIN COMMANDS
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from policies.facts import Word
from policies.shell.after_all import reads_after_all
from policies.shell.filters import FLAGS, surely_reads_file
from policies.shell.options import NONE, Takes, given
from policies.shell.started import LIKE_SUDO, splits
from policies.shell.wrappers import STARTERS

_QUIET = frozenset(
    [
        ":",
        "[",
        "alias",
        "arp",
        "basename",
        "blkid",
        "break",
        "builtin",
        "cd",
        "chattr",
        "chgrp",
        "chmod",
        "chown",
        "chrt",
        "clear",
        "continue",
        "cp",
        "curl",
        "date",
        "declare",
        "df",
        "dig",
        "dirname",
        "dirs",
        "dmesg",
        "dpkg-query",
        "du",
        "echo",
        "eval",
        "exec",
        "exit",
        "export",
        "expr",
        "fallocate",
        "false",
        "file",
        "find",
        "findmnt",
        "free",
        "fuser",
        "getent",
        "getfacl",
        "getopts",
        "groups",
        "hash",
        "history",
        "host",
        "hostname",
        "hostnamectl",
        "id",
        "install",
        "iostat",
        "ip",
        "jobs",
        "journalctl",
        "kill",
        "killall",
        "last",
        "lastb",
        "lastlog",
        "let",
        "link",
        "ln",
        "local",
        "loginctl",
        "ls",
        "lsattr",
        "lsblk",
        "lscpu",
        "lsmod",
        "lsof",
        "lspci",
        "lsusb",
        "lvs",
        "mkdir",
        "mkfifo",
        "mknod",
        "mktemp",
        "mountpoint",
        "mpstat",
        "mv",
        "netstat",
        "nginx",
        "nproc",
        "pg_dump",
        "pg_dumpall",
        "pg_isready",
        "pgrep",
        "pidof",
        "ping",
        "ping6",
        "pkill",
        "popd",
        "printenv",
        "printf",
        "ps",
        "pushd",
        "pvs",
        "pwd",
        "readlink",
        "readonly",
        "realpath",
        "resolvectl",
        "return",
        "rm",
        "rmdir",
        "rsync",
        "sar",
        "scp",
        "seq",
        "set",
        "shift",
        "shopt",
        "sleep",
        "ss",
        "stat",
        "stty",
        "sync",
        "sysctl",
        "systemctl",
        "test",
        "timedatectl",
        "times",
        "touch",
        "tput",
        "traceroute",
        "trap",
        "true",
        "truncate",
        "tty",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "umount",
        "unalias",
        "uname",
        "unset",
        "uptime",
        "users",
        "vgs",
        "vmstat",
        "w",
        "wait",
        "wget",
        "whereis",
        "which",
        "who",
        "whoami",
        "xxhsum",
    ]
)
_COMPOSE_TAKES = Takes("fp", "file project-name profile env-file project-directory")
_COMPOSE = frozenset(
    ["build", "config", "down", "images", "logs", "ps", "pull", "restart", "start", "stop", "top", "up"]
)
# Only with one of these as their first operand.
_VERBS: Mapping[str, tuple[Takes, frozenset[str]]] = {
    "docker": (
        Takes("Hcl", "host context config log-level"),
        frozenset(
            [
                "build",
                "history",
                "images",
                "info",
                "inspect",
                "kill",
                "logs",
                "network",
                "ps",
                "pull",
                "push",
                "restart",
                "rm",
                "rmi",
                "start",
                "stats",
                "stop",
                "tag",
                "top",
                "version",
                "volume",
                "wait",
            ]
        ),
    ),
    "kubectl": (
        Takes("ns", "namespace context kubeconfig cluster user server"),
        frozenset(
            [
                "annotate",
                "api-resources",
                "apply",
                "autoscale",
                "cluster-info",
                "cordon",
                "delete",
                "describe",
                "diff",
                "drain",
                "events",
                "explain",
                "expose",
                "get",
                "label",
                "logs",
                "patch",
                "rollout",
                "scale",
                "set",
                "taint",
                "top",
                "uncordon",
                "version",
                "wait",
            ]
        ),
    ),
    "git": (
        Takes("C", "git-dir work-tree namespace"),
        frozenset(
            [
                "blame",
                "branch",
                "checkout",
                "clone",
                "describe",
                "diff",
                "fetch",
                "log",
                "ls-files",
                "ls-remote",
                "ls-tree",
                "pull",
                "push",
                "remote",
                "reset",
                "rev-list",
                "rev-parse",
                "shortlog",
                "show",
                "status",
                "tag",
            ]
        ),
    ),
    "helm": (NONE, frozenset(["get", "history", "list", "ls", "status", "version"])),
    "aws": (
        Takes("", "profile region output query endpoint-url"),
        frozenset(["cloudfront", "ec2", "ecr", "ecs", "s3", "sts"]),
    ),
    "docker-compose": (_COMPOSE_TAKES, _COMPOSE),
    "supervisorctl": (NONE, frozenset(["restart", "start", "status", "stop", "update"])),
    "apt-cache": (NONE, frozenset(["madison", "policy", "search", "show"])),
}
_TOLD_BY_FILE = frozenset({"dd", "psql", "sqlite3", "tar"})  # takes_input has told that they read a file
_STANDS_ALONE = frozenset({"busybox", "gdb", "toybox"})  # these start others, and read their commands as well


def leaves_input(name: str, words: Sequence[Word], *, starts: bool) -> bool:
    """Say whether a program that is given the channel's input surely does not read it.

    One that starts another program (`starts`) leaves it to that one.
    """
    given_words = words[1:]
    if reads_after_all(name, given_words):
        return False
    if name in LIKE_SUDO and any(
        re.fullmatch(r"-[A-Za-z]*S[A-Za-z]*|--st.*", word.text) for word in given_words
    ):
        return False
    if name in _QUIET:
        return True
    if name in STARTERS and name not in _STANDS_ALONE:
        return starts
    if name in _TOLD_BY_FILE:
        return not any(map(splits, given_words))
    if name in FLAGS:
        return surely_reads_file(name, words)
    if name == "crontab":
        return [word.text for word in given_words[:1]] == ["-l"]
    if name in _VERBS:
        takes, known = _VERBS[name]
        found = given(given_words, takes, stop=True)
        verb = given_words[found.rest : found.rest + 1]
        if [word.text for word in verb] == ["compose"]:
            after = given(given_words[found.rest + 1 :], _COMPOSE_TAKES, stop=True)
            verb, known = after.operands[:1], _COMPOSE
        return starts or any(word.literal and word.text in known for word in verb)
    return starts and name in ("flock", "podman", "nerdctl", "runuser")
