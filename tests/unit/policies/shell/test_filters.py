"""A filter that is given a file leaves the lines that follow alone; one that is not takes them (L3)."""

import pytest

from policies.facts import Flag
from policies.shell import quick

READS = {Flag.READS_STDIN, Flag.MAY_READ_STDIN}


@pytest.mark.parametrize(
    "statement",
    [
        "grep -n x f",
        "grep -c x f",
        "grep -rn x .",
        "grep -e x f",
        "grep --color=auto x f",
        "sed -n 1,5p f",
        "sed -i s/a/b/ f",
        "sed -e p f",
        "jq -c . f",
        "jq -r --arg a b .a f",
        "jq -n --arg a b '$a'",
        "awk -v a=b 1 f",
        "awk '{ print $1 }' f",
        "tail -f x",
        "tail -n +2 f",
        "tail -100 f",
        "head -n5 f",
        "uniq -c f",
        "sort -t : -k 1 -o out f",
        "sort --parallel 2 f",
        "wc -l *.log",
        "cut -d: -f1 f",
        "paste -sd, f",
        "base64 -d f",
        "diff -u a b",
        "diff --color=always -q a b",
        "cmp -s a b",
        "pidof nginx",
        "gzip -9 f",
        "split -l 5 f",
        "for f in a.log b.log; do gzip $f; done",
    ],
)
def test_a_filter_with_a_file_leaves_the_input(statement: str) -> None:
    assert not quick(statement).flags & READS


@pytest.mark.parametrize(
    "statement",
    [
        "grep x",
        "grep -e x",
        "grep -n x",
        "grep --exclude y x",
        "sed p",
        "sed -e p",
        "sed -n 5p",
        "jq .a",
        "jq --arg a b .a",
        "jq --args .a x",
        "awk 1",
        "awk 1 a=b",
        "awk -f f",
        "head -n 5",
        "head -c 1",
        "tail -n 5",
        "sort -o out",
        "sort -k 1",
        "uniq -f 1",
        "cut -d ' ' -f1",
        "nl -s x",
        "fmt -w 60",
        "fold -w 60",
        "paste -d ,",
        "tee f",
        "sponge f",
        "patch -p1",
        "mail -s x root",
        "openssl base64",
        "openssl s_client -connect h:1",
        "gpg -d",
        "ex -s f",
    ],
)
def test_l3_a_filter_without_a_file_takes_the_input(statement: str) -> None:
    assert quick(statement).flags & READS


@pytest.mark.parametrize(
    "statement",
    [
        'head -c1 "$f"',
        "cat $f",
        'grep "$p" f',
        "head -c1 -- /dev/stdin",
        'cmp "$f" x',
        "diff - x",
        "jq -n input",
        "grep -rd read x",
        "head -c1 x$f",
        "x=-; head -c1 $x",
        'head -c1 "/dev/$f"',
        "for x in f /dev/stdin; do head -c1 $x; done",
        'head -q"$x" 1',
        'head -c1 "f$@"',
        "cat *",
        "head -c1 [-]",
        "head -c1 /dev/std?n",
        "md5sum -c f",
        "tail +5",
        "sort +1 -2",
        "od --traditional 10",
        "xxd -len 5",
        "awk 1 ''",
        "awk 'BEGIN { ARGC = 1 } 1' f",
        'awk 1 "x$f"',
        "xz --files x f",
        "sed p -",
    ],
)
def test_l3_a_word_that_may_be_a_dash_may_name_the_input(statement: str) -> None:
    """`head -c1 "$f"` with f=- takes one byte, and the shell goes on in the middle of a line."""
    assert quick(statement).flags & READS
