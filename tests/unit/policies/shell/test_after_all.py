"""Which statements leave the rest of a script to the shell, and which may take it, or change what the shell reads."""

from __future__ import annotations

import pytest

from policies.facts import Flag
from policies.shell.analyse import quick


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("./x", True),
        ("sudo ./x", True),
        ("timeout 5 ./x", True),
        ("x=$(./x)", True),
        ("./x | cat", True),
        ("make deploy", True),
        ("bash x.sh", True),
        ("python3 x.py", True),
        ("cat $f", True),
        ("git commit -F -", True),
        ("git apply", True),
        ("kubectl apply -f -", True),
        ("curl -d @- h", True),
        ("tar czf /x -T /dev/stdin", True),
        ("rm -i x", True),
        ("find . -ok rm {} +", True),
        ("sudo -S ls", True),
        ("systemctl edit x", True),
        ("mysql -e 'load data local infile \"/dev/stdin\"'", True),
        ("apt-get install x", True),
        # What is certain of a program is so without these words (each ate a line of a script, or could).
        ("scp -t /tmp", True),
        ("scp -rf /tmp", True),
        ("rsync --server -e.x . /tmp", True),
        ("curl -K- http://h/", True),
        ("curl -sT- http://h/", True),
        ("curl -T . http://h/", True),
        ("curl -F 'f=@-;type=a' http://h/", True),
        ("curl -u bob http://h/", True),
        ("curl --us bob http://h/", True),
        ("curl $X http://h/", True),
        ("wget -qi- ", True),
        ("wget --ask-password http://h/", True),
        ("ip netns exec a sh", True),
        ("ip -n a netns exec a sh", True),
        ("ip -b-", True),
        ("kubectl apply -f-", True),
        ("kubectl delete -i pod x", True),
        ("docker volume prune", True),
        ("git tag -a v1", True),
        ("git tag -F- v1", True),
        ("git branch --edit-desc", True),
        ("rm --int x", True),
        ("tar xwf a.tar", True),
        ("tar -xf a.tar --confirm", True),
        ("tar -xf a.tar --checkpoint-action=exec=cat", True),
        ("killall -i x", True),
        ("fuser -ki /x", True),
        ("psql -c 'select 1'", True),
        ("psql -w -c '\\! cat'", True),
        ("pg_dump db", True),
        ("zstd a", True),
        ("awk 'BEGIN { system(\"cat\") }' /x", True),
        ("awk 'BEGIN { getline < \"-\" }' /x", True),
        ("sed 'e cat' /x", True),
        ("sed 's/a/cat/e' /x", True),
        ("sqlite3 f '.shell cat'", True),
        ("sudo --std id", True),
        ("install --strip-program=cat -s a b", True),
        ("mount -t cifs //h/s /m", True),
        ("trap cat DEBUG", True),
        (". ./x.sh", True),
        ("scp -t /x <&3", True),
        ("tput -S", True),
        ("cp /proc/thread-self/fd/0 /x", True),
        ("cp /dev/fd/../fd/0 /x", True),
        ("curl -u bob:$P http://h/", False),
        ("psql -w -c 'select 1'", False),
        ("git tag -a -m x v1", False),
        ("git log --oneline -n5", False),
        ("ip -br addr show", False),
        ("tar -czf /x/Web.tar -C /srv/Main .", False),
        ("sed -i 's/a/b/g' /x", False),
        ("sed -n '/a/,/b/p' /x", False),
        ("awk '{ print $1 }' /x", False),
        ("trap 'rm -f /x' EXIT", False),
        ("kubectl get pods -owide", False),
        ("./x < /dev/null", False),
        ("sudo ./x < y", False),
        ("while read -r l; do ./x; done < y", False),
        ("cat y | ./x", False),
        ("docker exec c ./x", False),
        ("sudo systemctl restart x", False),
        ("rm -rf x && mkdir -p y", False),
        ("git -C x status", False),
        ("kubectl apply -f x.yaml", False),
        ("kubectl -n a get pods", False),
        ("cat x y", False),
        ("find . -exec rm {} +", False),
        ("env A=b timeout 5 ls", False),
        ("curl -fsS http://h/", False),
    ],
)
def test_l3_what_is_not_known_to_leave_the_input_alone_may_read_it(statement: str, may: bool) -> None:
    assert (Flag.MAY_READ_STDIN in quick(statement).flags) is may


def test_l3_exec_that_gives_the_shell_another_script_is_told() -> None:
    facts = quick("exec <<<'rm -rf /x'")
    assert Flag.SWITCHES_INPUT in facts.flags
    assert "rm" in [command.words[0].text for command in facts.commands]


@pytest.mark.parametrize(
    "statement", ["exec 0<<<'rm -rf /x'", "exec 0</x", "eval 'exec 0</x'", "bash 0<<<'rm -rf /x'", "cat 0<&0"]
)
def test_l4_a_descriptor_that_the_grammar_takes_for_a_word_is_not_understood(statement: str) -> None:
    assert quick(statement).flags & {Flag.UNPARSED, Flag.OPAQUE}


@pytest.mark.parametrize("statement", ["cat <&0", "{ cat <&3; } 3<&0"])
def test_l3_a_copy_of_the_input_is_the_input(statement: str) -> None:
    assert Flag.READS_STDIN in quick(statement).flags


def test_l3_what_jobs_starts_is_seen() -> None:
    assert "rm" in [command.words[0].text for command in quick("jobs -x rm -rf /x").commands]
