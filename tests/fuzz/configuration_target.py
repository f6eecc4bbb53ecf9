"""Feed configurations and policies, and read what they say when they are wrong.

Source  docs/configuration.md; TOML 1.0.0
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import tomllib
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

from bastion import config
from bastion.config_errors import ConfigError
from bastion.settings import Config
from policies.engine import Policy
from policies.model import Access, Request
from policies.source import library_names, read_source
from tests.fuzz import mutation
from tests.fuzz.mutation import pack, unpack
from tests.fuzz.target import Target, require
from tests.unit.bastion.config_fixture import HOST_KEY, LEAST, POLICY, WHOLE, write_config

LINE_CHARS = 2000
ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    '"x"',
    '""',
    "7",
    "-1",
    "true",
    "[]",
    "{}",
    '["ci"]',
    '{ a = "b" }',
    '"glob:*"',
    '"glob:"',
    '"15m"',
    '"9999999d"',
    '"1GiB"',
    "0",
    "1e400",
    "nan",
    "1979-05-27",
    '"\\u0000"',
    '"\\u202e"',
    "'''",
    '"""',
    '["127.0.0.1:0"]',
    '"login"',
    '"https://127.1/"',
    '"http://localhost:1"',
    f'"{HOST_KEY}"',
    '"allow"',
    '"deny"',
    '["library:no-raw"]',
    "[bastion]",
    '["library:../x"]',
    '"../../x"',
    '["policy.toml", "policy.toml"]',
    '["bastion.toml"]',
    '["/dev/null"]',
    '"\\\\x"',
    "[[issuer]]",
    "[[identity]]",
    "[[target]]",
    "[[rule]]",
    "[policy]",
    "[recorder]",
    "[[person]]",
    "a.b.c = 1",
    "x = [[[[[[",
    '"a\\nb"',
    "0x7fffffffffffffff",
    "99999999999999999999999",
    '"\\ud800"',
    "\x00",
    "\x7f",
    "\ufeff",
    "\u00e9",
    'when = { labels = { env = "dev" } }',
    'access = ["exec", "raw"]',
    'past_quota = "digest"',
    'match = { "a.b" = { c = ["d", 7, true] } }',
)


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="bastion-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_config(folder)
    return folder


def _seeds() -> list[bytes]:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    shown = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    policies = [POLICY, *(read_source(f"library:{name}", ROOT).text for name in library_names())]
    policies += [text for text in shown if "[[rule]]" in text]
    files = [WHOLE, LEAST, *(text for text in shown if "[[rule]]" not in text)]
    seeds = [pack([(0, text.encode()), (0, POLICY.encode())]) for text in files]
    return [*seeds, *(pack([(0, LEAST.encode()), (0, text.encode())]) for text in policies)]


def configuration(data: bytes) -> None:
    """Load a configuration with one policy file; what is wrong with it is said in lines that name a file."""
    parts = [body for _, body in unpack(data)] or [data]
    folder = _folder()
    (folder / "bastion.toml").write_bytes(parts[0])
    (folder / "policy.toml").write_bytes(parts[1] if len(parts) > 1 else POLICY.encode())
    path = folder / "bastion.toml"
    try:
        loaded = config.load(path)
    except ConfigError as error:
        require(error.problems, "refused without a reason")
        for line in str(error).split("\n"):
            require(
                line.isprintable() and len(line) <= LINE_CHARS, f"a mistake that is no line: {line[:300]!r}"
            )
            require(
                str(folder) in line or line.startswith("library:"),
                f"a mistake that names no file: {line[:300]!r}",
            )
        return
    _sound(loaded, tomllib.loads(parts[0].decode()))
    _lawful(loaded.policy)


def _sound(loaded: Config, written: dict[str, list[dict[str, str]]]) -> None:
    for line in loaded.warnings:
        require(line.isprintable() and len(line) <= LINE_CHARS, f"a warning that is no line: {line[:300]!r}")
    for section, rows in (
        ("identity", loaded.identities),
        ("target", loaded.targets),
        ("issuer", loaded.issuers),
        ("person", loaded.persons),
    ):
        names = [row.name for row in rows]
        require(
            names == [row["name"] for row in written.get(section, [])], f"{section}: not what was written"
        )
        require(len({name.lower() for name in names}) == len(names), f"{section}: a name is there twice")
    issuers = {issuer.name for issuer in loaded.issuers}
    for identity in loaded.identities:
        require(identity.issuer in issuers, "an identity of an issuer that is not declared")
        require(60 <= identity.lifetime_s <= 24 * 3600, "a lifetime out of bounds")
    for target in loaded.targets:
        require((target.host_key is None) != (target.host_ca is None), "a target without one way to know it")


def _lawful(policy: Policy) -> None:
    """Demand that the order of rules changes nothing, and that a deny wins (law L5)."""
    turned = replace(
        policy,
        rules=policy.rules[::-1],
        masks=policy.masks[::-1],
        limits=policy.limits[::-1],
        exceptions=policy.exceptions[::-1],
    )
    require(turned.digest() == policy.digest(), "the order of rules changes the digest")
    identities, targets = ("orders-deployer", "x"), ("web-1", "x")
    for identity, target, access in product(identities, targets, Access):
        request = Request(
            identity=identity,
            groups=frozenset({"ci"}),
            target=target,
            labels={"env": "dev"},
            login="deploy",
            access=access,
        )
        verdict = policy.decide(request)
        require(verdict == turned.decide(request), "the order of rules changes a verdict")
        require(verdict.rules or not verdict.allowed, "allowed by no rule")


CONFIGURATION = Target(
    name="configuration",
    feeds="a configuration file and the policy file that it names; what is accepted must keep the laws of policies",
    run=configuration,
    seeds=_seeds,
    mutate=mutation.parts(mutation.lines(WORDS), (0,)),
    most_bytes=8192,
)
