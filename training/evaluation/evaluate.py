"""From an artefact and a file of labelled papers to a report: read → ask → measure → write."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import tables
from model_store.cpus import usable_cpus
from model_store.manifest import Manifest
from model_store.store import LATEST, MANIFEST, Artefact, Store
from training.data.corpus import read_labelled
from training.data.papers import LabelledPaper
from training.errors import DataError
from training.evaluation.answers import Answers, ask
from training.evaluation.comparison import compare, in_order
from training.evaluation.confusion import confusion
from training.evaluation.figures import Data, Evaluation, LabelFigures, Subject
from training.evaluation.measures import RESAMPLES, Measures, figures, headline, per_label, sampled
from training.evaluation.mistakes import write_mistakes
from training.evaluation.page import page
from training.evaluation.reliability import curve, reliability
from training.evaluation.slices import slices, statuses


@dataclass(frozen=True)
class Question:
    """What is to be evaluated on what."""

    artefact: Artefact
    data: Path
    against: Artefact | None = None
    seed: int = 0


def open_artefact(name: str, store: Store) -> Artefact:
    """An artefact by its folder, or one in the store by NAME, NAME/VERSION, or a version of the default name.

    ArtefactError if it is none of these, or not whole.
    """
    folder = Path(name)
    if (folder / MANIFEST).exists():
        return Artefact(folder)
    first, _, version = name.partition("/")
    if version or first in store.names():
        return store.open(first, version or LATEST)
    return store.open(version=name)


def evaluate(question: Question, output: Path, threads: int | None = None) -> Evaluation:
    """Ask the artefact about every paper; write report.html, figures.json and mistakes.csv into `output`.

    Raises DataError if the file is not labelled with the artefact's labels, ArtefactError if the
    artefact is not whole or computes other scores here than where it was published.
    """
    manifest = question.artefact.manifest
    names = tuple(label.name for label in manifest.labels)
    papers, counts = read_labelled(question.data, names, _categories(question.data, manifest))
    answers = _answers(question.artefact, papers, threads or usable_cpus())
    found = _measure(question, papers, answers, counts)
    if question.against is not None:
        other = in_order(
            _answers(question.against, papers, threads or usable_cpus()), question.against.manifest.labels,
            manifest.labels,
        )  # fmt: skip
        versus = compare(answers, other, _subject(question.against), manifest.labels, question.seed)
        found = found.model_copy(update={"comparison": versus})
    output.mkdir(parents=True, exist_ok=True)
    write_mistakes(output / "mistakes.csv", papers, answers, manifest.labels)
    (output / "figures.json").write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (output / "report.html").write_text(page(found), encoding="utf-8")
    return found


def table(found: Evaluation) -> str:
    """The figures that matter most, for a terminal."""
    width = max(len(label.name) for label in found.labels)
    lines = [f"{found.artefact.name} {found.artefact.version}, {found.papers} papers of {found.data.file}", ""]
    lines += [f"{'':{width}}  papers  precision  recall     F1  (95 % interval)   average precision"]
    for label in found.labels:
        measured = [label.precision.value, label.recall.value, label.f1.value]
        precision, recall, f1 = (value or 0.0 for value in measured)
        average = "–" if label.average_precision.value is None else f"{label.average_precision.value:.3f}"
        lines.append(
            f"{label.name:{width}}  {label.support:6}  {precision:9.3f}  {recall:6.3f}  {f1:5.3f}  "
            f"({label.f1.low or 0:.3f} to {label.f1.high or 0:.3f})  {average:>17}"
        )
    lines.append("")
    for key, figure in found.headline.items():
        if figure.value is not None:
            lines.append(f"{key:32} {figure.value:.4f}  ({figure.low:.4f} to {figure.high:.4f})")
    return "\n".join(lines) + "\n"


def _answers(artefact: Artefact, papers: list[LabelledPaper], threads: int) -> Answers:
    # A thread per paper and none within: papers side by side are what the service runs, too.
    classifier = artefact.classifier()
    artefact.golden().replay(classifier)
    return ask(classifier, papers, threads)


def _measure(question: Question, papers: list[LabelledPaper], answers: Answers, counts: dict[str, int]) -> Evaluation:
    manifest, seed = question.artefact.manifest, question.seed
    found = figures(*sampled(Measures(answers), len(answers), seed))
    truth, given, scores = answers.truth, answers.decisions, answers.scores
    return Evaluation(
        artefact=_subject(question.artefact),
        data=_data(question.data, manifest, counts),
        resamples=RESAMPLES,
        seed=seed,
        papers=len(answers),
        truncated=int(answers.truncated.sum()),
        headline=headline(found),
        labels=[
            LabelFigures(
                id=label.id,
                name=label.name,
                threshold=label.threshold,
                title_threshold=label.title_threshold,
                support=int(truth[:, i].sum()),
                given=int(given[:, i].sum()),
                **per_label(found, i),
                reliability=reliability(truth[:, i], scores[:, i]),
                curve=curve(truth[:, i], scores[:, i]),
            )
            for i, label in enumerate(manifest.labels)
        ],
        slices=slices(papers, answers, seed),
        statuses=statuses(answers, seed),
        confusion=confusion(answers),
        mistakes=int((truth != given).sum()),
    )


def _subject(artefact: Artefact) -> Subject:
    return Subject(name=artefact.manifest.name, version=artefact.manifest.version, sha256=artefact.sha256)


def _data(path: Path, manifest: Manifest, counts: dict[str, int]) -> Data:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made_from = manifest.provenance.data.items()
    same = [name for name, facts in made_from if isinstance(facts, dict) and facts.get("sha256") == digest]
    return Data(file=path.name, sha256=digest, counts=counts, part_of=Path(same[0]).name if same else None)


def _categories(path: Path, manifest: Manifest) -> dict[str, tuple[str, ...]] | None:
    """Label → archives as the artefact's own run had it; DataError if the file needs it and there is none."""
    config = tomllib.loads(manifest.provenance.config)
    found: dict[str, tuple[str, ...]] | None = config.get("data", {}).get("categories")
    columns = {column.strip().lower() for column in next(tables.read(path)).cells}
    if found is None and "categories" in columns:
        raise DataError(
            f"{path}: has a column 'categories', but the run that made {manifest.name} {manifest.version} has no "
            "[data.categories] to read it by; give a column of 0 and 1 per label instead, and none named 'categories'"
        )
    return found
