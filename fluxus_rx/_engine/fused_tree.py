"""The synchronous steps of a flow that branches as one loop, so that order is always the same.

In turn, each source emits one product; it goes through all branches, depth first and in the order
in which the flow is written, before another product is asked for. These are nested loops: nothing
here depends on who is ready first, on how long a step takes, or on when the reader asks.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

from .._rx.scheduler import FlowScheduler
from .._streams.channel import Channel
from .._streams.iteration import END, CompositeStream, StartWith
from .._streams.timing import IdleTimes
from .bound_step import BoundStep, Stopped
from .fused import pending_stage
from .fused_loop import YIELD_TO_LOOP, FusedLoop, PendingCall

__all__ = ["FusedTree", "TreeNode"]


class TreeNode:
    """Neighbouring steps; what they emit goes to all `children`, or out, by the path `index`."""

    __slots__ = (
        "_item", "_items", "_last_first", "_loop", "_run", "_whole", "bound_steps", "channel",
        "children", "index",
    )  # fmt: skip

    def __init__(
        self,
        bound_steps: list[BoundStep],
        children: Sequence[TreeNode] = (),
        index: int = -1,
        channel: Channel[Any] | None = None,
    ) -> None:
        self.bound_steps = bound_steps
        self.children = children
        self._last_first = [*reversed(children)]
        self.index = index
        self._loop = FusedLoop(bound_steps, [])
        self._run: Callable[..., Any] | None = None
        #: what the loop yields; None where nothing is left to do
        self._items: Iterator[Any] | None = None
        #: what takes an item through the steps in one call, if there is such a call, and its item
        self._whole: Callable[[Any], Any] | None = None
        self._item: Any = END
        #: where what they emit goes instead, once a step behind them has turned out to await
        self.channel = channel

    def add(self, items: Iterator[Any]) -> None:
        """Have these items to do once it is opened."""
        self._loop.push(items)

    def all(self) -> list[TreeNode]:
        """This node and all below it, in the order in which they are written."""
        found: list[TreeNode] = []
        inside: list[TreeNode] = [self]
        while inside:
            node = inside.pop()
            found.append(node)
            inside += reversed(node.children)
        return found

    def open(self, flow: FlowScheduler) -> None:
        """Take its turns from this run; the steps of a node have one context."""
        for node in self.all():
            node._open(flow)

    def _open(self, flow: FlowScheduler) -> None:
        left = self._loop.release()
        self._loop = FusedLoop(self.bound_steps, left, flow.scope.time_slice)
        self._whole = self._loop.whole
        self._run = contextvars.copy_context().run
        self._items = self._loop.products() if left else None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self._items is None and self._item is END

    def push(self, item: Any) -> None:
        """Take an item through the steps."""
        if self._whole is not None:
            # Without a generator for each item: a third of its price (benchmark "fanout").
            self._item = item
            return
        self._loop.push(iter((item,)))
        self._items = self._loop.products()

    def next(self) -> Any:
        """What the steps emit next; END where nothing is left to do."""
        assert self._run is not None
        if self._item is not END:
            assert self._whole is not None
            item, self._item = self._item, END
            outcome = self._run(self._whole, item)
            if outcome.__class__ is not Stopped:
                return outcome
            pending = self._loop.go_on_from(outcome)
            if pending is not None:
                return pending
            self._items = self._loop.products()
        if self._items is None:
            return END
        product = self._run(next, self._items, END)
        if product is END:
            self._items = None
        return product

    async def yield_to_loop(self) -> None:
        """Yield to the event loop when that is due."""
        await self._loop.yield_to_loop()

    def branch(self, product: Any) -> Sequence[TreeNode]:
        """Take a product to all children; these, the first one last."""
        children = self._last_first
        for child in children:
            child.push(product)
        return children

    def cut(self, position: int, flow: FlowScheduler) -> Channel[Any]:
        """Only go as far as this step; what gets there waits in a channel for the stage that goes
        on."""
        self.channel = Channel()
        cursors = self._loop.release()
        self._loop = FusedLoop(self.bound_steps[:position], cursors, flow.scope.time_slice)
        self.bound_steps, self.children = self.bound_steps[:position], ()
        self._whole = self._loop.whole
        self._items = self._loop.products()
        return self.channel

    def close(self) -> None:
        """Close the iterators that are open, those of the children first."""
        for node in reversed(self.all()):
            if node._run is None:
                node._loop.close()
            else:
                node._run(node._loop.close)


class FusedTree(CompositeStream[tuple[int, Any]]):
    """What the steps of a tree emit, each with the index of its path.

    `roots` have the products of their sources to do; or the one root reads `base`. Where a step
    turns out to be asynchronous, it and what is behind it become a tree of their own, which `start`
    has read by somebody else: order is that of completion from there on. `parts` are closed with
    the tree, `channels` at its end. With `receivers`, one for each path, what the steps emit goes
    there at once, and the reader is told of the end alone.
    """

    def __init__(
        self,
        roots: Sequence[TreeNode],
        flow: FlowScheduler,
        start: Callable[[FusedTree], None],
        *,
        base: AsyncIterator[Any] | None = None,
        parts: Sequence[Any] = (),
        channels: Sequence[Channel[Any]] = (),
        idle_times: IdleTimes | None = None,
        receivers: Sequence[Callable[[Any], object]] = (),
    ) -> None:
        #: the nodes that products are taken out of when it is read
        self._roots = roots
        self._flow = flow
        self._start = start
        self._base = base
        self._channels = [*channels]
        self._idle_times = idle_times
        self._receivers = receivers
        self._stream = self._products()
        # A generator that was never begun closes nothing: the roots are parts of their own.
        super().__init__(*parts, *roots, self._stream)

    def __anext__(self) -> Any:
        return self._stream.__anext__()

    async def _products(self) -> AsyncGenerator[tuple[int, Any], None]:
        time_slice, idle_times = self._flow.scope.time_slice, self._idle_times
        receivers = self._receivers
        waiting = deque(self._roots if self._base is None else ())
        for root in self._roots:
            root.open(self._flow)
        while waiting or await self._read(waiting):
            root = waiting.popleft()
            nodes, taken = [root], False
            while nodes:
                node = nodes[-1]
                if taken and node is root and self._base is None:
                    waiting.append(root)
                    break
                product = node.next()
                if product is END:
                    nodes.pop()
                elif product is YIELD_TO_LOOP or product.__class__ is PendingCall:
                    await self._interrupt(node, product)
                else:
                    taken = True
                    if node is not root and node.is_done:
                        nodes.pop()
                    if node.channel is not None:
                        if not node.channel.ready:
                            await node.channel.wait()
                        node.channel.put(product)
                    elif node.children:
                        nodes += node.branch(product)
                    elif receivers:
                        receivers[node.index](product)
                    elif idle_times is None:
                        yield node.index, product
                    else:
                        idle_times.block()
                        yield node.index, product
                        idle_times.unblock()
                    if perf_counter() > time_slice.due:
                        await time_slice.yield_to_loop()
        self._end()

    async def _interrupt(self, node: TreeNode, reason: Any) -> None:
        """Do what has come in place of a product."""
        if reason is YIELD_TO_LOOP:
            await node.yield_to_loop()
        else:
            self._go_over(node, reason)

    def _end(self) -> None:
        for channel in self._channels:
            channel.close()
        if self._idle_times is not None:
            self._idle_times.close()

    async def _read(self, waiting: deque[TreeNode]) -> bool:
        """Have the root go on with one more item of the base; whether there was one."""
        if self._base is None:
            return False
        time_slice = self._flow.scope.time_slice
        if time_slice.gate is not None:
            await time_slice.yield_to_loop()
        try:
            item = await self._base.__anext__()
        except StopAsyncIteration:
            return False
        root = self._roots[0]
        root.push(item)
        waiting.append(root)
        return True

    def _go_over(self, node: TreeNode, pending: PendingCall) -> None:
        """Make a stage of the step whose call is pending, and a tree of what is behind it."""
        behind = node.bound_steps[pending.position + 1 :]
        rest = TreeNode(behind, node.children, node.index, channel=node.channel)
        bound_step = node.bound_steps[pending.position]
        channels = [one for one in self._channels if one is node.channel]
        self._channels = [one for one in self._channels if one is not node.channel]
        channel = node.cut(pending.position, self._flow)
        self._channels.append(channel)
        source = StartWith((pending.argument,), channel)
        stage = pending_stage(bound_step, pending, source, self._flow)
        parts = (pending.outcome, channel, source, stage)
        self._start(
            FusedTree(
                [rest],
                self._flow,
                self._start,
                base=stage,
                parts=parts,
                channels=channels,
                receivers=self._receivers,
            )
        )
