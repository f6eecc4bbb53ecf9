"""A draft of a policy is rehearsed on what was recorded: what would have changed, statement by statement."""

from __future__ import annotations

import json

from tests.integration.conftest import World
from tests.integration.test_reading_is_recorded import reads_since

DRAFT = """
[[rule]]
id = "draft.all"
verdict = "allow"

[[rule]]
id = "draft.no-copies"
verdict = "deny"
match = [{ program = "cp", reads = "glob:/var/backups/**" }]
reason = "backups stay here"
"""


def test_l9_draft_shows_what_it_would_have_changed_and_the_reading_is_recorded(world: World) -> None:
    for command in ("cp /var/backups/none /tmp/none", "cp /var/backups/none /tmp/none", "true"):
        world.ssh("web-1", command)
    world.ended_session()
    draft = world.folder / "draft.toml"
    draft.write_text(DRAFT)
    before = len(world.audit())
    done = world.bastion("policy", "rehearse", str(draft), "--since", "1h", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["judged"] >= 3
    (change,) = [each for each in found["changes"] if each["would"]["rules"] == ["draft.no-copies"]]
    assert change["statement"] == "cp /var/backups/none /tmp/none"
    assert (change["was"]["verdict"], change["would"]["verdict"], change["count"]) == ("allow", "deny", 2)
    ((read, by),) = reads_since(world, before)
    assert read == "policy rehearse"
    assert "on the bastion itself" in by
    text = world.bastion("policy", "rehearse", str(draft), "--since", "1h").stdout.decode()
    assert "from allow to deny" in text.splitlines()[0]
    assert "draft.no-copies" in text


def test_draft_with_a_mistake_reads_nothing(world: World) -> None:
    draft = world.folder / "wrong.toml"
    draft.write_text("[[rule]]\n")
    before = len(world.audit())
    done = world.bastion("policy", "rehearse", str(draft))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"rule[0].id: is missing" in done.stderr
    assert reads_since(world, before) == []
