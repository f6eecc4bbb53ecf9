"""`bastion demo` plays its story to the end with the system's own ssh, and cleans up after itself."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "bastion", "demo"]


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    """The demo, played once."""
    return subprocess.run(DEMO, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_the_demo_does_what_it_claims(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == 16
    for shown in (
        "$ ssh -F ssh_config login@bastion certificate < token > key-cert.pub",
        'its claim repository_id expects "1296269", the token has "99"',
        "(exit status 3)",
        "migrated customers",
        "bastion: denied by no-copies-to-object-storage: production data does not leave through a pipeline (session ",
        "(exit status 126)",
        "approved by robin@acme.example: not needed any more",
        "AWS_ACCESS_KEY_ID=[aws-access-key]",
        "everything holds",
        "chunk 2 was altered",
        "Every step did what it claims.",
    ):
        assert shown in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_readme_shows_what_the_demo_prints(done: subprocess.CompletedProcess[str]) -> None:
    """The commands in the README's copy of the demo are those that the demo runs."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    story = readme.partition("<!-- demo -->")[2].partition("<!-- /demo -->")[0]

    def claims(text: str) -> list[str]:
        return [
            line
            for line in text.splitlines()
            if line.startswith(("  ✓", "1.", "2.", "3.", "4.", "5.", "6.", "7.", "8."))
        ]

    assert claims(story) == claims(done.stdout)


def test_keep_leaves_everything_running_until_enter_is_pressed(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    demo = subprocess.Popen(
        [*DEMO, "--keep", "--folder", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert demo.stdin is not None
    assert demo.stdout is not None
    shown = ""
    for line in demo.stdout:
        shown += line
        if line.startswith("Press Enter"):
            break
    else:
        pytest.fail(f"the demo ended by itself:\n{shown}")
    job = folder / "job"
    url = next(word for word in shown.split() if word.endswith("/token/deploy"))
    with urllib.request.urlopen(url) as answer:
        token = answer.read()
    certify = ["ssh", "-F", "ssh_config", "login@bastion", "certificate"]
    (job / "key-cert.pub").write_bytes(
        subprocess.run(certify, cwd=job, input=token, stdout=-1, check=True).stdout
    )
    ran = subprocess.run(["ssh", "-F", "ssh_config", "web-1", "echo by hand"], cwd=job, capture_output=True)
    assert ran.stdout == b"by hand\n", ran.stderr
    demo.communicate("\n", timeout=30)
    assert demo.returncode == 0
