"""The paths of a flow, subscribed to together: as one observable, or each with its own receiver.

Those whose steps are synchronous, from their source on, are one loop (`fused_tree`), so that they
give their products in the same order each time. All others run side by side, and theirs come as
they are ready.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._rx.draining import made_as_of, moment_of_making
from .._rx.driver import Driver, RootObserver
from .._rx.multicast import subscribe_merged
from .._rx.scheduler import FlowScheduler
from .._streams.timing import IdleTimes
from .._typing import T
from .bound_step import Collector
from .fused_tree import FusedTree, TreeNode
from .observable import DrivenObservable, FlowObservable
from .pipeline import Pipeline

__all__ = ["Merged", "paths_by_source", "subscribe_paths"]

#: the observables that a path consists of, the first one with its source
_Parts = Sequence[FlowObservable[Any]]


class Merged(DrivenObservable[T]):
    """The paths of a flow as one observable; compiled anew for each subscription."""

    def __init__(self, compile_paths: Callable[[], list[Observable[T]]], driven: bool) -> None:
        super().__init__()
        self._compile = compile_paths
        self.driven = driven
        self._moment = moment_of_making()

    def _subscribe_core(
        self, observer: abc.ObserverBase[T], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self.driven:
            return subscribe_merged(self._compile(), observer, scheduler)
        flow = FlowScheduler.of_run(scheduler)
        if flow is not None:
            return self._merge(observer, flow)
        return RootObserver(observer, scheduler).begin(self._merge)

    def _merge(self, observer: abc.ObserverBase[T], flow: FlowScheduler) -> abc.DisposableBase:
        paths = made_as_of(self._moment, self._compile)
        inline = _inline_paths(paths, flow)
        others = [path for index, path in enumerate(paths) if index not in inline]
        if inline:
            others.insert(0, _InlinePaths(inline))
        return subscribe_merged(others, observer, flow)


def subscribe_paths(
    paths: Sequence[Observable[Any]],
    receivers: Sequence[Callable[[Any], None]],
    on_error: Callable[[BaseException], None],
    on_completed: Callable[[int], None],
    flow: FlowScheduler,
    collectors: Sequence[Collector] = (),
) -> Iterator[abc.DisposableBase]:
    """Subscribe to the paths of a flow, each with a receiver; `on_completed` is called with the
    index of each that has ended. In a run that collects, receivers are the `add` of collectors."""
    inline = _inline_paths(paths, flow)

    def all_completed() -> None:
        for index in inline:
            on_completed(index)

    if inline:
        yield _InlineRun(inline, receivers, on_error, all_completed, flow).begin()
    for index, (path, receive) in enumerate(zip(paths, receivers, strict=True)):
        if index not in inline:
            ended = partial(on_completed, index)
            if collectors and isinstance(path, FlowObservable) and path.driven:
                yield path.collect(collectors[index], on_error, ended, flow)
                continue
            yield path.subscribe(receive, on_error, ended, scheduler=flow)


def paths_by_source(paths: Sequence[Observable[Any]]) -> list[list[int]]:
    """The indices of the paths, those together that may have a source in common, or one that can't
    wait until it is subscribed to."""
    found = {index: parts for index, path in enumerate(paths) if (parts := _parts_of(path))}
    if len(found) < len(paths):
        return [[*range(len(paths))]]
    return [[*group] for group in _by_source(found)]


class _InlinePaths(Observable[Any]):
    """Paths that are one loop, for one observer."""

    def __init__(self, paths: Mapping[int, _Parts]) -> None:
        super().__init__()
        self._paths = paths

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        assert isinstance(scheduler, FlowScheduler)
        receivers = [observer.on_next] * (max(self._paths) + 1)
        on_error: Any = observer.on_error
        return _InlineRun(
            self._paths, receivers, on_error, observer.on_completed, scheduler
        ).begin()


class _InlineRun:
    """The observer of all that a tree of synchronous steps gives: of the tree itself, and of those
    that grow out of it where a step turns out to be asynchronous."""

    def __init__(
        self,
        paths: Mapping[int, _Parts],
        receivers: Sequence[Callable[[Any], None]],
        on_error: Callable[[BaseException], None],
        on_completed: Callable[[], None],
        flow: FlowScheduler,
    ) -> None:
        self._paths = paths
        self._receivers = receivers
        self.on_error = on_error
        self._on_completed = on_completed
        self._flow = flow
        self._drivers: list[Driver[Any]] = []
        #: those that a driver is to read, and has not come to yet
        self._unopened: list[FusedTree] = []
        self._unfinished = 0

    def begin(self) -> abc.DisposableBase:
        """Have the tree read."""
        self._drive(self._open)
        return Disposable(self._dispose)

    def _drive(self, open_stream: Callable[[], FusedTree]) -> None:
        self._unfinished += 1
        observer: Any = self  # by its shape
        self._drivers.append(Driver(open_stream, observer, self._flow))

    def _start(self, tree: FusedTree) -> None:
        def opened() -> FusedTree:
            self._unopened.remove(tree)
            return tree

        self._unopened.append(tree)
        self._drive(opened)

    def _open(self) -> FusedTree:
        """The tree of all sources that are synchronous; each of the others has one of its own."""
        roots: list[TreeNode] = []
        idle_times = _IdleTimes(self._flow)
        try:
            for paths in _by_source(self._paths):
                root, _ = _tree_of(paths, 0, self._flow)
                first = next(iter(paths.values()))[0]
                source = first.open_source(self._flow)
                if hasattr(source, "__anext__"):
                    self._start_reading(source, root, first.ends_in(self._flow))
                else:
                    idle_times.tell(root)
                    root.add(source)
                    roots.append(root)
        except BaseException:
            for root in roots:
                root.close()
            raise
        return FusedTree(roots, self._flow, self._start, idle_times=idle_times.told)

    def _start_reading(self, source: Any, root: TreeNode, ends: bool) -> None:
        pipeline: Pipeline[Any] = Pipeline(self._flow, source, ends=ends)
        pipeline.own_all()  # what others wrote is read by one task, and none that does other things
        idle_times = _IdleTimes(self._flow)
        idle_times.tell(root)
        self._start(
            FusedTree(
                [root],
                self._flow,
                self._start,
                base=pipeline,
                parts=(pipeline,),
                idle_times=idle_times.told,
            )
        )

    def on_next(self, arrival: tuple[int, Any]) -> None:
        """Hand a product to the receiver of its path."""
        index, product = arrival
        self._receivers[index](product)

    def on_completed(self) -> None:
        """One of the trees has been read."""
        self._unfinished -= 1
        if not self._unfinished:
            self._on_completed()

    def _dispose(self) -> None:
        for driver in self._drivers:
            driver.dispose()
        for tree in self._unopened:
            tree.discard()


class _IdleTimes:
    """The idle times of a tree, in a run that counts."""

    def __init__(self, flow: FlowScheduler) -> None:
        meter = flow.scope.meter
        self.told = None if meter is None else IdleTimes(meter.unpaused)

    def tell(self, root: TreeNode) -> None:
        """Have the steps of a tree know of them."""
        if self.told is None:
            return
        nodes = [root]
        for node in nodes:
            nodes += node.children
            for bound_step in node.bound_steps:
                if bound_step.gauge is not None:
                    bound_step.gauge.runs_as("inline", self.told, limit=1)


def _inline_paths(paths: Sequence[Observable[Any]], flow: FlowScheduler) -> Mapping[int, _Parts]:
    """The paths that can be one loop: all that lead from a source, which no step has to wait on."""
    settings = flow.scope.settings
    if len(paths) < 2 or settings.replay is not None:
        return {}
    found = {}
    for index, path in enumerate(paths):
        parts = _parts_of(path)
        if parts and all(part.is_inline(settings.options) for part in parts):
            found[index] = parts
    inline: dict[int, _Parts] = {}
    for group in _by_source(found):
        if _is_whole(group, 0):
            inline.update(group)
    return inline if len(inline) > 1 else {}


def _parts_of(path: Observable[Any]) -> _Parts:
    """What a path consists of, from its source on; nothing, if that can't be told."""
    if not isinstance(path, FlowObservable):
        return ()
    parts = [path]
    while (branch := parts[-1].branch) is not None:
        before = branch.hub.source
        if not isinstance(before, FlowObservable):
            return ()
        parts.append(before)
    return parts[::-1] if parts[-1].has_source else ()


