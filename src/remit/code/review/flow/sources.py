"""Where data comes in, per language: dotted names of attributes and calls, and parameters by type or habit.

Families: outside (another person's: requests, messages), local (the user of the program: arguments, environment,
terminal), parameter (whatever calls a function that nobody in the project calls).
"""

from __future__ import annotations

import re
from typing import Final

from remit.code.review.ir import Parameter

_FLASK: Final = ["args", "form", "values", "cookies", "headers", "json", "data", "files", "query_string", "path",
    "full_path", "url", "base_url", "get_json()", "get_data()", "stream", "referrer", "user_agent", "view_args",
    "authorization", "host"]  # fmt: skip
_DJANGO: Final = ["GET", "POST", "COOKIES", "META", "FILES", "body", "headers", "path", "path_info",
    "get_full_path()", "build_absolute_uri()", "data", "query_params"]  # fmt: skip
_ASGI: Final = ["query_params", "path_params", "headers", "cookies", "body()", "json()", "form()", "url", "query",
    "match_info", "post()", "text()", "read()", "rel_url", "stream()", "args", "values", "forms", "params",
    "get_json()", "form", "files", "path", "json", "data", "query_string", "get_data()"]  # fmt: skip


def _rows(owner: str, names: list[str], note: str) -> dict[str, tuple[str, str]]:
    return {f"{owner}.{name}": ("outside", note) for name in names}


PYTHON: Final[dict[str, tuple[str, str]]] = {
    **_rows("flask.request", _FLASK, "request data"),
    **_rows("quart.request", _FLASK, "request data"),
    **_rows("bottle.request", ["query", "forms", "params", "json", "body", "cookies", "headers", "files", "path", "url",
                               "GET", "POST", "get_cookie()", "get_header()", "query_string"], "request data"),
    **_rows("?request", [*dict.fromkeys((*_DJANGO, *_ASGI))], "request data"),
    **_rows("?self.request", [*dict.fromkeys((*_DJANGO, *_ASGI)), "arguments", "uri", "query"], "request data"),
    **_rows("?handler", ["path", "headers", "rfile", "requestline"], "request data"),
    "?environ": ("outside", "request data"),
    "?event": ("outside", "event data"),
    "cherrypy.request.params": ("outside", "request data"),
    "web.input()": ("outside", "request data"),
    "cgi.FieldStorage()": ("outside", "request data"),
    **{f"*.{name}()": ("outside", "request data") for name in
       ("get_argument", "get_arguments", "get_query_argument", "get_body_argument", "get_cookie", "get_secure_cookie")},
    **{f"socket.socket().{name}()": ("outside", "network data") for name in ("recv", "recvfrom", "accept")},
    "socket.socket().accept()[].recv()": ("outside", "network data"),
    "sys.argv": ("local", "a program argument"),
    "sys.stdin": ("local", "standard input"),
    "input()": ("local", "a typed line"),
    "raw_input()": ("local", "a typed line"),
    "os.environ": ("local", "an environment variable"),
    "os.getenv()": ("local", "an environment variable"),
    "argparse.ArgumentParser().parse_args()": ("local", "a program argument"),
    **{f"random.{name}()": ("random", "a predictable random number") for name in
       ("random", "randint", "randrange", "choice", "choices", "sample", "uniform", "getrandbits", "randbytes",
        "gauss", "normalvariate", "triangular", "betavariate", "expovariate", "shuffle", "lognormvariate",
        "vonmisesvariate", "gammavariate", "paretovariate", "weibullvariate", "Random")},
    **{f"random.Random().{name}()": ("random", "a predictable random number") for name in
       ("random", "randint", "randrange", "choice", "choices", "sample", "uniform", "getrandbits", "randbytes",
        "gauss", "normalvariate")},
    **{f"numpy.random.{name}()": ("random", "a predictable random number") for name in
       ("rand", "randint", "random", "choice", "bytes")},
    "uuid.uuid1()": ("random", "a predictable identifier"),
}  # fmt: skip
_NODE: Final = ["query", "params", "body", "headers", "cookies", "url", "originalUrl", "path", "hostname",
    "files", "file", "param()", "get()", "header()", "rawBody", "signedCookies", "ip"]  # fmt: skip
