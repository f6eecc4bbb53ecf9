"""The whole text of a statement as a rule sees it, where the facts do not tell enough."""

import pytest

from policies.document import parse_policy
from policies.errors import PolicyInvalidError
from policies.facts import Facts, Flag
from policies.source import Source
from tests.statement_notes import facts


def denies(entry: str, subject: Facts) -> bool:
    text = f'[[rule]]\nid = "no"\nverdict = "deny"\nmatch = [{entry}]\n'
    return parse_policy([Source(label="policy.toml", text=text)]).judge_alone(subject).rules == ("no",)


def test_text_none_spares_a_statement_only_as_a_whole() -> None:
    entry = '{flags = "opaque", text_none = "eval \\"$(x)\\""}'
    assert not denies(entry, facts(statement='eval "$(x)"', flags={Flag.OPAQUE}))
    assert denies(entry, facts(statement='eval "$(x)"; y', flags={Flag.OPAQUE}))
    assert denies(entry, facts(statement="z", flags={Flag.OPAQUE}))


def test_text_none_alone_looks_for_nothing() -> None:
    with pytest.raises(PolicyInvalidError, match="got text_none alone"):
        denies('{text_none = "x"}', facts("ls"))


@pytest.mark.parametrize("key", ["text", "text_none"])
def test_l4_text_allows_nothing(key: str) -> None:
    source = f'[[rule]]\nid = "r"\nverdict = "allow"\nmatch = [{{program = "ls", {key} = "ls"}}]\n'
    with pytest.raises(PolicyInvalidError, match=rf"match\[0\]\.{key} is set in a rule that allows"):
        parse_policy([Source(label="policy.toml", text=source)])
