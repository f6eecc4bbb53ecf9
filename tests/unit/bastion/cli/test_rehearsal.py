"""What of a recording is judged again: each command and statement once, with the verdict that it got."""

from typing import Any

from bastion.cli.rehearsal import Asked, asked_in
from policies.facts import Facts, Flag, Touch, Word
from policies.model import Access
from recorder.events import Event, Kind


def event(kind: Kind, channel: int, data: bytes = b"", **detail: Any) -> Event:
    return Event(1, kind, channel, data, detail)


def request(channel: int, access: str, data: bytes = b"", kind: str = "exec") -> Event:
    return event(Kind.REQUEST, channel, data, access=access, type=kind)


def verdict(channel: int, said: str = "allow", *rules: str, **detail: Any) -> Event:
    return event(Kind.VERDICT, channel, verdict=said, rules=list(rules), **detail)


def statement(channel: int, data: bytes, said: str = "allow", *rules: str, **detail: Any) -> Event:
    return event(Kind.STATEMENT, channel, data, verdict=said, rules=list(rules), **detail)


def told(*events: Event) -> list[tuple[Access, bytes | None, str, tuple[str, ...]]]:
    return [(asked.access, asked.statement, asked.verdict, asked.rules) for asked in asked_in(events)]


def test_command_that_was_judged_by_its_access_alone_counts_as_a_statement() -> None:
    assert told(
        request(1, "exec", b"ls"), verdict(1, "allow", "a"), request(2, "exec", b"rm"), verdict(2, "deny")
    ) == [
        (Access.EXEC, b"ls", "allow", ("a",)),
        (Access.EXEC, b"rm", "deny", ()),
    ]


def test_command_that_was_judged_as_a_statement_counts_once_with_that_verdict() -> None:
    events = [
        request(1, "exec", b"bash -s"),
        verdict(1, "allow", "begin", filtered=True),
        statement(1, b"bash -s", "allow", "script", request=True),
        statement(1, b"ls\n", "allow", "reads"),
        statement(1, b"rm x\n", "deny", "no-rm"),
    ]
    assert told(*events) == [
        (Access.EXEC, b"ls\n", "allow", ("reads",)),
        (Access.EXEC, b"rm x\n", "deny", ("no-rm",)),
        (Access.EXEC, b"bash -s", "allow", ("script",)),
    ]


def test_access_that_is_no_command_counts_as_its_kind() -> None:
    assert told(
        request(1, "shell", kind="shell"), verdict(1), request(2, "sftp", b"scp -t x"), verdict(2)
    ) == [
        (Access.SHELL, None, "allow", ()),
        (Access.SFTP, None, "allow", ()),
    ]
    assert told(request(1, "exec", b"vi"), verdict(1, filtered=False)) == [(Access.RAW, None, "allow", ())]


def test_what_is_no_shell_statement_is_judged_by_the_facts_on_record() -> None:
    recorded = {
        "language": "sftp",
        "operation": "upload",
        "writes": ["/srv/a"],
        "flags": ["data", "unheard-of"],
    }
    events = [request(1, "sftp", kind="subsystem"), verdict(1), statement(1, b"", facts=recorded)]
    facts = [asked.facts for asked in asked_in(events)]
    assert facts[0] == Facts(
        statement="",
        language="sftp",
        operation="upload",
        writes=(Touch(Word("/srv/a")),),
        flags=frozenset({Flag.DATA}),
    )


def test_recording_that_says_nothing_that_is_known_is_passed_over() -> None:
    found: list[Asked] = list(
        asked_in(
            [
                request(1, "telepathy", b"x"),
                verdict(1),
                statement(7, b"ls"),
                request(2, "exec", b"ls"),
                verdict(3),
                event(Kind.VERDICT, 2, rules=5),
            ]
        )
    )
    assert [(asked.statement, asked.verdict, asked.rules) for asked in found] == [(b"ls", "None", ())]
