"""Every command of the documentation does what the page says, and every page agrees with the code.

The blocks of a page are run in order, on one machine (tests/doc_sandbox.py). The convention for blocks is in
tests/doc_blocks.py. What is not run is in NOT_RUN, each with the reason.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion.keyring import open_keyring, public_line
from recorder.events import Kind
from tests.doc_blocks import Block, blocks_of
from tests.doc_sandbox import Sandbox, TokenEndpoint

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in sorted((ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")))
}
BLOCKS = {page: blocks_of(page, text) for page, text in PAGES.items()}
LANGUAGES = {"sh", "text", "toml", "yaml", "ini", "sql"}
LINE_CHARS = 120

# Lines of `sh` blocks and of pipelines that begin so are left out, and why.
NOT_RUN = {
    "scripts/demo": "tests/integration/test_demo.py runs it",
    "scripts/bench": "it takes half an hour; tests/integration/test_bench.py runs a small one",
    "scripts/test": "it is what runs this test",
    "docker build": "no container engine where the tests run; tests/test_packaging.py judges the Dockerfile",
    "docker run": "as docker build",
    "  -v bastion-keys": "the second line of docker run",
    "useradd": "it would make a user on the machine that runs the tests",
    "install -d -o bastion": "as useradd",
    "apt-get": "it would install packages on the machine that runs the tests; scripts/setup installs this one",
}

CONFIG = """\
[bastion]
listen = ["0.0.0.0:2222"]
data = "/var/lib/bastion"
keys = "/etc/bastion/keys"
names = ["bastion.example.com"]

[[person]]
name = "dana@acme.example"

[[target]]
name = "web-1"
address = "10.0.0.5:22"
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
logins = ["deploy"]
labels = { env = "prod" }

