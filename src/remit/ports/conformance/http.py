"""The suite of the HTTP port: what every transport must do, shown against a server on loopback.

Use it for your own adapter with any test runner:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_mine(check):
        asyncio.run(check(lambda ca_pem="": MyClient(ca_pem=ca_pem)))

`CHECKS` is what a transport must do to be one; `STRICT_CHECKS` is what a transport must do to be the
default (it refuses answers that two readers could read in two ways). A check raises AssertionError.
Bounds in seconds are generous: they tell "at once" from "never", not fast from slow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from remit.ports.conformance import http_failures, http_ordinary, http_strict
from remit.ports.conformance.http_harness import Factory

__all__ = ["CHECKS", "STRICT_CHECKS", "Check", "Factory"]

Check = Callable[[Factory], Awaitable[None]]

STRICT_CHECKS: Final[tuple[Check, ...]] = (
    http_strict.check_two_lengths_are_refused,
    http_strict.check_surplus_bytes_answer_nothing,
    http_strict.check_interim_answers_are_bounded,
    http_strict.check_framing_is_bounded,
    http_strict.check_tls_handshake_has_a_deadline,
)
CHECKS: Final[tuple[Check, ...]] = tuple(
    value
    for module in (http_ordinary, http_failures, http_strict)
    for name, value in vars(module).items()
    if name.startswith("check_") and value not in STRICT_CHECKS
)
