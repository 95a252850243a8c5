"""Messages between the members of a team: recorded channels, mailboxes with routing, presence."""

from __future__ import annotations

from remit.teams.messaging.envelope import Envelope
from remit.teams.messaging.mailboxes import Mailboxes
from remit.teams.messaging.parties import parties
from remit.teams.messaging.presence import Presence
from remit.teams.messaging.recorded import RecordedChannel, Taken

__all__ = ["Envelope", "Mailboxes", "Presence", "RecordedChannel", "Taken", "parties"]
