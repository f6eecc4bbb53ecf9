"""Find what is allowed in policy files but is hardly what their author meant.

In      rules, as document.py read them
Out     Problem, a warning each, with the file and key of the rule
Source  docs/policies.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.classes import CLASS_PREFIX, CLASSES
from policies.compiled import STANDARD_FOLDERS
from policies.limit import Limit
from policies.model import Access, Match, Rule, VerdictKind, When
from policies.pattern import GLOB_PREFIX, names
from policies.problem import Problem, shown

_SCRIPT_TAKERS = CLASSES["shells"] | CLASSES["interpreters"]
_ANYTHING = frozenset({"glob:*", "glob:**"})
_OF_COMMANDS = ("program", "argv", "args_any", "args_all", "args_none")
_OF_THE_REST = ("reads", "writes", "contacts", "defines", "flags", "operation", "text", "text_none")


def warnings_about(rules: Sequence[Rule]) -> Iterator[Problem]:
    """Yield a warning for each rule that looks like a mistake, in the order of the rules."""
    for at, rule in enumerate(rules):
        if rule.allows and rule.match is None and rule.when.access != frozenset({Access.RAW}):
            yield _warning(
                rule,
                "",
                "has no match: it allows every statement, even one that is not understood, expected match unless"
                " that is meant",
            )
        for number, match in enumerate(rule.match or ()):
            if rule.allows and (script := _any_script(match)):
                yield _warning(
                    rule,
                    f".match[{number}].argv",
                    f"lets {script} run any script: whoever may run this may run anything",
                )
        others = (*rules[:at], *rules[at + 1 :])
        if shadow := next((other for other in others if _shadows(other, rule, rules)), None):
            what = "can never allow anything" if rule.verdict is not shadow.verdict else "changes no verdict"
            yield _warning(rule, "", f"{what}: rule {shown(shadow.id)} speaks of all that it speaks of")


def warnings_about_limits(limits: Sequence[Limit]) -> Iterator[Problem]:
    """Yield a warning for each limit that looks like a mistake, in their order."""
    for limit in limits:
        if limit.verdict is VerdictKind.APPROVE and limit.approvers is None:
            file, place = limit.place
            message = f"limit {shown(limit.id)} asks nobody: it denies, expected approvers"
            yield Problem(file, place, message)


def _warning(rule: Rule, key: str, message: str) -> Problem:
    file, place = rule.place
    return Problem(file, f"{place}{key}", f"rule {shown(rule.id)} {message}")


def _any_script(match: Match) -> str | None:
    """Return the program which the entry lets run a script of anybody's choice."""
    if match.argv is None or len(match.argv) < 3:
        return None
    programs = {text.rpartition("/")[2] for text in _named(match.argv[0])} & _SCRIPT_TAKERS
    takes = {"-c", "-e"}.intersection(match.argv[-2])
    return sorted(programs)[0] if programs and takes and _ANYTHING.intersection(match.argv[-1]) else None


def _named(texts: tuple[str, ...]) -> frozenset[str]:
    """Return the programs that the patterns name, each class as its programs."""
    named: set[str] = set()
    for text in texts:
        if text.startswith(CLASS_PREFIX):
            named |= CLASSES[text.removeprefix(CLASS_PREFIX)]
        else:
            named.add(text)
    return frozenset(named)


def _shadows(wide: Rule, rule: Rule, rules: Sequence[Rule]) -> bool:
    """Say, where it is certain, that the rule changes no verdict because another speaks of all that it does."""
    if wide.allows and (not rule.allows or wide.match is not None or _says_more(rule)):
        return False  # allows add up: what one covers another may cover again, for less
    if wide.verdict is VerdictKind.APPROVE and rule.verdict is VerdictKind.DENY:
        return False
    if rule.computed and not rule.allows and not wide.computed:
        return False  # it may match what the other does not guess at
    if not _speaks_of_all(wide, rule):
        return False
    if wide.verdict is rule.verdict and _speaks_of_all(rule, wide):
        return rules.index(wide) < rules.index(rule)  # of two that say the same, the later is told
    return True


def _says_more(rule: Rule) -> bool:
    return rule.warn or rule.notify or rule.past_quota != "end"


def _speaks_of_all(wide: Rule, rule: Rule) -> bool:
    if wide.match is not None:
        allowed = rule.allows and not wide.allows
        entries = wide.match
        if rule.match is None or not all(
            any(_includes(entry, other, denies=allowed) for entry in entries) for other in rule.match
        ):
            return False
    return _when_includes(wide.when, rule.when)


def _when_includes(wide: When, narrow: When) -> bool:
    fields = ("groups", "identities", "targets", "logins")
    if not all(_texts_include(getattr(wide, key), getattr(narrow, key)) for key in fields):
        return False
    if wide.access is not None and (narrow.access is None or not narrow.access <= wide.access):
        return False
    return all(
        key in (narrow.labels or {}) and _texts_include(patterns, (narrow.labels or {})[key])
        for key, patterns in (wide.labels or {}).items()
    )


def _texts_include(wide: tuple[str, ...] | None, narrow: tuple[str, ...] | None) -> bool:
    """Say whether the patterns surely match all that the narrow ones do."""
    if wide is None:
        return True
    if narrow is None:
        return False
    patterns = names(wide)
    return all(text in wide or (not text.startswith(GLOB_PREFIX) and patterns.has(text)) for text in narrow)


def _includes(wide: Match, narrow: Match, *, denies: bool) -> bool:
    """Say whether an entry surely holds wherever the other does; with `denies`, what the other allows."""
    of_commands = any(getattr(narrow, key) is not None for key in _OF_COMMANDS)
    asked_more = _OF_THE_REST if of_commands else _OF_COMMANDS
    if denies and any(getattr(wide, key) is not None for key in asked_more):
        return False
    if wide.program is not None and not _programs_include(wide.program, narrow):
        return False
    if wide.argv is not None and (wide.argv, wide.more) != (narrow.argv, narrow.more):
        return False
    if not set(wide.args_all or ()) <= set(narrow.args_all or ()):
        return False
    if not set(wide.args_none or ()) <= set(narrow.args_none or ()):
        return False
    if not set(wide.text_none or ()) <= set(narrow.text_none or ()):
        return False
    lists = ("args_any", "reads", "writes", "contacts", "defines", "flags", "operation", "text")
    return all(
        getattr(wide, key) is None
        or (getattr(narrow, key) is not None and set(getattr(narrow, key)) <= set(getattr(wide, key)))
        for key in lists
    )


def _programs_include(wide: tuple[str, ...], narrow: Match) -> bool:
    asked = narrow.program or (narrow.argv[0] if narrow.argv is not None else None)
    if asked is None:
        return False
    known = _named(wide)
    folders = {f"{folder}/" for folder in STANDARD_FOLDERS}
    return all(
        text in known or (text.rpartition("/")[2] in known and text[: text.rfind("/") + 1] in folders)
        for text in _named(asked)
    )
