"""Port: what remit knows of a provider. A provider is one file with one `PROFILE`."""

from __future__ import annotations

from msgspec import Struct


class Profile(Struct, frozen=True):
    """A row about one provider; `wire` names the codec family that it speaks."""

    name: str
    """what stands before the colon, for example groq"""
    wire: str
    """openai-chat | openai-responses | anthropic-messages | gemini | bedrock-converse | cohere-v2"""
    base_url: str = ""
    """scheme, host and version prefix, without a slash at the end; "" = the user must give one"""
    key_env: tuple[str, ...] = ()
    """names of environment variables that may hold the key, first set one wins; () = no key is needed"""
    base_url_env: tuple[str, ...] = ()
    """names of environment variables that may hold a base URL, first set one wins"""
    bare_host_path: str = ""
    """path added to a base URL from the environment that has none (the convention of that variable)"""
    headers: tuple[tuple[str, str], ...] = ()
    """further headers of every request, lower case"""
    local: bool = False
    """whether it runs on the user's own machine, without a price and without a key"""
    supports: tuple[str, ...] = ("tools", "stream")
    """of: tools stream vision audio files reasoning structured cache"""
    renames: dict[str, str] = {}
    """request fields that this dialect names otherwise: old -> new; "" = leave the field out"""
    auth: str = ""
    """"" = the wire's own header | bearer | the name of a header that takes the key, for example api-key
    | aws (a signature over the request, or a bearer key) | google (a bearer token, or a service account's)"""
    places: dict[str, tuple[str, ...]] = {}
    """what stands in braces in base_url -> environment variables that may hold it; a last "=TEXT" is the default"""
    embeds: str = ""
    """the wire of its embeddings: openai-embeddings | cohere-embed | gemini-embed; "" = none"""
    models_path: str = ""
    """path, beside base_url, that lists its models; "" = /models where the wire is one of OpenAI's"""
