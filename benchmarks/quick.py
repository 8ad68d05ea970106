"""A quick check of the speed: this service beside torch's dynamic int8 and its own graph in a loop.

    python -m benchmarks.quick ../shared/data/papers_test.csv.gz     (make bench-quick)

Takes about three minutes once the environments exist. Prints the ratios with their targets and the verdict, which
is also the exit status. Other programs on the same processors distort it, so it is not a test.
"""

import sys
import tempfile
from collections.abc import Sequence

from benchmarks.peers.__main__ import compare, parser
from benchmarks.peers.peer import LOOP, SERVICE, TORCH_INT8
from benchmarks.peers.report import completed, verdict_table, verdicts_of

_LOAD = ("--rounds", "2", "--seconds", "3", "--answers", "0")


def main(arguments: Sequence[str]) -> int:
    """0 if all targets are met, 1 if one is missed, 2 if a participant cannot be measured."""
    with tempfile.TemporaryDirectory() as folder:
        names = [option for name in (SERVICE, TORCH_INT8, LOOP) for option in ("--peer", name)]
        options = parser().parse_args([*_LOAD, *names, "--output", folder, *arguments])
        options.rate = []
        turns = compare(options).read()
    failed = [f"{turn['peer']}: {turn['failed']}" for turn in turns if "failed" in turn]
    found = verdicts_of(completed(turns))
    print("\n".join([*failed, *verdict_table(found)]))
    missed = [verdict.target for verdict in found if not verdict.is_met]
    print(f"targets missed: {', '.join(missed)}" if missed else "all targets met")
    return 2 if failed else int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
