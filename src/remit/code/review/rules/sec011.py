r"""Outside text inside an LDAP filter.

Bad (python):
    import ldap3
    from flask import request
    def view():
        conn = ldap3.Connection("s")
        conn.search("dc=x", f"(uid={request.args['u']})")
    ---
    import ldap
    from flask import request
    def view():
        c = ldap.initialize("ldap://x")
        c.search_s("dc=x", ldap.SCOPE_SUBTREE, "(cn=" + request.form["n"] + ")")
    ---
    import ldap3
    from flask import request
    def view(conn):
        base = "ou=" + request.args["ou"]
        conn.search(search_base=base, search_filter="(objectclass=person)")

Good (python):
    import ldap3
    from ldap3.utils.conv import escape_filter_chars
    from flask import request
    def view():
        conn = ldap3.Connection("s")
        conn.search("dc=x", f"(uid={escape_filter_chars(request.args['u'])})")
    ---
    import ldap, ldap.filter
    from flask import request
    def view():
        c = ldap.initialize("ldap://x")
        f = ldap.filter.filter_format("(cn=%s)", [request.form["n"]])
        c.search_s("dc=x", ldap.SCOPE_SUBTREE, f)
    ---
    import ldap3
    from flask import request
    def view():
        u = request.args["u"]
        if not u.isalnum():
            return
        ldap3.Connection("s").search("dc=x", f"(uid={u})")

Bad (javascript):
    const ldap = require("ldapjs");
    app.get("/u", (req, res) => { ldap.createClient({}).search("dc=x", { filter: `(uid=${req.query.u})` }, done); });
    ---
    const ldap = require("ldapjs");
    app.get("/u", (req, res) => { const c = ldap.createClient({}); c.search("ou=" + req.query.ou, {}, done); });

Good (javascript):
    const ldap = require("ldapjs");
    app.get("/u", (req, res) => {
        const filter = new ldap.EqualityFilter({ attribute: "uid", value: req.query.u });
        ldap.createClient({}).search("dc=x", { filter }, done);
    });

Bad (go):
    package p
    import ("fmt"; "github.com/go-ldap/ldap/v3")
    func h(w http.ResponseWriter, r *http.Request) {
        ldap.NewSearchRequest("dc=x", 2, 0, 0, 0, false, fmt.Sprintf("(uid=%s)", r.FormValue("u")), nil, nil)
    }

Good (go):
    package p
    import "github.com/go-ldap/ldap/v3"
    func h(w http.ResponseWriter, r *http.Request) {
        u := ldap.EscapeFilter(r.FormValue("u"))
        ldap.NewSearchRequest("dc=x", 2, 0, 0, 0, false, "(uid=" + u + ")", nil, nil)
    }
"""

from __future__ import annotations

from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC011", "LDAP filter built from data", "security", "error",
            "Escape the data with the library's filter functions.", cwe=90, confidence=0.85,
            languages=("python", "javascript", "typescript", "go"))  # fmt: skip


def _ldap(event: Any, value: Value) -> bool:
    """The receiver is a connection to a directory, or the text has a filter's form."""
    shape = value.shape or ""
    if "ldap" in event.name.lower():
        return True
    looks = (shape.startswith("(") and "=" in shape) or shape.split("=")[0].lower() in ("dc", "ou", "cn", "uid", "o")
    return looks or "search_filter" in event.keywords or "search_base" in event.keywords


FLOW = Flow(
    "ldap",
    "{source} becomes part of the filter that {sink} asks",
    {"python": (Sink(("*.search", "*.search_s", "*.search_ext", "*.search_ext_s", "*.search_st", "*.paged_search",
                      "*.modify_s", "*.compare_s", "*.simple_bind_s"),
                     (0, 1, 2), ("search_filter", "search_base", "filterstr", "base"), _ldap),),
     "javascript": (Sink(("*.search", "*.searchAsync"), (0, 1), (), _ldap),),
     "go": (Sink(("*.NewSearchRequest",), (0, 6)),)},
    {"python": ("ldap3.utils.conv.escape_filter_chars", "escape_filter_chars", "ldap.filter.escape_filter_chars",
                "ldap.filter.filter_format", "ldap.dn.escape_dn_chars", "ldap3.utils.dn.escape_rdn", "escape_rdn",
                "*.escape_filter_chars"),
     "javascript": ("ldap-escape.filter", "ldap-escape.dn", "*.EqualityFilter", "*.SubstringFilter", "*.PresenceFilter",
                    "*.escapeFilter", "*.escapeDN"),
     "go": ("*.EscapeFilter", "*.EscapeDN")},
)  # fmt: skip
