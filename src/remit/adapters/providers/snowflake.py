"""Snowflake Cortex by its OpenAI-compatible API; the account is part of the address.

Source: Snowflake docs "Cortex REST API", "Programmatic access tokens".
"""

from __future__ import annotations

from remit.ports.provider import Profile

PROFILE = Profile(
    name="snowflake",
    wire="openai-chat",
    base_url="https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
    places={"account": ("SNOWFLAKE_ACCOUNT",)},
    key_env=("SNOWFLAKE_PAT", "SNOWFLAKE_TOKEN"),
    base_url_env=("SNOWFLAKE_BASE_URL",),
    supports=("tools", "stream", "structured"),
)
