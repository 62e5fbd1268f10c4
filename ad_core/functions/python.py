"""`function()`: a Python function as a function of the graph, with the derivatives it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any, Literal, TypeAlias

import numpy as np

from ad_core.graph.errors import checked, checked_name, wrong_count
from ad_core.graph.nodes import ADFunctionInterface, Size, listed, names_of
from ad_core.graph.values import whole_number

Rule: TypeAlias = "Callable[..., Any]"
RulePerArgument: TypeAlias = "Rule | Sequence[Rule | None] | None"
HigherRules: TypeAlias = "Rule | Sequence[Rule | None] | Mapping[tuple[int, ...], Any] | None"


class PythonFunction(ADFunctionInterface):
    """A function of the graph that calls the Python function `func`: `ad.function(func, ...)`.

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

    def __init__(  # noqa: PLR0917 (the documented signature)
        self,
        func: Rule,
        name: str = "auto",
        argspec: Sequence[int] | Literal["auto"] = "auto",
        outspec: int | None = None,
        argnames: Sequence[str] | None = None,
        derivative: RulePerArgument = None,
        jvp: RulePerArgument = None,
        gen_derivative: HigherRules = None,
        order: int | None = None,
    ) -> None:
        checked(func, Callable, "function", "func", "a callable")
        self._func = func
        checked_name(name, "function")
        self._name = getattr(func, "__name__", type(func).__name__) if name == "auto" else name
        self.sizes_in, self.argnames = self._arguments(func, argspec, argnames)
        self.size_out = None if outspec is None else _size(self._name, outspec)
        count = len(self.argnames)
        self._derivative = _rules(self._name, "derivative", derivative, count)
        self._jvp = _rules(self._name, "jvp", jvp, count)
        self._higher = _higher_rules(self._name, gen_derivative, count)
        self._order = None if order is None else whole_number(order, f"{self._name}: order")
        known = {
            "derivative": derivative is not None,
            "jvp": jvp is not None,
            "gen_derivative": gen_derivative is not None or order is not None,
        }
        self.given_methods = frozenset(method for method, is_given in known.items() if is_given)

    def _arguments(
        self, func: Rule, argspec: Sequence[int] | str, argnames: Sequence[str] | None
    ) -> tuple[tuple[Size, ...], tuple[str, ...]]:
        """Sizes and names of the arguments, as given or as the signature says."""
        found = _parameter_names(func)
        if argnames is not None:
            argnames = names_of(f"{self._name}: argnames", argnames)
        if not isinstance(argspec, str) or argspec != "auto":
            given = listed(argspec, f"{self._name}: argspec", "sizes")
            sizes = tuple(_size(self._name, s) for s in given)
        elif found is None and argnames is None:
            raise ValueError(
                f"{self._name}: the arguments cannot be read from the signature; give argspec"
            )
        else:
            sizes = (None,) * len(found or argnames or ())
        count = len(sizes)
        if argnames is not None:
            names = argnames
            if len(names) != count:
                raise wrong_count(f"{self._name}: argnames", len(names), count)
        elif found is not None and len(found) == count:
            names = tuple(found)
        else:
            names = tuple(f"arg_{i}" for i in range(count))
        if len(set(names)) < count:
            raise ValueError(f"{self._name}: two arguments have one name: {names}")
        return sizes, names

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        names = self.argnames or ()
        return f"<{self}({', '.join(names)}): {self._means()}>"

    def _means(self) -> str:
        """How derivatives are had, in words."""
        names = self.argnames or ()
        missing = [name for i, name in enumerate(names) if not self._gives_first(i)]
        if self._order == 0 or (self._order == 1 and not missing):
            return "derivatives are exact"
        if callable(self._higher):
            return "derivatives by gen_derivative"
        if len(missing) == len(names):
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

    def eval(self, *args: Any) -> Any:
        return self._func(*args)

    def derivative(self, arg: int, *args: Any) -> Any:
        if self._order == 0:
            return 0
        if callable(self._derivative):
            return self._derivative(arg, *args)
        rule = self._derivative[arg]
        if rule is None:
            raise NotImplementedError(f"{self}: derivative w.r.t. '{self.argname(arg)}'")
        return rule(*args)

    def jvp(self, arg: int, darg: Any, *args: Any) -> Any:
        if callable(self._jvp):
            return self._jvp(arg, darg, *args)
        rule = self._jvp[arg]
        if rule is None:
            raise NotImplementedError(f"{self}: jvp w.r.t. '{self.argname(arg)}'")
        return rule(darg, *args)

    def gen_derivative(self, arg: Sequence[int], *args: Any) -> Any:
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


def _size(name: str, size: object) -> Size:
    """A size as it is given: -1 where it varies."""
    number = None if size is None else whole_number(size, f"{name}: a size", least=-1)
    return None if number == -1 else number


def _rules(
    name: str, kind: str, given: RulePerArgument, count: int
) -> Rule | tuple[Rule | None, ...]:
    """One rule for all arguments, or one rule or None for each."""
    if given is None:
        return (None,) * count
    if callable(given):
        return given
    rules = _listed_rules(name, kind, given)
    if len(rules) != count:
        raise wrong_count(f"{name}: {kind}", len(rules), count)
    return rules


def _higher_rules(name: str, given: HigherRules, count: int) -> Rule | dict[tuple[int, ...], Any]:
    if given is None:
        return {}
    if callable(given):
        return given
    if isinstance(given, Mapping):
        for path in given:
            if not isinstance(path, tuple) or any(i not in range(count) for i in path):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"{name}: gen_derivative has {path}, but {count} arguments")
        return dict(given)
    rules = _listed_rules(name, "gen_derivative", given)
    if count != 1:
        raise ValueError(
            f"{name}: a list as gen_derivative is for functions of one argument, not {count}; "
            "give a dict or a callable"
        )
    return {(0,) * (k + 2): rule for k, rule in enumerate(rules) if rule is not None}


def _listed_rules(name: str, kind: str, given: Iterable[Rule | None]) -> tuple[Rule | None, ...]:
    rules = tuple(listed(given, f"{name}: {kind}", "callables"))
    for rule in rules:
        if rule is not None and not callable(rule):
            raise TypeError(f"{name}: {kind} holds {rule!r}, expected a callable or None")
    return rules


function = PythonFunction
