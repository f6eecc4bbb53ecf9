"""Ansible, as it comes: ControlPersist on, files moved by sftp."""

from __future__ import annotations

from tests.integration.transparency.matrix import Client, case
from tests.integration.transparency.way import Ended, Way

GROUP = "Ansible"
ANSIBLE = Client(name="Ansible", ask=("ansible", "--version"), version=r"core (\S+)\]")

_PLAYBOOK = """\
- hosts: "{{ which }}"
  gather_facts: false
  tasks:
    - name: a command that fails, and what it said
      shell: printf '%s' "out of {{ inventory_hostname }}"; echo wrong >&2; exit 3
      register: done
      failed_when: done.rc != 3 or done.stderr != "wrong" or done.stdout != "out of " ~ inventory_hostname
    - name: a file
      copy:
        src: large
        dest: "{{ there }}/{{ inventory_hostname }}.large"
        mode: "0600"
    - name: a template
      template:
        src: hello.j2
        dest: "{{ there }}/{{ inventory_hostname }}"
        mode: "0640"
    - name: become root, with sudo
      command: id -un
      become: true
      register: root
      failed_when: root.stdout != "root"
"""


class Ansible:
    """Ansible with an inventory of ten names, all of which lead to the target."""

    def __init__(self, way: Way) -> None:
        self._way = way
        config = (way.job / "ssh_config").read_text()
        (way.job / "ansible_ssh_config").write_text(config.replace("Host target\n", "Host target host-*\n"))
        (way.job / "inventory").write_text("[all]\nhost-[0:9]\n")
        (way.job / "playbook.yml").write_text(_PLAYBOOK)
        (way.job / "hello.j2").write_text("hello {{ inventory_hostname }}\n")
        (way.job / "large").write_bytes(b"0123456789" * 100_000)
        self._env = {
            "ANSIBLE_HOME": str(way.job / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(way.job / "ansible" / "tmp"),
            "ANSIBLE_REMOTE_TMP": f"{way.job}/remote-tmp",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(way.job / "cp"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {way.job}/ansible_ssh_config",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "ANSIBLE_INVENTORY": str(way.job / "inventory"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_TIMEOUT": "60",
        }

    def run(self, *words: str, **env: str) -> Ended:
        """Run it, end the connections that it leaves open, and keep its lines in order of the alphabet."""
        try:
            done = self._way.run(*words, env={**self._env, **env}, quietly=True, timeout=120)
        finally:
            for path in (self._way.job / "cp").glob("*"):
                self._way.ssh("-o", f"ControlPath={path}", "-O", "exit", "target", quietly=True)
        self._way.saw(
            words, (done.status, sorted(done.stdout.splitlines()), sorted(done.stderr.splitlines()))
        )
        return done


@case(GROUP, ANSIBLE, "`ping` of 10 hosts at once, 10 forks, ControlPersist", but="the order of hosts")
def ping(way: Way) -> None:
    done = Ansible(way).run("ansible", "all", "-m", "ping")
    assert (done.status, done.stdout.count(b'"ping": "pong"')) == (0, 10), done


@case(
    GROUP,
    ANSIBLE,
    "playbook with pipelining: command, copy, template, become, on 3 hosts",
    but="the order of hosts",
)
def pipelined(way: Way) -> None:
    words = ("-e", "which=host-0,host-1,host-2 there={there}", "playbook.yml")
    done = Ansible(way).run("ansible-playbook", *words, ANSIBLE_PIPELINING="1")
    assert (done.status, len(list(way.there.iterdir()))) == (0, 6), done


@case(
    GROUP, ANSIBLE, "playbook without pipelining: command, copy, template, become", but="the order of hosts"
)
def copied(way: Way) -> None:
    words = ("-e", "which=host-0 there={there}", "playbook.yml")
    done = Ansible(way).run("ansible-playbook", *words, ANSIBLE_PIPELINING="0")
    assert (done.status, len(list(way.there.iterdir()))) == (0, 2), done
