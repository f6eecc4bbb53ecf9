"""Every example of docs/policies.md is sound and gets the verdicts that the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from policies.classes import CLASSES
from policies.coverage import GRAVE
from policies.facts import Flag
from tests.doc_blocks import blocks_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "policies.md").read_text("utf-8")


def as_expected(printed: str, expected: str) -> bool:
    """Say whether it was printed; `…` stands for what differs from time to time."""
    return re.fullmatch(re.escape(expected).replace("…", "[^\n]*"), printed) is not None


def test_examples_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    environment.pop("BASTION_CONFIG", None)
    printed, compared = "", 0
    for block in blocks_of("docs/policies.md", PAGE):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
        elif block.language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            printed = done.stdout
            assert done.returncode == block.exit_status, f"{block.place}: {printed}"
        elif "output" in block.words:
            assert as_expected(printed, block.text), f"{block.place}: printed was\n{printed}"
            compared += 1
    assert compared > 6


@pytest.mark.parametrize("flag", list(Flag))
def test_every_flag_is_on_the_page(flag: Flag) -> None:
    grave = "yes" if flag in GRAVE else "no"
    assert re.search(rf"^\| `{flag.value}` \| .* \| {grave} \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_of_programs_is_on_the_page(name: str) -> None:
    assert f"| `class:{name}` | " in PAGE
