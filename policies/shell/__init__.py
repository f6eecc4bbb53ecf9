"""Turn shell statements into facts, without any network.

analyse(source) is the whole of it: facts.py of the library above names what comes out. grammar.py parses, walk.py
finds the commands, programs.py knows what well-known programs do with their words, doubt.py says when the second
parser must agree, second.py asks it. assembler.py cuts a stream of input into statements first.
"""

from policies.facts import Facts, Flag
from policies.shell.analyse import MAX_STATEMENT_BYTES, quick
from policies.shell.doubt import doubtful
from policies.shell.second import agreed

__all__ = ["MAX_STATEMENT_BYTES", "agreed", "analyse", "doubtful", "quick"]


def analyse(source: bytes | str) -> Facts:
    """Return the facts of a statement, by both parsers where the first may be wrong; that one waits for a process."""
    data = source.encode("utf-8", "surrogateescape") if isinstance(source, str) else source
    facts = quick(data)
    if Flag.UNPARSED in facts.flags or not doubtful(data):
        return facts
    return agreed(data, facts)
