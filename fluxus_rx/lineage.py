"""Products that know where they came from, and conduits that label them."""

from __future__ import annotations

from ._conduits.labeling import LabelingProducer, LabelingTransformer
from ._products.lineage import HasLineage, LineageOrigin

__all__ = ["HasLineage", "LabelingProducer", "LabelingTransformer", "LineageOrigin"]
