"""Name the client programs that more than one module of cases uses.

OpenSSH's programs are of one version: `ssh -V` tells it for scp and sftp as well.
"""

from __future__ import annotations

from tests.integration.transparency.matrix import Client

_ASK, _VERSION = ("ssh", "-V"), r"OpenSSH_(\S+?),? "
OPENSSH = Client(name="OpenSSH ssh", ask=_ASK, version=_VERSION)
SCP = Client(name="OpenSSH scp", ask=_ASK, version=_VERSION)
SFTP = Client(name="OpenSSH sftp", ask=_ASK, version=_VERSION)
