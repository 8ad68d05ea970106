"""Precision of training."""

import pytest
import torch

from training.fitting.loop import device_runs_bf16


@pytest.mark.parametrize(("flags", "pays"), [("avx2 fma", False), ("avx512f avx512_bf16", True), ("amx_bf16", True)])
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU decides where there is one")
def test_bf16_is_used_only_where_the_processor_has_it(flags: str, pays: bool) -> None:
    assert device_runs_bf16(flags) is pays
