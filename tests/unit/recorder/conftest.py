"""Give the tests of the recorder an archive to look at; those that alter it make a copy."""

from __future__ import annotations

import pytest

from tests.unit.recorder.archive import Archive, build


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive that tests share."""
    return build(tmp_path_factory.mktemp("archive"))