JAVASCRIPT: Final[dict[str, tuple[str, str]]] = {
    **_rows("?request", [*_NODE, "json()", "text()", "formData()", "nextUrl", "payload", "on()"], "request data"),
    **_rows("?ctx", ["query", "params", "request", "req", "cookies", "url", "path", "querystring", "headers", "header"],
            "request data"),
    "?event": ("outside", "event data"),
    **{name: ("outside", "the page's address") for name in
       ("window.location", "document.location", "location.hash", "location.search", "location.href",
        "document.URL", "document.documentURI", "document.referrer", "window.name", "document.cookie")},
    "process.argv": ("local", "a program argument"),
    "process.env": ("local", "an environment variable"),
    "Math.random()": ("random", "a predictable random number"),
}  # fmt: skip
GO: Final[dict[str, tuple[str, str]]] = {
    **_rows("?request", ["URL", "Form", "PostForm", "Header", "Body", "Host", "RequestURI", "FormValue()", "Cookies()",
                         "PostFormValue()", "Cookie()", "MultipartForm", "Referer()", "UserAgent()", "PathValue()",
                         "FormFile()", "Trailer"], "request data"),
    **_rows("?ctx", ["Query()", "Param()", "PostForm()", "DefaultQuery()", "GetHeader()", "Cookie()", "FormValue()",
                     "QueryParam()", "Params()", "Body()", "GetQuery()", "QueryArray()", "GetRawData()", "Request",
                     "FormFile()", "Params"], "request data"),
    "github.com/gorilla/mux.Vars()": ("outside", "request data"),
    "mux.Vars()": ("outside", "request data"),
    "chi.URLParam()": ("outside", "request data"),
    "os.Args": ("local", "a program argument"),
    "os.Getenv()": ("local", "an environment variable"),
    "flag.Arg()": ("local", "a program argument"),
    "bufio.NewReader().ReadString()": ("local", "standard input"),
    **{f"math/rand.{name}()": ("random", "a predictable random number") for name in
       ("Int", "Intn", "Int31", "Int31n", "Int63", "Int63n", "Float64", "Float32", "Perm", "Read", "Uint32", "Uint64",
        "IntN", "N", "Int64", "Int64N", "Int32", "Int32N")},
    "math/rand.New().Intn()": ("random", "a predictable random number"),
    "math/rand.New().Int()": ("random", "a predictable random number"),
    "math/rand.New().Int63()": ("random", "a predictable random number"),
}  # fmt: skip
RUST: Final[dict[str, tuple[str, str]]] = {
    **_rows("?request", ["query_string()", "headers()", "match_info()", "uri()", "path()", "cookie()", "body()",
                         "into_body()", "param()", "query()"], "request data"),
    "std.env.args()": ("local", "a program argument"),
    "std.env.var()": ("local", "an environment variable"),
    "env.args()": ("local", "a program argument"),
    "env.var()": ("local", "an environment variable"),
    "std.io.stdin()": ("local", "standard input"),
    "io.stdin()": ("local", "standard input"),
    "rand.rngs.SmallRng": ("random", "a predictable random number"),
    "fastrand.u32()": ("random", "a predictable random number"),
    "fastrand.u64()": ("random", "a predictable random number"),
    "fastrand.alphanumeric()": ("random", "a predictable random number"),
}  # fmt: skip
SOURCES: Final = {"python": PYTHON, "javascript": JAVASCRIPT, "typescript": JAVASCRIPT, "go": GO, "rust": RUST}

REQUESTS: Final = frozenset(("flask.request", "quart.request", "bottle.request", "cherrypy.request", "?request", "?ctx",
                            "?self.request"))  # fmt: skip
"""What stands for a whole request."""
WRAPPED: Final = "?wrapped"
"""What code that is not there made of a whole request."""

REQUEST_NAMES: Final = frozenset({"request", "req", "http_request"})
REQUEST_TYPES: Final = re.compile(
    r"\b(Http|Web|Fastify|Next|Incoming)?Re?q(uest)?(Message)?\b|http\.Request|HttpRequest"
)
CONTEXT_TYPES: Final = re.compile(r"\b(gin|echo|fiber)\.(Context|Ctx)\b|^(Koa)?Context$")
EXTRACTOR: Final = re.compile(r"\b(Query|Path|Json|Form|RawQuery|Bytes|Multipart|TypedHeader|HeaderMap)\b")
"""Rust web frameworks hand request data over in parameters of these types."""
HARMLESS_TYPE: Final = re.compile(r"^\s*(int|float|bool|complex|UUID|uuid\.UUID|date|datetime|Decimal|number|boolean|"
                                  r"[iu](8|16|32|64|128|size)|int(8|16|32|64)|uint\w*|float(32|64)|f(32|"
                                  r"64))\s*$")  # fmt: skip
ROUTES: Final = frozenset({"route", "get", "post", "put", "delete", "patch", "head", "options", "websocket",
    "api_route",
                           "api_view", "view_config", "expose", "endpoint", "add_route", "errorhandler",
                           "trace"})  # fmt: skip
"""Decorators that make a function a handler of requests."""


def by_habit(one: Parameter, language: str) -> str:
    """The dotted name that stands for a parameter that is a request, by its type or its name."""
    kind = one.type.lstrip("*& :").removeprefix("mut ")
    if kind:
        if CONTEXT_TYPES.search(kind):
            return "?ctx"
        if REQUEST_TYPES.search(kind):
            return "?request"
        if language in ("go", "rust"):
            return ""
    if one.name in REQUEST_NAMES:
        return "?request"
    if one.name == "environ" and language == "python":
        return "?environ"
    if language in ("javascript", "typescript") and one.name in ("res", "resp", "response", "reply"):
        return "?response"
    if one.name == "ctx" and language in ("javascript", "typescript"):
        return "?ctx"
    return ""
