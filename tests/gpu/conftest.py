"""Where tests run: on the emulated GPU, whose memory is the host's, and on a real one."""

from __future__ import annotations

import pytest
import torch
from cuda_emulator import install


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The device of tensors that lie on the GPU."""
    if request.param == "cuda":
        return torch.device("cuda", 0)
    install(monkeypatch)
    return torch.device("cpu")
