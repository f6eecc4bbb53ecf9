"""Laws of verdicts on statements, for any rules and any facts (L4, L5)."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine import MAX_SCOPES, Policy
from policies.facts import Command, Facts, Flag, Touch
from policies.model import Access, Match, Request, Rule, VerdictKind, When
from tests.statement_notes import word

WORDS = (
    "rm",
    "ls",
    "-rf",
    "/",
    "/srv/a",
    "$x",
    "/srv/$x",
    "/srv/*",
    "/bin/rm",
    "/bin/../bin/rm",
    "r?",
    "host",
)
texts = st.sampled_from(["rm", "ls", "glob:/srv/**", "glob:*", "/", "glob:-*", "/bin/rm", "glob:**", "host"])
lists = st.none() | st.lists(texts, min_size=1, max_size=2).map(tuple)
matches_ = st.builds(
    Match,
    program=lists,
    argv=st.none() | st.lists(texts.map(lambda text: (text,)), min_size=1, max_size=3).map(tuple),
    more=st.booleans(),
    args_any=lists,
    args_all=lists,
    args_none=lists,
    reads=lists,
    writes=lists,
    contacts=lists,
    flags=st.none() | st.frozensets(st.sampled_from(Flag), min_size=1, max_size=3),
).filter(lambda match: replace(match, more=False) != Match())
rule_sets = st.lists(
    st.builds(
        Rule,
        id=st.text("abc", min_size=1, max_size=5),
        verdict=st.sampled_from(VerdictKind),
        match=st.none() | st.lists(matches_, min_size=1, max_size=3).map(tuple),
        computed=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda rule: rule.id,
)
some_words = st.sampled_from(WORDS).map(word)
some_touches = st.lists(st.builds(Touch, some_words, st.none() | st.just(0)), max_size=2).map(tuple)
commands = st.builds(
    Command,
    words=st.lists(some_words, min_size=1, max_size=4).map(tuple),
    flags=st.frozensets(st.sampled_from(Flag), max_size=1),
)


@st.composite
def statements(draw: st.DrawFn) -> Facts:
    made = draw(st.lists(commands, min_size=1, max_size=3))
    return Facts(
        statement="",
        commands=tuple(made),
        flags=frozenset().union(*(each.flags for each in made)),
        reads=draw(some_touches),
        writes=draw(some_touches),
        contacts=draw(some_touches),
    )


@given(rules=rule_sets, subject=statements(), data=st.data())
def test_l5_order_of_rules_and_entries_never_matters_to_a_statement(
    rules: list[Rule], subject: Facts, data: st.DataObject
) -> None:
    shuffled = [
        rule if rule.match is None else replace(rule, match=tuple(data.draw(st.permutations(rule.match))))
        for rule in data.draw(st.permutations(rules))
    ]
    one, other = Policy(rules=tuple(rules)), Policy(rules=tuple(shuffled))
    assert one.judge_alone(subject) == other.judge_alone(subject)
    assert one.digest() == other.digest()


def test_l11_engine_remembers_a_bounded_number_of_kinds_of_request_and_judges_the_rest_alike() -> None:
    rule = Rule(
        id="a",
        verdict=VerdictKind.ALLOW,
        when=When(logins=("glob:u[0-9]*",)),
        match=(Match(program=("ls",)),),
    )
    policy_ = Policy(rules=(rule,))
    subject = Facts(statement="ls", commands=(Command(words=(word("ls"),)),))
    for at in range(3 * MAX_SCOPES):
        asked = Request(
            identity="bot", groups=frozenset(), target="web-1", labels={}, login=f"u{at}", access=Access.EXEC
        )
        for _ in range(2):
            assert policy_.judge(asked, subject).rules == ("a",)
            assert not policy_.judge(replace(asked, login="root"), subject).allowed


@given(rules=rule_sets, extra=rule_sets, subject=statements())
def test_l5_adding_a_deny_or_approve_never_widens(
    rules: list[Rule], extra: list[Rule], subject: Facts
) -> None:
    added = [replace(rule, id=f"extra-{rule.id}") for rule in extra if not rule.allows]
    before, after = Policy(rules=tuple(rules)), Policy(rules=(*rules, *added))
    assert before.judge_alone(subject).allowed or not after.judge_alone(subject).allowed


@given(rules=rule_sets, subject=statements())
def test_l5_rules_of_a_verdict_suffice_to_make_it_again(rules: list[Rule], subject: Facts) -> None:
    verdict = Policy(rules=tuple(rules)).judge_alone(subject)
    made = tuple(rule for rule in rules if rule.id in verdict.rules)
    assert verdict.rules == tuple(sorted(rule.id for rule in made))
    assert all(rule.verdict is verdict.kind for rule in made)
    if made:
        assert Policy(rules=made).judge_alone(subject) == verdict


@given(rules=rule_sets, subject=statements(), more=commands)
def test_l4_more_in_a_statement_never_widens(rules: list[Rule], subject: Facts, more: Command) -> None:
    policy_ = Policy(rules=tuple(rules))
    longer = replace(subject, commands=(*subject.commands, more), flags=subject.flags | more.flags)
    assert policy_.judge_alone(subject).allowed or not policy_.judge_alone(longer).allowed


@given(rules=rule_sets, subject=statements())
def test_l4_statement_is_allowed_only_if_each_of_its_commands_is(rules: list[Rule], subject: Facts) -> None:
    policy_ = Policy(rules=tuple(rules))
    if policy_.judge_alone(subject).allowed:
        for each in subject.commands:
            assert policy_.judge_alone(Facts(statement="", commands=(each,), flags=each.flags)).allowed


@given(rules=rule_sets, subject=statements())
def test_deny_found_by_the_index_is_the_deny_found_by_looking_at_every_rule(
    rules: list[Rule], subject: Facts
) -> None:
    scope = Policy(rules=tuple(rules)).scope(None)
    found = {rule.id for rule in scope.against(subject)}
    looked = {rule.id for rule in rules if not rule.allows and rule.match is None}
    looked |= {entry.rule.id for entry in scope.entries if not entry.rule.allows and not entry.unmet(subject)}
    assert found == looked


@settings(max_examples=300)
@given(
    matches=st.lists(
        st.builds(
            Match,
            program=st.none()
            | st.sampled_from([("rm",), ("glob:r*",), ("rm", "/bin/ls"), ("glob:/**", "rm")]),
            args_any=lists,
            args_all=lists,
        ).filter(lambda match: match != Match())
        | st.builds(
            Match,
            argv=st.lists(texts.map(lambda text: (text,)), max_size=2).map(lambda words: (("rm",), *words)),
            more=st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    computed=st.booleans(),
    subject=commands,
)
def test_deny_found_by_program_and_words_is_the_deny_found_by_looking_at_every_entry(
    matches: list[Match], computed: bool, subject: Command
) -> None:
    rules = [
        Rule(id=f"r{at}", verdict=VerdictKind.DENY, match=(match,), computed=computed)
        for at, match in enumerate(matches)
    ]
    scope, facts = Policy(rules=tuple(rules)).scope(None), Facts(statement="", commands=(subject,))
    for _ in range(2):
        found = {rule.id for rule in scope.against(facts)}
        assert found == {entry.rule.id for entry in scope.entries if not entry.unmet(facts)}
