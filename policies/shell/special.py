"""Know the programs that start others in a way of their own: find, ssh, containers, multiplexers, builtins.

In      the words of a command
Out     what it starts
Source  find(1), ssh(1), su(1), docker(1), kubectl(1), tmux(1), git(1); bash(1), SHELL BUILTIN COMMANDS
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from policies.facts import Word
from policies.shell.containers import CONTAINERS, container
from policies.shell.options import Takes, given, tail
from policies.shell.orders import attach, salt, ssm
from policies.shell.places import of_tar
from policies.shell.started import COMPUTED, SSH, SSH_BEFORE_TAGS, Started, joined, loose
from policies.shell.surroundings import bwrap, ip, setarch
from policies.shell.transfers import COPIES


def _find(words: Sequence[Word]) -> list[Started]:
    found: list[Started] = []
    at = 1
    while at < len(words):
        if words[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = at + 1
            while end < len(words) and words[end].text not in (";", "+"):
                end += 1
            inner = [
                Word(word.text, "computed", word.text.partition("{}")[0]) if "{}" in word.text else word
                for word in words[at + 1 : end]
            ]
            if inner:
                found.append(Started(tuple(inner)))
            at = end
        at += 1
    return found


def _fd(words: Sequence[Word]) -> list[Started]:
    for at, word in enumerate(words):
        if word.text in ("-x", "-X", "--exec", "--exec-batch") and at + 1 < len(words):
            return [Started((*words[at + 1 :], COMPUTED))]
    return []


def _ssh(words: Sequence[Word]) -> list[Started]:
    found = _ssh_as(words, SSH)
    if given(words[1:], SSH).has("P"):  # before OpenSSH 9.4 it had no value
        found += [one for one in _ssh_as(words, SSH_BEFORE_TAGS) if one not in found]
    return found


def _ssh_as(words: Sequence[Word], takes: Takes) -> list[Started]:
    options = given(words[1:], takes, stop=True)
    found = [
        Started(script=Word(value.text.partition("=")[2].strip(), value.form), stdin=False)
        for value in options.values("o")
        if re.match(r"(?i)(?:ProxyCommand|LocalCommand|KnownHostsCommand)\s*=", value.text)
    ]
    after = words[1 + options.rest + 1 :]
    more = given(after, takes, stop=True)  # options may follow the host
    rest = after[more.rest :]
    if rest:
        found.append(Started(script=joined(rest), parts=tuple(rest)))
    return [*loose(words[1 : len(words) - len(rest)]), *found]


def _su(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes("cgGsuw", "command group supp-group shell session-command user"))
    scripts = options.values("c", "command", "session-command")
    if scripts:
        return [Started(script=script) for script in scripts]
    if words[0].text == "runuser" and options.has("u", "user") and options.operands:
        return [Started(tuple(words[1 + options.rest :]))]
    return [Started((Word("bash"),))]


def _script(words: Sequence[Word]) -> list[Started]:
    options = given(
        words[1:], Takes("cEImoOBT", "command echo log-in log-out log-io logging-format output-limit")
    )
    scripts = options.values("c", "command")
    return [Started(script=script) for script in scripts] or [Started((Word("bash"),))]


def _flock(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes("wE", "timeout wait conflict-exit-code"), stop=True)
    rest = words[1 + options.rest + 1 :]
    if rest and rest[0].text in ("-c", "--command"):
        return [Started(script=rest[1])] if len(rest) > 1 else []
    return [Started(tuple(rest))] if rest else []


# Options with a value, by how the verb begins; in the verbs that split a window `-h` and `-b` have none.
_TMUX = {
    "new": "cefFnstxy", "new-s": "cefFnstxy", "neww": "ceFnSt", "new-w": "ceFnSt", "respa": "cet", "run": "cdt",
    "run-s": "cdt", "if": "t", "if-sh": "t", "popup": "bcdehsStTwxy", "displ": "bcdehsStTwxy", "pipe-": "t",
    "pipep": "t",
}  # fmt: skip


def _tmux(words: Sequence[Word]) -> list[Started]:
    verbs = ("new", "new-session", "neww", "new-window", "split-window", "splitw", "respawn-pane", "respawn-window",
             "run", "run-shell", "if", "if-shell", "popup", "display-popup", "pipe-pane", "pipep")  # fmt: skip
    at = next((at for at, word in enumerate(words) if word.text in verbs), None)
    if at is None:
        return []
    options = given(words[at + 1 :], Takes(_TMUX.get(words[at].text[:5], "celnpst")), stop=True)
    rest = words[at + 1 + options.rest :]
    return [Started(script=joined(rest), parts=tuple(rest))] if rest else []


def _screen(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes("cehpsStTX"), stop=True)
    rest = words[1 + options.rest :]
    return [Started(tuple(rest))] if rest else []


def _daemon(words: Sequence[Word]) -> list[Started]:
    options = given(
        [word for word in words[1:] if word.text not in ("--start", "--stop", "--status")],
        Takes(
            "xpncugrdNPIkaRs",
            "exec startas pidfile name user group chuid chdir chroot nicelevel signal retry procsched iosched umask "
            "pid ppid output notify-timeout",
        ),
    )
    return [Started((program, *options.operands)) for program in options.values("x", "exec", "a", "startas")]


_PERF = (
    "event output pid tid uid filter freq count realtime mmap-pages cpu cgroup call-graph clockid user-regs delay "
    "repeat interval-print field-separator pre post timeout cgroup-filter duration max-stack"
)


def _tar(words: Sequence[Word]) -> list[Started]:
    """Return the filters and scripts of tar; `-I zstd` is one of them."""
    options = of_tar(words)
    scripts = ("I", "F", "use-compress-program", "to-command", "info-script", "new-volume-script")
    found = [Started(script=script, stdin=False) for script in options.values(*scripts)]
    return found + [
        Started(script=tail(action, len("exec=")), stdin=False)
        for action in options.values("checkpoint-action")
        if action.text.startswith("exec=")
    ]


def _copy(words: Sequence[Word]) -> list[Started]:
    """Return what rsync and scp connect by, where that is not ssh."""
    name = words[0].text
    scripts = given(words[1:], COPIES[name]).values(*(("S",) if name == "scp" else ("e", "rsh")))
    return [
        Started(script=script, stdin=False)
        for script in scripts
        if not re.match(r"(?:/usr/bin/)?(?:ssh|rsh)(?:\s|\Z)", script.text)
    ]


def _entr(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes(), stop=True)
    rest = words[1 + options.rest :]
    if not rest:
        return []
    return [Started(script=rest[0])] if options.has("s") else [Started(tuple(rest))]


def _of_option(*names: str) -> Callable[[Sequence[Word]], list[Started]]:
    """Return a reading of programs that have a script as the value of an option."""

    def started(words: Sequence[Word]) -> list[Started]:
        short = "".join(name for name in names if len(name) == 1)
        options = given(words[1:], Takes(short, " ".join(name for name in names if len(name) > 1)))
        return [Started(script=script) for script in options.values(*names)]

    return started


def _perf(words: Sequence[Word]) -> list[Started]:
    if len(words) < 3 or words[1].text not in ("record", "stat", "trace"):
        return []
    options = given(words[2:], Takes("eFcopCtumGr", _PERF), stop=True)
    rest = words[2 + options.rest :]
    found = [Started(tuple(rest))] if rest else []
    if words[1].text == "stat" and options.options[-1:] == [("I", None)]:  # which has a value there
        found += [Started(tuple(rest[1:]))] if rest[1:] else []
    return found


def _capsh(words: Sequence[Word]) -> list[Started]:
    for at, word in enumerate(words):
        if word.text in ("--", "=="):
            return [Started((Word("bash"), *words[at + 1 :]))]
    return []


def _eval(words: Sequence[Word]) -> list[Started]:
    rest = [word for word in words[1:] if word.text != "--"]
    if any(word.form == "glob" for word in rest):  # a file may have any name
        return [Started(script=Word(joined(rest).text, "computed"))]
    return [Started(script=joined(rest), parts=tuple(rest))] if rest else []


def _trap(words: Sequence[Word]) -> list[Started]:
    rest = [word for word in words[1:] if word.text not in ("--",)]
    if len(rest) < 2 or rest[0].text in ("-", "") or rest[0].text.startswith("-"):
        return []
    return [Started(script=rest[0], stdin=False)]


def _alias(words: Sequence[Word]) -> list[Started]:
    return [
        Started(script=Word(word.text.partition("=")[2], word.form), stdin=False)
        for word in words[1:]
        if "=" in word.text
    ]


def _completes(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes("ACFGWPSXox"))
    found = [Started((value, COMPUTED)) for value in options.values("F")]
    return [*found, *(Started(script=_called(value), stdin=False) for value in options.values("C"))]


def _mapfile(words: Sequence[Word]) -> list[Started]:
    return [Started(script=_called(value)) for value in given(words[1:], Takes("dnOsuCc")).values("C")]


def _called(script: Word) -> Word:
    """Return a script that gets more words when it is run."""
    return Word(f'{script.text} "$@"', script.form)


def _crontab(_words: Sequence[Word]) -> list[Started]:
    return []


def _hyperfine(words: Sequence[Word]) -> list[Started]:
    scripts = "prepare setup cleanup conclude reference"
    options = given(
        words[1:],
        Takes(
            "wmMrspcCnDSu",
            f"{scripts} warmup runs min-runs max-runs shell style sort time-unit export-json export-csv "
            "export-markdown parameter-step-size command-name output input",
        ),
    )
    return [
        Started(script=word)
        for word in [*options.operands, *options.values("p", "s", "c", "C", *scripts.split())]
    ]


def _ansible(words: Sequence[Word]) -> list[Started]:
    options = given(
        words[1:],
        Takes(
            "amiuetfMPBcTl",
            "args module-name inventory user become-user become-method extra-vars forks connection limit timeout tree "
            "private-key key-file ssh-common-args ssh-extra-args sftp-extra-args scp-extra-args poll background "
            "vault-id vault-password-file module-path playbook-dir become-password-file connection-password-file",
        ),
    )
    module = [value.text for value in options.values("m", "module-name")] or ["command"]
    if module[-1].rpartition(".")[2] not in ("command", "shell", "raw", "script"):
        return []
    return [Started(script=value) for value in options.values("a", "args")]


_GIT_SCRIPTS = frozenset(["-x", "--exec", "--tree-filter", "--index-filter", "--env-filter", "--msg-filter"])


def _git(words: Sequence[Word]) -> list[Started]:
    options = given(words[1:], Takes("cC", "git-dir work-tree namespace exec-path config-env"), stop=True)
    found = [
        Started(script=Word(re.sub(r"^!", "", value.text.partition("=")[2]), value.form), stdin=False)
        for value in options.values("c")
        if re.match(
            r"(?i)(?:core\.(?:pager|editor|sshcommand|fsmonitor|askpass|gitproxy)|pager\..*|alias\..*=!"
            r"|sequence\.editor|diff\.external|credential\.helper=!|.*\.textconv|.*\.command|.*\.driver)",
            value.text,
        )
    ]
    rest = words[1 + options.rest :]
    if rest and rest[0].text in ("rebase", "filter-branch"):
        found += [Started(script=two) for one, two in itertools.pairwise(rest) if one.text in _GIT_SCRIPTS]
    if rest and rest[0].text == "bisect" and len(rest) > 2 and rest[1].text == "run":
        found.append(Started(tuple(rest[2:])))
    if rest and rest[0].text == "submodule" and len(rest) > 2 and rest[1].text == "foreach":
        found.append(Started(script=joined([word for word in rest[2:] if word.text != "--recursive"])))
    return found


SPECIAL: Mapping[str, Callable[[Sequence[Word]], list[Started]]] = {
    "find": _find,
    "gfind": _find,
    "fd": _fd,
    "fdfind": _fd,
    "ssh": _ssh,
    "autossh": _ssh,
    "slogin": _ssh,
    "su": _su,
    "runuser": _su,
    **dict.fromkeys(CONTAINERS, container),
    "script": _script,
    "flock": _flock,
    "tmux": _tmux,
    "screen": _screen,
    "start-stop-daemon": _daemon,
    "perf": _perf,
    "capsh": _capsh,
    "eval": _eval,
    "trap": _trap,
    "alias": _alias,
    "complete": _completes,
    "compgen": _completes,
    "mapfile": _mapfile,
    "readarray": _mapfile,
    "crontab": _crontab,
    "hyperfine": _hyperfine,
    **dict.fromkeys(["tar", "gtar", "bsdtar"], _tar),
    **dict.fromkeys(["rsync", "scp"], _copy),
    "entr": _entr,
    "vagrant": _of_option("c", "command"),
    "gcloud": _of_option("command"),
    "nix-shell": _of_option("run", "command"),
    "setarch": setarch,
    "bwrap": bwrap,
    "ansible": _ansible,
    "git": _git,
    **dict.fromkeys(["salt", "salt-call", "salt-ssh"], salt),
    "aws": ssm,
    "lxc-attach": attach,
    "ip": ip,
}
