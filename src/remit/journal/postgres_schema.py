"""The Postgres form of the journal: the tables of schema.py with a tenant in every key, and who may see which rows.

Every table has `tenant`, filled by default from the transaction's setting `remit.tenant`, and one policy that shows and
takes only rows of that tenant. FORCE makes the policies hold for the tables' owner too; superusers and roles with
BYPASSRLS pass them, so such a role is refused. Without the setting there is no row: forgetting it fails closed.

Differences to schema.py: text is compared by bytes (COLLATE "C"), U+0000 in what lists show is replaced (the event
itself has it), events go in by COPY in binary form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from remit.errors import Conflict, InternalError, Invalid
from remit.journal.chain import GENESIS
from remit.journal.heads import NUL_SHOWN
from remit.journal.postgres_connection import Connection, mapped
from remit.journal.schema import BLOB_BYTES, check_schema, damage, insert_events, insert_runs, move_heads
from remit.ports.journal import Entry

FORMAT: Final = 2
_TENANT: Final = "tenant text COLLATE \"C\" NOT NULL DEFAULT current_setting('remit.tenant')"
_TEXT: Final = 'text COLLATE "C" NOT NULL'
TABLES: Final = {
    "meta": f"({_TENANT}, key {_TEXT}, value {_TEXT}, PRIMARY KEY (tenant, key))",
    "runs": f"""({_TENANT}, run_id {_TEXT}, agent {_TEXT}, task {_TEXT}, parent {_TEXT}, status {_TEXT},
        started_ms bigint NOT NULL, updated_ms bigint NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL,
        epoch bigint NOT NULL, owner {_TEXT}, PRIMARY KEY (tenant, run_id)) WITH (fillfactor = 70)""",
    "events": f"""({_TENANT}, position bigint NOT NULL, run_id {_TEXT}, seq bigint NOT NULL, epoch bigint NOT NULL,
        at_ms bigint NOT NULL, body bytea, blob bytea, hash bytea NOT NULL, PRIMARY KEY (tenant, position),
        UNIQUE (tenant, run_id, seq), CHECK (body IS NULL OR blob IS NULL))""",
    "checkpoints": f"""({_TENANT}, after bigint NOT NULL, size bigint NOT NULL, at_ms bigint NOT NULL,
        leaves bytea NOT NULL, peaks bytea NOT NULL, places bytea NOT NULL, begun bytea NOT NULL,
        signature bytea NOT NULL, PRIMARY KEY (tenant, after))""",
    "rotations": f"({_TENANT}, number bigint NOT NULL, note bytea NOT NULL, PRIMARY KEY (tenant, number))",
    "inbox": f"""({_TENANT}, item {_TEXT}, run_id {_TEXT}, seq bigint NOT NULL, open integer NOT NULL,
        PRIMARY KEY (tenant, item))""",
    "blobs": f"({_TENANT}, hash bytea NOT NULL, data bytea NOT NULL, PRIMARY KEY (tenant, hash))",
    "limits": f"({_TENANT}, name {_TEXT}, tat_us bigint NOT NULL, PRIMARY KEY (tenant, name)) WITH (fillfactor = 50)",
}
INDEXES: Final = (
    "CREATE INDEX runs_started ON runs (tenant, started_ms)",
    "CREATE INDEX runs_parked ON runs (tenant, started_ms) WHERE status IN ('running', 'waiting')",
    "CREATE INDEX events_blob ON events (tenant, blob) WHERE blob IS NOT NULL",
    "CREATE INDEX inbox_run ON inbox (tenant, run_id)",
    "CREATE INDEX inbox_open ON inbox (tenant, item) WHERE open = 1",
)
_ROLE: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
_GUARDED: Final = """SELECT c.relname FROM pg_class AS c JOIN pg_policies AS p
    ON p.tablename = c.relname AND p.schemaname = current_schema()
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity
    AND p.policyname = 'tenant' AND p.cmd = 'ALL' AND p.permissive = 'PERMISSIVE'
    AND p.qual LIKE '(tenant = ( SELECT current_setting(''remit.tenant''%' AND p.with_check = p.qual"""
_POLICIES: Final = "SELECT count(*) FROM pg_policies WHERE schemaname = current_schema()"
_EVENTS: Final = """INSERT INTO events (position, run_id, seq, epoch, at_ms, body, blob, hash)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[], %s::bytea[],
    %s::bytea[])"""
_RUNS: Final = """INSERT INTO runs
    (run_id, agent, task, parent, started_ms, owner, epoch, hash, status, updated_ms, seq)
    SELECT v.*, 'running', 0, 0 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[],
    %s::bigint[], %s::bytea[]) AS v ON CONFLICT DO NOTHING"""
# The rows are found from the batch, one by key each: joined freely, the planner takes a young table for one of one row
# and looks through the batch for each of its rows (500 runs: 300 ms). A row that moved in between is not changed.
_HEADS: Final = """UPDATE runs SET seq = n.seq, hash = n.hash, updated_ms = n.at_ms,
    status = coalesce(n.status, runs.status), owner = coalesce(n.owner, runs.owner)
    FROM (SELECT v.*, found.place FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[],
        %s::bigint[], %s::text[], %s::text[]) AS v (run_id, epoch, after, seq, hash, at_ms, status, owner)
        CROSS JOIN LATERAL (SELECT r.ctid AS place FROM runs AS r
            WHERE r.run_id = v.run_id AND r.epoch = v.epoch AND r.seq = v.after LIMIT 1) AS found) AS n
    WHERE runs.ctid = n.place"""


def prepare(connection: Connection) -> None:
    """Make the tables in an empty schema, or check those that are there; make the tenant's log.

    Raises config_invalid (a role that row-level security does not hold, no schema), journal_format, chain_broken.
    """
    if connection.execute(_ROLE).fetchone()[0]:
        raise Invalid(
            "config_invalid",
            "the journal's database role is a superuser or has BYPASSRLS: tenants would see each other's runs",
            hint="Connect as a plain role; docs/how-to/scale-out.md has the two statements that make one.",
        )
    connection.execute("BEGIN IMMEDIATE") if _has_tables(connection) else _make(connection)
    try:
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('log', md5(gen_random_uuid()::text)) ON CONFLICT DO NOTHING"
        )
        connection.execute("INSERT INTO meta (key, value) VALUES ('format', ?) ON CONFLICT DO NOTHING", (str(FORMAT),))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    check_schema(connection, connection.address.name)


def _has_tables(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass(?) IS NOT NULL", (f"{connection.address.schema}.limits",)).fetchone()
    return bool(row[0])


def _make(connection: Connection) -> None:
    """Begin a transaction and make schema, tables and policies in it, one process at a time."""
    schema = connection.address.schema  # checked: lower case letters, digits, _
    with mapped(connection):
        raw = connection.raw
        raw.execute("BEGIN")
        connection.in_transaction = True
        raw.execute("SELECT set_config('remit.tenant', %s, true)", (connection.address.tenant,))
        raw.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"remit:{schema}",))
        found = raw.execute("SELECT to_regnamespace(%s) IS NULL, to_regclass(%s) IS NULL", (schema, f"{schema}.limits"))
        no_schema, no_tables = found.fetchone() or (True, True)
        if no_schema:
            raw.execute(f"CREATE SCHEMA {schema}".encode())
        if no_tables:
            raw.execute(setup_sql().encode())


def setup_sql() -> str:
    """Tables, indexes and policies, for the present search_path."""
    lines = [f"CREATE TABLE {name} {columns};" for name, columns in TABLES.items()]
    lines += [f"{text};" for text in INDEXES]
    for name in TABLES:
        # A sub-select is evaluated once a statement, a bare call once a row.
        rule = "(tenant = (SELECT current_setting('remit.tenant', true)))"
        lines += [
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;",
            f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY;",
            f"CREATE POLICY tenant ON {name} USING {rule} WITH CHECK {rule};",
        ]
    return "\n".join(lines)


@check_schema.register
def _check_schema(connection: Connection, path: str) -> None:
    """Refuse another format, and tables whose rows are not kept apart."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    text = found[0] if found else ""
    if not text.isdigit() or len(text) > 9:
        raise Conflict("chain_broken", f"the journal names no format: {path}")
    if int(text) > FORMAT:
        raise InternalError("journal_format", f"the journal has format {text}, this remit knows {FORMAT}: {path}")
    guarded = {name for (name,) in connection.execute(_GUARDED)}
    (count,) = connection.execute(_POLICIES).fetchone()
    bare = sorted(TABLES.keys() - guarded)
    if bare or count != len(TABLES):
        raise Conflict(
            "chain_broken", f"row-level security was altered ({', '.join(bare) or 'a further policy'}): {path}"
        )


