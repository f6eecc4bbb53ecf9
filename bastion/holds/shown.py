"""Show holds to people and programs, so that nothing in them acts on a terminal (T36).

Whatever came from a bot, an issuer or another person is escaped: control, bidi and zero-width characters, and bytes
that are no text, are written out. Nothing is cut: who approves has seen all of it, with a mark before each line.

In      Hold; the time
Out     text; objects for JSON
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bastion.holds.hold import Answer, Ask, Hold
from recorder.terminal import plain

if TYPE_CHECKING:  # a live screen shows holds as well, and its process has no use for what a desk needs
    from bastion.holds.desk import Event

CLAIMS = (
    "run_url",
    "run_id",
    "commit",
    "actor",
    "job",
    "ref",
    "pod",
    "namespace",
)  # the rest is in the record


def hold_object(hold: Hold) -> dict[str, Any]:
    """Return a hold as an object for JSON; line feeds stay in its statement, all else is escaped."""
    ask = hold.ask
    return {
        "id": hold.id,
        "state": hold.state.value,
        "session": ask.session,
        "ahead": ask.ahead,
        "run": plain(ask.run),
        "identity": ask.identity,
        "owner": plain(ask.owner),
        "claims": {name: plain(value) for name, value in ask.claims.items()},
        "target": ask.target,
        "login": plain(ask.login),
        "statement": "\n".join(map(plain, ask.statement.split("\n"))),
        "held_for": [plain(part) for part in ask.held_for],
        "facts": [plain(fact) for fact in ask.facts],
        "rule": list(ask.rules),
        "reason": plain(ask.reason),
        "stated": plain(ask.stated),
        "before": [plain(line) for line in ask.before],
        "groups": sorted(ask.groups),
        "count": max(terms.approvers.count for terms in ask.terms),
        "for_session": ask.for_session,
        "asked_at": _instant(hold.asked_at),
        "expires_at": _instant(hold.expires_at),
        "answers": [_answer_object(answer) for answer in hold.answers],
        "why": plain(hold.why),
        "grant": hold.grant,
        "spent": plain(hold.spent),
    }


def place(ask: Ask) -> str:
    """Return where it is to run, and when: in the session that waits, or in a later one."""
    when = f"session {ask.session}"
    if ask.ahead:
        until = datetime.fromtimestamp(ask.good_until, UTC).strftime("%H:%M:%SZ")
        when = f"asked ahead: once, in a later session of run {plain(ask.run)}, until {until}"
    return f"{plain(ask.login)}@{ask.target}, {when}"


def event_object(event: Event) -> dict[str, Any]:
    """Return a step of a hold as an object for JSON."""
    return {"event": event.step, **hold_object(event.hold)}


def hold_text(hold: Hold, now: float, *, objection: str | None) -> str:
    """Return a hold for a person to read; `objection` says why they cannot approve it."""
    ask = hold.ask
    lines = [f"{hold.id}  {_times(hold, now)}"]
    lines += _rows("who", f"{ask.identity}, owned by {plain(ask.owner)}", *claims_text(ask.claims))
    lines += _rows("where", place(ask))
    lines += _rows("what", *(f"| {plain(line)}" for line in ask.statement.removesuffix("\n").split("\n")))
    if ask.held_for:
        lines += _rows("held for", *map(plain, ask.held_for))
    if masked := labels(ask):
        lines += _rows("masked", f"{', '.join(masked)} stand for what is not shown")
    lines += _rows("facts", *map(plain, ask.facts or ("none",)))
    lines += _rows("rule", f"{', '.join(ask.rules)}: {plain(ask.reason)}", *wanted(hold))
    if ask.stated:
        lines += _rows("the bot says", plain(ask.stated))
    lines += _rows("before", *map(plain, ask.before or ("nothing in this session",)))
    lines += _rows("answers", *map(answer_text, hold.answers)) if hold.answers else []
    lines += _rows("you", f"cannot approve: {plain(objection)}" if objection else "may approve and deny")
    return "\n".join(lines) + "\n"


def event_text(event: Event) -> str:
    """Return a step of a hold as one line."""
    hold = event.hold
    match event.step:
        case "asked":
            first, *more = hold.ask.statement.removesuffix("\n").split("\n")
            rest = f" (and {len(more)} more lines)" if more else ""
            asked = "asked ahead" if hold.ask.ahead else "asked"
            what = f"{asked} by {hold.ask.identity} for {plain(hold.ask.login)}@{hold.ask.target}: {plain(first)}{rest}"
        case "answered":
            what = answer_text(hold.answers[-1])
        case "spent":
            what = f"grant {plain(hold.spent)}"
        case _:
            what = f"ended: {plain(hold.outcome)}"
    return f"{hold.id}  {what}\n"


def labels(ask: Ask) -> list[str]:
    """Return the labels in a statement that stand for a masked value, each once."""
    masked = [ask.statement[mark.start : mark.end] for mark in ask.marks if mark.what == "masked"]
    return list(dict.fromkeys(map(plain, masked)))


def _times(hold: Hold, now: float) -> str:
    if not hold.waits:
        return plain(hold.outcome)
    return f"has waited {span(now - hold.asked_at)}, {span(hold.expires_at - now)} left"


def wanted(hold: Hold) -> list[str]:
    """Return what each rule asks for."""
    wanted = []
    for terms in hold.ask.terms:
        count, groups = terms.approvers.count, ", ".join(sorted(terms.approvers.groups))
        persons = "one person" if count == 1 else f"{count} persons"
        wanted.append(f"{terms.rule} asks for {persons} of {groups}")
    return wanted


def claims_text(claims: Mapping[str, str]) -> list[str]:
    """Return what the token said, as far as it helps to decide."""
    said = [f"{name} {plain(claims[name])}" for name in CLAIMS if name in claims]
    return [", ".join(said)] if said else []


def _rows(label: str, *texts: str) -> list[str]:
    return [f"  {label if at == 0 else '':<13}{text}" for at, text in enumerate(texts)]


def answer_text(answer: Answer) -> str:
    """Return an answer as one line."""
    said = "approved" if answer.approve else "denied"
    lasts = " for the rest of the session" if answer.for_session else ""
    reason = f": {plain(answer.reason)}" if answer.reason else ""
    return f"{said} by {plain(answer.person)}{lasts}{reason}"


def _answer_object(answer: Answer) -> dict[str, Any]:
    return {
        "person": plain(answer.person),
        "answer": "approve" if answer.approve else "deny",
        "reason": plain(answer.reason),
        "for_session": answer.for_session,
        "at": _instant(answer.at),
    }


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
