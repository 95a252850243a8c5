"""The last set of labelled twins: whole programs, written when everything else stood, measured once.

Four a category: two that are vulnerable and two that are not. What is printed for them at the first look is the figure
to believe; afterwards they are open cases like the others.
"""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

from collections.abc import Iterator

from review_cases import Case

_TOP = "from flask import Flask, request, session, redirect, make_response, Response, abort\napp = Flask(__name__)\n"

# {category: (cwe, vulnerable bodies, harmless bodies)}; a body is a handler's, `#` begins what stands above it.
PYTHON: dict[str, tuple[int, list[str], list[str]]] = {
    "path": (22, [
        "import os\n#\nfolder = os.environ.get('DATA', '/srv')\nname = request.args.get('file') or 'index'\npath = os.sep.join([folder, name])\nwith open(path, encoding='utf-8') as handle:\n    return Response(handle.read(), mimetype='text/plain')",
        "import zipfile, io\n#\nbundle = zipfile.ZipFile(io.BytesIO(request.get_data()))\nfor entry in bundle.namelist():\n    with open('/srv/' + entry, 'wb') as out:\n        out.write(bundle.read(entry))\nreturn 'ok'",
    ], [
        "import os\nNAMES = frozenset(['a.txt', 'b.txt'])\n#\nname = request.args.get('file', '')\nif name not in NAMES:\n    abort(404)\nreturn open(os.path.join('/srv', name)).read()",
        "from pathlib import Path\nROOT = Path('/srv').resolve()\n#\nwanted = ROOT.joinpath(request.args['f']).resolve()\nif ROOT not in wanted.parents:\n    return 'no', 403\nreturn Response(wanted.read_bytes(), mimetype='application/pdf')",
    ]),
    "command": (78, [
        "import subprocess\ndef run(*words):\n    return subprocess.check_output(' '.join(words), shell=True)\n#\nreturn Response(run('nslookup', request.form['host']), mimetype='text/plain')",
        "import os\nclass Pinger:\n    template = 'ping -c 1 {host}'\n\n    def __init__(self, host):\n        self.host = host\n\n    def go(self):\n        return os.popen(self.template.format(host=self.host)).read()\n#\nPinger(request.values.get('h')).go()\nreturn 'ok'",
    ], [
        "import subprocess\ndef run(*words):\n    return subprocess.check_output(words)\n#\nreturn Response(run('nslookup', request.form['host']), mimetype='text/plain')",
        "import os, re\n#\nhost = request.form['host']\nif re.match(r'^[a-z0-9-]+$', host) is None:\n    abort(400)\nos.system('ping -c 1 ' + host)\nreturn 'ok'",
    ]),
    "sql": (89, [
        "import sqlite3\ndef where(**conditions):\n    return ' AND '.join(f\"{k} = '{v}'\" for k, v in conditions.items())\n#\ncon = sqlite3.connect('x.db')\nreturn str(con.execute('SELECT id FROM t WHERE ' + where(name=request.args['n'])).fetchall())",
        "import sqlite3\n#\norder = request.args.get('order', 'name')\nsql = 'SELECT * FROM t'\nif order:\n    sql = sql + ' ORDER BY ' + order\nrows = sqlite3.connect('x.db').execute(sql)\nreturn str(len(list(rows)))",
    ], [
        "import sqlite3\n#\norder = request.args.get('order', 'name')\nif order not in ('name', 'age'):\n    order = 'name'\nrows = sqlite3.connect('x.db').execute(f'SELECT * FROM t ORDER BY {order}')\nreturn str(len(list(rows)))",
        "import sqlite3\n#\nfields, values = [], []\nfor key in ('a', 'b'):\n    if key in request.args:\n        fields.append(key + ' = ?')\n        values.append(request.args[key])\nsqlite3.connect('x.db').execute('SELECT * FROM t WHERE ' + ' AND '.join(fields), values)\nreturn 'ok'",
    ]),
    "xss": (79, [
        "#\nrows = [f'<td>{name}</td>' for name in request.args.getlist('n')]\nreturn '<tr>' + ''.join(rows) + '</tr>'",
        "import html\n#\ntext = html.unescape(html.escape(request.form['t']))\nreturn make_response(f'<p>{text}</p>')",
    ], [
        "import html\n#\nrows = [f'<td>{html.escape(name)}</td>' for name in request.args.getlist('n')]\nreturn '<tr>' + ''.join(rows) + '</tr>'",
        "#\npage = request.args.get('page', 1, type=int)\nreturn f'<p>page {page}</p>'",
    ]),
    "ldap": (90, [
        "import ldap\n#\nuser, group = request.form['u'], request.form['g']\nquery = '(&(memberOf=cn=%s,ou=groups)(uid=%s))' % (group, user)\nfound = ldap.initialize('ldap://h').search_s('dc=x', ldap.SCOPE_SUBTREE, query)\nreturn str(len(found))",
        "import ldap3\nclass Directory:\n    def __init__(self):\n        self.con = ldap3.Connection(ldap3.Server('h'))\n\n    def find(self, uid):\n        self.con.search('dc=x', f'(uid={uid})')\n        return self.con.entries\n#\nreturn str(len(Directory().find(request.args['uid'])))",
    ], [
        "import ldap3\nfrom ldap3.utils.conv import escape_filter_chars as esc\nclass Directory:\n    def __init__(self):\n        self.con = ldap3.Connection(ldap3.Server('h'))\n\n    def find(self, uid):\n        self.con.search('dc=x', f'(uid={esc(uid)})')\n        return self.con.entries\n#\nreturn str(len(Directory().find(request.args['uid'])))",
        "import ldap\n#\nkind = {'p': 'person', 'g': 'group'}.get(request.args.get('kind'), 'person')\nldap.initialize('ldap://h').search_s('dc=x', ldap.SCOPE_SUBTREE, f'(objectClass={kind})')\nreturn 'ok'",
    ]),
    "xpath": (643, [
        "from lxml import etree\n#\ntree = etree.parse('u.xml')\nuser, word = request.form['u'], request.form['p']\nfound = tree.xpath('//user[name/text()=\"{}\" and pass/text()=\"{}\"]'.format(user, word))\nreturn 'ok' if found else 'no'",
        "import xml.etree.ElementTree as ET\ndef by(attribute, value):\n    return f\".//item[@{attribute}='{value}']\"\n#\nnode = ET.parse('i.xml').find(by('id', request.args['id']))\nreturn node.tag if node is not None else 'none'",
    ], [
        "from lxml import etree\n#\ntree = etree.parse('u.xml')\nfind = etree.XPath('//user[name=$u and pass=$p]')\nfound = find(tree, u=request.form['u'], p=request.form['p'])\nreturn 'ok' if found else 'no'",
        "import xml.etree.ElementTree as ET\n#\nnumber = int(request.args['id'])\nnode = ET.parse('i.xml').find(f\".//item[@id='{number}']\")\nreturn 'found' if node is not None else 'none'",
    ]),
    "code": (94, [
        "def compute(text, **names):\n    return eval(text, {}, names)\n#\nreturn str(compute(request.args['formula'], x=1))",
        "#\nsource = 'def f(x):\\n    return ' + request.form['body']\nspace = {}\nexec(compile(source, 'f', 'exec'), space)\nreturn str(space['f'](1))",
    ], [
        "import ast\ndef compute(text):\n    return ast.literal_eval(text)\n#\nreturn str(type(compute(request.args['formula'])))",
        "import operator\nOPS = {'add': operator.add, 'sub': operator.sub}\n#\nop = OPS[request.args['op']]\nreturn str(op(int(request.args['a']), int(request.args['b'])))",
    ]),
    "deserialise": (502, [
        "import pickle, zlib, base64\ndef unpack(text):\n    return pickle.loads(zlib.decompress(base64.b64decode(text)))\n#\nreturn str(len(unpack(request.cookies['state'])))",
        "import yaml\n#\nloader = yaml.FullLoader if request.args.get('x') else yaml.UnsafeLoader\ndoc = yaml.load(request.get_data(as_text=True), Loader=yaml.UnsafeLoader)\nreturn str(len(doc))",
    ], [
        "import json, zlib, base64\ndef unpack(text):\n    return json.loads(zlib.decompress(base64.b64decode(text)))\n#\nreturn str(len(unpack(request.cookies['state'])))",
        "import pickle\nCACHE = '/var/cache/app.pickle'\n#\nwith open(CACHE, 'rb') as handle:\n    table = pickle.load(handle)\nreturn str(request.args['k'] in table)",
    ]),
    "redirect": (601, [
        "#\ntarget = request.args.get('next', '/')\nif 'example.org' in target:\n    return redirect(target)\nreturn redirect('/')",
        "#\nresponse = Response(status=303)\nresponse.headers['Location'] = request.form.get('back')\nreturn response",
    ], [
        "from urllib.parse import urlsplit\n#\ntarget = request.args.get('next', '/')\nparts = urlsplit(target)\nif parts.netloc or parts.scheme:\n    abort(400)\nreturn redirect(target)",
        "PLACES = {'home': '/', 'help': '/help'}\n#\nreturn redirect(PLACES.get(request.args.get('to'), '/'))",
    ]),
    "trust": (501, [
        "#\nfor key in request.form:\n    session[key] = request.form[key]\nreturn 'ok'",
        "def remember(**values):\n    session.update(values)\n#\nremember(theme=request.args.get('theme'))\nreturn 'ok'",
    ], [
        "#\nsession['page'] = max(1, int(request.args.get('page', 1)))\nreturn 'ok'",
        "THEMES = ['light', 'dark']\n#\ntheme = request.args.get('theme')\nsession['theme'] = theme if theme in THEMES else 'light'\nreturn 'ok'",
    ]),
    "xxe": (611, [
        "from lxml import etree\nPARSER = etree.XMLParser(resolve_entities=True, load_dtd=True)\n#\ntree = etree.fromstring(request.data, PARSER)\nreturn tree.tag",
        "import xml.sax\nimport xml.sax.handler\nimport io\nclass Count(xml.sax.handler.ContentHandler):\n    n = 0\n#\nreader = xml.sax.make_parser()\nreader.setContentHandler(Count())\nreader.setFeature(xml.sax.handler.feature_external_ges, True)\nreader.parse(io.BytesIO(request.get_data()))\nreturn 'ok'",
    ], [
        "from lxml import etree\nPARSER = etree.XMLParser(resolve_entities=False, no_network=True)\n#\ntree = etree.fromstring(request.data, PARSER)\nreturn tree.tag",
        "import defusedxml.minidom\n#\ndoc = defusedxml.minidom.parseString(request.data)\nreturn doc.documentElement.tagName",
    ]),
    "hash": (328, [
        "import hashlib\nALGORITHMS = {'fast': 'md5', 'slow': 'sha512'}\ndef digest(text, speed='fast'):\n    h = hashlib.new(ALGORITHMS[speed])\n    h.update(text.encode())\n    return h.hexdigest()\n#\nreturn digest(request.form['password'])",
        "from hashlib import sha1\n#\nreturn sha1(request.data).hexdigest()",
    ], [
        "import hashlib\nALGORITHMS = {'fast': 'md5', 'slow': 'sha512'}\ndef digest(text, speed='slow'):\n    h = hashlib.new(ALGORITHMS[speed])\n    h.update(text.encode())\n    return h.hexdigest()\n#\nreturn digest(request.form['password'])",
        "from hashlib import blake2s\n#\nreturn blake2s(request.data).hexdigest()",
    ]),
    "random": (330, [
        "import random\nimport string\ndef code(n):\n    return ''.join(random.choice(string.digits) for _ in range(n))\n#\nsession['otp'] = code(6)\nreturn 'sent'",
        "import random\n#\nresponse = make_response('ok')\nresponse.set_cookie('rememberMe', str(random.getrandbits(64)), secure=True, httponly=True)\nreturn response",
    ], [
        "import secrets\nimport string\ndef code(n):\n    return ''.join(secrets.choice(string.digits) for _ in range(n))\n#\nsession['otp'] = code(6)\nreturn 'sent'",
        "import random\nTIPS = ['a', 'b']\n#\nreturn random.choice(TIPS)",
    ]),
    "cookie": (614, [
        "COOKIE = {'httponly': True, 'samesite': 'Lax', 'secure': False}\n#\nresponse = make_response('ok')\nresponse.set_cookie('sid', 'x', **COOKIE)\nreturn response",
        "def with_cookie(response, name, value, secure=False):\n    response.set_cookie(name, value, secure=secure)\n    return response\n#\nreturn with_cookie(make_response('ok'), 'a', 'b')",
    ], [
        "COOKIE = {'httponly': True, 'samesite': 'Lax', 'secure': True}\n#\nresponse = make_response('ok')\nresponse.set_cookie('sid', 'x', **COOKIE)\nreturn response",
        "def with_cookie(response, name, value, secure=False):\n    response.set_cookie(name, value, secure=secure)\n    return response\n#\nreturn with_cookie(make_response('ok'), 'a', 'b', secure=True)",
    ]),
}  # fmt: skip