[policy]
files = ["policy.toml"]
"""


def runnable(text: str) -> str:
    """Return a script without the lines of NOT_RUN."""
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(tuple(NOT_RUN))]
    return "".join(kept)


def run_block(sandbox: Sandbox, block: Block) -> str:
    """Run a block of commands, or write it where it is a file; return what it printed."""
    if block.file is not None:
        sandbox.write(block)
    elif block.language == "sh" and runnable(block.text).strip():
        return sandbox.run(runnable(block.text), status=block.exit_status, place=block.place)
    return ""


def machine_of(page: str, folder: Path) -> Sandbox:
    """Return a sandbox with a target that trusts the bastion, configured by what a page says."""
    ring = open_keyring(folder / "etc" / "bastion" / "keys")
    sandbox = Sandbox(folder, target_trusts=public_line(ring.user_ca))
    (sandbox.work / "cluster.jwks").write_text((folder / "issuer.jwks").read_text())
    parts = [block for block in BLOCKS[page] if block.language == "toml"]
    config = "\n".join([CONFIG, *(block.text for block in parts if "policy" not in block.words)])
    policy = "\n".join(block.text for block in parts if "policy" in block.words)
    path = sandbox.work / "bastion.toml"
    path.write_text(sandbox.translate(config))
    (sandbox.work / "policy.toml").write_text(policy)
    sandbox.environment["BASTION_CONFIG"] = str(path)
    sandbox.serve([sys.executable, "-m", "bastion", "serve", "--config", str(path)])
    return sandbox


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Sandbox]:
    """A machine as docs/bots.md has it."""
    sandbox = machine_of("docs/bots.md", tmp_path)
    yield sandbox
    sandbox.strike()


def test_getting_started_works_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.clone()
    (sandbox.work / "token").write_text(sandbox.token("github_actions", run_id="8412"))
    responder = sandbox.token("github_actions", repository_id="1300192", environment="on-call")
    (sandbox.work / "responder-token").write_text(responder)
    try:
        printed = [run_block(sandbox, block) for block in BLOCKS["docs/getting-started.md"]]
    finally:
        sandbox.strike()
    everything = "\n".join(printed)
    assert "sound: 1 issuers, 2 identities, 1 targets, 1 rules" in everything
    assert f"{sandbox.host.host_key}\n" in everything, (
        "ssh-keyscan shows the key that the configuration names"
    )
    assert "shell denied on web-1" in everything
    assert everything.count("everything holds") == 4
    assert (sandbox.work / "session.cast").read_text().startswith('{"version": 2')
    assert re.search(r"ID orders-deployer/8412/01[0-9A-Z]{24} \(serial", sandbox.host.log.read_text())


def test_pipelines_of_docs_bots_get_a_certificate_and_a_session(bots: Sandbox) -> None:
    github = TokenEndpoint(bots.token("github_actions"))
    (bots.real("/var/run/secrets/bastion") / "token").write_text(bots.token("kubernetes_pod"))
    variables = [github.variables(), {"BASTION_TOKEN": bots.token("gitlab_ci")}, {}]
    pipelines = 0
    try:
        for block in BLOCKS["docs/bots.md"]:
            run_block(bots, block)
            if block.language == "yaml":
                for name in ("key", "key-cert.pub"):
                    (bots.work / name).unlink(missing_ok=True)
                for name in ("ssh_config", "known_hosts", "deploy.sh"):
                    (bots.real("/etc/bastion-client") / name).write_text((bots.work / name).read_text())
                scripts = [runnable(script) for script in block.scripts()]
                assert scripts, f"{block.place}: no script found"
                output = ""
                for script in filter(str.strip, scripts):
                    output += bots.run(script, status=0, place=block.place, **variables[pipelines])
                assert "deployed\n" in output, f"{block.place}: {output}"
                pipelines += 1
    finally:
        github.stop()
    assert pipelines == len(variables)
    listed = json.loads(bots.run("bastion sessions --json", status=0, place="the end"))
    seen = {row["identity"] for row in listed}
    assert seen == {"orders-deployer", "orders-release", "payments-nightly"}
    assert {row["access"] for row in listed} == {"exec", "sftp", "shell"}
    assert bots.real("/srv/orders/second.tar.gz").read_text() == (bots.work / "release.tar.gz").read_text()


def certify_job_and_kim(sandbox: Sandbox) -> None:
    """Give the job and kim a key and a certificate each, and configurations of ssh."""
    for block in BLOCKS["docs/bots.md"]:
        if block.file is not None:
            sandbox.write(block)
    config = (sandbox.work / "ssh_config").read_text()
    for name, claims in (
        ("key", {"actor": "sam", "run_id": "8412"}),
        ("kim", {"repository_id": "1300192", "environment": "on-call"}),
    ):
        (sandbox.work / "token").write_text(sandbox.token("github_actions", **claims))
        (sandbox.work / f"{name}_config").write_text(
            config.replace("IdentityFile key", f"IdentityFile {name}")
        )
        ask = f"ssh -F {name}_config login@bastion certificate < token > {name}-cert.pub"
        script = f"bastion keys host-ca > known_hosts; ssh-keygen -q -t ed25519 -N '' -f {name}; {ask}"
        sandbox.run(script, status=0, place=name)


def test_commands_of_docs_approvals_hold_a_statement_and_let_it_go(tmp_path: Path) -> None:
    sandbox = machine_of("docs/approvals.md", tmp_path)
    try:
        certify_job_and_kim(sandbox)
        printed, compared = "", 0
        for block in BLOCKS["docs/approvals.md"]:
            if block.language == "sh":
                printed = run_block(sandbox, block)
            elif "output" in block.words:
                shown = re.sub(r"H-[0-9A-Z]{4}", "H-7K3Q", printed.replace("\r", ""))
                shown = re.sub("ls: cannot access .*\n", "", shown)
                expected = re.escape(sandbox.translate(block.text)).replace("…", "[^\n]*")
                assert re.fullmatch(expected, shown), f"{block.place}: printed was\n{shown}"
                compared += 1
        assert compared == 4
    finally:
        sandbox.strike()


def test_commands_of_docs_locks_lock_and_unlock(tmp_path: Path) -> None:
    sandbox = machine_of("docs/locks.md", tmp_path)
    try:
        certify_job_and_kim(sandbox)
        printed, compared, name = "", 0, "L-7K3Q"
        for block in BLOCKS["docs/locks.md"]:
            if block.language == "sh":
                script = block.text.replace("L-7K3Q", name)
                printed = sandbox.run(script, status=block.exit_status, place=block.place)
                if found := re.search("L-[0-9A-Z]{4}", printed):
                    name = found[0]
            elif "output" in block.words:
                shown = printed.replace(name, "L-7K3Q").replace("\r", "")
                expected = re.escape(sandbox.translate(block.text)).replace("…", "[^\n]*")
                assert re.fullmatch(expected, shown), f"{block.place}: printed was\n{shown}"
                compared += 1
        assert compared == 3
    finally:
        sandbox.strike()


def test_commands_of_the_readme_work(bots: Sandbox) -> None:
    (bots.work / "token").write_text(bots.token("github_actions"))
    for block in BLOCKS["docs/bots.md"]:
        if block.file is not None:
            bots.write(block)
    bots.run("bastion keys host-ca > known_hosts", status=0, place="known_hosts")
    output = "".join(run_block(bots, block) for block in BLOCKS["README.md"])
    assert "deployed\n" in output
    assert "everything holds" in output


# Pages against the code, without running anything.


@pytest.mark.parametrize("page", PAGES)
def test_page_is_well_formed(page: str) -> None:
    text = PAGES[page]
    printed = {
        block.line + offset
        for block in BLOCKS[page]
        if block.language == "text"  # what a program printed stays as it is
        for offset in range(block.text.count("\n"))
    }
    for number, line in enumerate(text.splitlines(), 1):
        free = number in printed or line.startswith("|") or "](" in line
        assert free or len(line) <= LINE_CHARS, (
            f"{page}:{number}: {len(line)} characters, {LINE_CHARS} are allowed"
        )
    for block in BLOCKS[page]:
        assert block.language in LANGUAGES, (
            f"{block.place}: {block.language} is not a language of these pages"
        )
    if page == "CHANGELOG.md":
        assert text.startswith("# Changelog\n")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    prose = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert there.exists(), f"{page}: there is no {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{page}: no heading for {target}"


def test_every_block_that_is_not_run_is_still_on_a_page() -> None:
    lines = {line.strip() for page in BLOCKS.values() for block in page for line in block.text.splitlines()}
    for begins in NOT_RUN:
        assert any(line.strip().removeprefix("- ").startswith(begins.strip()) for line in lines), (
            f"{begins}: on no page any more"
        )


def test_scripts_of_the_readme_are_there() -> None:
    first_screen = "\n".join(PAGES["README.md"].splitlines()[:30])
    for script in ("scripts/demo", "scripts/test"):
        assert script in first_screen
        assert (ROOT / script).exists()
    assert "<!-- demo -->" in PAGES["README.md"]
    assert "<!-- /demo -->" in PAGES["README.md"]


def test_the_demo_on_the_readme_is_the_demo_as_it_is() -> None:
    story = ast.parse((ROOT / "bastion" / "demo" / "story.py").read_text("utf-8"))
    calls = [
        node for node in ast.walk(story) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    spoken = {name: [call.args for call in calls if call.func.id == name] for name in ("_scene", "_claim")}
    scenes = {args[0].value for args in spoken["_scene"]}
    claims = {args[1].value for args in spoken["_claim"] if isinstance(args[1], ast.Constant)}
    shown = PAGES["README.md"].split("<!-- demo -->")[1].split("<!-- /demo -->")[0].splitlines()
    assert {line for line in shown if re.match(r"[0-9]\. ", line)} == scenes
    assert {line.strip().removeprefix("✓ ") for line in shown if line.startswith("  ✓ ")} == claims


def product_strings() -> list[str]:
    """Return every piece of text in the product's code; f-strings are cut at their values."""
    found = []
    for package in ("bastion", "recorder", "policies"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def test_messages_in_the_troubleshooting_table_are_those_of_the_program() -> None:
    of_openssh = {"Permission denied (publickey)", "Host key verification failed", "no matching cipher found"}
    table = PAGES["docs/getting-started.md"].split("## Troubleshooting")[1]
    rows = [re.match(r"\| `([^`]+)`", line) for line in table.splitlines()]
    messages = [row[1] for row in rows if row]
    assert len(messages) > 12
    strings = "\n".join(product_strings())
    for message in messages:
        pieces = [piece.strip("() :;'") for piece in message.split("…")]
        for piece in filter(lambda it: len(it) > 3, pieces):
            known = message in of_openssh or all(word in strings for word in piece.split("; "))
            assert known, f"troubleshooting speaks of {piece!r}, which the program does not say"


def test_every_kind_of_event_and_of_audit_entry_is_in_the_recording_format() -> None:
    page = PAGES["docs/recording-format.md"]
    for kind in Kind:
        assert f"\n| `{kind.value}` |" in page, f"event {kind.value} is not described"
    kinds = re.compile(
        r"(answer|certificate|clock|configuration|connection|evidence|grant|hold|keys|lock|login|notice|recording"
        r"|request|service|session)"
        r"\.[a-z]+(-[a-z]+)*"
    )
    shown = subprocess.run(
        ["git", "-c", "safe.directory=*", "grep", "-hoE", rf'"{kinds.pattern}"', "--", "bastion", "recorder"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for kind in {found for found in shown.stdout.split() if not found.endswith('.md"')}:
        assert f"`{kind.strip(chr(34))}`" in page, f"audit entry {kind} is not described"
