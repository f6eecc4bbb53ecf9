"""Stand between an OpenSSH client and its server program, with a tap in the middle.

In      argv: a file for the events; "sftp", or "scp" and what ssh would be given, the command last
Out     the server's bytes on stdout; in the file one JSON object per FILE event, and one for all protocol
Errors  exit status 9 with the fault on stderr
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from bastion.transfer import ScpTap, SftpTap, Side, Tap, TapEvent, TransferError, parse_scp_command
from recorder.events import Kind

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
READ_BYTES = 65536
FAULT = 9


class Between:
    """Pump both ways, a thread for each end and direction: OpenSSH hands a socket, asyncio wants pipes."""

    def __init__(self, tap: Tap, server: list[str]) -> None:
        self.tap = tap
        self.events: list[TapEvent] = []
        self.fault = ""
        self.one_at_a_time = threading.Lock()
        self.process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin
        assert self.process.stdout
        self.ends = {"client": (0, 1), "target": (self.process.stdout.fileno(), self.process.stdin.fileno())}
        self.queues: dict[Side, SimpleQueue[bytes | None]] = {
            "client": SimpleQueue(),
            "target": SimpleQueue(),
        }

    def run(self) -> int:
        """Return the server's exit status, or FAULT."""
        threading.Thread(target=self.read, args=("client",), daemon=True).start()
        threading.Thread(target=self.write, args=("target",), daemon=True).start()
        outward = threading.Thread(target=self.write, args=("client",))
        outward.start()
        self.read("target")
        self.queues["client"].put(None)
        outward.join()
        with self.one_at_a_time:
            self.events += self.tap.finish().events
        if not self.fault:
            return self.process.wait(timeout=30)
        sys.stderr.write(f"{self.fault}\n")
        self.process.kill()
        return FAULT

    def read(self, side: Side) -> None:
        other: Side = "target" if side == "client" else "client"
        with suppress(OSError):
            while not self.fault and (data := os.read(self.ends[side][0], READ_BYTES)):
                with self.one_at_a_time:
                    try:
                        tapped = self.tap.client(data) if side == "client" else self.tap.target(data)
                    except TransferError as error:
                        self.fault, tapped = error.public, error.tapped
                    self.events += tapped.events
                    self.queues[side].put(tapped.release)
                    self.queues[other].put(tapped.forward)
        while self.tap.stalled == side and self.process.poll() is None:
            time.sleep(0.01)  # the end of a side comes after all that it said
        self.queues[other].put(None)

    def write(self, side: Side) -> None:
        with suppress(OSError):
            while (data := self.queues[side].get()) is not None:
                while data:
                    data = data[os.write(self.ends[side][1], data) :]
        if side == "target" and self.process.stdin:
            self.process.stdin.close()


def main(events: str, kind: str, *given: str) -> int:
    """Return the exit status."""
    if kind == "sftp":
        between = Between(SftpTap(), [SFTP_SERVER])
    elif command := parse_scp_command(given[-1].encode()):
        between = Between(ScpTap(command), ["sh", "-c", given[-1]])
    else:
        sys.stderr.write(f"not an scp server: {given[-1]}\n")
        return FAULT
    status = between.run()
    details = [event.detail for event in between.events if event.kind is Kind.FILE]
    protocol = b"".join(event.data for event in between.events if event.kind is not Kind.FILE)
    details.append({"op": "protocol", "text": protocol.decode("latin-1")})
    Path(events).write_text("".join(json.dumps(detail) + "\n" for detail in details))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
