"""The tables of a comparison, from its turns."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.peer import LOOP, SERVICE, SERVICE_WITHOUT_EXITS
from benchmarks.peers.plan import CLIENTS
from benchmarks.peers.plots import draw_closed, draw_open
from benchmarks.peers.targets import Verdict, verdicts

_COLUMNS = (
    "peer", "p50 at 1 client, ms", "p99 at 16, ms", "papers/s at 1", "4", "16", "64", "titles: p50 at 1, ms",
    "titles/s at 16", "first answer, s", "MB at start", "MB under load", "installed MB", "micro-F1", "errors",
)  # fmt: skip


class Results(NamedTuple):
    """The completed turns of one participant."""

    name: str
    note: str
    turns: Sequence[dict[str, Any]]

    def median(self, *keys: str) -> float:
        """Over the turns, of the value behind these keys; NaN where it was not measured."""
        return float(np.median([_at(turn, keys) for turn in self.turns]))

    @property
    def errors(self) -> int:
        """In all closed loops."""
        return sum(
            load["errors"] for turn in self.turns for kind in ("closed", "titles") for load in turn[kind].values()
        )


def write_report(folder: Path) -> None:
    """Write table.md, closed.png and open.png into the folder that holds turns.jsonl and machine.json."""
    turns = [json.loads(line) for line in (folder / "turns.jsonl").read_text().splitlines()]
    machine = json.loads((folder / "machine.json").read_text())
    results = completed(turns)
    failed = {turn["peer"]: turn["failed"] for turn in turns if turn["peer"] not in results}
    rounds = max((len(found.turns) for found in results.values()), default=0)
    turns_of_each = "one turn of each" if rounds == 1 else f"medians of {rounds} turns of each"
    lines = [f"{', '.join(machine.values())}; {turns_of_each}.", ""]
    lines += _table(_COLUMNS, map(_cells, results.values()))
    lines += ["", *(f"{name}: not measured ({reason}).  " for name, reason in failed.items())]
    lines += ["", *_latencies(results), "", *_open_loops(results), "", *verdict_table(verdicts_of(results))]
    (folder / "table.md").write_text("\n".join(lines) + "\n")
    draw_closed({name: _rates(found) for name, found in results.items()}, folder / "closed.png")
    draw_open({name: _open(found) for name, found in results.items()}, folder / "open.png")


def completed(turns: Iterable[dict[str, Any]]) -> dict[str, Results]:
    """The results by participant, in the order of their first turns."""
    found: dict[str, Results] = {}
    for turn in turns:
        if "failed" not in turn:
            earlier = found.get(turn["peer"], Results(turn["peer"], turn["note"], ()))
            found[turn["peer"]] = earlier._replace(turns=[*earlier.turns, turn])
    return found


def _cells(found: Results) -> list[str]:
    return [
        f"{found.name} ({found.note})" if found.note else found.name,
        _number(found.median("closed", "1", "p50"), 1),
        _number(found.median("closed", "16", "p99")),
        *(_number(found.median("closed", str(clients), "per_second"), 1) for clients in CLIENTS),
        _number(found.median("titles", "1", "p50"), 1),
        _number(found.median("titles", "16", "per_second")),
        _number(found.median("first_answer_s"), 1),
        _number(found.median("resident_at_start_mb")),
        _number(found.median("resident_mb")),
        _number(found.median("installed_mb")),
        _number(found.median("micro_f1"), 3),
        str(found.errors),
    ]


def _latencies(results: dict[str, Results]) -> list[str]:
    header = ["p50 / p95 / p99, ms", *(f"clients: {clients}" for clients in CLIENTS)]
    rows = (
        [name, *(_percentiles(found, str(clients)) for clients in CLIENTS)]
        for name, found in results.items()
        if _is_server(found)
    )
    return _table(header, rows)


def _percentiles(found: Results, clients: str) -> str:
    return " / ".join(_number(found.median("closed", clients, key)) for key in ("p50", "p95", "p99"))


def _is_server(found: Results) -> bool:
    """A loop has callers, not clients, at most as many as there are processors."""
    return all(str(clients) in found.turns[0]["closed"] for clients in CLIENTS)


def _open_loops(results: dict[str, Results]) -> list[str]:
    rates = sorted({rate for found in results.values() for rate, *_ in _open(found)})
    header = ["open loop: p50 / p99, ms (answers/s)", *(f"{rate:g}/s" for rate in rates)]
    rows = []
    for name, found in results.items():
        cells = {
            rate: f"{_number(p50)} / {_number(p99)} ({_number(answers)})" for rate, p50, p99, answers in _open(found)
        }
        if cells:
            rows.append([name, *(cells.get(rate, "–") for rate in rates)])
    return _table(header, rows)


def _open(found: Results) -> list[tuple[float, float, float, float]]:
    """Rate, p50, p99 and answers a second of each open loop."""
    rates = sorted({rate for turn in found.turns for rate in turn["open"]}, key=float)
    keys = ("p50", "p99", "per_second")
    return [(float(rate), *(found.median("open", rate, key) for key in keys)) for rate in rates]  # type: ignore[misc]


def _rates(found: Results) -> list[tuple[int, float]]:
    """Clients and papers a second of each closed loop with abstracts."""
    clients = sorted(map(int, found.turns[0]["closed"]))
    return [(number, found.median("closed", str(number), "per_second")) for number in clients]


def verdict_table(found: Sequence[Verdict]) -> list[str]:
    """The lines of a Markdown table."""
    rows = [[one.target, one.bound, _number(one.value, 3), "met" if one.is_met else "missed"] for one in found]
    return _table(["target", "bound", "measured", ""], rows)


def verdicts_of(results: dict[str, Results]) -> list[Verdict]:
    """Which targets these results meet."""

    def value(name: str, *keys: str) -> float:
        return results[name].median(*keys) if name in results else float("nan")

    others = [
        name for name, found in results.items() if _is_server(found) and name not in (SERVICE, SERVICE_WITHOUT_EXITS)
    ]
    callers = max((int(callers) for callers in results[LOOP].turns[0]["closed"]), default=1) if LOOP in results else 1
    return verdicts(value, others, callers)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(header), _line(["---"] * len(header)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float, digits: int = 0) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _at(turn: Any, keys: Sequence[str]) -> float:
    for key in keys:
        turn = turn.get(key) if isinstance(turn, dict) else None
    return float("nan") if turn is None else float(turn)
