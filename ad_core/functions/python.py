"""`function()`: a Python function as a function of the graph, with the derivatives it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any, Literal, TypeAlias

import numpy as np

from ad_core.graph.errors import wrong_count
from ad_core.graph.nodes import ADFunctionInterface
from ad_core.graph.values import whole_number

Rule: TypeAlias = "Callable[..., Any]"
RulePerArgument: TypeAlias = "Rule | Sequence[Rule | None] | None"
HigherRules: TypeAlias = "Rule | Sequence[Rule | None] | Mapping[tuple[int, ...], Any] | None"


def function(  # noqa: PLR0917 (the documented signature)
    func: Rule,
    name: str = "auto",
    argspec: Sequence[int] | Literal["auto"] = "auto",
    outspec: int | None = None,
    argnames: Sequence[str] | None = None,
    derivative: RulePerArgument = None,
    jvp: RulePerArgument = None,
    gen_derivative: HigherRules = None,
    order: int | None = None,
) -> ADFunctionInterface:
    """A function of the graph that calls the Python function `func`.

    What is not given is done by finite differences, to any order.

    Args:
        func: Takes floats and 1-D arrays, gives a float or a 1-D array.
        name: What it prints as; by default the name of `func`.
        argspec: The size of each argument, -1 where it varies; by default read from the signature.
        outspec: The size of the result, where it is known.
        argnames: The arguments' names; by default read from the signature.
        derivative: Jacobians `(n_out, n_in)`: a callable of `(arg, *args)`, or a list with a
            callable of `(*args)` for each argument (None where it is not given).
        jvp: Jacobian-vector products `(n_out,)`: a callable of `(arg, darg, *args)`, or a list
            with a callable of `(darg, *args)` for each argument.
        gen_derivative: Derivatives `(n_out, n_in(arg[0]), ...)`: a callable of `(arg, *args)` for
            a list of argument numbers; or, for one argument, a list of callables of `(*args)` from
            the second derivative on; or a dict from tuples of argument numbers to such callables
            or to constants.
        order: Every derivative of higher order than this is zero.

    Raises:
        ValueError: where the counts of names, sizes and rules do not fit together.
        TypeError: where something that should be callable is not.
    """
    return PythonFunction(
        func,
        name=name,
        argspec=argspec,
        outspec=outspec,
        argnames=argnames,
        derivative=derivative,
        jvp=jvp,
        gen_derivative=gen_derivative,
        order=order,
    )


class PythonFunction(ADFunctionInterface):
    """What `function()` makes."""

    def __init__(
        self,
        func: Rule,
        *,
        name: str,
        argspec: Sequence[int] | Literal["auto"],
        outspec: int | None,
        argnames: Sequence[str] | None,
        derivative: RulePerArgument,
        jvp: RulePerArgument,
        gen_derivative: HigherRules,
        order: int | None,
    ) -> None:
        if not callable(func):
            raise TypeError(f"function: expected a callable, got {type(func).__name__}")
        self._func = func
        self._name = getattr(func, "__name__", type(func).__name__) if name == "auto" else name
        found = _parameter_names(func)
        if isinstance(argspec, str):
            if found is None and argnames is None:
                raise ValueError(
                    f"{self._name}: the arguments cannot be read from the signature; give argspec"
                )
            self._sizes = (-1,) * len(found or argnames or ())
        else:
            self._sizes = tuple(_size(self._name, s) for s in argspec)
        self._out = -1 if outspec is None else _size(self._name, outspec)
        count = len(self._sizes)
        if argnames is not None:
            self._argnames = tuple(argnames)
            if len(self._argnames) != count:
                raise wrong_count(f"{self._name}: argnames", len(self._argnames), count)
        elif found is not None and len(found) == count:
            self._argnames = tuple(found)
        else:
            self._argnames = tuple(f"arg_{i}" for i in range(count))
        if len(set(self._argnames)) < count:
            raise ValueError(f"{self._name}: two arguments have one name: {self._argnames}")
        self._derivative = _rules(self._name, "derivative", derivative, count)
        self._jvp = _rules(self._name, "jvp", jvp, count)
        self._higher = _higher_rules(self._name, gen_derivative, count)
        self._order = order
        if order is not None and (not isinstance(order, int) or order < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{self._name}: order is {order}, expected a whole number from 0")
        known = {
            "derivative": derivative is not None,
            "jvp": jvp is not None,
            "gen_derivative": gen_derivative is not None or order is not None,
        }
        self.given_methods = frozenset(method for method, is_given in known.items() if is_given)

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<{self}({', '.join(self._argnames)}): {self._means()}>"

    def _means(self) -> str:
        """How derivatives are had, in words."""
        missing = [name for i, name in enumerate(self._argnames) if not self._gives_first(i)]
        if self._order == 0 or (self._order == 1 and not missing):
            return "derivatives are exact"
        if callable(self._higher):
            return "derivatives by gen_derivative"
        if len(missing) == len(self._argnames):
            return "derivatives by finite differences"
        if missing:
            return f"derivatives w.r.t. {', '.join(missing)} by finite differences"
        orders = max((len(path) for path in self._higher), default=1)
        if self._order is not None and orders >= self._order:
            return "derivatives as given"
        return f"derivatives above order {orders} by finite differences"

    def _gives_first(self, arg: int) -> bool:
        """Whether the first derivative w.r.t. this argument is given."""
        return any(callable(r) or r[arg] is not None for r in (self._derivative, self._jvp))

    def n_args(self) -> int:
        """The number of arguments."""
        return len(self._sizes)

    def n_in(self, arg: int) -> int:
        """The size of argument `arg`, or -1."""
        return self._sizes[arg]

    def n_out(self) -> int:
        """The size of the result, or -1."""
        return self._out

    def argname(self, arg: int) -> str:
        """The name of argument `arg`."""
        return self._argnames[arg]

    def eval(self, *args: Any) -> Any:
        """`func` at these arguments."""
        return self._func(*args)

    def derivative(self, arg: int, *args: Any) -> Any:
        """The Jacobian w.r.t. argument `arg`, by the rule given."""
        if self._order == 0:
            return 0
        if callable(self._derivative):
            return self._derivative(arg, *args)
        rule = self._derivative[arg]
        if rule is None:
            raise NotImplementedError(f"{self}: derivative w.r.t. '{self.argname(arg)}'")
        return rule(*args)

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        """The Jacobian-vector product for argument `arg`, by the rule given."""
        if callable(self._jvp):
            return self._jvp(arg, darg, *args)
        rule = self._jvp[arg]
        if rule is None:
            raise NotImplementedError(f"{self}: jvp w.r.t. '{self.argname(arg)}'")
        return rule(darg, *args)

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
        """The derivative w.r.t. the arguments in turn, by the rules given."""
        path = tuple(arg)
        if self._order is not None and len(path) > self._order:
            return 0
        if callable(self._higher):
            return self._higher(list(path), *args)
        for places in permutations(range(len(path))):
            rule = self._higher.get(tuple(path[p] for p in places))
            if rule is not None:
                return self._reordered(rule(*args) if callable(rule) else rule, places)
        raise NotImplementedError(f"{self}: derivative of order {len(path)}")

    def _reordered(self, tensor: Any, places: tuple[int, ...]) -> Any:
        """A tensor whose axes stand in the order `places`, brought into the order asked for."""
        if places == tuple(range(len(places))) or np.ndim(tensor) != len(places) + 1:
            return tensor
        back = np.argsort(places)
        return np.transpose(tensor, (0, *(int(p) + 1 for p in back)))


def _parameter_names(func: Rule) -> list[str] | None:
    """The names of the positional parameters without default, or None where they cannot be told."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return None
    names: list[str] = []
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            return None
        if p.kind is not p.KEYWORD_ONLY and p.default is p.empty:
            names.append(p.name)
    return names


