"""The whole error tree of remit.

    RemitError                 code, hint, retryable; for_user() and for_model()
      Invalid                  what was given is wrong: configuration, arguments, wire bytes
      Denied                   the gate refused: no grant, a denial, an address, a label
      Exhausted                a limit was reached: budget, rate, turns, size, deadline of a run
      Unavailable              the outside did not answer well: network, sandbox, disk
        ModelError             every failure of a model call, whatever the provider
      Conflict                 two truths: a stale epoch, a replay that differs, a used approval
      InternalError            a defect of remit itself

Every code is one row of ``CODES``: its family and its default hint. A code that is not in the
table cannot be raised, so the reference page (docs/reference/errors.md) can never be incomplete.
Messages never hold secrets; `for_model()` also leaves out host paths and the hint for people.
"""

from __future__ import annotations

from typing import Any, Final

# code -> (family, default hint). The families are the class names below.
CODES: Final[dict[str, tuple[str, str]]] = {
    # Invalid
    "answer_not_found": ("Invalid", "Name an answer that was put to the vote, or the agent that gave it."),
    "answer_invalid": ("Invalid", "Answer as the question asks: `remit inbox --json` shows its form."),
    "arguments_invalid": ("Invalid", "Send arguments that fit the tool's schema."),
    "audit_key": ("Invalid", "Put the right key back with mode 0600, or move it away: a new one is made."),
    "config_invalid": ("Invalid", "Correct the named key; `remit config show --origin` prints every value."),
    "config_untrusted": ("Invalid", "Read the file, then trust exactly it: remit config trust PATH"),
    "grant_invalid": ("Invalid", "Write a grant as verb:pattern, for example fs.read:src/**"),
    "graph_invalid": ("Invalid", "Correct the graph at the named place; `details` lists every problem."),
    "labels_invalid": ("Invalid", "Correct the label file; docs/reference/label-files.md lists every key."),
    "mcp_unknown": ("Invalid", "List the servers of [[mcp]] with: remit mcp list"),
    "message_invalid": ("Invalid", "Build messages from remit's parts: Text, ToolCall, ToolResult, ..."),
    "policy_invalid": ("Invalid", "Correct the policy file; until then nothing is allowed."),
    "model_unknown": ("Invalid", "Name a model as provider:model, for example openai:gpt-4o-mini"),
    "patch_invalid": ("Invalid", "Send a unified diff, search/replace blocks or a patch envelope."),
    "no_answers": ("Invalid", "Put at least one answer to the vote."),
    "output_invalid": ("Invalid", "The model never gave an answer of the asked type; simplify the type."),
    "recipient_unknown": ("Invalid", "Name a party that agent_list shows."),
    "run_rotated": ("Invalid", "Its content was dropped by `remit audit rotate`; read the archive of then."),
    "run_unknown": ("Invalid", "List the runs with: remit runs"),
    "item_unknown": ("Invalid", "List what waits with: remit inbox"),
    "key_invalid": ("Invalid", "Give 32 bytes as base64 or 64 hex digits, or a key file that only its owner can read."),
    "key_missing": ("Invalid", 'Set REMIT_DATA_KEY, or name the key in remit.toml: [encryption] key = "file:PATH"'),
    "key_unknown": ("Invalid", "List the API keys with: remit serve keys list"),
    "key_wrong": ("Invalid", "Give the key that the key ring or the journal was made with."),
    "secret_unknown": ("Invalid", "List the secrets with: remit vault list"),
    "schema_invalid": ("Invalid", "Annotate every parameter with a type that msgspec can decode."),
    "request_invalid": ("Invalid", "Send what GET /v1/openapi.json describes."),
    "route_unknown": ("Invalid", "See GET /v1/openapi.json for all paths and methods."),
    "state_invalid": ("Invalid", "Return values that fit the fields of the graph's state."),
    "team_invalid": ("Invalid", "Correct the definition at the named place; `remit team check FILE` checks a file."),
    "tls_required": ("Invalid", "Give --tls-cert and --tls-key, or serve on 127.0.0.1 behind something that ends TLS."),
    "tool_clash": ("Invalid", "Give one of the two tools another name."),
    "tool_unknown": ("Invalid", "Use one of the tools that are listed."),
    "usage_invalid": ("Invalid", "See: remit --help"),
    "value_invalid": ("Invalid", "Correct the value."),
    "vote_invalid": ("Invalid", "Correct the ballot or vote; the message says what is wrong with it."),
    # Denied
    "address_denied": ("Denied", "Private addresses need a grant that names the literal address."),
    "approval_refused": ("Denied", "A person refused this call; do something else."),
    "argument_denied": ("Denied", "Give one program and plain arguments; there is no shell."),
    "captured": ("Denied", "The mode plan_only captures effects; run again in another mode to have them done."),
    "delegation_denied": ("Denied", "Grant it with delegate:AGENT@DEPTH, or start fewer levels of agents."),
    "denied_by_rule": ("Denied", "A denial covers this; denials beat grants."),
    "estop": ("Denied", "Everything was stopped by a person; see: remit cancel --status"),
    "host_denied": ("Denied", "Name the host in [gateway] hosts of the server's remit.toml."),
    "guardrail_blocked": ("Denied", "A guardrail of [guardrails] in remit.toml says no to this text."),
    "guardrail_tripped": ("Denied", "A critical guardrail ended this run; read what it found: remit show RUN"),
    "flow_denied": ("Denied", "Untrusted data may not reach this sink."),
    "not_granted": ("Denied", "Grant it with --allow GRANT or Remit.allow(GRANT)."),
    "grant_bound": ("Denied", "A grant's bound stands against this; wait, ask for less, or get a wider grant."),
    "mcp_changed": ("Denied", "Read what the server offers now, then approve exactly that: remit mcp approve NAME"),
    "mcp_unapproved": ("Denied", "Read what the server offers, then approve exactly that: remit mcp approve NAME"),
    "mode_denied": ("Denied", "The policy's mode or autonomy level forbids this kind of effect."),
    "origin_denied": ("Denied", "Name the origin in [gateway] origins of the server's remit.toml."),
    "path_denied": ("Denied", "Use a path beneath the workspace, without .. and without links."),
    "prompt_altered": ("Denied", "Somebody changed or forged it on the way; hand it over again."),
    "second_factor": ("Denied", "Give the present code of your authenticator with --code."),
    "remit_expired": ("Denied", "The remit has expired; start a run with a new one."),
    "revoked": ("Denied", "The call has returned, or its grant was revoked; its handles no longer work."),
    "role_denied": ("Denied", "Ask somebody whose role has this permission."),
    "scope_denied": ("Denied", "Use a key with this scope: remit serve keys add NAME --scope SCOPE"),
    "secret_denied": ("Denied", "Bind it: remit vault bind NAME --to 'GET https://HOST' --slot header:authorization"),
    "secret_leak": ("Denied", "Write the handle {{secret:NAME}} instead of the value, or leave it out."),
    "site_denied": ("Denied", "The site policy does not allow this; ask whoever keeps it."),
    "token_expired": ("Denied", "Ask the issuer for a new token."),
    "token_invalid": ("Denied", "Ask the issuer for a new token; this one is forged, damaged or not of this kind."),
    "token_revoked": ("Denied", "Ask the issuer for a new token; this one was revoked."),
    "token_unproven": ("Denied", "Ask for a new challenge and sign it with the key that the token names."),
    "unauthenticated": ("Denied", "Send Authorization: Bearer KEY; make a key with: remit serve keys add NAME"),
    "unauthorized_veto": ("Denied", "Let the agent veto with add_veto_agent, or reject instead."),
    # Exhausted
    "budget_exceeded": ("Exhausted", "Raise the budget, or ask for less."),
    "budget_unpriced": ("Exhausted", "The model has no known price; use a token budget instead of money."),
    "cancelled": ("Exhausted", "Somebody stopped it; `remit run --resume RUN` goes on where that is possible."),
    "cap_reached": ("Exhausted", "The policy's cap is used up; wait, or raise it in [policy]."),
    "deadline_exceeded": ("Exhausted", "Give more time, or ask for less."),
    "output_too_large": ("Exhausted", "Ask for a smaller part."),
    "queue_full": ("Exhausted", "Too many calls wait for this limit; try later."),
    "request_slow": ("Exhausted", "Send the whole request at once."),
    "request_too_large": ("Exhausted", "Send less: 1 MB of body, 100,000 characters of task."),
    "too_many_requests": ("Exhausted", "Wait for as long as Retry-After says."),
    "tool_timeout": ("Exhausted", "The tool passed its deadline; ask for less or raise timeout_s."),
    "voting_timeout": ("Exhausted", "Open a new vote, with a longer timeout_s."),
    "wait_expired": ("Exhausted", "Give the question more time, or a default that counts when nobody answers."),
    "turns_exceeded": ("Exhausted", "Raise max_turns, or split the task."),
    "stuck": ("Exhausted", "The same call was repeated without a new result; change the instructions."),
    # Unavailable
    "disk_failed": ("Unavailable", "Free disk space or repair the state folder, then resume the run."),
    "mcp_failed": ("Unavailable", "Try the server: remit mcp test NAME"),
    "network_failed": ("Unavailable", "Check the address and that the server runs."),
    "vault_locked": ("Unavailable", "Give the key of the key ring, as when the vault was made."),
    "extra_missing": ("Unavailable", "Install the extra that the message names."),
    "shutting_down": ("Unavailable", "Try again in a moment, or at another server; runs under way go on then."),
    "sandbox_missing": ("Unavailable", "Install bubblewrap: apt-get install -y bubblewrap"),
    "sandbox_failed": ("Unavailable", "Run `remit doctor`: it tries the sandbox and says what is missing."),
    "recipient_gone": ("Unavailable", "It has ended, or shows no sign of life; send it to another one."),
    "program_missing": ("Unavailable", "Install the program, or use another tool."),
    "team_failed": ("Unavailable", "The team's own code, or a member, failed; see the message."),
    "workflow_failed": ("Unavailable", "The workflow's own code failed; see the message."),
    "tool_failed": ("Unavailable", "The tool's own code failed; see the message."),
    # ModelError
    "model_auth": ("ModelError", "The provider refused the key; check the key's environment variable."),
    "model_bad_request": ("ModelError", "The provider refused the request; see its message."),
    "model_not_found": ("ModelError", "The provider does not know this model; check the name and base_url."),
    "model_rate_limited": ("ModelError", "The provider limits the rate; try later."),
    "model_overloaded": ("ModelError", "The provider is overloaded; try later."),
    "model_server_error": ("ModelError", "The provider failed; try later."),
    "model_timeout": ("ModelError", "The provider did not answer in time; try later or raise the deadline."),
    "model_connection": ("ModelError", "Check base_url and that the server runs."),
    "model_bad_reply": ("ModelError", "The provider's reply is not what its protocol says."),
    "model_stream_cut": ("ModelError", "The provider's stream ended early; try again."),
    "model_failed": ("ModelError", "The model's own code failed; see the message."),
    "model_script": ("ModelError", "The scripted model got a request that its script does not expect."),
    # Conflict
    "approval_used": ("Conflict", "An approval counts once; ask again."),
    "channel_closed": ("Conflict", "Nothing more comes or goes here; stop, or open another channel."),
    "chain_broken": ("Conflict", "The journal was altered; keep the file and restore a backup."),
    "deadlock": ("Conflict", "Each waited for the next; this one gave way. Try again once the others went on."),
    "encryption_mismatch": ("Conflict", "Make the file and [encryption] mode agree: remit vault keys encrypt|decrypt"),
    "key_destroyed": ("Conflict", "The key was destroyed on purpose; what it sealed cannot be read again."),
    "key_rollback": ("Conflict", "An old key ring was put back; restore the newest, or: remit vault keys accept"),
    "patch_conflict": ("Conflict", "Read the file again and make the patch for what it holds now."),
    "nondeterminism": ("Conflict", "The code changed between crash and resume; resume with the old code."),
    "quorum_not_reached": ("Conflict", "Wait for more voters, or lower the quorum."),
    "record_altered": ("Conflict", "The record was altered or swapped; keep it and restore a backup."),
    "secret_exists": ("Conflict", "Change its value with: remit vault rotate NAME"),
    "vault_damaged": ("Conflict", "Keep the file, and restore a backup of it and of the key ring."),
    "restart_refused": ("Conflict", "Ask `decide` first; the message says which of its checks said no."),
    "run_active": ("Conflict", "The run is active elsewhere, or it has ended."),
    "voting_complete": ("Conflict", "Open a new vote; this one was counted."),
    "stale_epoch": ("Conflict", "Another process has taken this run over; this one stops."),
    # InternalError
    "internal": ("InternalError", "This is a defect of remit; please report it with the run id."),
    "journal_format": ("InternalError", "The journal was written by a newer remit; upgrade."),
}


