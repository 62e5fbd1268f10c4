"""Expressions as pictures: variables on top, each call below its arguments, the result at the foot.

A node lies in the layer of its longest way to the result. An edge that passes layers has a place in
each of them, so that it goes around the nodes there. Layers are ordered by the mean places of their
neighbours, back and forth, while each node is moved towards that mean as far as its neighbours in
the layer allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ad_core.graph.nodes import ADFunctionCall, ADTerminal, Constant, Expression
from ad_core.graph.walks import topological
from ad_core.ops.elementwise import Elementwise
from ad_core.ops.structure import GetItem

MOST_NODES = 60
_LONGEST = 28  # characters of a label
_LETTER, _HEIGHT, _GAP, _LAYER = 7.3, 24.0, 16.0, 54.0  # pixels
_PASSING = 6.0  # the width of an edge that passes a layer, pixels
_SWEEPS = 8


def to_svg(root: Expression, most: int = MOST_NODES) -> str:
    """The graph of `root` as SVG text; of a larger one the `most` nodes nearest to the result."""
    order = topological([root])
    nodes = _nearest(root, most)
    layers, edges = _layers(nodes, order)
    labels = [_label(node) for node in nodes]
    widths = {i: max(_LETTER * len(text) + 14.0, _HEIGHT) for i, text in enumerate(labels)}
    centres = _centres(layers, edges, widths)
    left = min(x - widths.get(i, _PASSING) / 2 for i, x in centres.items()) - 2
    level = {i: k for k, layer in enumerate(layers) for i in layer}
    places = {
        i: (x - left, (len(layers) - 1 - level[i]) * _LAYER + _HEIGHT / 2 + 2)
        for i, x in centres.items()
    }
    half = {i: _HEIGHT / 2 if i in widths else 0.0 for i in places}  # edges go on where they pass
    parts = [
        _edge((places[a][0], places[a][1] - half[a]), (places[b][0], places[b][1] + half[b]))
        for a, b in edges
    ]
    parts += [_node(node, labels[i], places[i], widths[i]) for i, node in enumerate(nodes)]
    right = max(places[i][0] + widths.get(i, _PASSING) / 2 for i in places) + 2
    bottom = (len(layers) - 1) * _LAYER + _HEIGHT + 4
    if len(nodes) < len(order):
        note = f"{len(order) - len(nodes):,} more nodes are not drawn"
        parts.append(f'<text x="2" y="{bottom + 14:.0f}" fill="currentColor">{note}</text>')
        right, bottom = max(right, len(note) * _LETTER), bottom + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{right:.0f}" '
        f'height="{bottom:.0f}" viewBox="0 0 {right:.0f} {bottom:.0f}" '
        'style="max-width: 100%; height: auto" font-family="monospace" font-size="12">'
        f"{''.join(parts)}</svg>"
    )


def _nearest(root: Expression, most: int) -> list[Expression]:
    """The nodes in the order of their distance from the root, at most so many."""
    found, k = [root], 0
    seen = {root}
    while k < len(found) < most:
        node, k = found[k], k + 1
        for arg in node.args if isinstance(node, ADFunctionCall) else ():
            if arg not in seen and len(found) < most:
                seen.add(arg)
                found.append(arg)
    return found


def _layers(
    nodes: Sequence[Expression], order: Sequence[Expression]
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Layers of numbers, the result's first, and edges from each layer to the next.

    Numbers below `len(nodes)` are of nodes, others of edges on their way through a layer.
    """
    number = {node: i for i, node in enumerate(nodes)}
    depth = [0] * len(nodes)
    pairs: list[tuple[int, int]] = []
    for node in reversed(order):  # users before their arguments
        i = number.get(node)
        if i is None or not isinstance(node, ADFunctionCall):
            continue
        for a in dict.fromkeys(number[arg] for arg in node.args if arg in number):
            depth[a] = max(depth[a], depth[i] + 1)
            pairs.append((i, a))
    layers: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for i, level in enumerate(depth):
        layers[level].append(i)
    edges: list[tuple[int, int]] = []
    passing = len(nodes)
    for i, a in pairs:
        last = i
        for level in range(depth[i] + 1, depth[a]):
            layers[level].append(passing)
            edges.append((last, passing))
            last, passing = passing, passing + 1
        edges.append((last, a))
    return layers, edges


def _centres(
    layers: Sequence[Sequence[int]], edges: Sequence[tuple[int, int]], widths: Mapping[int, float]
) -> dict[int, float]:
    """Where each number lies in its layer."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in edges:
        above.setdefault(a, []).append(b)
        below.setdefault(b, []).append(a)
    x: dict[int, float] = {}
    for layer in layers:
        _spread(x, list(layer), dict.fromkeys(layer, 0.0), widths)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near = below if down else above
        for layer in layers if down else reversed(layers):
            means = {
                i: sum(x[j] for j in near[i]) / len(near[i]) if i in near else x[i] for i in layer
            }
            _spread(x, sorted(layer, key=means.__getitem__), means, widths)
    return x


def _spread(
    x: dict[int, float], row: list[int], wanted: Mapping[int, float], widths: Mapping[int, float]
) -> None:
    """Places for a row in this order, apart, as near to those wanted as one shift makes them."""
    at, right = list[float](), float("-inf")
    for i in row:
        half = widths.get(i, _PASSING) / 2
        at.append(max(wanted[i], right + _GAP + half))
        right = at[-1] + half
    shift = sum(wanted[i] - place for i, place in zip(row, at, strict=True)) / len(row)
    x.update((i, place + shift) for i, place in zip(row, at, strict=True))


def _label(node: Expression) -> str:
    size = "" if node.size in (None, 1) else f" [{node.size}]"
    if isinstance(node, ADTerminal):
        return _cut(node.name) + size
    if isinstance(node, Constant):
        return f"{node.value.item():.6g}" if node.size == 1 else f"constant{size}"
    func = node.func if isinstance(node, ADFunctionCall) else node
    if isinstance(func, Elementwise) and func.symbol is not None:
        return func.symbol + size
    return _cut(f"[{func.index_text}]" if isinstance(func, GetItem) else str(func)) + size


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _node(node: Expression, label: str, place: tuple[float, float], width: float) -> str:
    """A box around a call, a filled one around a variable, and none around a constant."""
    x, y = place
    tint = 0.12 if isinstance(node, ADTerminal) else 0.0
    line = 0.0 if isinstance(node, Constant) else 0.6
    return (
        f'<g><rect x="{x - width / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{width:.1f}" '
        f'height="{_HEIGHT:.0f}" rx="6" fill="currentColor" fill-opacity="{tint}" '
        f'stroke="currentColor" stroke-opacity="{line}"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="currentColor">'
        f"{escape(label)}</text></g>"
    )


def _edge(below: tuple[float, float], above: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = above, below
    middle = (y1 + y2) / 2
    return (
        f'<path d="M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} '
        f'{x2:.1f} {y2:.1f}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>'
    )
