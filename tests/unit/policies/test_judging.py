"""Verdicts on statements: what a deny finds, and what an allow must cover (L4, L5, T34, T35)."""

import itertools
from dataclasses import replace

import pytest

from policies.document import parse_policy
from policies.engine import Policy
from policies.facts import Facts, Flag, unparsed
from policies.model import Access, Match, Request, Rule, VerdictKind, When
from policies.source import Source
from tests.statement_notes import command, facts, touches

ALLOW, DENY, APPROVE = VerdictKind.ALLOW, VerdictKind.DENY, VerdictKind.APPROVE


def policy(*entries: str, verdict: str = "deny") -> Policy:
    text = f'[[rule]]\nid = "r"\nverdict = "{verdict}"\nmatch = [{", ".join(entries)}]\n'
    return parse_policy([Source(label="policy.toml", text=text)])


def denies(entry: str, subject: Facts) -> bool:
    judged = parse_policy(
        [
            Source(label="a", text=f'[[rule]]\nid = "no"\nverdict = "deny"\nmatch = [{entry}]\n'),
            Source(label="b", text='[[rule]]\nid = "all"\nverdict = "allow"\n'),
        ]
    ).judge_alone(subject)
    assert judged.rules == (("no",) if judged.kind is DENY else ("all",))
    return judged.kind is DENY


def allows(entry: str, subject: Facts) -> bool:
    judged = policy(entry, verdict="allow").judge_alone(subject)
    assert judged.rules == (("r",) if judged.allowed else ())
    return judged.allowed


@pytest.mark.parametrize(
    ("entry", "line", "expected"),
    [
        ('{program = "rm"}', "rm x", True),
        ('{program = "rm"}', "/tmp/.x/rm x", True),
        ('{program = "rm"}', "rmdir x", False),
        ('{program = "rm"}', "/bin/r? x", True),
        ('{program = "rm"}', "/bin/c?t x", False),
        ('{program = "rm"}', "$x y", False),
        ('{program = "/bin/rm"}', "/usr/../bin/rm x", True),
        ('{program = "/bin/rm"}', "rm x", False),
        ('{program = "glob:python3*"}', "/usr/bin/python3.11 -c x", True),
        ('{program = "class:shells"}', "/usr/bin/zsh", True),
        ('{program = "python"}', "python3", False),
        ('{argv = ["git", "push"]}', "git push", True),
        ('{argv = ["git", "push"]}', "git push origin", False),
        ('{argv = ["git", "push", "..."]}', "git push origin", True),
        ('{argv = ["git", ["push", "fetch"], "..."]}', "git fetch", True),
        ('{argv = ["git", "push"]}', "git $x", True),
        ('{argv = ["git", "push"]}', "git $x push", True),
        ('{argv = ["git", "push"]}', "git pull $x", False),
        ('{args_any = ["cp", "glob:upload*"]}', "aws s3 cp x", True),
        ('{args_any = ["cp", "glob:upload*"]}', "az upload-batch", True),
        ('{args_any = ["cp", "glob:upload*"]}', "cp x", False),
        ('{args_any = ["cp"]}', "aws s3 $x", True),
        ('{args_any = ["cp"]}', "aws s3 m$x", False),
        ('{args_any = ["/etc/shadow"]}', "foo /etc/sh*", True),
        ('{args_any = ["/etc/shadow"]}', "foo *.txt", False),
        ('{args_any = ["-rf"]}', "rm *", False),
        ('{args_all = ["-r", "/"]}', "rm / -r", True),
        ('{args_all = ["-r", "/"]}', "rm -r x", False),
        ('{program = "terraform", args_none = "-dry"}', "terraform apply", True),
        ('{program = "terraform", args_none = "-dry"}', "terraform apply -dry", False),
        ('{program = "terraform", args_none = "-dry"}', "terraform apply $x", True),
    ],
)
def test_deny_on_a_command(entry: str, line: str, expected: bool) -> None:
    assert denies(entry, facts(line)) is expected


