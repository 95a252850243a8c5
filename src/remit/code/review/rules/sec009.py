r"""Outside text is run as code.

Bad (python):
    from flask import request
    def view():
        return str(eval(request.args["x"]))
    ---
    from flask import request
    def view():
        exec(f"value = '{request.form['x']}'")
    ---
    import builtins
    def run(source):
        builtins.exec(source)

Good (python):
    import ast
    from flask import request
    def view():
        return ast.literal_eval(request.args["x"])
    ---
    from flask import request
    def view():
        eval(f"{int(request.args['x'])} + 1")
    ---
    from flask import request
    def view():
        x = request.args["x"]
        if not x.startswith("'") or not x.endswith("'") or "'" in x[1:-1]:
            return "no"
        exec(f"value = {x}")

Bad (javascript):
    app.get("/e", (req, res) => { eval(req.query.x); });
    ---
    app.get("/e", (req, res) => { const f = new Function("a", req.body.code); f(1); });
    ---
    const vm = require("vm");
    app.get("/e", (req, res) => { vm.runInNewContext(req.query.x, {}); });

Good (javascript):
    app.get("/e", (req, res) => { JSON.parse(req.query.x); });
    ---
    function f() { return eval("1 + 1"); }
    ---
    app.get("/e", (req, res) => { eval("f(" + Number(req.query.x) + ")"); });
"""

from __future__ import annotations

from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC009", "Data run as code", "security", "critical",
            "Parse the data instead of running it.", cwe=94, confidence=0.9,
            languages=("python", "javascript", "typescript"))  # fmt: skip
_RUN = ("eval", "exec", "builtins.eval", "builtins.exec", "compile", "execfile",
    "code.InteractiveInterpreter().runcode",
        "code.InteractiveConsole().push", "timeit.timeit", "cProfile.run")  # fmt: skip
_NAMED = ("__import__", "importlib.import_module", "runpy.run_path", "runpy.run_module")

FLOW = Flow(
    "code",
    "{source} is run as code by {sink}",
    {
        "python": (Sink(_RUN, (0,), ("source", "expression"), None, ("outside", "local", "parameter")),
                   Sink(_NAMED, (0,))),
        "javascript": (Sink(("eval", "window.eval", "globalThis.eval", "Function"), (), (), None, ("outside", "local")),
                       Sink(("vm.runInContext", "vm.runInNewContext", "vm.runInThisContext", "vm.Script",
                       "node:vm.Script",
                             "setTimeout", "setInterval", "safeEval"), (0,))),
    },
    {"python": ("json.dumps", "repr")},
)  # fmt: skip
