"""Put a notice into the bodies that the bastion posts by itself: JSON for programs, blocks with buttons for Slack.

In      Notice
Out     bytes of JSON
Holds   for Slack at most SECTIONS blocks of SECTION_CHARS for a statement
Source  docs/notifications.md; Slack, Block Kit (plain_text objects are shown as they are, whatever stands in them)
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bastion.notices.notice import Notice
from bastion.notices.texts import rows_of, statement_lines, title_of

SECTION_CHARS = 2900  # Slack takes 3000
SECTIONS = 8
HEADER_CHARS = 150
APPROVE, DENY = "bastion-approve", "bastion-deny"


def instant(at: float) -> str:
    """Return a time as JSON has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def webhook_body(notice: Notice, bastion: str) -> bytes:
    """Return what a program of the operator's gets; docs/notifications.md lists the fields."""
    statement = notice.statement
    data: dict[str, Any] = {
        "bastion": bastion,
        "identity": notice.identity,
        "owner": notice.owner,
        "session": notice.session,
        "target": notice.target,
        "login": notice.login,
        "claims": dict(notice.claims or {}),
        "statement": None if statement is None else statement.head,
        "statement_cut": 0 if statement is None else statement.cut,
        "statement_tail": "" if statement is None else statement.tail,
        "verdict": notice.verdict,
        "rules": list(notice.rules),
        "reason": notice.reason,
        "severity": notice.severity,
        "attack": list(notice.attack),
        "hold": dict(notice.hold) if notice.hold else None,
        "left_out": notice.left_out,
    }
    told = {"type": notice.kind, "kinds": list(notice.kinds), "timestamp": instant(notice.at), "data": data}
    return json.dumps(told, separators=(",", ":")).encode()


def slack_body(notice: Notice, *, buttons: bool) -> bytes:
    """Return what Slack shows; `buttons` says whether it may be answered from there.

    Who does not see all of a statement there is offered no approval.
    """
    title = title_of(notice)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _text(_cut(title, HEADER_CHARS))}]
    whole = True
    if notice.statement is not None:
        lines, whole = statement_lines(notice.statement, SECTION_CHARS * (SECTIONS - 1))
        blocks += [_section(piece) for piece in _pieces("\n".join(lines))]
    rows = "\n".join(f"{label}: {text}" for label, text in rows_of(notice))
    blocks += [_section(piece) for piece in _pieces(rows)]
    if buttons and notice.kind == "hold.asked" and notice.hold:
        actions = [_button(DENY, "Deny", "danger", notice)]
        if whole:
            actions.insert(0, _button(APPROVE, "Approve once", "primary", notice))
        blocks.append({"type": "actions", "elements": actions})
    return json.dumps({"text": slack_text(title), "blocks": blocks}, separators=(",", ":")).encode()


def slack_text(text: str) -> str:
    """Return a text as Slack's mrkdwn shows it word for word."""
    written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for (
        mark
    ) in "*_~`:@":  # the three above are Slack's own escapes; emphasis, emoji and old mentions have none
        written = written.replace(mark, f"\\x{ord(mark):02x}")
    return written


def _button(action: str, label: str, style: str, notice: Notice) -> dict[str, Any]:
    hold = notice.hold or {}
    value = json.dumps({"hold": hold["id"], "session": notice.session})
    return {"type": "button", "action_id": action, "text": _text(label), "style": style, "value": value}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _pieces(text: str) -> list[str]:
    """Return a text in pieces that fit into a section each, cut at line ends where there are any."""
    pieces = []
    while len(text) > SECTION_CHARS:
        at = text.rfind("\n", 1, SECTION_CHARS)
        at = at if at > 0 else SECTION_CHARS
        pieces.append(text[:at])
        text = text[at:].removeprefix("\n")
    return [*pieces, text or " "]
