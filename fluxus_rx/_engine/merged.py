"""The paths of a flow, subscribed to together: as one observable, or each with its own receiver.

Those whose steps are synchronous, from their source on, are one loop (`fused_tree`), so that they
emit their products in the same order each time. Where all is collected, and the steps of all
branches are asynchronous, workers in common carry each product through all of them (`pipeline`).
All other paths run side by side, and their products come as they are ready.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from .._common.messages import short
from .._graph.trampoline import trampoline
from .._products.collector import Collector
from .._rx.draining import made_as_of, moment_of_making
from .._rx.driver import Driver, RootObserver
from .._rx.multicast import Branch, Hub, subscribe_merged
from .._rx.run_settings import RunSettings
from .._rx.scheduler import FlowScheduler
from .._streams.timing import IdleTimes
from .._typing import T
from .fused_tree import FusedTree, TreeNode
from .observable import DrivenObservable, FlowObservable, Receiver
from .pipeline import CarriedSteps, Pipeline

__all__ = ["Merged", "paths_by_source", "subscribe_paths"]


class _Part:
    """An observable that paths lead through, and what is on the branches of the group behind it."""

    __slots__ = ("branches", "indices", "observable")

    def __init__(self, observable: FlowObservable[Any]) -> None:
        self.observable = observable
        self.branches: dict[Branch[Any], _Part] = {}
        #: those of the paths that end here
        self.indices: list[int] = []

    @property
    def is_whole(self) -> bool:
        """Whether it is the end of one path, or knows what is on all of its branches."""
        if self.indices:
            return len(self.indices) == 1 and not self.branches
        return len(self.in_order()) == len(self.branches) == len(self._hub.branches)

    def in_order(self) -> list[_Part]:
        """What is on the branches, in their order."""
        if not self.branches:
            return []
        return [self.branches[one] for one in self._hub.branches if one in self.branches]

    @property
    def _hub(self) -> Hub[Any]:
        return next(iter(self.branches)).hub


class Merged(DrivenObservable[T]):
    """The paths of a flow as one observable; compiled again for each subscription."""

    def __init__(
        self, compile_paths: Callable[[], list[Observable[T]]], driven: bool, flow: object
    ) -> None:
        super().__init__()
        self._compile = compile_paths
        self._flow = flow
        self.driven = driven
        self._moment = moment_of_making()

    def __repr__(self) -> str:
        return f"<Observable of all paths of {short(self._flow)}>"

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
        inline = _together(paths, flow).inline
        others = [path for index, path in enumerate(paths) if index not in inline]
        if inline:
            others.insert(0, _InlinePaths(inline.values(), len(paths)))
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
    inline, carried = _together(paths, flow, is_collected=bool(collectors))

    def all_completed(indices: Iterable[int]) -> None:
        for index in indices:
            on_completed(index)

    if inline:
        ended: Callable[[], None] = partial(all_completed, inline)
        run = _InlineRun(inline.values(), receivers, on_error, ended, flow)
        run.receives_at_once = bool(collectors) and not collectors[0].may_be_read
        yield run.begin()
    for root in _distinct_parts(carried.values()):
        ended = partial(all_completed, [index for index in carried if carried[index] is root])
        yield _carry(root, collectors, Receiver(_refuse, on_error, ended), flow)
    for index, (path, receive) in enumerate(zip(paths, receivers, strict=True)):
        if index not in inline and index not in carried:
            ended = partial(on_completed, index)
            if isinstance(path, FlowObservable) and path.driven and (collectors or path.has_source):
                collector = collectors[index] if collectors else None
                yield path.receive(Receiver(receive, on_error, ended, collector), flow)
            else:
                yield path.subscribe(receive, on_error, ended, scheduler=flow)


def paths_by_source(paths: Sequence[Observable[Any]]) -> list[list[int]]:
    """The indices of the paths, those together that may have a source in common, or one that can't
    wait until it is subscribed to."""
    roots = _roots_of(paths)
    if len(roots) < len(paths):
        return [[*range(len(paths))]]
    found: dict[int, list[int]] = {}
    for index, root in roots.items():
        found.setdefault(id(root), []).append(index)
    return [*found.values()]


class _InlinePaths(Observable[Any]):
    """Paths that are one loop, for one observer."""

    def __init__(self, roots: Iterable[_Part], count: int) -> None:
        super().__init__()
        self._roots = roots
        self._count = count

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        assert isinstance(scheduler, FlowScheduler)
        receivers = [observer.on_next] * self._count
        on_error: Any = observer.on_error
        return _InlineRun(
            self._roots, receivers, on_error, observer.on_completed, scheduler
        ).begin()


class _InlineRun:
    """The observer of all that a tree of synchronous steps emits: of the tree itself, and of those
    that grow out of it where a step turns out to be asynchronous."""

    def __init__(
        self,
        roots: Iterable[_Part],
        receivers: Sequence[Callable[[Any], None]],
        on_error: Callable[[BaseException], None],
        on_completed: Callable[[], None],
        flow: FlowScheduler,
    ) -> None:
        self._roots = _distinct_parts(roots)
        self._receivers = receivers
        #: whether receivers take all there is, so that nobody has to wait for them
        self.receives_at_once = False
        self.on_error = on_error
        self._on_completed = on_completed
        self._flow = flow
        self._drivers: list[Driver[Any]] = []
        self._unfinished = 0

    def begin(self) -> abc.DisposableBase:
        """Have the tree read."""
        self._drive(self._open)
        return Disposable(self._dispose)

    def _drive(self, tree: FusedTree | Callable[[], FusedTree]) -> None:
        self._unfinished += 1
        observer: Any = self  # by its shape
        self._drivers.append(Driver(tree, observer, self._flow))

    def _open(self) -> FusedTree:
        """The tree of all sources that are synchronous; each of the others has one of its own."""
        roots: list[TreeNode] = []
        idle_times = _IdleTimes(self._flow)
        try:
            for part in self._roots:
                root, _ = trampoline(_tree_of(part, self._flow))
                source = part.observable.open_source(self._flow)
                if hasattr(source, "__anext__"):
                    self._start_reading(source, root, part.observable.ends_in(self._flow))
                else:
                    idle_times.tell(root)
                    root.add(source)
                    roots.append(root)
        except BaseException:
            for root in roots:
                root.close()
            raise
        return FusedTree(
            roots,
            self._flow,
            self._drive,
            idle_times=idle_times.told,
            receivers=self._receivers if self.receives_at_once else (),
        )

    def _start_reading(self, source: Any, root: TreeNode, ends: bool) -> None:
        pipeline: Pipeline[Any] = Pipeline(self._flow, source, ends=ends)
        pipeline.own_all()  # what others wrote is read by one task, and none that does other things
        idle_times = _IdleTimes(self._flow)
        idle_times.tell(root)
        self._drive(
            FusedTree(
                [root],
                self._flow,
                self._drive,
                base=pipeline,
                parts=(pipeline,),
                idle_times=idle_times.told,
                receivers=self._receivers if self.receives_at_once else (),
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


class _Together(NamedTuple):
    """Paths that have something in common that runs them, by their index, each with its first
    part: those that are one loop, and those whose products are carried by the same workers."""

    inline: Mapping[int, _Part]
    carried: Mapping[int, _Part]


def _together(
    paths: Sequence[Observable[Any]], flow: FlowScheduler, is_collected: bool = False
) -> _Together:
    """The paths that have; all of them lead from a source."""
    settings = flow.scope.settings
    if len(paths) < 2 or settings.replay is not None:
        return _Together({}, {})
    roots = _roots_of(paths)
    inline = {id(root) for root in _distinct_parts(roots.values()) if _is_inline(root, settings)}
    found = {index: root for index, root in roots.items() if id(root) in inline}
    # A run that counts has to know for how long each step has waited.
    is_plain = is_collected and settings.meter is None and not settings.drainable
    carried: set[int] = set()
    if is_plain:
        others = (root for root in _distinct_parts(roots.values()) if id(root) not in inline)
        carried = {id(root) for root in others if _is_carried(root, settings)}
    return _Together(
        found if len(found) > 1 else {},
        {index: root for index, root in roots.items() if id(root) in carried},
    )


def _distinct_parts(roots: Iterable[_Part]) -> list[_Part]:
    return [*{id(root): root for root in roots}.values()]


def _roots_of(paths: Sequence[Observable[Any]]) -> Mapping[int, _Part]:
    """The first parts of the paths by their index, as far as they can be told, with all behind
    them; each part is come to once, however many paths lead through it."""
    parts: dict[int, _Part] = {}
    roots: dict[int, _Part | None] = {}
    found: dict[int, _Part] = {}
    for index, path in enumerate(paths):
        climbed: list[int] = []
        root: _Part | None = None
        observable: Observable[Any] = path
        below: tuple[Branch[Any], _Part] | None = None
        while isinstance(observable, FlowObservable):
            key = id(observable)
            part = parts.setdefault(key, _Part(observable))
            if below is None:
                part.indices.append(index)
            else:
                part.branches[below[0]] = below[1]
            if key in roots:
                root = roots[key]
                break
            climbed.append(key)
            branch = observable.branch
            if branch is None:
                root = part if observable.has_source else None
                break
            below, observable = (branch, part), branch.hub.source
        roots |= dict.fromkeys(climbed, root)
        if root is not None:
            found[index] = root
    return found


def _is_inline(root: _Part, settings: RunSettings) -> bool:
    """Whether no step of these parts has to wait, and all branches are among them: their source
    waits for all of them."""
    inside = [root]
    while inside:
        part = inside.pop()
        if not (part.is_whole and part.observable.is_inline(settings)):
            return False
        inside += part.branches.values()
    return True


def _is_carried(root: _Part, settings: RunSettings) -> bool:
    """Whether the source is for several branches, all are among these parts, and each step behind a
    fork may wait."""
    if not (root.branches and root.is_whole):
        return False
    inside = [*root.branches.values()]
    while inside:
        part = inside.pop()
        if not (part.is_whole and part.observable.is_async(settings)):
            return False
        inside += part.branches.values()
    return True


def _carry(
    root: _Part, collectors: Sequence[Collector], receiver: Receiver, flow: FlowScheduler
) -> abc.DisposableBase:
    """Have workers carry what comes of a source through all its branches."""

    def opened() -> Pipeline[Any]:
        branches, downstream = trampoline(_behind(root, flow, CarriedSteps))
        pipeline = root.observable.open(flow.demanding(flow.demand, downstream))
        pipeline.fan_out(branches, collectors)
        return pipeline

    observer: Any = receiver  # by its shape
    return Disposable(Driver(opened, observer, flow).dispose)


def _refuse(item: object) -> None:
    """Nothing comes this way: all of it is collected where it is emitted."""


def _tree_of(
    part: _Part, flow: FlowScheduler, node: Callable[..., Any] = TreeNode
) -> Generator[Any, Any, tuple[Any, dict[Hashable, int]]]:
    """A part and all behind it, as a node of a tree; and how many stages from there on have a key
    or a limiter. For a trampoline."""
    children, downstream = yield _behind(part, flow, node)
    bound_steps = part.observable.bound_steps(flow, downstream)
    index = -1 if children else part.indices[0]
    return node(bound_steps, children, index), downstream


def _behind(
    part: _Part, flow: FlowScheduler, node: Callable[..., Any]
) -> Generator[Any, Any, tuple[list[Any], dict[Hashable, int]]]:
    """The trees of what is on the branches of a part; and the same numbers."""
    downstream = dict(flow.downstream)
    children: list[Any] = []
    for behind in part.in_order():
        child, counts = yield _tree_of(behind, flow, node)
        children.append(child)
        # The smaller into the larger, or groups that are nested would be counted again and again.
        downstream, counts = sorted((downstream, counts), key=len, reverse=True)
        for key, count in counts.items():
            downstream[key] = max(count, downstream.get(key, 0))
    return children, downstream
