"""Labelled twins for the review rules: each vulnerable program has a harmless one that differs in one thing.

A case is source + way + sink. Ways are what happens to the data between the two: half of them lose it (a constant
condition, another element, another key, a check, a conversion), half keep it. Labels follow from the way and from the
sink's own harmless form. Everything is general Python web code (Flask, Django, FastAPI, WSGI) and the same in
JavaScript, Go and Rust where the sink exists.
"""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Case(NamedTuple):
    """One labelled program."""

    name: str
    category: str
    cwe: int
    language: str
    files: dict[str, str]
    vulnerable: bool


SOURCES = {
    "args": ("import flask\n", "data = flask.request.args.get('q', '')"),
    "form": ("from flask import request\n", "data = request.form['q']"),
    "header": ("from flask import request\n", "data = request.headers.get('X-Q')"),
    "cookie": ("from flask import request\n", "data = request.cookies.get('q', 'none')"),
    "list": ("from flask import request\n", "found = request.args.getlist('q')\n    data = found[0] if found else ''"),
    "names": ("from flask import request\n", "data = ''\n    for name in request.form.keys():\n        data = name"),
    "query": ("from flask import request\n",
              "raw = request.query_string.decode()\n    at = raw.find('q=')\n    data = raw[at + 2:]"),
    "path": ("from flask import request\nimport urllib.parse\n", "data = urllib.parse.unquote(request.path.split('/')[2])"),
}  # fmt: skip
"""{name: (imports, statements that bind `data`)}"""

KEEPING = {
    "straight": "value = data",
    "constant_if": "size = 12\n    if size * 3 > 30:\n        value = data\n    else:\n        value = 'fixed'",
    "choice": "limit = 90\n    value = 'fixed' if limit + 5 > 200 else data",
    "second_element": "box = ['fixed', data, 'other']\n    box.pop(0)\n    value = box[0]",
    "key": "table = {'a': 'fixed'}\n    table['b'] = data\n    value = table['b']",
    "config": "import configparser\n    conf = configparser.ConfigParser()\n    conf.add_section('s')\n"
              "    conf.set('s', 'one', 'fixed')\n    conf.set('s', 'two', data)\n    value = conf.get('s', 'two')",
    "match": "letter = 'XYZ'[1]\n    match letter:\n        case 'X':\n            value = 'fixed'\n        case 'Y':\n"
             "            value = data\n        case _:\n            value = 'other'",
    "wrong_branch": "if data in {'a', 'b'}:\n        value = 'a'\n    else:\n        value = data",
    "field": "import types\n    both = types.SimpleNamespace(one='fixed', two=data)\n    value = both.two",
    "encoded": "import base64\n    value = base64.b64decode(base64.b64encode(data.encode())).decode()",
    "helper": "value = passed_on(data)",
    "object": "value = Holder(data, 'fixed').first()",
    "formatted": "value = '{}'.format(data)",
    "cut": "whole = f'abc{data}xyz'\n    value = whole[3:-3]",
}  # fmt: skip
LOSING = {
    "overwritten": "value = data\n    value = 'fixed'",
    "constant_if": "size = 12\n    if size * 3 > 90:\n        value = data\n    else:\n        value = 'fixed'",
    "choice": "limit = 90\n    value = 'fixed' if limit + 205 > 200 else data",
    "other_element": "box = ['fixed', data, 'other']\n    box.pop(0)\n    value = box[1]",
    "other_key": "table = {'a': 'fixed'}\n    table['b'] = data\n    value = table['a']",
    "config": "import configparser\n    conf = configparser.ConfigParser()\n    conf.add_section('s')\n"
              "    conf.set('s', 'one', 'fixed')\n    conf.set('s', 'two', data)\n    value = conf.get('s', 'one')",
    "match": "letter = 'XYZ'[0]\n    match letter:\n        case 'X':\n            value = 'fixed'\n        case 'Y':\n"
             "            value = data\n        case _:\n            value = data",
    "allowed": "if data not in ('a', 'b'):\n        return 'no'\n    value = data",
    "either_allowed": "if data in {'a', 'b'}:\n        value = data\n    else:\n        value = 'a'",
    "fallback": "value = data\n    if value not in frozenset(('a', 'b')):\n        value = 'a'",
    "other_field": "import types\n    both = types.SimpleNamespace(one='fixed', two=data)\n    value = both.one",
    "looked_up": "value = {'a': 'one', 'b': 'two'}.get(data, 'one')",
    "helper": "value = replaced(data)",
    "object": "value = Holder(data, 'fixed').second()",
    "digits": "if not data.isdigit():\n        return 'no'\n    value = data",
}  # fmt: skip
HELPERS = {
    "helpers.py": (
        "def passed_on(x):\n    y = x\n    return y\n\n\ndef replaced(x):\n    y = [x, 'fixed']\n    return y[1]\n\n\n"
        "class Holder:\n    def __init__(self, a, b):\n        self.a = a\n        self.b = b\n\n"
        "    def first(self):\n        return self.a\n\n    def second(self):\n        return self.b\n"
    )
}

