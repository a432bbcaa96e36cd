"""One piece of code under many orders of events, each of which can be repeated."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import random
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Unpack

from .._common.messages import note, shown
from .._errors import InvalidFlowError, InvalidOptionError, UsageError
from .._loops.event_loop import new_loop
from .._typing import T, Ts
from ._clock import PATIENCE, VirtualTimeLoop

__all__ = ["InterleavingLoop", "interleavings"]


class _Ready(deque[asyncio.Handle]):
    """The callbacks that are ready; each turn takes as many as there are when it begins."""

    def __init__(self, shuffle: Callable[[_Ready], None]) -> None:
        super().__init__()
        self._shuffle = shuffle
        #: how many this turn has yet to take
        self.left = 0

    def popleft(self) -> asyncio.Handle:
        if self.left <= 0:
            self._shuffle(self)
            self.left = len(self)
        self.left -= 1
        return super().popleft()


class InterleavingLoop(VirtualTimeLoop):
    """A loop of virtual time that wakes the tasks of one turn in a random order.

    The seed decides the order: the same code with the same seed runs in the same order. Only tasks
    trade places, and only with each other: asyncio promises that other callbacks, such as those of
    futures, timers and `call_soon`, run in the order in which they were scheduled, and so they do.
    An ordinary loop could come to each of these orders, if sockets, timers and threads happened to
    be ready in another order.

    >>> import asyncio
    >>> async def main():
    ...     order = []
    ...     async def append(name):
    ...         order.append(name)
    ...     await asyncio.gather(*map(append, "abc"))
    ...     return "".join(order)
    >>> def run_under(seed):
    ...     with asyncio.Runner(loop_factory=lambda: InterleavingLoop(seed)) as runner:
    ...         return runner.run(main())
    >>> [run_under(seed) for seed in range(5)] == [run_under(seed) for seed in range(5)]
    True
    >>> len({run_under(seed) for seed in range(50)})
    6
    """

    def __init__(self, seed: int, patience: float = PATIENCE) -> None:
        super().__init__(patience)
        self._random = random.Random(seed)
        self._births = itertools.count()
        #: tasks by the order of their making: they are sorted by it before they are shuffled, since
        #: sets of tasks, of the user's or of asyncio's, come in an order of their own each time
        self._born: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._ready = _Ready(self._shuffle)

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call back in the next turn."""
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task) and task not in self._born:
            self._born[task] = next(self._births)
        return super().call_soon(callback, *args, context=context)

    def _shuffle(self, ready: _Ready) -> None:
        places, tasks = [], []
        for place, handle in enumerate(ready):
            task = getattr(getattr(handle, "_callback", None), "__self__", None)
            if isinstance(task, asyncio.Task):
                places.append(place)
                tasks.append((self._born.get(task, -1), place, handle))
        if len(places) < 2:
            return
        tasks.sort()
        self._random.shuffle(tasks)
        for place, (_, _, handle) in zip(places, tasks, strict=True):
            ready[place] = handle

    def _run_once(self) -> None:
        self._ready.left = 0
        super()._run_once()  # type: ignore[misc]  # asyncio's own


def interleavings(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    seeds: int | Iterable[int] = 100,
    check: Callable[[T], object] | None = None,
    patience: float = PATIENCE,
) -> dict[int, T]:
    """Run a coroutine function under many orders of its tasks; return its results by seed.

    `main` is called again for each seed, on an `InterleavingLoop` with that seed: in virtual time,
    with the tasks that are ready together woken in an order that the seed decides. A number of
    seeds means 0, 1, 2 and so on. Objects that `main` uses must not survive from one run to the
    next, or a run depends on more than its seed; so build the flow, its locks and its counters
    inside. During a run the functions of the module `random` depend on the seed, too, and with them
    the waits between retries; afterwards they continue as if nothing had been.

    `check` is called with each result, outside the loop; it fails by raising, or by returning
    False. The first run that fails ends all: its error is raised as the same object, with a note
    that names the seed, and how to run that one alone. A run that can't end fails with
    `DeadlockError`.

    Raises TypeError for a `main` that makes no coroutine, ValueError for invalid `seeds`, and
    RuntimeError inside a running loop.

    >>> import asyncio
    >>> async def main():
    ...     total = 0
    ...     async def add(number):
    ...         nonlocal total
    ...         before = total
    ...         if number == 2:
    ...             await asyncio.sleep(0)  # meanwhile, others add to it
    ...         total = before + number
    ...     await asyncio.gather(add(1), add(2))
    ...     return total
    >>> set(interleavings(main, seeds=20).values()) == {2, 3}
    True
    >>> try:
    ...     interleavings(main, check=lambda total: total == 3)
    ... except AssertionError as error:
    ...     print(error)
    ...     print(*error.__notes__)
    check(2) returned False
    under the order of seed ...; to run that one alone: interleavings(main, seeds=[...])
    """
    if not callable(main):
        if inspect.iscoroutine(main):
            main.close()
        raise InvalidFlowError(
            f"interleavings() calls a coroutine function once for each seed: pass the function, not"
            f" {shown(main)}"
        )
    if asyncio._get_running_loop() is not None:
        raise UsageError(
            "interleavings() runs loops of its own, and one is running here already: call it in a"
            " plain function"
        )
    results: dict[int, T] = {}
    for seed in _seed_numbers(seeds):
        try:
            results[seed] = result = _run(main, seed, patience)
            if check is not None and check(result) is False:
                raise AssertionError(f"check({shown(result).rpartition(' (')[0]}) returned False")
        except BaseException as error:
            name = getattr(main, "__name__", "main")
            note(
                error,
                f"under the order of seed {seed}; to run that one alone:"
                f" interleavings({name}, seeds=[{seed}])",
            )
            raise
    return results


def _seed_numbers(seeds: object) -> list[int]:
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        return [*range(seeds)]
    numbers = [*seeds] if isinstance(seeds, Iterable) and not isinstance(seeds, str) else []
    if numbers and all(isinstance(number, int) for number in numbers):
        return numbers
    raise InvalidOptionError(
        f"seeds={shown(seeds)}: expected how many, from 1 on, or the seeds themselves: seeds=[17]"
    )


def _run(main: Callable[[], Coroutine[Any, Any, T]], seed: int, patience: float) -> T:
    make_loop = partial(InterleavingLoop, seed, patience)
    token, state = new_loop.set(make_loop), random.getstate()
    random.seed(seed)
    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            coroutine = main()
            if not inspect.iscoroutine(coroutine):
                raise InvalidFlowError(
                    f"interleavings() takes a coroutine function (async def), but {shown(main)}"
                    f" returned {shown(coroutine)}"
                )
            result: T = runner.run(coroutine)
            return result
    finally:
        random.setstate(state)
        new_loop.reset(token)
