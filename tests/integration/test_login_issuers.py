"""Tokens of several issuers at once, each in its platform's real shape, from the token to the session's row."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bastion.demo.host import free_port
from bastion.demo.issuer import Issuer, IssuerThread
from bastion.demo.stage import AUDIENCE
from tests.integration.conftest import Finished, World
from tests.integration.test_foreign_issuer import AUDIENCE as FOREIGN_AUDIENCE
from tests.integration.test_foreign_issuer import started, token_of

VECTORS = Path(__file__).parents[1] / "vectors" / "tokens"
CLUSTER = "https://kubernetes.default.svc.cluster.local"  # nothing is fetched from there: it has a jwks_file
OUR_OWN = ("iss", "aud", "exp", "nbf", "iat", "jti")

CONFIG = """
[[issuer]]
name = "gitlab"
url = "{gitlab}"
audience = "{audience}"
groups_claim = "groups_direct"

[[issuer]]
name = "cluster"
url = "{cluster}"
jwks_file = "cluster.json"
audience = "{audience}"

[[issuer]]
name = "down"
url = "{down}"
audience = "{audience}"

[[identity]]
name = "shop-deployer"
owner = "dana@acme.example"
issuer = "gitlab"
match = {{ project_id = "20", environment = "production", ref_protected = "true" }}

[[identity]]
name = "nightly"
owner = "dana@acme.example"
issuer = "cluster"
match = {{ "kubernetes.io" = {{ namespace = "payments", serviceaccount = {{ name = "nightly" }} }} }}
groups = ["ci"]

[[identity]]
name = "unreachable"
owner = "dana@acme.example"
issuer = "down"
match = {{ sub = "job" }}
groups = ["ci"]
"""

FOREIGN = """
[[issuer]]
name = "foreign"
url = "{url}"
audience = "{audience}"

[[identity]]
name = "foreign-job"
owner = "dana@acme.example"
issuer = "foreign"
match = {{ sub = "orders-job", project_id = "20" }}
groups = ["ci"]
"""

POLICY = """
[[rule]]
id = "ci"
verdict = "allow"
when = { groups = ["ci"], targets = ["web-1"], access = ["exec"] }

[[rule]]
id = "deployers-of-gitlab"
verdict = "allow"
when = { groups = ["gitlab/acme/deployers"], targets = ["web-1"], access = ["exec"] }
"""


class Issuers:
    """A world with issuers of several kinds."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.gitlab = IssuerThread(Issuer(AUDIENCE, {}))
        self.cluster = Issuer(AUDIENCE, {})
        self.cluster.url = CLUSTER
        self.down = Issuer(AUDIENCE, {})
        self.down.url = f"http://127.0.0.1:{free_port()}"
        self.gitlab_runs = False

    def ready(self) -> None:
        self.world.ready()
        url = self.gitlab.start()
        self.gitlab_runs = True
        (self.world.folder / "cluster.json").write_text(self.cluster.key_set())
        text = CONFIG.format(gitlab=url, cluster=CLUSTER, down=self.down.url, audience=AUDIENCE)
        self.world.rewrite_policy(POLICY)
        self.declare(text)

    def declare(self, text: str) -> None:
        """Add tables to the configuration and have it reloaded."""
        self.world.rewrite_config(lambda old: old + text)
        answer = self.world.reload()
        assert answer["kind"] == "configuration.reloaded", answer

    def stop_gitlab(self) -> None:
        if self.gitlab_runs:
            self.gitlab_runs = False
            self.gitlab.stop()

    def token(self, vector: str, **changes: Any) -> str:
        """Return a token of a recorded shape, signed by the issuer that stands for its platform."""
        shape = json.loads((VECTORS / f"{vector}.json").read_text())["claims"]
        claims = {name: value for name, value in shape.items() if name not in OUR_OWN}
        if isinstance(shape["aud"], list):
            claims["aud"] = [AUDIENCE]
        return self.issuer(vector).token(**{**claims, **changes})

    def issuer(self, vector: str) -> Issuer:
        if vector.startswith("gitlab"):
            return self.gitlab.issuer
        return self.cluster if vector.startswith("kubernetes") else self.world.stage.issuer.issuer

    def trade(self, key: str, token: str) -> Finished:
        """Ask for a certificate for a key made for this."""
        if not (self.world.job / key).exists():
            self.world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, check=True)
        done = self.world.ssh_as(key, "login@bastion", "certificate", stdin=token.encode())
        if done.returncode == 0:
            (self.world.job / f"{key}-cert.pub").write_bytes(done.stdout)
        return done

    def run(self, key: str, command: str = "echo ran") -> Finished:
        return self.world.ssh_as(key, "-J", "bastion", f"{self.world.login}@web-1", command)

    def refused(self, key: str, token: str) -> str:
        done = self.trade(key, token)
        assert (done.stdout, done.returncode) == (b"", 1)
        return done.stderr.decode()


