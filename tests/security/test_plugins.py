"""Hostile plugins: packages that point elsewhere, changed bytes, foreign signatures, greedy manifests."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.plugins import arguments, package, store
from remit.adapters.plugins.manifest import Manifest, PluginTool, decode_manifest, encode_manifest, manifest_of
from remit.adapters.plugins.package import Package, read_package, write_package
from remit.adapters.plugins.plugins import Plugins
from remit.adapters.plugins.signing import new_key, sign
from remit.adapters.plugins.store import RECORD, Installed, Loaded, PluginStore
from remit.adapters.plugins.tools import make_tool
from remit.core.needs import fs_read, net
from remit.core.remit import Remit
from remit.errors import Conflict, Denied, Invalid, RemitError
from remit.ports.code_sandbox import CodeResult, ComponentJob, Host
from remit.ports.tool import Context

WASM = b"\0asm\x0d\0\1\0 component"
TOOL = PluginTool(
    "count", "Count.", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
)


def manifest(**changes: Any) -> Manifest:
    toml = 'id = "words"\nversion = "1.0.0"\ntools = []\n'
    draft = Manifest(id="words", version="1.0.0", wasm_sha256=_sha(WASM), tools=(TOOL,))
    assert "words" in toml
    return msgspec.structs.replace(draft, **changes)


def _sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


class Maker:
    """An author with a key."""

    def __init__(self, folder: Path, name: str = "key") -> None:
        self.file = str(folder / name)
        self.key = new_key(self.file)

    def package(self, made: Manifest | None = None, wasm: bytes = WASM) -> Package:
        raw = encode_manifest(made or manifest())
        return Package(raw, wasm, sign(raw, self.file))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def plugins(tmp_path: Path) -> PluginStore:
    return PluginStore(str(tmp_path / "plugins"))


def refused(code: str, act: Callable[[], Any]) -> RemitError:
    with pytest.raises(RemitError) as caught:
        act()
    assert caught.value.code == code, caught.value
    return caught.value


# --- packages


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HOSTILE_ENTRIES = [
    entry("../plugin.json"),
    entry("a/../../plugin.json"),
    entry("/etc/cron.d/job"),
    entry("./plugin.json"),
    entry("PLUGIN.JSON"),
    entry("plugin.json\0.txt"),
    entry("plugin.js\u202eno"),
    entry("extra.txt"),
    entry("plugin.sig", tarfile.SYMTYPE, "/etc/passwd"),
    entry("plugin.sig", tarfile.LNKTYPE, "plugin.wasm"),
    entry("plugin.sig", tarfile.CHRTYPE),
    entry("plugin.sig", tarfile.BLKTYPE),
    entry("plugin.sig", tarfile.FIFOTYPE),
    entry("plugin.sig", tarfile.DIRTYPE),
    entry("plugin.wasm"),  # a second one
]


@pytest.mark.parametrize("hostile", HOSTILE_ENTRIES, ids=lambda info: f"{info.name!a}-{info.type!a}")
def test_a_package_that_names_anything_else_is_refused(hostile: tarfile.TarInfo, tmp_path: Path, maker: Maker) -> None:
    """`..`, absolute paths, links, devices, folders, doubles and strange names: refused, and nothing is written."""
    good = maker.package()
    path = tmp_path / "p.rplugin"
    path.write_bytes(
        tar_of((entry("plugin.json"), good.manifest), (entry("plugin.wasm"), good.component), (hostile, b""))
    )
    before = sorted(os.listdir(tmp_path))
    error = refused("path_denied", lambda: read_package(str(path)))
    assert isinstance(error, Denied)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_package_is_read_whole_or_not_at_all(tmp_path: Path, maker: Maker) -> None:
    """The right files come back as they were; cut, compressed, empty or oversized files are value_invalid."""
    path = tmp_path / "p.rplugin"
    raw = write_package(maker.package())
    path.write_bytes(raw)
    assert read_package(str(path)) == maker.package() or read_package(str(path)).component == WASM
    import gzip

    for bad in (b"", raw[:700], gzip.compress(raw), b"\0" * 20_000, os.urandom(5000)):
        path.write_bytes(bad)
        refused("value_invalid", lambda: read_package(str(path)))


def test_a_package_cannot_be_larger_than_its_parts(
    tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member over its bound is refused before it is read."""
    path = tmp_path / "p.rplugin"
    path.write_bytes(write_package(maker.package()))
    monkeypatch.setitem(package.LIMITS, "plugin.wasm", 4)
    assert "at most 4" in refused("value_invalid", lambda: read_package(str(path))).message


