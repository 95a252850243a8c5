"""Configuration: `remit.toml` -> frozen values, strict, each with the place it came from.

Precedence, strongest first: flags, documented environment variables, the project's remit.toml (in the
workspace), the user's remit.toml (in the config folder), defaults. Denials of all places add up.

Invariants:
- The project's file came with the project: until the user trusts exactly its bytes (`trust`), it can only
  narrow. Its grants are met with the others, its ceilings are minima, and a key that widens (model, base_url,
  api_key, journal, instructions) is refused with config_untrusted before anything runs.
- A secret stands in no file: api_key is a reference, secret:NAME (in the vault), env:NAME or file:PATH.
- base_url and api_key of a file hold for the model that this file names, never for another one.

Also here: the state folder (journals) and the config folder. REMIT_STATE_DIR and REMIT_CONFIG_DIR name them;
else the XDG folders. Source: XDG Base Directory Specification 0.8 (XDG_STATE_HOME, XDG_CONFIG_HOME).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.budget import PRESETS, Budget, Limit, lower_limit
from remit.core.capabilities import authority_keys
from remit.core.config_keys import line_of, refuse_unknown
from remit.core.flags import explicit
from remit.core.folders import config_path, state_path
from remit.core.grants import parse_denial, parse_grant
from remit.core.model_sections import MODEL_SECTIONS
from remit.core.remit import UNSET, Remit
from remit.core.sections import (
    FLAT_SECTIONS,
    BudgetSection,
    ConfigFile,
    DispatchSection,
    EncryptionSection,
    GatewaySection,
    GuardrailsSection,
    LeakGuardSection,
    LimitTable,
    PolicySection,
    SecondFactorSection,
)
from remit.errors import Invalid, RemitError

FILE_NAME: Final = "remit.toml"
MAX_FILE_BYTES: Final = 256 * 1024
MAX_SECRET_BYTES: Final = 16 * 1024
DEFAULT_MAX_TURNS: Final = 10
VARIABLES: Final[dict[str, str]] = {
    "REMIT_MODEL": "model.name",
    "REMIT_BASE_URL": "model.base_url",
    "REMIT_MAX_TURNS": "model.max_turns",
    "REMIT_BUDGET_USD": "budget.usd",
    "REMIT_JOURNAL": "journal.path",
    "REMIT_ENCRYPTION": "encryption.mode",
}
GUARDRAIL_KEYS: Final = tuple(f"guardrails.{name}" for name in GuardrailsSection.__struct_fields__)
DISPATCH_KEYS: Final = tuple(f"dispatch.{name}" for name in DispatchSection.__struct_fields__)
GATEWAY_KEYS: Final = tuple(f"gateway.{name}" for name in GatewaySection.__struct_fields__)
WIDENING: Final = ("model.name", "model.base_url", "model.api_key", "journal.path", "journal.witness",
                   "journal.password", "journal.tenant", *DISPATCH_KEYS, *GATEWAY_KEYS,
                   "run.instructions", "encryption.mode", "encryption.key", "encryption.algorithm",
                   "encryption.subject",
                   "leak_guard.mode", "leak_guard.random", "leak_guard.sensitivity",
                   "remit.enable", "policy.site", "policy.cedar", "policy.token_issuer", "roles",
                   "mcp", *MODEL_SECTIONS, *GUARDRAIL_KEYS, "second_factor.tools", "second_factor.hosts")  # fmt: skip
"""keys that an untrusted project file may not set"""
POSTGRES: Final = ("postgres://", "postgresql://")
KEY_VARIABLES: Final = ("REMIT_DATA_KEY", "ENCRYPTION_KEY")
"""variables that hold the key-encryption key, the first before the second"""
_SECRET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # as ports/secrets.NAME
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE: Final = re.compile(r"(?P<calls>[1-9]\d{0,8})/(?P<number>\d{1,6}(?:\.\d{1,3})?)?(?P<unit>ms|s|m|h)")


class Setting(Struct, frozen=True):
    """One effective value and its origin."""

    value: Any
    origin: str


class Level(Struct, frozen=True):
    """One place that sets values."""

    origin: str
    values: dict[str, Any]
    narrow: bool = False
    """an untrusted project file"""


class Settings(Struct, frozen=True):
    """All effective values by dotted key; `refused` = keys of an untrusted file that would widen."""

    values: dict[str, Setting]
    narrowed: tuple[str, ...] | None = None
    """grants of an untrusted project file, to be met with the others; None = it says nothing"""
    refused: tuple[str, ...] = ()
    project: str = ""
    """path of the project's file; "" = there is none"""

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    def check(self) -> Settings:
        """These settings; raises config_untrusted when an untrusted file wanted to widen something."""
        if self.refused:
            raise Invalid(
                "config_untrusted",
                f"{self.project} is not trusted and sets {', '.join(self.refused)}; untrusted, it may only narrow",
                hint=f"Read the file, then trust exactly it: remit config trust {self.project}",
            )
        return self

    @property
    def budget(self) -> Budget:
        """The ceilings."""
        return Budget(**{f: self[f"budget.{f}"] for f in BudgetSection.__struct_fields__})

    @property
    def limits(self) -> dict[str, Limit]:
        """The rates, by pattern."""
        found: dict[str, Limit] = self["limits"]
        return found

    @property
    def encryption(self) -> EncryptionSection:
        """How data is kept at rest."""
        return EncryptionSection(**{f: self[f"encryption.{f}"] for f in EncryptionSection.__struct_fields__})

    @property
    def model_sections(self) -> dict[str, Any]:
        """What is set up around models, by section; {} = nothing."""
        return {name: self[name] for name, default in MODEL_SECTIONS.items() if self[name] != default}

    @property
    def leak_guard(self) -> LeakGuardSection:
        """How what leaves is looked at."""
        return LeakGuardSection(**{f: self[f"leak_guard.{f}"] for f in LeakGuardSection.__struct_fields__})

    @property
    def guardrails(self) -> GuardrailsSection:
        """Rules on text."""
        return GuardrailsSection(**{key.partition(".")[2]: self[key] for key in GUARDRAIL_KEYS})

    @property
    def second_factor(self) -> SecondFactorSection:
        """Which calls need a code."""
        return SecondFactorSection(self["second_factor.tools"], self["second_factor.hosts"])

    def remit(self, model: str) -> Remit:
        """Grants and denials of a run of `model`; what an untrusted file grants is met with the rest."""
        allow = self["remit.allow"]
        granted: Remit = UNSET.allow(*allow) if allow else UNSET
        given: Remit = explicit(granted.deny(*self["remit.deny"]), self["remit.enable"])
        if self.narrowed is None:
            return given  # the agent's root adds what naming its model implies
        implied = [f"model:{model}"] if model else []
        return given.with_implied(implied).meet(Remit.allow(*self.narrowed, *implied))