@pytest.fixture(scope="module")
def issuers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuers]:
    made = Issuers(tmp_path_factory.mktemp("issuers"))
    try:
        made.ready()
        yield made
    finally:
        made.stop_gitlab()
        made.world.strike()


@pytest.mark.parametrize(
    ("vector", "issuer", "identity"),
    [
        ("github_actions", "ci", "orders-deployer"),
        ("github_actions_immutable_sub", "ci", "orders-deployer"),
        ("github_actions_renamed", "ci", "orders-deployer"),
        ("gitlab_ci", "gitlab", "shop-deployer"),
        ("kubernetes_pod", "cluster", "nightly"),
    ],
)
def test_t14_a_platforms_token_becomes_a_session_row_with_its_claims(
    issuers: Issuers, vector: str, issuer: str, identity: str
) -> None:
    done = issuers.trade(vector, issuers.token(vector))
    assert done.returncode == 0, done.stderr
    ran = issuers.run(vector)
    assert (ran.returncode, ran.stdout) == (0, b"ran\n"), ran.stderr
    row = issuers.world.ended_session()
    url = issuers.issuer(vector).url
    shape = json.loads((VECTORS / f"{vector}.json").read_text())
    expected = {name: text.replace(shape["claims"]["iss"], url) for name, text in shape["evidence"].items()}
    assert (row["identity"], row["owner"], row["sealed"]) == (identity, "dana@acme.example", True)
    assert row["claims"] == {**expected, "issuer_name": issuer}
    log = (issuers.world.folder / "web-1" / "sshd.log").read_text(errors="replace")
    run = expected.get("run_id") or expected["pod"]
    assert f"ID {identity}/{run}/{row['id']}" in log


def test_t14_a_name_that_somebody_else_has_taken_is_not_the_repository(issuers: Issuers) -> None:
    said = issuers.refused("taken", issuers.token("github_actions_name_reused"))
    assert 'claim repository_id expects "1296269", the token has "998877665"' in said


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_t15_a_forks_pull_request_gets_no_certificate(issuers: Issuers, event: str) -> None:
    said = issuers.refused("fork", issuers.token(f"github_actions_{event}"))
    assert 'claim environment expects "production", the token has nothing' in said
    # Nor does the ref fit, were the environment not protected.
    said = issuers.refused("fork", issuers.token(f"github_actions_{event}", environment="production"))
    assert "claim ref expects" in said


def test_one_issuers_key_does_not_sign_for_another(issuers: Issuers) -> None:
    forged = issuers.gitlab.issuer.token(iss=CLUSTER, sub="system:serviceaccount:payments:nightly")
    assert "no key" in issuers.refused("forged", forged)
    other = issuers.cluster.token(iss=issuers.gitlab.issuer.url, project_id="20", sub="x")
    assert "no key" in issuers.refused("forged", other)


