"""`papers serve`, `doctor` and `models`, and the help that teaches them."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.machine import read_machine
from cli.terminal import Terminal
from model_store.processor import missing_features
from model_store.store import Store
from tests import builders
from tests.app.running import ROOT, Running, environment
from tests.cli.command import Command

X86 = "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni\n\nprocessor : 1\nflags : none\n"
ARM = "processor : 0\nFeatures\t: fp asimd asimddp\n\n"


def damage(artefacts: Path) -> None:
    with (artefacts / "tiny-subjects" / "1.0.0" / "model.onnx").open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("command", [[], ["serve"], ["classify"], ["doctor"], ["models"]])
def test_help_has_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"  papers {' '.join(command)}" in capsys.readouterr().out


def test_the_doctor_passes_the_tiny_artefact(papers: Command) -> None:
    ran = papers("doctor", "--seconds", "0.1")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "fine"
    assert "golden     2 papers as recorded" in ran.out


def test_the_doctor_reports_as_json(papers: Command) -> None:
    report = json.loads(papers("doctor", "--json", "--seconds", "0.1").out)
    assert report["speed"]["papers_per_s"] > 0
    assert report["golden"]["largest_difference"] <= report["golden"]["tolerance"]
    assert set(report["artefact"]["files"]) == {"model.onnx", "tokenizer.json", "golden.json", "CARD.md"}
    assert report["machine"]["threads"] >= 1
    assert report["wrong"] is None


def test_the_doctor_reports_a_damaged_file(papers: Command, artefacts: Path) -> None:
    damage(artefacts)
    ran = papers("doctor")
    assert ran.status == 1
    assert "WRONG      " in ran.out
    assert "model.onnx has" in ran.out


def test_the_doctor_notices_other_scores_than_recorded(papers: Command, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.publish(builders.manifest(), builders.files(model=builders.graph(pull=6.0)))
    ran = Command(other.root)("doctor")
    assert ran.status == 1
    assert "checksums fine" in ran.out
    assert "this machine computes other scores" in ran.out


@pytest.mark.parametrize("seconds", ["0", "nan", "601"])
def test_a_measurement_of_no_or_endless_time_is_refused(papers: Command, seconds: str) -> None:
    assert "expected more than 0" in papers("doctor", "--seconds", seconds).err


def test_features_that_matter_to_int8_are_read(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(X86)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    machine = read_machine(tmp_path / "cpuinfo", tmp_path, "x86_64")
    assert machine.features == {"avx2": True, "avx512_vnni": True, "avx_vnni": False, "amx_int8": False}
    assert (machine.processor, machine.quota, machine.fast_int8) == ("Some CPU", 2, True)
    (tmp_path / "cpuinfo").write_text(ARM)
    assert read_machine(tmp_path / "cpuinfo", tmp_path, "aarch64").features == {"asimddp": True, "i8mm": False}
    unknown = read_machine(tmp_path / "nowhere", tmp_path / "nowhere")
    assert (unknown.features, unknown.quota, unknown.fast_int8) == (None, None, None)


def test_the_list_of_models_states_the_quality_that_was_measured(tmp_path: Path) -> None:
    quality = builders.manifest().quality
    assert quality is not None
    builders.publish(tmp_path, "1.0.0", quality=None)
    builders.publish(tmp_path, "1.1.0")
    builders.publish(tmp_path, "1.2.0", test=quality.model_copy(update={"micro_f1": 0.8}))
    lines = Command(tmp_path)("models", "list").out.splitlines()
    facts = ["quality not measured", "micro-F1 0.900 on validation papers", "micro-F1 0.800 on test papers"]
    assert [line.split(", ")[2] for line in lines] == facts


def test_models_are_listed_verified_and_described(papers: Command, artefacts: Path) -> None:
    builders.publish(artefacts, "1.1.0")
    listed = papers("models", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["1.0.0", "1.1.0"]
    assert "tiny-subjects, 3 labels, micro-F1 0.900" in listed[0]
    assert papers("models", "verify").out.count("fine: 4 files, 2 golden papers") == 2
    assert papers("models", "card").out.startswith("# Tiny subjects")
    assert json.loads(papers("models", "card", "1.0.0", "--json").out)["version"] == "1.0.0"


def test_a_damaged_model_is_reported(papers: Command, artefacts: Path) -> None:
    builders.publish(artefacts, "1.1.0")
    damage(artefacts)
    ran = papers("models", "verify")
    assert ran.status == 1
    assert [line.split()[1] for line in ran.out.splitlines()] == ["FAILED:", "fine:"]
    assert papers("models", "list").status == 1
    assert papers("models", "verify", "1.1.0").status == 0


def test_an_empty_store_is_reported(papers: Command, tmp_path: Path) -> None:
    assert "there is no artefact in" in Command(tmp_path / "empty")("models", "list").err
    assert "no artefact of version '3.0.0'" in papers("models", "card", "3.0.0").err


def test_serve_is_the_service_itself(artefacts: Path, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--artefacts", str(artefacts)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(port=1), stderr=stream)
    try:
        service = Running(process, log)
        with service.client() as client:
            assert client.post("/classify", json={"title": "a star"}).json()["labels"] == ["Physics"]
        service.signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)


def test_serve_reports_a_bad_setting_as_the_service_does(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "serve", "--port", "many"]
    ran = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "PAPERS_PORT is 'many'" in ran.stderr


@pytest.mark.parametrize(
    ("entry", "foreign"),
    [
        ("cli.classify", {"httpx", "pyarrow", "openpyxl", "bibtexparser", "fastapi", "torch"}),
        ("cli.remote", {"pyarrow", "fastapi", "torch"}),
    ],
)
def test_extras_are_imported_only_where_they_are_used(entry: str, foreign: set[str]) -> None:
    program = f"import {entry}, sys; print(*({foreign} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


OLD = "processor : 0\nmodel name\t: Common KVM processor\nflags\t\t: fpu sse2 cx16 popcnt lahf_lm\n\n"
V2 = "processor : 0\nflags\t\t: fpu sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3\n\n"


def test_an_old_processor_is_reported_before_numpy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(OLD)
    missing = missing_features(tmp_path / "old", "x86_64")
    assert missing == ["sse4_1", "sse4_2", "ssse3"]
    terminal = Terminal(tmp_path, io.StringIO(), io.StringIO())
    assert main(["doctor"], terminal, missing=missing) == 2
    assert str(terminal.err.getvalue()) == (  # type: ignore[attr-defined]
        "papers: this processor lacks sse4_1, sse4_2, ssse3 and is below x86-64-v2, which numpy and onnxruntime need; "
        "in a virtual machine, set the CPU type to host or x86-64-v2\n"
    )
    program = (
        "import sys; from cli.__main__ import main; "
        "print(main(['doctor'], missing=['ssse3']), *({'numpy', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2"]


def test_a_sufficient_or_unknown_processor_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "new").write_text(V2)
    (tmp_path / "arm").write_text(ARM)
    assert missing_features(tmp_path / "new", "x86_64") == []
    assert missing_features(tmp_path / "arm", "aarch64") == []
    assert missing_features(tmp_path / "nowhere", "x86_64") == []


def test_a_model_is_chosen_by_its_name(papers: Command, artefacts: Path) -> None:
    Store(artefacts).publish(builders.manifest("3.0.0", name="other-subjects"), builders.files())
    chosen = papers("classify", "--title", "a star", "--model", "other-subjects", "--format", "jsonl")
    assert "other-subjects 3.0.0 " in chosen.out
    assert "no model 'nobody'" in papers("classify", "--title", "a star", "--model", "nobody").err
    assert len(papers("models", "list").out.splitlines()) == 2
    assert papers("models", "list", "--model", "tiny-subjects").out.startswith("1.0.0  tiny-subjects, 3 labels")
    assert "artefact   other-subjects 3.0.0" in papers("doctor", "--model", "other-subjects", "--seconds", "0.1").out