# {category: (cwe, [(imports, vulnerable sink)], [(imports, harmless sink)])}; the sinks use `value`.
SINKS: dict[str, tuple[int, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "command": (78, [
        ("import os", "os.system('ping ' + value)"),
        ("import subprocess", "subprocess.run(f'ping {value}', shell=True)"),
        ("import subprocess", "argv = ['sh', '-c', f'echo {value}']\n    subprocess.Popen(argv)"),
    ], [
        ("import subprocess", "subprocess.run(['ping', '--', value])"),
        ("import os, shlex", "os.system('ping ' + shlex.quote(value))"),
    ]),
    "code": (94, [
        ("", "result = eval(value)"), ("", "exec(f\"x = '{value}'\")"),
    ], [
        ("import ast", "result = ast.literal_eval(value)"),
        ("", "if \"'\" in value[1:-1] or not value.startswith(\"'\") or not value.endswith(\"'\"):\n"
             "        return 'no'\n    exec(f'x = {value}')"),
    ]),
    "sql": (89, [
        ("import sqlite3", "cur = sqlite3.connect('d').cursor()\n    cur.execute(f\"SELECT * FROM t WHERE a = '{value}'\")"),
        ("import db", "con = db.open()\n    con.execute('SELECT * FROM t WHERE a = ' + value)"),
    ], [
        ("import sqlite3", "cur = sqlite3.connect('d').cursor()\n    cur.execute('SELECT * FROM t WHERE a = ?', (value,))"),
        ("import db", "con = db.open()\n    con.execute(f'SELECT * FROM t WHERE a = {int(value)}')"),
    ]),
    "path": (22, [
        ("import os", "open(os.path.join('/data', value)).read()"),
        ("import pathlib", "(pathlib.Path('/data') / value).read_text()"),
        ("import codecs", "codecs.open(f'/data/{value}', 'r', 'utf-8')"),
    ], [
        ("import os", "open(os.path.join('/data', os.path.basename(value))).read()"),
        ("import pathlib", "base = pathlib.Path('/data').resolve()\n    p = (base / value).resolve()\n"
                           "    if not str(p).startswith(str(base)):\n        return 'no'\n    p.read_text()"),
    ]),
    "xss": (79, [
        ("", "return '<p>' + value + '</p>'"), ("import flask", "return flask.make_response(f'<b>{value}</b>')"),
        ("", "page = 'a'\n    page += f'<i>{value}</i>'\n    return page"),
    ], [
        ("import html", "return '<p>' + html.escape(value) + '</p>'"),
        ("import flask", "return flask.jsonify({'v': value})"),
        ("import markupsafe", "return f'<b>{markupsafe.escape(value)}</b>'"),
    ]),
    "ldap": (90, [
        ("import ldap3", "con = ldap3.Connection('s')\n    con.search('dc=x', f'(&(objectclass=person)(uid={value}))')"),
        ("import ldap3", "con = ldap3.Connection('s')\n    con.search(search_base='dc=x', search_filter='(cn=' + value + ')')"),
    ], [
        ("import ldap3\nfrom ldap3.utils.conv import escape_filter_chars",
         "con = ldap3.Connection('s')\n    con.search('dc=x', f'(uid={escape_filter_chars(value)})')"),
    ]),
    "xpath": (643, [
        ("import lxml.etree", "doc = lxml.etree.parse('u.xml')\n    doc.xpath(f\"/a/b[@n='{value}']\")"),
        ("import elementpath, lxml.etree",
         "doc = lxml.etree.parse('u.xml')\n    elementpath.select(doc, \"//b[@n='\" + value + \"']\")"),
    ], [
        ("import lxml.etree", "doc = lxml.etree.parse('u.xml')\n    doc.xpath('/a/b[@n=$n]', n=value)"),
        ("import lxml.etree", "doc = lxml.etree.parse('u.xml')\n    safe = value.replace(\"'\", '&apos;')\n"
                              "    doc.xpath(f\"/a/b[@n='{safe}']\")"),
        ("import lxml.etree", "doc = lxml.etree.parse('u.xml')\n    if \"'\" in value:\n        return 'no'\n"
                              "    doc.xpath(f\"/a/b[@n='{value}']\")"),
    ]),
    "deserialise": (502, [
        ("import pickle, base64", "pickle.loads(base64.urlsafe_b64decode(value))"),
        ("import yaml", "yaml.load(value, Loader=yaml.Loader)"), ("import yaml", "yaml.unsafe_load(value)"),
    ], [
        ("import json", "json.loads(value)"), ("import yaml", "yaml.safe_load(value)"),
        ("import yaml", "yaml.load(value, Loader=yaml.SafeLoader)"),
    ]),
    "redirect": (601, [
        ("import flask", "return flask.redirect(value)"), ("from flask import redirect", "return redirect('//' + value)"),
    ], [
        ("import flask", "return flask.redirect('/item/' + value)"),
        ("import flask, urllib.parse", "u = urllib.parse.urlparse(value)\n    if u.netloc not in ('example.org',):\n"
                                       "        return 'no'\n    return flask.redirect(value)"),
    ]),
    "trust": (501, [
        ("import flask", "flask.session['user'] = value"), ("import flask", "flask.session[value] = '1'"),
    ], [("import flask", "flask.session['n'] = int(value)")]),
    "xxe": (611, [
        ("import lxml.etree", "p = lxml.etree.XMLParser(resolve_entities=True)\n    lxml.etree.fromstring(value, p)"),
        ("import xml.sax, xml.sax.handler, io",
         "p = xml.sax.make_parser()\n    p.setFeature(xml.sax.handler.feature_external_ges, True)\n"
         "    p.parse(io.StringIO(value))"),
        ("import xml.dom.minidom, xml.sax, xml.sax.handler",
         "p = xml.sax.make_parser()\n    p.setFeature(xml.sax.handler.feature_external_ges, True)\n"
         "    xml.dom.minidom.parseString(value, p)"),
    ], [
        ("import lxml.etree", "p = lxml.etree.XMLParser(resolve_entities=False)\n    lxml.etree.fromstring(value, p)"),
        ("import xml.sax, xml.sax.handler, io",
         "p = xml.sax.make_parser()\n    p.setFeature(xml.sax.handler.feature_external_ges, False)\n"
         "    p.parse(io.StringIO(value))"),
        ("import xml.dom.minidom", "xml.dom.minidom.parseString(value)"),
    ]),
    "ssrf": (918, [
        ("import requests", "requests.get(value)"),
        ("import urllib.request", "urllib.request.urlopen('http://' + value + '/x').read()"),
    ], [("import requests", "requests.get('https://api.example.org/i/' + value)")]),
    "template": (1336, [
        ("import flask", "return flask.render_template_string('<p>' + value + '</p>')"),
        ("import jinja2", "return jinja2.Template(value).render()"),
    ], [("import flask", "return flask.render_template_string('<p>{{ v }}</p>', v=value)")]),
}  # fmt: skip


def _handler(imports: str, body: str) -> str:
    return (
        f"{imports}\nfrom helpers import passed_on, replaced, Holder\nfrom flask import Flask\napp = Flask(__name__)\n\n\n"
        f"@app.route('/x', methods=['GET', 'POST'])\ndef view():\n    {body}\n    return 'done'\n"
    )


def flow_cases() -> Iterator[Case]:
    """Data flow, 24 ways with the vulnerable sinks and 6 with the harmless ones, a category."""
    for category, (cwe, bad, good) in SINKS.items():
        for ways, vulnerable in ((KEEPING, True), (LOSING, False)):
            for at, (way, steps) in enumerate(ways.items()):
                source, (imports, read) = list(SOURCES.items())[at % len(SOURCES)]
                needs, sink = bad[at % len(bad)]
                text = _handler(f"{imports}{needs}", f"{read}\n    {steps}\n    {sink}")
                name = f"{category}-{source}-{way}-{'bad' if vulnerable else 'good'}"
                yield Case(name, category, cwe, "python", {"app.py": text, **HELPERS}, vulnerable)
        for at, (source, (imports, read)) in enumerate(list(SOURCES.items())[:6]):
            needs, sink = good[at % len(good)]
            text = _handler(f"{imports}{needs}", f"{read}\n    value = data\n    {sink}")
            yield Case(f"{category}-{source}-harmless", category, cwe, "python", {"app.py": text, **HELPERS}, False)


CONFIGURED: dict[str, tuple[int, list[str], list[str]]] = {
    "hash": (328, [
        "import hashlib\nh = hashlib.md5(b'x')", "import hashlib\nh = hashlib.sha1()\nh.update(b'x')",
        "import hashlib\nNAME = 'md5'\nh = hashlib.new(NAME)", "import hashlib\nn = 'SHA1'\nh = hashlib.new(n.lower(), b'x')",
        "import hashlib\nmake = hashlib.md5\nh = make(b'x')", "from hashlib import sha1\nprint(sha1(b'x').hexdigest())",
        "import hashlib\nTABLE = {'a': 'md5', 'b': 'sha256'}\nh = hashlib.new(TABLE['a'])",
        "import hashlib\ndef name():\n    return 'md5'\nh = hashlib.new(name())",
        "import hashlib\nh = hashlib.new('sha256' if 3 > 4 else 'sha1')",
        "from cryptography.hazmat.primitives import hashes\nd = hashes.Hash(hashes.MD5())",
    ], [
        "import hashlib\nh = hashlib.sha256(b'x')", "import hashlib\nh = hashlib.sha512()\nh.update(b'x')",
        "import hashlib\nNAME = 'sha384'\nh = hashlib.new(NAME)", "import hashlib\nh = hashlib.blake2b(b'x')",
        "import hashlib\nmake = hashlib.sha3_256\nh = make(b'x')", "from hashlib import scrypt\nscrypt(b'x', salt=b's', n=2, r=1, p=1)",
        "import hashlib\nTABLE = {'a': 'md5', 'b': 'sha256'}\nh = hashlib.new(TABLE['b'])",
        "import hashlib\nh = hashlib.md5(b'x', usedforsecurity=False)",
        "import hashlib\nh = hashlib.new('sha256' if 3 < 4 else 'sha1')",
        "from cryptography.hazmat.primitives import hashes\nd = hashes.Hash(hashes.SHA256())",
    ]),
    "random": (330, [
        "import random\ntoken = random.randint(1, 9)", "import random\npassword = str(random.random())",
        "import random, flask\ndef f():\n    flask.session['id'] = random.getrandbits(64)",
        "import random\ndef f(r):\n    k = str(random.randrange(9**9))\n    r.set_cookie('remember', k, secure=True)",
        "import random\ndef session_id():\n    session_id = hex(random.getrandbits(32))\n    return session_id",
        "import random\napi_key = ''.join(random.choice('abc') for _ in range(20))",
        "import random\nr = random.Random()\nsecret = r.randint(1, 5)", "import random\nnonce = random.uniform(0, 1)",
        "import random\ndef f(d):\n    d['token'] = random.random()", "import random\notp = '%06d' % random.randrange(10**6)",
    ], [
        "import secrets\ntoken = secrets.randbelow(9)", "import secrets\npassword = secrets.token_urlsafe(12)",
        "import random, flask\ndef f():\n    flask.session['id'] = random.SystemRandom().getrandbits(64)",
        "import secrets\ndef f(r):\n    r.set_cookie('remember', secrets.token_hex(8), secure=True)",
        "import uuid\ndef f():\n    session_id = uuid.uuid4()\n    return session_id", "import random\ncolour = random.choice(['a', 'b'])",
        "import random\nr = random.SystemRandom()\nsecret = r.randint(1, 5)", "import random\ndelay = random.uniform(0, 1)",
        "import os\ndef f(d):\n    d['token'] = os.urandom(16)", "import random\ndef shuffle(cards):\n    random.shuffle(cards)",
    ]),
    "cookie": (614, [
        f"import flask\ndef f():\n    r = flask.make_response('x')\n    {call}\n    return r" for call in (
            "r.set_cookie('a', 'b')", "r.set_cookie('a', 'b', secure=False)", "r.set_cookie('a', 'b', httponly=True)",
            "flag = False\n    r.set_cookie('a', 'b', secure=flag)", "r.set_cookie('a', 'b', max_age=3, path='/')",
            "r.set_cookie(key='a', value='b')", "r.set_cookie('a', 'b', secure=1 > 2)",
            "o = {'secure': False}\n    r.set_cookie('a', 'b', **o)", "r.set_cookie('a', 'b', secure=not True)",
            "flags = [True, False]\n    r.set_cookie('a', 'b', secure=flags[1])")
    ], [
        f"import flask\ndef f():\n    r = flask.make_response('x')\n    {call}\n    return r" for call in (
            "r.set_cookie('a', 'b', secure=True)", "r.set_cookie('a', 'b', secure=True, httponly=True)",
            "flag = True\n    r.set_cookie('a', 'b', secure=flag)", "r.delete_cookie('a')",
            "r.set_cookie(key='a', value='b', secure=True)", "r.set_cookie('a', 'b', secure=2 > 1)",
            "o = {'secure': True}\n    r.set_cookie('a', 'b', **o)", "r.set_cookie('a', 'b', secure=not False)",
            "r.set_cookie('a', 'b', secure=flask.current_app.config['S'])",
            "flags = [True, False]\n    r.set_cookie('a', 'b', secure=flags[0])")
    ]),
    "cipher": (327, [
        "from Crypto.Cipher import DES\nc = DES.new(b'k', DES.MODE_CBC)", "from Crypto.Cipher import ARC4\nc = ARC4.new(b'k')",
        "from Crypto.Cipher import AES\nc = AES.new(b'k', AES.MODE_ECB)", "from Crypto.Cipher import DES3\nc = DES3.new(b'k', 2)",
        "from Crypto.Cipher import Blowfish\nc = Blowfish.new(b'k', 2)", "from Cryptodome.Cipher import ARC2\nc = ARC2.new(b'k', 2)",
        "from cryptography.hazmat.primitives.ciphers import algorithms\na = algorithms.TripleDES(b'k')",
        "from cryptography.hazmat.primitives.ciphers import algorithms as al\na = al.Blowfish(b'k')",
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\nc = Cipher(algorithms.AES(b'k'), modes.ECB())",
        "import Crypto.Cipher.AES as A\nmode = A.MODE_ECB\nc = A.new(b'k', mode)",
    ], [
        "from Crypto.Cipher import AES\nc = AES.new(b'k', AES.MODE_GCM)", "from Crypto.Cipher import ChaCha20\nc = ChaCha20.new(key=b'k')",
        "from Crypto.Cipher import AES\nc = AES.new(b'k', AES.MODE_EAX)", "from cryptography.fernet import Fernet\nf = Fernet(b'k')",
        "from nacl.secret import SecretBox\nb = SecretBox(b'k')", "from Crypto.Cipher import AES\nc = AES.new(b'k', AES.MODE_SIV)",
        "from cryptography.hazmat.primitives.ciphers import algorithms\na = algorithms.AES(b'k')",
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\na = AESGCM(b'k')",
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\nc = Cipher(algorithms.AES(b'k'), modes.GCM(b'i'))",
        "import Crypto.Cipher.AES as A\nmode = A.MODE_GCM\nc = A.new(b'k', mode)",
    ]),
    "secret": (798, [
        f"{line}" for line in (
            "password = 'xK9-vv2!q'", "API_KEY = 'a81f0c77d2e9'", "connect(password='t0p5ecret!')", "c = {'token': 'a8f0-11c7-d2e9'}",
            "def f(secret='p4ssphr4se!'):\n    return secret", "class C:\n    db_password = 'Q1w2e3r4'",
            "def f(self):\n    self.api_key = 'zz9-plural-Z-alpha1'", "if password == 'Sw0rdf1sh':\n    ok()",
            "config['SECRET_KEY'] = 'x7!kk2p0'", "access_token = b'00ff12ab34cd'")
    ], [
        f"{line}" for line in (
            "import os\npassword = os.environ['P']", "API_KEY = ''", "connect(password=read())", "c = {'token': None}",
            "def f(secret=None):\n    return secret", "class C:\n    password_label = 'Your password'",
            "def f(self, key):\n    self.api_key = key", "if password == other:\n    ok()",
            "config['SECRET_KEY'] = get('SECRET_KEY')", "token_type = 'bearer'")
    ]),
}  # fmt: skip


def configured_cases() -> Iterator[Case]:
    """Algorithms, flags and literals."""
    for category, (cwe, bad, good) in CONFIGURED.items():
        for vulnerable, texts in ((True, bad), (False, good)):
            for at, text in enumerate(texts):
                name = f"{category}-{at}-{'bad' if vulnerable else 'good'}"
                yield Case(name, category, cwe, "python", {"app.py": text + "\n"}, vulnerable)


OTHER_SOURCES = {
    "javascript": ("app.get('/x', async (req, res) => {{\n  const data = req.query.q;\n  {body}\n}});\n", "app.js"),
    "typescript": ("app.get('/x', async (req: Request, res: any) => {{\n  const data = req.body.q;\n  {body}\n}});\n", "app.ts"),
    "go": ("package app\n\n{imports}\n\nfunc h(w http.ResponseWriter, r *http.Request) {{\n\tdata := r.FormValue(\"q\")\n\t{body}\n}}\n",
           "app.go"),
    "rust": ("{imports}\nasync fn h(q: Query<Params>) {{\n    let data = q.name;\n    {body}\n}}\n", "app.rs"),
}  # fmt: skip
SCRIPT_WAYS = ("const value = data;", "let value = 'a'; if (7 > 3) { value = data; }", "const o = { a: 'x', b: data }; const value = o.b;",
               "const xs = ['x', data]; const value = xs[1];", "const value = `${data}`;", "const f = (x) => x; const value = f(data);")  # fmt: skip
SCRIPT_LOST = ("let value = data; value = 'a';", "let value = data; if (7 > 3) { value = 'a'; }",
               "const o = { a: 'x', b: data }; const value = o.a;", "const xs = ['x', data]; const value = xs[0];",
               "if (!['a', 'b'].includes(data)) { return; } const value = data;", "const value = String(Number(data));")  # fmt: skip
GO_WAYS = ("value := data", 'value := "a"; if 7 > 3 { value = data }', 'm := map[string]string{"a": "x", "b": data}; value := m["b"]',
           'xs := []string{"x", data}; value := xs[1]', 'value := "" + data', "f := func(x string) string { return x }; value := f(data)")  # fmt: skip
GO_LOST = ('value := data; value = "a"', 'value := data; if 7 > 3 { value = "a" }',
           'm := map[string]string{"a": "x", "b": data}; value := m["a"]', 'xs := []string{"x", data}; value := xs[0]',
           'if data != "a" { return }; value := data', 'value := "a"; if 3 > 7 { value = data }')  # fmt: skip
RUST_WAYS = ("let value = data;", 'let mut value = "a"; if 7 > 3 { value = data; }', 'let value = if 7 > 3 { data } else { "a" };',
             'let xs = ["x", data]; let value = xs[1];', 'let value = format!("{}", data);', "let f = |x| x; let value = f(data);")  # fmt: skip
RUST_LOST = ('let mut value = data; value = "a";', 'let mut value = data; if 7 > 3 { value = "a"; }',
             'let value = if 7 > 3 { "a" } else { data };', 'let xs = ["x", data]; let value = xs[0];',
             'if data != "a" { return; } let value = data;', 'let value = match data { "a" => "one", _ => "two" };')  # fmt: skip
OTHER_SINKS: dict[str, dict[str, tuple[int, str, str]]] = {
    "javascript": {
        "sql": (89, "", "db.query(\"SELECT * FROM t WHERE a = '\" + value + \"'\");"),
        "command": (78, "", "require('child_process').exec('ping ' + value);"),
        "path": (22, "", "require('fs').readFileSync('/data/' + value);"), "code": (94, "", "eval(value);"),
        "xss": (79, "", "res.send('<p>' + value + '</p>');"), "redirect": (601, "", "res.redirect(value);"),
        "ssrf": (918, "", "await fetch(value);"), "template": (1336, "", "require('ejs').render('<p>' + value);"),
    },
    "go": {
        "sql": (89, "", "db.Query(\"SELECT * FROM t WHERE a = '\" + value + \"'\")"),
        "command": (78, 'import "os/exec"', 'exec.Command("sh", "-c", "ping " + value).Run()'),
        "path": (22, 'import "os"', 'os.ReadFile("/data/" + value)'),
        "xss": (79, 'import "fmt"', 'fmt.Fprintf(w, "<p>%s</p>", value)'),
        "redirect": (601, 'import "net/http"', "http.Redirect(w, r, value, 302)"),
        "ssrf": (918, 'import "net/http"', "http.Get(value)"),
    },
    "rust": {
        "sql": (89, "", "conn.execute(&format!(\"DELETE FROM t WHERE a = '{}'\", value), []);"),
        "command": (78, "use std::process::Command;", 'Command::new("sh").arg("-c").arg(format!("ls {}", value)).output();'),
        "path": (22, "use std::fs;", 'fs::read_to_string(format!("/data/{}", value));'),
    },
}  # fmt: skip
OTHER_SINKS["typescript"] = OTHER_SINKS["javascript"]
WAYS = {"javascript": (SCRIPT_WAYS, SCRIPT_LOST), "typescript": (SCRIPT_WAYS, SCRIPT_LOST), "go": (GO_WAYS, GO_LOST),
        "rust": (RUST_WAYS, RUST_LOST)}  # fmt: skip


def other_cases() -> Iterator[Case]:
    """Six that keep and six that lose the data, a category, in the other languages."""
    for language, (frame, path) in OTHER_SOURCES.items():
        for category, (cwe, imports, sink) in OTHER_SINKS[language].items():
            for vulnerable, ways in ((True, WAYS[language][0]), (False, WAYS[language][1])):
                for at, way in enumerate(ways):
                    text = frame.format(imports=imports, body=f"{way} {sink}" if language != "go" else f"{way}; {sink}")
                    name = f"{language}-{category}-{at}-{'bad' if vulnerable else 'good'}"
                    yield Case(name, category, cwe, language, {path: text}, vulnerable)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from flow_cases()
    yield from configured_cases()
    yield from other_cases()