@damage.register
def _damage(connection: Connection, limit: int) -> list[str]:
    """Nothing: pages are checked by the server itself (initdb --data-checksums, amcheck)."""
    return []


@insert_events.register
def _insert_events(connection: Connection, first: int, entries: Iterable[Entry]) -> None:
    """Insert the entries from position `first` on; bodies over 64 KB as blobs."""
    rows = []
    for position, entry in enumerate(entries, first):
        body: bytes | None = entry.body
        blob = None
        if len(entry.body) > BLOB_BYTES:
            body, blob = None, sha256(entry.body).digest()
            connection.execute(
                "INSERT INTO blobs (hash, data) VALUES (?, ?) ON CONFLICT DO NOTHING", (blob, entry.body)
            )
        rows.append((position, entry.run_id, entry.seq, entry.epoch, entry.at_ms, body, blob, entry.hash))
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with mapped(connection):
            connection.raw.execute(_EVENTS, columns)


@insert_runs.register
def _insert_runs(connection: Connection, runs: Sequence[tuple[Any, ...]]) -> None:
    """See schema.insert_runs."""
    if runs:
        columns = list(zip(*[(*map(_text, run[:4]), *run[4:], GENESIS) for run in runs], strict=True))
        with mapped(connection):
            connection.raw.execute(_RUNS, [list(column) for column in columns])


@move_heads.register
def _move_heads(connection: Connection, heads: Sequence[tuple[Any, ...]]) -> int:
    """See schema.move_heads."""
    if not heads:
        return 0
    columns = [list(column) for column in zip(*heads, strict=True)]
    with mapped(connection):
        found = connection.raw.execute(_HEADS, columns)
    connection.changed(found.rowcount)
    return found.rowcount


def _text(value: str) -> str:
    return value.replace("\0", NUL_SHOWN)
