"""`Flow`: what a workflow does its work with. Everything it does is an effect of the run, under a structural key."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from remit.agents.flow_children import run_child
from remit.agents.flow_keys import here
from remit.agents.workflow import Retry
from remit.core.effects import Done, Failed, Parked, Refused, Waiting
from remit.core.events import Noted, Patched
from remit.core.messages import ToolCall
from remit.core.schema import Signature, decode_as, encode_foreign
from remit.core.tools import Tool
from remit.errors import Conflict, Invalid, RemitError
from remit.guard.waits import Waits
from remit.ports.tool import REQUIRED
from remit.ports.user_code import user_code

if TYPE_CHECKING:
    from remit.agents.flow_run import Session
    from remit.agents.run import Run

STEP_TIMEOUT_S: Final = 300.0  # Source: spec/teams.md 12
MAX_STEP_CHARS: Final = 8 * 1024 * 1024
DEFAULT_RETRY: Final = Retry()
_PLAIN: Final = frozenset((str, int, bool, type(None)))  # types of values that JSON has as they are
Result = TypeVar("Result")
_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode


class Flow:
    """One activation of a workflow's run. Made by the runtime; the function gets it as its first argument."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.run_id: str = session.scope.run_id
        self.deps: Any = session.scope.deps
        self.version: int = session.version
        """of the code that the run began with"""

    async def step(self, fn: Callable[..., Any], /, *args: Any, retry: Retry = DEFAULT_RETRY, **kwargs: Any) -> Any:
        """Call a function once and for all: its result is journalled, and read on every later activation.

        Args:
            fn: a plain or async function with annotated parameters, or what `@tool` made of one; its `effect` says
                what happens after a crash in the middle (undeclared = unsafe: a person decides).
            args, kwargs: JSON values, or what msgspec encodes.
            retry: for steps whose effect may be repeated.

        Returns: what `fn` returned, after a round trip through JSON and its return annotation.
        Raises: the error of the last try; what the gate's refusal says.
        """
        tool, result_type = self._session.tool(fn)
        arguments = _arguments(tool, args, kwargs)
        branch = here.get()
        with branch.alone(tool.name):
            return _decode(await self._tries(branch.key(tool.name), tool, arguments, retry), result_type)

    async def run(self, agent: Any, task: Any, **options: Any) -> Run:
        """Run an agent, a team or another workflow as a child; the child's run is resumed with this one.

        Returns: the child's Run, whatever its status; `.check()` raises its error.
        """
        branch = here.get()
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in agent.name)
        with branch.alone(name):
            return await run_child(self._session, branch.key(name), agent, task, options)

    async def gather(self, *work: Awaitable[Any], name: str = "all", at_once: int = 0) -> list[Any]:
        """What each of `work` returns, in order; each is a branch with keys of its own (`wf/NAME[I]/...`).

        One that fails lets the others finish; then its error is raised. One that waits lets the others finish, too.

        Args:
            work: coroutines that use this flow.
            name: of this group in the keys.
            at_once: how many run side by side; 0 = all.
        """
        branch = here.get()
        places = asyncio.Semaphore(at_once or len(work) or 1)
        with branch.alone(name):
            group_key = branch.numbered(name)
            values: list[Any] = [None] * len(work)
            errors: dict[int, BaseException] = {}

            async def one(index: int) -> None:
                here.set(branch.beside(f"{group_key}[{index}]"))
                async with places:
                    with user_code() as code:
                        try:
                            values[index] = await work[index]
                        except Parked as parked:
                            errors[index] = parked
                    if code.error is not None:
                        errors[index] = code.error

            try:
                async with asyncio.TaskGroup() as group:
                    for index in range(len(work)):
                        group.create_task(one(index))
            finally:
                for each in work:
                    if inspect.iscoroutine(each):
                        each.close()  # one that never began
        if errors:
            raise _worst([errors[index] for index in sorted(errors)])
        return values

    async def sleep(self, seconds: float) -> None:
        """Go on after `seconds` of wall time, restarts included; longer than a second, the run parks meanwhile."""
        await self._waiting("sleep", lambda waits: waits.sleep(seconds))

    async def ask(  # a question's options are keywords with defaults
        self,
        question: str,
        *,
        kind: str = "",
        choices: Sequence[str] = (),
        timeout_s: float | None = None,
        default: Any = REQUIRED,
        **form: Any,
    ) -> Any:
        """Ask a person, for days if need be; see `Context.ask` for the arguments and what is raised."""
        made = Waits.form(kind, choices, form)
        return await self._waiting("ask", lambda waits: waits.ask(question, made, timeout_s, default))

    async def wait_for(self, signal: str, *, timeout_s: float | None = None, default: Any = REQUIRED) -> Any:
        """What the next signal of that name brings: `runtime.signal(run_id, name, value)`; sent before is kept."""
        return await self._waiting("signal", lambda waits: waits.wait_for(signal, timeout_s, default))

    def patch(self, name: str) -> bool:
        """Whether this run takes the new path of code that was changed while runs were under way.

        True in runs that get here for the first time; False in runs that went past this place with the old code.
        """
        recorded = self._session.recorded
        if name not in recorded.patches:
            recorded.patches[name] = not here.get().replaying
            self._session.scope.emit(Patched(name, recorded.patches[name]))
        return bool(recorded.patches[name])

    def now(self) -> int:
        """Milliseconds since 1970; the same on every replay."""
        value: int = self._noted("now", self._session.clock.now_ms)
        return value

    def random(self) -> float:
        """A random number from 0 up to 1; the same on every replay."""
        value: float = self._noted("random", lambda: self._session.clock.random_bits(53) / 2**53)
        return value

    def partial(self, data: Any, completion: float = 0.0, *, complete: bool = False) -> None:
        """What there is so far, for whoever cancels the run; the last one counts."""
        self._session.partial(data, completion, complete)

    # --- how -------------------------------------------------------------------------------------

    async def _tries(self, key: str, tool: Tool, arguments: dict[str, Any], retry: Retry) -> Any:
        session = self._session
        attempt = 0
        while True:
            at = f"{key}/try/{attempt}" if attempt else key
            outcome = await session.gate.call_tool(at, ToolCall(at, tool.name, arguments), session.scope)
            if type(outcome) is Done:
                return outcome.value
            if type(outcome) is Refused:
                raise outcome.deny.error()
            if type(outcome) is Waiting:
                raise Parked((outcome.item,), session.scope.due_ms)
            assert type(outcome) is Failed
            if attempt >= retry.retries or tool.tier == "unsafe" or outcome.error.code == "arguments_invalid":
                raise outcome.error
            attempt += 1
            if session.recorded.get(f"{key}/try/{attempt}") is None:  # a replayed try has waited before
                await session.clock.sleep(retry.delay_s * 2 ** (attempt - 1))

    async def _waiting(self, name: str, wait: Callable[[Waits], Awaitable[Any]]) -> Any:
        session, branch = self._session, here.get()
        with branch.alone(name):
            return await wait(Waits(session.scope, session.clock, session.gate.approver, branch.key))

    def _noted(self, name: str, take: Callable[[], Any]) -> Any:
        branch = here.get()
        with branch.alone(name):
            key = branch.key(name)
        record = self._session.recorded.get(key)
        if record is not None and record.state == "noted":
            return record.value
        value = take()
        self._session.scope.emit(Noted(key, value))
        return value


