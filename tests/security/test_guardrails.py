"""The guardrails' measured bars on the labelled sets, in the clear and disguised."""

from __future__ import annotations

import pytest

from security.guardrails import measure

# kind -> (precision, recall) in the clear; a disguise may cost 0.1 of recall, spread-out letters 0.25.
BARS = {
    "pii": (0.95, 0.95), "prompt_injection": (0.9, 0.9), "shell_injection": (0.9, 0.95), "toxicity": (0.9, 0.85),
    "content_policy": (0.9, 0.8), "language": (0.95, 0.9), "hallucination_check": (0.9, 0.9),
}  # fmt: skip
CASES = [(kind, disguise) for kind in measure.kinds() for disguise in measure.disguises(kind)]


@pytest.mark.parametrize(("kind", "disguise"), CASES, ids=lambda x: str(x) or "plain")
def test_precision_and_recall(kind: str, disguise: str) -> None:
    """Each kind finds what it must and leaves honest texts alone, whatever the disguise."""
    precision, recall, errors = measure.score(kind, disguise)
    loss = 0.25 if disguise == "spread out" else 0.1 if disguise else 0.0
    assert precision >= BARS[kind][0] - (0.05 if disguise else 0), errors
    assert recall >= BARS[kind][1] - loss, errors


@pytest.mark.parametrize("disguise", ["base64", "zero-width", "look-alikes", "tags"])
def test_without_canonical_readings_a_disguise_works(disguise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged: when rules see the text as written only, disguised attacks pass."""
    from remit.guard import guardrails
    from remit.guard.canonical import Reading

    monkeypatch.setattr(guardrails, "readings", lambda text: [Reading(text, "written")])
    assert measure.score("prompt_injection", disguise)[1] < 0.2
