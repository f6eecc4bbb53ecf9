"""Policy files: what they may say, and what is said of each mistake."""

import pytest

from policies.document import json_schema, parse_policy
from policies.errors import PolicyError, PolicyInvalidError
from policies.model import Access, VerdictKind
from policies.source import Source

GOOD = 'id = "r"\nverdict = "allow"\n'


def problems(*texts: str) -> list[str]:
    names = ["policy.toml", "more.toml"]
    sources = [Source(label=name, text=text) for name, text in zip(names, texts, strict=False)]
    with pytest.raises(PolicyInvalidError) as caught:
        parse_policy(sources)
    assert isinstance(caught.value, PolicyError)
    lines = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(lines)
    return lines


def test_rule_is_read_with_all_its_fields() -> None:
    text = """
        [[rule]]
        id = "deployers-on-web"
        verdict = "allow"
        reason = "releases"
        past_quota = "digest-only"
        [rule.when]
        groups = ["ci"]
        identities = ["orders-deployer"]
        targets = ["glob:web-*"]
        labels = { env = "dev", zone = ["eu", "us"] }
        logins = ["deploy"]
        access = ["exec", "sftp"]
    """
    (rule,) = parse_policy([Source(label="policy.toml", text=text)]).rules
    assert (rule.id, rule.verdict, rule.reason) == ("deployers-on-web", VerdictKind.ALLOW, "releases")
    assert rule.past_quota == "digest-only"
    assert (rule.when.groups, rule.when.identities) == (("ci",), ("orders-deployer",))
    assert rule.when.logins == ("deploy",)
    assert rule.when.targets == ("glob:web-*",)
    assert rule.when.access == frozenset({Access.EXEC, Access.SFTP})
    assert rule.when.labels == {"env": ("dev",), "zone": ("eu", "us")}


