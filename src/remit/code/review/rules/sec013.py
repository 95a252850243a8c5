r"""Outside data is turned into objects by a format that can run code.

Bad (python):
    import pickle
    from flask import request
    def view():
        return pickle.loads(request.data)
    ---
    import yaml
    from flask import request
    def view():
        return yaml.load(request.form["y"], Loader=yaml.Loader)
    ---
    import base64, jsonpickle
    from flask import request
    def view():
        return jsonpickle.decode(base64.b64decode(request.cookies["s"]).decode())
    ---
    import pickle
    def load(data):
        return pickle.loads(data)

Good (python):
    import json
    from flask import request
    def view():
        return json.loads(request.data)
    ---
    import yaml
    from flask import request
    def view():
        return yaml.safe_load(request.form["y"])
    ---
    import yaml
    from flask import request
    def view():
        return yaml.load(request.form["y"], Loader=yaml.SafeLoader)
    ---
    import pickle
    def same():
        return pickle.loads(pickle.dumps([1, 2]))

Bad (javascript):
    const s = require("node-serialize");
    app.post("/x", (req, res) => { s.unserialize(req.body.x); });
    ---
    const yaml = require("js-yaml");
    app.post("/x", (req, res) => { yaml.load(req.body.x, { schema: yaml.DEFAULT_FULL_SCHEMA }); });
    ---
    import { unserialize } from "node-serialize";
    app.post("/x", (req, res) => { const o = unserialize(req.cookies.p); });

Good (javascript):
    app.post("/x", (req, res) => { JSON.parse(req.body.x); });
    ---
    const yaml = require("js-yaml");
    app.post("/x", (req, res) => { yaml.load(req.body.x); });
    ---
    const s = require("node-serialize");
    function f() { return s.unserialize("{}"); }
"""

from __future__ import annotations

import re
from typing import Any

from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC013", "Unsafe deserialisation", "security", "critical",
            "Use a format of plain data (JSON, safe YAML), or check a signature first.", cwe=502, confidence=0.9,
            languages=("python", "javascript", "typescript"))  # fmt: skip
_SAFE = re.compile(r"Safe|Base(Loader)?$")


def _unsafe_loader(event: Any, value: Value) -> bool:
    loader = event.argument(1, "Loader")
    if loader is None:
        return True
    return bool(loader.qual) and not _SAFE.search(loader.qual)


_PICKLES = ("pickle.loads", "pickle.load", "cPickle.loads", "cPickle.load", "dill.loads", "dill.load", "marshal.loads",
            "marshal.load", "shelve.open", "jsonpickle.decode", "jsonpickle.unpickler.decode", "cloudpickle.loads",
            "pickle.Unpickler", "joblib.load", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all",
            "pandas.read_pickle", "torch.load", "yaml.UnsafeLoader", "_pickle.loads", "pickle._loads")  # fmt: skip

FLOW = Flow(
    "deserialise",
    "{source} becomes objects through {sink}, which can run code",
    {
        "python": (
            Sink(_PICKLES, (0,), ("data", "stream"), None, ("outside", "local", "parameter")),
            Sink(("yaml.load", "yaml.load_all", "ruamel.yaml.load"), (0,), ("stream",), _unsafe_loader,
                 ("outside", "local", "parameter")),
        ),
        "javascript": (
            Sink(("node-serialize.unserialize", "serialize-to-js.deserialize", "funcster.deepDeserialize"), (0,)),
            Sink(("js-yaml.load",), (0,), (), lambda event, value: len(event.args) > 1),
        ),
    },
    {"python": ("hmac.compare_digest", "itsdangerous.URLSafeSerializer().loads", "*.unsign")},
)  # fmt: skip