@pytest.mark.parametrize(
    ("entry", "line", "expected"),
    [
        ('{program = "release"}', "release now", True),
        ('{program = "release"}', "/usr/local/bin/release now", True),
        ('{program = "release"}', "/tmp/x/release now", False),
        ('{program = "release"}', "./release", False),
        ('{program = "release"}', "rel?ase", False),
        ('{program = "/opt/release"}', "/opt/release", True),
        ('{program = "/opt/release"}', "/opt/x/../release", False),
        ('{program = "class:readers"}', "cat x", True),
        (
            '{argv = ["/opt/release", ["deploy", "rollback"], "glob:v[0-9]*"]}',
            "/opt/release deploy v1.2",
            True,
        ),
        (
            '{argv = ["/opt/release", ["deploy", "rollback"], "glob:v[0-9]*"]}',
            "/opt/release remove v1",
            False,
        ),
        ('{argv = ["/opt/release", "glob:v*"]}', "/opt/release v$x", False),
        ('{argv = ["/opt/release", "glob:v*"]}', "/opt/release v1 --force", False),
        ('{argv = ["/opt/release", "..."]}', "/opt/release $x", True),
        ('{argv = ["ls", "glob:/srv/*"]}', "ls /srv/*.log", True),
        ('{argv = ["ls", "glob:/srv/*"]}', "ls /srv/*/x", False),
        ('{argv = ["ls", "glob:/srv/**"]}', "ls /srv/.*", False),
        ('{argv = ["ls", "glob:*"]}', "ls *", False),
        ('{argv = ["ls", "glob:**"]}', "ls *", True),
        ('{program = "find", args_none = ["-delete", "glob:-exec*"]}', "find x -name y", True),
        ('{program = "find", args_none = ["-delete", "glob:-exec*"]}', "find x -execdir y", False),
        ('{program = "find", args_none = ["-delete", "glob:-exec*"]}', "find x $y", False),
        ('{program = "find", args_none = ["-delete"]}', "find *", False),
    ],
)
def test_l4_allow_covers_a_command(entry: str, line: str, expected: bool) -> None:
    assert allows(entry, facts(line)) is expected


def test_t35_allow_of_one_command_does_not_allow_the_line_that_has_it() -> None:
    assert allows('{program = "ls"}', facts("ls"))
    assert not allows('{program = "ls"}', facts("ls", "rm x"))
    assert not allows('{argv = ["ls", "..."]}', facts("ls", command("rm x", parent=0)))
    assert not allows('{program = "ls"}', facts("ls", writes=touches("/etc/x", by=None)))
    assert (
        policy('{program = "ls"}', '{program = "rm"}', verdict="allow")
        .judge_alone(facts("ls", "rm x"))
        .allowed
    )


def test_t34_banned_word_elsewhere_denies_nothing() -> None:
    subject = facts("curl https://rm.example.com/nc", contacts=touches("rm.example.com"))
    assert not denies('{program = ["rm", "nc"]}', subject)
    assert not denies('{args_any = ["rm", "nc"]}', subject)
    assert not denies('{contacts = ["example.com", "rm"]}', subject)
    assert not denies('{program = "dd"}', facts("git add dd"))


def test_l4_what_a_command_touches_must_be_covered_by_an_entry_that_speaks_of_that_command() -> None:
    subject = facts("cat /srv/a", reads=touches("/srv/a"))
    assert not allows('{program = "cat"}', subject)
    assert allows('{program = "cat", reads = "glob:/srv/**"}', subject)
    assert not allows('{program = "cat", reads = "glob:/etc/**"}', subject)
    two = policy('{program = "cat"}', '{program = "less", reads = "glob:/srv/**"}', verdict="allow")
    assert not two.judge_alone(subject).allowed
    free = policy('{program = "cat"}', '{reads = "glob:/srv/**"}', verdict="allow")
    assert free.judge_alone(subject).allowed
    assert not free.judge_alone(facts("cat $x", reads=touches("$x"))).allowed
    assert not free.judge_alone(facts("cat x", reads=touches("/srv/a/$x"))).allowed
    assert free.judge_alone(facts("cat x", reads=touches("/srv/*.log"))).allowed


def test_l4_argv_that_says_every_word_covers_what_follows_from_them() -> None:
    subject = facts(
        command("sh -c migrate", flags=set()),
        command("migrate", parent=0, flags={Flag.INTERPRETER}),
        reads=touches("/etc/app", by=0),
        writes=touches("/var/app", by=1),
        contacts=touches("db.example.com", by=1),
    )
    assert allows('{argv = ["sh", "-c", "migrate"]}', subject)
    assert not allows('{argv = ["sh", "-c", "..."]}', subject)
    assert not allows('{argv = ["sh", "-c", "migrate"]}', replace(subject, writes=touches("/x", by=None)))
    assert not allows('{argv = ["sh", "-c", "migrate"]}', replace(subject, flags=frozenset({Flag.OPAQUE})))


