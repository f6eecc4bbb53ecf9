"""Be a job that uses asyncssh: log in through a jump host with a certificate, run commands, send 10 MB and get them.

In      the job's folder, the jump host's name and port, the target's name and port, the login
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from typing import Any

import asyncssh

MEGABYTES = 10


async def main() -> None:
    """Print what came back, with exit statuses."""
    folder, name, port, target, target_port, login = sys.argv[1:]
    options: dict[str, Any] = {
        "config": None,
        "agent_path": None,
        "username": login,
        "client_keys": [f"{folder}/key"],
        "known_hosts": f"{folder}/known_hosts",
    }
    async with (
        asyncssh.connect("127.0.0.1", int(port), host_key_alias=name, **options) as jump,
        jump.connect_ssh(target, int(target_port), host_key_alias=target, **options) as client,
    ):
        for command in ("echo out; echo err >&2; exit 7", "exit 0", "kill -9 $$", "cat; echo end"):
            # To a command that has ended already asyncssh's client does not write, but raises.
            done = await client.run(command, input="in\n" if "cat" in command else None)
            print(command, [done.stdout, done.stderr, done.exit_status, done.exit_signal])
        content = b"0123456789abcdef" * (MEGABYTES * 65536)
        up = await client.run("sha256sum", input=content, encoding=None)
        print("up", bytes(up.stdout or b"").split()[0].decode() == hashlib.sha256(content).hexdigest())
        down = await client.run(f"head -c {MEGABYTES << 20} /dev/zero", encoding=None)
        print("down", down.stdout == bytes(MEGABYTES << 20))
        async with client.start_sftp_client() as files:
            await files.put(f"{folder}/here/a", f"{folder}/there/a")
            await files.get(f"{folder}/there/a", f"{folder}/here/back")
            print("sftp", sorted(str(it) for it in await files.listdir(f"{folder}/there")))
        await asyncssh.scp(f"{folder}/here/a", (client, f"{folder}/there/b"))


asyncio.run(main())
