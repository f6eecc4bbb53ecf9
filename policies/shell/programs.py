"""Say what a command means by its words: what it starts, touches, and changes.

In      one command of a Walk, and where it reads from
Out     findings: commands that it starts, files, hosts, flags
Source  docs/policies.md, Facts
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Sequence

from policies.facts import Flag, Word
from policies.shell.code import CODE, Code, code_in, scripts_in
from policies.shell.containers import CONTAINERS, is_one_word
from policies.shell.definitions import defined, is_grave
from policies.shell.findings import Found
from policies.shell.hosts import hosts
from policies.shell.meaning import Programs, Stdin
from policies.shell.options import Takes, given
from policies.shell.places import modes, places
from policies.shell.quiet import leaves_input
from policies.shell.roles import ROLES
from policies.shell.started import (
    LIKE_SUDO,
    OTHER_SHELLS,
    SHELLS,
    Started,
    likely,
    put_in,
    shell_script,
    splits,
)
from policies.shell.starters import starts
from policies.shell.streams import certain_output, takes_input
from policies.shell.walk import Walk

_SWITCHES = frozenset({"shopt", "enable", "bind", "fc", "history", "suspend", "logout"})
_PRIVILEGED = LIKE_SUDO | {
    "newgrp",
    "sg",
    "nsenter",
    "chroot",
    "machinectl",
    "setpriv",
    "run0",
    "systemd-run",
}
_VERSION = re.compile(r"[\d.]+\Z")
_JOB = re.compile(r"^[ \t]*(?:@\w+|(?:[\w*~][\w*~/,-]*[ \t]+){4}[\w*~/,-]+)[ \t]+([^\n]+)", re.MULTILINE)
_INPUT = ("/dev/stdin", "/dev/fd/", "/proc/")
_DEVICE = re.compile(r"/proc/|/dev/(?!null\Z|shm/)")
_BARE_SUDO = frozenset({"su", "sudo"})
_CONFUSED = (
    "CYRILLIC",
    "GREEK",
    "FULLWIDTH",
    "MATHEMATICAL",
    "CHEROKEE",
    "ARMENIAN",
    "LATIN SMALL LETTER DOTLESS",
)


class KnownPrograms(Programs):
    """The programs that this library knows."""

    def understand(self, walk: Walk, place: int, words: list[Word], stdin: Stdin) -> None:
        """Note what follows from the words of the command at `place`."""
        fed, self.fed = self.fed, None
        file, self.file = self.file, None
        findings = walk.findings
        program = words[0]
        findings.commands[place].said = certain_output(words, fed)
        if program.form != "literal":
            findings.flag(Flag.OPAQUE, "the program is known at run time only", place)
            if stdin == "channel":
                _may_read(walk, place, program.text)
            if program.form != "computed" or not program.prefix:
                return
        text = program.text if program.literal else program.prefix
        if not text.isascii() or not text.isprintable():
            _hidden(walk, place, text)
        name = text.rpartition("/")[2]
        if name in _PRIVILEGED:
            findings.flag(Flag.PRIVILEGED, f"{name} gives other rights", place)
        self._changes(walk, place, name, words, stdin, fed)
        if name == "exec":
            self._exec(walk, place, words, stdin, fed, file)
        named: list[Word] = []
        for mode, word in places(name, words):
            named.append(word)
            if "r" in mode:
                findings.read(word, place)
            if "w" in mode:
                findings.write(word, place)
        for word in hosts(name, words):
            findings.contact(word, place)
        for word in words[1:]:
            if word.form == "computed" and splits(word) and word not in named and not is_one_word(word):
                self._may_name(walk, place, name, put_in(word))
        if name in SHELLS or name in OTHER_SHELLS:
            self._shell(walk, place, name, words, stdin, fed)
            return
        code = CODE.get(_VERSION.sub("", name))
        if code is not None:
            self._code(walk, place, code, words, stdin, fed, file)
        if name in ("at", "batch"):
            self._job(walk, place, name, words, stdin, fed)
        if name == "crontab" and takes_input(name, words):
            self._jobs(walk, place, stdin, fed, file)
        started = starts(name, words) or ()
        self._starts(walk, place, name, started, stdin, fed, file)
        if stdin == "channel":
            attached = name in CONTAINERS and any(one.stdin and one.words for one in started)
            if attached or takes_input(name, words):
                findings.flag(Flag.READS_STDIN, f"{name} takes the input that follows", place)
            elif not leaves_input(name, words, starts=bool(started)):
                _may_read(walk, place, program.text)

    def _may_name(self, walk: Walk, place: int, name: str, word: Word) -> None:
        """Note the files of a word that may become several, options among them."""
        kinds = modes(name)
        if "r" in kinds:
            walk.findings.read(word, place)
        if "w" in kinds:
            walk.findings.write(word, place)

    def said(self, commands: Sequence[Found]) -> str | None:
        """Return what a part of a pipeline writes, if it is one command and that is certain."""
        return commands[0].said if len(commands) == 1 else None

    # What the shell itself does.

    def _changes(
        self, walk: Walk, place: int, name: str, words: list[Word], stdin: Stdin, fed: str | None
    ) -> None:
        findings = walk.findings
        literal = [word.text for word in words[1:] if word.literal]
        if name == "cd" or name == "pushd":
            targets = [word for word in words[1:] if not (word.text.startswith("-") and len(word.text) > 1)]
            target = targets[0] if targets else Word("~")
            if not target.literal or target.text == "-" or name == "pushd":
                findings.cwd = ""
            else:
                findings.cwd = posixpath.normpath(posixpath.join(findings.cwd, target.text))
            findings.sure_of_cwd = True
        elif name in ("alias", "unalias", "unset", "export", "declare", "typeset", "readonly", "local"):
            for what in defined(words):
                findings.define(what, place)
        elif name == "trap" and len(words) > 2:
            findings.define("trap", place)
        elif name in _SWITCHES and not (name == "history" and not literal) and words[1:]:
            findings.flag(Flag.SWITCHES_INPUT, f"{name} changes how the shell reads", place)
        elif name == "set":
            if any(re.fullmatch(r"[-+][a-zA-Z]*[HkrstmbBhpP][a-zA-Z]*", text) for text in literal) or any(
                re.fullmatch(r"histexpand|keyword|restricted|history|vi|emacs|posix|privileged|stdin", text)
                for text in literal
            ):
                findings.flag(Flag.SWITCHES_INPUT, "set changes how the shell reads", place)
        elif name == "hash":
            if any(text.startswith("-p") for text in literal):
                findings.flag(Flag.SWITCHES_INPUT, "hash -p gives a program another place", place)
        elif name in ("source", "."):
            self._source(walk, place, words)
        elif name in ("read", "mapfile", "readarray", "getopts", "printf", "let"):
            for word in words[1:]:
                if is_grave(word.text) and (name != "printf" or "-v" in literal):
                    findings.define(word.text, place)
        elif name == "env":
            for word in words[1:]:
                if "=" in word.text and is_grave(word.text.partition("=")[0]):
                    findings.define(word.text.partition("=")[0], place)
        elif name in LIKE_SUDO:
            for word in words[1:]:
                if re.match(r"[A-Za-z_]\w*=", word.text) and is_grave(word.text.partition("=")[0]):
                    findings.define(word.text.partition("=")[0], place)
        if name in ("nohup", "setsid", "disown", "at", "batch", "bg", "daemonize") or (
            name == "screen" and "-dm" in " ".join(literal)
        ):
            findings.flag(Flag.BACKGROUND, f"{name} goes on beside what follows", place)

    def _exec(
        self, walk: Walk, place: int, words: list[Word], stdin: Stdin, fed: str | None, file: Word | None
    ) -> None:
        """Note what exec means that names no program: a shell whose script is its input goes on in that file."""
        operands = given(words[1:], Takes("a")).operands
        # A number is one of a descriptor, which the grammar takes for a word.
        if operands and not re.fullmatch(r"\d+|\{\w+\}", operands[0].text):
            return
        walk.findings.flag(Flag.SWITCHES_INPUT, "exec changes where the shell reads and writes", place)
        if stdin == "text" and fed is not None:
            walk.nested(fed, place)
        elif stdin == "text":
            walk.findings.flag(Flag.OPAQUE, "the shell reads on from a text that is computed", place)
        elif file is not None and file.text != "/dev/null":
            walk.starts([Word("."), file], place, "file")

    def _source(self, walk: Walk, place: int, words: list[Word]) -> None:
        findings = walk.findings
        for word in words[1:2]:
            if not self._is_there(walk, word):
                findings.flag(Flag.OPAQUE, f"what {words[0].text} runs is known at run time only", place)

    # Programs that run other code.

    def _shell(
        self, walk: Walk, place: int, name: str, words: list[Word], stdin: Stdin, fed: str | None
    ) -> None:
        findings = walk.findings
        options, script, file = shell_script(words)
        if name in OTHER_SHELLS and (script is not None or file is None):
            findings.flag(Flag.INTERPRETER, f"{name} reads a language that is not parsed", place)
        if script is not None:
            if not script.literal:
                findings.flag(Flag.OPAQUE, "the script is known at run time only", place)
                if script.form == "computed" and not script.prefix.strip():
                    return
            self._nested(walk, script if script.literal else Word(script.text), place, stdin)
            self._likely(walk, (script,), place, stdin)
        elif file is not None:
            if not (options.has("n") and not options.has("i")) and not self._is_there(walk, file):
                findings.flag(Flag.OPAQUE, "the script is known at run time only", place)
            findings.read(file, place)
            if stdin == "channel":
                _may_read(walk, place, file.text)
        else:
            self._reads_script(walk, place, name, stdin, fed)

    def _reads_script(self, walk: Walk, place: int, name: str, stdin: Stdin, fed: str | None) -> None:
        """Note that a program runs the shell script that stands on its input."""
        if stdin == "channel":
            walk.findings.flag(Flag.READS_STDIN, f"{name} takes the input that follows", place)
        elif fed is not None:
            self._nested(walk, Word(fed), place, "file")
        else:
            walk.findings.flag(Flag.OPAQUE, "the script that a shell reads is known at run time only", place)

    def _code(
        self,
        walk: Walk,
        place: int,
        code: Code,
        words: list[Word],
        stdin: Stdin,
        fed: str | None,
        file: Word | None,
    ) -> None:
        findings = walk.findings
        found = given(words[1:], code.takes, stop=not code.mixed, single=code.single)
        operands = found.operands
        texts = code_in(code, found)
        for text in texts:
            if not text.literal or not code.harmless(text.text):
                findings.flag(Flag.INTERPRETER, f"code in {code.language}", place)
                if text.form == "computed" and code.first and not code.behind and not text.prefix:
                    findings.flag(Flag.OPAQUE, "the code is known at run time only", place)
            for script in scripts_in(text.text, code):
                self._nested(walk, Word(script), place, "file", certain=False)
        named = found.values(*code.files)
        for path in named:
            if path.text != "-" and not self._is_there(walk, path):
                findings.flag(Flag.OPAQUE, f"the {code.language} script is known at run time only", place)
        if texts and not code.both:
            return
        if any(path.text == "-" or path.text.startswith(_INPUT) for path in named):
            self._code_on_input(walk, place, code, stdin, fed, file)
        elif found.has(*code.files, *code.away) or (code.first and not code.input):
            pass
        elif not operands or operands[0].text == "-" or code.input:
            if not found.has(*code.quiet) and not (stdin == "channel" and (code.plus or texts)):
                self._code_on_input(walk, place, code, stdin, fed, file)
        elif code.scripts:
            if not found.has(*code.quiet) and not self._is_there(walk, operands[0]):
                findings.flag(Flag.OPAQUE, f"the {code.language} script is known at run time only", place)
            findings.read(operands[0], place)

    def _code_on_input(
        self, walk: Walk, place: int, code: Code, stdin: Stdin, fed: str | None, file: Word | None
    ) -> None:
        """Note that a program reads code from its input."""
        if fed is not None and code.harmless(fed):
            return
        if code.input and file is not None and self._is_there(walk, file):
            return  # as by an option that names it
        walk.findings.flag(Flag.INTERPRETER, f"{code.language} reads code from its input", place)
        if stdin == "channel":
            walk.findings.flag(Flag.READS_STDIN, f"{code.language} takes the input that follows", place)
        for script in scripts_in(fed or "", code):
            self._nested(walk, Word(script), place, "file", certain=False)

    def _is_there(self, walk: Walk, file: Word) -> bool:
        """Say whether a file is named, and was there before the statement."""
        path = posixpath.normpath(posixpath.join(walk.findings.cwd, file.text))
        written = {touch.value.text for touch in walk.findings.writes}
        return file.literal and path not in written and _DEVICE.match(path) is None

    def _job(
        self, walk: Walk, place: int, name: str, words: list[Word], stdin: Stdin, fed: str | None
    ) -> None:
        """Note the job that at is given, on its input or in a file."""
        if stdin != "channel" and takes_input(name, words):
            self._reads_script(walk, place, name, stdin, fed)
        if not all(self._is_there(walk, file) for file in given(words[1:], ROLES[name].takes).values("f")):
            walk.findings.flag(Flag.OPAQUE, "the job is known at run time only", place)

    def _jobs(self, walk: Walk, place: int, stdin: Stdin, fed: str | None, file: Word | None) -> None:
        """Note the jobs of a table that stands on the input of crontab."""
        for job in _JOB.findall(fed or ""):
            self._nested(walk, Word(job), place, "file", certain=False)
        if fed is None and stdin != "channel" and (file is None or not self._is_there(walk, file)):
            walk.findings.flag(Flag.OPAQUE, "the jobs are known at run time only", place)

    def _nested(
        self,
        walk: Walk,
        script: Word,
        place: int,
        stdin: Stdin,
        *,
        certain: bool = True,
        reads: str | None = None,
    ) -> None:
        unparsed = Flag.UNPARSED in walk.findings.flags
        walk.nested(script.text, place, stdin, reads)
        if not certain and not unparsed and Flag.UNPARSED in walk.findings.flags:
            walk.findings.flags.discard(
                Flag.UNPARSED
            )  # a guess at a script in code that is called `interpreter` already
            walk.findings.why.pop(Flag.UNPARSED, None)
            walk.findings.commands[place].flags.discard(Flag.UNPARSED)

    def _likely(self, walk: Walk, parts: Sequence[Word], place: int, stdin: Stdin) -> None:
        """Read a script with values in it, which is `opaque`, also as what it most likely is."""
        if (text := likely(parts)) is not None:
            scripts = len(walk.findings.scripts)
            self._nested(walk, Word(text), place, stdin, certain=False)
            del walk.findings.scripts[scripts:]  # no other parser need agree with a guess

    def _starts(
        self,
        walk: Walk,
        place: int,
        name: str,
        started: Sequence[Started],
        stdin: Stdin,
        fed: str | None,
        file: Word | None,
    ) -> None:
        findings = walk.findings
        for one in started:
            inner: Stdin = stdin if one.stdin else "file"
            self.file = file if one.stdin else None
            if name == "xargs":
                inner = "file"
            if one.script is not None:
                if one.script.form == "computed":
                    findings.flag(
                        Flag.OPAQUE, f"the script that {name} runs is known at run time only", place
                    )
                self._nested(walk, one.script, place, inner, reads=fed if inner in ("text", "pipe") else None)
                self._likely(walk, one.parts or (one.script,), place, inner)
                continue
            if not one.words:
                continue
            self.fed = fed if inner in ("text", "pipe") else None
            if name == "xargs" and one.words[-1].form == "computed" and len(one.words) > 1:
                base = posixpath.basename(one.words[0].text)
                script = shell_script(list(one.words))[1]
                if base in SHELLS and (script is None or not script.literal):
                    findings.flag(Flag.OPAQUE, "xargs hands a shell what it reads", place)
            if name == "xargs" and len(one.words) == 1:
                continue
            walk.starts(one.words, place, inner)
            self.fed = None
        self.file = None


def _may_read(walk: Walk, place: int, program: str) -> None:
    walk.findings.flag(
        Flag.MAY_READ_STDIN,
        f"{program} is not known to leave the input that follows alone; with </dev/null it does",
        place,
    )


def _hidden(walk: Walk, place: int, text: str) -> None:
    for char in text:
        if not char.isascii() and (
            not char.isprintable()
            or unicodedata.name(char, "").startswith(_CONFUSED)
            or unicodedata.normalize("NFKC", char).isascii()
        ):
            walk.findings.flag(Flag.HIDDEN, f"U+{ord(char):04X} in the name of a program", place)
            return
