"""Test that facts stand only if an independent parser finds the same."""

from pathlib import Path

import pytest

from policies.facts import Command, Facts, Flag, Touch, Word, unparsed
from policies.shell import second


def facts(source: str, *commands: str, writes: str = "", parents: tuple[int | None, ...] = ()) -> Facts:
    return Facts(
        statement=source,
        commands=tuple(
            Command(
                words=tuple(Word(word, "computed" if word == "?" else "literal") for word in command.split()),
                parent=parents[place] if parents else None,
            )
            for place, command in enumerate(commands)
        ),
        writes=tuple(Touch(Word(path)) for path in writes.split()),
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ls -l", facts("ls -l", "ls -l")),
        ("l\\\ns -l; rm x", facts("", "rm x", "ls -l")),
        ('a `b` `c` "$(d)"', facts("", "a ? ? ?", "b", "c", "d")),
        ("$x a", facts("", "? a")),
        ("sudo rm x", facts("", "sudo rm x", "rm x", parents=(None, 0))),
        ("time rm x", facts("", "time rm x", "rm x", parents=(None, 0))),
        ("export A=b c", facts("", "export A=b c")),
        ("a > /tmp/x 2>&1 2>/dev/null", facts("", "a", writes="/tmp/x")),
        ("f() { a; }; f", facts("", "a", "f")),
    ],
)
def test_facts_that_both_parsers_find_stand(source: str, said: Facts) -> None:
    assert second.agreed(source.encode(), said) is said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ls; rm x", facts("", "ls")),
        ("ls", facts("", "ls", "rm x")),
        ("rm x", facts("", "ls x")),
        ("rm x", facts("", "rm y")),
        ("a > /tmp/y", facts("", "a", writes="/tmp/x")),
        ("sudo rm x; rm y", facts("", "sudo rm x", "rm x", parents=(None, 0))),
        ("echo @(a|$(b))", facts("", "echo ?", "b")),
        ("if", facts("", "if")),
        ("a\0b", facts("", "a")),
        ("a " * 20_000, facts("", "a " * 20_000)),
    ],
)
def test_t31_facts_that_the_second_parser_does_not_find_are_unparsed(source: str, said: Facts) -> None:
    answer = second.agreed(source.encode(), said)
    assert answer.flags == {Flag.UNPARSED}
    assert answer.commands == ()
    assert answer.why[Flag.UNPARSED]


def test_what_is_unparsed_already_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "_ARGUMENTS", ("/nowhere/shfmt",))
    said = unparsed("if", "no")
    assert second.agreed(b"if", said) is said


@pytest.mark.parametrize(
    "program", ["#!/nowhere/x\n", "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho '{'\n", "#!/bin/sh\nkill -9 $$\n"]
)
def test_l2_a_second_parser_that_fails_has_not_agreed(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "shfmt"
    stub.write_text(program)
    stub.chmod(0o755)
    monkeypatch.setattr(second, "_ARGUMENTS", (str(stub),))
    assert second.agreed(b"ls", facts("ls", "ls")).flags == {Flag.UNPARSED}


def test_l11_a_second_parser_that_hangs_or_says_too_much_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "shfmt"
    monkeypatch.setattr(second, "_ARGUMENTS", (str(stub),))
    monkeypatch.setattr(second, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(second, "_ENVIRONMENT", {"PATH": "/usr/bin:/bin"})
    stub.write_text("#!/bin/sh\nexec sleep 60\n")
    stub.chmod(0o755)
    assert "too slow" in second.agreed(b"ls", facts("ls", "ls")).why[Flag.UNPARSED]
    monkeypatch.setattr(second, "TIMEOUT_S", 60.0)
    monkeypatch.setattr(second, "MAX_TREE_BYTES", 1 << 20)
    stub.write_text("#!/bin/sh\nexec yes\n")
    assert "could not be asked" in second.agreed(b"ls", facts("ls", "ls")).why[Flag.UNPARSED]
