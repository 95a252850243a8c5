"""The sections of remit.toml: every key that there is, with its type, bounds and meaning.

The idea: `remit config` reads its schema, its reference page and its error messages from these
structs, so a new key is one line here. A key that hands out authority or leads somewhere else also
stands in `config.WIDENING`: a project's own file may not set it.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class ModelSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The model and how to ask it."""

    name: Annotated[str, Meta(description="provider:model, as openai:gpt-4o-mini", min_length=3)] | None = None
    base_url: Annotated[str, Meta(description="replaces scheme, host and version prefix of the provider")] | None = None
    api_key: Annotated[str, Meta(description="a reference: env:NAME or file:PATH")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(description="output tokens of one reply", ge=1)] | None = None
    max_turns: Annotated[int, Meta(description="model turns of one run", ge=1, le=10_000)] | None = None


class RunSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `remit run` starts."""

    instructions: Annotated[str, Meta(description="the system prompt")] | None = None
    tools: Annotated[tuple[str, ...], Meta(description="tools to offer; unset = all that grants reach")] | None = None


class RemitSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Grants and denials, verb:pattern; a denial beats every grant."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None


class BudgetSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ceilings of one run."""

    usd: Annotated[float, Meta(description="US dollars", ge=0)] | None = None
    tokens: Annotated[int, Meta(description="input and output tokens", ge=0)] | None = None
    input_tokens: Annotated[int, Meta(ge=0)] | None = None
    output_tokens: Annotated[int, Meta(ge=0)] | None = None
    model_calls: Annotated[int, Meta(ge=0)] | None = None
    tool_calls: Annotated[int, Meta(ge=0)] | None = None
    seconds: Annotated[float, Meta(description="wall clock of the run", ge=0)] | None = None


class LimitTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rate in full."""

    calls: Annotated[int, Meta(ge=1)]
    period_s: Annotated[float, Meta(gt=0)] = 60.0
    burst: Annotated[int, Meta(description="calls at once; 0 = a tenth of calls", ge=0)] = 0
    concurrent: Annotated[int, Meta(description="calls under way; 0 = any number", ge=0)] = 0


class JournalSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where runs are written."""

    path: (
        Annotated[str, Meta(description="a file (relative to this one), sqlite:PATH, memory:", min_length=1)] | None
    ) = None


class ConfigFile(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """remit.toml: every section and key that there is."""

    model: ModelSection = ModelSection()
    run: RunSection = RunSection()
    remit: RemitSection = RemitSection()
    budget: BudgetSection = BudgetSection()
    limits: Annotated[
        dict[str, str | LimitTable], Meta(description='"tool:NAME" or "model:NAME" -> "CALLS/PERIOD" such as "10/60s"')
    ] = {}
    journal: JournalSection = JournalSection()
