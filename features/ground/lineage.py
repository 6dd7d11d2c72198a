"""What came from what, drawn: nodes in columns from left to right, or, where a page is narrow, as a tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from features.ground.panels import Panel

BOX, HEIGHT, GAP_X, GAP_Y, TOP = 196, 46, 56, 14, 26
LANE = 12  # Room for an edge that passes a column.
NARROW, INDENT, STEP = 342, 24, 56
PIXELS_A_LETTER = 7.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One thing of the picture.

    Parameters
    ----------
    key : str
        Names it in edges.
    layer : int
        Its column.
    title, note : str
        Two lines of text; cut to fit, whole in the tooltip.
    href : str
        Its page.
    kind : str
        A colour: here, live, production, canary, shadow, more, or empty.
    """

    key: str
    layer: int
    title: str
    note: str = ""
    href: str = ""
    kind: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A node in its place."""

    node: Node
    x: float
    y: float
    width: float

    @property
    def title(self) -> str:
        """Return as much of the title as fits."""
        return _cut(self.node.title, self.width)

    @property
    def note(self) -> str:
        """Return as much of the note as fits."""
        return _cut(self.node.note, self.width)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Boxes, paths and headings within a frame."""

    width: float
    height: float
    boxes: Sequence[Box]
    paths: Sequence[str]
    headings: Sequence[tuple[float, str]] = ()

    @property
    def frame(self) -> tuple[float, float]:
        """Return width and height with room for the outermost lines."""
        return self.width + 4, self.height + 4


@dataclass(frozen=True, kw_only=True)
class Lineage(Panel):
    """The picture; an edge names two nodes, the earlier first, in a lower layer than the other."""

    template: ClassVar[str] = "console/lineage.html"
    layers: Sequence[str]
    nodes: Sequence[Node]
    edges: Sequence[tuple[str, str]]

    @property
    def summary(self) -> str:
        """Return in words what is drawn."""
        titles = {node.key: node.title for node in self.nodes}
        said = [f"{titles[source]} → {titles[target]}" for source, target in self.edges]
        return "; ".join(said) or ", ".join(titles.values())

    @property
    def columns(self) -> Drawing:
        """Return the drawing for a wide page."""
        return in_columns(self.layers, self.nodes, self.edges)

    @property
    def tree(self) -> Drawing:
        """Return the drawing for a narrow page."""
        return as_tree(self.nodes, self.edges)


def in_columns(layers: Sequence[str], nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Drawing:
    """Place nodes in columns, those of one column in the order of what they came from.

    An edge that passes a column gets a lane in it, so that it runs between the boxes and not behind them.
    """
    used = sorted({node.layer for node in nodes})
    at = {node.key: used.index(node.layer) for node in nodes}
    hops = {edge: [f"{edge}@{place}" for place in range(at[edge[0]] + 1, at[edge[1]])] for edge in edges}
    parents: dict[str, list[str]] = {node.key: [] for node in nodes}
    columns: list[list[str]] = [[node.key for node in nodes if at[node.key] == place] for place in range(len(used))]
    for (source, target), lanes in hops.items():
        for before, after in zip([source, *lanes], [*lanes, target], strict=True):
            parents.setdefault(after, []).append(before)
        for place, lane in enumerate(lanes, at[source] + 1):
            columns[place].append(lane)
    middle = _middles(columns, parents, set(at))
    height = max((sum(_tall(key, at) for key in column) for column in columns), default=0) + TOP
    boxes = [
        Box(node=node, x=at[node.key] * (BOX + GAP_X), y=middle[node.key] - HEIGHT / 2, width=BOX) for node in nodes
    ]
    paths = [_curve(edge, lanes, at, middle) for edge, lanes in hops.items()]
    headings = [(place * (BOX + GAP_X), layers[layer]) for place, layer in enumerate(used)]
    width = len(used) * (BOX + GAP_X) - GAP_X
    return Drawing(width=width, height=height, boxes=boxes, paths=paths, headings=headings)


def _tall(key: str, at: Mapping[str, int]) -> float:
    return (HEIGHT if key in at else LANE) + GAP_Y


def _middles(
    columns: Sequence[Sequence[str]], parents: Mapping[str, Sequence[str]], boxes: set[str]
) -> dict[str, float]:
    """Return the height of each node's and lane's middle, each column in the middle of the picture."""
    tall = {key: (HEIGHT if key in boxes else LANE) + GAP_Y for column in columns for key in column}
    whole = max((sum(tall[key] for key in column) for column in columns), default=0)
    middle: dict[str, float] = {}
    for column in columns:
        wanted = {key: [middle[parent] for parent in parents.get(key, ()) if parent in middle] for key in column}
        # What came from nothing here, such as "and 3 more", stands last.
        order = sorted(column, key=lambda key: sum(wanted[key]) / len(wanted[key]) if wanted[key] else whole * 2)
        y = TOP + (whole - sum(tall[key] for key in column)) / 2
        for key in order:
            middle[key] = y + (tall[key] - GAP_Y) / 2
            y += tall[key]
    return middle


def _curve(edge: tuple[str, str], lanes: Sequence[str], at: Mapping[str, int], middle: Mapping[str, float]) -> str:
    source, target = edge
    x, y = at[source] * (BOX + GAP_X) + BOX, middle[source]
    path = [f"M{x:g} {y:.1f}"]
    for place, lane in enumerate([*lanes, target], at[source] + 1):
        to_x, to_y = place * (BOX + GAP_X), middle[lane]
        half = (x + to_x) / 2
        path.append(f"C{half:g} {y:.1f} {half:g} {to_y:.1f} {to_x:g} {to_y:.1f}")
        x, y = to_x, to_y
        if lane != target:
            x += BOX
            path.append(f"H{x:g}")
    return " ".join(path)


def as_tree(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Drawing:
    """Place nodes below each other, each under the first thing it came from and further in by its layer."""
    used = sorted({node.layer for node in nodes})
    by_key = {node.key: node for node in nodes}
    order: dict[str, None] = {}
    # What several things lead to stands below the last of them.
    waiting = {node.key: sum(target == node.key for _, target in edges) for node in nodes}

    def visit(key: str) -> None:
        order[key] = None
        for source, target in edges:
            if source == key:
                waiting[target] -= 1
                if not waiting[target]:
                    visit(target)

    for node in sorted(nodes, key=lambda node: node.layer):
        if node.key not in order and not waiting[node.key]:
            visit(node.key)
    place = {key: (used.index(by_key[key].layer) * INDENT, row * STEP) for row, key in enumerate(order)}
    boxes = [Box(node=by_key[key], x=x, y=y, width=NARROW - x) for key, (x, y) in place.items()]
    paths = [
        f"M{place[source][0] + 10} {place[source][1] + HEIGHT} V{place[target][1] + HEIGHT // 2} H{place[target][0]}"
        for source, target in edges
    ]
    return Drawing(width=NARROW, height=len(order) * STEP, boxes=boxes, paths=paths)


def _cut(text: str, width: float) -> str:
    most = int((width - 24) / PIXELS_A_LETTER)
    return text if len(text) <= most else f"{text[: most - 1]}…"
