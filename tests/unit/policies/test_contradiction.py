"""An entry that no statement can meet is a mistake, told with file and key where the policy is read."""

import pytest

from policies.document import parse_policy
from policies.errors import PolicyInvalidError
from policies.source import Source


def problems(entry: str, verdict: str = "deny", more: str = "") -> list[str]:
    text = f'[[rule]]\nid = "r"\nverdict = "{verdict}"\n{more}\nmatch = [{entry}]\n'
    try:
        parse_policy([Source(label="p.toml", text=text)])
    except PolicyInvalidError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{}", "rule[0].match[0]: got an empty table, expected at least one key"),
        ("{ program = [] }", "rule[0].match[0].program: got an empty list, expected"),
        ('{ programs = "rm" }', 'rule[0].match[0].programs: unknown key (did you mean "program"?)'),
        ('{ program = "class:editor" }', 'no class of programs is called "editor" (did you mean "class:editors"?)'),
        ('{ argv = [["class:x"]] }', 'match[0]: argv: no class of programs is called "x", expected archivers, cloud'),
        ("{ argv = [] }", "rule[0].match[0].argv: got an empty list, expected"),
        ("{ argv = [[]] }", "rule[0].match[0].argv[0]: got an empty list, expected"),
        ('{ argv = ["..."] }', 'argv has "..." in a place of its own, expected it last, after a program'),
        ('{ argv = ["a", "...", "b"] }', 'argv has "..." in a place of its own'),
        ('{ argv = ["a", ["b", "..."]] }', 'argv has "..." in a place of its own'),
        ('{ flags = "opaqe" }', 'match[0].flags[0]: got "opaqe", expected'),
        ('{ operation = "copy" }', 'match[0].operation[0]: got "copy", expected'),
        ('{ reads = "glob:[" }', 'reads[0]: "glob:[" has a [ without its ]'),
        ('{ reads = "glob:/{a,b}" }', 'has {a,b} in it, expected a list of globs'),
        ('{ args_any = ["-r", "-f"], args_none = ["-f", "-r", "-x"] }', "args_none rules out all of args_any"),
        ('{ args_all = ["-r", "-f"], args_none = "-f" }', 'args_none rules out "-f" of args_all'),
        ('{ argv = ["rm"], args_any = "-r" }', 'argv is the program alone'),
        ('{ program = "dd", argv = ["/bin/rm", "..."] }', 'argv begins with "/bin/rm", expected a program that'),
        ('{ reads = "/etc/../x" }', 'reads has "/etc/../x", which paths in facts never look like, expected "/x"'),
        ('{ writes = "/srv/" }', 'writes has "/srv/", which paths in facts never look like, expected "/srv"'),
        ('{ contacts = "https://example.com" }', "expected a host without user, scheme and port"),
        ('{ contacts = "me@example.com" }', "expected a host without user, scheme and port"),
        ('{ operation = "upload", program = "cp" }', "an operation on files has no command"),
        ('{ flags = "unparsed", program = "rm" }', "of a statement that is unparsed nothing is known for program"),
        ('{ flags = "unparsed", reads = "/x" }', "of a statement that is unparsed nothing is known for reads"),
    ],
)  # fmt: skip
def test_entry_that_can_never_match_is_told(entry: str, expected: str) -> None:
    (problem,) = problems(entry)
    assert problem.startswith("p.toml: rule[0]")
    assert expected in problem


@pytest.mark.parametrize(
    "entry",
    [
        '{ args_any = ["-r", "-f"], args_none = "-f" }',
        '{ program = ["class:shells", "dd"], argv = ["rm"] }',
        '{ program = "rm", argv = ["/bin/rm", "..."], args_any = "-r" }',
        '{ contacts = ["s3://bucket", "gs://b", "remote:", "::1"] }',
        '{ reads = ["~", "~/.ssh/id_rsa", "x/y"] }',
        '{ flags = ["unparsed", "opaque"], program = "rm" }',
    ],
)
def test_entry_that_can_match_is_sound(entry: str) -> None:
    assert problems(entry) == []


@pytest.mark.parametrize(
    ("entry", "verdict", "more", "expected"),
    [
        ('{ text = "x" }', "allow", "", "match[0].text is set in a rule that allows"),
        ('{ program = "x" }', "deny", "warn = true", "warn is set where nothing is allowed"),
        ('{ program = "x" }', "allow", "computed = false", "computed is set where no statement is denied"),
        ('{ program = "x" }', "deny", 'attack = "T15"', "rule[0].attack: got"),
        ('{ program = "x" }', "deny", 'severity = "bad"', "rule[0].severity: got"),
    ],
)
def test_key_that_the_verdict_gives_no_meaning_is_told(
    entry: str, verdict: str, more: str, expected: str
) -> None:
    (problem,) = problems(entry, verdict, more)
    assert expected in problem
