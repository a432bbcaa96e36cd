"""A flow as a Unicode drawing for terminals: from top to bottom, its exits joined on the right."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

from .._common.encoding import to_print
from .._common.text import printable, shortened, width_of
from .._graph.flow_graph import Paths, lay_edges, whole_of
from .._graph.parts import Describable, Description, Node, Parallel, Part, Role, Series, Through
from .._graph.trampoline import trampoline

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
    trampoline(tree.stack(whole.parts, False, _Margin()))
    return "\n".join(row.text for row in tree.rows)


class _Row:
    """A line of the drawing; `lead` is what leads on from it to the right, if anything does."""

    __slots__ = ("_texts", "lead", "width")

    def __init__(self, text: str, lead: str = "") -> None:
        # Joined at the end: groups in groups add to a row again and again.
        self._texts = [text]
        self.lead = lead
        self.width = width_of(text)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def tell(self, name: str) -> None:
        """Tell the name of the branch that it leads out of."""
        text = f"{self.lead} {name} "
        self._texts.append(text)
        self.width += width_of(text)

    def join(self, width: int, bar: str) -> None:
        """Lead it, or a gap, to a bar in this column."""
        self._texts += ((self.lead or " ") * (width - self.width), bar)
        self.width = width + 1
        self.lead = ""


class _Margin(NamedTuple):
    """What stands on the left of the rows of a part: of its first one, and of those below.

    `corner` is where a group that begins the part leads off, if that is on a line which others
    share.
    """

    first: str = ""
    below: str = ""
    corner: str = "├"

    @property
    def next(self) -> _Margin:
        """That of what comes below the first row."""
        return _Margin(self.below, self.below)

    def of_branch(self, branch: Part, corner: str, is_last: bool) -> _Margin:
        """That of a branch which a line on the left leads into."""
        begins = branch
        while isinstance(begins, Series):
            begins = begins.parts[0]
        below = self.below + ("     " if is_last else "│    ")
        match begins:
            case Through():
                return _Margin(f"{self.first}{corner}", below)
            case Parallel():
                return _Margin(f"{self.first}{corner}────", below, "┬")
            case _:
                return _Margin(f"{self.first}{corner}──▶ ", below)


class _Tree:
    """Draws the parts of one flow; with the paths by key, if they are to be seen.

    Of the rows of a part, those with a lead are its exits; the last one is. `fed` tells whether
    something stands above the part that feeds it. Its functions are for a trampoline.
    """

    def __init__(self, paths: Mapping[str, Paths]) -> None:
        self.rows: list[_Row] = []
        self._paths = paths

    def stack(
        self, parts: Sequence[Part], fed: bool, margin: _Margin
    ) -> Generator[Any, Any, _Margin]:
        """Draw parts one behind the other, without exits; return the margin of what comes next."""
        for part in parts:
            if isinstance(part, Node):
                self._add(margin, _tree_label(part))
            elif isinstance(part, Through):  # all there is in the flow
                self._add(margin, "┊")
            else:
                start = len(self.rows)
                yield self._part(part, fed, margin)
                self._join(start, margin.below)
            fed, margin = True, margin.next
        return margin

    def _part(self, part: Part, fed: bool, margin: _Margin) -> Generator[Any, Any, None]:
        assert not isinstance(part, Description)  # there is a node in its place
        match part:
            case Node():
                text = f"{_tree_label(part)} {self._indices(part.key, '─')}"
                self._add(margin, text, "─")
            case Through():
                self._add(margin, f"┄{self._indices(part.key, '┄')}", "┄")
            case Series():
                start = len(self.rows)
                *before, last = part.parts
                margin = yield self.stack(before, fed, margin)
                yield self._part(last, fed or bool(before), margin)
                for row in self.rows[start:] if part.branch else ():
                    if row.lead:
                        row.tell(shortened(printable(part.branch), TREE_NAME_WIDTH))
            case Parallel():
                yield self._branches(part, fed, margin)

    def _branches(self, group: Parallel, fed: bool, margin: _Margin) -> Generator[Any, Any, None]:
        corner = margin.corner
        for number, branch in enumerate(group.parts, 1):
            is_last = number == len(group.parts)
            if not fed:
                yield self._part(branch, False, margin)
            else:
                corner = "╰" if is_last and number > 1 else corner
                yield self._part(branch, True, margin.of_branch(branch, corner, is_last))
            corner, margin = "├", margin.next

    def _add(self, margin: _Margin, text: str, lead: str = "") -> None:
        self.rows.append(_Row(margin.first + text, lead))

    def _indices(self, key: str, line: str) -> str:
        return f"{line} {self._paths[key]} " if key in self._paths else ""

    def _join(self, start: int, margin: str) -> None:
        """Lead the exits of the rows from there on together on the right, and back to the left
        below."""
        first = next(n for n in range(start, len(self.rows)) if self.rows[n].lead)
        width = max(row.width for row in self.rows[first:]) + 1
        for number, row in enumerate(self.rows[first:]):
            row.join(width, "╮" if not number else "┤" if row.lead else "│")
        self.rows.append(_Row(f"{margin}╭{'─' * (width - width_of(margin) - 1)}╯"))


def _tree_label(node: Node) -> str:
    label = f"{SIGNS[node.role]} {shortened(node.name, TREE_NAME_WIDTH)}"
    details = shortened(", ".join(node.details), DETAILS_WIDTH)
    return f"{label}  {details}" if details else label
