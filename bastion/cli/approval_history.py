"""Tell what became of the statements that waited for an approval, from the audit chain.

In      entries of the audit chain, in order
Out     one object for each hold, the newest first; a table of them
Errors  AuditError where the chain does not hold
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bastion.cli.tables import table
from bastion.cli.times import iso, short
from recorder.audit import Entry
from recorder.terminal import plain

OPEN = "waiting"


def history(
    entries: Iterable[Entry],
    *,
    since_us: int | None = None,
    identity: str | None = None,
    person: str | None = None,
) -> list[dict[str, Any]]:
    """Return the holds that were asked since then, of this identity, answered by this person; the newest first."""
    holds: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        detail = entry.detail
        key = (str(detail.get("session")), str(detail.get("hold")))
        if entry.kind == "hold.asked":
            holds[key] = {
                "id": detail["hold"],
                "session": detail.get("session", ""),
                "run": detail.get("run", ""),
                "identity": detail["identity"],
                "target": detail["target"],
                "login": detail["login"],
                "rule": list(detail["rules"]),
                "asked_at": iso(entry.at_us),
                "asked_us": entry.at_us,
                "ended_at": None,
                "state": OPEN,
                "reason": "",
                "spent": "",
                "answers": [],
            }
        elif key in holds and entry.kind in ("hold.answered", "hold.answer-refused"):
            refused = entry.kind != "hold.answered"
            holds[key]["answers"].append(
                {
                    "at": iso(entry.at_us),
                    "person": detail.get("person"),
                    "by": detail["by"],
                    "answer": detail["answer"],
                    "reason": detail["reason"],
                    "counted": not refused,
                }
            )
        elif key in holds and entry.kind == "grant.spent":
            holds[key] |= {"spent": detail["how"]}
        elif key in holds and entry.kind == "hold.ended":
            holds[key] |= {"state": detail["state"], "reason": detail["reason"], "ended_at": iso(entry.at_us)}
    found = [
        hold
        for hold in holds.values()
        if (since_us is None or hold["asked_us"] >= since_us)
        and identity in (None, hold["identity"])
        and (person is None or any(answer["person"] == person for answer in hold["answers"]))
    ]
    return found[::-1]


def history_objects(holds: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the holds for JSON."""
    return [{key: value for key, value in hold.items() if key != "asked_us"} for hold in holds]


def _became(hold: dict[str, Any]) -> str:
    spent = f"; {hold['spent']}" if hold["spent"] else ""
    return f"{hold['state']}{' ' if hold['reason'].startswith('by ') else ': '}{hold['reason']}{spent}"


def history_table(holds: Iterable[dict[str, Any]]) -> str:
    """Return the holds for people."""
    rows = [
        [
            hold["id"],
            short(hold["asked_us"]),
            plain(hold["identity"]),
            plain(f"{hold['login']}@{hold['target']}"),
            plain(", ".join(hold["rule"])),
            plain(_became(hold)),
            hold["session"] or plain(f"ahead, by run {hold['run']}"),
        ]
        for hold in holds
    ]
    headers = ["hold", "asked (UTC)", "identity", "on", "rule", "what became of it", "session"]
    return table(rows, headers) if rows else "nothing has waited"
