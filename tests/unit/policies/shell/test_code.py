"""Commands that stand in the code of editors, databases and schedulers are found (T31, L4)."""

import subprocess
import sys
from pathlib import Path

import pytest

from policies.facts import Flag
from policies.shell import quick

ROOT = Path(__file__).resolve().parents[4]
# The kernel ends it after so many seconds of processor time; it needs a tenth of one.
BOUNDED = """
import resource, sys
from policies.shell import quick
used = resource.getrusage(resource.RUSAGE_SELF)
most = int(used.ru_utime + used.ru_stime) + 3
resource.setrlimit(resource.RLIMIT_CPU, (most, most))
quick(sys.stdin.read())
"""


@pytest.mark.parametrize(
    "statement",
    [
        "gawk -o 'BEGIN { system(\"rm x\") }'",
        "vim -c '!rm x' -c q f",
        "vim -c ':!rm x'",
        "vim f -c '!rm x'",
        "vim +'!rm x' f",
        "vim -c 'silent !rm x'",
        "vim -c 'r !rm x' -c 'wq!'",
        "vim -c \"call system('rm x')\"",
        "nvim --headless -c 'terminal rm x'",
        "echo '!rm x' | ed f",
        "ed -s f <<< 'r !rm x'",
        "echo 'w !rm x' | ex -s f",
        "mysql -e 'system rm x'",
        "mysql shop -e 'select 1; \\! rm x'",
        "echo 'system rm x' | mysql shop",
        "psql appdb -c '\\! rm x'",
        "psql appdb <<< 'select 1 \\g |rm x'",
        "psql -c \"copy t to program 'rm x'\"",
        "sqlite3 x.db '.shell rm x'",
        "sqlite3 -cmd '.system rm x' x.db",
        "sqlite3 x.db '.once |rm x' 'select 1'",
        "echo '.system rm x' | sqlite3 x.db",
        "echo 'rm x' | at now",
        "at now + 1 minute <<< 'rm x'",
        "echo '0 3 * * 1-5 rm x' | crontab -",
        "crontab <<< '@reboot rm x'",
        "expect -c 'spawn rm x; interact'",
        "salt '*' cmd.run 'rm x'",
        "salt-call --local cmd.run 'rm x'",
        "machinectl shell root@web /bin/rm x",
        "lxc-attach -n web -- rm x",
        'aws ssm send-command --instance-ids i-1 --parameters \'commands=["ls","rm x"]\'',
        "aws ssm send-command --parameters commands='rm x'",
    ],
)
def test_l4_what_code_starts_is_found(statement: str) -> None:
    assert "rm" in [command.program.text.rpartition("/")[2] for command in quick(statement).commands]


@pytest.mark.parametrize(
    ("statement", "flag"),
    [
        ("vim -c 'source x' f", Flag.INTERPRETER),
        ("vim -c 'py3 import os' f", Flag.INTERPRETER),
        ("cat x | ed f", Flag.INTERPRETER),
        ("zcat x.sql.gz | mysql shop", Flag.INTERPRETER),
        ("cat y > x.sql; mysql shop < x.sql", Flag.INTERPRETER),
        ("cat job | at now", Flag.OPAQUE),
        ("at now < job", Flag.OPAQUE),
    ],
)
def test_l4_code_that_is_not_read_is_told(statement: str, flag: Flag) -> None:
    assert flag in quick(statement).flags


@pytest.mark.parametrize(
    "statement",
    [
        "vim f",
        "vim -c '%s/a/b/g' -c wq f",
        "vim -c 'q!' f",
        "ex -s -c '%s/a/b/' -c x f",
        "ed -s f <<< $',s/a/b/\\nw\\nq'",
        "sqlite3 x.db 'select 1'",
        "sqlite3 x.db '.backup /srv/x.db'",
        "mysql shop -e 'select 1'",
        "psql appdb -c 'select count(*) from orders'",
        "psql appdb <<< 'select 1'",
        "psql appdb < x.sql",
        "mysql shop < x.sql",
        "at -f job now",
        "atq",
        "at -l",
        "crontab -l",
        "aws s3 ls",
    ],
)
def test_plain_words_of_these_programs_are_no_code(statement: str) -> None:
    assert not quick(statement).flags & {Flag.INTERPRETER, Flag.OPAQUE, Flag.UNPARSED}


