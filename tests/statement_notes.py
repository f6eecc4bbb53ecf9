"""Write the facts of statements as short as a person would note them."""

from typing import Any

from policies.facts import Command, Facts, Flag, Touch, Word


def word(text: str) -> Word:
    """Return a word as a person would note it: `$x` is computed, what has a wildcard in it a glob."""
    if "$" in text:
        return Word(text, "computed", text.partition("$")[0])
    return Word(text, "glob" if set(text) & set("*?[") else "literal")


def command(line: str, parent: int | None = None, flags: set[Flag] | None = None) -> Command:
    return Command(words=tuple(map(word, line.split())), parent=parent, flags=frozenset(flags or ()))


def touches(*texts: str, by: int | None = 0) -> tuple[Touch, ...]:
    return tuple(Touch(word(text), by) for text in texts)


def facts(*commands: Command | str, flags: set[Flag] | None = None, **fields: Any) -> Facts:
    made = tuple(each if isinstance(each, Command) else command(each) for each in commands)
    found = frozenset(flags or ()).union(*(each.flags for each in made))
    statement = fields.pop("statement", "; ".join(" ".join(w.text for w in each.words) for each in made))
    return Facts(statement=statement, commands=made, flags=found, **fields)