def test_l4_argv_does_not_cover_what_came_on_standard_input() -> None:
    assert not allows('{argv = ["bash", "-s"]}', facts("bash -s", command("rm x", parent=0)))


@pytest.mark.parametrize(
    "flag", ["unparsed", "opaque", "hidden", "interpreter", "data", "defines", "switches_input"]
)
def test_l4_grave_flag_must_be_granted(flag: str) -> None:
    known = Flag(flag)
    alone = facts("x", flags={known})
    carried = facts(command("x", flags={known}))
    assert not allows('{program = "x"}', alone)
    assert not allows(f'{{program = "x", flags = "{flag}"}}', alone)
    assert allows(f'{{program = "x", flags = "{flag}"}}', carried)
    assert not allows(f'{{program = "y", flags = "{flag}"}}', carried)
    assert policy('{program = "x"}', f'{{flags = "{flag}"}}', verdict="allow").judge_alone(alone).allowed
    both = facts(command("x", flags={known}), command("y", flags={known}))
    mixed = policy(f'{{program = "x", flags = "{flag}"}}', '{program = "y"}', verdict="allow")
    assert not mixed.judge_alone(both).allowed


def test_l4_unparsed_statement_is_allowed_only_by_a_rule_that_says_so() -> None:
    subject = unparsed("if", "the statement is not complete")
    assert not allows('{program = "glob:**"}, {reads = "glob:**"}', subject)
    assert allows('{flags = "unparsed"}', subject)
    assert denies('{flags = "unparsed"}', subject)
    assert not denies('{program = "glob:**"}', subject)
    reason = policy('{program = "x"}', verdict="allow").judge_alone(subject).reason
    assert reason == "no rule allows what is unparsed: the statement is not complete"


def test_l4_names_that_are_defined_are_granted_by_name() -> None:
    subject = facts("x", flags={Flag.DEFINES}, defines=("LANG",))
    entries = ('{program = "x"}', '{defines = ["LANG", "glob:LC_*"]}')
    assert policy(*entries, verdict="allow").judge_alone(subject).allowed
    wider = replace(subject, defines=("LANG", "PATH"))
    assert not policy(*entries, verdict="allow").judge_alone(wider).allowed
    assert denies('{defines = "PATH"}', wider)
    assert not denies('{defines = "PATH"}', subject)


def test_statement_that_does_nothing_is_for_whoever_may_do_something() -> None:
    assert allows('{program = "ls"}', Facts(statement=""))
    assert Policy().judge_alone(Facts(statement="")).kind is DENY


@pytest.mark.parametrize(
    ("entry", "fields", "expected"),
    [
        ('{reads = "glob:/srv/**"}', {"reads": ["/srv/a/b"]}, True),
        ('{reads = "glob:/srv/**"}', {"reads": ["/srv"]}, True),
        ('{reads = "glob:/srv/**"}', {"reads": ["/srvs"]}, False),
        ('{reads = "glob:/srv/*"}', {"reads": ["/srv/a/b"]}, False),
        ('{reads = "/etc/shadow"}', {"reads": ["/etc/shad?w"]}, True),
        ('{reads = "/etc/shadow"}', {"reads": ["$x"]}, True),
        ('{reads = "/etc/shadow"}', {"reads": ["/etc/$x"]}, True),
        ('{reads = "glob:**"}', {"reads": ["$x"]}, True),
        ('{writes = "/etc/shadow"}', {"reads": ["/etc/shadow"]}, False),
        ('{contacts = "glob:*"}', {"contacts": ["s3://bucket"]}, True),
        ('{contacts = "glob:*"}', {"contacts": ["$x"]}, True),
        ('{contacts = "glob:*.example.com"}', {"contacts": ["a.b.example.com"]}, True),
        ('{contacts = "glob:*", reads = "glob:/srv/**"}', {"contacts": ["h"], "reads": ["/srv/a"]}, True),
        ('{contacts = "glob:*", reads = "glob:/srv/**"}', {"reads": ["/srv/a"]}, False),
    ],
)
def test_deny_on_what_is_touched(entry: str, fields: dict[str, list[str]], expected: bool) -> None:
    subject = facts("x", "y", **{key: touches(*texts, by=1) for key, texts in fields.items()})
    assert denies(entry, subject) is expected


