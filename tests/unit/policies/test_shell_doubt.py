"""Test which forms are not left to one parser."""

import pytest

from policies.shell.doubt import doubtful


@pytest.mark.parametrize(
    "source",
    [
        b"ca\\\nt x",
        b"a\n\\\nb",
        b"echo `a` `b`",
        b"echo ${X:=`a`}",
        b"coproc { a; }",
        b"echo a\fb",
        b"echo a\vb",
        b"echo a\rb",
    ],
)
def test_t31_a_form_that_the_grammar_misreads_silently_is_doubtful(source: bytes) -> None:
    assert doubtful(source)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"ls -la /var/log | grep -v 'a b' > /tmp/x 2>&1",
        b"docker run \\\n  --rm \\\n  web:1",
        b"echo `date`",
        b'for f in *.log; do gzip "$f"; done',
        b'test "${X:-1}" = 1 && echo $(date +%F)',
    ],
)
def test_an_ordinary_line_is_not_doubtful(source: bytes) -> None:
    assert doubtful(source) == ""
