"""Block 5, budget: reserve the worst case before an effect, settle what it really took.

The worst case of a model call is every byte pair of its input as a token plus all allowed output.
"""

from __future__ import annotations

from remit.core.effects import Deny, Refusal
from remit.core.usage import Usage, usd
from remit.guard.ledger import Ledger, Pricing, Reservation

# Source: no published byte-pair vocabulary averages below two bytes a token on text.
BYTES_PER_TOKEN = 2
DEFAULT_MAX_OUTPUT = 4096  # tokens; set on a call that names no maximum while a budget holds


def reserve_model(
    ledger: Ledger, model: str, size: tuple[int, int], pricing: Pricing, now_ms: int
) -> Reservation | None:
    """Reserve a model call in the ledger and all its parents; raises Refusal naming the ceiling it could pass.

    `size` = (bytes of the request, most output tokens).
    """
    chain = ledger.chain
    held = None
    if ledger.limited:
        worst = Usage(input_tokens=size[0] // BYTES_PER_TOKEN, output_tokens=size[1])
        nano = pricing.worst(model, worst.input_tokens, worst.output_tokens, now_ms)
        for each in chain:
            if each.budget.usd is not None and nano is None:
                raise Refusal(
                    Deny("budget_unpriced", "budget", f"{model} has no known price, and a money budget holds")
                )
            problem = _over(each, worst, nano or 0)
            if problem:
                raise Refusal(Deny("budget_exceeded", "budget", problem))
        held = Reservation(nano or 0, worst.input_tokens, worst.output_tokens)
    for each in chain:
        each.model_calls += 1
        if held is not None:
            each.reserved.append(held)
    return held


def reserve_tool(ledger: Ledger) -> None:
    """Count a tool call; raises Refusal when the ceiling of calls is reached."""
    for each in ledger.chain:
        limit = each.budget.tool_calls
        if limit is not None and each.tool_calls >= limit:
            raise Refusal(Deny("budget_exceeded", "budget", f"all {limit} tool calls are used"))
    for each in ledger.chain:
        each.tool_calls += 1


def _over(ledger: Ledger, worst: Usage, nano: int) -> str:
    """The first ceiling that the call could pass, as a sentence; "" = none."""
    budget, used = ledger.budget, ledger.usage
    held_in = sum(r.input_tokens for r in ledger.reserved)
    held_out = sum(r.output_tokens for r in ledger.reserved)
    total_in = used.input_tokens + held_in + worst.input_tokens
    total_out = used.output_tokens + held_out + worst.output_tokens
    if budget.model_calls is not None and ledger.model_calls >= budget.model_calls:
        return f"all {budget.model_calls} model calls are used"
    if budget.nano is not None:
        total = ledger.nano + sum(r.nano for r in ledger.reserved) + nano
        if total > budget.nano:
            return f"this call could bring the cost to ${usd(total):.6f}; the budget is ${budget.usd:.6f}"
    for limit, total, what in (
        (budget.input_tokens, total_in, "input tokens"),
        (budget.output_tokens, total_out, "output tokens"),
        (budget.tokens, total_in + total_out, "tokens"),
    ):
        if limit is not None and total > limit:
            return f"this call could bring the {what} to {total}; the budget is {limit}"
    return ""
