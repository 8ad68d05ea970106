"""The model card: the manifest as Markdown for people (Mitchell et al. 2019, Model Cards for Model Reporting)."""

from collections.abc import Sequence

from model_store.labels import Label
from model_store.manifest import Calibration, CalibrationError, Exit, Manifest, Quality, Scope, TitleQuality

LABELS = "labels.png"
RELIABILITY = "reliability.png"
"""Plots in the card, kept beside it; drawn by `training.publishing.artefact_plots`."""

# A longer table is folded, so that the sections below it are found.
_OPEN_ROWS = 30
_NONE = "–"
_UNMEASURED = (
    "Never measured: no labelled papers were given when this artefact was published. How well it finds labels, and "
    "whether its probabilities are right, is not known."
)
_FIGURES = (
    ("micro_f1", "micro-F1"),
    ("macro_f1", "macro-F1"),
    ("mean_average_precision", "mean average precision"),
    ("subset_accuracy", "all labels right"),
    ("hamming_loss", "Hamming loss"),
    ("calibration_error", "expected calibration error"),
    ("most_probable", "most probable label is right"),
    ("primary_first", "primary label is the most probable"),
    ("primary_among_five", "primary label is among the five most probable"),
)


def card(manifest: Manifest) -> str:
    """Everything a user should know before relying on the artefact."""
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"Gives every paper (title and abstract) an independent probability for each of {len(manifest.labels)} labels. "
        f"{_origin(manifest)}, licence {manifest.licence}, made {manifest.created}.",
        *(_measured(manifest, manifest.quality) if manifest.quality else [f"## Quality\n\n{_UNMEASURED}"]),
        f"## Uncertain papers\n\n{_uncertain(manifest)}",
        *([f"## Out of scope\n\n{_scope(manifest.scope)}"] if manifest.scope else []),
        *([f"## Early exits\n\n{_exits(manifest.exits)}"] if manifest.exits else []),
        f"## Quantization\n\n{_quantization(manifest)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in manifest.limits or ("None stated.",)),
        f"## Data\n\n{_data(manifest)}",
        f"## How it was made\n\n```toml\n{manifest.provenance.config.strip()}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _origin(manifest: Manifest) -> str:
    made = manifest.provenance
    if made.imported is None:
        return f"Fine-tuned from `{made.base_encoder}`"
    return f"Imported from `{made.base_encoder}`, a {made.imported} that was fine-tuned elsewhere"


def _measured(manifest: Manifest, q: Quality) -> list[str]:
    return [
        f"## Quality\n\n{_quality(manifest, q)}",
        f"## Calibration\n\n{_calibration(manifest.calibration)}\n\n![reliability]({RELIABILITY})",
        *([f"## Titles without abstracts\n\n{_titles(manifest, q.titles)}"] if q.titles else []),
    ]


def _quality(manifest: Manifest, q: Quality) -> str:
    if manifest.test:
        introduction = (
            f"Measured with this very file on {manifest.test.papers} test papers, used for no choice, and on "
            f"{q.papers} validation papers, also used to choose thresholds{_aim(manifest)}{_exits_and(manifest)} "
            "calibration."
        )
    else:
        introduction = (
            f"Measured with this very file on {q.papers} validation papers, also used to choose the thresholds"
            f"{_aim(manifest)}{_exits_and(manifest)} the calibration: expect a little less on other papers."
        )
    if q.micro_f1_held_out is not None:
        introduction += (
            f" With thresholds chosen on other validation papers than they are measured on, micro-F1 is "
            f"{q.micro_f1_held_out:.4f}."
        )
    return f"{introduction}\n\n{_headline(manifest, q)}\n\n{_per_label(manifest, q)}\n\n![F1 by label]({LABELS})"