@pytest.mark.parametrize(
    "statement",
    [
        "ed -s '!touch m' <<< q",
        "ed f <<< 'g/a/!touch m'",
        "ed f <<< '1,/c/w !touch m'",
        "ed f <<< 'W !touch m'",
        "ed f <<< 'wq !touch m'",
        "vim -es f <<< '!touch m'",
        "view -es f <<< '!touch m'",
        "printf ':!touch m\\r' | vim f",
        "vim -es -S /dev/stdin <<< '!touch m'",
        "ex -s -c 'set nu' f <<< '!touch m'",
        "cat i | ex -s +1 f",
        "sqlite3 -cmd 'select 1' x.db <<< '.shell touch m'",
        "vim -c 'sou i' f",
        "vim -c 'mak' f",
        "vim -c 'norm K' f",
        "vim -c 'call feedkeys(\":x\")' f",
        "vim -c 'call win_execute(1)' f",
        "nvim -c 'te touch m'",
        "nvim --remote-send ':!touch m<CR>'",
        'vim "+$x" f',
        "sqlite3 x.db '.sh touch m'",
        "sqlite3 x.db '.sy touch m'",
        "sqlite3 x.db \"select edit ('a','touch m')\"",
        "sqlite3 x.db '.once -e' 'select 1'",
        "sqlite3 -init /dev/stdin x.db <<< '.shell touch m'",
        "sqlite3 x.db '.read /dev/stdin'",
        "psql -o '|touch m' -c 'select 1'",
        "psql -c $'copy (select 1) to\\nprogram $$touch m$$'",
        "psql -f - <<< '\\! touch m'",
        "psql -1f - <<< '\\! touch m'",
        "psql -f /dev/stdin <<< '\\! touch m'",
        "sed -f - f <<< 'e touch m'",
        "awk -f - <<< 'BEGIN{system(\"touch m\")}'",
        "gdb -x /dev/stdin <<< 'shell touch m'",
        "cat y > x; psql -f x",
        "sed 1etouch\\ m f",
        "sed 'etouch m' f",
        "sed '1~3etouch m' f",
        "sed ':a;etouch m' f",
        "sed '/a/Ie touch m' f",
        "sed '\\%a%e touch m' f",
        "sed 'sxa.*xtouch mxe' f",
        "sed 's a.* touch\\ m e' f",
        "sed 1wm f",
        "sed '/a/Iw m' f",
        "gdb -iex 'shell touch m' -batch",
        "gdb -q /bin/true <<< 'shell touch m'",
        "gdb -p 1 <<< 'shell touch m'",
        "mysql -p -e 'system rm x' shop < x.sql",
        "mysql -e 'source f'",
        "cat y > /tmp/x.sh; cd /tmp; bash x.sh",
        "cat jobs | crontab -",
        "(crontab -l; echo '* * * * * rm x') | crontab -",
        "at -f /dev/stdin now <<< 'rm x'",
        "aws ssm send-command --parameters file://p.json",
        "ex -s -c 'set nu' f <<< '!rm -rf /'",
    ],
)
def test_l4_odd_ways_to_start_something_are_told_or_not_called_plain(statement: str) -> None:
    facts = quick(statement)
    names = [command.program.text for command in facts.commands]
    assert facts.flags & {Flag.INTERPRETER, Flag.OPAQUE, Flag.UNPARSED} or {"touch", "rm"} & {*names}


@pytest.mark.parametrize(
    "statement",
    [
        "mysql -u root -p -e 'show databases'",
        "mysql --password -e 'show databases'",
        "vim -c '%s/production/staging/g' -c wq f",
        "vim -c '%s#/bin/sh#/bin/bash#g' -c 'wq!' f",
        "vim -c 'g!/x/d' -c x f",
        "vim -c 'set nu!' f",
        "vim -c 'silent! %s/a/b/' -c q f",
        "vim +qall! f",
        "vim +10 f",
        "vim +/print f",
        "mysql shop </dev/null",
        "ed -s f </dev/null",
        "python3 /dev/shm/x.py",
        "sqlite3 x.db '.separator |' 'select 1'",
        'sqlite3 x.db "select count(*) from t"',
        "psql -qAtc 'select 1'",
        "mysql -BNe 'select 1'",
        "sed -n '/a/,/b/p' f",
        "sed '/^#/d;s/a/b/g' f",
        "sed -i '/x/a foo bar' f",
        "sed -E 's/^(a|b)/\\1/;$!N' f",
        "sed '$!{h;d};x;G' f",
        "sed ':a;N;$!ba;s/\\n/,/g' f",
        "sed -e '1i\\' -e 'header' f",
        "sed 's|/srv/a|/srv/b|g' f",
        "sed -n '$=' f",
        "sed 10q f",
        "sed 's/a/b/2;t;d' f",
        "sed 'y/abc/xyz/' f",
        "aws ssm send-command --parameters 'commands=[\"ls\"]'",
    ],
)
def test_everyday_code_of_these_programs_is_plain(statement: str) -> None:
    grave = {Flag.INTERPRETER, Flag.OPAQUE, Flag.UNPARSED, Flag.READS_STDIN}
    assert not quick(statement).flags & grave


@pytest.mark.parametrize(
    "statement",
    [
        "vim -c '" + "\n" * 9_000 + "'",
        "vim -c '[" + '"a" ' * 2_000 + "'",
        "psql -c 'system" + " " * 9_000 + "'",
        "psql -c '" + "copy " * 9_000 + "'",
        "sqlite3 x.db '" + "\n" * 30_000 + "x'",
        "ed f <<< '" + " " * 30_000 + "'",
        "sed '" + "s/a/b/;" * 2_500 + "' f",
        "aws ssm send-command --parameters '" + '"\\"' * 9_000 + "'",
    ],
)
def test_t24_no_code_keeps_the_analyser_busy(statement: str) -> None:
    """Each of these took seconds once, or had no end: an expression that went back over what it had read."""
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED], input=statement.encode(), capture_output=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