@pytest.mark.parametrize(
    ("entry", "path", "expected"),
    [
        ('{reads = "/etc/shadow"}', "$x", False),
        ('{reads = "/etc/shadow"}', "/etc/$x", True),
        ('{reads = "/etc/shadow"}', "/$x/$y", True),
        ('{reads = "/etc/shadow"}', "/$x", False),
        ('{reads = "glob:/users/*/.ssh/**"}', "/users/$USER/app.log", False),
        ('{reads = "glob:/users/*/.ssh/**"}', "/users/${USER}/.ssh/$x", True),
        ('{reads = "glob:/users/*"}', "$TMP/x", False),
        ('{reads = "glob:**/.ssh/id_*"}', "$DIR/.ssh/id_rsa", True),
        ('{reads = "glob:/etc/**"}', "/etc/$(cat x)/y", True),
        ('{args_any = "-delete"}', "$x", False),
        ('{argv = ["x", "-delete", "..."]}', "$x", False),
        ('{contacts = "glob:*"}', "$x", True),
    ],
)
def test_deny_that_does_not_guess_goes_by_what_is_computed_looks_like(
    entry: str, path: str, expected: bool
) -> None:
    text = f'[[rule]]\nid = "r"\nverdict = "deny"\ncomputed = false\nmatch = [{entry}]\n'
    made = parse_policy([Source(label="policy.toml", text=text)])
    subject = facts(f"x {path}", reads=touches(path), contacts=touches(path))
    assert made.judge_alone(subject).rules == (("r",) if expected else ())


def test_deny_needs_one_command_for_what_it_says_of_a_command_and_the_statement_for_the_rest() -> None:
    subject = facts("tar c /srv", "nc host", reads=touches("/srv"), contacts=touches("host", by=1))
    assert denies('{program = "tar", contacts = "glob:*"}', subject)
    assert not denies('{program = "tar", args_any = "host"}', subject)
    assert denies(
        '{program = "nc", flags = ["opaque", "privileged"]}', replace(subject, flags=frozenset({Flag.OPAQUE}))
    )
    assert not denies('{program = "nc", flags = ["opaque"]}', subject)


def test_deny_on_text_and_bytes_that_are_no_text() -> None:
    subject = facts("x", statement="x stratum+tcp://pool\n\udcff")
    assert denies('{text = "glob:**stratum+tcp**"}', subject)
    assert denies('{args_any = "glob:a*"}', facts("x a\udcff"))
    assert not denies('{args_any = "glob:a"}', facts("x a\udcff"))
    assert denies('{args_any = "glob:a?"}', facts("x a\udcff"))


def test_operations_on_files() -> None:
    upload = Facts(statement="", language="sftp", operation="upload", writes=touches("/srv/a", by=None))
    assert allows('{operation = "upload", writes = "glob:/srv/**"}', upload)
    assert allows('{writes = "glob:/srv/**"}', upload)
    assert allows('{operation = ["upload", "stat"]}', upload)
    assert not allows('{operation = "download", writes = "glob:/srv/**"}', upload)
    assert not allows('{operation = "upload", writes = "glob:/etc/**"}', upload)
    assert not allows('{operation = "upload"}, {program = "x"}', replace(upload, operation="delete"))
    assert denies('{operation = "upload", writes = "glob:/srv/**"}', upload)
    assert not denies('{operation = "delete"}', upload)


def test_approve_without_approvers_denies_and_says_so() -> None:
    judged = policy('{program = "x"}', verdict="approve").judge_alone(facts("x"))
    assert (judged.kind, judged.rules, judged.allowed, judged.held) == (APPROVE, ("r",), False, False)
    assert judged.reason.endswith("(nobody can approve it: r names no approvers)")


def test_l5_deny_goes_before_approve_and_approve_before_allow() -> None:
    rules = {
        kind: Rule(id=kind.value, verdict=kind, match=(Match(program=("x",)),))
        for kind in (DENY, APPROVE, ALLOW)
    }
    for chosen in itertools.permutations(rules.values()):
        assert Policy(rules=chosen).judge_alone(facts("x")).kind is DENY
        assert Policy(rules=chosen[1:]).judge_alone(facts("x")).kind is min(
            (rule.verdict for rule in chosen[1:]), key=list(rules).index
        )


