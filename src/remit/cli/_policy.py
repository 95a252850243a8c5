"""The work of `remit policy`: one question to the algebra, a remit in words, grants from a journal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from remit.cli import EXIT_OF_FAMILY, EXIT_WAITING, _output
from remit.cli._open import find_run
from remit.config import Settings, load
from remit.core.bounds import UNBOUNDED, instant_text
from remit.core.decisions import Facts
from remit.core.effects import Need
from remit.core.events import EffectDenied, EffectDone, EffectIntent, RunStarted
from remit.core.grants import Grant
from remit.core.needs import parse_need
from remit.core.remit import Remit
from remit.core.tools import Tool
from remit.errors import Invalid, RemitError
from remit.guard.policy import Rulebook, rulebook_of
from remit.guard.policy_admission import Admitted, authority_of
from remit.guard.policy_meter import Revocations
from remit.guard.policy_suggest import suggest, uncovered
from remit.journal.chain import decode_event
from remit.ports.journal import Journal
from remit.runtime import Runtime

MAX_ARGUMENT_CHARS: Final = 1024 * 1024
_WORDS: Final = {
    "fs.read": "read files matching {0}",
    "fs.write": "create, change and delete files matching {0}",
    "shell": "run `{0}` in the sandbox",
    "net": "send requests to {0}",
    "tool": "call the tool {0}",
    "model": "ask the model {0}",
    "memory": "read and write memory of {0}",
    "secret": "use the secret {0}",
    "env": "read the environment variable {0}",
    "delegate": "start other agents: {0}",
}


def check(args: Any) -> int:
    """Whether the effect is allowed; exit code 0, 3 (denied) or 8 (a person would be asked)."""
    settings = _settings(args)
    runtime = Runtime("memory:", workspace=args.workspace, tune_gc=False)
    facts = _facts(args, runtime)
    remit, book = _root(settings), rulebook_of(settings)
    if book is not None:
        ceiling = book.ceiling()
        remit = ceiling.meet(remit)
        authority = authority_of(remit, "", Revocations(), rulebook=book, ceiling=ceiling)
    else:
        authority = authority_of(remit, "", Revocations())
    found = authority.admit(remit, facts, runtime.clock.now_ms())
    decision = "deny" if found.deny else "ask" if found.ask else "allow"
    if args.json:
        _output.json_line(_answer(found, decision, facts))
    else:
        _say_answer(found, decision, facts)
    return EXIT_OF_FAMILY["Denied"] if found.deny else EXIT_WAITING if found.ask else 0


def _answer(found: Admitted, decision: str, facts: Facts) -> dict[str, Any]:
    deny = found.deny
    return {
        "type": "result",
        "status": "ok",
        "decision": decision,
        "needs": [str(need) for need in facts.needs],
        "rules": list(found.rules),
        "code": deny.code if deny else "",
        "why": deny.why if deny else found.ask.question if found.ask else "",
        "hint": deny.error().hint if deny else "",
    }


def _say_answer(found: Admitted, decision: str, facts: Facts) -> None:
    asked = ", ".join(str(need) for need in facts.needs) or facts.name
    _output.data(f"{decision}: {asked}")
    for rule in dict.fromkeys(found.rules):
        _output.data(f"  by {rule}")
    if found.ask is not None:
        _output.data(f"  a person would be asked: {found.ask.question}")
    if found.deny is not None:
        _output.data(f"  {found.deny.code}: {found.deny.why}")
        _output.say(f"hint: {found.deny.error().hint}")


def explain_settings(args: Any) -> int:
    """In words: what a run in this folder could do."""
    settings = _settings(args)
    book = rulebook_of(settings)
    remit = _root(settings) if book is None else book.ceiling().meet(_root(settings))
    return _explain(remit, {"source": "settings"}, book, args.json)


async def explain_run(journal: Journal, args: Any) -> int:
    """In words: what a run could do, as far as the journal knows."""
    run_id = find_run(journal, args.run)
    return _explain(_remit_of(journal, run_id), {"source": "run", "run_id": run_id}, None, args.json)


def _explain(remit: Remit, about: dict[str, Any], book: Rulebook | None, as_json: bool) -> int:
    lines = list(_sentences(remit))
    policies = list(_policy_sentences(book))
    if as_json:
        for kind, text, grant in lines:
            found = {"type": kind, "text": text}
            _output.json_line(found if grant is None else {**found, "id": grant.id, "grant": str(grant)})
        for text in policies:
            _output.json_line({"type": "policy", "text": text})
        _output.json_line({"type": "result", "status": "ok", **about, "remit": remit.data()})
        return 0
    for kind, text, grant in lines:
        _output.data(f"{kind:<5} {text}" + (f"  [{grant.id}]" if grant is not None else ""))
    for text in policies:
        _output.data(f"rule  {text}")
    return 0


def _sentences(remit: Remit) -> Iterator[tuple[str, str, Grant | None]]:
    """(may | never | limit | note, words, the grant)"""
    if not remit.layers:
        yield "note", "everything: this is the root's own remit", None
    if remit.unset:
        yield "note", "nothing: no grant was given", None
    for number, layer in enumerate(remit.layers):
        if number and (layer.grants is not None or layer.denials):
            yield "note", f"and of that, no more than layer {number + 1} leaves:", None
        yield from (("may", _words(grant), grant) for grant in layer.grants or ())
        if layer.grants == () and layer.verbs is None:
            yield "note", "nothing", None
        yield from (("never", _words(denial), denial) for denial in layer.denials)
    if remit.expires_ms is not None:
        yield "limit", f"until {instant_text(remit.expires_ms)}", None
    for name, value in msgspec.structs.asdict(remit.limits).items():
        if value is not None:
            yield "limit", f"at most {value:g} {name.replace('_', ' ')}", None


def _words(grant: Grant) -> str:
    pattern = grant.pattern
    if grant.verb == "net" and not grant.parts[0]:
        pattern = f"{pattern} (GET and HEAD)"
    if grant.verb == "delegate":
        agents = "any agent" if grant.parts[0] == "*" else f"agents named {grant.parts[0]}"
        pattern = f"{agents}, at most {grant.parts[1]} level(s) deep"
    text = _WORDS[grant.verb].format(pattern)
    return text if grant.bounds is UNBOUNDED else f"{text}, where {grant.bounds}"


def _policy_sentences(book: Rulebook | None) -> Iterator[str]:
    if book is None:
        return
    policy = book.policy
    yield f"mode {', '.join(mode.name for mode in policy.modes) or 'strict'}, autonomy {policy.autonomy}"
    if policy.actions_per_hour is not None:
        yield f"at most {policy.actions_per_hour} actions an hour"
    if policy.cents_per_day is not None:
        yield f"at most {policy.cents_per_day} cents a day"
    for part in (book.site, book.cedar):
        if part is not None:
            yield f"and only what {part.place} allows"


async def suggest_for(journal: Journal, args: Any) -> int:
    """Grants that cover what the run did."""
    run_id = find_run(journal, args.run)
    started, needs, implied = _used(journal, run_id, args.refused)
    folder = started.workspace or os.getcwd()
    texts = suggest(needs, lambda path: os.path.isdir(os.path.join(folder, path)))
    missing = uncovered(needs, texts)
    toml = _toml(texts)
    flags = [word for text in texts for word in ("--allow", text)]
    if args.json:
        _output.json_line(
            {"type": "result", "status": "ok", "run_id": run_id, "allow": list(texts), "toml": toml, "flags": flags,
             "needs": len(set(needs)), "uncovered": [str(n) for n in missing], "implied": sorted(implied)}
        )  # fmt: skip
        return 0
    _output.data(toml.rstrip("\n"))
    if texts:
        import shlex  # only here

        _output.data("# as flags: " + shlex.join(flags))
    _output.say(f"{run_id} used {len(set(needs))} resource(s); naming and listing grant {', '.join(sorted(implied))}")
    for need in missing:
        _output.say(f"no pattern can spell {need}: grant the program with any arguments, or leave it out")
    return 0


def _toml(texts: Sequence[str]) -> str:
    rows = "".join(f"  {msgspec.json.encode(text).decode()},\n" for text in texts)
    return f"[remit]\nallow = [\n{rows}]\n" if texts else "[remit]\nallow = []\n"


def _used(journal: Journal, run_id: str, refused: bool) -> tuple[RunStarted, list[Need], set[str]]:
    """The run's beginning, what it and its sub-agents used, and what naming and listing granted."""
    find_tool = Runtime("memory:", tune_gc=False).outside.any_tool
    family = _family(journal, run_id)
    started: RunStarted | None = None
    needs: list[Need] = []
    implied: set[str] = set()
    for member in family:
        for entry in journal.read(member):
            event = decode_event(entry.body)
            match event:
                case RunStarted() if member == run_id:
                    started = event
                case EffectIntent(kind="model"):
                    implied.add(f"model:{event.name}")
                case EffectIntent():
                    needs += _needs_of(find_tool(event.name), event.arguments, event.needs)
                case EffectDone(touched=touched):
                    needs += [need for need in map(_need, touched) if need is not None]
                case EffectDenied(code="not_granted") if refused:
                    needs += _needs_of(find_tool(event.name), event.arguments, ())
                case _:
                    pass
    if started is None:
        raise Invalid("run_unknown", f"{run_id} has no beginning")
    implied |= {str(need) for need in needs if need.verb == "tool"}
    return started, needs, implied


