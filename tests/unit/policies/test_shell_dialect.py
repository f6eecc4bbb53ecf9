"""What bash and other shells may read differently is not taken for bash."""

from __future__ import annotations

import subprocess

import pytest

from policies.shell.dialect import foreign

BASH_ALONE = (
    *("echo $'a'", 'echo $"a"', "[[ a < b ]]", "((1))", "cat <(ls)", "ls &> f", "ls |& cat", "cat <<< x"),
    *(
        "echo {a,b}",
        "echo {1..3}",
        "a=(1 2)",
        "function f { ls; }",
        "echo ${x/a/b}",
        "echo ${x:1:2}",
        "echo ${!x}",
    ),
    *(
        "case a in a) ls;& esac",
        "time ls",
        "a+=b",
        "ls >&f",
        "echo ${x^^}",
        "echo $[1]",
        "source f",
    ),
)
ALIKE = (
    *(
        "echo one",
        "for x in a b; do echo $x; done",
        "if a; then b; fi",
        "echo ${x:-y} ${x#a} ${#x}",
        "ls 2>&1",
    ),
    *(
        "cat <<E\nx\nE",
        "echo `ls` $(ls) $((1+2))",
        "f() { ls; }",
        "case $x in a|b) ls;; esac",
        "find . -exec ls {} +",
    ),
)


@pytest.mark.parametrize("statement", [*BASH_ALONE, *ALIKE])
def test_bash_reads_as_bash(statement: str) -> None:
    assert foreign("/bin/bash", statement.encode()) == ""


@pytest.mark.parametrize("statement", BASH_ALONE)
def test_l4_what_bash_alone_gives_a_meaning_to_is_not_known_to_sh(statement: str) -> None:
    assert "otherwise than bash" in foreign("sh", statement.encode())
    assert "otherwise than bash" in foreign("/bin/dash", statement.encode())


@pytest.mark.parametrize("statement", [text for text in ALIKE if "exec" not in text])
def test_l4_what_is_alike_prints_the_same_in_both(statement: str) -> None:
    assert foreign("dash", statement.encode()) == ""
    script = f"ls() {{ echo ls; }}; a() {{ :; }}; b() {{ echo b; }}\n{statement}\n".encode()
    said = [
        subprocess.run([shell, "-s"], input=script, capture_output=True).stdout for shell in ("bash", "dash")
    ]
    assert said[0] == said[1]


@pytest.mark.parametrize("shell", ["zsh", "fish", "/usr/bin/csh", "powershell", ""])
def test_l4_of_other_shells_nothing_is_known(shell: str) -> None:
    assert "not known" in foreign(shell, b"echo one")
