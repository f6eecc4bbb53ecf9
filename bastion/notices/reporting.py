"""Make notices of what one process's sessions record: denials, and what rules with `notify = true` match.

They are made from the very events that are recorded, masked as these are, and never from anything else.

In      events of a session as they are recorded; requests that were refused outside of one
Out     notices, to whoever takes them; counts of those left out, once a second
Holds   a throttle of SOURCES, counts of COUNTED identities on targets: a bot in a loop must not flood the way from
        here to the channels
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bastion.holds.shown import CLAIMS
from bastion.notices.notice import Notice, NoticeKind, seen_statement, short
from bastion.principal import Principal
from bastion.throttle import Throttle
from policies.model import VerdictKind
from recorder.events import Event, Kind

BURST, PER_S = 20.0, 1.0
COUNTED = 1024

Tell = Callable[[Notice], None]
Veil = Callable[[Sequence[Event]], Sequence[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where what is recorded happens."""

    principal: Principal
    session: str
    target: str
    login: str


class Reporting:
    """What one process tells of."""

    def __init__(self, tell: Tell, now: Callable[[], float]) -> None:
        self._tell = tell
        self._now = now
        self._throttle = Throttle(burst=BURST, per_s=PER_S)
        self._left_out: dict[Notice, int] = {}

    def watching(self, veil: Veil, scene: Scene) -> Veil:
        """Return a veil that does what this one does, and tells of what deserves it."""

        def veiled(events: Sequence[Event]) -> Sequence[Event]:
            masked = veil(events)
            for event in masked:
                if event.kind is Kind.STATEMENT or event.kind is Kind.VERDICT:
                    self._seen(event, masked, scene)
            return masked

        return veiled

    def refused(self, principal: Principal, what: str, reason: str) -> None:
        """Tell that something was refused that never became a session."""
        if not self._throttle.admit(principal.name, self._now()):
            self._count(("denial",), principal, "")
            return
        self._tell(
            Notice(
                kinds=("denial",),
                at=self._now(),
                identity=principal.name,
                owner=short(principal.owner),
                groups=tuple(sorted(principal.groups)),
                verdict=VerdictKind.DENY.value,
                reason=short(f"{what}: {reason}"),
            )
        )

    def rest(self) -> None:
        """Tell how many were left out lately."""
        left_out, self._left_out = self._left_out, {}
        for about, count in left_out.items():
            self._tell(replace(about, at=self._now(), left_out=count))

    def _seen(self, event: Event, among: Sequence[Event], scene: Scene) -> None:
        detail = event.detail
        kinds = _kinds(event, among)
        if not kinds:
            return
        principal = scene.principal
        if not self._throttle.admit(principal.name, self._now()):
            self._count(kinds, principal, scene.target)
            return
        data = event.data if event.kind is Kind.STATEMENT else _asked(among)
        self._tell(
            Notice(
                kinds=kinds,
                at=self._now(),
                identity=principal.name,
                owner=short(principal.owner),
                groups=tuple(sorted(principal.groups)),
                session=scene.session,
                target=scene.target,
                login=short(scene.login),
                statement=seen_statement(data),
                verdict=str(detail["verdict"]),
                rules=tuple(detail["rules"]),
                reason=short(str(detail["reason"])),
                severity=str(detail.get("severity", "")),
                attack=tuple(detail.get("attack", ())),
                claims={name: short(principal.claims[name]) for name in CLAIMS if name in principal.claims},
            )
        )

    def _count(self, kinds: tuple[NoticeKind, ...], principal: Principal, target: str) -> None:
        about = Notice(
            kinds=("left-out", *kinds),
            at=0.0,
            identity=principal.name,
            groups=tuple(sorted(principal.groups)),
            target=target,
        )
        if about in self._left_out or len(self._left_out) < COUNTED:
            self._left_out[about] = self._left_out.get(about, 0) + 1


def _kinds(event: Event, among: Sequence[Event]) -> tuple[NoticeKind, ...]:
    """Return what an event is to be told as: nothing, a denial, an alert, or both."""
    detail = event.detail
    kinds: list[NoticeKind] = []
    verdict = detail["verdict"]
    unanswered = verdict == VerdictKind.APPROVE.value and event.kind is Kind.STATEMENT
    held = unanswered and any(one.kind is Kind.HOLD for one in among)
    if verdict == VerdictKind.DENY.value or (unanswered and not held):
        kinds.append("denial")  # what cannot wait for an approval is denied
    if detail.get("notify"):
        kinds.append("alert")
    return tuple(kinds)


def _asked(among: Sequence[Event]) -> bytes:
    """Return the request that an access was denied to."""
    for event in among:
        if event.kind is Kind.REQUEST:
            return event.data or str(event.detail.get("type", "")).encode()
    return b""