class RemitError(Exception):
    """Root of all errors. `code` is stable, `hint` says what to do, `retryable` whether again may help."""

    family = "RemitError"
    retryable_default = False

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retryable: bool | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        family, default_hint = CODES[code]
        if family != self.family:
            raise AssertionError(f"code {code} belongs to {family}, not {self.family}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint or default_hint
        self.retryable = self.retryable_default if retryable is None else retryable
        self.details = details or {}

    def for_user(self) -> dict[str, Any]:
        """`{code, message, hint, retryable}` for people and for `--json`."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.retryable}

    def for_model(self) -> str:
        """One line for a model: code and message."""
        return f"error {self.code}: {self.message}"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Invalid(RemitError):
    """What was given is wrong."""

    family = "Invalid"


class Denied(RemitError):
    """The gate refused."""

    family = "Denied"


class Exhausted(RemitError):
    """A limit was reached."""

    family = "Exhausted"


class Unavailable(RemitError):
    """The outside did not answer well."""

    family = "Unavailable"


class ModelError(Unavailable):
    """A model call failed; `status` is the HTTP status (0 where there was none), `retry_after_s` the wait asked for."""

    family = "ModelError"

    def __init__(  # noqa: PLR0913  # keywords with defaults
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retryable: bool | None = None,
        status: int = 0,
        retry_after_s: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, retryable=retryable, details=details)
        self.status = status
        self.retry_after_s = retry_after_s


class Conflict(RemitError):
    """Two truths that cannot both hold."""

    family = "Conflict"


class NonDeterminism(Conflict):
    """A replayed run asked for another effect than the journal holds; the message shows both sides."""


class InternalError(RemitError):
    """A defect of remit."""

    family = "InternalError"


def error_of(code: str, message: str, hint: str = "", retryable: bool | None = None) -> RemitError:
    """The error object of a journalled `code` (unknown codes become `internal`)."""
    family = CODES.get(code, ("InternalError", ""))[0]
    kind = _FAMILIES[family]
    return kind(code if code in CODES else "internal", message, hint=hint, retryable=retryable)


_FAMILIES: Final[dict[str, type[RemitError]]] = {
    kind.family: kind for kind in (Invalid, Denied, Exhausted, Unavailable, ModelError, Conflict, InternalError)
}
