"""Steps on dictionaries, as classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from ..._common.encoding import printed
from ..._common.names import UniqueNames
from ..._common.signatures import function_name, parameters_of
from ..._errors import InvalidFlowError, InvalidNameError
from ..._functional.builders import step as core_step
from ..._functional.source_step import SourceStep
from ..._functional.step import Step as CoreStep
from ..._products.dict_product import DictProduct as CoreProduct
from ..._results.rows import Output
from .._adapted import AdaptedProducer, AdaptedTransformer, adapted, stands_for
from .._conduits import AsyncConsumer, AsyncProducer, AsyncTransformer
from .._products import DictProduct
from ._result import RunResult

__all__ = ["DictConsumer", "DictProducer", "Step", "step"]


def step(name: str, function_or_data: Any, /, **kwargs: Any) -> Any:
    """A step: a `DictProducer` of data, or of a function without parameters and variables; a `Step`
    of any other function, also of one without parameters, which is called for each product.

    Raises TypeError or ValueError for a step that can't work.

    >>> step("add", lambda x, by: {"y": x + by}, by=2).kwargs
    {'by': 2}
    """
    if _makes_step(function_or_data):
        return Step(name, function_or_data, **kwargs)
    return adapted(core_step(name, function_or_data, **kwargs))


def _makes_step(given: Any) -> bool:
    code = getattr(given, "__code__", None)
    is_data = isinstance(given, Mapping | Iterable | AsyncIterable)
    return callable(given) and not is_data and (code is None or bool(code.co_varnames))


@printed
@stands_for(SourceStep)
class DictProducer(AdaptedProducer[CoreProduct], SourceStep):
    """A step that begins a flow: `producer`, called without arguments, returns a mapping, or
    several, or an awaitable of these.

    Raises ValueError for a name that isn't an identifier.

    >>> [dict(product) for product in DictProducer(lambda: {"x": 1}, name="src")]
    [{'x': 1}]
    """

    product_type: Any = DictProduct

    def __init__(self, producer: Callable[[], Any], *, name: str) -> None:
        vars(self).update(vars(core_step(name, _of_nothing(name, producer))))

    @property
    def producer(self) -> Callable[[], Any]:
        """The function, or one that returns the data."""
        said: Any = self.describe()
        if said.function is None:
            return lambda: said.data
        return getattr(said.function, "_flow_of", said.function)  # type: ignore[no-any-return]

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The function, and the name."""
        return {"producer": self.producer, "name": self.name}

    def aproduce(self) -> Any:
        """The products as they come."""
        return aiter(self)

    def __repr__(self) -> str:
        return _as_built(super().__repr__(), self, DictProducer)


@printed
@stands_for(CoreStep)
class Step(AdaptedTransformer[Mapping[str, Any], CoreProduct], CoreStep):
    """A step that takes products, and calls a function of their attributes; `kwargs` are fixed.

    Raises ValueError for a name that isn't an identifier, TypeError for a function that can't be
    called like this.

    >>> add = Step("add", lambda x, by: {"y": x + by}, by=2)
    >>> add.name, add.kwargs, add.function(x=1, by=2)
    ('add', {'by': 2}, {'y': 3})
    """

    input_type: Any = DictProduct
    product_type: Any = DictProduct

    def __init__(self, _name: str, _function: Callable[..., Any], /, **kwargs: Any) -> None:
        vars(self).update(vars(core_step(_name, _of_attributes(_name, _function), **kwargs)))

    @property
    def function(self) -> Callable[..., Any]:
        """The function."""
        said: Any = self.describe()
        return getattr(said.function, "_flow_of", said.function)  # type: ignore[no-any-return]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The fixed arguments."""
        return dict(super().get_repr_attributes())

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The name, and the fixed arguments."""
        return {"name": self.name, **self.kwargs}

    def __repr__(self) -> str:
        return _as_built(super().__repr__(), self, Step)

    def _flow_description(self, **facts: Any) -> Any:
        return super()._flow_description(**({"arguments": self.kwargs} | facts))


class DictConsumer(AsyncConsumer[DictProduct, RunResult]):
    """Collects the outputs of a flow of steps, path by path; with `timestamps`, as
    `run(timestamps=True)`.

    >>> from fluxus_rx.compat.functional import step
    >>> (step("src", {"x": 1}) >> DictConsumer()).run()
    RunResult([{'src': {'x': 1}}])
    """

    def __init__(self, *, name: str = "output", timestamps: bool = False) -> None:
        if not (isinstance(name, str) and name.isidentifier()):
            raise InvalidNameError(
                f"{name!r} isn't a valid name of a step: it must be an identifier"
            )
        self._name = name
        self.timestamps = timestamps

    @property
    def name(self) -> str:
        """The name of the step."""
        return self._name

    async def aconsume(self, products: AsyncIterable[tuple[int, DictProduct]]) -> RunResult:
        """The result, which has the paths up to the last one with an output."""
        began = perf_counter()
        paths: defaultdict[int, list[Output]] = defaultdict(list)
        async for path, product in products:
            paths[path].append(self._output(product, began))
        return RunResult(*(paths[path] for path in range(max(paths, default=-1) + 1)))

    def _output(self, product: DictProduct, began: float) -> Output:
        names, output = UniqueNames(), Output()
        for one in product.get_lineage():
            own = {**one.product_attributes, **one.product_labels}
            if not own:
                continue
            if self.timestamps:
                own[DictProduct.KEY_START_TIME] = one.start_time - began
                own[DictProduct.KEY_END_TIME] = one.end_time - began
            output[names.add(one.name)] = own
        return output


def _as_built(text: str, conduit: object, kind: type) -> str:
    """The text of a conduit that `step` makes, as `step` is called for it."""
    return text.replace(kind.__name__, "step", 1) if type(conduit) is kind else text


def _of_attributes(name: str, function: Any) -> Any:
    """A function as a step takes it: one without parameters is called for each product."""
    if not callable(function):
        raise InvalidFlowError(f"step {name!r}: {function!r} isn't a function")
    known = parameters_of(name, function)
    if known.names or known.takes_all:
        return function

    def call(**attributes: Any) -> Any:
        return function()

    return _in_place_of(function, call)


def _of_nothing(name: str, function: Any) -> Any:
    """A function as a producer takes it: parameters with a default keep that."""
    if not callable(function):
        raise InvalidFlowError(f"step {name!r}: {function!r} isn't a function")
    known = parameters_of(name, function)
    if not (known.names or known.takes_all):
        return function
    return _in_place_of(function, lambda: function())


def _in_place_of(function: Any, call: Any) -> Any:
    call.__name__ = function_name(function)
    call._flow_of = function
    return call


AsyncProducer.register(DictProducer)
AsyncTransformer.register(Step)

# Users see, and pickle, what they import, not where it is written.
for _public in (DictConsumer, DictProducer, Step):
    _public.__module__ = "fluxus_rx.compat.functional.conduit"
step.__module__ = "fluxus_rx.compat.functional"