def test_a_group_of_the_token_opens_what_a_rule_gives_to_it_under_its_issuers_name(issuers: Issuers) -> None:
    assert issuers.trade("grouped", issuers.token("gitlab_ci")).returncode == 0
    assert issuers.run("grouped").returncode == 0
    for groups in (["acme/others"], ["deployers"], []):
        assert issuers.trade("ungrouped", issuers.token("gitlab_ci", groups_direct=groups)).returncode == 0
        done = issuers.run("ungrouped")
        assert done.returncode == 255
        assert b"no target 'web-1' that shop-deployer may open" in done.stderr
    said = issuers.refused("ungrouped", issuers.token("gitlab_ci", groups_direct="acme/deployers"))
    assert "claim groups_direct" in said


def test_a_keys_file_that_was_replaced_is_read_at_reload(issuers: Issuers) -> None:
    issuers.cluster.rotate()
    assert "no key" in issuers.refused("cluster", issuers.token("kubernetes_pod"))
    (issuers.world.folder / "cluster.json").write_text(issuers.cluster.key_set())
    issuers.declare("")
    assert issuers.trade("cluster", issuers.token("kubernetes_pod")).returncode == 0


def test_t10_a_rotated_key_is_followed_and_the_old_one_is_dropped(issuers: Issuers) -> None:
    ci = issuers.world.stage.issuer.issuer
    before = ci.token("deploy")
    ci.rotate()
    after = ci.token("deploy")

    def taken() -> bool:
        time.sleep(0.5)  # the keys are fetched at most every 10 s, and a source may not ask too often
        return issuers.trade("rotated", after).returncode == 0

    issuers.world.until(taken)
    assert issuers.run("rotated").returncode == 0
    assert "no key" in issuers.refused("rotated", before)


def test_l2_an_issuer_that_is_down_gives_nothing_and_takes_nothing_from_others(issuers: Issuers) -> None:
    world = issuers.world
    assert issuers.trade("steady", world.stage.issuer.issuer.token("deploy")).returncode == 0
    config = world.job / "ssh_config.steady"
    cat = world.start("ssh", "-F", config.name, "-J", "bastion", f"{world.login}@web-1", "cat")
    assert cat.stdin is not None
    said = issuers.refused("down", issuers.down.token(sub="job"))
    assert "the keys of issuer down are not available: it cannot be reached" in said
    assert issuers.trade("steady", world.stage.issuer.issuer.token("deploy")).returncode == 0
    cat.stdin.write(b"still here\n")
    out, _ = cat.communicate(timeout=30)
    assert (cat.returncode, out) == (0, b"still here\n")


async def test_a_foreign_issuers_token_runs_a_command_through_the_jump(issuers: Issuers) -> None:
    async with started("ES256") as url:
        await asyncio.to_thread(issuers.declare, FOREIGN.format(url=url, audience=FOREIGN_AUDIENCE))
        token = await token_of(url)
        done = await asyncio.to_thread(issuers.trade, "foreign", token)
        assert done.returncode == 0, done.stderr
        ran = await asyncio.to_thread(issuers.run, "foreign")
    assert (ran.returncode, ran.stdout) == (0, b"ran\n"), ran.stderr
    row = await asyncio.to_thread(issuers.world.ended_session)
    assert row["identity"] == "foreign-job"
    assert row["claims"] == {
        "issuer_name": "foreign",
        "issuer": url,
        "sub": "orders-job",
        "repository_id": "20",
        "environment": "production",
    }


def test_l2_keys_that_were_fetched_serve_on_while_their_issuer_is_away(issuers: Issuers) -> None:
    assert issuers.trade("away", issuers.token("gitlab_ci")).returncode == 0
    issuers.stop_gitlab()
    assert issuers.trade("away", issuers.token("gitlab_ci")).returncode == 0
    assert issuers.run("away").returncode == 0
    issuers.gitlab.issuer.rotate()
    assert "no key" in issuers.refused("away", issuers.token("gitlab_ci"))
