"""What there is to say of every provider: for `remit models list`, and for people who choose one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from remit.adapters import providers
from remit.core.urls import address_kind, parse_url
from remit.errors import Invalid
from remit.ports.provider import Profile


def rows(env: Mapping[str, str], only: str = "") -> list[dict[str, Any]]:
    """One row a provider, by name; `only` = just that one (raises model_unknown)."""
    names = (providers.profile(only).name,) if only else providers.names()
    return [_row(providers.profile(name), env) for name in names]


def _row(profile: Profile, env: Mapping[str, str]) -> dict[str, Any]:
    try:
        address = providers.base_url(profile, "", env)
    except Invalid as error:
        address = f"({error.hint})"
    return {
        "name": profile.name,
        "wire": profile.wire,
        "key": _key(profile, env),
        "local": profile.local,
        "supports": list(profile.supports),
        "embeddings": profile.embeds,
        "address": address,
        "models_url": _models_url(profile, address) if profile.local else "",
    }


def _models_url(profile: Profile, address: str) -> str:
    """Where a server on this machine lists its models; "" for an address that is not loopback.

    `localhost` is written as the address that it stands for: private addresses are granted as literals only.
    """
    try:
        url = parse_url(address)
    except Invalid:  # the hint of an address that is not known
        return ""
    if url.host == "localhost":
        url = replace(url, host="127.0.0.1")
    try:
        loopback = address_kind(url.host) == "loopback"
    except Invalid:  # a name, which may lead anywhere
        return ""
    return f"{str(url).rstrip('/')}{profile.models_path or '/models'}" if loopback else ""


def _key(profile: Profile, env: Mapping[str, str]) -> str:
    """Where the key is, by name; never a part of it."""
    variables = list(profile.key_env)
    if profile.auth == "aws":
        variables.append("AWS_ACCESS_KEY_ID")
    elif profile.auth == "google":
        variables.append("GOOGLE_APPLICATION_CREDENTIALS")
    found = next((name for name in variables if env.get(name, "").strip()), "")
    if found:
        return f"{found} set"
    return f"{variables[0]} not set" if variables else "none needed"
