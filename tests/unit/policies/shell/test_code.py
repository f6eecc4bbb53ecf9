"""Commands that stand in the code of editors, databases and schedulers are found (T31, L4)."""

import pytest

from policies.facts import Flag
from policies.shell import quick


@pytest.mark.parametrize(
    "statement",
    [
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
