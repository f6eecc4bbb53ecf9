"""Keep what everybody may know of holds: those steps that are on record, and no other.

In      events, in order, each on the audit chain already
Out     what waits; what has ended lately; the same events to listeners
Holds   the holds that wait, and the last ENDED that do not
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bastion.holds.desk import Event, full_id
from bastion.holds.hold import Hold, State

ENDED = 1000

Listener = Callable[[Event], None]


class Published:
    """Holds as they stand on record."""

    def __init__(self) -> None:
        self._waiting: dict[str, Hold] = {}
        self._ended: OrderedDict[str, Hold] = OrderedDict()
        self._listeners: list[Listener] = []

    def tell(self, event: Event) -> None:
        """Take in a step, and tell the listeners."""
        hold = event.hold
        if hold.waits:
            self._waiting[hold.id] = hold
        else:
            self._waiting.pop(hold.id, None)
            self._ended[hold.id] = hold
            if len(self._ended) > ENDED:
                self._ended.popitem(last=False)
        for listener in list(self._listeners):
            listener(event)

    def waiting(self) -> list[Hold]:
        """Return what waits, the newest last."""
        return list(self._waiting.values())

    def granted(self) -> list[Hold]:
        """Return what was asked ahead and approved, and is not spent."""
        ended = self._ended.values()
        return [one for one in ended if one.ask.ahead and one.state is State.APPROVED and not one.spent]

    def find(self, name: str) -> Hold | None:
        """Return a hold by its id, as people type it, also one that has ended lately."""
        wanted = full_id(name)
        return self._waiting.get(wanted) or self._ended.get(wanted)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell somebody of every step from now on; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