def _family(journal: Journal, run_id: str) -> list[str]:
    from remit.cli._open import MAX_LISTED_RUNS

    found = [run_id]
    for row in reversed(journal.runs(MAX_LISTED_RUNS)):  # oldest first: a child comes after its parent
        if row.parent in found and row.run_id not in found:
            found.append(row.run_id)
    return found


def _needs_of(tool: Tool | None, arguments: Any, texts: Sequence[str]) -> list[Need]:
    """The needs of a call: of its arguments where the tool is known (argv as it was), else of the journal's text."""
    if tool is not None and isinstance(arguments, dict):
        try:
            return [] if tool.needs is None else list(tool.needs(**tool.signature.decode(arguments)))
        except RemitError:
            pass  # another version of the tool wrote it; the text is what is left
    return [need for need in map(_need, texts) if need is not None]


def _need(text: str) -> Need | None:
    try:
        return parse_need(text)
    except RemitError:
        return None


def _remit_of(journal: Journal, run_id: str) -> Remit:
    """The run's remit beneath those of the runs that started it."""
    started = decode_event(journal.read(run_id)[0].body)
    if not isinstance(started, RunStarted):
        raise Invalid("run_unknown", f"{run_id} has no beginning")
    own = Remit.from_data(started.remit)
    if not started.parent or started.parent == run_id:
        return own
    return _remit_of(journal, started.parent).meet(own)


