"""Arguments by position and by name, put in order, and the signatures that editors show."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from ad_core.graph.errors import wrong_count


def in_order(
    place: str,
    names: Sequence[str],
    args: Sequence[Any],
    named: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> tuple[Any, ...]:
    """All arguments in the order of `names`: those by position, those by name, then defaults.

    Where several have defaults, the last ones are left out.

    Raises ValueError for a name that is unknown, missing, or given by position too.
    """
    for name in named:
        if name not in names:
            raise ValueError(f"{place}: no argument '{name}'; arguments: {', '.join(names)}")
    spare = max(len(names) - len(args) - len(named), 0)
    optional = [name for name in names if name in defaults and name not in named]
    left_out = optional[max(len(optional) - spare, 0) :]
    order = [name for name in names if name not in left_out]
    values = dict(zip(order, args, strict=False))
    for name in named:
        if name in values:
            raise ValueError(f"{place}: argument '{name}' is given by position and by name")
    values.update(named)
    missing = [name for name in order if name not in values]
    if missing or len(args) > len(order):
        raise wrong_count(place, len(args) + len(named), names, missing)
    return tuple(values[name] if name in values else defaults[name] for name in names)


def signature(names: Sequence[str] | None, defaults: Mapping[str, Any]) -> Signature:
    """The signature of a call with these arguments; None: any number of them.

    Raises ValueError where a name stands twice.
    """
    if names is None:
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL)])
    parameters: list[Parameter] = []
    trailing = True  # a default may only be followed by others
    for i, name in reversed(list(enumerate(names))):
        trailing = trailing and name in defaults
        default = defaults[name] if trailing else Parameter.empty
        usable = name.isidentifier() and not keyword.iskeyword(name)
        title = name if usable else f"arg_{i}"
        parameters.append(Parameter(title, Parameter.POSITIONAL_OR_KEYWORD, default=default))
    return Signature(parameters[::-1])


class CallSignature:
    """`__signature__` of functions of the graph; their classes have that of their constructor."""

    def __get__(self, func: Any, kind: type) -> Signature:
        if func is None:
            raise AttributeError("__signature__")
        try:
            count = func.n_args()
            names = None if count < 0 else [func.argname(i) for i in range(count)]
            return signature(names, func.defaults)
        except (NotImplementedError, ValueError) as error:
            raise AttributeError("__signature__") from error
