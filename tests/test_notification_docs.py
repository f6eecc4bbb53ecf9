"""Every command of docs/notifications.md does what the page says, against a server that receives."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.test_docs import BLOCKS, machine_of, run_block

PAGE = "docs/notifications.md"


@contextmanager
def receiving(folder: Path) -> Iterator[int]:
    """Yield the port of a server that writes what it is sent into this folder, as the page has it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / "body").write_bytes(body)
            headers = "".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items())
            (folder / "headers").write_text(headers)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_commands_of_docs_notifications_try_a_channel_verify_it_and_answer(tmp_path: Path) -> None:
    secrets, work = tmp_path / "etc" / "bastion" / "secrets", tmp_path / "work"
    for folder in (secrets, work):
        folder.mkdir(parents=True)
    with receiving(work) as port:
        for name, text in {
            "ops-hook.url": f"http://127.0.0.1:{port}/hook",
            "ops-hook.key": "a-key-of-the-webhook-0123456789",
            "dba-slack.url": f"http://127.0.0.1:{port}/slack",
            "dba-slack.signing": "8f742231b10e8888abcd99yyyzzz85a5",
            "duty.urls": f"# the duty's topic\nntfy://127.0.0.1:{port}/topic",
            "kim-answers": "kim-s-own-key-0123456789",
        }.items():
            (secrets / name).write_text(f"{text}\n")
        sandbox = machine_of(PAGE, tmp_path)
        try:
            printed, compared = "", 0
            for block in BLOCKS[PAGE]:
                if block.language == "sh":
                    printed = run_block(sandbox, block)
                    if "kim-answers\n" in block.text and "openssl rand" in block.text:
                        sandbox.stop_bastion()  # it goes by the new key from its next start on
                        sandbox.serve(["bastion", "serve"])
                elif "output" in block.words:
                    expected = re.escape(sandbox.translate(block.text)).replace("…", "[^\n]*")
                    assert re.fullmatch(expected, printed), f"{block.place}: printed was\n{printed}"
                    compared += 1
            assert compared == 2
            assert sandbox.run("bastion notify test duty", status=0, place="duty") == (
                "duty: delivered: ntfy took it\n"
            )
        finally:
            sandbox.strike()
