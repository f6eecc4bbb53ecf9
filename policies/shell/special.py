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
from policies.shell.options import Given, Takes, given, may_have_value
from policies.shell.started import COMPUTED, SSH, SSH_BEFORE_TAGS, Started, joined, loose
from policies.shell.surroundings import bwrap, ip, setarch


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


def _container(words: Sequence[Word]) -> list[Started]:
    """docker, podman, nerdctl, crictl, ctr, kubectl, oc, lxc: what runs inside."""
    found, before = _inside(words)
    # Its folder and its numbers count as one word: `-v $PWD:/src -u $(id -u)` is how people write it (docs/gate.md).
    return [*loose([word for word in before if not is_one_word(word)]), *found]


def is_one_word(word: Word) -> bool:
    """Say whether a word is the folder that the shell is in, lies there, or has the user's numbers."""
    return _ONE_WORD.fullmatch(word.text) is not None


def _inside(words: Sequence[Word]) -> tuple[list[Started], Sequence[Word]]:
    """Return what runs in a container, and the words before it: what they are says what they do."""
    name = words[0].text
    rest = list(words[1:])
    verb = given(
        rest,
        Takes("Hclns", "host context config log-level namespace kubeconfig cluster user server"),
        stop=True,
    )
    rest = rest[verb.rest :]
    while rest and rest[0].text in (
        "container",
        "compose",
        "alpha",
        "debug-tools",
        "task",
        "t",
        "c",
        "containers",
    ):
        rest = rest[1:]
        again = given(rest, Takes("fp", "file project-name profile env-file namespace"), stop=True)
        rest = rest[again.rest :]
    verbs = words[1 : len(words) - len(rest) + 1]
    if not rest or rest[0].text not in ("exec", "run", "create", "debug"):
        return [], verbs
    kind = rest[0].text
    inner = rest[1:]
    composed = any(word.text == "compose" for word in verbs) or name == "docker-compose"
    if name in ("kubectl", "oc", "k3s", "microk8s.kubectl"):
        cut = next((at for at, word in enumerate(inner) if word.text == "--"), None)
        if cut is not None:
            reads = _attaches(given(inner[:cut], _KUBECTL))
            return _started(inner[cut + 1 :], stdin=reads), words[1 : len(words) - len(inner) + cut]
        if kind != "exec":
            return [], verbs
        options = given(inner, _KUBECTL, stop=True)
        command = inner[options.rest + 1 :]
        return _started(command, stdin=_attaches(options)), words[1 : len(words) - len(command)]
    options = given(inner, _CONTAINER_TAKES, stop=True)
    skip = 2 if name == "ctr" and kind == "run" else 1
    command = inner[options.rest + skip :]
    before = words[1 : len(words) - len(command)]
    reads = composed or name not in ("docker", "podman", "nerdctl") or _attaches(options)
    entry = options.values("entrypoint")
    found = _started([*entry, *command], stdin=reads)
    if not entry and may_have_value(options, _CONTAINER_FLAGS):
        found += _started(command[1:], stdin=reads)
    return found, before


def _attaches(options: Given) -> bool:
    """Say whether a container gets the input."""
    return options.has("i", "interactive", "stdin", "attach", "a")


def _started(words: Sequence[Word], *, stdin: bool) -> list[Started]:
    return [Started(tuple(words), stdin=stdin)] if words else []


_ONE = r"(?:\$\{?(?:PWD|UID|GID|EUID)\b\}?|\$\((?:pwd|id -[ug]|nproc)\))"
_ONE_WORD = re.compile(rf"(?:[\w-]+=)*{_ONE}(?:[/:,](?:[\w./:,=-]|{_ONE})*)?")
_KUBECTL = Takes(
    "cnfl", "container namespace filename pod-running-timeout context kubeconfig image overrides"
)
_CONTAINER_TAKES = Takes(
    "eulvwphmcan",
    "env env-file user workdir volume publish name hostname memory cpus network net entrypoint label mount device "
    "add-host dns ip link log-driver log-opt pid ipc uts userns cap-add cap-drop security-opt restart runtime "
    "shm-size stop-signal stop-timeout sysctl tmpfs ulimit volumes-from detach-keys platform pull gpus cgroup-parent "
    "cidfile cpu-shares cpuset-cpus cpuset-mems expose group-add health-cmd health-interval health-retries "
    "health-timeout health-start-period index namespace exec-id cwd annotation attach blkio-weight cgroupns cpu-period "
    "cpu-quota cpu-rt-period cpu-rt-runtime device-cgroup-rule device-read-bps device-write-bps dns-option dns-search "
    "domainname isolation kernel-memory label-file mac-address memory-reservation memory-swap memory-swappiness "
    "network-alias oom-score-adj pids-limit storage-opt volume-driver ip6",
)
# Those that have none, of docker, podman, nerdctl and compose: behind any other one a word may be its value.
_CONTAINER_FLAGS = Takes(
    "diqtPT",
    "detach interactive tty init privileged read-only rm publish-all no-healthcheck oom-kill-disable quiet sig-proxy "
    "disable-content-trust no-deps no-TTY service-ports build use-aliases remove-orphans replace tls-verify no-hosts "
    "no-hostname systemd env-host http-proxy latest null-io tty host-net",
)


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
        words[1:],
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


CONTAINERS = frozenset(["docker", "podman", "nerdctl", "crictl", "ctr", "kubectl", "oc", "docker-compose"])
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
    **dict.fromkeys(CONTAINERS, _container),
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
    "setarch": setarch,
    "bwrap": bwrap,
    "ansible": _ansible,
    "git": _git,
    "ip": ip,
}
