"""Name every fault of the campaign, with the fail mode that is declared for it.

Out     functions of a Scene by name; their first lines are what docs/security.md declares
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.campaign import peers, processes, steps, storage
from tests.campaign.case import Finding
from tests.campaign.scene import Scene

Fault = Callable[[Scene], Finding]

FAULTS: Mapping[str, Fault] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        peers.target_silent,
        storage.disk_full,
        storage.database_locked,
        storage.database_locked_briefly,
        storage.read_only,
        storage.power_cut,
        steps.clock_back,
        steps.clock_forward,
        peers.target_gone,
        peers.host_key_changed,
        peers.client_stopped,
        peers.client_half_open,
        processes.worker_killed,
        processes.worker_stopped,
    )
}


def declared() -> dict[str, str]:
    """Return what is declared for each fault, in one sentence."""
    return {name: (fault.__doc__ or "").strip().splitlines()[0] for name, fault in FAULTS.items()}
