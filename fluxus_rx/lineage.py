"""Products that know where they came from, and conduits that label them."""

from __future__ import annotations

from ._components.labeling import LabelingProducer, LabelingTransformer
from ._products.lineage import HasLineage, LineageOrigin

__all__ = ["HasLineage", "LabelingProducer", "LabelingTransformer", "LineageOrigin"]

# Users see, pickle and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__]:
    _public.__module__ = __name__
