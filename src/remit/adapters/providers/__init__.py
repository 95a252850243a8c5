"""Providers: a file each, listed by name and imported on use.

To add one, put a file with a `PROFILE` beside the others; a `-` in its name is a `_` in the file's. Files that
begin with `_` are no providers.
Here too: which codec speaks a profile's wire, and which address and key a profile leads to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

from remit.core.urls import parse_url
from remit.errors import Invalid
from remit.ports.http import HttpClient
from remit.ports.model import Model
from remit.ports.provider import Profile
from remit.ports.wire import Codec

_NOT_PROVIDERS: Final = frozenset(("__init__", "http_model"))
WIRES: Final = (
    "anthropic-messages", "bedrock-converse", "cohere-v2", "gemini", "openai-chat", "openai-responses",
)  # fmt: skip
_profiles: dict[str, Profile] = {}


def names() -> tuple[str, ...]:
    """Every provider, sorted."""
    files = [entry[:-3] for entry in os.listdir(os.path.dirname(__file__)) if entry.endswith(".py")]
    return tuple(sorted(n.replace("_", "-") for n in files if n not in _NOT_PROVIDERS and not n.startswith("_")))


def profile(name: str) -> Profile:
    """The profile of a provider; raises model_unknown with the nearest names."""
    known = _profiles.get(name)
    if known is None:
        # Listed first: a name from outside never reaches the import of anything else.
        if name not in names():
            raise _unknown(name)
        known = _profiles[name] = import_module(f"{__name__}.{name.replace('-', '_')}").PROFILE
    return known


def codec(profile: Profile, caching: str = "auto") -> Codec:
    """The codec of a profile, with the dialect's field names; `caching` as in wire/prompt_cache.py."""
    if profile.wire not in WIRES:
        raise Invalid("model_unknown", f"provider {profile.name} names an unknown wire {profile.wire!r}")
    if profile.renames and profile.wire == "openai-chat":
        from remit.wire.openai_chat import ChatCodec

        return ChatCodec(profile.renames)
    found: Codec = import_module(f"remit.wire.{profile.wire.replace('-', '_')}").CODEC
    if caching != "auto" and profile.wire in ("anthropic-messages", "bedrock-converse"):
        found = type(found)(caching)  # type: ignore[call-arg]  # these two have marks to place
    return found


def base_url(profile: Profile, given: str, env: Mapping[str, str]) -> str:
    """Scheme, host and version prefix of a profile's requests, without a slash at the end.

    Args:
        given: what the user wrote; it replaces everything else. "" = not given.
        env: where the profile's variables are looked up.

    Raises:
        Invalid: config_invalid, no URL is known, or it holds what does not belong there.
    """
    url = given.strip().rstrip("/")
    if not url:
        found = next((env[name].strip() for name in profile.base_url_env if env.get(name, "").strip()), "")
        url = _with_scheme(found.rstrip("/"), profile)
        if url and profile.bare_host_path and "/" not in url.partition("://")[2]:
            url += profile.bare_host_path
    url = url or filled(profile, env)
    if not url:
        hint = f"Give base_url=..., or set {profile.base_url_env[0]}." if profile.base_url_env else "Give base_url=..."
        raise Invalid("config_invalid", f"provider {profile.name} has no address of its own", hint=hint)
    path = codec(profile).path
    if "{" not in path:
        url = url.removesuffix(path)
    if "?" in url or "#" in url or "@" in url.partition("://")[2].partition("/")[0]:
        raise Invalid("config_invalid", "a base_url holds scheme, host, port and path only")
    try:
        parse_url(url)
    except Invalid as error:
        raise Invalid("config_invalid", f"base_url: {error.message}") from None
    return url


def filled(profile: Profile, env: Mapping[str, str]) -> str:
    """The profile's own base URL, what stands in braces taken from the environment; raises config_invalid."""
    url = profile.base_url
    for place, variables in profile.places.items():
        fallback = next((name[1:] for name in variables if name.startswith("=")), "")
        value = next((env[name].strip() for name in variables if env.get(name, "").strip()), fallback)
        if not value:
            hint = f"Set {variables[0]}, or give base_url=..."
            raise Invalid("config_invalid", f"provider {profile.name} needs a {place}", hint=hint)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise Invalid("config_invalid", f"the {place} of {profile.name} holds what no address can: {value[:60]!r}")
        url = url.replace("{" + place + "}", value)
    # Source: Vertex AI docs "Locations": the global endpoint has no region before its name.
    return url.replace("://global-", "://")


def api_key(profile: Profile, given: str | None, env: Mapping[str, str]) -> str:
    """The key of a profile; "" when none is set. `given` None = from the environment, "" = none."""
    key = given
    if key is None:
        key = next((env[name] for name in profile.key_env if env.get(name, "").strip()), "")
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        # The value is not shown: part of it may be a key.
        raise Invalid("config_invalid", f"the key of {profile.name} holds characters that no header can carry")
    return key


def make_model(  # all but the last are needed to reach a provider at all
    name: str,
    given_url: str,
    given_key: str | None,
    env: Mapping[str, str],
    http_for: Callable[[str], HttpClient],
    caching: str = "auto",
) -> Model:
    """The model `provider:name`, ready to be asked.

    Args:
        name: provider and model.
        given_url: what the user wrote as base_url; "" = from the environment, else the provider's own.
        given_key: what the user wrote as key; None = from the environment, "" = none.
        env: where the provider's variables are looked up.
        http_for: the transport for requests to a URL; it may let the URL's own host and port be private.
        caching: whether long prefixes are marked to be kept, where a request does not say (wire/prompt_cache.py).
    """
    from remit.adapters.providers.http_model import HttpModel, path_of

    provider, colon, model = name.partition(":")
    if not colon or not provider or not model:
        raise Invalid("model_unknown", f"{name[:100]!r} is not provider:model")
    row = profile(provider)
    spoken = codec(row, caching)
    url = base_url(row, given_url, env)
    # A key from the environment belongs to the provider that the environment or the profile names;
    # an address that the user wrote gets it too, because naming both is the user's own choice.
    key = api_key(row, given_key, env)
    signer = None
    if row.auth in ("aws", "google") and given_key is None:
        from remit.adapters.providers._signing import signer_of

        signer = signer_of(row, url, key, env)
    return HttpModel(row, spoken, model, url, key, http_for(url + path_of(spoken.path, model)), signer=signer)


def _with_scheme(url: str, profile: Profile) -> str:
    """The variable of a program on this machine may hold HOST or HOST:PORT, as OLLAMA_HOST does."""
    if not url or not profile.local or "://" in url:
        return url
    port = "" if re.search(r":\d+$", url) else profile.base_url[profile.base_url.rindex(":") :].partition("/")[0]
    return f"http://{url}{port}"


def _unknown(name: str) -> Invalid:
    from difflib import get_close_matches

    shown = name[:60]
    every = names()
    near = get_close_matches(shown.lower().replace("_", "-"), every, n=3, cutoff=0.5)
    hint = f"Nearest: {', '.join(near)}" if near else f"`remit models list` names all {len(every)}"
    return Invalid("model_unknown", f"no provider is named {shown!r}. {hint}", hint=hint)
