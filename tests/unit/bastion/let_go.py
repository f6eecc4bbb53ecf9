"""Watch whether what has ended is let go of in that moment, without a collection.

What is part of a circle stays in memory, with its keys, until a collection; that takes the loop longer the more it
finds (L11).

Out     watched: the objects of some kinds that there are still; `gone` waits until there is none
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Kept = weakref.WeakSet[object]


@contextmanager
def watched(*kinds: type) -> Iterator[Kept]:
    """Yield what there is of these kinds, of all that is made meanwhile; nothing is collected."""
    kept: Kept = weakref.WeakSet()
    gc.disable()
    try:
        with ExitStack() as patches:
            for kind in kinds:
                patches.enter_context(patch.object(kind, "__init__", _noting(kind, kept)))
            yield kept
    finally:
        gc.enable()


def _noting(kind: Any, kept: Kept) -> Any:
    begin = kind.__init__

    def noted(self: object, *words: object, **options: object) -> None:
        kept.add(self)
        begin(self, *words, **options)

    return noted


async def gone(kept: Kept) -> None:
    """Wait until nothing is left."""
    async with asyncio.timeout(10):
        while kept:
            await asyncio.sleep(0.005)
