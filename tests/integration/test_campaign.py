"""A short campaign: kills under traffic, and everything broken once that the bastion stands on (scripts/campaign)."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import pytest

from tests.campaign.faults import FAULTS, declared
from tests.campaign.figures import BEGIN, END, PAGE, Figures, as_text, written
from tests.campaign.kills import kills
from tests.campaign.ledger import Balance, Ledger
from tests.campaign.scene import Scene
from tests.campaign.traffic import Traffic

KILLS = 6
SEED = 43


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("campaign"), random.Random(SEED))
    yield made
    made.strike()


def test_l1_t43_kill_9_at_random_points_of_random_traffic_loses_no_byte_that_was_released(
    scene: Scene,
) -> None:
    balance = Balance()
    for _ in range(3):  # where programs start slowly, some kills come before anybody is connected
        balance.add(kills(scene, KILLS))
        if balance.interrupted >= KILLS:
            break
    assert (balance.lost, balance.wrong) == (0, [])
    assert balance.interrupted >= KILLS
    assert min(balance.released_in, balance.released_out) > 1_000_000
    assert balance.recorded_in >= balance.released_in


@pytest.mark.parametrize("fault", FAULTS)
def test_l2_t43_a_fault_in_mid_traffic_has_its_declared_end_and_no_other(scene: Scene, fault: str) -> None:
    found = FAULTS[fault](scene)
    assert (found.balance.lost, found.balance.wrong) == (0, [])
    assert found.ended + found.untouched > 0
    assert found.balance.released_out > 0


def test_a_byte_at_either_end_that_is_not_on_record_is_found(scene: Scene) -> None:
    traffic = Traffic(scene, "found-out")
    works = [traffic.start(kind) for kind in ("echo", "feed", "get", "put")]
    traffic.settle()
    for work in works:
        if work.pump is not None:
            work.pump.stop()  # end of file: all that is under way arrives
    traffic.end()
    scene.world.until(lambda: not scene.world.sessions("--state", "active"))
    with contextlib.closing(scene.evidence()) as evidence:
        assert Ledger().check(traffic, evidence).lost == 0
        ends = [
            place for work in works for place in (work.received, work.arrived) if place and not work.files
        ]
        ends += [file.arrives for work in works for file in work.files]
        for place in ends:
            with place.open("ab") as file:
                file.write(b"!")
        balance = Ledger().check(traffic, evidence)
    assert balance.lost == len(ends) == 6
    assert len(balance.wrong) == 6


def test_the_page_has_a_row_for_each_fault_and_for_each_count() -> None:
    text = PAGE.read_text("utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    for name, mode in declared().items():
        assert f"| {name} | {mode} |" in table, (
            f"scripts/campaign --write: {name} is not on the page as it is declared"
        )
    assert "| 0 | bytes received by either end and not on record |" in table


def test_figures_with_a_loss_say_so() -> None:
    figures = Figures(seed=1, kills=1, balance=Balance(lost=3, wrong=["three bytes"]))
    assert "three bytes" in as_text(figures)
    assert "| 3 | bytes received" in written(PAGE.read_text("utf-8"), figures, declared())
    assert (figures.lost, figures.wrong) == (3, ["three bytes"])
