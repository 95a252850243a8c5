"""remit: agents that stay within what they were given.

Floors, lowest first (a room imports only lower ones; README.md in each room says how to add to it):

    0  errors  core            values; no I/O
    1  config  ports  wire     what others implement; sans-I/O codecs
    1  code                    code intelligence: diff, apply, merge; usable without gate and journal
    2  journal  guard          the event log; what the gate consults
    3  gate  adapters          the one door; the outside (only runtime imports adapters)
    4  models                  what is true of every provider
    5  agents                  the loop, the driver, the runner
    6  teams                   patterns, graphs, crews: several agents under one run
    7  runtime                 the composition root
    8  gateway  testing        runs over HTTP; public doubles
    9  cli                     the command line
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.ports.runtime import register_default

__version__ = "0.1.0"

if TYPE_CHECKING:
    from remit.agents.agent import Agent as Agent
    from remit.agents.flow import Flow as Flow
    from remit.agents.run import Run as Run
    from remit.agents.workflow import Workflow as Workflow
    from remit.agents.workflow import workflow as workflow
    from remit.core.budget import Budget as Budget
    from remit.core.budget import Limit as Limit
    from remit.core.grants import Grant as Grant
    from remit.core.labels import Label as Label
    from remit.core.messages import Audio as Audio
    from remit.core.messages import Data as Data
    from remit.core.messages import File as File
    from remit.core.messages import Image as Image
    from remit.core.messages import Message as Message
    from remit.core.messages import Text as Text
    from remit.core.messages import Thinking as Thinking
    from remit.core.messages import ToolCall as ToolCall
    from remit.core.messages import ToolResult as ToolResult
    from remit.core.model import ModelRequest as ModelRequest
    from remit.core.model import Reply as Reply
    from remit.core.model import Settings as Settings
    from remit.core.model import ToolSpec as ToolSpec
    from remit.core.remit import Remit as Remit
    from remit.core.tools import Tool as Tool
    from remit.core.tools import tool as tool
    from remit.core.usage import Usage as Usage
    from remit.errors import Conflict as Conflict
    from remit.errors import Denied as Denied
    from remit.errors import Exhausted as Exhausted
    from remit.errors import InternalError as InternalError
    from remit.errors import Invalid as Invalid
    from remit.errors import ModelError as ModelError
    from remit.errors import RemitError as RemitError
    from remit.errors import Unavailable as Unavailable
    from remit.models.embedder import embedder as embedder
    from remit.models.handle import model as model
    from remit.ports.tool import Context as Context
    from remit.runtime import Runtime as Runtime
    from remit.teams.coordination.novelty import novelty as novelty
    from remit.teams.coordination.ranking import vote as vote

# Public name -> module; loaded on first use (PEP 562), so that `import remit` stays light.
_PUBLIC = {
    "Agent": "agents.agent",
    "Audio": "core.messages",
    "Budget": "core.budget",
    "Conflict": "errors",
    "Context": "ports.tool",
    "Data": "core.messages",
    "Denied": "errors",
    "Exhausted": "errors",
    "File": "core.messages",
    "Flow": "agents.flow",
    "Grant": "core.grants",
    "Image": "core.messages",
    "InternalError": "errors",
    "Invalid": "errors",
    "Label": "core.labels",
    "Limit": "core.budget",
    "Message": "core.messages",
    "ModelError": "errors",
    "ModelRequest": "core.model",
    "Remit": "core.remit",
    "RemitError": "errors",
    "Reply": "core.model",
    "Run": "agents.run",
    "Runtime": "runtime",
    "Settings": "core.model",
    "Text": "core.messages",
    "Thinking": "core.messages",
    "Tool": "core.tools",
    "ToolCall": "core.messages",
    "ToolResult": "core.messages",
    "ToolSpec": "core.model",
    "Unavailable": "errors",
    "Usage": "core.usage",
    "Workflow": "agents.workflow",
    "embedder": "models.embedder",
    "model": "models.handle",
    "novelty": "teams.coordination.novelty",
    "tool": "core.tools",
    "vote": "teams.coordination.ranking",
    "workflow": "agents.workflow",
}
__all__ = [*_PUBLIC]  # `from remit import *` asks for each name, which loads it


_ROOMS = ("code", "teams", "testing")  # public rooms, as remit.code.diff


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        from importlib import import_module

        return import_module(f"remit.{name}")
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'remit' has no attribute {name!r}")
    import gc
    from importlib import import_module

    # What an import makes stays: a collection finds nothing and costs a tenth of the start. Freezing and unfreezing
    # makes it old, so that the next young collection does not walk through it either.
    collecting = gc.isenabled()
    gc.disable()
    try:
        value = globals()[name] = getattr(import_module(f"remit.{module}"), name)
    finally:
        if collecting:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
    return value


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])


def _default_runtime() -> Any:
    from remit.runtime import default_runtime

    return default_runtime()


register_default(_default_runtime)