OTHERS: dict[str, dict[str, tuple[int, list[str], list[str]]]] = {
    "javascript": {
        "sql": (89, ["const db = require('./db');\nasync function byName(name) { return db.query(`SELECT * FROM u WHERE n = '${name}'`); }\nexports.show = async (req, res) => { res.json(await byName(req.query.n)); };",
                     "app.get('/u', (req, res) => { const parts = ['SELECT * FROM u']; if (req.query.n) { parts.push(\"WHERE n = '\" + req.query.n + \"'\"); } db.query(parts.join(' ')); });"],
                ["const db = require('./db');\nasync function byName(name) { return db.query('SELECT * FROM u WHERE n = $1', [name]); }\nexports.show = async (req, res) => { res.json(await byName(req.query.n)); };",
                 "app.get('/u', (req, res) => { const order = { n: 'name', a: 'age' }[req.query.o] || 'name'; db.query(`SELECT * FROM u ORDER BY ${order}`); });"]),
        "command": (78, ["const { exec } = require('child_process');\napp.post('/p', (req, res) => { const { host, count = 1 } = req.body; exec(`ping -c ${count} ${host}`, () => res.end()); });",
                         "const cp = require('child_process');\napp.get('/p', (req, res) => { cp.spawn(req.query.tool, ['--version']); res.end(); });"],
                    ["const { execFile } = require('child_process');\napp.post('/p', (req, res) => { const { host } = req.body; execFile('ping', ['-c', '1', host], () => res.end()); });",
                     "const { exec } = require('child_process');\napp.get('/p', (req, res) => { const n = Number.parseInt(req.query.n, 10); exec(`head -n ${n} log`, () => res.end()); });"]),
        "path": (22, ["const fs = require('fs/promises');\napp.get('/f', async (req, res) => { const name = decodeURIComponent(req.params.name); res.type('text/plain').send(await fs.readFile(`./files/${name}`)); });",
                      "const path = require('path');\napp.get('/f', (req, res) => { const full = path.join(__dirname, 'files', req.query.f); res.sendFile(full); });"],
                 ["const path = require('path');\nconst ROOT = '/srv/files/';\napp.get('/f', (req, res) => { const full = path.resolve(ROOT, req.query.f); if (!full.startsWith(ROOT)) { return res.sendStatus(403); } res.sendFile(full); });",
                  "const FILES = { a: 'a.txt', b: 'b.txt' };\napp.get('/f', (req, res) => { const file = FILES[req.query.f]; if (!file) { return res.sendStatus(404); } res.sendFile('/srv/' + file); });"]),
        "xss": (79, ["app.get('/h', (req, res) => { const items = [].concat(req.query.t).map((t) => `<li>${t}</li>`); res.send(`<ul>${items.join('')}</ul>`); });",
                     "function show(name) { document.getElementById('x').innerHTML = 'Hi ' + name; }\nshow(new URLSearchParams(window.location.search).get('name'));"],
                ["const escape = require('escape-html');\napp.get('/h', (req, res) => { const items = [].concat(req.query.t).map((t) => `<li>${escape(t)}</li>`); res.send(`<ul>${items.join('')}</ul>`); });",
                 "function show(name) { document.getElementById('x').textContent = 'Hi ' + name; }\nshow(new URLSearchParams(window.location.search).get('name'));"]),
        "redirect": (601, ["app.get('/r', (req, res) => { const to = req.query.to || '/'; res.redirect(301, to); });", "app.get('/r', (req, res) => { if (req.query.to.includes('example.org')) { res.redirect(req.query.to); } });"],
                     ["app.get('/r', (req, res) => { const to = req.query.to; res.redirect(to === '/a' || to === '/b' ? to : '/'); });", "app.get('/r', (req, res) => { res.redirect(`/users/${encodeURIComponent(req.query.id)}`); });"]),
        "code": (94, ["app.post('/c', (req, res) => { const f = Function('a', 'b', `return ${req.body.e}`); res.json(f(1, 2)); });", "const vm = require('vm');\napp.post('/c', (req, res) => { const s = new vm.Script(req.body.s); s.runInThisContext(); res.end(); });"],
                 ["const OPS = { add: (a, b) => a + b };\napp.post('/c', (req, res) => { const f = OPS[req.body.op]; res.json(f ? f(1, 2) : 0); });", "app.post('/c', (req, res) => { res.json(JSON.parse(req.body.e)); });"]),
    },
    "go": {
        "sql": (89, ['package p\nimport ("database/sql"; "fmt"; "net/http")\ntype store struct{ db *sql.DB }\nfunc (s *store) find(n string) (*sql.Rows, error) { return s.db.Query(fmt.Sprintf("SELECT * FROM u WHERE n = \'%s\'", n)) }\nfunc (s *store) show(w http.ResponseWriter, r *http.Request) { s.find(r.URL.Query().Get("n")) }',
                     'package p\nimport ("net/http"; "strings")\nfunc h(w http.ResponseWriter, r *http.Request) { var b strings.Builder; b.WriteString("DELETE FROM u WHERE n = \'"); b.WriteString(r.FormValue("n")); b.WriteString("\'"); db.Exec(b.String()) }'],
                ['package p\nimport ("database/sql"; "net/http")\ntype store struct{ db *sql.DB }\nfunc (s *store) find(n string) (*sql.Rows, error) { return s.db.Query("SELECT * FROM u WHERE n = ?", n) }\nfunc (s *store) show(w http.ResponseWriter, r *http.Request) { s.find(r.URL.Query().Get("n")) }',
                 'package p\nimport "net/http"\nvar columns = map[string]string{"n": "name"}\nfunc h(w http.ResponseWriter, r *http.Request) { c, ok := columns[r.FormValue("o")]; if !ok { return }; db.Query("SELECT * FROM u ORDER BY " + c) }']),
        "command": (78, ['package p\nimport ("net/http"; "os/exec")\nfunc run(line string) { exec.Command("/bin/sh", "-c", line).Run() }\nfunc h(w http.ResponseWriter, r *http.Request) { run("ping " + r.FormValue("h")) }', 'package p\nimport ("net/http"; "os/exec")\nfunc h(w http.ResponseWriter, r *http.Request) { args := []string{"-c", "ls " + r.FormValue("d")}; exec.Command("bash", args...).Run() }'],
                    ['package p\nimport ("net/http"; "os/exec")\nfunc run(name string) { exec.Command("ping", "-c", "1", name).Run() }\nfunc h(w http.ResponseWriter, r *http.Request) { run(r.FormValue("h")) }', 'package p\nimport ("net/http"; "os/exec"; "strconv")\nfunc h(w http.ResponseWriter, r *http.Request) { n, err := strconv.Atoi(r.FormValue("n")); if err != nil { return }; exec.Command("sh", "-c", "head -n "+strconv.Itoa(n)).Run() }']),
        "path": (22, ['package p\nimport ("io"; "net/http"; "os"; "path")\nfunc h(w http.ResponseWriter, r *http.Request) { f, err := os.Open(path.Join("/srv", r.PathValue("name"))); if err != nil { return }; defer f.Close(); io.Copy(io.Discard, f) }', 'package p\nimport ("net/http"; "os")\nfunc h(w http.ResponseWriter, r *http.Request) { name := r.Header.Get("X-Name"); os.WriteFile("/srv/"+name, nil, 0o600) }'],
                 ['package p\nimport ("net/http"; "os"; "path/filepath"; "strings")\nfunc h(w http.ResponseWriter, r *http.Request) { full := filepath.Join("/srv", r.FormValue("n")); if !strings.HasPrefix(filepath.Clean(full), "/srv/") { http.Error(w, "no", 403); return }; os.Remove(full) }', 'package p\nimport ("net/http"; "os"; "path/filepath")\nfunc h(w http.ResponseWriter, r *http.Request) { os.Open(filepath.Join("/srv", filepath.Base(r.FormValue("n")))) }']),
        "xss": (79, ['package p\nimport ("fmt"; "net/http")\nfunc page(w http.ResponseWriter, name string) { fmt.Fprintf(w, "<h1>%s</h1>", name) }\nfunc h(w http.ResponseWriter, r *http.Request) { page(w, r.FormValue("n")) }', 'package p\nimport ("net/http"; "strings")\nfunc h(w http.ResponseWriter, r *http.Request) { w.Write([]byte(strings.Replace("<p>NAME</p>", "NAME", r.FormValue("n"), 1))) }'],
                ['package p\nimport ("fmt"; "html"; "net/http")\nfunc page(w http.ResponseWriter, name string) { fmt.Fprintf(w, "<h1>%s</h1>", html.EscapeString(name)) }\nfunc h(w http.ResponseWriter, r *http.Request) { page(w, r.FormValue("n")) }', 'package p\nimport ("encoding/json"; "net/http")\nfunc h(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(map[string]string{"n": r.FormValue("n")}) }']),
    },
    "rust": {
        "sql": (89, ["use rusqlite::Connection;\nfn find(c: &Connection, n: &str) { let q = format!(\"SELECT * FROM u WHERE n = '{}'\", n); c.execute(&q, []).unwrap(); }\nasync fn show(Query(p): Query<P>) { find(&open(), &p.name); }", "async fn show(req: HttpRequest) { let mut q = String::from(\"SELECT * FROM u WHERE n = '\"); q.push_str(req.query_string()); q.push('\\''); sqlx::query(&q).fetch_all(&pool).await; }"],
                ["use rusqlite::Connection;\nfn find(c: &Connection, n: &str) { c.execute(\"DELETE FROM u WHERE n = ?1\", [n]).unwrap(); }\nasync fn show(Query(p): Query<P>) { find(&open(), &p.name); }", "async fn show(Path(id): Path<i64>) { sqlx::query(&format!(\"SELECT * FROM u WHERE id = {}\", id)).fetch_all(&pool).await; }"]),
        "command": (78, ["use std::process::Command;\nasync fn show(Query(p): Query<P>) { let line = format!(\"ping {}\", p.host); let _ = Command::new(\"sh\").args([\"-c\", line.as_str()]).status(); }", "use std::process::Command;\nfn run(line: &str) { Command::new(\"bash\").arg(\"-c\").arg(line).spawn(); }\nasync fn show(Query(p): Query<P>) { run(&format!(\"ls {}\", p.dir)); }"],
                    ["use std::process::Command;\nasync fn show(Query(p): Query<P>) { let _ = Command::new(\"ping\").args([\"-c\", \"1\", p.host.as_str()]).status(); }", "use std::process::Command;\nasync fn show(Query(p): Query<P>) { let n: u32 = p.n.parse().unwrap_or(1); Command::new(\"sh\").arg(\"-c\").arg(format!(\"head -n {}\", n)).spawn(); }"]),
        "path": (22, ["use std::path::PathBuf;\nasync fn show(Path(name): Path<String>) { let mut p = PathBuf::from(\"/srv\"); p.push(name); let _ = tokio::fs::read(p).await; }", "use std::fs::File;\nasync fn show(Query(q): Query<Q>) -> Result<(), E> { let f = File::create(format!(\"/srv/{}\", q.name))?; Ok(()) }"],
                 ["use std::fs;\nasync fn show(Query(q): Query<Q>) { let name = match q.name.as_str() { \"a\" => \"a.txt\", _ => \"b.txt\" }; let _ = fs::read(format!(\"/srv/{}\", name)); }", "use std::fs;\nasync fn show(Query(q): Query<Q>) { if q.name.contains(\"..\") || q.name.starts_with('/') { return; } let _ = fs::read(format!(\"/srv/{}\", q.name)); }"]),
    },
}  # fmt: skip
ENDINGS = {"javascript": "js", "go": "go", "rust": "rs"}


def cases() -> Iterator[Case]:
    """All of them."""
    for category, (cwe, bad, good) in PYTHON.items():
        for label, texts in ((True, bad), (False, good)):
            for at, text in enumerate(texts):
                above, _, body = text.partition("#\n")
                inner = "\n".join(f"    {line}" for line in body.split("\n"))
                whole = f"{_TOP}{above}\n\n@app.route('/case', methods=['GET', 'POST'])\ndef case():\n{inner}\n"
                name = f"unseen-{category}-{at}-{'bad' if label else 'good'}"
                yield Case(name, category, cwe, "python", {"app.py": whole}, label)
    for language, rows in OTHERS.items():
        for category, (cwe, bad, good) in rows.items():
            for label, texts in ((True, bad), (False, good)):
                for at, text in enumerate(texts):
                    name = f"unseen-{language}-{category}-{at}-{'bad' if label else 'good'}"
                    yield Case(name, category, cwe, language, {f"app.{ENDINGS[language]}": text + "\n"}, label)
