"""A model in this process, on a tiny weights file that the test writes. Skipped where llama-cpp-python is absent."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from remit.core.messages import Message
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta
from remit.errors import Invalid, Unavailable

WIDTH, HEADS, LAYERS, INNER = 32, 4, 1, 64


def _value(value: Any) -> bytes:
    """A metadata value with its type. Source: GGUF specification, version 3."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    kind = {int: 5, float: 6, str: 8}[type(value[0])]
    items = b"".join(_text(v) if kind == 8 else struct.pack("<i" if kind == 5 else "<f", v) for v in value)
    return struct.pack("<IIQ", 9, kind, len(value)) + items


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def write_model(path: Path) -> None:
    """A llama of one layer and 32 dimensions with byte tokens; its weights are a fixed sequence."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
    kinds = [2, 3, 3, *[6] * 256, 1]
    data: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": 512,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(tokens),
        "general.file_type": 0,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(tokens),
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    block = {
        "attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH, WIDTH), "attn_v": (WIDTH, WIDTH),
        "attn_output": (WIDTH, WIDTH), "ffn_norm": (WIDTH,), "ffn_gate": (WIDTH, INNER), "ffn_up": (WIDTH, INNER),
        "ffn_down": (INNER, WIDTH),
    }  # fmt: skip
    tensors = {
        "token_embd.weight": (WIDTH, len(tokens)),
        **{f"blk.0.{name}.weight": shape for name, shape in block.items()},
        "output_norm.weight": (WIDTH,),
        "output.weight": (WIDTH, len(tokens)),
    }
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(data))
    for key, value in data.items():
        head += _text(key) + _value(value)
    weights, state = b"", 1
    for name, shape in tensors.items():
        head += _text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", size) for size in shape)
        head += struct.pack("<IQ", 0, len(weights))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        numbers = []
        for _ in range(count):
            state = (state * 1103515245 + 12345) % 2**31
            numbers.append(1.0 if len(shape) == 1 else (state / 2**31 - 0.5) * 0.5)
        raw = struct.pack(f"<{count}f", *numbers)
        weights += raw + b"\0" * (-len(raw) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + weights)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """No file, no GGUF file, no engine: an error at once, before anything is loaded."""
    from remit.adapters.local.gguf import GgufModel

    with pytest.raises(Invalid) as caught:
        GgufModel(str(tmp_path / "none.gguf"))
    assert "cannot be read" in caught.value.message
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(Invalid) as caught:
        GgufModel(str(tmp_path / "x.gguf"))
    assert "no GGUF" in caught.value.message
    try:
        import llama_cpp  # noqa: F401
    except ImportError:
        write_model(tmp_path / "tiny.gguf")
        with pytest.raises(Unavailable) as absent:
            GgufModel(str(tmp_path / "tiny.gguf"))
        assert absent.value.code == "extra_missing" and "remit[llamacpp]" in absent.value.hint


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """The tiny model."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed (the extra llamacpp)")
    from remit.adapters.local.gguf import GgufModel

    write_model(tmp_path / "tiny.gguf")
    return GgufModel(str(tmp_path / "tiny.gguf"))


ASK = ModelRequest((Message("user", "hi"),), settings=Settings(max_tokens=12, temperature=0.0, seed=1))


@pytest.mark.filterwarnings("ignore")
def test_it_answers_whole_and_streamed(model: Any) -> None:
    """The same text both ways, counted by the model's own tokens."""

    async def run() -> tuple[Any, list[Any]]:
        return await model.request(ASK), [event async for event in model.stream(ASK)]

    whole, events = asyncio.run(run())
    assert "".join(event.text for event in events if type(event) is TextDelta) == events[-1].reply.text == whole.text
    assert whole.usage.input_tokens > 0 and 0 < whole.usage.output_tokens <= 16
    assert whole.stop_reason in ("max_tokens", "end")


@pytest.mark.filterwarnings("ignore")
def test_an_asked_form_is_a_grammar(model: Any) -> None:
    """Random weights, and still every answer is JSON of the schema."""
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    settings = Settings(max_tokens=200, temperature=0.0, seed=1)
    request = ModelRequest((Message("user", "hi"),), output=OutputSpec("o", schema), settings=settings)
    reply = asyncio.run(model.request(request))
    assert type(json.loads(reply.text)["ok"]) is bool


@pytest.mark.filterwarnings("ignore")
def test_leaving_early_stops_it(model: Any) -> None:
    """A stream that is left stops at the next token; the model answers again."""

    async def run() -> Any:
        long = ModelRequest((Message("user", "hi"),), settings=Settings(max_tokens=400, temperature=0.0))
        async for _ in model.stream(long):
            break
        return await model.request(ASK)

    assert asyncio.run(run()).usage.output_tokens <= 16