def _worst(errors: list[BaseException]) -> BaseException:
    """A conflict with the journal, else the waits of all branches, else the first error."""
    for error in errors:
        if isinstance(error, Conflict):
            return error
    parked = [e for e in errors if isinstance(e, Parked)]
    if parked:
        due = [p.due_ms for p in parked if p.due_ms]
        return Parked(tuple(item for p in parked for item in p.items), min(due, default=0))
    return errors[0]


@lru_cache(maxsize=4096)
def hints(fn: Callable[..., Any]) -> dict[str, Any]:
    """The types of a function's parameters and result; NameError or TypeError for what cannot be found (yet)."""
    return typing.get_type_hints(fn, include_extras=True)


def as_step(fn: Callable[..., Any]) -> tuple[Tool, Any]:
    """The tool that a step is, with its result as JSON; and its return type. Raises value_invalid, schema_invalid."""
    given = fn if isinstance(fn, Tool) else None
    plain = given.fn if given is not None else fn
    if given is not None and given.builtin:
        raise Invalid("value_invalid", f"{given.name} is a built-in tool; call it from an agent, or from a function")
    name = given.name if given is not None else getattr(plain, "__name__", "step").lower()
    signature = given.signature if given is not None else Signature.of(plain, name)
    try:
        result_type = hints(plain).get("return", Any)
    except (NameError, TypeError):
        result_type = Any  # the value comes back as plain JSON
    options: dict[str, Any] = {"timeout_s": STEP_TIMEOUT_S}
    if given is not None:
        options = {"timeout_s": given.timeout_s, "reconcile": given.reconcile, "returns": given.returns}
    call = _async_json(plain) if signature.is_async else _sync_json(plain)
    effect = given.effect if given is not None else "unsafe"
    tool = Tool(call, name=name, effect=effect, signature=signature, max_chars=MAX_STEP_CHARS, **options)
    return tool, result_type


def _async_json(fn: Callable[..., Any]) -> Callable[..., Any]:
    async def call(**values: Any) -> str:
        return _encode(await fn(**values)).decode()

    return call


def _sync_json(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(**values: Any) -> str:
        return _encode(fn(**values)).decode()

    return call


def _arguments(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    fields = tool.signature.fields
    if len(args) > len(fields):
        raise Invalid("arguments_invalid", f"{tool.name} takes {len(fields)} arguments, {len(args)} were given")
    named = {**dict(zip(fields, args, strict=False)), **kwargs}
    if len(named) < len(args) + len(kwargs):
        raise Invalid("arguments_invalid", f"{tool.name}: an argument was given twice")
    if all([type(value) in _PLAIN for value in named.values()]):
        return named
    try:
        found: dict[str, Any] = msgspec.to_builtins(named, enc_hook=encode_foreign)
    except (TypeError, ValueError, RecursionError) as e:
        raise Invalid("arguments_invalid", f"{tool.name}: {str(e)[:300]}") from None
    return found


def _decode(text: str, kind: Any) -> Any:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text  # a person said that it was done; its output is lost
    if kind is Any or type(value) is kind or kind is inspect.Signature.empty:
        return value
    try:
        return decode_as(kind, value)
    except (ValueError, TypeError, RemitError) as e:
        raise Invalid("value_invalid", f"the step's result does not fit its return type: {str(e)[:300]}") from None
