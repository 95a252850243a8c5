r"""A path from outside reaches a file operation.

Bad (python):
    from flask import request
    def view():
        return open(request.args.get("f")).read()
    ---
    import os
    from flask import request
    def view():
        path = os.path.join("/data", request.args["f"])
        os.remove(path)
    ---
    import flask, pathlib
    def view():
        p = pathlib.Path("/data") / flask.request.form["f"]
        return p.read_text()

Good (python):
    from flask import request
    from werkzeug.utils import secure_filename
    def view():
        return open("/data/" + secure_filename(request.args.get("f"))).read()
    ---
    import os
    from flask import request
    def view():
        path = os.path.realpath(os.path.join("/data", request.args["f"]))
        if not path.startswith("/data/"):
            raise ValueError
        return open(path).read()
    ---
    from flask import request
    NAMES = {"a": "/data/a.txt", "b": "/data/b.txt"}
    def view():
        name = request.args["f"]
        if name not in NAMES:
            return ""
        return open(NAMES[name]).read()
    ---
    def load(path):
        return open(path).read()

Bad (javascript):
    const fs = require("fs");
    app.get("/f", (req, res) => { fs.readFile(req.query.name, (e, d) => res.send(d)); });
    ---
    import fs from "fs"; import path from "path";
    app.get("/f", (req, res) => { fs.createReadStream(path.join("/data", req.params.name)).pipe(res); });
    ---
    app.get("/f", (req, res) => { const f = "/data/" + req.query.f; res.sendFile(f); });

Good (javascript):
    const fs = require("fs"), path = require("path");
    app.get("/f", (req, res) => { fs.readFileSync("/data/" + path.basename(req.query.name)); });
    ---
    const fs = require("fs");
    app.get("/f", (req, res) => { if (["a", "b"].includes(req.query.f)) { const n = "a"; fs.readFileSync(n); } });
    ---
    const fs = require("fs");
    function load(name) { return fs.readFileSync(name); }

Bad (go):
    package p
    import "os"
    func h(w http.ResponseWriter, r *http.Request) { os.ReadFile(r.FormValue("f")) }
    ---
    package p
    import ("os"; "path/filepath")
    func h(w http.ResponseWriter, r *http.Request) { os.Open(filepath.Join("/data", r.URL.Query().Get("f"))) }
    ---
    package p
    import "net/http"
    func h(w http.ResponseWriter, r *http.Request) { n := "/data/" + r.FormValue("f"); http.ServeFile(w, r, n) }

Good (go):
    package p
    import ("os"; "path/filepath")
    func h(w http.ResponseWriter, r *http.Request) { os.ReadFile("/data/" + filepath.Base(r.FormValue("f"))) }
    ---
    package p
    import ("os"; "strings")
    func h(w http.ResponseWriter, r *http.Request) {
        f := r.FormValue("f")
        if strings.Contains(f, "..") { return }
        os.Open(f)
    }
    ---
    package p
    import "os"
    func load(name string) { os.ReadFile(name) }

Bad (rust):
    async fn h(q: Query<Params>) { std::fs::read_to_string(q.name); }
    ---
    async fn h(Path(name): Path<String>) { std::fs::File::open(format!("/data/{}", name)); }
    ---
    use std::fs;
    async fn h(q: Query<Params>) { let p = PathBuf::from("/data").join(&q.name); fs::remove_file(p); }

Good (rust):
    async fn h(Path(id): Path<u32>) { std::fs::read_to_string("/data/a"); }
    ---
    use std::fs;
    fn load(name: &str) { fs::read_to_string(name); }
    ---
    async fn h(q: Query<Params>) { if q.name.contains("..") { return; } std::fs::read(q.name); }
"""

from __future__ import annotations

from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC003", "Path from outside", "security", "error",
            "Resolve the path and check that it stays beneath its folder, or take names from a list.",
            cwe=22, confidence=0.85)  # fmt: skip
_FS = ("readFile", "readFileSync", "writeFile", "writeFileSync", "createReadStream", "createWriteStream", "unlink",
       "unlinkSync", "readdir", "readdirSync", "appendFile", "appendFileSync", "rmdir", "rm", "rmSync", "open",
       "openSync", "stat", "statSync", "existsSync", "copyFile", "rename", "mkdir", "mkdirSync")  # fmt: skip
