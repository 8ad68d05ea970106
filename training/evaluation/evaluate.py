"""Evaluates an artefact on a file of labelled papers: read, predict, measure, write the report."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import tables
from model_store.cpus import usable_cpus
from model_store.manifest import Manifest
from model_store.store import LATEST, MANIFEST, Artefact, Store
from training.data.cleaning import Counts
from training.data.corpus import read_labelled
from training.data.papers import LabelledPaper
from training.errors import DataError
from training.evaluation.bootstrap import RESAMPLES, WeightedMetrics, estimates, headline, per_label, resampled
from training.evaluation.comparison import compare, in_order
from training.evaluation.confusion import confusion
from training.evaluation.html_report import render_report
from training.evaluation.mistakes import write_mistakes
from training.evaluation.predictions import Predictions, predict
from training.evaluation.reliability import curve, reliability
from training.evaluation.schemas import ArtefactRef, Dataset, Evaluation, LabelEvaluation
from training.evaluation.slices import slices, statuses


@dataclass(frozen=True)
class EvaluationRequest:
    """An artefact, the file to evaluate it on, and an artefact to compare it with."""

    artefact: Artefact
    data: Path
    against: Artefact | None = None
    seed: int = 0


def open_artefact(name: str, store: Store) -> Artefact:
    """An artefact by its folder, or one in the store by NAME, NAME/VERSION, or a version of the default name.

    Raises ArtefactError if it is none of these, or damaged.
    """
    folder = Path(name)
    if (folder / MANIFEST).exists():
        return Artefact(folder)
    first, _, version = name.partition("/")
    if version or first in store.names():
        return store.open(first, version or LATEST)
    return store.open(version=name)


def labelled_papers(artefact: Artefact, path: Path) -> tuple[list[LabelledPaper], Counts]:
    """The papers of a file with the labels of an artefact, and the counts of the cleaning; errors as of `evaluate`."""
    names = tuple(label.name for label in artefact.manifest.labels)
    return read_labelled(path, names, _categories(path, artefact.manifest))


def evaluate(request: EvaluationRequest, output: Path, threads: int | None = None) -> Evaluation:
    """Predict the labels of every paper; write report.html, figures.json and mistakes.csv into `output`.

    Raises DataError if the file is not labelled with the artefact's labels, ArtefactError if the
    artefact is damaged or computes other scores here than where it was published.
    """
    manifest = request.artefact.manifest
    papers, counts = labelled_papers(request.artefact, request.data)
    predictions = _predictions(request.artefact, papers, threads or usable_cpus())
    evaluation = _measure(request, papers, predictions, counts)
    if request.against is not None:
        other = in_order(
            _predictions(request.against, papers, threads or usable_cpus()), request.against.manifest.labels,
            manifest.labels,
        )  # fmt: skip
        comparison = compare(predictions, other, _reference(request.against), manifest.labels, request.seed)
        evaluation = evaluation.model_copy(update={"comparison": comparison})
    output.mkdir(parents=True, exist_ok=True)
    write_mistakes(output / "mistakes.csv", papers, predictions, manifest.labels)
    (output / "figures.json").write_text(evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (output / "report.html").write_text(render_report(evaluation), encoding="utf-8")
    return evaluation


def table(evaluation: Evaluation) -> str:
    """The most important metrics, for a terminal."""
    width = max(len(label.name) for label in evaluation.labels)
    artefact = evaluation.artefact
    lines = [f"{artefact.name} {artefact.version}, {evaluation.papers} papers of {evaluation.data.file}", ""]
    lines += [f"{'':{width}}  papers  precision  recall     F1  (95 % interval)   average precision"]
    for label in evaluation.labels:
        measured = [label.precision.value, label.recall.value, label.f1.value]
        precision, recall, f1 = (value or 0.0 for value in measured)
        average = "–" if label.average_precision.value is None else f"{label.average_precision.value:.3f}"
        lines.append(
            f"{label.name:{width}}  {label.support:6}  {precision:9.3f}  {recall:6.3f}  {f1:5.3f}  "
            f"({label.f1.low or 0:.3f} to {label.f1.high or 0:.3f})  {average:>17}"
        )
    lines.append("")
    for key, estimate in evaluation.headline.items():
        if estimate.value is not None:
            lines.append(f"{key:32} {estimate.value:.4f}  ({estimate.low:.4f} to {estimate.high:.4f})")
    return "\n".join(lines) + "\n"


def _predictions(artefact: Artefact, papers: list[LabelledPaper], threads: int) -> Predictions:
    # One thread per paper, as in the service.
    classifier = artefact.classifier()
    artefact.golden().replay(classifier)
    return predict(classifier, papers, threads)


def _measure(
    request: EvaluationRequest, papers: list[LabelledPaper], predictions: Predictions, counts: dict[str, int]
) -> Evaluation:
    manifest, seed = request.artefact.manifest, request.seed
    metrics = estimates(*resampled(WeightedMetrics(predictions), len(predictions), seed))
    truth, given, scores = predictions.truth, predictions.decisions, predictions.scores
    return Evaluation(
        artefact=_reference(request.artefact),
        data=_data(request.data, manifest, counts),
        resamples=RESAMPLES,
        seed=seed,
        papers=len(predictions),
        truncated=int(predictions.truncated.sum()),
        headline=headline(metrics),
        labels=[
            LabelEvaluation(
                id=label.id,
                name=label.name,
                threshold=label.threshold,
                title_threshold=label.title_threshold,
                support=int(truth[:, i].sum()),
                given=int(given[:, i].sum()),
                **per_label(metrics, i),
                reliability=reliability(truth[:, i], scores[:, i]),
                curve=curve(truth[:, i], scores[:, i]),
            )
            for i, label in enumerate(manifest.labels)
        ],
        slices=slices(papers, predictions, seed),
        statuses=statuses(predictions, seed),
        confusion=confusion(predictions),
        mistakes=int((truth != given).sum()),
    )


def _reference(artefact: Artefact) -> ArtefactRef:
    return ArtefactRef(name=artefact.manifest.name, version=artefact.manifest.version, sha256=artefact.sha256)


def _data(path: Path, manifest: Manifest, counts: dict[str, int]) -> Dataset:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    unused = _unused(manifest)
    made_from = {name: facts for name, facts in manifest.provenance.data.items() if name not in unused}
    same = [name for name, facts in made_from.items() if isinstance(facts, dict) and facts.get("sha256") == digest]
    return Dataset(file=path.name, sha256=digest, counts=counts, part_of=Path(same[0]).name if same else None)


def _unused(manifest: Manifest) -> set[str]:
    """Files that the run of an artefact read without learning or choosing by them: test and held-out papers."""
    config = tomllib.loads(manifest.provenance.config)
    data, own = config.get("data", {}), [made for made in config.get("publish", ()) if made["name"] == manifest.name]
    sources = [*config.get("pretrain", {}).get("texts", ()), *config.get("ngrams", {}).get("train", ())]
    used = {made.get("validation") for made in own} | {source["path"] for source in sources}
    return {str(Path(file)) for file in (data.get("test"), *data.get("held_out", ())) if file and file not in used}


def _categories(path: Path, manifest: Manifest) -> dict[str, tuple[str, ...]] | None:
    """Archives by label, from the configuration of the artefact's run; DataError if the file needs them.

    Where the labels are not those of the run, the artefact was made of the run's finer categories: each is its own.
    """
    config = tomllib.loads(manifest.provenance.config)
    found: dict[str, tuple[str, ...]] | None = config.get("data", {}).get("categories")
    columns = {column.strip().lower() for column in next(tables.read(path)).cells}
    if found is None and "categories" in columns:
        raise DataError(
            f"{path}: has a column 'categories', but the run that made {manifest.name} {manifest.version} has no "
            "[data.categories] to read it by; give a column of 0 and 1 per label instead, and none named 'categories'"
        )
    own: dict[str, tuple[str, ...]] = {label.name: (label.name,) for label in manifest.labels}
    return found if found is None or own.keys() == found.keys() else own
