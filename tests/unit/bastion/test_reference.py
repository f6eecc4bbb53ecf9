"""The committed reference and schemas are those of the code."""

from pathlib import Path

import pytest

from bastion.config import load
from bastion.reference import policies_page, reference_files
from tests.unit.bastion.config_fixture import write_config

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "configuration.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["configuration.md", "bastion.schema.json", "policy.schema.json"])
def test_generated_file_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == reference_files(PAGE)[name], "run scripts/docs"


def test_classes_on_the_page_of_policies_are_up_to_date() -> None:
    page = (DOCS / "policies.md").read_text("utf-8")
    assert page == policies_page(page), "run scripts/docs"


def test_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/policies\.md lacks a marker, expected <!--"):
        policies_page("# Policies\n")
    with pytest.raises(ValueError, match=r"docs/configuration\.md lacks a marker, expected <!--"):
        reference_files("# Configuration\n")


def test_examples_on_the_page_are_valid(tmp_path: Path) -> None:
    config, rules = (block.split("```")[0] for block in PAGE.split("```toml\n")[1:3])
    loaded = load(write_config(tmp_path, config, rules))
    assert [rule.id for rule in loaded.policy.rules][:2] == ["deployers-on-web", "nothing-on-frozen-targets"]
    assert [target.name for target in loaded.targets] == ["web-1"]
