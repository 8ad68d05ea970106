"""The model of word pieces and pairs."""

import numpy as np
import torch

from training.model.ngrams import FIRST_FACTOR, SECOND_FACTOR, Ngrams

PIECES, BUCKETS, LABELS = 10, 7, 3


def model() -> Ngrams:
    made = Ngrams(PIECES, BUCKETS, LABELS, share=0.25)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_()
    return made.eval()


def test_logits_are_the_scaled_sum_of_the_rows_of_pieces_and_pairs() -> None:
    net, ids = model(), [4, 9, 4]
    pairs = [PIECES + (a * FIRST_FACTOR + b * SECOND_FACTOR) % BUCKETS for a, b in ((4, 9), (9, 4))]
    weights, bias = net.weights.weight.detach().numpy(), net.bias.detach().numpy()
    expected = weights[ids + pairs].sum(axis=0) / np.sqrt(5) + bias
    found = net(torch.tensor([ids]), torch.ones(1, 3, dtype=torch.int64))
    np.testing.assert_allclose(found.detach().numpy()[0], expected, atol=1e-6)


def test_padding_counts_nothing() -> None:
    net = model()
    short = net(torch.tensor([[4, 9]]), torch.tensor([[1, 1]]))
    padded = net(torch.tensor([[4, 9, 0, 0]]), torch.tensor([[1, 1, 0, 0]]))
    torch.testing.assert_close(short, padded)


def test_a_single_piece_has_no_pair() -> None:
    net = model()
    found = net(torch.tensor([[4]]), torch.tensor([[1]]))
    torch.testing.assert_close(found[0], net.weights.weight[4] + net.bias)


def test_the_logits_of_the_head_keep_the_rest_of_the_share() -> None:
    net, ids, mask = model(), torch.tensor([[4, 9]]), torch.tensor([[1, 1]])
    head = torch.randn(1, LABELS)
    torch.testing.assert_close(net.mixed(head, ids, mask), 0.75 * head + 0.25 * net(ids, mask))