# --- signatures and digests


def test_one_flipped_bit_is_refused(maker: Maker, plugins: PluginStore) -> None:
    """Every single flipped bit of manifest, component or signature: never accepted."""
    good = maker.package()
    plugins.vet(good, key=maker.key)
    tried = 0
    for name in ("manifest", "component", "signature"):
        data = getattr(good, name)
        for place in range(0, len(data), max(1, len(data) // 60)):
            bad = bytearray(data)
            bad[place] ^= 1 << (place % 8)
            with pytest.raises(RemitError):
                plugins.vet(msgspec.structs.replace(good, **{name: bytes(bad)}), key=maker.key)
            tried += 1
    assert tried > 100


def test_unsigned_foreign_and_unknown_signers_are_refused(maker: Maker, plugins: PluginStore, tmp_path: Path) -> None:
    """No signature, an unknown key, another key than the pinned one: denied_by_rule; only a flag lets unsigned in."""
    good, other = maker.package(), Maker(tmp_path, "other")
    unsigned = msgspec.structs.replace(good, signature=b"")
    refused("denied_by_rule", lambda: plugins.install(unsigned))
    assert maker.key in refused("denied_by_rule", lambda: plugins.install(good)).hint
    refused("denied_by_rule", lambda: plugins.install(good, key=other.key))
    assert plugins.install(good, key=maker.key).key == maker.key
    # an update of another signer, and an unsigned one, do not replace what is installed
    refused("denied_by_rule", lambda: plugins.install(other.package(manifest(version="1.0.1"))))
    assert plugins.install(maker.package(manifest(version="1.1.0"))).version == "1.1.0"
    assert plugins.install(unsigned, unsigned=True).key == ""


def test_a_signature_of_another_purpose_does_not_fit(maker: Maker, plugins: PluginStore) -> None:
    """The signed bytes carry a prefix: a signature over the bare manifest is refused."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    raw = encode_manifest(manifest())
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(Path(maker.file).read_text().strip()))
    forged = msgspec.json.encode({"key": maker.key, "signature": key.sign(raw).hex()})
    error = refused("denied_by_rule", lambda: plugins.vet(Package(raw, WASM, forged), key=maker.key))
    assert error.code == "denied_by_rule"


def test_installed_files_are_checked_at_every_load(maker: Maker, plugins: PluginStore) -> None:
    """A changed, swapped or linked file of an installed plugin is refused."""
    asking = manifest(imports=("files",), grants=("fs.read:data/**",))
    plugins.install(maker.package(asking), key=maker.key, grants=("fs.read:data/**",))
    place = Path(plugins.folder) / "words"
    assert plugins.load("words").component == WASM
    for name in ("plugin.json", "plugin.wasm", "plugin.sig", RECORD):
        good = (place / name).read_bytes()
        (place / name).write_bytes(good[:-2] + b"x" + good[-1:])
        refused("denied_by_rule", lambda: plugins.load("words"))
        (place / name).unlink()
        (place / name).symlink_to("/etc/passwd")
        refused("denied_by_rule", lambda: plugins.load("words"))
        (place / name).unlink()
        (place / name).write_bytes(good)
    assert plugins.load("words").manifest == asking
    refused("tool_unknown", lambda: plugins.load("../words"))
    refused("tool_unknown", lambda: plugins.load("absent"))


def test_without_the_digest_a_swapped_component_would_be_loaded(
    maker: Maker, plugins: PluginStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unplugged: with vetting replaced by bare decoding the swapped component goes through."""
    plugins.install(maker.package(), key=maker.key)
    (Path(plugins.folder) / "words" / "plugin.wasm").write_bytes(b"\0asm evil")
    refused("denied_by_rule", lambda: plugins.load("words"))
    monkeypatch.setattr(
        store.PluginStore, "vet", lambda self, given, *, key, unsigned: (decode_manifest(given.manifest), key)
    )
    assert plugins.load("words").component == b"\0asm evil"


def test_one_install_at_a_time_and_removal(maker: Maker, plugins: PluginStore) -> None:
    """A second install while one is under way is a conflict; what was removed is gone; nothing temporary stays."""
    plugins.install(maker.package(), key=maker.key)
    with plugins._locked():
        assert isinstance(refused("run_active", lambda: plugins.install(maker.package())), Conflict)
    plugins.remove("words")
    refused("tool_unknown", lambda: plugins.remove("words"))
    assert (plugins.ids(), os.listdir(plugins.folder)) == ((), [".lock"])


def test_a_key_is_private_and_never_written_over(tmp_path: Path, maker: Maker) -> None:
    """A key file has mode 0600, is not replaced, and is refused when others may read it."""
    assert os.stat(maker.file).st_mode & 0o777 == 0o600
    refused("path_denied", lambda: new_key(maker.file))
    os.chmod(maker.file, 0o644)
    refused("path_denied", lambda: sign(b"x", maker.file))
    (tmp_path / "bad").touch(0o600)
    refused("value_invalid", lambda: sign(b"x", str(tmp_path / "bad")))


# --- manifests


BAD_MANIFESTS: list[dict[str, Any]] = [
    {"id": "../words"},
    {"id": "Words"},
    {"id": "w"},
    {"version": "1"},
    {"wasm_sha256": "00"},
    {"tools": ()},
    {"tools": (TOOL, TOOL)},
    {"tools": (PluginTool("bad-name", "", {"type": "object"}),)},
    {"tools": (PluginTool("a", "", {"type": "string"}),)},
    {"imports": ("log", "log")},
    {"grants": ("fs.read:**",)},  # without the import
    {"grants": ("net:*",), "imports": ("files",)},
    {"grants": ("shell:*",), "imports": ("files", "http")},
    {"grants": ("fs.write:**",), "imports": ("files",)},
    {"grants": ("secret:*",), "imports": ("files",)},
    {"grants": ("nonsense",), "imports": ("files",)},
    {"timeout_s": 0},
    {"timeout_s": 31},
    {"timeout_s": float("nan")},
    {"memory_mb": 0},
    {"memory_mb": 4096},
    {"min_runtime_api": 2, "max_runtime_api": 3},
]


@pytest.mark.parametrize("changes", BAD_MANIFESTS, ids=str)
def test_a_manifest_that_asks_for_too_much_is_refused(changes: dict[str, Any]) -> None:
    """Names, bounds, versions and grants are checked when a manifest is read, whoever signed it."""
    refused("value_invalid", lambda: decode_manifest(encode_manifest(manifest(**changes))))


def test_a_manifest_has_one_form() -> None:
    """Unknown keys, doubled keys, other spacing and foreign imports are refused: what is signed is what is read."""
    raw = encode_manifest(manifest())
    assert decode_manifest(raw) == manifest()
    for bad in (
        raw.replace(b'"id"', b'"id": "other", "id"', 1),
        raw.replace(b"{", b'{"more": 1,', 1),
        raw + b" ",
        raw.replace(b'"imports": []', b'"imports": ["sockets"]'),
        b"[" * 100_000,
        b"\xff",
    ):
        refused("value_invalid", lambda bad=bad: decode_manifest(bad))


def test_grants_beyond_the_manifest_are_refused(maker: Maker, plugins: PluginStore) -> None:
    """A user can grant what the manifest asks for, or less; a typing error does not widen anything."""
    asking = maker.package(manifest(imports=("files",), grants=("fs.read:data/**",)))
    wider = refused("not_granted", lambda: plugins.install(asking, key=maker.key, grants=("fs.read:**",)))
    wrong = refused("grant_invalid", lambda: plugins.install(asking, key=maker.key, grants=("everything",)))
    assert (wider.code, wrong.code, list(Path(plugins.folder).glob("*"))) == ("not_granted", "grant_invalid", [])


# --- authority during a call


class Recorder:
    """A sandbox that asks the host for one thing and answers with what it got."""

    tier = "T2"

    def __init__(self, function: str, value: Any) -> None:
        self.ask = (function, value)
        self.job: ComponentJob | None = None

    async def call(self, job: ComponentJob, host: Host | None = None) -> CodeResult:
        self.job = job
        assert host is not None
        try:
            return CodeResult({"ok": await host(self.ask[0], [self.ask[1]])})
        except RemitError as error:
            return CodeResult({"err": error.code})


class Reader:
    """Handles of a run that may read everything."""

    class files:
        @staticmethod
        def read(path: str, offset: int, limit: int) -> bytes:
            return f"content of {path}".encode()


@pytest.mark.parametrize(
    ("asked", "granted", "path", "outcome"),
    [
        (("fs.read:data/**",), ("fs.read:data/**",), "data/x", "content of data/x"),
        (("fs.read:data/**",), (), "data/x", "not_granted"),
        (("fs.read:data/**",), ("fs.read:data/**",), "other/x", "not_granted"),
        (("fs.read:data/**",), ("fs.read:data/**",), "data/../other", "path_denied"),
        (("fs.read:**",), ("fs.read:**",), ".env", "not_granted"),
        ((), ("fs.read:**",), "data/x", "not_granted"),
    ],
)
def test_a_plugin_reaches_only_what_manifest_and_user_both_grant(
    asked: tuple[str, ...], granted: tuple[str, ...], path: str, outcome: str
) -> None:
    """Even when the run itself may read everything."""
    sandbox = Recorder("files.read", path)
    loaded = Loaded(manifest(imports=("files",), grants=asked), WASM, Installed("words", "1.0.0", "", "", granted))
    tool = make_tool(loaded, TOOL, lambda: sandbox)  # type: ignore[arg-type,return-value]
    ctx: Context[Any] = Context(None, run_id="r", agent="a", key="k", idempotency_key="i", now_ms=0, handles=Reader())
    try:
        result = asyncio.run(tool.fn(ctx, {"path": path}))
    except RemitError as error:
        result = error.message.rpartition(" ")[2]
    assert result == outcome
    assert sandbox.job is not None
    assert sandbox.job.imports == ("files",)


def test_a_tool_of_a_plugin_declares_what_it_is(tmp_path: Path) -> None:
    """Its name, its own grant, untrusted results, strict arguments."""
    loaded = Loaded(manifest(), WASM, Installed("words", "1.0.0", "", ""))
    tool = make_tool(loaded, TOOL, lambda: Recorder("x", "y"))  # type: ignore[arg-type,return-value]
    assert (tool.name, tool.label.integrity, tool.tier) == ("wasm_words_count", "untrusted", "pure")
    assert [str(need) for need in tool.needs(arguments={})] == ["tool:wasm_words_count"]  # type: ignore[misc]
    assert tool.signature.decode({"path": "x"}) == {"arguments": {"path": "x"}}
    for bad in ({}, {"path": 1}, {"path": "x", "more": 1}, [], None, "x"):
        refused("arguments_invalid", lambda bad=bad: tool.signature.decode(bad))
    assert tool.spec.name == "wasm_words_count"
    assert (fs_read("x").verb, net("GET", "https://x.org/").verb) == ("fs.read", "net")
    assert Remit.allow("fs.read:**") is not None


def test_a_component_with_more_imports_than_its_manifest_is_not_installed(maker: Maker, tmp_path: Path) -> None:
    """What the component really imports is read from it, at install and at `verify`."""

    class Sandbox(Recorder):
        async def imports_of(self, component: bytes) -> tuple[str, ...]:
            return ("wasi:io/streams", "remit:plugin/log", "remit:plugin/http")

    made = Plugins(str(tmp_path / "p"), lambda: Sandbox("x", "y"), None)  # type: ignore[arg-type,return-value]
    path = tmp_path / "p.rplugin"
    path.write_bytes(write_package(maker.package(manifest(imports=("log",)))))
    for act in (made.check_file, made.install):
        error = refused("value_invalid", lambda act=act: asyncio.run(act(str(path), key=maker.key)))
        assert "remit:plugin/http" in error.message
    assert made.store.ids() == ()
    path.write_bytes(write_package(maker.package(manifest(imports=("log", "http")))))
    assert asyncio.run(made.install(str(path), key=maker.key)).id == "words"
    assert made.tool("wasm_words_count").name == "wasm_words_count"
    assert made.tool_names() == ("wasm_words_count",)
    (Path(made.store.folder) / "words" / "plugin.wasm").write_bytes(b"changed")
    refused("denied_by_rule", lambda: made.tool("wasm_words_count"))
    refused("tool_unknown", lambda: made.tool("wasm_other_x"))
    assert made.tool_names() == ()


# --- argument schemas


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 3}}}, {"a": 2}, {"a": 4}),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 2}, {"a": True}),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, {"a": None}, {"a": 1}),
        ({"type": "object", "properties": {"a": {"enum": ["x", "y"]}}}, {"a": "x"}, {"a": "z"}),
        ({"type": "object", "properties": {"a": {"const": 1}}}, {"a": 1}, {"a": 2}),
        ({"type": "object", "properties": {"a": {"type": "string", "maxLength": 2}}}, {"a": "ab"}, {"a": "abc"}),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}, "minItems": 1}}},
         {"a": [1, 2.5]}, {"a": []}),
        ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}},
         {"a": [1]}, {"a": ["1"]}),
        ({"type": "object", "required": ["a"], "additionalProperties": True}, {"a": 1, "b": 2}, {"b": 2}),
        ({"type": "object"}, {}, {"a": 1}),
    ],
)  # fmt: skip
def test_arguments_are_checked_against_the_schema(schema: dict[str, Any], good: Any, bad: Any) -> None:
    """What fits passes, what does not is arguments_invalid with its path."""
    arguments.check_schema(schema)
    arguments.check_arguments(good, schema)
    assert "`$" in refused("arguments_invalid", lambda: arguments.check_arguments(bad, schema)).message


@pytest.mark.parametrize(
    "schema", [{"type": "object", "patternProperties": {}}, {"type": "objekt"}, {"$ref": "#"}, {"oneOf": []}, [], None]
)
def test_a_schema_that_cannot_be_checked_is_refused(schema: Any) -> None:
    """A validating keyword that is not understood is an error, never ignored."""
    refused("value_invalid", lambda: arguments.check_schema(schema))
    deep: Any = {"type": "object"}
    for _ in range(40):
        deep = {"type": "object", "properties": {"a": deep}}
    refused("value_invalid", lambda: arguments.check_schema(deep))


def test_plugin_toml_is_checked_as_hard() -> None:
    """An author's own file gets the same checks, with its name in the error."""
    for text in ("id = ", "", 'id = "words"\nunknown = 1', "x = " + "[" * 100_000):
        with pytest.raises(Invalid) as caught:
            manifest_of(text, WASM)
        assert caught.value.code == "value_invalid"
