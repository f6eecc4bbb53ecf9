"""Write the first configuration and policy of a new bastion: complete, commented, and valid as they are.

In      where the bastion listens and by which names it will be known
Out     the text of bastion.toml and of policy.toml; code lines that begin with "#" and no space are examples
Source  docs/configuration.md
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from bastion.addresses import Address

CONFIG_NAME = "bastion.toml"
POLICY_NAME = "policy.toml"

_CONFIG = """\
# The configuration of a bastion. `bastion check --config bastion.toml` says what is wrong in it.
# Lines that begin with "#" and no space are examples: uncomment them and put in your own values.

[bastion]
listen = {listen}
data = "./var"               # recordings.sqlite: the evidence
keys = "./keys"              # never inside data: backing up evidence must not copy the keys
names = {names}    # the names that clients know the bastion by
responders = ["responders"]  # groups that may read evidence over SSH
#socket = "./bastion.sock"   # `bastion approvals`, `approve`, `deny`, `lock` on this machine, for persons with a uid

[recorder]
durability = "power"         # "process" survives a crash of the process only
quota = "1GiB"               # content per session; past it the session ends, unless a rule says otherwise

# Whose tokens are taken. docs/bots.md has the lines for GitHub Actions, GitLab CI and Kubernetes.
#[[issuer]]
#name = "github"
#url = "https://token.actions.githubusercontent.com"
#audience = {audience}

# Humans under all their names. As soon as one is declared, every owner below must be declared.
#[[person]]
#name = "dana@acme.example"
#aliases = {{ github = "dana" }}
#uid = 1000                  # her user on this machine

# Who may come in: a token must match every claim here. Prefer ids, which cannot be renamed or used again.
#[[identity]]
#name = "orders-deployer"
#owner = "dana@acme.example"
#issuer = "github"
#match = {{ repository_id = "1296269", environment = "staging", ref = "glob:refs/heads/release/*" }}
#groups = ["ci"]
#lifetime = "15m"            # to start sessions in; never longer than the token
#session = "1h"              # the longest session

# What can be reached. `ssh-keyscan -t ed25519 10.0.0.5` prints a host key: compare it with the host's own.
#[[target]]
#name = "web-1"
#address = "10.0.0.5:22"
#host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#logins = ["deploy"]
#labels = {{ env = "dev" }}
#auth = {{ kind = "certificate" }}  # `bastion keys user-ca` prints the line for its TrustedUserCAKeys

# Beside your own: no root, no raw terminals; secrets in answers are masked, and personal data on prod. docs/library.md
# lists what is shipped; "library:baseline" is a net for what nobody does through a pipeline by accident.
[policy]
files = ["policy.toml", "library:no-root", "library:no-raw", "library:masking"]
"""

_POLICY = """\
# Who may do what, where. What no rule allows is denied; a rule that denies wins; the order does not matter.
# A field that is left out of `when` matches anything. Strings match exactly, unless they begin with "glob:".

[[rule]]
id = "ci-works-on-dev"
verdict = "allow"
when = { groups = ["ci"], labels = { env = ["dev", "test"] }, access = ["exec", "sftp"] }
reason = "pipelines run commands and copy files on development targets"
# Any program, file and host, if the statement is understood. `bastion policy explain` says what one does and why it is
# not allowed; docs/policies.md has what else a rule can say.
match = [
  { program = ["glob:*", "glob:**/*"] },
  { reads = "glob:**" },
  { writes = "glob:**" },
  { contacts = "glob:**" },
  { flags = ["interpreter", "defines", "data", "may_read_stdin"] },
]
"""


def starter_config(*, listen: Sequence[Address], names: Sequence[str]) -> str:
    """Return a configuration that loads as it is, beside the starter policy; `names` has at least one."""
    return _CONFIG.format(
        listen=json.dumps([str(address) for address in listen]),
        names=json.dumps(list(names)),
        audience=json.dumps(f"ssh://{names[0]}"),
    )


def starter_policy() -> str:
    """Return a policy for development targets, to begin with."""
    return _POLICY
