"""Layers of shared graphs, made once, and inputs for them."""

import pytest
import torch
from torch_graphs import graph

from bridges.pytorch import ad_to_torch


@pytest.fixture(scope="session")
def layer_of():
    """`layer_of(graph name, engine)`, made once."""
    made = {}

    def layer(name, engine="auto"):
        if (name, engine) not in made:
            made[name, engine] = ad_to_torch(graph(name), engine=engine)
        return made[name, engine]

    return layer


@pytest.fixture
def draw():
    """`draw(layer, *batch)`: float64 inputs of the layer's sizes, the same in every run."""
    generator = torch.Generator().manual_seed(7)

    def inputs(layer, *batch, requires_grad=False):
        return tuple(
            (0.3 + 0.5 * torch.randn(*batch, size, dtype=torch.float64, generator=generator))
            .detach()
            .requires_grad_(requires_grad)
            for size in layer.input_sizes
        )

    return inputs
