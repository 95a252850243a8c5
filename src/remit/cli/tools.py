"""List the tools there are, and show what one of them would be given.

`remit tools list` names built-in tools, those of installed plugins and MCP servers, and those that agents made.
`remit tools show NAME` is a dry run: its grants, its sandbox, its limits and its arguments; nothing is called.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="all tools", allow_abbrev=False)
    shown = actions.add_parser("show", help="what one tool would be given", allow_abbrev=False)
    shown.add_argument("name", metavar="NAME")
    for each in (listed, shown):
        each.add_argument("--json", action="store_true", help="one result line on stdout")


def run(args: Any) -> int:
    """List or show."""
    import os

    from remit.cli import _output
    from remit.config import load
    from remit.runtime import Adapters

    outside = Adapters()
    outside.mcp_servers = load(os.getcwd()).check()["mcp"]
    if args.action == "show":
        names = [args.name]
    else:
        names = [*outside.tool_names(), *outside.plugins.tool_names(), *outside.made_tools.names()]
    rows = [_facts(outside.tool(name)) for name in names]
    if args.json:
        found = {"tools": rows} if args.action == "list" else rows[0]
        _output.json_line({"type": "result", "status": "ok", **found})
    elif args.action == "list":
        shown = [[row["name"], row["source"], row["effect"], ", ".join(row["grants"]) or "-", row["description"]]
                 for row in rows]  # fmt: skip
        _output.table(["NAME", "SOURCE", "EFFECT", "GRANTS", "WHAT"], shown)
    else:
        for name, value in rows[0].items():
            _output.data(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    return 0


def _facts(tool: Any) -> dict[str, Any]:
    """What a tool is and gets, without calling it."""
    source = {"wasm": "plugin", "made": "made", "mcp": "server"}.get(tool.name.partition("_")[0], "built-in")
    grants = [f"tool:{tool.name}"] if source != "built-in" else [f"{verb}:..." for verb in tool.verbs]
    tiers = {"plugin": "T2", "made": "T1 or T2, as it was made", "server": "T3, or beyond the egress check"}
    # A built-in runs in this process with handles; what it starts runs where the verb says.
    sandbox = tiers.get(source) or ("T3" if "shell" in tool.verbs else "T0, with handles")
    return {
        "name": tool.name,
        "source": source,
        "description": tool.spec.description.split("\n")[0],
        "grants": grants,
        "effect": tool.effect,
        "returns": tool.label.integrity,
        "sandbox": "T1 or T2" if tool.name == "code_interpreter" else sandbox,
        "timeout_s": tool.timeout_s,
        "arguments": tool.spec.schema,
    }