def _size(name: str, size: object) -> int:
    try:
        number = whole_number(size)
    except TypeError:
        number = -2
    if number < -1:
        raise ValueError(f"{name}: a size is a whole number or -1, not {size!r}")
    return number


def _rules(
    name: str, kind: str, given: RulePerArgument, count: int
) -> Rule | tuple[Rule | None, ...]:
    """One rule for all arguments, or one rule or None for each."""
    if given is None:
        return (None,) * count
    if callable(given):
        return given
    rules = tuple(given)
    if len(rules) != count:
        raise wrong_count(f"{name}: {kind}", len(rules), count)
    for rule in rules:
        _check_callable(name, kind, rule)
    return rules


def _higher_rules(name: str, given: HigherRules, count: int) -> Rule | dict[tuple[int, ...], Any]:
    if given is None:
        return {}
    if callable(given):
        return given
    if isinstance(given, Mapping):
        for path in given:
            if any(not 0 <= i < count for i in path):
                raise ValueError(f"{name}: gen_derivative has {path}, but {count} arguments")
        return {tuple(path): rule for path, rule in given.items()}
    rules = tuple(given)
    if count != 1:
        raise ValueError(
            f"{name}: a list as gen_derivative is for functions of one argument, not {count}; "
            "give a dict or a callable"
        )
    for rule in rules:
        _check_callable(name, "gen_derivative", rule)
    return {(0,) * (k + 2): rule for k, rule in enumerate(rules) if rule is not None}


def _check_callable(name: str, kind: str, rule: object) -> None:
    if rule is not None and not callable(rule):
        raise TypeError(f"{name}: {kind} holds {rule!r}, expected a callable or None")
