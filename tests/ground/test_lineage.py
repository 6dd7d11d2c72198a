"""The picture of what came from what: everything has its place, and nothing lies on anything else."""

import re
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from features.ground.lineage import BOX, HEIGHT, NARROW, Drawing, Lineage, Node, as_tree, in_columns

LAYERS = ("Dataset", "View", "Snapshot", "Model")


def overlapping(drawing: Drawing) -> bool:
    boxes = list(drawing.boxes)
    return any(
        abs(one.y - other.y) < HEIGHT and one.x < other.x + other.width and other.x < one.x + one.width
        for at, one in enumerate(boxes)
        for other in boxes[at + 1 :]
    )


def inside(drawing: Drawing) -> bool:
    return all(
        box.x >= 0 and box.y >= 0 and box.x + box.width <= drawing.width and box.y + HEIGHT <= drawing.height
        for box in drawing.boxes
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Sequence[Node], Sequence[tuple[str, str]]]:
    layers = draw(st.lists(st.integers(0, 3), min_size=1, max_size=20))
    nodes = [Node(key=str(at), layer=layer, title=f"node {at}") for at, layer in enumerate(layers)]
    pairs = [(a.key, b.key) for a in nodes for b in nodes if a.layer < b.layer]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    return nodes, edges


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_every_node_has_a_place_of_its_own_and_every_edge_a_path(
    graph: tuple[Sequence[Node], Sequence[tuple[str, str]]],
) -> None:
    nodes, edges = graph
    for drawing in (in_columns(LAYERS, nodes, edges), as_tree(nodes, edges)):
        assert sorted(box.node.key for box in drawing.boxes) == sorted(node.key for node in nodes)
        assert len(drawing.paths) == len(edges)
        assert inside(drawing)
        assert not overlapping(drawing)


def test_edge_past_a_column_runs_between_its_boxes() -> None:
    nodes = [Node(key=key, layer=layer, title=key) for key, layer in (("d", 0), ("v", 1), ("w", 1), ("s", 2))]
    drawing = in_columns(LAYERS, nodes, [("d", "v"), ("d", "w"), ("d", "s")])
    path = drawing.paths[2]
    lane = float(re.findall(r" ([\d.]+) H", path)[0])
    inner = [box for box in drawing.boxes if box.node.layer == 1]
    assert not any(box.y <= lane <= box.y + HEIGHT for box in inner)


def test_columns_that_hold_nothing_are_left_out() -> None:
    nodes = [Node(key="d", layer=0, title="d"), Node(key="s", layer=2, title="s")]
    drawing = in_columns(LAYERS, nodes, [("d", "s")])
    assert [heading for _, heading in drawing.headings] == ["Dataset", "Snapshot"]
    assert drawing.width < 3 * BOX


def test_tree_puts_what_came_of_several_below_the_last_of_them() -> None:
    nodes = [Node(key=key, layer=layer, title=key) for key, layer in (("d", 0), ("v", 1), ("w", 1), ("s", 2))]
    drawing = as_tree(nodes, [("d", "v"), ("d", "w"), ("v", "s"), ("w", "s")])
    assert [box.node.key for box in drawing.boxes] == ["d", "v", "w", "s"]
    assert all(box.x + box.width == NARROW for box in drawing.boxes)


def test_long_title_is_cut_to_its_box() -> None:
    drawing = in_columns(LAYERS, [Node(key="d", layer=0, title="x" * 200)], [])
    assert len(drawing.boxes[0].title) < 30
    assert drawing.boxes[0].title.endswith("…")


def test_picture_is_said_in_words() -> None:
    nodes = [Node(key="a", layer=0, title="flights"), Node(key="b", layer=1, title="rates v1")]
    assert Lineage(title="L", layers=LAYERS, nodes=nodes, edges=[("a", "b")]).summary == "flights → rates v1"
    assert Lineage(title="L", layers=LAYERS, nodes=nodes[:1], edges=[]).summary == "flights"
