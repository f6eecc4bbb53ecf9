"""What a program starts is found behind whatever options that program has (T31, L4)."""

import pytest

from policies.shell import quick


def programs(statement: str) -> list[str]:
    return [command.program.text for command in quick(statement).commands]


@pytest.mark.parametrize(
    "statement",
    [
        "numactl -l rm x",
        "systemd-run -t rm x",
        "systemd-run -p A=b --pty rm x",
        "parallel -P 4 rm ::: x",
        "parallel --halt now,fail=1 rm ::: x",
        "parallel -j4 rm {} ::: x",
        "xargs --max-lines rm",
        "xargs -n 1 -P 4 rm",
        "tini -v rm x",
        "faketime -f 2000 rm x",
        "daemonize -v /bin/rm x",
        "perf record -g rm x",
        "perf stat -I 100 rm x",
        "tmux run-shell -b 'rm x'",
        "tmux split-window -h 'rm x'",
        "tmux new-session -d -s a 'rm x'",
        "setarch x86_64 -R rm x",
        "setarch -R rm x",
        "bwrap --bind / / --dev /dev rm x",
        "ansible all -b -a 'rm x'",
        "ansible all -b -m shell -a 'rm x'",
        "hyperfine --cleanup 'rm x' true",
        "start-stop-daemon -S --make-pidfile --exec /bin/rm -- x",
        "docker run --rm --pids-limit 100 alpine rm x",
        "docker run --rm -it alpine rm x",
        "docker run --foo bar alpine rm x",
        "docker exec -it c rm x",
        "env -a x rm y",
        "chrt -o 0 rm x",
        "chrt --batch rm x",
        "fakeroot -f faked rm x",
        "sudo -E rm x",
        "sudo -g g rm x",
        "nice -5 rm x",
        "doas rm x",
        "su -T -c 'rm x'",
        "strace -f rm x",
        "timeout -v 5 rm x",
        "watch -d -n1 'rm x'",
        "unshare -Ur rm x",
        "ssh -P h rm x",
        "runuser -u a -- rm x",
        "setpriv --reuid 0 rm x",
        "nohup rm x",
        "unbuffer -p rm x",
        "stdbuf -oL rm x",
        "time -p rm x",
        "valgrind --leak-check full rm x",
        "kubectl exec -it p -- rm x",
        "firejail --net none rm x",
        "ip netns exec a rm x",
        'ssh -o ProxyCommand="rm x" h',
        "ssh -p 22 h rm x",
    ],
)
def test_t31_what_is_started_is_found_behind_options_of_every_kind(statement: str) -> None:
    assert {"rm", "/bin/rm"} & set(programs(statement))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("valgrind --unheard-of rm ls x", ["valgrind", "rm", "ls"]),
        ("valgrind --unheard-of=rm ls x", ["valgrind", "ls"]),
        ("valgrind --unheard-of -- rm ls", ["valgrind", "rm"]),
        ("sudo -E apt update", ["sudo", "apt"]),
        ("docker run --rm -it alpine ls x", ["docker", "ls"]),
        ("docker run --unheard-of a alpine ls", ["docker", "alpine", "ls"]),
        ("ssh -P a b ls", ["ssh", "ls", "b"]),
        ("doas -s", ["doas", "bash"]),
        ("sudo -l rm", ["sudo"]),
    ],
)
def test_l4_behind_an_option_that_is_not_known_both_words_may_be_the_program(
    statement: str, found: list[str]
) -> None:
    assert sorted(programs(statement)) == sorted(found)
