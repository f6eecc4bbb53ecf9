"""Input is gated as statements only where one shell, and nothing else, surely reads it from its beginning."""

from __future__ import annotations

import pytest

from bastion.stdin_shell import shell_on_stdin
from policies.shell import quick


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        ("bash", "bash"),
        ("bash -s", "bash"),
        ("bash -s -- one two", "bash"),
        ("bash -s one", "bash"),
        ("bash -l", "bash"),
        ("bash --login", "bash"),
        ("bash -eux", "bash"),
        ("bash -", "bash"),
        ("bash +H", "bash"),
        ("/bin/bash -s", "bash"),
        ("sh -s", "sh"),
        ("dash", "dash"),
        ("sudo -n bash", "bash"),
        ("sudo -u deploy bash -s", "bash"),
        ("sudo -i", "bash"),
        ("su -", "bash"),
        ("env LANG=C bash -s", "bash"),
        ("timeout 60 bash -s", "bash"),
        ("cd /srv && bash -s", "bash"),
        ("exec bash -s", "bash"),
        ("bash -s > log 2>&1", "bash"),
    ],
)
def test_t24_a_shell_that_reads_its_script_from_stdin(command: str, shell: str) -> None:
    assert shell_on_stdin(quick(command)) == shell


@pytest.mark.parametrize(
    "command",
    [
        *("ls", "bash -c ls", "bash deploy.sh", "bash < deploy.sh", "zsh", "ksh -s", "python3 -", "cat"),
        *("bash -i", "bash -H", "bash -o histexpand", "bash --rcfile x", "bash -O extglob", "bash -t"),
        *("head -c5; bash", "read x; bash", "bash; bash", "./prepare && bash -s", "bash | cat", "cat | bash"),
        *(
            "xargs bash",
            "ssh db-1 bash",
            "sudo -S bash",
            "docker exec -i app bash",
            "bash &",
            "$SHELL",
            "bash 'x",
        ),
        *("bash -$x", "while true; do bash; done; cat", "bash --unknown", ""),
    ],
)
def test_t24_where_something_else_may_read_it_the_input_is_data(command: str) -> None:
    assert shell_on_stdin(quick(command)) == ""