def test_verdict_carries_what_its_rules_say() -> None:
    text = """
        [[rule]]
        id = "b"
        verdict = "deny"
        match = [{ program = "x" }]
        severity = "low"
        attack = "T1105"
        [[rule]]
        id = "a"
        verdict = "deny"
        match = [{ program = "x" }]
        severity = "critical"
        attack = "T1048"
        notify = true
        [[rule]]
        id = "c"
        verdict = "allow"
        match = [{ program = "y" }]
        warn = true
        reason = "y goes away soon"
    """
    made = parse_policy([Source(label="policy.toml", text=text)])
    judged = made.judge_alone(facts("x"))
    assert (judged.rules, judged.severity, judged.attack) == (("a", "b"), "critical", ("T1048", "T1105"))
    assert (judged.notify, judged.warn, judged.policy) == (True, False, made.digest())
    allowed = made.judge_alone(facts("y"))
    assert (allowed.warn, allowed.notify, allowed.reason) == (True, False, "y goes away soon")


REQUEST = Request(
    identity="orders-deployer",
    groups=frozenset({"ci"}),
    target="web-1",
    labels={"env": "prod"},
    login="deploy",
    access=Access.EXEC,
)


def test_rule_speaks_of_a_statement_only_where_its_when_fits() -> None:
    rules = (
        Rule(id="ok", verdict=ALLOW, when=When(groups=("ci",)), match=(Match(program=("x",)),)),
        Rule(
            id="no", verdict=DENY, when=When(access=frozenset({Access.SHELL})), match=(Match(program=("x",)),)
        ),
    )
    made = Policy(rules=rules)
    assert made.judge(REQUEST, facts("x")).allowed
    assert made.judge(replace(REQUEST, access=Access.SHELL), facts("x")).rules == ("no",)
    assert made.judge(replace(REQUEST, groups=frozenset()), facts("x")).rules == ()
    assert not made.judge(replace(REQUEST, access=None), facts("x")).allowed


def test_access_begins_where_some_statement_may_be_allowed_and_no_rule_denies_all_of_it() -> None:
    some = Rule(id="some", verdict=ALLOW, match=(Match(program=("x",)),))
    no_x = Rule(id="no-x", verdict=DENY, match=(Match(program=("x",)),))
    none = Rule(id="none", verdict=DENY)
    assert Policy(rules=(some, no_x)).decide(REQUEST).rules == ("some",)
    assert Policy(rules=(some, no_x)).may_open(REQUEST).allowed
    assert Policy(rules=(no_x,)).decide(REQUEST).rules == ()
    assert Policy(rules=(some, none)).decide(REQUEST).rules == ("none",)


@pytest.mark.parametrize(
    ("entry", "line", "expected"),
    [
        ('{program = "chmod", args_any = ["glob:*+*s*"]}', "chmod u+s x", True),
        ('{program = "chmod", args_any = ["glob:*+*s*"]}', 'chmod "$mode" x', False),
        ('{program = "chmod", args_any = ["glob:*+*s*"]}', "chmod u$x y", False),
        ('{program = "curl", args_any = ["glob:-d@**"]}', "curl -d@$x", True),
        ('{program = "rm", args_all = ["/etc"]}', "rm -rf /*", True),
        ('{program = "rm", args_all = ["/etc"]}', "rm -rf *", False),
        ('{args_any = ["glob:**/.env"]}', "cat *", False),
        ('{args_any = ["glob:**/.env"]}', "cat /srv/*/.env", True),
        ('{args_any = ["glob:**/.env"]}', "cat /srv/*", False),
        ('{argv = ["git", "push"]}', "git $x", False),
        ('{argv = ["git", "glob:**"]}', "git $x", True),
        ('{argv = ["git", "push", "..."]}', "git push $x", True),
        ('{argv = ["git", "push"]}', "git push $x", False),
    ],
)
def test_rule_that_does_not_guess_matches_words_as_they_look(entry: str, line: str, expected: bool) -> None:
    text = f'[[rule]]\nid = "r"\nverdict = "deny"\ncomputed = false\nmatch = [{entry}]\n'
    judged = parse_policy([Source(label="policy.toml", text=text)]).judge_alone(facts(line))
    assert judged.rules == (("r",) if expected else ())
