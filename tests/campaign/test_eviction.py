"""Processes that build at once in a cache that has no room: right, compiled, and it stays small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from campaign.forks import check, start
from campaign.programs import build_and_check
from campaign.tally import Tally

pytestmark = pytest.mark.campaign("tiny caches and eviction")

PROCESSES = 4
FACTORS = (1.25, 1.5, 1.75, 2.25)


def test_no_room(tally: Tally, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(lambda: build_and_check(FACTORS[0]))
    (library,) = cache.glob("*.so")
    size = library.stat().st_size

    def trial(rng: np.random.Generator) -> int:
        room = int(rng.choice([0.0, 0.5, 1.0, 1.5, 2.5]) * size)
        monkeypatch.setenv("ROBOGRAD_CACHE_SIZE", str(room))
        orders = [rng.choice(FACTORS, 4).tolist() for _ in range(PROCESSES)]

        def work(order: list[float]) -> None:
            for factor in order:
                build_and_check(factor)

        children = [start(lambda order=order: work(order)) for order in orders]
        how = [child.end() for child in children]
        if any(how):
            raise AssertionError(f"room for {room} bytes: {how}")
        held = sum(path.stat().st_size for path in cache.glob("*.so"))
        if held > max(room, size) + PROCESSES * size:
            raise AssertionError(f"{held} bytes in a cache of {room}")
        if list(cache.glob("build-*")):
            raise AssertionError("drafts are left")
        return sum(map(len, orders))

    tally.run(10, trial)
