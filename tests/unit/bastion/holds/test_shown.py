"""What people and programs are shown of a hold acts on nothing, and nothing of it is cut (T36, T32)."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bastion.asking import FACT_LINES, facts_in_words
from bastion.holds import shown
from bastion.holds.desk import Event
from bastion.holds.hold import Answer, Hold
from policies.shell import quick
from tests.unit.bastion.holds.holds_fixture import ask

EVIL = "\x1b]0;t\x07\x1b[2J\r\u202e\u2066\u200b\u200d\ufeff\u2028\x9b\x00\udcff"


def hold(**fields: object) -> Hold:
    answer = Answer(person=EVIL, groups=(), how=EVIL, approve=True, reason=EVIL, for_session=False, at=60.0)
    made = ask(**fields)
    return Hold(id="H-7K3Q", ask=made, asked_at=50.0, expires_at=650.0, answers=(answer,), why=EVIL)


def printed(made: Hold) -> str:
    events = [Event(step=step, hold=made) for step in ("asked", "answered", "ended")]  # type: ignore[arg-type]
    return "".join(
        [
            shown.hold_text(made, 70.0, objection=EVIL),
            shown.hold_text(replace(made, state=made.state.DENIED), 70.0, objection=None),
            *map(shown.event_text, events),
            *(json.dumps(shown.event_object(event)) for event in events),
        ]
    )


@given(st.text(alphabet=st.characters(), max_size=60))
def test_t36_nothing_that_is_shown_acts_on_a_terminal(text: str) -> None:
    made = hold(
        statement=text + EVIL,
        owner=text,
        reason=text + EVIL,
        stated=EVIL + text,
        facts=(text + EVIL,),
        claims={"actor": EVIL + text, "run_id": text},
        login=text,
    )
    assert printed(made).replace("\n", "").isprintable()


def test_t36_json_is_ascii_and_its_values_are_escaped_by_themselves() -> None:
    found = json.loads(json.dumps(shown.hold_object(hold(statement=f"a{EVIL}\nb", stated=EVIL))))
    assert found["statement"].replace("\n", "").isprintable()
    assert found["statement"].count("\n") == 1
    assert found["stated"].isprintable()


def test_t36_each_line_of_a_statement_has_its_mark_so_that_none_passes_for_ours() -> None:
    text = shown.hold_text(
        hold(statement="echo 1\n  you          may approve and deny\nrm -rf /srv\n"),
        70.0,
        objection="you own it",
    )
    lines = text.splitlines()
    assert "  what         | echo 1" in lines
    assert "               |   you          may approve and deny" in lines
    assert "               | rm -rf /srv" in lines
    assert lines[-1] == "  you          cannot approve: you own it"


def test_t36_a_long_statement_is_shown_to_its_last_byte() -> None:
    statement = "echo " + "x" * 8000 + "; rm -rf /srv"
    assert f"| {statement}\n" in shown.hold_text(hold(statement=statement), 70.0, objection=None)


def test_t36_facts_that_are_left_out_or_cut_are_marked() -> None:
    many = facts_in_words(quick("; ".join(f"touch /srv/{number}" for number in range(100)).encode()))
    assert len(many) == FACT_LINES
    assert many[-1] == f"… and {200 - FACT_LINES + 1} more: read the statement itself"
    (first, *_rest) = facts_in_words(quick(b"echo " + b"x" * 500))
    assert first.endswith("x… (cut)")


def test_facts_say_what_would_run_and_what_it_touches() -> None:
    facts = facts_in_words(quick(b"sudo tee /etc/motd < /tmp/x; X=1 ssh db-1 reboot"))
    assert "runs sudo tee /etc/motd" in facts
    assert "  which runs tee /etc/motd" in facts
    assert "writes /etc/motd" in facts
    assert "reads /tmp/x" in facts
    assert "contacts db-1" in facts
    assert any(fact.startswith("privileged: ") for fact in facts)
