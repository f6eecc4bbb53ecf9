"""Say how our SSH servers are set up: public keys only, nothing forwarded by asyncssh itself.

In      a host key and its certificate
Out     asyncssh's server options
"""

from __future__ import annotations

from typing import Any

import asyncssh


def server_options(host_key: tuple[asyncssh.SSHKey, asyncssh.SSHCertificate], **extra: Any) -> Any:
    """Return options for a server that knows public keys only and forwards nothing by itself.

    They are costly to make and hold nothing of one connection: make them once for each host certificate.
    """
    return asyncssh.SSHServerConnectionOptions(
        server_factory=asyncssh.SSHServer,
        server_host_keys=[host_key],
        config=None,
        gss_host=None,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        public_key_auth=True,
        x509_trusted_certs=None,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        encoding=None,
        line_editor=False,
        compression_algs=["none"],  # a packet of a few bytes could unpack to megabytes
        **extra,
    )
