"""Kill -9 in the middle of builds and saves: later processes get right results, leftovers end."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from campaign.forks import check, start
from campaign.programs import build_and_check, check_known, known_kernel
from campaign.tally import Tally

from bridges.kernel import load

pytestmark = pytest.mark.campaign("kill -9 in builds and saves")

LONGEST = 0.4  # seconds: a build takes less
OURS = re.compile(r"[0-9a-f]{40,64}\.(so|o)|build-[a-z0-9_]{8}")


def test_builds(tally: Tally, cache: Path) -> None:
    """Of new kernels in one cache, by two processes at once, of which one or both are killed."""
    kills = 0

    def trial(rng: np.random.Generator) -> None:
        nonlocal kills
        factors = (1.0 + rng.random(3)).tolist()

        def work() -> None:
            for factor in factors:
                build_and_check(factor)

        children = [start(work), start(work)]
        time.sleep(rng.uniform(0.0, LONGEST))
        doomed = children if rng.random() < 0.5 else children[:1]
        for child in doomed:
            child.kill(group=bool(rng.random() < 0.5))
            kills += 1
        how = [child.end() for child in children]
        if how[len(doomed) :] not in ([], [""]):
            raise AssertionError(f"the other process: {how}")
        check(work)

    tally.run(40, trial)
    check_leftovers(cache, kills)


def check_leftovers(cache: Path, kills: int) -> None:
    """At most one draft is left of each kill, and none after the next build an hour later."""
    names = [path.name for path in cache.iterdir()]
    assert not [name for name in names if not OURS.fullmatch(name)]
    drafts = list(cache.glob("build-*"))
    assert len(drafts) <= 2 * kills  # compilers of killed processes may outlive them
    for draft in drafts:
        os.utime(draft, (1, 1))
    check(lambda: build_and_check(0.5))
    assert not list(cache.glob("build-*"))


def test_saves(tally: Tally, cache: Path, tmp_path: Path) -> None:
    """Over one file, again and again: it is the one or the other kernel, whole."""
    path, factors = tmp_path / "kernel", (2.0, 3.0)

    def save(factor: float) -> None:
        known_kernel(factor).save(path, ["vjp", "jacobian"])

    def work() -> None:
        while True:
            for factor in factors:
                save(factor)

    def is_one_of_them() -> None:
        loaded = load(path)
        wrong = []
        for factor in factors:
            try:
                check_known(loaded, factor)
            except AssertionError as error:
                wrong.append(error)
        if len(wrong) != 1:
            raise AssertionError(wrong)

    check(lambda: save(2.0))

    def trial(rng: np.random.Generator) -> None:
        child = start(work)
        time.sleep(rng.uniform(0.0, 0.1))
        child.kill()
        child.end()
        check(is_one_of_them)

    tally.run(60, trial)