def _headline(manifest: Manifest, q: Quality) -> str:
    columns: list[tuple[str, Sequence[str]]] = []
    if manifest.test:
        columns.append(("test papers", _column(manifest.test)))
    columns.append(("validation papers", _column(q)))
    if q.baseline:
        cells = [_number(q.baseline.get(key)) for key, _ in _FIGURES]
        columns.append(("TF-IDF with logistic regression, validation papers", cells))
    lines = ["| | " + " | ".join(name for name, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row, (_, name) in enumerate(_FIGURES):
        cells = [column[row] for _, column in columns]
        if any(cell != _NONE for cell in cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _column(q: Quality) -> list[str]:
    cells = [_number(getattr(q, key)) for key, _ in _FIGURES]
    low, high = q.micro_f1_interval
    return [f"{cells[0]} (95 % interval {low:.3f} to {high:.3f})", *cells[1:]]


def _aim(manifest: Manifest) -> str:
    aim = manifest.aim
    return " for the best F1 of each label" if aim.at_least is None else f" for a precision of at least {aim.at_least}"


def _exits_and(manifest: Manifest) -> str:
    return ", early exits and" if manifest.exits else " and"


def _per_label(manifest: Manifest, quality: Quality) -> str:
    lines = [
        "| label | papers | threshold | title alone | precision | recall | F1 (95 % interval) | average precision |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label in manifest.labels:
        q = quality.per_label[label.id]
        lines.append(
            f"| {_name(label)} | {q.support}{' (few)' if label.few_papers else ''} | {label.threshold:.3f} "
            f"| {label.threshold_for(title_only=True):.3f} | {q.precision:.3f} | {q.recall:.3f} "
            f"| {q.f1:.3f} ({q.f1_interval[0]:.3f} to {q.f1_interval[1]:.3f}) | {q.average_precision:.3f} |"
        )
    table = "By label, on the validation papers:\n\n" + "\n".join(lines)
    if len(manifest.labels) <= _OPEN_ROWS:
        return table
    return f"<details><summary>All {len(manifest.labels)} labels</summary>\n\n{table}\n\n</details>"


def _name(label: Label) -> str:
    name = f"{label.name}: {label.title}" if label.title else label.name
    return name.replace("|", "\\|")


def _calibration(calibration: Calibration) -> str:
    rows = [f"| {_method(name, calibration)} | {_errors(error)} |" for name, error in calibration.compared.items()]
    if calibration.chance:
        rows.append(f"| perfect probabilities, by chance | {_errors(calibration.chance)} |")
    return (
        f"Calibrated by the method *{calibration.method}*, inside the graph. Expected calibration error (15 bins, mean "
        "over labels), each fifth of the validation papers calibrated on the others:\n\n"
        "| method | bins of equal width | bins of equally many papers |\n|---|---|---|\n" + "\n".join(rows)
    )


def _method(name: str, calibration: Calibration) -> str:
    return f"**{name}**, as shipped" if name == calibration.method else name


def _errors(error: CalibrationError) -> str:
    return f"{error.equal_width:.4f} | {error.equal_mass:.4f}"


def _titles(manifest: Manifest, titles: TitleQuality) -> str:
    own = any(label.title_threshold is not None for label in manifest.labels)
    return (
        f"Without their abstracts the validation papers get a micro-F1 of {titles.micro_f1:.4f} and a mean average "
        f"precision of {titles.mean_average_precision:.4f}; the calibration error is {titles.calibration_error:.4f}. "
        f"They are decided by {'thresholds of their own' if own else 'the thresholds of whole papers'}: micro-F1 is "
        f"{titles.micro_f1_own:.4f} with their own and {titles.micro_f1_common:.4f} with those of whole papers, both "
        "chosen on other papers."
    )


def _uncertain(manifest: Manifest) -> str:
    rule = manifest.uncertain
    text = (
        "A paper is marked *uncertain*, for a person to check, if no label reaches its threshold or if one is closer "
        f"to it than {rule.margin:.2f} in log-odds."
    )
    if rule.share is None or rule.error_rate_uncertain is None or rule.error_rate_ok is None:
        return text
    return (
        f"{text} Of the validation papers that is {rule.share:.1%}; of those, {rule.error_rate_uncertain:.1%} have at "
        f"least one wrong label, of the others {rule.error_rate_ok:.1%}."
    )


def _scope(scope: Scope) -> str:
    rows = [f"| {kind} | {found.texts} | {found.caught:.0%} |" for kind, found in sorted(scope.kinds.items())]
    rows.append(f"| **all of these** | {scope.caught.texts} | {scope.caught.caught:.1%} |")
    if scope.near_misses:
        rows.append(f"| scholarly, of other fields | {scope.near_misses.texts} | {scope.near_misses.caught:.0%} |")
    return (
        "A text is marked *out of scope* if it is less like the training papers than nearly all papers are, by the "
        f"Mahalanobis distance of the mean state of layer {scope.layer} from those of training papers of its length"
        f"{', and by what the detector learned from texts of other kinds and fields' if scope.outliers else ''}. "
        f"It still gets labels. Of held-out validation papers {scope.false_alarms:.1%} are marked, without abstracts "
        f"{scope.title_false_alarms:.1%}. Of texts that are not papers (training/out_of_scope, testing half):"
        "\n\n"
        "| kind | texts | marked |\n|---|---|---|\n" + "\n".join(rows)
    )


def _exits(exits: Sequence[Exit]) -> str:
    layers = sum(exit_.share * exit_.layer for exit_ in exits)
    rows = [
        f"| {exit_.layer} | {exit_.share:.1%} | {'–' if exit_ is exits[-1] else f'{exit_.margin:.2f}'} "
        f"| {_number(exit_.micro_f1)} |"
        for exit_ in exits
    ]
    return (
        "A paper exits after a layer if all its scores there are at least a margin away from their thresholds, in "
        f"log-odds. On average a paper passes {layers:.2f} of {exits[-1].layer} layers. Fractions are those of "
        "validation papers with margins chosen on others; the last column is micro-F1 if all exited there.\n\n"
        "| layer | papers that exit | margin | micro-F1 |\n|---|---|---|---|\n" + "\n".join(rows)
    )


def _quantization(manifest: Manifest) -> str:
    cost = manifest.quantization
    size = sum(entry.bytes for name, entry in manifest.files.items() if name.endswith(".onnx"))
    loss = ""
    if cost.micro_f1_fp32 is not None and cost.micro_f1_int8 is not None:
        # Not the published micro-F1: its thresholds may be drawn towards a common one, which fp32's are not.
        loss = (
            f"With the best thresholds for each, micro-F1 is {cost.micro_f1_int8:.4f} against {cost.micro_f1_fp32:.4f} "
            "in fp32; "
        )
    return (
        f"{cost.scheme}. {size / 1e6:.1f} MB instead of {cost.bytes_fp32 / 1e6:.1f} MB. {loss}{cost.flipped:.1%} of "
        f"papers get another decision; the largest change of any score is {cost.largest_change:.2f}."
    )


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}"


def _data(manifest: Manifest) -> str:
    lines = [f"- {_file(name, facts)}" for name, facts in manifest.provenance.data.items()]
    if manifest.provenance.imported:
        lines.insert(0, "- The papers that the model was fine-tuned on are not known here.")
    return "\n".join(lines)


def _file(name: str, facts: object) -> str:
    counts = facts if isinstance(facts, dict) else {}
    return f"`{name}`: " + ", ".join(f"{key} {value}" for key, value in counts.items() if key != "sha256")
