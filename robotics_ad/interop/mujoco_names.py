"""What the joints, bodies and sites of a compiled MuJoCo model are called here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = ("floating", "spherical", "prismatic", "revolute")
"""Our joint types in the order of MuJoCo's numbers: free, ball, slide, hinge."""


@dataclass(frozen=True, eq=False)
class Names:
    """Names by index in MuJoCo's arrays, made up where the model gives none; all differ."""

    bodies: tuple[str, ...]
    joints: tuple[str, ...]
    sites: tuple[str | None, ...]


def names_of(model: Any) -> Names:
    """The names of a model's bodies and joints, and of the sites that have one.

    An unnamed body is `body3`, by its number; an unnamed joint is called after its body and its
    place there: `torso_joint0`. A site whose name a body has as well is `head_site`.
    """
    bodies = _named([model.body(i).name or None for i in range(model.nbody)], "body{}".format)

    def of_joint(j: int) -> str:
        body = int(model.jnt_bodyid[j])
        return f"{bodies[body]}_joint{j - int(model.body_jntadr[body])}"

    joints = _named([model.joint(j).name or None for j in range(model.njnt)], of_joint)
    taken, sites = set(bodies), list[str | None]()
    for s in range(model.nsite):
        name = model.site(s).name
        wanted = f"{name}_site" if name in taken else name
        sites.append(unused(wanted, taken) if name else None)
    return Names(tuple(bodies), tuple(joints), tuple(sites))


def unused(name: str, taken: set[str]) -> str:
    """`name`, numbered where it is taken already; taken from now on."""
    choice, number = name, 1
    while choice in taken:
        number += 1
        choice = f"{name}_{number}"
    taken.add(choice)
    return choice


def _named(given: list[str | None], made_up: Callable[[int], str]) -> list[str]:
    taken = {name for name in given if name is not None}
    return [unused(made_up(i), taken) if name is None else name for i, name in enumerate(given)]
