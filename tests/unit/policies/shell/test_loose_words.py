"""What a computed word may name beside what it looks like: options, and files in them (L4)."""

from __future__ import annotations

import pytest

from policies.document import parse_policy
from policies.engine import Policy
from policies.shell import analyse
from policies.source import Source


def policy(verdict: str, entry: str) -> Policy:
    text = f'[[rule]]\nid = "r"\nverdict = "{verdict}"\nmatch = [{entry}]\n'
    free = '[[rule]]\nid = "all"\nverdict = "allow"\n' if verdict == "deny" else ""
    return parse_policy([Source(label="policy.toml", text=text + free)])


@pytest.mark.parametrize(
    ("entry", "fixed", "loose"),
    [
        ('{ program = "curl", contacts = "a.example" }', 'curl -H "$h" https://a.example/', "curl -H $h https://a.example/"),
        ('{ program = "curl", contacts = "a.example" }', 'curl -H x"$h" https://a.example/', "curl -H x$h https://a.example/"),
        ('{ program = "sort", reads = "glob:/srv/**" }', 'sort -k "$k" /srv/a', "sort -k$k /srv/a"),
        ('{ program = "grep", reads = "glob:/srv/**" }', 'grep "$x" /srv/a', "grep $x /srv/a"),
        ('{ program = "grep", reads = "glob:/srv/**" }', 'grep "$x" /srv/a', "grep $(cat x) /srv/a"),
        ('{ program = "find" }', 'find /srv -name "$x"', "find /srv -name $x"),
        ('{ program = "find" }', "find /srv -type f", 'find /srv "$x"'),
        ('{ program = "find" }', "find /srv -type f", 'find "$x" -type f'),
        ('{ program = "tar", writes = "a", reads = "b" }', "tar cf a b", 'tar "$x" a b'),
        ('{ program = "dd", reads = "a" }', "dd if=a", 'dd if=a "$x"'),
        ('{ program = "chown", writes = "a" }', 'chown "$u:$u" a', "chown $u:$u a"),
    ],
)  # fmt: skip
def test_l4_an_allow_covers_no_option_that_a_word_may_become(entry: str, fixed: str, loose: str) -> None:
    assert policy("allow", entry).judge_alone(analyse(fixed)).allowed
    assert not policy("allow", entry).judge_alone(analyse(loose)).allowed


@pytest.mark.parametrize("statement", ['rm "$x" /', "rm $x /", 'rm -"$x" /', 'rm / "$x"', "rm -r$x /"])
def test_l4_a_deny_that_wants_an_option_finds_it_in_what_may_become_one(statement: str) -> None:
    facts = analyse(statement)
    assert (
        not policy("deny", '{ program = "rm", args_any = "glob:-*r*", args_all = ["/"] }')
        .judge_alone(facts)
        .allowed
    )
    assert not policy("allow", '{ argv = ["rm", "glob:*", "/"] }').judge_alone(facts).allowed
    assert (
        not policy("allow", '{ program = "rm", args_none = "glob:-*r*" }, { writes = "glob:**" }')
        .judge_alone(facts)
        .allowed
    )


@pytest.mark.parametrize(
    "statement",
    ["for f in a b; do cat $f; done", "docker run -v $PWD:/x y", 'cp "$a" "$b"', "cat $f", "kill $(cat p)"],
)
def test_what_is_named_already_is_named_once(statement: str) -> None:
    facts = analyse(statement)
    assert len({touch.value.text for touch in (*facts.reads, *facts.writes)}) <= statement.count("$")
    assert all(touch.value.text in statement for touch in (*facts.reads, *facts.writes))


def test_known_limit_a_quoted_pattern_that_may_be_an_option_of_grep() -> None:
    assert policy("allow", '{ program = "grep", reads = "a" }').judge_alone(analyse('grep "$x" a')).allowed
