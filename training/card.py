"""The model card: the manifest told to people, in Markdown."""

from model_store.manifest import Manifest, Quality


def card(manifest: Manifest) -> str:
    """Everything a user should know before relying on the artefact."""
    q, rule, cost = manifest.quality, manifest.uncertain, manifest.quantization
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"Gives every paper (title and abstract) one independent probability per subject. Fine-tuned from "
        f"`{manifest.provenance.base_encoder}`, licence {manifest.licence}, made {manifest.created}.",
        "## Quality\n\n"
        f"Measured on {q.papers} validation papers with this very file and its own thresholds, which were chosen "
        f"on the same papers.\n\n{_headline(q)}\n\n{_per_label(manifest)}",
        "## When a person should look\n\n"
        f"A paper is marked *uncertain* if no label reaches its threshold or if one lies closer to it than "
        f"{rule.margin:.2f} in log-odds. Of the validation papers that is {rule.share:.1%}; of those, "
        f"{rule.error_rate_uncertain:.1%} have at least one wrong label, of the others {rule.error_rate_ok:.1%}.",
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


def _per_label(manifest: Manifest) -> str:
    lines = [
        "| label | papers | threshold | precision | recall | F1 (95 % interval) | average precision |",
        "|---|---|---|---|---|---|---|",
    ]
    for label in manifest.labels:
        q = manifest.quality.per_label[label.id]
        lines.append(
            f"| {label.name} | {q.support} | {label.threshold:.3f} | {q.precision:.3f} | {q.recall:.3f} "
            f"| {q.f1:.3f} ({q.f1_interval[0]:.3f} to {q.f1_interval[1]:.3f}) | {q.average_precision:.3f} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _file(name: str, facts: object) -> str:
    counts = facts if isinstance(facts, dict) else {}
    return f"`{name}`: " + ", ".join(f"{key} {value}" for key, value in counts.items() if key != "sha256")
