"""Seeded draws of papers."""

from collections import Counter

import numpy as np

from training.data.sampling import draw, reservoir


def test_a_reservoir_keeps_the_order_and_all_items_where_there_are_few() -> None:
    rng = np.random.default_rng(0)
    assert reservoir(iter(range(5)), 10, rng) == [0, 1, 2, 3, 4]
    drawn = reservoir(iter(range(1000)), 50, rng)
    assert len(set(drawn)) == 50
    assert drawn == sorted(drawn)


def test_every_item_of_a_stream_has_the_same_chance() -> None:
    rng = np.random.default_rng(1)
    counts = Counter(item for _ in range(2000) for item in reservoir(iter(range(20)), 5, rng))
    assert all(abs(counts[item] - 500) < 90 for item in range(20))


def test_only_the_drawn_items_of_a_stream_are_in_memory() -> None:
    alive, most = 0, 0

    class Item:
        def __init__(self) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    reservoir((Item() for _ in range(5000)), 10, np.random.default_rng(0))
    assert most <= 12


def test_a_draw_of_a_list_is_seeded() -> None:
    first, again = (draw(list(range(100)), 10, np.random.default_rng(3)) for _ in range(2))
    assert first == again == sorted(first)
