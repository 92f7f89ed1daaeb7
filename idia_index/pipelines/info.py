"""Describes an index, as data and in words."""

from __future__ import annotations

from dataclasses import dataclass

from idia_index.pipelines.changing import DEVICE
from idia_index.report.text import index_type, names_origin
from idia_index.search.index import Index
from idia_index.store.summary import IndexSummary, summarize
from idia_index.support.columns import pairs
from idia_index.support.text import counted


@dataclass(frozen=True)
class IndexInfo(IndexSummary):
    """The description of an index, with its templates.

    Attributes:
        template_texts: the templates, each with its placeholder.
    """

    template_texts: tuple[str, ...]

    def to_text(self) -> str:
        """One line per property."""
        model = self.fingerprint
        versions = dict(self.versions)
        device = versions.pop(DEVICE, "not recorded")
        rows = {
            "index": index_type(self),
            "candidates": counted(self.candidates, "name"),
            "templates": f"{self.templates} (first: {self.template_texts[0]})",
            "on disk": f"{self.bytes / 1e6:,.1f} MB in {counted(self.shards, 'shard')}",
            "model": f"{self.model} ({self.backend})",
            "architecture": f"{model.architecture}, {model.activation}, {model.dim} dimensions",
            "weights": f"SHA-256 {model.weights_sha256}",
            "tokenizer": model.tokenizer,
            "preprocessing": model.preprocessing,
            "precision": model.precision,
            "encoded on": device,
            "names from": names_origin(self.pool),
            "built with": ", ".join(f"{k} {v}" for k, v in versions.items()),
        }
        if self.model_notes:
            rows["model's files"] = "; ".join(self.model_notes)
        return pairs(rows)


def index_info(index: Index) -> IndexInfo:
    """Describes an open index and what it was built from."""
    summary = summarize(index.path, index.manifest)
    return IndexInfo(**vars(summary), template_texts=index.manifest.plan.templates)
