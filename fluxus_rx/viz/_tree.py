"""A flow as a Unicode drawing for terminals: from top to bottom, its exits joined on the right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from .._common.encoding import to_print
from .._common.text import shortened, width_of
from .._graph.flow_graph import Paths, lay_edges, whole_of
from .._graph.parts import Describable, Description, Node, Parallel, Part, Role, Series, Through

__all__ = ["drawn_tree", "to_tree"]

SIGNS: Mapping[Role, str] = {
    "producer": "▷",
    "transformer": "○",
    "consumer": "□",
    "start": "●",
    "end": "◉",
}

#: How many columns the name of a node has, and what else is said of it.
TREE_NAME_WIDTH = 40
DETAILS_WIDTH = 60


def to_tree(conduit: Describable, *, paths: bool = False) -> str:
    """A flow as a drawing of box characters.

    ▷ is a producer, ○ a transformer, □ a consumer, ● a start without a producer and ◉ an end
    without a consumer; ┄ is a passthrough. What stands below another in a branch follows it; what
    leads to the right joins there. With `paths`, each branch tells the indices of the paths that
    leave it, as in the result of `run`. Where stdout has no box characters, there are plain ones in
    their place.

    >>> from fluxus_rx import parallel, passthrough, step
    >>> add = step("add", lambda x, by: {"y": x + by}, by=3)
    >>> twice = step("twice", lambda x: {"y": 2 * x})
    >>> print(to_tree(step("src", [{"x": 1}]) >> parallel(add >> twice, passthrough()), paths=True))
    ▷ src  [{'x': 1}]
    ├──▶ ○ add  by=3
    │    ○ twice ─ 0 ─╮
    ╰┄┄ 1 ┄┄┄┄┄┄┄┄┄┄┄┄┤
    ╭─────────────────╯
    ◉ end
    """
    return to_print(drawn_tree(conduit, paths=paths))


def drawn_tree(conduit: Describable, *, paths: bool) -> str:
    """The same in any case with box characters, for files."""
    whole = whole_of(conduit)
    tree = _Tree(lay_edges(whole, True).paths if paths else {})
    return "\n".join(row.text for row in tree.stack(whole.parts, False))


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line of the drawing; `lead` is what leads on from it to the right, if anything does."""

    text: str
    lead: str = ""

    def after(self, prefix: str) -> _Row:
        """The row within a branch."""
        return _Row(prefix + self.text, self.lead)


class _Tree:
    """Draws the parts of one flow; with the paths by key, if they are to be seen.

    Of the rows of a part, those with a lead are its exits; the last one is. `fed` tells whether
    something stands above the part that feeds it.
    """

    def __init__(self, paths: Mapping[str, Paths]) -> None:
        self._paths = paths

    def stack(self, parts: Sequence[Part], fed: bool) -> list[_Row]:
        """The rows of parts one behind the other, without exits."""
        rows: list[_Row] = []
        for part in parts:
            if isinstance(part, Node):
                rows.append(_Row(_tree_label(part)))
            elif isinstance(part, Through):  # all there is in the flow
                rows.append(_Row("┊"))
            else:
                rows += _joined(self._part(part, fed or bool(rows)))
        return rows

    def _part(self, part: Part, fed: bool) -> list[_Row]:
        assert not isinstance(part, Description)  # there is a node in its place
        match part:
            case Node():
                return [_Row(f"{_tree_label(part)} {self._indices(part.key, '─')}", "─")]
            case Through():
                return [_Row(f"┄{self._indices(part.key, '┄')}", "┄")]
            case Series():
                above = self.stack(part.parts[:-1], fed)
                return above + self._part(part.parts[-1], fed or bool(above))
            case Parallel():
                branches = [self._part(branch, fed) for branch in part.parts]
                return [*(_fed(branches) if fed else chain.from_iterable(branches))]

    def _indices(self, key: str, line: str) -> str:
        return f"{line} {self._paths[key]} " if key in self._paths else ""


def _fed(branches: Sequence[list[_Row]]) -> Iterator[_Row]:
    """The rows of a group, each branch led into from a line on the left."""
    for number, (first, *more) in enumerate(branches, 1):
        corner, below = ("├", "│    ") if number < len(branches) else ("╰", "     ")
        match first.text[0]:
            case "┄":
                yield first.after(corner)
            case "├":  # a group that begins the branch
                yield _Row(f"{corner}────┬{first.text[1:]}", first.lead)
            case _:
                yield first.after(f"{corner}──▶ ")
        yield from (row.after(below) for row in more)


def _joined(rows: Sequence[_Row]) -> Iterator[_Row]:
    """The rows with their exits led together on the right, and back to the left below."""
    first = next(number for number, row in enumerate(rows) if row.lead)
    width = max(width_of(row.text) for row in rows[first:]) + 1
    for number, row in enumerate(rows):
        if number < first:
            yield row
            continue
        bar = "╮" if number == first else "┤" if row.lead else "│"
        yield _Row(row.text + (row.lead or " ") * (width - width_of(row.text)) + bar)
    yield _Row(f"╭{'─' * (width - 1)}╯")


def _tree_label(node: Node) -> str:
    label = f"{SIGNS[node.role]} {shortened(node.name, TREE_NAME_WIDTH)}"
    details = shortened(", ".join(node.details), DETAILS_WIDTH)
    return f"{label}  {details}" if details else label
