r"""Outside data decides which server is asked (server-side request forgery).

Bad (python):
    import requests
    from flask import request
    def view():
        return requests.get(request.args["url"]).text
    ---
    import urllib.request
    from flask import request
    def view():
        return urllib.request.urlopen("http://" + request.form["host"] + "/x").read()
    ---
    import httpx
    from flask import request
    def view():
        with httpx.Client() as c:
            return c.get(request.args["u"])

Good (python):
    import requests
    from flask import request
    def view():
        return requests.get("https://api.example.org/items/" + request.args["id"]).text
    ---
    import requests
    from urllib.parse import urlparse
    from flask import request
    def view():
        url = request.args["url"]
        if urlparse(url).hostname != "api.example.org":
            return ""
        return requests.get(url).text
    ---
    import requests
    def fetch(url):
        return requests.get(url)

Bad (javascript):
    app.get("/f", async (req, res) => { await fetch(req.query.url); });
    ---
    const axios = require("axios");
    app.get("/f", async (req, res) => { await axios.get("http://" + req.query.host + "/x"); });
    ---
    const http = require("http");
    app.get("/f", (req, res) => { http.get(req.body.url, () => {}); });

Good (javascript):
    app.get("/f", async (req, res) => { await fetch("https://api.example.org/" + req.query.id); });
    ---
    async function load(url) { return fetch(url); }
    ---
    app.get("/f", async (req, res) => { if (HOSTS.has(req.query.u)) { await fetch(req.query.u); } });

Bad (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Get(r.FormValue("u")) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Post("http://" + r.FormValue("h"), "", nil) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { u := r.URL.Query().Get("u"); http.NewRequest("GET", u, nil) }

Good (go):
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { http.Get("https://api.example.org/" + r.FormValue("id")) }
    ---
    package p
    import "net/http"
    func f(u string) { http.Get(u) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) {
        if u := r.FormValue("u"); u == "https://a.example.org" { http.Get(u) }
    }

Bad (rust):
    async fn h(q: Query<P>) { reqwest::get(&q.url).await; }
    ---
    async fn h(q: Query<P>) { reqwest::Client::new().get(format!("http://{}/x", q.host)).send().await; }
    ---
    async fn h(Path(url): Path<String>) { reqwest::blocking::get(url); }

Good (rust):
    async fn h(q: Query<P>) { reqwest::get(format!("https://api.example.org/v1/{}", q.id)).await; }
    ---
    async fn h(q: Query<P>) { reqwest::Client::new().get("https://api.example.org").query(&[("q", q.name)]); }
    ---
    async fn f(url: &str) { reqwest::get(url).await; }
"""

from __future__ import annotations

import re
from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC018", "Server-side request forgery", "security", "error",
            "Take the host from a list; refuse private addresses after resolving.", cwe=918, confidence=0.85,
            languages=("python", "javascript", "typescript", "go", "rust"))  # fmt: skip
_FIXED = re.compile(r"\w+://[^/\x00?#]+[/?#]|/[^/]")


def _open(event: Any, value: Value) -> bool:
    return not _FIXED.match(value.shape or "")


_VERBS = ("get", "post", "put", "delete", "patch", "head", "options", "request")
_CLIENTS = ("requests", "httpx", "requests.Session()", "requests.session()", "httpx.Client()", "httpx.AsyncClient()",
            "aiohttp.ClientSession()", "urllib3.PoolManager()", "http.client.HTTPConnection()")  # fmt: skip
FLOW = Flow(
    "ssrf",
    "{source} decides which server {sink} asks",
    {
        "python": (Sink(tuple(f"{client}.{verb}" for client in _CLIENTS for verb in _VERBS), (0, 1), ("url",), _open),
                   Sink(("urllib.request.urlopen", "urllib.request.Request", "urllib.urlopen", "urllib2.urlopen",
                         "urllib.request.urlretrieve", "http.client.HTTPConnection", "http.client.HTTPSConnection",
                         "wget.download", "pycurl.Curl().setopt", "socket.create_connection"),
                        (0,), ("url", "host"), _open)),
        "javascript": (Sink(("fetch", "axios", "got", "node-fetch", "request", "needle", "superagent.get"), (0,),
        (), _open),
                       Sink(tuple(f"{client}.{verb}" for client in ("axios", "got", "http", "https", "request",
                       "needle",
                                                                    "node:http", "node:https", "undici", "superagent")
                                  for verb in _VERBS), (0,), (), _open)),
        "go": (Sink(tuple(f"net/http.{name}" for name in ("Get", "Post", "Head", "PostForm")), (0,), (), _open),
               Sink(("net/http.NewRequest",), (1,), (), _open),
               Sink(("net/http.NewRequestWithContext",), (2,), (), _open), Sink(("net.Dial",), (1,), (), _open)),
        "rust": (Sink(("reqwest.get", "reqwest.blocking.get", "ureq.get", "ureq.post", "surf.get"), (0,), (), _open),
                 Sink(tuple(f"reqwest.{client}.{verb}" for client in ("Client.new()", "blocking.Client.new()",
                                                                      "Client.builder().build()")
                            for verb in _VERBS), (0, 1), (), _open)),
    },
)  # fmt: skip
