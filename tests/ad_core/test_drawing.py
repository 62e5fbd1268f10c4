"""Pictures of expressions: what is drawn is the graph, and boxes lie apart."""

import re
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest

import ad_core as ad
import ad_core.math as adm
from ad_core.graph import ADFunctionCall, topological
from ad_core.ops.drawing import MOST_NODES, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> tuple[list[str], list[tuple[float, float, float]], list[list[float]]]:
    """Labels; boxes as left, right, middle height; edges as x and y of their two ends."""
    root = ElementTree.fromstring(text)
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    labels = [str(node.text) for node in root.iter(f"{SVG}text")]
    boxes: list[tuple[float, float, float]] = []
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.attrib[k]) for k in ("x", "y", "width", "height"))
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
        boxes.append((x, x + w, y + h / 2))
    numbers = [re.findall(r"-?[\d.]+", path.attrib["d"]) for path in root.iter(f"{SVG}path")]
    return labels, boxes, [[float(n) for n in (*d[:2], *d[-2:])] for d in numbers]


def followed(
    boxes: list[tuple[float, float, float]], edges: list[list[float]]
) -> Counter[tuple[int, int]]:
    """Edges from box to box, those that pass layers joined to one."""

    def touched(x: float, y: float) -> int | None:
        hits = [
            i for i, (a, b, m) in enumerate(boxes) if a <= x <= b and abs(abs(y - m) - 12) < 0.2
        ]
        return hits[0] if len(hits) == 1 else None

    begins = {(x, y): (u, v) for x, y, u, v in edges if touched(x, y) is None}
    found: Counter[tuple[int, int]] = Counter()
    for x, y, u, v in edges:
        source = touched(x, y)
        if source is None:
            continue
        while touched(u, v) is None:
            u, v = begins.pop((u, v))
        found[source, touched(u, v)] += 1  # type: ignore[index]
    assert not begins
    return found


def random_graph(seed: int, count: int) -> ad.Expression:
    rng = np.random.default_rng(seed)
    nodes: list[ad.Expression] = [ad.var("x", 3), ad.var("y", 3), ad.constant([1.0, 2.0, 3.0])]
    for _ in range(count):
        i, j = rng.integers(0, len(nodes), 2)
        choices = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: adm.sin(a)]
        nodes.append(choices[rng.integers(3)](nodes[i], nodes[j]))
    return nodes[-1] + nodes[-2]


@pytest.mark.parametrize("seed", range(8))
def test_every_node_has_a_box_and_every_argument_an_edge(seed):
    graph = random_graph(seed, 20)
    order = topological([graph])
    labels, boxes, edges = drawn(to_svg(graph))
    assert len(boxes) == len(labels) == len(order)
    pairs = Counter(
        {(arg, node): 1 for node in order if isinstance(node, ADFunctionCall) for arg in node.args}
    )
    assert sum(followed(boxes, edges).values()) == len(pairs)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_of_a_layer_lie_apart_and_edges_lead_down(seed):
    _, boxes, edges = drawn(to_svg(random_graph(seed, 30)))
    for i, (left, right, y) in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert other[2] != y or left > other[1] or right < other[0]
    assert all(begin < end for _, begin, _, end in edges)


def test_labels_say_name_and_size():
    x = ad.var("a<b", 2)
    labels, boxes, _ = drawn((adm.sin(x) * 2.5 - x[0])._repr_html_())
    assert Counter(labels) == Counter(["a<b [2]", "sin [2]", "2.5", "* [2]", "[0]", "- [2]"])
    assert len(boxes) == 6


def test_one_node_is_a_picture_too():
    assert drawn(ad.var("x")._repr_html_())[0] == ["x"]


def test_a_large_graph_is_cut_near_its_result():
    chain: ad.Expression = ad.var("x", 1)
    for _ in range(20_000):
        chain = adm.sin(chain)
    labels, boxes, _ = drawn(adm.cos(chain)._repr_html_())
    assert len(boxes) == MOST_NODES
    assert labels[0] == "cos"
    assert labels[-1] == f"{20_002 - MOST_NODES:,} more nodes are not drawn"