def test_file_without_rules_is_sound_and_allows_nothing() -> None:
    assert parse_policy([Source(label="policy.toml", text="# nothing yet\n")]).rules == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('verdict = "deny"', 'rule[0].id: is missing, expected a string such as "ci-deploys-to-dev"'),
        ('id = "A b"\nverdict = "deny"', 'rule[0].id: got "A b", expected lower-case letters, digits'),
        ('id = ""\nverdict = "deny"', 'rule[0].id: got "", expected lower-case letters'),
        ('id = "r"', 'rule[0].verdict: is missing, expected "allow", "deny" or "approve"'),
        ('id = "r"\nverdict = "hold"', 'rule[0].verdict: got "hold", expected "allow", "deny" or "approve"'),
        ('id = "r"\nverdict = true', 'rule[0].verdict: got true, expected "allow", "deny" or "approve"'),
        (GOOD + "when = 5", "rule[0].when: got 5, expected a table"),
        (
            GOOD + "when = { groups = [] }",
            "rule[0].when.groups: got an empty list, expected a list of at least",
        ),
        (
            GOOD + "when = { labels = {} }",
            "rule[0].when.labels: got an empty table, expected a table such as",
        ),
        (GOOD + "when = { labels = { env = [] } }", "rule[0].when.labels.env: got an empty list, expected"),
        (
            GOOD + "when = { labels = { env = 3 } }",
            "rule[0].when.labels.env: got 3, expected a string or a list",
        ),
        (
            GOOD + 'when = { labels = { "" = "x" } }',
            'rule[0].when.labels."": got "", expected the name of a label',
        ),
        (GOOD + 'when = { logins = "deploy" }', 'rule[0].when.logins: got "deploy", expected a list'),
        (GOOD + "when = { logins = [1] }", "rule[0].when.logins[0]: got 1, expected a string"),
        (GOOD + 'when = { logins = ["a", ""] }', 'rule[0].when.logins[1]: got "", expected printable text'),
        (GOOD + 'when = { targets = ["glob:"] }', 'rule[0].when.targets[0]: got "glob:", expected printable'),
        (
            GOOD + 'when = { targets = ["a\\u0000"] }',
            'rule[0].when.targets[0]: got "a\\u0000", expected printable',
        ),
        (
            GOOD + 'when = { access = ["exec", "console"] }',
            'rule[0].when.access[1]: got "console", expected "exec",',
        ),
        (
            GOOD + 'when = { access = ["glob:*"] }',
            'rule[0].when.access[0]: got "glob:*", expected "exec", "shell",',
        ),
        (
            GOOD + 'when = { login = ["a"] }',
            'rule[0].when.login: unknown key (did you mean "logins"?), expected access,',
        ),
        (
            GOOD + 'resaon = "x"',
            'rule[0].resaon: unknown key (did you mean "reason"?), expected approvers, attack,',
        ),
        (GOOD + 'reason = "a\\nb"', 'rule[0].reason: got "a\\nb", expected one line of printable text'),
        (GOOD + 'reason = "a\\u202eb"', 'rule[0].reason: got "a\\u202eb", expected one line'),
        (GOOD + 'past_quota = "keep"', 'rule[0].past_quota: got "keep", expected "end" or "digest-only"'),
        (
            'id = "r"\nverdict = "deny"\npast_quota = "end"',
            "rule[0]: past_quota is set where nothing is allowed, exp",
        ),
    ],
)
def test_mistake_in_a_rule_names_file_key_and_what_was_expected(text: str, expected: str) -> None:
    (line,) = problems(f"[[rule]]\n{text}\n")
    assert line.startswith(f"policy.toml: {expected}")
    assert ", expected " in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[rule]\nid = 'x'", "policy.toml: rule: got a table, expected a list"),
        ("rule = 3", "policy.toml: rule: got 3, expected a list"),
        (
            "[[rules]]",
            'policy.toml: rules: unknown key (did you mean "rule"?), expected exception, limit, mask or rule',
        ),
        ("[[rule]]\nid = ", "policy.toml: line 2, column 6: is not TOML: invalid value, expected TOML 1.0"),
        ("a = 1\nb = [\n", "policy.toml: line 3, column 1: is not TOML: invalid value, expected TOML 1.0"),
        ("a = " + "[" * 5000, "policy.toml: is nested too deeply, expected"),
    ],
)
def test_mistake_in_a_file_names_its_place(text: str, expected: str) -> None:
    (line,) = problems(text)
    assert line.startswith(expected)


def test_every_mistake_of_every_file_is_listed_at_once() -> None:
    first = '[[rule]]\nid = "a"\nverdict = "allow"\n[[rule]]\nid = "B"\nverdict = "no"\nextra = 1\n'
    second = '[[rule]]\nid = "a"\nverdict = "deny"\n[[rule]]\nverdict = "deny"\n'
    lines = problems(first, second)
    assert [line.split(": ")[:2] for line in lines] == [
        ["policy.toml", "rule[1].id"],
        ["policy.toml", "rule[1].verdict"],
        ["policy.toml", "rule[1].extra"],
        ["more.toml", "rule[1].id"],
        ["more.toml", "rule[0].id"],
    ]
    assert lines[-1].endswith('"a" is taken by policy.toml: rule[0], expected an id of its own')


def test_syntax_error_in_one_file_does_not_hide_mistakes_of_another() -> None:
    lines = problems("[[rule", "[[rule]]\n")
    assert [line.split(": ")[0] for line in lines] == ["policy.toml", "more.toml", "more.toml"]


def test_schema_describes_every_key_and_its_default() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for table in [schema, *(each for each in schema["$defs"].values() if "properties" in each)]:
        assert table["additionalProperties"] is False
        for name, node in table["properties"].items():
            assert node["description"], name
    rule = schema["$defs"]["RuleTable"]
    assert rule["required"] == ["id", "verdict"]
    without = {name for name, node in rule["properties"].items() if "default" not in node}
    assert without == {"id", "verdict", "match", "severity", "attack", "approvers"}
