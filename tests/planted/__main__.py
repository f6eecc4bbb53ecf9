"""Run the whole campaign: each cut near each planted secret, and many random splits of the stream.

    python -m tests.planted [--splits 1000] [--part 1/2]

Out     what came of it, on standard output; exit status 1 if anything came through or changed
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.planted.stream import planted
from tests.planted.trial import cuts_that_fail, let_through, masked, splits


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--splits", type=int, default=1000, help="how many random splits of the whole")
    parser.add_argument("--part", default="1/1", help="which part of how many, to use several cores")
    given = parser.parse_args()
    part, parts = (int(word) for word in given.part.split("/"))
    began, failed = time.process_time(), 0
    data, places = planted()
    whole = masked(data)
    lost = let_through(data, whole[1], places)
    detectors = len({place.detector for place in places})
    print(
        f"{len(data)} bytes, {len(places)} secrets of {detectors} detectors, {len(lost)} let through",
        flush=True,
    )
    failed += len(lost)
    cut = 0
    for number, place in enumerate(places):
        if number % parts == part - 1:
            wrong = list(cuts_that_fail(data, place))
            cut += 1
            for at in wrong:
                print(
                    f"cut at {at}: {place.detector}, {place.form}, from {place.start} to {place.end}",
                    flush=True,
                )
            failed += len(wrong)
    print(
        f"{cut} secrets cut at each place from 64 bytes before to 64 after each end: {failed} differ",
        flush=True,
    )
    split = 0
    for number, cuts in enumerate(splits(len(data), given.splits)):
        if number % parts == part - 1:
            split += 1
            if masked(data, cuts) != whole:
                failed += 1
                print(f"split {number} of seed 11 differs", flush=True)
    took_s = time.process_time() - began
    print(f"{split} random splits of the whole; {failed} failures in all; {took_s:.0f} s of CPU")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
