"""Know what runs inside a container, by the words of the program that is told to run it.

In      the words of docker, podman, kubectl and their kind
Out     what it starts
Source  docker-run(1), docker-exec(1), podman-run(1), kubectl exec, crictl exec
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.facts import Word
from policies.shell.options import Given, Takes, given, may_have_value
from policies.shell.started import Started, loose

CONTAINERS = frozenset(["docker", "podman", "nerdctl", "crictl", "ctr", "kubectl", "oc", "docker-compose"])


def container(words: Sequence[Word]) -> list[Started]:
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
    options = given(inner, _CONTAINER_TAKES, stop=True, flags=_CONTAINER_FLAGS)
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