def _by_source(paths: Mapping[int, _Parts]) -> list[dict[int, _Parts]]:
    """The paths, together with those from the same source."""
    found: dict[int, dict[int, _Parts]] = {}
    for index, parts in paths.items():
        found.setdefault(id(parts[0]), {})[index] = parts
    return [*found.values()]


def _by_branch(paths: Mapping[int, _Parts], depth: int) -> list[dict[int, _Parts]]:
    """For each branch of the group behind this part of the paths, those that lead through it."""
    after = {index: parts[depth + 1].branch for index, parts in paths.items()}
    branch = next(iter(after.values()))
    assert branch is not None
    return [
        {index: parts for index, parts in paths.items() if after[index] is one}
        for one in branch.hub.branches
    ]


def _ends(paths: Mapping[int, _Parts], depth: int) -> bool:
    return any(len(parts) == depth + 1 for parts in paths.values())


def _is_whole(paths: Mapping[int, _Parts], depth: int) -> bool:
    """Whether all branches are among these paths: their source waits for all of them."""
    if _ends(paths, depth):
        return len(paths) == 1
    return all(members and _is_whole(members, depth + 1) for members in _by_branch(paths, depth))


def _tree_of(
    paths: Mapping[int, _Parts], depth: int, flow: FlowScheduler
) -> tuple[TreeNode, dict[Hashable, int]]:
    """The part of the paths at this depth, and all behind it, as a node of a tree; and how many
    stages from there on have a key or a limiter."""
    part = next(iter(paths.values()))[depth]
    downstream = dict(flow.downstream)
    children: list[TreeNode] = []
    if not _ends(paths, depth):
        for members in _by_branch(paths, depth):
            child, behind = _tree_of(members, depth + 1, flow)
            children.append(child)
            for key, count in behind.items():
                downstream[key] = max(count, downstream.get(key, 0))
    bound_steps = part.bound_steps(flow, downstream)
    index = -1 if children else next(iter(paths))
    return TreeNode(bound_steps, children, index), downstream
