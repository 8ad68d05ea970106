"""Long papers in chunks: joined as asked, padding left out, and the same from training to service."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.classifier import OnnxGraph
from model_store.papers import InputFormat, Paper, PaperEncoder
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.__main__ import main
from training.config import EncoderConfig, FeaturesConfig, HeadConfig, QuantizationConfig
from training.data.batches import Collator, EncodedPapers
from training.data.papers import Papers
from training.model.chunks import ChunkJoin, Join
from training.model.network import SubjectNetwork, load_network
from training.publishing.calibration import Lines
from training.publishing.export import export_graph
from training.publishing.gates import check_parity
from training.publishing.graph_writer import FEATURES
from training.publishing.publish import network_scores
from training.publishing.quantization_schemes import quantize
from training.publishing.scope import Detector, OutlierHead, States
from training.publishing.served_graph import served_graph

FORMAT = InputFormat(max_tokens=16, chunks=4)
# One chunk, one that is full, three, and more than four.
PAPERS = [
    Paper("proof"),
    Paper("a star", "plasma " * 11),
    Paper("theorem", "the compiler " * 15),
    Paper("", "a b " * 99),
]
JOINS: tuple[Join, ...] = ("mean", "max", "attention")


def network(folder: Path, join: Join) -> SubjectNetwork:
    source = EncoderConfig(source=str(tiny.encoder(folder / "encoder")))
    return load_network(source, HeadConfig(), 3, FeaturesConfig(chunks=join), chunked=True).eval()


@pytest.mark.parametrize("join", JOINS)
def test_padding_chunks_change_nothing(join: Join) -> None:
    joined = ChunkJoin(join, size=4)
    chunks = torch.randn(2, 3, 4)
    padded = torch.cat([chunks, torch.full((2, 2, 4), 9.0)], dim=1)
    real = torch.tensor([[True, True, True, False, False]] * 2)
    assert torch.allclose(joined(padded, real), joined(chunks, real[:, :3]), atol=1e-6)


def test_mean_and_max_of_real_chunks() -> None:
    chunks, real = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [9.0, 9.0]]]), torch.tensor([[True, True, False]])
    assert ChunkJoin("mean", 2)(chunks, real).tolist() == [[2, 2]]
    assert ChunkJoin("max", 2)(chunks, real).tolist() == [[3, 4]]


def test_attention_weighs_chunks_by_softmax() -> None:
    joined = ChunkJoin("attention", 2)
    assert joined.attention is not None
    joined.attention.load_state_dict({"0.weight": torch.eye(2), "2.weight": torch.tensor([[1.0, 0.0]])})
    chunks = torch.tensor([[[1.0, 5.0], [-1.0, 7.0]]])
    first, second = torch.softmax(torch.tanh(torch.tensor([1.0, -1.0])), dim=0).tolist()
    found = joined(chunks, torch.ones(1, 2, dtype=torch.bool))
    assert found[0].tolist() == pytest.approx([first - second, 5 * first + 7 * second])


def test_a_paper_gets_the_same_scores_alone_and_in_a_batch(tmp_path: Path) -> None:
    net = network(tmp_path, "attention")
    papers = EncodedPapers(
        PaperEncoder(builders.tokenizer(), FORMAT), Papers(PAPERS, np.zeros((4, 3), dtype=np.float32))
    )
    batch = Collator(pad_id=0)([papers[i] for i in range(4)])
    assert batch["input_ids"].shape == (4, 4, 16)
    with torch.no_grad():
        together = torch.sigmoid(net(**batch)["logits"]).numpy()
    np.testing.assert_allclose(together, network_scores(net, list(papers.encodings)), atol=1e-6)


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_the_exported_graph_joins_chunks_like_the_network(tmp_path: Path, join: Join) -> None:
    net = network(tmp_path, join)
    encodings = PaperEncoder(builders.tokenizer(), FORMAT).encode(PAPERS)
    assert [len(encoding.rows().input_ids) for encoding in encodings] == [1, 1, 3, 4]
    graph = export_graph(net)
    scores = tiny.scores(OnnxGraph(graph), encodings)
    check_parity(network_scores(net, encodings), scores)
    int8 = tiny.scores(OnnxGraph(quantize(graph, QuantizationConfig())), encodings)
    np.testing.assert_allclose(int8, scores, atol=0.1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_the_distance_of_a_paper_is_taken_over_the_tokens_of_all_its_chunks(tmp_path: Path) -> None:
    net = network(tmp_path, "mean")
    encodings = PaperEncoder(builders.tokenizer(), FORMAT).encode(PAPERS)
    bare = export_graph(net, layer=1)
    means = np.stack([OnnxGraph(bare).run(encoding, [FEATURES])[0] for encoding in encodings])
    ids, mask, types = (torch.from_numpy(array) for array in encodings[2].rows())
    states = net.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True)
    expected_mean = states.hidden_states[1][mask.bool()].mean(dim=0)
    assert means[2].tolist() == pytest.approx(expected_mean.tolist(), abs=1e-5)
    of_papers = Detector(np.zeros(32), np.eye(32), (0.1, 0.2, 0.3))
    for detector in (of_papers, of_papers._replace(outliers=OutlierHead(np.linspace(-9, 9, 32), 0.5))):
        served = OnnxGraph(served_graph(bare, Lines(np.ones(3), np.zeros(3)), detector, chunked=True))
        expected = detector(States(means, np.array([len(encoding.input_ids) for encoding in encodings])))
        assert [served(encoding).distance for encoding in encodings] == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning", "ignore::UserWarning:torch")
def test_a_full_text_goes_from_training_to_the_service(tmp_path: Path) -> None:
    config = tiny.config(
        tmp_path, epochs=1, within={"input": "chunks = 4"}, extra='[features]\nchunks = "attention"\npool = "mean"\n'
    )
    # An epoch leaves so small a network undecided, and int8 turns many an undecided score.
    text = config.read_text().replace("flipped = 0.5", "flipped = 1.0").replace("loss = 0.1", "loss = 1.0")
    config.write_text(text.replace("max_tokens = 24", "max_tokens = 16"))
    assert main(["run", str(config), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]) == 0
    artefact = Store(tmp_path / "store").open()
    assert artefact.manifest.input.chunks == 4
    assert artefact.golden().replay(artefact.classifier()) < 1e-4
    papers = {"short": "of the plasma", "long": "the plasma of the star " * 20, "too long": "plasma " * 300}
    with TestClient(create_app(Settings(artefacts=tmp_path / "store"))) as client:
        answers = {
            name: client.post("/classify", json={"title": "a quantum star", "abstract": abstract}).json()
            for name, abstract in papers.items()
        }
    for name, abstract in papers.items():
        expected = artefact.classifier().scores([Paper("a quantum star", abstract)])[0]
        assert list(answers[name]["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-4)
    assert {name: answer["input"]["truncated"] for name, answer in answers.items()} == {
        "short": False, "long": False, "too long": True,
    }  # fmt: skip
