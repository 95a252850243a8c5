r"""A query or request per item of a loop (N+1).

Bad (python):
    def f(cur, ids):
        for i in ids:
            cur.execute("SELECT * FROM t WHERE id = ?", (i,))
    ---
    import requests
    def f(urls):
        return [requests.get("https://a.example.org/" + u) for u in urls]
    ---
    def f(orders):
        for order in orders:
            user = User.objects.get(id=order.user_id)
            g(user)

Good (python):
    def f(cur, ids):
        cur.execute("SELECT * FROM t WHERE id IN (?, ?)", ids)
        for row in cur.fetchall():
            g(row)
    ---
    def f(cache, ids):
        for i in ids:
            cache.get(i)
    ---
    def f(cur, rows):
        cur.executemany("INSERT INTO t VALUES (?)", rows)

Bad (javascript):
    async function f(db, ids) { for (const i of ids) { await db.query("SELECT 1 FROM t WHERE id = $1", [i]); } }
    ---
    async function f(ids) { for (const i of ids) { await User.findById(i); } }
    ---
    async function f(us) { for (const u of us) { await fetch("https://a.example.org/" + u); } }

Good (javascript):
    async function f(db, ids) { return db.query("SELECT 1 FROM t WHERE id = ANY($1)", [ids]); }
    ---
    function f(m, ids) { for (const i of ids) { m.get(i); } }
    ---
    async function f(us) { return Promise.all(us.map((u) => load(u))); }

Bad (go):
    package p
    func f(db *sql.DB, ids []int) { for _, i := range ids { db.QueryRow("SELECT 1 FROM t WHERE id = $1", i) } }
    ---
    package p
    import "net/http"
    func f(us []string) { for _, u := range us { http.Get(u) } }
    ---
    package p
    func f(db *sql.DB, ids []int) { for i := 0; i < 3; i++ { rows, _ := db.Query("SELECT 1"); use(rows) } }

Good (go):
    package p
    func f(db *sql.DB, ids []int) { rows, _ := db.Query("SELECT 1 FROM t WHERE id = ANY($1)", ids); use(rows) }
    ---
    package p
    func f(m map[int]int, ids []int) { for _, i := range ids { use(m[i]) } }
    ---
    package p
    func f(c Cache, ids []int) { for _, i := range ids { c.Get(i) } }

Bad (rust):
    fn f(c: &Conn, ids: &[i32]) { for i in ids { c.query_row("SELECT 1", [i], g); } }
    ---
    async fn f(ids: &[i32]) { for i in ids { sqlx::query("SELECT 1").execute(&pool).await; } }
    ---
    async fn f(us: &[String]) { for u in us { reqwest::get(u).await; } }

Good (rust):
    fn f(c: &Conn, ids: &[i32]) { c.query_row("SELECT 1", [ids], g); }
    ---
    fn f(m: &Map, ids: &[i32]) { for i in ids { m.get(i); } }
    ---
    fn f(v: &[i32]) { for i in v { push(i); } }
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import QUERIES, in_loop, loops
from remit.code.review.values import Hit, Rule

RULE = Rule("PERF004", "Query per item", "performance", "error",
            "Ask once for all items, or join.", confidence=0.7)  # fmt: skip
_REQUESTS = frozenset(("requests.get", "requests.post", "requests.put", "requests.delete", "requests.request",
    "httpx.get",
                       "httpx.post", "fetch", "axios.get", "axios.post", "http.Get", "http.Post", "reqwest.get",
                       "reqwest.blocking.get", "urllib.request.urlopen"))  # fmt: skip
_ORM = re.compile(r"\.objects(\(\))?\.(get|filter|first|all|exclude|count)$|\.query\.(get|filter_by|filter)$")
_STORE = re.compile(r"(^|[._])(db|conn|connection|cur|cursor|session|pool|tx|client|database|engine|c|repo|"
    r"prisma|sqlx|User|"
                    r"self\.db|stmt|knex|sql)(\(\))?$|sqlx\.query|[A-Z]\w*$|\.cursor\(\)$")  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Calls that ask a database or a server, in the body of a loop over items."""
    if file.test:
        return
    seen: set[ir.Span] = set()
    for loop in loops(file):
        if isinstance(loop, ir.Loop) and loop.iterable is None and not loop.update:
            continue
        for node in in_loop(loop):
            if isinstance(node, ir.Call) and node.span not in seen and _asks(ir.dotted(node.callee)):
                seen.add(node.span)
                yield Hit(node.span, f"{ir.dotted(node.callee)} runs once per item")


def _asks(name: str) -> bool:
    if name in _REQUESTS or _ORM.search(name):
        return True
    owner, _, last = name.rpartition(".")
    return last in QUERIES and bool(_STORE.search(owner))
