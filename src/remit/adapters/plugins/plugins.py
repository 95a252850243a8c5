"""All that remit does with plugins, in one place: tools by name for the runtime, and the `remit plugin` command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from remit.adapters.plugins import workshop
from remit.adapters.plugins.manifest import Manifest
from remit.adapters.plugins.package import Package, read_package, write_package
from remit.adapters.plugins.signing import new_key
from remit.adapters.plugins.store import Installed, Loaded, PluginStore
from remit.adapters.plugins.tools import PREFIX, make_tool, tool_name
from remit.core.tools import Tool
from remit.errors import Invalid, RemitError
from remit.ports.code_sandbox import ComponentSandbox


class Plugins:
    """The plugins of one user.

    Args:
        folder: where installed plugins are.
        sandbox: tier T2.
        builders: whoever makes components of source.
    """

    def __init__(self, folder: str, sandbox: Callable[[], ComponentSandbox], builders: workshop.Builders) -> None:
        self.store = PluginStore(folder)
        self._sandbox = sandbox
        self._builders = builders
        self._tools: dict[str, tuple[Any, dict[str, Tool]]] = {}

    def tool_names(self) -> tuple[str, ...]:
        """Tools of every plugin that passes its checks."""
        return tuple(name for plugin in self.store.ids() for name in self._names(plugin))

    def tool(self, name: str) -> Tool:
        """The tool called `wasm_PLUGIN_TOOL`; raises tool_unknown, denied_by_rule (a changed plugin)."""
        for plugin in self.store.ids():
            if name.startswith(f"{PREFIX}{plugin}_"):
                found = self._tools_of(plugin).get(name)
                if found is not None:
                    return found
        raise Invalid("tool_unknown", f"no installed plugin has a tool {name[:64]!r}", hint="remit plugin list")

    def scaffold(self, folder: str, plugin: str, language: str) -> tuple[str, ...]:
        """A new plugin's folder; the files that were made."""
        return workshop.scaffold(folder, plugin, language)

    def new_key(self, path: str) -> str:
        """Make a signing key; its public half."""
        return new_key(path)

    def build(self, folder: str, key_file: str = "") -> tuple[Manifest, str]:
        """Build, and write the package beside the source; (manifest, path of the package)."""
        manifest, package = workshop.build(folder, self._builders, key_file)
        path = os.path.join(folder, f"{manifest.id}-{manifest.version}.rplugin")
        with open(path, "wb") as file:
            file.write(write_package(package))
        return manifest, path

    async def draft_tool(self, folder: str, name: str, grants: tuple[str, ...]) -> Tool:
        """A tool of a folder's plugin, built now and not installed, as if the user had granted `grants`."""
        manifest, package = await asyncio.to_thread(workshop.build, folder, self._builders)
        await self._check_imports(package, manifest)  # compiles it, so that the call's deadline is the call's
        found = {declared.name: declared for declared in manifest.tools}
        if name not in found:
            raise Invalid("tool_unknown", f"{manifest.id} has no tool {name[:40]!r}; it has {', '.join(found)}")
        given = Installed(manifest.id, manifest.version, manifest.digest, "", grants)
        return make_tool(Loaded(manifest, package.component, given), found[name], self._sandbox)

    async def check_file(self, path: str, key: str = "", unsigned: bool = False) -> tuple[Manifest, str]:
        """Vet a package without installing it: (manifest, signer); what it imports is read from its component.

        Raises: as `PluginStore.vet`, and value_invalid for an import that its manifest does not list.
        """
        package = read_package(path)
        manifest, signer = self.store.vet(package, key=key, unsigned=unsigned)
        await self._check_imports(package, manifest)
        return manifest, signer

    async def install(
        self, path: str, *, key: str = "", unsigned: bool = False, grants: tuple[str, ...] = ()
    ) -> Installed:
        """Vet and install a package."""
        package = read_package(path)
        manifest, _ = self.store.vet(package, key=key, unsigned=unsigned)
        await self._check_imports(package, manifest)
        for declared in manifest.tools:  # a tool that could not run is refused now, not at its first call
            make_tool(Loaded(manifest, package.component, Installed(manifest.id, "", "", "")), declared, self._sandbox)
        return self.store.install(package, key=key, unsigned=unsigned, grants=grants)

    def dry_run(self, plugin: str) -> dict[str, Any]:
        """What a plugin would be given: its imports, what it asks for, what the user granted, its tools."""
        loaded = self.store.load(plugin)
        manifest, installed = loaded.manifest, loaded.installed
        return {
            "id": manifest.id,
            "version": manifest.version,
            "description": manifest.description,
            "digest": installed.digest,
            "key": installed.key,
            "imports": list(manifest.imports),
            "asks_for": list(manifest.grants),
            "granted": list(installed.grants),
            "memory_mb": manifest.memory_mb,
            "timeout_s": manifest.timeout_s,
            "tools": [
                {"name": tool_name(manifest.id, t.name), "needs": [f"tool:{tool_name(manifest.id, t.name)}"],
                 "description": t.description, "input_schema": t.input_schema}
                for t in manifest.tools
            ],
        }  # fmt: skip

    async def _check_imports(self, package: Package, manifest: Manifest) -> None:
        allowed = {f"remit:plugin/{name}" for name in manifest.imports}
        found = await self._sandbox().imports_of(package.component)
        strange = [name for name in found if name not in allowed and not name.startswith("wasi:")]
        if strange:
            said = ", ".join(strange)[:300]
            raise Invalid("value_invalid", f"the component imports what its manifest does not list: {said}")

    def _names(self, plugin: str) -> tuple[str, ...]:
        try:
            return tuple(self._tools_of(plugin))
        except RemitError:
            return ()  # a changed plugin offers nothing; asked for by name, it says why

    def _tools_of(self, plugin: str) -> dict[str, Tool]:
        """The tools of a plugin; made again when one of its files has changed."""
        place = os.path.join(self.store.folder, plugin)
        stamp = tuple(
            (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
            for s in (os.stat(os.path.join(place, name)) for name in sorted(os.listdir(place)))
        )
        held = self._tools.get(plugin)
        if held is None or held[0] != stamp:
            loaded = self.store.load(plugin)
            made = [make_tool(loaded, declared, self._sandbox) for declared in loaded.manifest.tools]
            held = self._tools[plugin] = (stamp, {tool.name: tool for tool in made})
        return held[1]
