"""Public test doubles: models that need no provider, a clock and a loop of a test's own, the flow rule for any harness.

Beside these: `crashes.sweep` and `simulate.simulate`, which run generated `workloads` on any journal.

Each is a real implementation of its port (ports/model.py, ports/clock.py), used with the real
gate, journal and loop; nothing is patched.
"""

from __future__ import annotations

from remit.testing.clock import FakeClock
from remit.testing.fault import Fault, FaultModel
from remit.testing.flow_gate import Ask, ToolGate, tool_gate
from remit.testing.function import FunctionModel
from remit.testing.replay import ReplayModel
from remit.testing.scripted import ScriptedModel, Step
from remit.testing.server import WireServer
from remit.testing.sim_loop import SimClock, SimLoop
from remit.testing.wire_faults import WireFault

__all__ = [
    "Ask",
    "FakeClock",
    "Fault",
    "FaultModel",
    "FunctionModel",
    "ReplayModel",
    "ScriptedModel",
    "SimClock",
    "SimLoop",
    "Step",
    "ToolGate",
    "WireFault",
    "WireServer",
    "tool_gate",
]
