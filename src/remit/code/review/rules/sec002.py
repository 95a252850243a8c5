r"""SQL text assembled from data instead of parameters.

Bad (python):
    from flask import request
    def view(cur):
        name = request.args.get("name")
        cur.execute("SELECT * FROM users WHERE name = '" + name + "'")
    ---
    def find(cur, name):
        cur.execute(f"SELECT * FROM users WHERE name = '{name}'")
    ---
    def find(cur, name):
        query = "DELETE FROM users WHERE name = '%s'" % name
        cur.execute(query)
    ---
    from flask import request
    def order(session):
        session.execute("SELECT * FROM t ORDER BY {}".format(request.form["by"]))

Good (python):
    from flask import request
    def view(cur):
        cur.execute("SELECT * FROM users WHERE name = ?", (request.args.get("name"),))
    ---
    def find(cur, number):
        cur.execute(f"SELECT * FROM users WHERE id = {int(number)}")
    ---
    def find(cur):
        table = "users"
        cur.execute("SELECT * FROM " + table)
    ---
    from flask import request
    COLUMNS = {"n": "name", "a": "age"}
    def order(cur):
        by = COLUMNS.get(request.args["by"], "name")
        cur.execute(f"SELECT * FROM t ORDER BY {by}")

Bad (javascript):
    app.get("/u", (req, res) => { db.query("SELECT * FROM u WHERE n = '" + req.query.name + "'"); });
    ---
    app.get("/u", (req, res) => { db.query(`SELECT * FROM u WHERE n = '${req.params.name}'`); });
    ---
    function find(db, name) { return db.query("SELECT * FROM u WHERE n = '" + name + "'"); }

Good (javascript):
    app.get("/u", (req, res) => { db.query("SELECT * FROM u WHERE n = ?", [req.query.name]); });
    ---
    app.get("/u", (req, res) => { db.query("SELECT * FROM u WHERE id = " + parseInt(req.query.id)); });
    ---
    function all(db) { const table = "u"; return db.query("SELECT * FROM " + table); }

Bad (go):
    package p
    func h(w http.ResponseWriter, r *http.Request) { db.Query("SELECT * FROM u WHERE n = '" + r.FormValue("n") + "'") }
    ---
    package p
    import "fmt"
    func h(w http.ResponseWriter, r *http.Request) {
        q := fmt.Sprintf("SELECT * FROM u WHERE n = '%s'", r.URL.Query().Get("n"))
        db.Exec(q)
    }
    ---
    package p
    func find(db *sql.DB, n string) { db.QueryRow("SELECT * FROM u WHERE n = '" + n + "'") }

Good (go):
    package p
    func h(w http.ResponseWriter, r *http.Request) { db.Query("SELECT * FROM u WHERE n = $1", r.FormValue("n")) }
    ---
    package p
    import ("fmt"; "strconv")
    func h(w http.ResponseWriter, r *http.Request) {
        id, _ := strconv.Atoi(r.FormValue("id"))
        db.Exec(fmt.Sprintf("DELETE FROM u WHERE id = %d", id))
    }
    ---
    package p
    func all(db *sql.DB) { t := "u"; db.Query("SELECT * FROM " + t) }

Bad (rust):
    fn find(conn: &Connection, name: &str) { conn.execute(&format!("DELETE FROM u WHERE n = '{}'", name), []); }
    ---
    async fn h(q: Query<Params>) { sqlx::query(&format!("SELECT * FROM u WHERE n = '{}'", q.name)); }
    ---
    fn find(conn: &Connection, name: &str) {
        let sql = "SELECT * FROM u WHERE n = '".to_string() + name;
        conn.query_row(&sql, [], f);
    }

Good (rust):
    fn find(conn: &Connection, name: &str) { conn.execute("DELETE FROM u WHERE n = ?1", [name]); }
    ---
    fn find(conn: &Connection, id: i64) { conn.execute(&format!("DELETE FROM u WHERE id = {}", id), []); }
    ---
    fn all(conn: &Connection) { let t = "u"; conn.execute(&format!("DELETE FROM {}", t), []); }
"""

