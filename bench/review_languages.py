"""Labelled twins in JavaScript, TypeScript, Go and Rust: frames x sources x ways x sinks, as in review_shapes.py."""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

from collections.abc import Iterator

from review_cases import Case

SCRIPT_FRAMES = [
    "const express = require('express');\nconst app = express();\n{imports}\napp.get('/x', (req, res) => {{\n  {body}\n}});\n",
    "import express from 'express';\n{imports}\nconst router = express.Router();\nrouter.post('/x', async (req, res, next) => {{\n  {body}\n}});\n",
    "{imports}\nfunction handle(req, res) {{\n  {body}\n}}\nmodule.exports = handle;\n",
    "{imports}\nclass Users {{\n  async show(req, res) {{\n    {body}\n  }}\n}}\nmodule.exports = new Users();\n",
]
TYPED_FRAMES = [
    "import express, {{ Request, Response }} from 'express';\n{imports}\nconst app = express();\napp.get('/x', (req: Request, res: Response): void => {{\n  {body}\n}});\n",
    "import type {{ Request, Response, NextFunction }} from 'express';\n{imports}\nexport async function handle(req: Request, res: Response, next: NextFunction) {{\n  {body}\n}}\n",
    "{imports}\nexport class Users {{\n  constructor(private readonly db: any) {{}}\n  async show(req: Request, res: Response) {{\n    {body}\n  }}\n}}\n",
]
SCRIPT_SOURCES = [
    "const data = req.query.q;",
    "const data = req.body.q;",
    "const {{ q: data }} = req.query;",
    "const data = req.params['q'];",
    "let data = req.headers['x-q']; if (!data) {{ data = ''; }}",
    "const data = req.cookies.q || '';",
    "const data = req.get('X-Q');",
    "const {{ body }} = req; const data = body.name;",
]
SCRIPT_WAYS = [
    ("const value = data;", "let value = data; value = 'fixed';"),
    ("let value; if (7 * 18 > 100) {{ value = data; }} else {{ value = 'never'; }}", "let value; if (7 * 18 > 200) {{ value = data; }} else {{ value = 'always'; }}"),
    ("const value = 3 > 4 ? 'never' : data;", "const value = 4 > 3 ? 'always' : data;"),
    ("let value; switch ('ABC'.charAt(0)) {{ case 'A': value = data; break; default: value = 'bob'; }}", "let value; switch ('ABC'.charAt(1)) {{ case 'A': value = data; break; default: value = 'bob'; }}"),
    ("const items = ['a']; items.push(data); items.push('b'); items.shift(); const value = items[0];", "const items = ['a']; items.push(data); items.push('b'); items.shift(); const value = items[1];"),
    ("const table = {{}}; table['a'] = 'one'; table['b'] = data; const value = table['b'];", "const table = {{}}; table['a'] = 'one'; table['b'] = data; const value = table['a'];"),
    ("const m = new Map(); m.set('a', 'one'); m.set('b', data); const value = m.get('b');", "const m = new Map(); m.set('a', 'one'); m.set('b', data); const value = m.get('a');"),
    ("const [, value] = ['one', data];", "const [value] = ['one', data];"),
    ("const same = (x) => x; const value = same(data);", "const other = (x) => 'fixed'; const value = other(data);"),
    ("class P {{ constructor(a, b) {{ this.a = a; this.b = b; }} one() {{ return this.a; }} }} const value = new P(data, 'x').one();",
     "class P {{ constructor(a, b) {{ this.a = a; this.b = b; }} two() {{ return this.b; }} }} const value = new P(data, 'x').two();"),
    ("const value = Buffer.from(Buffer.from(data).toString('base64'), 'base64').toString();", "const value = String(parseInt(data, 10));"),
    ("const value = JSON.parse(JSON.stringify({{ a: 'x', b: data }})).b;", "if (!['a', 'b'].includes(data)) {{ res.sendStatus(400); return; }} const value = data;"),
    ("const value = decodeURIComponent(encodeURIComponent(data));", "if (!/^[a-zA-Z0-9_]+$/.test(data)) {{ return; }} const value = data;"),
    ("const both = {{ ...{{ a: 'x' }}, b: data }}; const value = both.b;", "const both = {{ ...{{ a: 'x' }}, b: data }}; const value = both.a;"),
    ("const value = [data].map((x) => x.trim())[0];", "const names = {{ a: 'one', b: 'two' }}; const value = names[data] || 'one';"),
    ("let value = ''; for (const c of data) {{ value += c; }}", "let value = ''; for (const c of data) {{ value += 'x'; }}"),
    ("let value; try {{ value = data.trim(); }} catch (e) {{ value = ''; }}", "const allowed = new Set(['a', 'b']); const value = allowed.has(data) ? data : 'a';"),
    ("const value = data ?? 'none';", "const value = data ? 'yes' : 'no';"),
    ("function pick(a, ...rest) {{ return rest[0]; }} const value = pick('x', data);", "function pick(a, ...rest) {{ return a; }} const value = pick('x', data);"),
    ("const value = `${{data}}`.replace('x', 'y');", "const value = String(data.length);"),
]  # fmt: skip
SCRIPT_SINKS: dict[str, tuple[int, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "sql": (89, [
        ("const db = require('./db');", "db.query(\"SELECT * FROM t WHERE a = '\" + value + \"'\", (e, rows) => res.json(rows));"),
        ("const mysql = require('mysql');", "const con = mysql.createConnection({{}}); const sql = `SELECT * FROM t WHERE a = '${{value}}'`; con.query(sql);"),
        ("const {{ Pool }} = require('pg');", "const pool = new Pool(); await pool.query('DELETE FROM t WHERE id = ' + value);"),
    ], [
        ("const db = require('./db');", "db.query('SELECT * FROM t WHERE a = ?', [value], (e, rows) => res.json(rows));"),
        ("const {{ Pool }} = require('pg');", "const pool = new Pool(); pool.query('SELECT * FROM t WHERE a = $1', [value]);"),
        ("const mysql = require('mysql');", "const con = mysql.createConnection({{}}); con.query('SELECT * FROM t WHERE a = ' + mysql.escape(value));"),
    ]),
    "command": (78, [
        ("const {{ exec }} = require('child_process');", "exec('ping ' + value, (e, out) => res.send('ok'));"),
        ("const cp = require('child_process');", "cp.execSync(`ls ${{value}}`);"),
        ("const {{ spawn }} = require('node:child_process');", "spawn('sh', ['-c', 'echo ' + value]);"),
        ("const {{ spawn }} = require('child_process');", "spawn('ls ' + value, {{ shell: true }});"),
    ], [
        ("const {{ execFile }} = require('child_process');", "execFile('ping', ['--', value]);"),
        ("const {{ spawn }} = require('child_process');", "const child = spawn('ls', [value]); child.on('close', () => res.end());"),
    ]),
    "path": (22, [
        ("const fs = require('fs');", "fs.readFile('/srv/' + value, 'utf8', (e, text) => res.json(text));"),
        ("const fs = require('fs'); const path = require('path');", "fs.createReadStream(path.join('/srv', value)).pipe(res);"),
        ("const {{ promises: fs }} = require('fs');", "await fs.unlink(`/srv/${{value}}`);"),
        ("", "res.sendFile('/srv/' + value);"),
    ], [
        ("const fs = require('fs'); const path = require('path');", "fs.readFile(path.join('/srv', path.basename(value)), () => 0);"),
        ("const fs = require('fs'); const path = require('path');", "const full = path.resolve('/srv', value); if (!full.startsWith('/srv/')) {{ return; }} fs.readFileSync(full);"),
        ("const fs = require('fs');", "if (value.includes('..')) {{ return; }} fs.readFileSync('/srv/' + value);"),
    ]),
    "code": (94, [("", "eval(value);"), ("", "const f = new Function('x', value); f(1);"), ("const vm = require('vm');", "vm.runInNewContext(value, {{}});"), ("", "setTimeout('go(' + value + ')', 10);")],
             [("", "const x = JSON.parse(value);"), ("", "eval('1 + 1');"), ("", "setTimeout(() => value, 10);")]),
    "xss": (79, [
        ("", "res.send('<p>' + value + '</p>');"), ("", "res.write(`<b>${{value}}</b>`); res.end();"), ("", "res.status(200).send(`<i>${{value}}</i>`);"),
        ("", "let page = '<ul>'; page += '<li>' + value + '</li>'; res.end(page);"),
    ], [
        ("const escapeHtml = require('escape-html');", "res.send('<p>' + escapeHtml(value) + '</p>');"), ("", "res.json({{ value }});"), ("", "res.render('page', {{ value }});"),
        ("", "res.type('text/plain').send(value);"), ("", "res.send('<a href=\"/x?q=' + encodeURIComponent(value) + '\">x</a>');"),
        ("", "res.send(value.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;'));"),
    ]),
    "redirect": (601, [("", "res.redirect(value);"), ("", "res.redirect(302, 'https://' + value);"), ("", "res.writeHead(302, {{ Location: value }}); res.end();"), ("", "res.set('Location', value); res.status(302).end();")],
                 [("", "res.redirect('/item/' + value);"), ("", "if (new URL(value).hostname !== 'example.org') {{ return; }} res.redirect(value);"), ("", "res.redirect('/');")]),
    "ssrf": (918, [("", "const r = await fetch(value);"), ("const axios = require('axios');", "axios.get('http://' + value + '/x').then((r) => r);"), ("const http = require('http');", "http.get(value, () => 0);")],
             [("", "const r = await fetch('https://api.example.org/v1/' + value);"), ("const axios = require('axios');", "axios.get('https://api.example.org', {{ params: {{ q: value }} }});")]),
    "template": (1336, [("const ejs = require('ejs');", "ejs.render('<p>' + value);"), ("const pug = require('pug');", "pug.compile(value)();"), ("const Handlebars = require('handlebars');", "const t = Handlebars.compile(`Hi ${{value}}`); t({{}});")],
                 [("const ejs = require('ejs');", "ejs.render('<%= v %>', {{ v: value }});"), ("const Handlebars = require('handlebars');", "Handlebars.compile('Hi {{{{n}}}}')({{ n: value }});")]),
    "deserialise": (502, [("const serialize = require('node-serialize');", "serialize.unserialize(value);"), ("const {{ unserialize }} = require('node-serialize');", "const o = unserialize(Buffer.from(value, 'base64').toString());")],
                    [("", "JSON.parse(value);"), ("const yaml = require('js-yaml');", "yaml.load(value);")]),
    "trust": (501, [("", "req.session.user = value;"), ("", "req.session[value] = 1;"), ("", "req.session.theme = `t-${{value}}`;")],
              [("", "req.session.seen = true;"), ("", "req.session.count = Number(value);"), ("", "if (value === 'en' || value === 'de') {{ req.session.lang = value; }}")]),
    "ldap": (90, [("const ldap = require('ldapjs');", "const c = ldap.createClient({{ url: 'ldap://x' }}); c.search('dc=x', {{ filter: `(uid=${{value}})` }}, () => 0);"),
                  ("const ldap = require('ldapjs');", "const client = ldap.createClient({{ url: 'ldap://x' }}); client.search('uid=' + value + ',dc=x', {{ scope: 'sub' }}, () => 0);")],
             [("const ldap = require('ldapjs');", "const c = ldap.createClient({{ url: 'ldap://x' }}); const filter = new ldap.EqualityFilter({{ attribute: 'uid', value }}); c.search('dc=x', {{ filter }}, () => 0);"),
              ("const ldap = require('ldapjs'); const escape = require('ldap-escape');", "const c = ldap.createClient({{ url: 'ldap://x' }}); c.search('dc=x', {{ filter: '(uid=' + escape.filter`${{value}}` + ')' }}, () => 0);")]),
    "xpath": (643, [("const xpath = require('xpath'); const {{ DOMParser }} = require('xmldom');", "const doc = new DOMParser().parseFromString('<a/>'); xpath.select(\"//u[@n='\" + value + \"']\", doc);"),
                    ("const {{ select }} = require('xpath');", "select(`//u[name='${{value}}']/x`, doc);")],
              [("const xpath = require('xpath');", "xpath.select('//u[@n=$n]', doc, {{ n: value }});"),
               ("const xpath = require('xpath');", "if (value.includes(\"'\")) {{ return; }} xpath.select(\"//u[@n='\" + value + \"']\", doc);")]),
    "xxe": (611, [("const libxml = require('libxmljs');", "libxml.parseXml(value, {{ noent: true }});"), ("const libxml = require('libxmljs2');", "const doc = libxml.parseXmlString(value, {{ noent: true, nonet: false }});")],
            [("const libxml = require('libxmljs');", "libxml.parseXml(value);"), ("const libxml = require('libxmljs');", "libxml.parseXml(value, {{ noent: false }});")]),
}  # fmt: skip
SCRIPT_CONFIGURED: dict[str, tuple[int, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "hash": (328, [("const crypto = require('crypto');", one) for one in (
        "crypto.createHash('md5').update('x').digest('hex');", "crypto.createHash('sha1').update('x');", "const name = 'MD5'; crypto.createHash(name);", "const n = ['md5', 'sha256'][0]; crypto.createHash(n);",
        "const o = {{ alg: 'sha1' }}; crypto.createHash(o.alg);", "crypto.createHmac('md5', 'k').update('x');", "const make = crypto.createHash; make('md5');", "const n = 1 > 2 ? 'sha256' : 'sha1'; crypto.createHash(n);",
        "crypto.createHash('SHA' + '1');", "const pick = () => 'md5'; crypto.createHash(pick());")],
     [("const crypto = require('crypto');", one) for one in (
        "crypto.createHash('sha256').update('x').digest('hex');", "crypto.createHash('sha512').update('x');", "const name = 'SHA384'; crypto.createHash(name);", "const n = ['md5', 'sha256'][1]; crypto.createHash(n);",
        "const o = {{ alg: 'sha3-256' }}; crypto.createHash(o.alg);", "crypto.createHmac('sha256', 'k').update('x');", "const make = crypto.createHash; make('sha256');", "const n = 1 < 2 ? 'sha256' : 'sha1'; crypto.createHash(n);",
        "crypto.createHash('SHA' + '256');", "crypto.scryptSync('p', 's', 64);")]),
    "random": (330, [("", one) for one in (
        "const token = Math.random().toString(36).slice(2); res.json(token);", "const sessionId = 's' + Math.random();", "let password = ''; for (let i = 0; i < 9; i++) {{ password += Math.floor(Math.random() * 10); }}", "req.session.nonce = Math.random();",
        "res.cookie('remember', String(Math.random()), {{ secure: true }});", "const user = {{}}; user.apiKey = Math.random().toString(16);", "const otp = Math.floor(1000 + Math.random() * 9000);", "const make = () => Math.random(); const secret = make();",
        "const csrfToken = Buffer.from(String(Math.random())).toString('base64');", "const resetCode = `${{Math.random()}}`.slice(2, 8);")],
     [("const crypto = require('crypto');", one) for one in (
        "const token = crypto.randomBytes(8).toString('hex'); res.json(token);", "const sessionId = crypto.randomUUID();", "let password = crypto.randomBytes(9).toString('base64');", "req.session.nonce = crypto.randomInt(1000);",
        "res.cookie('remember', crypto.randomUUID(), {{ secure: true }});", "const user = {{}}; user.colour = Math.random() > 0.5 ? 'a' : 'b';", "const die = Math.floor(Math.random() * 6);", "const delay = 100 * Math.random(); setTimeout(next, delay);",
        "const x = Math.random() * 300;", "if (Math.random() < 0.1) {{ console.log('sampled'); }}")]),
    "cookie": (614, [("", one) for one in (
        "res.cookie('a', 'b');", "res.cookie('a', 'b', {{ httpOnly: true }});", "res.cookie('a', 'b', {{ secure: false }});", "const o = {{ secure: false, maxAge: 9 }}; res.cookie('a', 'b', o);", "res.cookie('a', 'b', {{ secure: 1 > 2 }});",
        "const flag = false; res.cookie('a', 'b', {{ secure: flag }});", "res.status(200).cookie('a', 'b', {{ path: '/' }});", "res.setHeader('Set-Cookie', 'a=b; HttpOnly');", "res.cookie('a', 'b', {{ ...{{ secure: false }}, path: '/' }});", "res.cookie('a', 'b', {{ secure: !true }});")],
     [("", one) for one in (
        "res.cookie('a', 'b', {{ secure: true }});", "res.cookie('a', 'b', {{ httpOnly: true, secure: true }});", "res.cookie('a', 'b', {{ secure: req.secure }});", "const o = {{ secure: true, maxAge: 9 }}; res.cookie('a', 'b', o);", "res.cookie('a', 'b', {{ secure: 1 < 2 }});",
        "const flag = true; res.cookie('a', 'b', {{ secure: flag }});", "res.clearCookie('a');", "res.setHeader('Set-Cookie', 'a=b; HttpOnly; Secure');", "res.cookie('a', 'b', {{ ...{{ secure: true }}, path: '/' }});", "res.cookie('a', 'b', {{ secure: !false }});")]),
    "cipher": (327, [("const crypto = require('crypto');", one) for one in (
        "crypto.createCipheriv('des-ede3-cbc', k, i);", "crypto.createCipheriv('aes-128-ecb', k, null);", "crypto.createCipher('aes192', 'p');", "const a = 'rc4'; crypto.createCipheriv(a, k, '');", "crypto.createDecipheriv('des', k, i);",
        "const o = {{ a: 'aes-256-ecb' }}; crypto.createCipheriv(o.a, k, null);", "crypto.createCipheriv('bf-cbc', k, i);", "crypto.createCipheriv('aes-256-' + 'ecb', k, null);", "const {{ createCipheriv }} = crypto; createCipheriv('rc2-cbc', k, i);", "crypto.createDecipher('aes-128-cbc', 'p');")],
     [("const crypto = require('crypto');", one) for one in (
        "crypto.createCipheriv('aes-256-gcm', k, i);", "crypto.createCipheriv('chacha20-poly1305', k, i);", "crypto.createCipheriv(name, k, i);", "const a = 'aes-128-gcm'; crypto.createCipheriv(a, k, i);", "crypto.createDecipheriv('aes-256-gcm', k, i);",
        "const o = {{ a: 'aes-256-ccm' }}; crypto.createCipheriv(o.a, k, i);", "crypto.createSign('sha256');", "crypto.createCipheriv('aes-256-' + 'gcm', k, i);", "const {{ createCipheriv }} = crypto; createCipheriv('aes-192-gcm', k, i);", "crypto.getCiphers();")]),
}  # fmt: skip

GO_FRAMES = [
    'package app\n\nimport (\n\t"net/http"\n{imports}\n)\n\nfunc handle(w http.ResponseWriter, r *http.Request) {{\n{body}\n}}\n',
    'package app\n\nimport (\n\t"net/http"\n{imports}\n)\n\nfunc init() {{\n\thttp.HandleFunc("/x", func(w http.ResponseWriter, r *http.Request) {{\n{body}\n\t}})\n}}\n',
    'package app\n\nimport (\n\t"net/http"\n{imports}\n)\n\ntype server struct {{ db *sql.DB }}\n\nfunc (s *server) show(w http.ResponseWriter, r *http.Request) {{\n\tdb := s.db\n\t_ = db\n{body}\n}}\n',
]
GO_SOURCES = ['data := r.FormValue("q")', 'data := r.URL.Query().Get("q")', 'data := r.PostFormValue("q")', 'data := r.Header.Get("X-Q")',
              'c, err := r.Cookie("q")\nif err != nil {{\n\treturn\n}}\ndata := c.Value', 'r.ParseForm()\ndata := r.Form["q"][0]', 'data := r.URL.Path[3:]',
              'vals := r.URL.Query()["q"]\ndata := ""\nif len(vals) > 0 {{\n\tdata = vals[0]\n}}', 'body, _ := io.ReadAll(r.Body)\ndata := string(body)']  # fmt: skip
GO_WAYS = [
    ("value := data", 'value := data\nvalue = "fixed"'),
    ('value := "never"\nif 7*18 > 100 {{\n\tvalue = data\n}}', 'value := data\nif 7*18 > 100 {{\n\tvalue = "always"\n}}'),
    ('var value string\nswitch "ABC"[0] {{\ncase \'A\':\n\tvalue = data\ndefault:\n\tvalue = "bob"\n}}', 'var value string\nn := 1\nswitch n {{\ncase 0:\n\tvalue = data\ncase 1:\n\tvalue = "bob"\n}}'),
    ('m := map[string]string{{}}\nm["a"] = "one"\nm["b"] = data\nvalue := m["b"]', 'm := map[string]string{{}}\nm["a"] = "one"\nm["b"] = data\nvalue := m["a"]'),
    ('xs := []string{{"a"}}\nxs = append(xs, data)\nxs = xs[1:]\nvalue := xs[0]', 'xs := []string{{"a"}}\nxs = append(xs, data)\nvalue := xs[0]'),
    ("type pair struct {{ a, b string }}\np := pair{{a: \"x\", b: data}}\nvalue := p.b", "type pair struct {{ a, b string }}\np := pair{{a: \"x\", b: data}}\nvalue := p.a"),
    ("f := func(a, b string) string {{ return b }}\nvalue := f(\"x\", data)", "f := func(a, b string) string {{ return a }}\nvalue := f(\"x\", data)"),
    ("value := strings.TrimSpace(data)", "n, err := strconv.Atoi(data)\nif err != nil {{\n\treturn\n}}\nvalue := strconv.Itoa(n)"),
    ('value := fmt.Sprintf("%s", data)', 'value := fmt.Sprintf("%d", len(data))'),
    ('var b strings.Builder\nb.WriteString(data)\nvalue := b.String()', 'var b strings.Builder\nb.WriteString("fixed")\nvalue := b.String()'),
    ('value := strings.Join([]string{{"", data}}, "")', 'value := strings.Join([]string{{"a", "b"}}, "")'),
    ("raw := base64.StdEncoding.EncodeToString([]byte(data))\nback, _ := base64.StdEncoding.DecodeString(raw)\nvalue := string(back)",
     'ok := map[string]bool{{"a": true, "b": true}}\nif !ok[data] {{\n\treturn\n}}\nvalue := data'),
    ("value := \"\"\nfor _, c := range data {{\n\tvalue += string(c)\n}}", "value := \"\"\nfor range data {{\n\tvalue += \"x\"\n}}"),
    ("parts := strings.Split(data, \",\")\nvalue := parts[0]", "if data != \"a\" && data != \"b\" {{\n\treturn\n}}\nvalue := data"),
    ("ptr := &data\nvalue := *ptr", "switch data {{\ncase \"a\", \"b\":\ndefault:\n\treturn\n}}\nvalue := data"),
    ("var any1 interface{{}} = data\nvalue := any1.(string)", "if !regexp.MustCompile(`^[a-z0-9]+$`).MatchString(data) {{\n\treturn\n}}\nvalue := data"),
    ("value, other := data, \"x\"\n_ = other", "other, value := data, \"x\"\n_ = other"),
    ("func() {{\n}}()\nvalue := strings.ReplaceAll(data, \"x\", \"y\")", "names := map[string]string{{\"a\": \"one\"}}\nvalue := names[data]"),
    ("ch := make(chan string, 1)\nch <- data\nvalue := <-ch", "value := \"no\"\nif data == \"yes\" {{\n\tvalue = \"yes\"\n}}"),
    ("value := data\nif value == \"\" {{\n\tvalue = \"none\"\n}}", "id, err := uuid.Parse(data)\nif err != nil {{\n\treturn\n}}\nvalue := id.String()"),
]  # fmt: skip
_GO_PACKAGES = {"strings.": "strings", "strconv.": "strconv", "fmt.": "fmt", "base64.": "encoding/base64", "io.": "io", "regexp.": "regexp", "uuid.": "github.com/google/uuid",
                "sql.": "database/sql", "exec.": "os/exec", "os.": "os", "filepath.": "path/filepath", "html.": "html", "template.": "html/template", "url.": "net/url", "md5.": "crypto/md5",
                "sha1.": "crypto/sha1", "sha256.": "crypto/sha256", "sha512.": "crypto/sha512", "des.": "crypto/des", "rc4.": "crypto/rc4", "aes.": "crypto/aes", "ldap.": "github.com/go-ldap/ldap/v3",
                "xmlquery.": "github.com/antchfx/xmlquery", "mathrand.": 'math/rand"', "cryptorand.": 'crypto/rand"', "hmac.": "crypto/hmac", "cipher.": "crypto/cipher", "xpath.": "github.com/antchfx/xpath", "tls.": "crypto/tls"}  # fmt: skip
GO_SINKS: dict[str, tuple[int, list[str], list[str]]] = {
    "sql": (89, ['db, _ := sql.Open("x", "y")\ndb.Query("SELECT * FROM t WHERE a = \'" + value + "\'")', 'db, _ := sql.Open("x", "y")\nq := fmt.Sprintf("DELETE FROM t WHERE a = \'%s\'", value)\ndb.Exec(q)',
                 'db, _ := sql.Open("x", "y")\nrow := db.QueryRowContext(r.Context(), "SELECT a FROM t WHERE n = "+value)\n_ = row'],
            ['db, _ := sql.Open("x", "y")\ndb.Query("SELECT * FROM t WHERE a = $1", value)', 'db, _ := sql.Open("x", "y")\nst, _ := db.Prepare("SELECT * FROM t WHERE a = ?")\nst.Query(value)']),
    "command": (78, ['exec.Command("sh", "-c", "ping "+value).Run()', 'exec.Command("bash", "-c", fmt.Sprintf("ls %s", value)).Output()', 'cmd := exec.Command(value)\ncmd.Run()'],
                ['exec.Command("ping", "--", value).Run()', 'cmd := exec.Command("sort")\ncmd.Stdin = strings.NewReader(value)\ncmd.Run()']),
    "path": (22, ['os.ReadFile("/srv/" + value)', 'f, _ := os.Open(filepath.Join("/srv", value))\n_ = f', 'http.ServeFile(w, r, "/srv/"+value)', 'os.Remove(fmt.Sprintf("/srv/%s", value))'],
             ['os.ReadFile("/srv/" + filepath.Base(value))', 'if strings.Contains(value, "..") {{\n\treturn\n}}\nos.Open("/srv/" + value)',
              'full := filepath.Join("/srv", value)\nif !strings.HasPrefix(filepath.Clean(full), "/srv/") {{\n\treturn\n}}\nos.Open(full)',
              'if !filepath.IsLocal(value) {{\n\treturn\n}}\nos.Open(filepath.Join("/srv", value))']),
    "xss": (79, ['fmt.Fprintf(w, "<p>%s</p>", value)', 'w.Write([]byte("<b>" + value + "</b>"))', 'io.WriteString(w, "<i>"+value)', 'fmt.Fprint(w, template.HTML(value))'],
            ['fmt.Fprintf(w, "<p>%s</p>", html.EscapeString(value))', 'w.Write([]byte(template.HTMLEscapeString(value)))', 't := template.Must(template.New("x").Parse("{{{{.}}}}"))\nt.Execute(w, value)',
             'w.Header().Set("Content-Type", "text/plain")\nfmt.Fprint(w, value)']),
    "redirect": (601, ["http.Redirect(w, r, value, http.StatusFound)", 'http.Redirect(w, r, "https://"+value, 302)', 'w.Header().Set("Location", value)\nw.WriteHeader(302)'],
                 ['http.Redirect(w, r, "/item/"+value, 302)', 'u, err := url.Parse(value)\nif err != nil || u.Host != "example.org" {{\n\treturn\n}}\nhttp.Redirect(w, r, value, 302)', 'http.Redirect(w, r, "/", 302)']),
    "ssrf": (918, ["http.Get(value)", 'http.Post("http://"+value, "text/plain", nil)', 'req, _ := http.NewRequest("GET", value, nil)\nhttp.DefaultClient.Do(req)'],
             ['http.Get("https://api.example.org/v1/" + value)', 'u, _ := url.Parse(value)\nif u.Hostname() != "a.example.org" {{\n\treturn\n}}\nhttp.Get(value)']),
    "ldap": (90, ['req := ldap.NewSearchRequest("dc=x", 2, 0, 0, 0, false, fmt.Sprintf("(uid=%s)", value), nil, nil)\n_ = req', 'req := ldap.NewSearchRequest("dc=x", 2, 0, 0, 0, false, "(&(cn="+value+"))", []string{{"dn"}}, nil)\n_ = req'],
             ['req := ldap.NewSearchRequest("dc=x", 2, 0, 0, 0, false, fmt.Sprintf("(uid=%s)", ldap.EscapeFilter(value)), nil, nil)\n_ = req']),
    "xpath": (643, ['doc, _ := xmlquery.Parse(nil)\nxmlquery.Find(doc, "//u[@n=\'"+value+"\']")', 'e, _ := xpath.Compile(fmt.Sprintf("//u[@n=\'%s\']", value))\n_ = e'],
              ['doc, _ := xmlquery.Parse(nil)\nif strings.Contains(value, "\'") {{\n\treturn\n}}\nxmlquery.Find(doc, "//u[@n=\'"+value+"\']")']),
}  # fmt: skip
GO_CONFIGURED: dict[str, tuple[int, list[str], list[str]]] = {
    "hash": (328, ["md5.Sum([]byte(\"x\"))", "h := sha1.New()\nh.Write(nil)", "sha1.Sum(nil)", "h := md5.New()\nio.WriteString(h, \"x\")", "make1 := md5.New\nh := make1()\n_ = h", "mac := hmac.New(md5.New, []byte(\"k\"))\n_ = mac",
                   "mac := hmac.New(sha1.New, nil)\n_ = mac", "fmt.Sprintf(\"%x\", md5.Sum(nil))", "if 2 > 1 {{\n\tsha1.New()\n}}", "h := sha1.New()\ndefer h.Reset()"],
             ["sha256.Sum256([]byte(\"x\"))", "h := sha512.New()\nh.Write(nil)", "sha512.Sum512(nil)", "h := sha256.New()\nio.WriteString(h, \"x\")", "make1 := sha256.New\nh := make1()\n_ = h", "mac := hmac.New(sha256.New, []byte(\"k\"))\n_ = mac",
              "mac := hmac.New(sha512.New, nil)\n_ = mac", "fmt.Sprintf(\"%x\", sha256.Sum256(nil))", "if 2 < 1 {{\n\tsha1.New()\n}}\n_ = sha256.New()", "h := sha256.New224()\ndefer h.Reset()"]),
    "cookie": (614, ["http.SetCookie(w, &http.Cookie{{Name: \"a\", Value: \"b\"}})", "http.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: false}})", "c := http.Cookie{{Name: \"a\", HttpOnly: true}}\nhttp.SetCookie(w, &c)", "s := 1 > 2\nhttp.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: s}})",
                     "c := &http.Cookie{{Name: \"a\"}}\nc.Secure = false\nhttp.SetCookie(w, c)", "w.Header().Set(\"Set-Cookie\", \"a=b; HttpOnly\")", "w.Header().Add(\"Set-Cookie\", \"a=b\")", "c := new(http.Cookie)\nc.Name = \"a\"\nhttp.SetCookie(w, c)",
                     "http.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: !true}})", "c := http.Cookie{{Name: \"a\", Secure: true}}\nc.Secure = false\nhttp.SetCookie(w, &c)"],
               ["http.SetCookie(w, &http.Cookie{{Name: \"a\", Value: \"b\", Secure: true}})", "http.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: r.TLS != nil}})", "c := http.Cookie{{Name: \"a\", HttpOnly: true, Secure: true}}\nhttp.SetCookie(w, &c)", "s := 1 < 2\nhttp.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: s}})",
                "c := &http.Cookie{{Name: \"a\"}}\nc.Secure = true\nhttp.SetCookie(w, c)", "w.Header().Set(\"Set-Cookie\", \"a=b; Secure\")", "w.Header().Add(\"X-Kind\", \"a=b\")", "c := new(http.Cookie)\nc.Name = \"a\"\nc.Secure = true\nhttp.SetCookie(w, c)",
                "http.SetCookie(w, &http.Cookie{{Name: \"a\", Secure: !false}})", "c := http.Cookie{{Name: \"a\", Secure: false}}\nc.Secure = true\nhttp.SetCookie(w, &c)"]),
    "random": (330, ["token := rand.Intn(1000)\nfmt.Fprint(w, token)", "sessionID := fmt.Sprint(rand.Int63())\n_ = sessionID", "password := rand.Perm(8)\n_ = password", "src := rand.New(rand.NewSource(1))\nsecret := src.Intn(9)\n_ = secret", "nonce := rand.Float64()\n_ = nonce",
                     "otp := fmt.Sprintf(\"%06d\", rand.Intn(1000000))\n_ = otp", "http.SetCookie(w, &http.Cookie{{Name: \"id\", Value: fmt.Sprint(rand.Int()), Secure: true}})", "var apiKey string\napiKey = strconv.Itoa(rand.Int())\n_ = apiKey", "salt := make([]byte, 8)\nrand.Read(salt)", "csrfToken := strconv.FormatInt(rand.Int63(), 36)\n_ = csrfToken"],
               ["die := rand.Intn(6)\nfmt.Fprint(w, die)", "delay := rand.Int63()\n_ = delay", "order := rand.Perm(8)\n_ = order", "src := rand.New(rand.NewSource(1))\nx := src.Intn(9)\n_ = x", "jitter := rand.Float64()\n_ = jitter",
                "if rand.Float64() < 0.1 {{\n\tfmt.Println(\"sampled\")\n}}", "http.SetCookie(w, &http.Cookie{{Name: \"id\", Value: \"1\", Secure: true}})", "var colour string\ncolour = []string{{\"a\", \"b\"}}[rand.Intn(2)]\n_ = colour", "rand.Shuffle(3, func(i, j int) {{}})", "token := uuid.New().String()\n_ = token"]),
    "cipher": (327, ["des.NewCipher(nil)", "rc4.NewCipher(nil)", "des.NewTripleDESCipher(nil)", "c, _ := des.NewCipher([]byte(\"k\"))\n_ = c", "b, err := rc4.NewCipher([]byte(\"k\"))\n_, _ = b, err", "new1 := des.NewCipher\nnew1(nil)", "if 2 > 1 {{\n\tdes.NewCipher(nil)\n}}",
                     "_ = &tls.Config{{MinVersion: tls.VersionTLS10}}", "c := &tls.Config{{CipherSuites: []uint16{{tls.TLS_RSA_WITH_RC4_128_SHA}}}}\n_ = c", "_ = tls.Config{{MinVersion: tls.VersionSSL30}}"],
               ["aes.NewCipher(nil)", "b, _ := aes.NewCipher(nil)\ncipher.NewGCM(b)", "b, _ := aes.NewCipher(nil)\ncipher.NewCTR(b, nil)", "c, _ := aes.NewCipher([]byte(\"k\"))\n_ = c", "b, err := aes.NewCipher([]byte(\"k\"))\n_, _ = b, err", "new1 := aes.NewCipher\nnew1(nil)", "if 2 < 1 {{\n\tdes.NewCipher(nil)\n}}",
                "_ = &tls.Config{{MinVersion: tls.VersionTLS12}}", "c := &tls.Config{{}}\n_ = c", "_ = tls.Config{{MinVersion: tls.VersionTLS13, InsecureSkipVerify: false}}"]),
}  # fmt: skip

RUST_FRAMES = [
    '{imports}\nuse axum::extract::Query;\n\nasync fn show(Query(q): Query<Params>) -> String {{\n    let data = q.name;\n    {body}\n    "done".to_string()\n}}\n',
    "{imports}\nuse actix_web::{{web, HttpResponse}};\n\nasync fn show(info: web::Query<Info>) -> HttpResponse {{\n    let data = info.name.clone();\n    {body}\n    HttpResponse::Ok().finish()\n}}\n",
    "{imports}\nuse axum::extract::Path;\n\npub async fn show(Path(data): Path<String>) -> Result<(), Error> {{\n    {body}\n    Ok(())\n}}\n",
    "{imports}\nuse actix_web::HttpRequest;\n\nfn show(req: HttpRequest) -> String {{\n    let data = req.query_string().to_string();\n    {body}\n    String::new()\n}}\n",
]
RUST_WAYS = [
    ("let value = data;", "let value = data; let value = \"fixed\".to_string();"),
    ("let mut value = String::new(); if 7 * 18 > 100 {{ value = data; }}", "let mut value = data; if 7 * 18 > 100 {{ value = String::from(\"always\"); }}"),
    ("let value = if 3 > 4 {{ \"never\".to_string() }} else {{ data }};", "let value = if 4 > 3 {{ \"always\".to_string() }} else {{ data }};"),
    ("let value = match 1 {{ 1 => data, _ => String::new() }};", "let value = match 2 {{ 1 => data, _ => String::new() }};"),
    ("let xs = vec![String::from(\"a\"), data]; let value = xs[1].clone();", "let xs = vec![String::from(\"a\"), data]; let value = xs[0].clone();"),
    ("let (_a, value) = (\"a\", data);", "let (value, _b) = (\"a\", data);"),
    ("struct P {{ a: String, b: String }} let p = P {{ a: String::new(), b: data }}; let value = p.b;", "struct P {{ a: String, b: String }} let p = P {{ a: String::new(), b: data }}; let value = p.a;"),
    ("let same = |x: String| x; let value = same(data);", "let other = |_x: String| String::from(\"fixed\"); let value = other(data);"),
    ("let value = data.trim().to_string();", "let n: i64 = data.parse().unwrap_or(0); let value = n.to_string();"),
    ("let value = format!(\"{{}}\", data);", "let value = format!(\"{{}}\", data.len());"),
    ("let mut value = String::new(); value.push_str(&data);", "let mut value = String::new(); value.push_str(\"fixed\");"),
    ("let value = data.split(',').next().unwrap().to_string();", "if data != \"a\" && data != \"b\" {{ return Default::default(); }} let value = data;"),
    ("let mut m = HashMap::new(); m.insert(\"a\", String::new()); m.insert(\"b\", data); let value = m[\"b\"].clone();", "let mut m = HashMap::new(); m.insert(\"a\", String::new()); m.insert(\"b\", data); let value = m[\"a\"].clone();"),
    ("let value = Some(data).unwrap_or_default();", "let value = match data.as_str() {{ \"a\" => \"one\", _ => \"two\" }};"),
    ("let value: String = data.chars().collect();", "if ![\"a\", \"b\"].contains(&data.as_str()) {{ return Default::default(); }} let value = data;"),
    ("let held = &data; let value = held.clone();", "let value = if data.is_empty() {{ \"no\" }} else {{ \"yes\" }};"),
    ("let value = [\"\".to_string(), data].concat();", "if !data.chars().all(|c| c.is_alphanumeric()) {{ return Default::default(); }} let value = data;"),
    ("let mut value = String::new(); for c in data.chars() {{ value.push(c); }}", "let mut value = String::new(); for _c in data.chars() {{ value.push('x'); }}"),
    ("fn keep(x: String) -> String {{ x }} let value = keep(data);", "fn lose(_x: String) -> String {{ String::from(\"fixed\") }} let value = lose(data);"),
    ("let value = data.replace(\"x\", \"y\");", "let n = data.len() % 3; let value = [\"a\", \"b\", \"c\"][n];"),
]  # fmt: skip
RUST_SINKS: dict[str, tuple[int, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "sql": (89, [("use rusqlite::Connection;", "let conn = Connection::open(\"a\").unwrap(); conn.execute(&format!(\"DELETE FROM t WHERE a = '{{}}'\", value), []).unwrap();"),
                 ("", "sqlx::query(&format!(\"SELECT * FROM t WHERE a = '{{}}'\", value)).fetch_all(&pool).await;"), ("", "let sql = String::from(\"SELECT * FROM t WHERE a = \") + &value; client.query(&sql, &[]).await;"),
                 ("", "diesel::sql_query(format!(\"DELETE FROM t WHERE n = '{{value}}'\")).execute(&mut conn);")],
            [("use rusqlite::Connection;", "let conn = Connection::open(\"a\").unwrap(); conn.execute(\"DELETE FROM t WHERE a = ?1\", [value]).unwrap();"), ("", "sqlx::query(\"SELECT * FROM t WHERE a = $1\").bind(value).fetch_all(&pool).await;")]),
    "command": (78, [("use std::process::Command;", "Command::new(\"sh\").arg(\"-c\").arg(format!(\"ls {{}}\", value)).output();"), ("use std::process::Command;", "let mut c = Command::new(\"bash\"); c.arg(\"-c\"); c.arg(&value); c.spawn();"),
                     ("use std::process::Command;", "Command::new(value).spawn();"), ("", "tokio::process::Command::new(\"sh\").args([\"-c\", &value]).output().await;")],
                [("use std::process::Command;", "Command::new(\"ls\").arg(\"--\").arg(value).output();"), ("use std::process::Command;", "Command::new(\"ping\").args([\"-c\", \"1\", &value]).output();")]),
    "path": (22, [("use std::fs;", "fs::read_to_string(format!(\"/srv/{{}}\", value));"), ("use std::fs::File;", "let f = File::open(\"/srv/\".to_string() + &value);"), ("use std::path::Path as P;", "let p = P::new(\"/srv\").join(&value); std::fs::remove_file(p);"),
                  ("", "tokio::fs::read(format!(\"/srv/{{value}}\")).await;")],
             [("use std::fs;", "if value.contains(\"..\") {{ return Default::default(); }} fs::read(format!(\"/srv/{{}}\", value));"), ("use std::path::Path as P;", "let name = P::new(&value).file_name().unwrap(); std::fs::read(P::new(\"/srv\").join(name));"),
              ("use std::path::Path as P;", "let p = P::new(\"/srv\").join(&value).canonicalize().unwrap(); if !p.starts_with(\"/srv\") {{ return Default::default(); }} std::fs::read(p);")]),
    "redirect": (601, [("use axum::response::Redirect;", "return Redirect::to(&value);"), ("", "let r = HttpResponse::Found().append_header((\"Location\", value)).finish();"), ("use axum::response::Redirect;", "let r = Redirect::temporary(&format!(\"https://{{}}\", value));")],
                 [("use axum::response::Redirect;", "let r = Redirect::to(&format!(\"/item/{{}}\", value));"), ("use axum::response::Redirect;", "let r = Redirect::to(\"/\");")]),
    "ssrf": (918, [("", "let r = reqwest::get(&value).await;"), ("", "let r = reqwest::Client::new().get(format!(\"http://{{}}/x\", value)).send().await;"), ("", "let r = reqwest::blocking::get(value);")],
             [("", "let r = reqwest::get(format!(\"https://api.example.org/v1/{{}}\", value)).await;"), ("", "let r = reqwest::Client::new().get(\"https://api.example.org\").query(&[(\"q\", value)]).send().await;")]),
    "xss": (79, [("use axum::response::Html;", "let r = Html(format!(\"<p>{{}}</p>\", value));"), ("", "let r = HttpResponse::Ok().content_type(\"text/html\").body(format!(\"<b>{{}}</b>\", value));"), ("use axum::response::Html;", "let page = \"<i>\".to_string() + &value; let r = Html(page);")],
            [("use axum::response::Html;", "let r = Html(format!(\"<p>{{}}</p>\", html_escape::encode_text(&value)));"), ("", "let r = HttpResponse::Ok().json(value);"), ("", "let r = HttpResponse::Ok().content_type(\"text/plain\").body(value);")]),
}  # fmt: skip
RUST_CONFIGURED: dict[str, tuple[int, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "hash": (328, [("use md5;", "let d = md5::compute(b\"x\");"), ("use sha1::{{Sha1, Digest}};", "let mut h = Sha1::new(); h.update(b\"x\");"), ("use md5::{{Md5, Digest}};", "let h = Md5::digest(b\"x\");"), ("use sha1::Digest;", "let h = sha1::Sha1::digest(b\"x\");"),
                   ("use openssl::hash::{{hash, MessageDigest}};", "hash(MessageDigest::md5(), b\"x\");"), ("", "let h = md5::Md5::new();"), ("use ring::digest;", "digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b\"x\");"), ("use md5 as weak;", "let d = weak::compute(b\"x\");"),
                   ("use sha1::{{Sha1 as H, Digest}};", "let h = H::new();"), ("use openssl::hash::MessageDigest;", "let d = MessageDigest::sha1();")],
             [("use sha2::{{Sha256, Digest}};", "let mut h = Sha256::new(); h.update(b\"x\");"), ("use sha2::Digest;", "let h = sha2::Sha512::digest(b\"x\");"), ("", "let h = blake3::hash(b\"x\");"), ("use openssl::hash::{{hash, MessageDigest}};", "hash(MessageDigest::sha256(), b\"x\");"),
              ("use ring::digest;", "digest::digest(&digest::SHA256, b\"x\");"), ("use sha3::{{Sha3_256, Digest}};", "let h = Sha3_256::new();"), ("", "let md5 = \"abc\"; println!(\"{{}}\", md5);"), ("use sha2::{{Sha384 as H, Digest}};", "let h = H::new();"),
              ("", "let a = argon2::Argon2::default();"), ("", "let sha1 = lookup(\"x\");")]),
}  # fmt: skip


def _case(language: str, category: str, cwe: int, name: str, text: str, label: bool) -> Case:
    ending = {"javascript": "js", "typescript": "ts", "go": "go", "rust": "rs"}[language]
    return Case(
        f"{language}-{category}-{name}-{'bad' if label else 'good'}",
        category,
        cwe,
        language,
        {f"app.{ending}": text},
        label,
    )


def _mixed(ways: int, bad: int, good: int, shift: int) -> Iterator[tuple[int, bool, int, bool]]:
    """(way, kept, sink, vulnerable): each way once vulnerable, and once harmless by the way or by the sink."""
    for way in range(ways):
        yield way, True, (way * 5 + shift) % bad, True
        yield (way, False, (way * 3 + shift) % bad, False) if way % 3 else (way, True, (way // 3 + shift) % good, False)


def _script_cases(language: str, frames: list[str]) -> Iterator[Case]:
    for shift, (category, (cwe, bad, good)) in enumerate(SCRIPT_SINKS.items()):
        for way, kept, at, label in _mixed(len(SCRIPT_WAYS), len(bad), len(good), shift):
            imports, sink = (bad if label or not kept else good)[at]
            source = SCRIPT_SOURCES[(way * 3 + shift) % len(SCRIPT_SOURCES)]
            body = f"{source}\n  {SCRIPT_WAYS[way][0 if kept else 1]}\n  {sink}"
            text = frames[(way + shift) % len(frames)].format(imports=imports.format(), body=body.format())
            yield _case(language, category, cwe, f"{way}", text, label)
    for category, (cwe, bad, good) in SCRIPT_CONFIGURED.items():
        for label, rows in ((True, bad), (False, good)):
            for at, (imports, body) in enumerate(rows):
                text = frames[at % len(frames)].format(imports=imports.format(), body=body.format())
                yield _case(language, category, cwe, f"c{at}", text, label)


def _go_text(frame: str, body: str) -> str:
    text = body.format()
    imports = "".join(f'\t"{path}"\n' for mark, path in _GO_PACKAGES.items() if mark in text and not path.endswith('"'))
    if "rand." in text:
        imports += '\t"math/rand"\n'
    return frame.format(imports=imports, body="\n".join(f"\t{line}" for line in text.split("\n")))


def _go_cases() -> Iterator[Case]:
    for shift, (category, (cwe, bad, good)) in enumerate(GO_SINKS.items()):
        for way, kept, at, label in _mixed(len(GO_WAYS), len(bad), len(good), shift):
            sink = (bad if label or not kept else good)[at]
            source = GO_SOURCES[(way * 2 + shift) % len(GO_SOURCES)]
            text = _go_text(GO_FRAMES[(way + shift) % 3], f"{source}\n{GO_WAYS[way][0 if kept else 1]}\n{sink}")
            yield _case("go", category, cwe, f"{way}", text, label)
    for category, (cwe, bad, good) in GO_CONFIGURED.items():
        for label, rows in ((True, bad), (False, good)):
            for at, body in enumerate(rows):
                yield _case("go", category, cwe, f"c{at}", _go_text(GO_FRAMES[at % 2], body), label)


def _rust_cases() -> Iterator[Case]:
    for shift, (category, (cwe, bad, good)) in enumerate(RUST_SINKS.items()):
        for way, kept, at, label in _mixed(len(RUST_WAYS), len(bad), len(good), shift):
            imports, sink = (bad if label or not kept else good)[at]
            body = f"{RUST_WAYS[way][0 if kept else 1]}\n    {sink}".format()
            text = RUST_FRAMES[(way + shift) % 4].format(imports=imports.format(), body=body)
            yield _case("rust", category, cwe, f"{way}", text, label)
    for category, (cwe, bad, good) in RUST_CONFIGURED.items():
        for label, rows in ((True, bad), (False, good)):
            for at, (imports, body) in enumerate(rows):
                yield _case(
                    "rust",
                    category,
                    cwe,
                    f"c{at}",
                    f"{imports.format()}\nfn show() {{\n    {body.format()}\n}}\n",
                    label,
                )


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _script_cases("javascript", SCRIPT_FRAMES)
    yield from _script_cases("typescript", TYPED_FRAMES)
    yield from _go_cases()
    yield from _rust_cases()
