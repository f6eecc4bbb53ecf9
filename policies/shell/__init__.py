"""Turn shell statements into facts, without any network.

analyse(source) is the whole of it: facts.py of the library above names what comes out. grammar.py parses, walk.py
finds the commands, programs.py knows what well-known programs do with their words, doubt.py says when the second
parser must agree, second.py asks it.
"""

from policies.shell.analyse import MAX_STATEMENT_BYTES, quick

__all__ = ["MAX_STATEMENT_BYTES", "quick"]