_OS = ("Open", "OpenFile", "ReadFile", "WriteFile", "Create", "Remove", "RemoveAll", "Mkdir", "MkdirAll", "ReadDir",
       "Rename", "Stat")  # fmt: skip
_RS = ("read", "read_to_string", "write", "remove_file", "remove_dir_all", "create_dir", "create_dir_all", "copy",
       "rename", "read_dir", "File.open", "File.create", "metadata")  # fmt: skip

FLOW = Flow(
    "path",
    "{source} decides which file {sink} touches",
    {
        "python": (
            Sink(("open", "io.open", "codecs.open", "os.open", "os.remove", "os.unlink", "os.rmdir", "os.mkdir",
                  "os.makedirs", "os.listdir", "os.scandir", "os.stat", "os.chmod", "os.path.exists", "os.path.isfile",
                  "os.walk", "os.truncate", "os.utime", "os.startfile", "shutil.rmtree", "flask.send_file", "send_file",
                  "tarfile.open", "zipfile.ZipFile", "aiofiles.open", "builtins.open", "linecache.getline",
                  "fileinput.input", "django.http.FileResponse", "fastapi.responses.FileResponse", "gzip.open",
                  "starlette.responses.FileResponse", "pandas.read_csv", "numpy.load", "bz2.open", "lzma.open"),
                 (0,), ("file", "path", "filename", "filename_or_fp", "path_or_file")),
            Sink(("os.rename", "os.replace", "os.link", "os.symlink", "shutil.copy", "shutil.copyfile", "shutil.copy2",
                  "shutil.copytree", "shutil.move"), (0, 1), ("src", "dst")),
            Sink(("flask.send_from_directory", "send_from_directory"), (0,), ("directory",)),
            Sink(tuple(f"pathlib.Path().{name}" for name in
                       ("open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir", "mkdir",
                        "exists", "iterdir", "touch", "stat", "is_file", "rename"))
                 + tuple(f"pathlib.Path().resolve().{name}" for name in
                         ("open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink"))
                 + ("*.read_text", "*.read_bytes", "*.write_text", "*.write_bytes"), (-1,)),
            Sink(("*.extract",), (0, 1), ("member", "path")),
            Sink(("werkzeug.datastructures.FileStorage().save", "?request.FILES.item.save",
            "flask.request.files.item.save"),
                 (0,), ("dst",)),
        ),
        "javascript": (
            Sink(tuple(f"{owner}.{name}" for owner in ("fs", "fs/promises", "node:fs", "fs.promises", "fsp", "fse",
                                                      "node:fs/promises", "fs-extra") for name in _FS), (0,)),
            Sink(("*.sendFile", "*.sendfile", "*.download"), (0,)),
        ),
        "go": (
            Sink(tuple(f"{owner}.{name}" for owner in ("os", "ioutil", "io/ioutil") for name in _OS), (0,)),
            Sink(("net/http.ServeFile", "http.ServeFile"), (2,)),
            Sink(("*.File", "*.SendFile", "*.FileAttachment"), (0,)),
        ),
        "rust": (
            Sink(tuple(f"{owner}.{name}" for owner in ("std.fs", "fs", "tokio.fs", "std.fs.File", "File")
                       for name in (*_RS, "open", "create")), (0,)),
            Sink(("std.fs.File.open", "std.fs.File.create", "NamedFile.open", "actix_files.NamedFile.open"), (0,)),
        ),
    },
    {
        "python": ("werkzeug.utils.secure_filename", "secure_filename", "os.path.basename", "werkzeug.utils.safe_join",
                   "flask.safe_join", "werkzeug.security.safe_join", "django.utils._os.safe_join", "*.relative_to",
                   "ntpath.basename", "posixpath.basename", "django.utils.text.get_valid_filename", "slugify.slugify",
                   "*.slugify"),
        "javascript": ("path.basename", "node:path.basename", "sanitize-filename", "sanitize"),
        "go": ("path/filepath.Base", "filepath.Base", "path.Base"),
        "rust": ("*.file_name",),
    },
)  # fmt: skip
