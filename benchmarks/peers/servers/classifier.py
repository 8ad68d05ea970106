"""The network in torch, as a tutorial would load it; the frameworks' servers share it."""

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class TorchClassifier:
    """Scores one paper at a time; `int8` quantizes the linear layers dynamically, as PyTorch's BERT tutorial does."""

    def __init__(self, folder: str, *, int8: bool = False) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
        self._labels = [network.config.id2label[i] for i in range(network.config.num_labels)]
        if int8:
            network = torch.ao.quantization.quantize_dynamic(network, {torch.nn.Linear}, dtype=torch.qint8)
        self._network = network

    def classify(self, title: str, abstract: str) -> dict[str, float]:
        """One probability per label."""
        inputs = self._tokenizer(title, abstract, truncation="longest_first", return_tensors="pt")
        with torch.inference_mode():
            logits = self._network(**inputs).logits[0]
        return dict(zip(self._labels, torch.sigmoid(logits).tolist(), strict=True))
