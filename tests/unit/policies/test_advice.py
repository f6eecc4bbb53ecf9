"""What is allowed in a policy and hardly meant is told, with file and key; what is meant is left alone."""

import pytest

from policies.advice import warnings_about
from policies.document import parse_policy
from policies.source import Source


def told(*rules: str) -> list[str]:
    text = "".join(f"[[rule]]\n{rule}\n" for rule in rules)
    return [str(each) for each in warnings_about(parse_policy([Source(label="p.toml", text=text)]).rules)]


def rule(name: str, verdict: str, match: str = "", when: str = "", more: str = "") -> str:
    lines = [f'id = "{name}"', f'verdict = "{verdict}"', more]
    lines += [f"match = [{match}]"] * bool(match) + [f"when = {{ {when} }}"] * bool(when)
    return "\n".join(lines)


def test_allow_without_match_is_told_unless_it_is_of_raw_terminals() -> None:
    (line,) = told(rule("a", "allow"))
    assert line.startswith('p.toml: rule[0]: rule "a" has no match: it allows every statement, even one that')
    assert told(rule("a", "allow", when='access = ["raw"]')) == []
    assert told(rule("a", "deny")) == []


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ('["sh", "-c", "glob:**"]', "sh"),
        ('["/bin/bash", "-c", "glob:*"]', "bash"),
        ('["class:interpreters", "-e", "glob:**"]', "R"),
        ('["sh", "-c", "glob:restart *"]', None),
        ('["sh", "-c", "true"]', None),
        ('["echo", "-e", "glob:**"]', None),
    ],
)
def test_argv_that_lets_any_script_run_is_told(argv: str, expected: str | None) -> None:
    found = told(rule("a", "allow", f"{{ argv = {argv} }}"))
    if expected is None:
        assert found == []
    else:
        (line,) = found
        assert line.startswith(f'p.toml: rule[0].match[0].argv: rule "a" lets {expected} run any script: ')
    assert told(rule("a", "deny", f"{{ argv = {argv} }}")) == []


RM = '{ program = "rm" }'
NOT_ASKING = '{ program = "rm", args_none = "-i" }'
RECURSIVE = '{ program = "rm", args_all = "-r" }'


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (rule("w", "deny"), rule("n", "deny", RM)),
        (rule("w", "deny", '{ program = ["rm", "dd"] }'), rule("n", "deny", RM)),
        (
            rule("w", "deny", '{ program = "class:shells" }'),
            rule("n", "deny", '{ program = ["sh", "/bin/bash"] }'),
        ),
        (rule("w", "deny", RM), rule("n", "deny", '{ program = "rm", args_any = "-r" }')),
        (rule("w", "deny", RM), rule("n", "deny", '{ argv = ["rm", "-r", "..."] }')),
        (rule("w", "deny", RM), rule("n", "approve", RM)),
        (rule("w", "deny", RM), rule("n", "deny", RM, 'groups = ["ci"]')),
        (rule("w", "deny", RM, 'groups = ["ci", "x"]'), rule("n", "deny", RM, 'groups = ["ci"]')),
        (rule("w", "deny", RM, 'targets = ["glob:web-*"]'), rule("n", "deny", RM, 'targets = ["web-1"]')),
        (
            rule("w", "deny", RM, "labels = { env = ['a', 'b'] }"),
            rule("n", "deny", RM, "labels = { env = 'a' }"),
        ),
        (rule("w", "deny", RM, 'access = ["exec", "shell"]'), rule("n", "deny", RM, 'access = ["exec"]')),
        (
            rule("w", "deny", '{ reads = ["/a", "/b"] }'),
            rule("n", "deny", '{ reads = "/a", contacts = "glob:*" }'),
        ),
        (rule("w", "allow"), rule("n", "allow", RM)),
        (rule("w", "deny", RM), rule("n", "deny", RM)),
    ],
)
def test_rule_that_changes_nothing_beside_a_wider_one_is_told(wide: str, narrow: str) -> None:
    found = [each for each in told(wide, narrow) if "has no match" not in each]
    assert found == [
        'p.toml: rule[1]: rule "n" changes no verdict: rule "w" speaks of all that it speaks of'
    ] or ("approve" in narrow and "can never allow anything" in found[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule("w", "deny", '{ program = ["rm", "mv"] }'), rule("n", "deny", '{ program = ["rm", "dd"] }')),
        (rule("w", "deny", RM, 'groups = ["ci"]'), rule("n", "deny", '{ program = "rm", args_any = "-r" }')),
        (
            rule("w", "deny", RM, more="computed = false"),
            rule("n", "deny", '{ program = "rm", args_any = "x" }'),
        ),
        (rule("w", "approve", RM), rule("n", "deny", '{ program = "rm", args_any = "-r" }')),
        (rule("w", "deny", RECURSIVE), rule("n", "deny", '{ program = "rm", args_any = "x" }')),
        (rule("w", "deny", NOT_ASKING), rule("n", "deny", '{ program = "rm", args_any = "x" }')),
        (rule("w", "allow", RM), rule("n", "allow", RM, more="warn = true")),
        (rule("w", "allow", '{ program = ["rm", "dd"] }'), rule("n", "allow", RM)),
        (rule("w", "deny", '{ argv = ["rm"] }'), rule("n", "deny", '{ argv = ["rm", "..."] }')),
        (
            rule("w", "deny", '{ program = "rm", reads = "/a" }'),
            rule("n", "allow", '{ program = "rm", reads = "/a" }'),
        ),
    ],
)
def test_rule_that_says_something_of_its_own_is_left_alone(one: str, other: str) -> None:
    assert told(one, other) == []


def test_allow_that_a_deny_covers_entirely_is_told() -> None:
    found = told(rule("w", "deny", RM), rule("n", "allow", '{ argv = ["/usr/bin/rm", "-r"] }'))
    assert found == [
        'p.toml: rule[1]: rule "n" can never allow anything: rule "w" speaks of all that it speaks of'
    ]
    assert told(rule("w", "deny", RM), rule("n", "allow", '{ argv = ["rm"] }, { program = "ls" }')) == []


def test_of_two_rules_that_say_the_same_the_later_is_told() -> None:
    (line,) = told(rule("a", "deny", RM), rule("b", "deny", RM))
    assert 'rule[1]: rule "b"' in line
