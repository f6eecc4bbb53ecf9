"""Turn one shell statement into facts where there is time to ask the second parser.

In      the bytes of a statement
Out     Facts; `unparsed` where the two parsers differ
Source  docs/policies.md, Facts
"""

from __future__ import annotations

from policies.facts import Facts
from policies.shell.analyse import quick
from policies.shell.doubt import doubtful
from policies.shell.second import agreed


def facts_of(source: bytes) -> Facts:
    """Return the facts; where the first parser may be wrong this waits for the second, some milliseconds."""
    facts = quick(source)
    return agreed(source, facts) if doubtful(source) else facts
