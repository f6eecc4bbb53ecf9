"""Why a statement got its verdict: the rules that speak of it, what none covers, and which rule one key kept away."""

from policies.document import parse_policy
from policies.engine import MAX_UNKNOWN, Policy
from policies.model import Access, Request
from policies.near import explanation
from policies.source import Source
from tests.statement_notes import facts, touches

REQUEST = Request(
    identity="nightly",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={"env": "prod"},
    login="app",
    access=Access.EXEC,
)


def policy(*rules: str) -> Policy:
    return parse_policy([Source(label="p.toml", text="".join(f"[[rule]]\n{rule}\n" for rule in rules))])


def rule(name: str, verdict: str, match: str = "", when: str = "") -> str:
    lines = [f'id = "{name}"', f'verdict = "{verdict}"']
    return "\n".join(lines + [f"match = [{match}]"] * bool(match) + [f"when = {{ {when} }}"] * bool(when))


def test_rules_that_speak_of_a_statement_are_told_with_what_they_do() -> None:
    made = policy(
        rule("a", "allow", '{ program = "ls" }'),
        rule("b", "deny", '{ program = "rm" }'),
        rule("c", "approve", '{ program = "rm", args_any = "-r" }'),
        rule("d", "allow", '{ program = "dd" }'),
    )
    found = explanation(made, None, facts("ls", "rm -r x"))
    roles = [(each.id, role) for each, role in found.matched]
    assert roles == [("a", "covers a part"), ("b", "denies"), ("c", "asks approval")]
    assert found.missing == ('the command "rm" with these words',)
    assert found.verdict.rules == ("b",)
    assert [role for _, role in explanation(made, None, facts("ls")).matched] == ["covers all"]


def test_rule_that_one_key_keeps_away_is_near() -> None:
    made = policy(
        rule(
            "args",
            "deny",
            '{ program = "rm", args_any = "-r" }, { program = "rm", args_any = "-R", flags = "opaque" }',
        ),
        rule("program", "deny", '{ program = "dd" }'),
        rule("two", "deny", '{ program = "rm", args_any = "-r", flags = "opaque" }'),
        rule("reads", "deny", '{ program = "rm", reads = "/x" }'),
        rule("nothing-in-common", "deny", '{ program = "dd", args_any = "-r" }'),
    )
    near = explanation(made, None, facts("rm x", reads=touches("/y"))).near
    assert [(each.rule.id, each.entry, each.unmet) for each in near] == [
        ("args", 0, "args_any"),
        ("reads", 0, "reads"),
    ]


def test_rule_whose_when_one_field_keeps_away_is_near() -> None:
    made = policy(
        rule("login", "allow", '{ program = "ls" }', 'logins = ["deploy"], groups = ["ci"]'),
        rule("label", "allow", when='labels = { env = "dev" }'),
        rule("two", "allow", '{ program = "ls" }', 'logins = ["deploy"], groups = ["x"]'),
        rule("other", "allow", '{ program = "dd" }', 'logins = ["deploy"]'),
    )
    near = explanation(made, REQUEST, facts("ls")).near
    assert [(each.rule.id, each.entry, each.unmet) for each in near] == [
        ("label", None, "when.labels.env"),
        ("login", 0, "when.logins"),
    ]


def test_l11_statement_with_too_much_that_is_not_literal_is_unparsed_and_explained_as_that() -> None:
    made = policy(rule("a", "allow", '{ program = "ls" }'))
    assert made.judge_alone(facts("ls " + " ".join(f"$x{at}" for at in range(MAX_UNKNOWN)))).allowed
    found = explanation(made, None, facts("ls " + " ".join(f"$x{at}" for at in range(MAX_UNKNOWN + 1))))
    assert found.missing == ("what is unparsed: more than 64 of its words are known only when it runs",)
    assert not found.verdict.allowed