def _settings(args: Any) -> Settings:
    flags = {
        "model.name": args.model,
        "remit.allow": None if args.allow is None else tuple(args.allow),
        "remit.deny": None if args.deny is None else tuple(args.deny),
    }
    return load(os.path.abspath(args.workspace), flags).check()


def _root(settings: Settings) -> Remit:
    model = settings["model.name"]
    return settings.remit(model).with_implied([f"model:{model}"] if model else [])


def _facts(args: Any, runtime: Runtime) -> Facts:
    if args.tool is None:
        if not args.need:
            raise Invalid("usage_invalid", "name a need, as net:GET https://x.org/, or a call with --tool and --args")
        need = parse_need(args.need)
        kind = "model" if need.verb == "model" else "tool"
        name = need.resource if need.verb in ("model", "tool") else ""
        return Facts(kind, name, "read", (need,), None, args.agent)
    arguments = _arguments(args.args)
    tool = runtime.outside.any_tool(args.tool)
    extra = (parse_need(args.need),) if args.need else ()
    if tool is None:
        return Facts("tool", args.tool, "unsafe", (Need("tool", args.tool), *extra), arguments, args.agent)
    needs = () if tool.needs is None else tuple(tool.needs(**tool.signature.decode(arguments)))
    return Facts("tool", tool.name, tool.effect, (*needs, *extra), arguments, args.agent)


def _arguments(text: str) -> dict[str, Any]:
    if len(text) > MAX_ARGUMENT_CHARS:
        raise Invalid("usage_invalid", f"--args has more than {MAX_ARGUMENT_CHARS} characters")
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as e:
        raise Invalid("usage_invalid", f"--args is no JSON object: {e}") from None