from __future__ import annotations

import re
from typing import Any

from remit.code.review.flow.values import HOLE, Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC002", "SQL built from data", "security", "critical",
            "Hand the data over as parameters of the statement.", cwe=89, confidence=0.9)  # fmt: skip
_SQL = re.compile(r"^\s*(select\b.*\bfrom\b|insert\s+into\b|update\b.*\bset\b|delete\s+from\b|replace\s+into\b|drop\s|"
                  r"create\s|alter\s|with\s.*\bselect\b|merge\s+into\b|exec(ute)?\s|call\s|grant\s|truncate\s)",
                  re.I | re.S)  # fmt: skip


def _assembled(event: Any, value: Value) -> bool:
    """The text is SQL with a hole in it, and the hole is not the whole."""
    if value.shape is None:
        return False
    return bool(_SQL.match(value.shape.replace(HOLE, "x"))) and HOLE in value.shape


def _not_a_model(event: Any, value: Value) -> bool:
    """A tuple of several statements or an object is no text."""
    return value.shape is None or value.shape == HOLE or HOLE in value.shape


_PYTHON = ("*.execute", "*.executemany", "*.executescript", "*.raw", "*.execute_sql", "*.read_sql", "*.read_sql_query",
           "*.mogrify", "sqlalchemy.text", "sqlalchemy.sql.text", "django.db.models.expressions.RawSQL", "*.extra",
           "*.exec_driver_sql", "django.db.models.RawSQL")  # fmt: skip
_FETCH = ("*.fetch", "*.fetchrow", "*.fetchval", "*.fetch_all", "*.fetch_one", "*.query", "*.run", "*.sql")
_SCRIPT = ("*.query", "*.execute", "*.raw", "*.exec", "*.run", "*.all", "*.$queryRawUnsafe", "*.$executeRawUnsafe",
           "*.whereRaw", "*.literal", "*.prepare")  # fmt: skip
_GO = ("*.Query", "*.QueryRow", "*.Exec", "*.QueryContext", "*.ExecContext", "*.QueryRowContext", "*.Raw", "*.Prepare",
       "*.Queryx", "*.Get", "*.Select", "*.NamedExec", "*.MustExec")  # fmt: skip
_RUST = ("*.execute", "*.query", "*.query_row", "*.query_map", "*.prepare", "*.batch_execute", "*.execute_batch",
         "*.query_one", "*.query_opt", "sqlx.query", "sqlx.query_as", "sqlx.query_scalar", "diesel.sql_query",
         "sql_query")  # fmt: skip

FLOW = Flow(
    "sql",
    "{source} becomes part of the SQL text that {sink} runs",
    {
        "python": (Sink(_PYTHON, (0,), ("sql", "query", "statement", "operation"), _not_a_model, ("outside", "local")),
                   Sink(_PYTHON, (0,), ("sql", "query", "statement"), _assembled, ("parameter",)),
                   Sink(_FETCH, (0,), ("sql", "query"), _assembled, ("outside", "local"))),
        "javascript": (Sink(_SCRIPT, (0,), (), _assembled, ("outside", "local", "parameter")),),
        "go": (Sink(_GO, (0, 1, 2), (), _assembled, ("outside", "local", "parameter")),),
        "rust": (Sink(_RUST, (0,), (), _assembled, ("outside", "local", "parameter")),),
    },
    {
        "python": ("psycopg2.sql.Identifier", "psycopg2.sql.Literal", "psycopg.sql.Identifier", "psycopg.sql.Literal",
                   "*.escape_string", "*.quote_ident", "*.quote_identifier", "*.quote_name", "*.literal"),
        "javascript": ("*.escape", "*.escapeId", "mysql.escape"),
        "go": ("pq.QuoteIdentifier", "pq.QuoteLiteral", "github.com/lib/pq.QuoteIdentifier"),
    },
)  # fmt: skip
