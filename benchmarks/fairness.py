"""Fairness: how long an ordinary paper waits beside requests that are as expensive as the limits allow.

    python -m benchmarks.fairness [--seconds 10]

One client sends an abstract, one after another, to a service of its own: alone, beside three clients
with batches of 1 MB of rare words, beside three with full batches of abstracts, and beside three that
ask for explanations. All of them send the next request as soon as they get an answer. Prints a Markdown table:
median and slowest answer of the ordinary paper, and how many expensive requests were answered.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.settings import Settings
from tests.app.load import Caller, Reply, request, run
from tests.app.running import Running, running

_PAPER = {
    "title": "A quantum algorithm",
    "abstract": 16 * "We prove a theorem about a particle in a noisy network of spins. ",
}
_NEIGHBOURS = 3
_LONGEST = 100_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each load (default: %(default)s)")
    parser.add_argument("--artefacts", type=Path, default=Settings().artefacts, help="default: the bundled ones")
    options = parser.parse_args(arguments)
    batch = {"papers": [{"title": "x", "abstract": _rare_words(_LONGEST)}] * 10}
    neighbours: dict[str, bytes | None] = {
        "nobody": None,
        "batches of 1 MB of rare words": request("/classify/batch", batch),
        "batches of 64 abstracts": request("/classify/batch", {"papers": [_PAPER] * 64}),
        "explanations": request("/explain", _PAPER),
    }
    print("| beside | ordinary papers | refused | median, s | slowest, s | expensive requests answered |")
    print("|---|---|---|---|---|---|")
    for name, expensive in neighbours.items():
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), artefacts=options.artefacts) as service:
            ordinary, others = run(_side_by_side(service, expensive, options.seconds))
        times = [reply.seconds for reply in ordinary if reply.status == 200]
        refused = sum(reply.status == 429 for reply in ordinary)
        answered = sum(reply.status == 200 for reply in others)
        waits = f"{statistics.median(times):.3f} | {max(times):.3f}" if times else "– | –"
        print(f"| {name} | {len(times)} | {refused} | {waits} | {answered} |", flush=True)


async def _side_by_side(service: Running, expensive: bytes | None, seconds: float) -> tuple[list[Reply], list[Reply]]:
    end = time.monotonic() + 1 + seconds

    async def repeat(asked: bytes, wait_s: float) -> list[Reply]:
        caller, replies = Caller(service.port), []
        await asyncio.sleep(wait_s)
        while time.monotonic() < end:
            replies.append(await caller.send(asked))
            if replies[-1].status != 200:
                await asyncio.sleep(0.2)
        caller.close()
        return replies

    neighbours: list[Any] = [repeat(expensive, 0.0) for _ in range(_NEIGHBOURS)] if expensive else []
    ordinary, *others = await asyncio.gather(repeat(request("/classify", _PAPER), 1.0), *neighbours)
    return ordinary, [reply for replies in others for reply in replies]


def _rare_words(chars: int) -> str:
    chance = random.Random(1)  # noqa: S311
    letters = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=chars))
    return " ".join(letters[i : i + 7] for i in range(0, chars, 8))[:chars]


if __name__ == "__main__":
    main()
