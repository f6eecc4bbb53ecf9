"""Prepare both ways to the target, once for all cases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

for module in (*Path(__file__).parent.glob("cases_*.py"), Path("matrix.py")):
    pytest.register_assert_rewrite(f"tests.integration.transparency.{module.stem}")

from tests.integration.conftest import World  # noqa: E402
from tests.integration.transparency.ways import Ways  # noqa: E402


@pytest.fixture(scope="session")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """Both ways: through a plain jump host and through the bastion."""
    world = World(tmp_path_factory.mktemp("ways"))
    world.ready()
    made = Ways(world)
    yield made
    made.strike()
