"""Table and pictures of a comparison, from its results."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

_CLIENTS = ("1", "4", "16", "64")
_COLUMNS = (
    "peer", "p50 at 1 client", "p99 at 16", "papers/s at 1", "4", "16", "64", "titles/s at 16",
    "first answer s", "MB at start", "MB under load", "installed MB", "micro-F1", "errors",
)  # fmt: skip


def write_report(folder: Path) -> None:
    """Write table.md and throughput.png into the folder that holds results.jsonl, machine.json and missing.json."""
    rows = _by_peer(folder / "results.jsonl")
    machine = json.loads((folder / "machine.json").read_text())
    missing = json.loads((folder / "missing.json").read_text())
    rounds = max(len(found) for found in rows.values())
    lines = [", ".join(machine.values()) + f"; medians of {rounds} rounds, milliseconds, papers per second.", ""]
    lines += [_line(_COLUMNS), _line("---" for _ in _COLUMNS)]
    lines += [_line(_cells(name, found)) for name, found in rows.items()]
    lines += ["", *(f"{name}: not measured ({why})." for name, why in missing.items())]
    lines += _open_loops(rows)
    (folder / "table.md").write_text("\n".join(lines) + "\n")
    _draw(rows, folder / "throughput.png")


def _by_peer(results: Path) -> dict[str, list[dict[str, Any]]]:
    rows = defaultdict(list)
    for line in results.read_text().splitlines():
        found = json.loads(line)
        rows[found["peer"]].append(found)
    return rows


def _cells(name: str, found: list[dict[str, Any]]) -> list[str]:
    def median(*keys: str) -> float:
        return float(np.median([_at(one, keys) for one in found]))

    errors = sum(load["errors"] for one in found for load in one["closed"].values())
    return [
        f"{name} ({found[0]['note']})" if found[0]["note"] else name,
        f"{median('closed', '1', 'p50'):.1f}",
        f"{median('closed', '16', 'p99'):.0f}",
        *(f"{median('closed', clients, 'per_second'):.1f}" for clients in _CLIENTS),
        f"{median('titles', '16', 'per_second'):.0f}",
        f"{median('first_answer_s'):.1f}",
        f"{median('resident_at_start_mb'):.0f}",
        f"{median('resident_mb'):.0f}",
        f"{median('installed_mb'):.0f}",
        f"{median('micro_f1'):.3f}",
        str(errors),
    ]


def _at(found: Any, keys: tuple[str, ...]) -> float:
    for key in keys:
        found = found[key]
    return float(found)


def _open_loops(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    rates = sorted({rate for found in rows.values() for one in found for rate in one["open"]}, key=float)
    if not rates:
        return []
    header = ["open loop: p99 in ms (answers/s, errors)", *(f"{float(rate):g}/s" for rate in rates)]
    lines = ["", _line(header), _line("---" for _ in header)]
    for name, found in rows.items():
        cells = [name]
        for rate in rates:
            loads = [one["open"][rate] for one in found if rate in one["open"]]
            p99, answers = (np.median([load[key] for load in loads]) for key in ("p99", "per_second"))
            cells.append(f"{p99:.0f} ({answers:.0f}, {sum(load['errors'] for load in loads)})")
        lines.append(_line(cells))
    return lines


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _draw(rows: dict[str, list[dict[str, Any]]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name, found in rows.items():
        rates = [np.median([one["closed"][clients]["per_second"] for one in found]) for clients in _CLIENTS]
        axes.plot([int(clients) for clients in _CLIENTS], rates, marker="o", label=name)
    axes.set(xscale="log", xlabel="clients", ylabel="papers per second", ylim=(0, None))
    axes.set_xticks([int(clients) for clients in _CLIENTS], _CLIENTS)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