def load(workspace: str, flags: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The effective settings for a workspace; call `.check()` before anything runs.

    Args:
        workspace: the folder whose remit.toml is the project's.
        flags: dotted key -> value, as given on the command line; None values are left out.
        env: environment; the process's own by default.

    Raises: config_invalid with file, key and place; grant_invalid for a flag's grant.
    """
    environment = os.environ if env is None else env
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    for text in given.get("remit.allow", ()):
        parse_grant(text)
    for text in given.get("remit.deny", ()):
        parse_denial(text)
    levels = [Level("flag", given), Level("environment", _environment(environment))]
    user_path = config_folder() / FILE_NAME
    project_path = Path(workspace).absolute() / FILE_NAME
    project = "" if project_path == user_path or not os.path.lexists(project_path) else str(project_path)
    if project:
        raw = read_bounded(project)
        trusted = digest_of(raw) == trusted_digests().get(place_of(project))
        levels.append(Level(f"project {project}", flatten(parse(raw, project), project), narrow=not trusted))
    if os.path.lexists(user_path):
        place = str(user_path)
        levels.append(Level(f"user {place}", flatten(parse(read_bounded(place), place), place)))
    return _merge(levels, project)


def parse(raw: bytes, place: str) -> ConfigFile:
    """The file's content; `place` is how errors name it. Raises config_invalid."""
    import tomllib

    try:
        text = raw.decode()
        data = tomllib.loads(text)
    except UnicodeDecodeError as e:
        raise Invalid("config_invalid", f"{place}: not UTF-8 at byte {e.start}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise Invalid("config_invalid", f"{place}: not TOML: {str(e) or 'nested too deeply'}") from None
    refuse_unknown(data, ConfigFile, text, place)
    try:
        return msgspec.convert(data, ConfigFile)
    except (msgspec.ValidationError, RecursionError) as e:
        what, _, where = str(e).partition(" - at `$.")
        key = where.rstrip("`")
        raise Invalid("config_invalid", f"{place}{line_of(text, key)}: {key or 'remit.toml'}: {what}") from None


def flatten(file: ConfigFile, place: str) -> dict[str, Any]:
    """The set keys of a file, dotted, with grants, rates, paths and references checked; raises config_invalid."""
    found = {
        f"{section}.{key}": value
        for section in FLAT_SECTIONS
        for key, value in msgspec.structs.asdict(getattr(file, section)).items()
        if value is not None
    }
    for key, read in (("remit.allow", parse_grant), ("remit.deny", parse_denial)):
        for index, text in enumerate(found.get(key, ())):
            try:
                read(text)
            except RemitError as e:
                raise Invalid("config_invalid", f"{place}: {key}[{index}]: {e.message}", hint=e.hint) from None
    found |= authority_keys(file, found, place)
    found |= {n: getattr(file, n) for n, default in MODEL_SECTIONS.items() if getattr(file, n) != default}
    if file.limits:
        found["limits"] = {pattern: _limit(pattern, rule, place) for pattern, rule in file.limits.items()}
    _check_references(found, place)
    if "encryption.key" in found:
        found["encryption.key"] = _key_reference(found["encryption.key"], place)
    if found.get("journal.witness"):
        found["journal.witness"] = os.path.join(os.path.dirname(place), os.path.expanduser(found["journal.witness"]))
    path = found.get("journal.path", "")
    if path and path != "memory:" and not path.startswith(("sqlite:", *POSTGRES)):
        found["journal.path"] = os.path.join(os.path.dirname(place), os.path.expanduser(path))
    try:
        Budget(**{k[7:]: v for k, v in found.items() if k.startswith("budget.")})
    except RemitError as e:
        raise Invalid("config_invalid", f"{place}: {e.message}") from None
    return found


def check_reference(reference: str, place: str) -> None:
    """Refuse what is no secret reference, without repeating it: it may be the secret itself."""
    kind, _, name = reference.partition(":")
    if kind == "secret" and not _SECRET_NAME.fullmatch(name):
        raise Invalid("config_invalid", f"{place}: model.api_key: secret:NAME names no secret",
                      hint="List the secrets with: remit vault list")  # fmt: skip
    if kind == "env" and name in KEY_VARIABLES:
        raise Invalid("config_invalid", f"{place}: model.api_key: {name} is the key of the data at rest",
                      hint="Name the variable that holds the provider's key.")  # fmt: skip
    if kind not in ("env", "file", "secret") or not name:
        raise Invalid("config_invalid", f"{place}: model.api_key is not a reference (its value is not shown)",
                      hint="Keep the key out of the file: write secret:NAME, env:NAME or file:PATH.")  # fmt: skip


def _check_references(found: dict[str, Any], place: str) -> None:
    if "model.api_key" in found:
        check_reference(found["model.api_key"], place)
    if not found.get("journal.password", "env:").startswith(("env:", "file:")):
        raise Invalid("config_invalid", f"{place}: journal.password is not a reference (its value is not shown)",
                      hint="Write env:NAME or file:PATH.")  # fmt: skip


def _key_reference(reference: str, place: str) -> str:
    """The reference with its path made whole; refuses what is none without repeating it: it may be the key itself."""
    kind, _, name = reference.partition(":")
    if kind not in ("env", "file", "keyring", "passphrase", "kms") or (kind in ("env", "file", "kms") and not name):
        raise Invalid("config_invalid", f"{place}: encryption.key is not a reference (its value is not shown)",
                      hint="Write env:NAME, file:PATH, keyring:SERVICE/USER, passphrase or kms:NAME.")  # fmt: skip
    if kind == "file":
        return f"file:{os.path.join(os.path.dirname(place), os.path.expanduser(name))}"
    return reference


def resolve_secret(reference: str, env: Mapping[str, str]) -> str:
    """The value behind env:NAME or file:PATH, the handle of secret:NAME; raises config_invalid when there is none."""
    check_reference(reference, "model.api_key")
    kind, _, name = reference.partition(":")
    if kind == "secret":
        return f"{{{{secret:{name}}}}}"  # the handle: the egress replaces it
    if kind == "env":
        value = env.get(name, "").strip()
    else:
        value = read_bounded(os.path.expanduser(name), MAX_SECRET_BYTES).decode("utf-8", "replace").strip()
    if not value:
        raise Invalid("config_invalid", f"model.api_key: {reference} is empty or not set")
    return value


def trust(path: str) -> str:
    """Trust exactly the present content of a project file; returns its SHA-256. Raises config_invalid."""
    raw = read_bounded(path)
    flatten(parse(raw, path), path)
    digests = {**trusted_digests(), place_of(path): digest_of(raw)}
    folder = config_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f".trusted.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(digests, order="sorted")))
    fresh.replace(folder / "trusted.json")
    return digests[place_of(path)]


def place_of(path: str) -> str:
    """What trust is bound to: the folder as it really is, and the name in it.

    The file's own link is not followed: a project whose remit.toml points at a trusted one gets nothing of it.
    """
    return os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(path))


def trusted_digests() -> dict[str, str]:
    """Place -> SHA-256 of what the user trusts; raises config_invalid when that record is damaged."""
    path = config_folder() / "trusted.json"
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(read_bounded(str(path)), type=dict[str, str])
    except msgspec.DecodeError as e:
        raise Invalid(
            "config_invalid", f"{path} is damaged: {e}", hint="Delete it and trust your files again."
        ) from None


def digest_of(raw: bytes) -> str:
    """SHA-256 in hex."""
    from hashlib import sha256

    return sha256(raw).hexdigest()


def read_bounded(path: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """A regular file of at most `limit` bytes; raises config_invalid (a pipe or a device is not opened for long)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Invalid("config_invalid", f"{path} is not a regular file")
            raw = file.read(limit + 1)
    except OSError as e:
        raise Invalid("config_invalid", f"{path} cannot be read: {e.strerror}") from None
    if len(raw) > limit:
        raise Invalid("config_invalid", f"{path} has more than {limit} bytes")
    return raw


def state_folder() -> Path:
    """Journals live here; made by the journal with mode 0700."""
    return Path(state_path())


def config_folder() -> Path:
    """The user's own remit.toml and what they trust."""
    return Path(config_path())


def schema() -> dict[str, Any]:
    """The JSON Schema of remit.toml (docs/reference/remit.schema.json)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FILE_NAME,
        **msgspec.json.schema(ConfigFile),
    }


def _merge(levels: list[Level], project: str) -> Settings:
    usual = [level for level in levels if not level.narrow]
    values = {key: _strongest(key, default, usual) for key, default in _defaults()}
    named = values["model.name"]
    for key in ("model.base_url", "model.api_key"):
        fitting = [level for level in usual if level.values.get("model.name", named.value) == named.value]
        values[key] = _strongest(key, "", fitting)
    denials = [(level.origin, level.values["remit.deny"]) for level in levels if level.values.get("remit.deny")]
    if denials:
        texts = tuple(dict.fromkeys(text for _, found in denials for text in found))
        values["remit.deny"] = Setting(texts, " + ".join(origin for origin, _ in denials))
    narrowed: tuple[str, ...] | None = None
    refused: tuple[str, ...] = ()
    for level in levels:
        if level.narrow:
            refused = tuple(key for key in WIDENING if key in level.values)
            narrowed = level.values.get("remit.allow")
            _narrow(values, level)
    return Settings(values, narrowed, refused, project)


def _narrow(values: dict[str, Setting], level: Level) -> None:
    """Apply an untrusted file: what is smaller than the present value counts, nothing else."""
    for key, asked in level.values.items():
        present = values[key].value if key in values else None
        smaller = asked
        if key == "policy":
            values["policy.narrowed"] = Setting(asked, level.origin)
        if key in WIDENING or key in ("remit.allow", "remit.deny", "policy"):
            continue
        if key == "limits":
            held: dict[str, Limit] = values[key].value
            smaller = held | {p: lower_limit(held[p], rule) if p in held else rule for p, rule in asked.items()}
        elif key == "run.tools":
            smaller = asked if present is None else tuple(name for name in present if name in asked)
        elif present is not None:
            smaller = min(present, asked)
        if smaller != present:
            values[key] = Setting(smaller, level.origin)


def _strongest(key: str, default: Any, levels: list[Level]) -> Setting:
    for level in levels:
        if key in level.values:
            return Setting(level.values[key], level.origin)
    return Setting(default, "default")


def _defaults() -> Iterator[tuple[str, Any]]:
    for section in ("model", "run", "budget"):
        for key in ConfigFile.__struct_defaults__[ConfigFile.__struct_fields__.index(section)].__struct_fields__:
            name = f"{section}.{key}"
            yield name, {"model.max_turns": DEFAULT_MAX_TURNS, "run.instructions": ""}.get(name)
    yield from (("remit.allow", ()), ("remit.deny", ()), ("remit.enable", ()), ("limits", {}), ("roles", {}))
    yield from (("policy", PolicySection()), ("policy.narrowed", None), ("policy.site", ""), ("policy.cedar", ""))
    yield from (("journal.path", str(state_folder() / "journal.db")), ("journal.witness", ""), ("mcp", ()))
    yield from (("encryption.mode", "off"), ("encryption.key", ""), ("encryption.subject", ""))
    yield from MODEL_SECTIONS.items()
    yield from (("encryption.algorithm", "aes-256-gcm"), ("policy.token_issuer", ""))
    yield from ((key, None) for key in (*GUARDRAIL_KEYS, *DISPATCH_KEYS, "journal.password", "journal.tenant"))
    yield from ((key, None) for key in (*GATEWAY_KEYS, "second_factor.tools", "second_factor.hosts"))
    yield from (("leak_guard.mode", "redact"), ("leak_guard.random", True), ("leak_guard.sensitivity", 0.7))


def _environment(env: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, key in VARIABLES.items():
        text = env.get(name, "").strip()
        if not text:
            continue
        try:
            found[key] = int(text) if key == "model.max_turns" else float(text) if key == "budget.usd" else text
        except ValueError:
            raise Invalid("config_invalid", f"{name}={text!r:.60} is not a number") from None
    if found.get("encryption.mode", "off") not in ("off", "encrypted", "full"):
        raise Invalid("config_invalid", "REMIT_ENCRYPTION is one of off, encrypted, full")
    if found.get("model.max_turns", 1) < 1 or not 0 <= found.get("budget.usd", 0) < float("inf"):
        raise Invalid("config_invalid", "REMIT_MAX_TURNS is at least 1, REMIT_BUDGET_USD at least 0")
    return found


def _limit(pattern: str, rule: str | LimitTable, place: str) -> Limit:
    if not pattern.startswith(("tool:", "model:", "provider:", "agent:", "tenant:")):
        raise Invalid("config_invalid", f'{place}: limits."{pattern}": write "tool:NAME" or "model:NAME"')
    if isinstance(rule, LimitTable):
        try:
            return Limit(**{**msgspec.structs.asdict(rule), "calls": rule.calls or 0})
        except RemitError as e:
            raise Invalid("config_invalid", f'{place}: limits."{pattern}": {e.message}') from None
    if rule in PRESETS:
        return PRESETS[rule]
    found = _RATE.fullmatch(rule.replace(" ", ""))
    period_s = float(found["number"] or 1) * _UNITS[found["unit"]] if found else 0.0
    if found is None or period_s <= 0:
        wrong = f'limits."{pattern}": {rule!r:.60} is not CALLS/PERIOD such as "10/60s"'
        raise Invalid("config_invalid", f"{place}: {wrong}")
    return Limit(calls=int(found["calls"]), period_s=period_s)
