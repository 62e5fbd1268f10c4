"""How much work the compiler is given: less for larger programs, so that any size builds.

    Program -> Effort -> sizes of parts (`parts`), forms of functions (`c/types.h`), flags (`build`)

GCC's time for a function grows faster than the function's length, and it grows most for functions
that are copied into it. Up to a few thousand operations that buys speed. Beyond, values wait in
memory anyway, and what is left out here costs a few hundredths of the speed and saves most of the
time.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridges.native.program import SEARCHED, Program

# Operations whose functions are short, and are copied to where they are used.
INLINED = frozenset({"sin", "cos", "sqrt", "floor", "ceil"})
# Uses of them, and columns of inputs and outputs, from which on one copy serves all.
_MANY_USES = 100
_MANY_COLUMNS = 1000


@dataclass(frozen=True)
class Effort:
    """What a program of some size gets.

    part_weight: of the parts that its block function is cut into.
    shares_functions: whether mathematical functions are called, not copied.
    shares_moves: whether what brings columns in and out of vectors is called, not copied.
    flags: optimisation level, and refinements of it that GCC alone knows.
    """

    part_weight: int
    shares_functions: bool
    shares_moves: bool
    flags: str


def effort_for(*programs: Program) -> Effort:
    """The effort for one program, or for several in one library; loops' bodies are functions."""
    n_ops = sum(program.longest for program in programs)
    uses = sum(i.op in INLINED for program in programs for i in program.all_instructions)
    columns = sum(sum(program.input_sizes + program.output_sizes) for program in programs)
    return effort_for_size(n_ops, uses, columns)


def effort_for_size(n_ops: int, n_uses: int = 0, n_columns: int = 0) -> Effort:
    """The effort for `n_ops` operations.

    n_uses: of the functions of `INLINED`; n_columns: of inputs and outputs.
    """
    shares = (n_uses > _MANY_USES, n_columns > _MANY_COLUMNS)
    if n_ops <= SEARCHED:  # these come in a good order already
        return Effort(1500, *shares, "-O2")
    if n_ops <= 2_000:
        # Scheduling before registers are given out: 5 % on the gradient of inverse dynamics.
        return Effort(1500, *shares, "-O2 -fschedule-insns -fsched-pressure")
    if n_ops <= 32_000:
        return Effort(300, *shares, f"-O2 {_NO_SEARCH}")
    # Level 1 leaves out what joins products with sums, and loops over lanes.
    vector = "-fexpensive-optimizations -ftree-loop-vectorize -ftree-slp-vectorize"
    return Effort(300, *shares, f"-O1 {vector} {_NO_SEARCH} {_NO_CLEANING}")


# Searches through all memory accesses and all expressions: there is nothing left for them to find.
_NO_SEARCH = "-fno-tree-pre -fno-gcse -fno-tree-dse -fno-dse"
# What folds constants, joins copies and drops the dead, and what tells functions and branches
# apart: programs come clean, and without them. A sixth of the time at this size.
_NO_CLEANING = (
    "-fno-tree-ccp -fno-tree-bit-ccp -fno-tree-dominator-opts -fno-tree-fre -fno-tree-forwprop "
    "-fno-tree-sink -fno-dce -fno-cprop-registers -fno-split-wide-types "
    "-fno-guess-branch-probability -fno-ipa-pure-const -fno-ipa-reference -fno-ipa-profile "
    "-fno-ipa-modref"
)
