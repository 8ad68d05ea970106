"""The measured costs of papers, and the file that they are stored in."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

COSTS = Path(__file__).parent / "costs.json"


class PaperCost(NamedTuple):
    """One measured paper."""

    units: int
    """Its cost before it is read, as admission control estimates it: `app.inference.admission.cost_of`."""
    seconds: tuple[float, ...]
    """How long a worker takes for it while one, two, … workers of the instance are busy, this one included."""


@dataclass(frozen=True)
class Costs:
    """Measured costs, and the command, machine and artefact they come from."""

    command: str
    machine: str
    artefact: str
    start_s: float
    """From the start of the process to the first `/readyz` with status 200."""
    rejection_s: float
    """Processor time of one answer with status 429."""
    overhead_s: float
    """The time of an answer without that of its worker."""
    papers: tuple[PaperCost, ...]

    @property
    def workers(self) -> int:
        """Workers of the measured instance."""
        return len(self.papers[0].seconds)

    @property
    def capacity(self) -> float:
        """Papers a second of one instance all of whose workers are busy."""
        return self.workers / (sum(paper.seconds[-1] for paper in self.papers) / len(self.papers))

    @classmethod
    def read(cls, path: Path = COSTS) -> Self:
        """Read what `write` has written."""
        document = json.loads(path.read_text())
        papers = tuple(PaperCost(units, tuple(seconds)) for units, *seconds in document.pop("papers"))
        return cls(papers=papers, **document)

    def write(self, path: Path) -> None:
        """Write a JSON document with one paper a line."""
        document = asdict(self) | {"papers": []}
        lines = ",\n".join(json.dumps([paper.units, *(round(s, 5) for s in paper.seconds)]) for paper in self.papers)
        path.write_text(json.dumps(document, indent=2).replace("[]", f"[\n{lines}\n]") + "\n")
