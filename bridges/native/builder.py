"""`Builder`: scalar instructions, each distinct one once, simplified while they are made.

Constants are folded, signs go outwards (`a * -b` is `-(a * b)`, `a + -b` is `a - b`), and products
with 0 and 1 vanish. Rewrites keep the value of finite numbers up to its last bits; what would hide
a nan or an infinity, such as `x - x`, is not rewritten, except that `0 * x` is 0.
"""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ad_core.ops.namespace import NUMPY
from ad_core.ops.tables import Table
from bridges.native.code import Code, instruction_of, multiplied, turned
from bridges.native.dead import trimmed_program
from bridges.native.interpret import FUNCTIONS
from bridges.native.program import Loop, Program

TRUTHS = frozenset({"lt", "le", "eq", "ne", "not", "and", "or"})
"""Operations whose value is 1 or 0."""

_ODD = frozenset({"sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "erfinv"})
_EVEN = frozenset({"cos", "cosh", "fabs"})
_SIZES = frozenset({"fabs", "sq", "sqrt", *TRUTHS})  # never below zero
_MOST_PRODUCTS = 100  # integer powers beyond go through logarithms


class Builder:
    """Makes instructions and gives their numbers; operands are such numbers.

    Attributes:
        code: each instruction: its operation and operands.
        number: the value of each constant, None for other instructions.
        has_infinite: whether a constant is infinite or nan, so that its product with 0 is nan.
    """

    def __init__(self) -> None:
        self.code: list[Code] = []
        self.number: list[float | None] = []
        self.has_infinite = False
        self._known: dict[Code, int] = {}
        self._divided: set[int] = set()  # quotients that were asked for as such
        self._constants: dict[float | str, int] = {}
        self._loops: dict[Loop, int] = {}
        self.zero = self.constant(0.0)
        self.one = self.constant(1.0)

    # leaves

    def constant(self, value: float) -> int:
        """A constant."""
        # 0.0 and -0.0 are equal keys but different constants; so is nan unequal to itself
        key = value if value and value == value else float(value).hex()  # noqa: PLR0124
        known = self._constants.get(key)
        if known is None:
            value = float(value)
            known = self._constants[key] = len(self.code)
            self.code.append(("constant", value))
            self.number.append(value)
            self.has_infinite = self.has_infinite or not math.isfinite(value)
        return known

    def table(self, table: Table) -> int:
        """A table, the first operand of `lookup`."""
        return self._once(("table", table))

    def lookup(self, table: int, a: int) -> int:
        """Entry `floor(a)` of a table."""
        x = self.number[a]
        if x is None:
            return self._once(("lookup", table, a))
        return self.constant(float(NUMPY.lookup(np.float64(x), self.code[table][1])))

    def input(self, source: int, entry: int) -> int:
        """Entry `entry` of input `source`."""
        return self._once(("input", source, entry))

    def loop(self, loop: Loop, operands: Sequence[int]) -> tuple[int, ...]:
        """The results of a loop."""
        number = self._loops.setdefault(loop, len(self._loops))
        made = self._once(("loop", number, *operands))
        return tuple([self._once(("result", made, j)) for j in range(loop.n_results)])

    def _once(self, code: Code) -> int:
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = len(self.code)
            self.code.append(code)
            self.number.append(None)
        return known

    # arithmetic

    def add(self, a: int, b: int) -> int:
        """`a + b`."""
        x, y = self.number[a], self.number[b]
        if y == 0.0:
            return a
        if x is not None:
            if x == 0.0:
                return b
            if y is not None:
                return self.constant(x + y)
            a, b, y = b, a, x
        if y is not None and y < 0.0:
            return self.sub(a, self.constant(-y))
        if a == b:
            return self.twice(a)
        first, second = self.code[a], self.code[b]
        if second[0] == "neg":
            return self.sub(a, second[1])
        if first[0] == "neg":
            return self.sub(b, first[1])
        return self._once(("add", a, b) if a < b else ("add", b, a))

    def sub(self, a: int, b: int) -> int:
        """`a - b`."""
        x, y = self.number[a], self.number[b]
        if y is not None:
            if x is not None:
                return self.constant(x - y)
            if y == 0.0:
                return a
            if y < 0.0:
                return self.add(a, self.constant(-y))
        elif x == 0.0:
            return self.neg(b)
        first, second = self.code[a], self.code[b]
        if second[0] == "neg":
            return self.add(a, second[1])
        if first[0] == "neg":
            return self.neg(self.add(first[1], b))
        return self._once(("sub", a, b))

    def neg(self, a: int) -> int:
        """`-a`."""
        x = self.number[a]
        if x is not None:
            return self.constant(-x)
        code = self.code[a]
        if code[0] == "neg":
            return code[1]
        turned = self._known.get(("sub", code[2], code[1])) if code[0] == "sub" else None
        return self._once(("neg", a)) if turned is None else turned

    def twice(self, a: int) -> int:
        """`a + a`."""
        x = self.number[a]
        if x is not None:
            return self.constant(x + x)
        code = self.code[a]
        return self.neg(self.twice(code[1])) if code[0] == "neg" else self._once(("twice", a))

    def mul(self, a: int, b: int) -> int:
        """`a * b`."""
        x, y = self.number[a], self.number[b]
        if x is not None:
            if y is not None:
                return self.constant(x * y)
            return self._scaled(x, a, b)
        if y is not None:
            return self._scaled(y, b, a)
        if a == b:
            return self.sq(a)
        first, second = self.code[a], self.code[b]
        if second[0] == "neg":
            return self.neg(self.mul(a, second[1]))
        if first[0] == "neg":
            return self.neg(self.mul(first[1], b))
        if second[0] == "inv":
            return self._quotient(a, second[1])
        if first[0] == "inv":
            return self._quotient(b, first[1])
        return self._once(("mul", a, b) if a < b else ("mul", b, a))

    def _scaled(self, x: float, a: int, b: int) -> int:
        """`x * b`, where `x` is the constant `a`."""
        if x == 0.0:
            return self.zero
        if x == 1.0:
            return b
        if x < 0.0:
            return self.neg(self.mul(self.constant(-x), b))
        if x == 2.0:
            return self.twice(b)
        code = self.code[b]
        if code[0] == "neg":
            return self.neg(self.mul(a, code[1]))
        if code[0] == "inv":
            return self._quotient(a, code[1])
        return self._once(("mul", a, b))

    def sq(self, a: int) -> int:
        """`a * a`."""
        x = self.number[a]
        if x is not None:
            return self.constant(x * x)
        code = self.code[a]
        return self._once(("sq", code[1] if code[0] in ("neg", "fabs") else a))

    def div(self, a: int, b: int) -> int:
        """`a / b`."""
        k = self._quotient(a, b)
        self._divided.add(self.code[k][1] if self.code[k][0] == "neg" else k)
        return k

    def _quotient(self, a: int, b: int) -> int:
        """`a / b`, where `a * (1 / b)` would be right, too."""
        x, y = self.number[a], self.number[b]
        if y is not None:
            if x is not None:
                return self._folded("div", (x, y))
            if y == 1.0:
                return a
            if y < 0.0:
                return self.neg(self._quotient(a, self.constant(-y)))
            if _is_power_of_two(y):
                return self.mul(self.constant(1.0 / y), a)
        elif x is not None:
            if x == 1.0:
                return self.inv(b)
            if x < 0.0:
                return self.neg(self._quotient(self.constant(-x), b))
        first, second = self.code[a], self.code[b]
        if second[0] == "neg":
            return self.neg(self._quotient(a, second[1]))
        if first[0] == "neg":
            return self.neg(self._quotient(first[1], b))
        if second[0] == "inv":
            return self.mul(a, second[1])
        return self._once(("div", a, b))

    def inv(self, a: int) -> int:
        """`1 / a`."""
        x = self.number[a]
        if x is not None:
            return self._folded("inv", (x,))
        code = self.code[a]
        if code[0] == "neg":
            return self.neg(self.inv(code[1]))
        return code[1] if code[0] == "inv" else self._once(("inv", a))

    def pow(self, a: int, b: int) -> int:
        """Small integer powers by products, others by `pow`."""
        exponent = self.number[b]
        if exponent is None or self.number[a] is not None:
            return self.apply("pow", a, b)
        if exponent == 0.5:
            return self.apply("sqrt", a)
        if exponent == int(exponent) if math.isfinite(exponent) else False:
            n = int(exponent)
            if abs(n) <= _MOST_PRODUCTS:
                return self._power(a, n)
        return self._once(("pow", a, b))

    def _power(self, a: int, n: int) -> int:
        if n < 0:
            return self.inv(self._power(a, -n))
        if n <= 1:
            return a if n else self.one
        return self.mul(a, self._power(a, n - 1)) if n % 2 else self.sq(self._power(a, n // 2))

    # choices

    def select(self, mask: int, a: int, b: int) -> int:
        """`a` where the mask is not 0, else `b`; the other's value plays no part."""
        known = self.number[mask]
        if known is not None:
            return a if known != 0.0 else b
        if a == b:
            return a
        code = self.code[mask]
        if code[0] == "not":
            return self.select(code[1], b, a)
        if self.number[b] == 0.0:
            return self._once(("if_else_zero", mask, a))
        return self._once(("select", mask, a, b))

    def positive(self, a: int) -> int:
        """Whether `a > 0`, as a mask."""
        return a if self.code[a][0] in TRUTHS else self.apply("lt", self.zero, a)

    def truth(self, a: int) -> int:
        """Whether `a` is not 0, as a mask."""
        return a if self.code[a][0] in TRUTHS else self.apply("ne", a, self.zero)

    def negation(self, a: int) -> int:
        """Whether `a` is 0, as a mask."""
        x = self.number[a]
        if x is not None:
            return self.constant(x == 0.0)
        op, *args = self.code[a]
        if op == "not" and self.code[args[0]][0] in TRUTHS:
            return args[0]
        if op in ("eq", "ne"):  # these two are true opposites, for nan as well
            return self._once(("ne" if op == "eq" else "eq", *args))
        return self._once(("not", a))

    def both(self, a: int, b: int) -> int:
        """Whether neither is 0, as a mask."""
        return self._joined("and", False, a, b)

    def either(self, a: int, b: int) -> int:
        """Whether one is not 0, as a mask."""
        return self._joined("or", True, a, b)

    def _joined(self, op: str, decides: bool, a: int, b: int) -> int:
        """`a op b`, where one of the truth value `decides` decides alone."""
        for x, other in ((a, b), (b, a)):
            known = self.number[x]
            if known is not None:
                return self.constant(decides) if (known != 0.0) == decides else self.truth(other)
        return self.truth(a) if a == b else self._once((op, *sorted((a, b))))

    # everything by name

    def apply(self, op: str, *args: int) -> int:
        """The operation `op` of these operands."""
        own = _OWN_RULE.get(op)
        if own is not None:
            return own(self, *args)
        numbers = [self.number[a] for a in args]
        values = [x for x in numbers if x is not None]
        if len(values) == len(args):
            return self._folded(op, values)
        if len(args) == 1:
            inner = self.code[args[0]]
            if inner[0] == "neg" and (op in _ODD or op in _EVEN):
                same = self.apply(op, inner[1])
                return self.neg(same) if op in _ODD else same
            if op == "fabs" and inner[0] in _SIZES:
                return args[0]
        elif op in ("eq", "ne", "hypot") and args[0] > args[1]:
            args = (args[1], args[0])
        return self._once((op, *args))

    def _folded(self, op: str, values: Sequence[float]) -> int:
        with np.errstate(all="ignore"):
            return self.constant(float(FUNCTIONS[op](*map(np.float64, values))))

    # the end

    def program(
        self, input_sizes: Sequence[int], outputs: Sequence[Sequence[int | None]]
    ) -> Program:
        """The instructions that the outputs need; a constant 0 is a structural zero."""
        zero = self.zero
        given = [[None if k == zero else k for k in entries] for entries in outputs]
        roots = [k for entries in given for k in entries if k is not None]
        inverses = {a: k for k, (op, a, *_) in enumerate(self.code) if op == "inv"}
        code = multiplied(turned(self.code, roots), roots, inverses, self._divided)
        instructions = [instruction_of(*entry) for entry in code]
        return trimmed_program(tuple(input_sizes), instructions, given, tuple(self._loops))


_OWN_RULE: dict[str, Callable[..., int]] = {
    "add": Builder.add,
    "sub": Builder.sub,
    "neg": Builder.neg,
    "twice": Builder.twice,
    "mul": Builder.mul,
    "sq": Builder.sq,
    "div": Builder.div,
    "inv": Builder.inv,
    "select": Builder.select,
    "not": Builder.negation,
    "and": Builder.both,
    "or": Builder.either,
    "if_else_zero": lambda b, mask, a: b.select(mask, a, b.zero),
    "lookup": Builder.lookup,
}


def _is_power_of_two(y: float) -> bool:
    return math.frexp(y)[0] == 0.5 and 2.0**-1000 < y < 2.0**1000
