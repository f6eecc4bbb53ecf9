"""Configurations to test with: one that is whole, and a way to spoil it."""

from __future__ import annotations

from pathlib import Path

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

WHOLE = f"""
[bastion]
listen = ["127.0.0.1:2222", "[::1]:0"]
data = "./var"
keys = "./keys"
names = ["bastion.acme.example", "127.0.0.1"]
responders = ["responders", "github/dba"]

[recorder]
durability = "process"
quota = "512MiB"

[[issuer]]
name = "github"
url = "https://token.actions.githubusercontent.com"
audience = "ssh://bastion.acme.example"
groups_claim = "groups"

[[issuer]]
name = "cluster"
url = "https://kubernetes.default.svc.cluster.local"
jwks_file = "cluster.json"
audience = "ssh://bastion.acme.example"
one_key_per_token = false

[[person]]
name = "dana@acme.example"
aliases = {{ github = "dana" }}

[[person]]
name = "sam@acme.example"

[[identity]]
name = "orders-deployer"
owner = "dana@acme.example"
issuer = "github"
match = {{ repository_id = "1296269", ref = "glob:refs/heads/release/*" }}
groups = ["ci", "deployers"]
lifetime = "10m"
session = "2h30m"

[[identity]]
name = "nightly"
owner = "sam@acme.example"
issuer = "cluster"
match = {{ "kubernetes.io" = {{ namespace = "orders", serviceaccount = {{ name = "nightly" }} }} }}
groups = ["ci"]

[[target]]
name = "web-1"
kind = "ssh"
address = "10.0.0.5"
host_key = "{HOST_KEY} root@web-1"
logins = ["deploy", "app"]
shell = "sh"
labels = {{ env = "prod" }}
auth = {{ kind = "key", file = "web-1.key" }}

[[target]]
name = "web-2"
address = "web-2.internal:2200"
host_ca = "{HOST_KEY}"
logins = ["deploy"]

[policy]
files = ["policy.toml", "library:no-raw"]
"""

POLICY = """
[[rule]]
id = "ci"
verdict = "allow"
when = { groups = ["ci"] }
match = [{ program = "ls" }]
"""

LEAST = """
[bastion]
names = ["bastion.acme.example"]
[policy]
files = ["policy.toml"]
"""


def write_config(folder: Path, config: str = WHOLE, policy: str = POLICY) -> Path:
    """Write a configuration and all that it names; return its path."""
    (folder / "policy.toml").write_text(policy, "utf-8")
    (folder / "cluster.json").write_text('{"keys": []}', "utf-8")
    key = folder / "web-1.key"
    key.write_text("a private key\n", "utf-8")
    key.chmod(0o600)
    path = folder / "bastion.toml"
    path.write_text(config, "utf-8")
    return path


def spoiled(old: str, new: str) -> str:
    """Return the whole configuration with one place changed."""
    if WHOLE.count(old) != 1:
        raise ValueError(f"{old!r} is there {WHOLE.count(old)} times")
    return WHOLE.replace(old, new)


def issuer_table(name: str, url: str) -> str:
    """Return one more issuer, to be put behind LEAST."""
    return f'[[issuer]]\nname = "{name}"\nurl = "{url}"\naudience = "ssh://bastion.acme.example"\n'
