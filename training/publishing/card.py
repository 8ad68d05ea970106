"""The model card: the manifest told to people, in Markdown."""

from model_store.manifest import Calibration, CalibrationError, Manifest, Quality, Scope, TitleQuality

LABELS = "labels.png"
RELIABILITY = "reliability.png"
"""Pictures that the card shows, to be kept beside it; `training.report` draws them."""


def card(manifest: Manifest) -> str:
    """Everything a user should know before relying on the artefact."""
    q, rule, cost = manifest.quality, manifest.uncertain, manifest.quantization
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"Gives every paper (title and abstract) one independent probability per subject. Fine-tuned from "
        f"`{manifest.provenance.base_encoder}`, licence {manifest.licence}, made {manifest.created}.",
        "## Quality\n\n"
        f"Measured on {q.papers} validation papers with this very file and its own thresholds, which were chosen "
        f"on the same papers{_aim(manifest)}.{_held_out(q)}\n\n{_headline(q)}\n\n{_per_label(manifest)}\n\n"
        f"![F1 by label]({LABELS})",
        f"## What a probability is worth\n\n{_calibration(manifest.calibration)}\n\n![reliability]({RELIABILITY})",
        *([f"## Titles without abstracts\n\n{_titles(q.titles)}"] if q.titles else []),
        "## When a person should look\n\n"
        f"A paper is marked *uncertain* if no label reaches its threshold or if one lies closer to it than "
        f"{rule.margin:.2f} in log-odds. Of the validation papers that is {rule.share:.1%}; of those, "
        f"{rule.error_rate_uncertain:.1%} have at least one wrong label, of the others {rule.error_rate_ok:.1%}.",
        *([f"## What is out of scope\n\n{_scope(manifest.scope)}"] if manifest.scope else []),
        "## Quantization\n\n"
        f"{cost.scheme}. {manifest.files['model.onnx'].bytes / 1e6:.1f} MB instead of {cost.bytes_fp32 / 1e6:.1f} MB. "
        f"Micro-F1 {q.micro_f1:.4f} against {cost.micro_f1_fp32:.4f} in fp32; {cost.flipped:.1%} of papers get another "
        f"decision; the largest change of any score is {cost.largest_change:.2f}.",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in manifest.limits or ("None stated.",)),
        "## Data\n\n" + "\n".join(f"- {_file(name, facts)}" for name, facts in manifest.provenance.data.items()),
        f"## How it was made\n\n```toml\n{manifest.provenance.config.strip()}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _headline(q: Quality) -> str:
    low, high = q.micro_f1_interval
    rows = [
        ("micro-F1", "micro_f1", f"{q.micro_f1:.4f} (95 % interval {low:.3f} to {high:.3f})"),
        ("macro-F1", "macro_f1", f"{q.macro_f1:.4f}"),
        ("mean average precision", "mean_average_precision", f"{q.mean_average_precision:.4f}"),
        ("all labels right", "subset_accuracy", f"{q.subset_accuracy:.1%}"),
        ("Hamming loss", "hamming_loss", f"{q.hamming_loss:.4f}"),
    ]
    baseline = q.baseline or {}
    lines = ["| | this model | TF-IDF with logistic regression, same papers |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {_number(baseline.get(key))} |" for name, key, value in rows]
    return "\n".join(lines)


def _aim(manifest: Manifest) -> str:
    aim = manifest.aim
    return " for the best F1 of each label" if aim.at_least is None else f" for a precision of at least {aim.at_least}"


def _held_out(q: Quality) -> str:
    if q.micro_f1_held_out is None:
        return ""
    return f" With thresholds chosen on other papers than they are measured on, micro-F1 is {q.micro_f1_held_out:.4f}."


def _calibration(calibration: Calibration) -> str:
    rows = [f"| {_method(name, calibration)} | {_errors(error)} |" for name, error in calibration.compared.items()]
    if calibration.chance:
        rows.append(f"| perfect probabilities, by chance | {_errors(calibration.chance)} |")
    return (
        f"Calibrated by the method *{calibration.method}*, inside the graph. Expected calibration error (15 bins, mean "
        "over labels), each fifth of the validation papers calibrated on the others:\n\n"
        "| method | bins of equal width | of equally many papers |\n|---|---|---|\n" + "\n".join(rows)
    )


def _method(name: str, calibration: Calibration) -> str:
    return f"**{name}**, as shipped" if name == calibration.method else name


def _errors(error: CalibrationError) -> str:
    return f"{error.equal_width:.4f} | {error.equal_mass:.4f}"


def _titles(titles: TitleQuality) -> str:
    better = "own" if titles.micro_f1_own > titles.micro_f1_common else "common"
    return (
        f"Without their abstracts the same papers get a micro-F1 of {titles.micro_f1:.4f} and a mean average precision "
        f"of {titles.mean_average_precision:.4f}; the calibration error is {titles.calibration_error:.4f}. "
        f"They are decided by {better} thresholds: {titles.micro_f1_own:.4f} with their own, "
        f"{titles.micro_f1_common:.4f} with those of papers with abstracts, both chosen on other papers."
    )


def _scope(scope: Scope) -> str:
    rows = [f"| {kind} | {found.texts} | {found.caught:.0%} |" for kind, found in sorted(scope.kinds.items())]
    rows.append(f"| **all of these** | {scope.caught.texts} | {scope.caught.caught:.1%} |")
    if scope.near_misses:
        rows.append(
            f"| near misses: scholarly, other fields | {scope.near_misses.texts} | {scope.near_misses.caught:.0%} |"
        )
    return (
        "A text is marked *out of scope* if it reads less like the training papers than nearly all papers do: by the "
        f"Mahalanobis distance of layer {scope.layer}'s mean hidden state, held against what is usual at its length. "
        "Nothing but training papers taught it that. It keeps its labels, for the few papers it is wrong about: of "
        f"held-out validation papers {scope.false_alarms:.1%} are marked, without "
        f"abstracts {scope.title_false_alarms:.1%}. Of texts that are no papers (training/out_of_scope, testing half):"
        "\n\n"
        "| kind | texts | marked |\n|---|---|---|\n" + "\n".join(rows)
    )


def _per_label(manifest: Manifest) -> str:
    lines = [
        "| label | papers | threshold | title alone | precision | recall | F1 (95 % interval) | average precision |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label in manifest.labels:
        q = manifest.quality.per_label[label.id]
        lines.append(
            f"| {label.name} | {q.support} | {label.threshold:.3f} "
            f"| {label.threshold_for(title_only=True):.3f} | {q.precision:.3f} | {q.recall:.3f} "
            f"| {q.f1:.3f} ({q.f1_interval[0]:.3f} to {q.f1_interval[1]:.3f}) | {q.average_precision:.3f} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _file(name: str, facts: object) -> str:
    counts = facts if isinstance(facts, dict) else {}
    return f"`{name}`: " + ", ".join(f"{key} {value}" for key, value in counts.items() if key != "sha256")
