"""fluxus 1.0.3 on this library: `import fluxus_rx.compat as fluxus`.

Every public name of fluxus is here, in modules of the same names, for programs that were written
for it; :doc:`/coming_from/fluxus` says what differs. Where a program can't be changed, `install()`
lets this package be imported as `fluxus`.

>>> import fluxus_rx.compat as fluxus
>>> from fluxus_rx.compat.simple import SimpleProducer
>>> class Half(fluxus.Transformer[float, float]):
...     def transform(self, source_product):
...         yield source_product / 2
>>> list(SimpleProducer([4, 8]) >> Half())
[2.0, 4.0]
"""

from __future__ import annotations

from ._adapted import Flow, Passthrough
from ._conduits import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    FlowWarning,
    Producer,
    Transformer,
)
from ._install import install

__all__ = [
    "AsyncConsumer",
    "AsyncProducer",
    "AsyncTransformer",
    "Consumer",
    "Flow",
    "FlowWarning",
    "Passthrough",
    "Producer",
    "Transformer",
    "install",
]

#: the version of fluxus that this stands in for
__version__ = "1.0.3"

# Users see, and pickle, what they import, not where it is written.
for _public in (Flow, Passthrough):
    _public.__module__ = __name__
