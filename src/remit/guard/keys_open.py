"""The key ring of this user: the state folder holds it, the configuration folder its anchor and key file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from remit.config import config_folder, state_folder
from remit.core.sections import EncryptionSection
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import Ask, find_source

ANCHOR_FILE: Final = "keys.anchor"
JOURNAL: Final = "journal"
"""purpose of the journal's page key"""


def open_ring(
    section: EncryptionSection | None,
    env: Mapping[str, str],
    *,
    ask: Ask | None = None,
    create: bool = True,
    accept: bool = False,
) -> KeyRing:
    """The key ring; made on first use unless `create` is off.

    Args:
        section: `key` says where the key-encryption key comes from, `algorithm` what new data keys are for;
            None = the defaults.
        env: the environment.
        ask: asks a person for the passphrase; None = nobody can be asked.
        accept: a person vouches for a ring that looks put back.

    Raises: what KeyRing and find_source raise.
    """
    section = section or EncryptionSection()
    reference, folder = section.key or "", str(config_folder())
    return KeyRing(
        str(state_folder()),
        os.path.join(folder, ANCHOR_FILE),
        lambda params: find_source(reference, params, env, folder, ask),
        algorithm=section.algorithm or "aes-256-gcm",
        create=create,
        accept=accept,
    )
