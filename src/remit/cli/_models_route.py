"""which model a task would go to, and why; nothing is sent

The policy is [router] of remit.toml, or the models named with --model (twice or more). What was learnt counts; nothing
is explored.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("task", metavar="TASK", help="the task, as it would be given to an agent")
    parser.add_argument("--model", metavar="NAME", action="append", help="a model to choose from; by default [router]")
    parser.add_argument("--strategy", choices=("cost", "quality", "balanced", "tiered", "fixed"), help="how to choose")
    parser.add_argument("--role", metavar="NAME", default="", help="the agent's name")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="whose remit.toml counts")


def run(args: Any) -> int:
    """Print the candidates and the choice."""
    from msgspec import structs

    from remit.cli import _output
    from remit.config import load
    from remit.models.handle import made_setup
    from remit.models.policy import Policy
    from remit.models.setup import Setup, explain
    from remit.runtime import Adapters

    settings = load(args.workspace)
    adapters = Adapters()
    adapters.setup = made_setup(settings)
    if args.model:
        policy: Policy = Policy(models=tuple(args.model), strategy=args.strategy or "cost")
    else:
        policy = (adapters.setup or Setup({}, str)).auto()
        policy = policy if args.strategy is None else structs.replace(policy, strategy=args.strategy)
    choice, options = explain(policy, adapters.policies.routes, args.task, args.role, settings)
    rows = [
        {"model": o.model, "tier": o.tier, "capability": o.capability, "success": choice.success.get(o.model),
         "score": choice.scores.get(o.model), "cost_usd": None if o.nano is None else o.nano / 1e9, "out": o.out}
        for o in options
    ]  # fmt: skip
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "model": choice.plan[0], "plan": choice.plan,
                           "strategy": policy.strategy, "difficulty": choice.difficulty, "reason": choice.reason,
                           "candidates": rows})  # fmt: skip
        return 0
    _output.table(
        ("MODEL", "TIER", "SUCCESS", "SCORE", "COST", "OUT"),
        [
            (str(r["model"]), str(r["tier"]), _number(r["success"]), _number(r["score"]),
             "unknown" if r["cost_usd"] is None else f"${r['cost_usd']:.6f}", str(r["out"]))
            for r in rows
        ],
    )  # fmt: skip
    _output.data(
        f"{' then '.join(choice.plan)}  (difficulty {choice.difficulty:.2f}; {policy.strategy}: {choice.reason})"
    )
    return 0


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"
