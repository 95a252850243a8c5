"""A third set of labelled Python twins: idioms of the language, and handlers of five frameworks."""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from review_cases import Case
from review_sinks import SINKS

FRAMES = [
    "from flask import Flask, request, redirect, make_response, render_template, url_for\n{imports}\n\napp = Flask(__name__)\n\n\n@app.post('/case')\ndef case():\n    data = request.form.get('q', '')\n{body}\n    return 'done'\n",
    "from flask import Flask, request, redirect, make_response, render_template, url_for\n{imports}\n\napp = Flask(__name__)\n\n\n@app.route('/case/<data>')\ndef case(data):\n{body}\n    return 'done'\n",
    "from flask import Flask, request, redirect, make_response, render_template, url_for\n{imports}\n\n\ndef read():\n    return request.args['q']\n\n\ndef case():\n    data = read()\n{body}\n    return 'done'\n\n\napp = Flask(__name__)\napp.add_url_rule('/case', view_func=case)\n",
]
OTHER_FRAMES = [
    "from fastapi import FastAPI\n{imports}\n\napp = FastAPI()\n\n\n@app.get('/case')\nasync def case(data: str = ''):\n{body}\n    return 'done'\n",
    "from django.http import HttpRequest\n{imports}\n\n\ndef case(request: HttpRequest):\n    data = request.GET.get('q', '')\n{body}\n    return None\n",
    "from aiohttp import web\n{imports}\n\n\nasync def case(request: web.Request):\n    form = await request.post()\n    data = form['q']\n{body}\n    return None\n",
    "import tornado.web\n{imports}\n\n\nclass Case(tornado.web.RequestHandler):\n    def get(self):\n        data = self.get_argument('q')\n{body8}\n",
    "from bottle import request, route\n{imports}\n\n\n@route('/case')\ndef case():\n    data = request.query.q\n{body}\n    return None\n",
]
FLASK_ONLY = ("xss", "redirect", "trust", "template")

# (keeps, loses)
WAYS = [
    ("match {'kind': 'a', 'text': data}:\n    case {'kind': 'a', 'text': found}:\n        value = found\n    case _:\n        value = ''",
     "match {'kind': 'b', 'text': data}:\n    case {'kind': 'a', 'text': found}:\n        value = found\n    case _:\n        value = 'none'"),
    ("match [data, 'x']:\n    case [found, _]:\n        value = found\n    case _:\n        value = ''", "match ['x', data]:\n    case [found, _]:\n        value = found\n    case _:\n        value = ''"),
    ("def outer():\n    held = ''\n    def inner():\n        nonlocal held\n        held = data\n    inner()\n    return held\nvalue = outer()",
     "def outer():\n    held = data\n    def inner():\n        nonlocal held\n        held = 'fixed'\n    inner()\n    return held\nvalue = outer()"),
    ("def adder(prefix):\n    def add(x):\n        return prefix + x\n    return add\nvalue = adder('')(data)", "def adder(prefix):\n    def add(x):\n        return prefix\n    return add\nvalue = adder('fixed')(data)"),
    ("import functools\n\ndef loud(f):\n    @functools.wraps(f)\n    def wrapper(*args, **kwargs):\n        return f(*args, **kwargs)\n    return wrapper\n\n@loud\ndef same(x):\n    return x\n\nvalue = same(data)",
     "def mute(f):\n    def wrapper(*args, **kwargs):\n        return 'fixed'\n    return wrapper\n\n@mute\ndef same(x):\n    return x\n\nvalue = same(data)"),
    ("class Held:\n    def __init__(self, x):\n        self.x = x\n\n    def __enter__(self):\n        return self.x\n\n    def __exit__(self, *args):\n        return None\n\nwith Held(data) as value:\n    pass",
     "class Held:\n    def __init__(self, x):\n        self.x = x\n\n    def __enter__(self):\n        return 'fixed'\n\n    def __exit__(self, *args):\n        return None\n\nwith Held(data) as value:\n    pass"),
    ("class Text:\n    def __init__(self, x):\n        self.x = x\n\n    def __str__(self):\n        return self.x\n\nvalue = str(Text(data))",
     "class Text:\n    def __init__(self, x):\n        self.x = x\n\n    def __str__(self):\n        return 'text'\n\nvalue = str(Text(data))"),
    ("class Call:\n    def __call__(self, x):\n        return x\n\nvalue = Call()(data)", "class Call:\n    def __call__(self, x):\n        return 'called'\n\nvalue = Call()(data)"),
    ("class Table:\n    def __getitem__(self, key):\n        return key\n\nvalue = Table()[data]", "class Table:\n    def __getitem__(self, key):\n        return 'entry'\n\nvalue = Table()[data]"),
    ("try:\n    raise ValueError(data)\nexcept ValueError as error:\n    value = str(error)", "try:\n    raise ValueError('fixed')\nexcept ValueError as error:\n    value = str(error) if not data else 'x'"),
    ("value = [x for x in (data, 'b')][0]", "value = [x for x in (data, 'b') if x == 'b'][0]"),
    ("value = {k: v for k, v in (('a', data), ('b', 'x'))}['a']", "value = {k: 'x' for k in (data,)}.get('a', 'x')"),
    ("value = ''.join(map(str, [data]))", "value = ''.join(map(str, [len(data)]))"),
    ("value = list(filter(None, [data]))[0]", "value = list(filter(None, ['x', 'y']))[0] + str(bool(data))"),
    ("for a, b in zip(['x'], [data]):\n    value = b", "for a, b in zip(['x'], [data]):\n    value = a"),
    ("for at, one in enumerate([data]):\n    value = one", "for at, one in enumerate([data]):\n    value = str(at)"),
    ("value = min([data], key=len)", "value = min(['a', 'b'], key=len) if data else 'c'"),
    ("import string\nvalue = string.Template('$a').substitute(a=data)", "import string\nvalue = string.Template('$a').substitute(a='x', b=data)"),
    ("value = '{a}'.format_map({'a': data})", "value = '{a}'.format_map({'a': 'x', 'b': data})"),
    ("import re\nfound = re.match('(.*):(.*)', data)\nvalue = found.group(2) if found else ''", "import re\nfound = re.match('^([0-9]+)$', data)\nvalue = found.group(1) if found else ''"),
    ("head, mark, value = data.partition(':')", "head, mark, tail = 'a:b'.partition(':')\nvalue = tail if data else head"),
    ("value = data.encode('utf-8').hex()\nvalue = bytes.fromhex(value).decode()", "import binascii\nvalue = format(binascii.crc32(data.encode()), 'x')"),
    ("import collections\ntable = collections.defaultdict(list)\ntable['a'].append(data)\nvalue = table['a'][0]", "import collections\ntable = collections.defaultdict(list)\ntable['b'].append(data)\ntable['a'].append('x')\nvalue = table['a'][0]"),
    ("import collections\nvalue = collections.ChainMap({'a': data}, {'a': 'x'})['a']", "value = {'a': data, **{'a': 'x'}}['a']"),
    ("table = {'a': data}\nvalue = table.pop('a')", "table = {'a': data, 'b': 'x'}\ntable.pop('a')\nvalue = table['b']"),
    ("items = [data]\nitems += ['x']\nvalue = items[0]", "items = [data]\nitems[0] = 'x'\nvalue = items[0]"),
    ("items = ['b', data]\nitems.reverse()\nvalue = items[0]", "items = ['b', data]\nitems.reverse()\nvalue = items[1]"),
    ("items = ['x', data, 'y']\ndel items[0]\nvalue = items[0]", "items = ['x', data, 'y']\ndel items[1]\nvalue = items[1]"),
    ("items = ['x']\nitems.insert(0, data)\nvalue = items[0]", "items = ['x']\nitems.insert(0, data)\nvalue = items[1]"),
    ("items = [*['x'], data]\nvalue = items[-1]", "items = [*['x'], data]\nvalue = items[-2]"),
    ("pair = ('x', data)\nx, y = pair\nvalue = y", "pair = ('x', data)\nx, y = pair\nvalue = x"),
    ("value = data if len('abc') == 3 else 'x'", "value = data if len('abc') == 4 else 'x'"),
    ("flag = 'on'\nif flag.upper() == 'ON':\n    value = data\nelse:\n    value = 'x'", "flag = 'on'\nif flag.upper() == 'OFF':\n    value = data\nelse:\n    value = 'x'"),
    ("n = 0\nwhile n < 3:\n    n += 1\nvalue = data if n else 'x'", "n = 5\nn -= 5\nvalue = data if n else 'x'"),
    ("options = {'debug': True}\nif options['debug'] and not False:\n    value = data\nelse:\n    value = 'x'", "options = {'debug': False}\nif options['debug'] or False:\n    value = data\nelse:\n    value = 'x'"),
    ("class Shape:\n    kind = 'a'\n\n    @classmethod\n    def build(cls, kind, x):\n        made = cls()\n        made.kind = kind\n        made.x = x\n        return made\n\nvalue = Shape.build('b', data).x",
     "class Shape:\n    kind = 'a'\n\n    @classmethod\n    def build(cls, kind, x):\n        made = cls()\n        made.kind = kind\n        made.x = x\n        return made\n\nvalue = Shape.build('b', data).kind"),
    ("class Chain:\n    def __init__(self):\n        self.parts = []\n\n    def add(self, x):\n        self.parts.append(x)\n        return self\n\n    def text(self):\n        return ' '.join(self.parts)\n\nvalue = Chain().add('a').add(data).text()",
     "class Chain:\n    def __init__(self):\n        self.parts = []\n        self.count = 0\n\n    def add(self, x):\n        self.count += 1\n        return self\n\n    def text(self):\n        return ' '.join(self.parts)\n\nvalue = Chain().add('a').add(data).text()"),
    ("class Temp:\n    def __init__(self):\n        self._v = ''\n\n    @property\n    def v(self):\n        return self._v\n\n    @v.setter\n    def v(self, x):\n        self._v = x\n\nt = Temp()\nt.v = data\nvalue = t.v",
     "class Temp:\n    def __init__(self):\n        self._v = ''\n\n    @property\n    def v(self):\n        return self._v\n\n    @v.setter\n    def v(self, x):\n        self._v = 'fixed'\n\nt = Temp()\nt.v = data\nvalue = t.v"),
    ("actions = {'go': lambda x: x, 'stop': lambda x: 'no'}\nvalue = actions['go'](data)", "actions = {'go': lambda x: x, 'stop': lambda x: 'no'}\nvalue = actions['stop'](data)"),
    ("value = (lambda: data)()", "value = (lambda d=data: 'x')()"),
    ("import copy\nvalue = copy.deepcopy({'a': data})['a']", "import copy\nvalue = copy.deepcopy({'a': data, 'b': 'x'})['b']"),
    ("import csv, io\nvalue = next(csv.reader(io.StringIO(data)))[0]", "import csv, io\nnext(csv.reader(io.StringIO(data)))\nvalue = 'x'"),
    ("def pick(*, one, two):\n    return two\nvalue = pick(one='x', two=data)", "def pick(*, one, two):\n    return one\nvalue = pick(one='x', two=data)"),
    ("def fill(target, x):\n    target['v'] = x\n\nbox = {}\nfill(box, data)\nvalue = box['v']", "def fill(target, x):\n    target['w'] = x\n\nbox = {'v': 'x'}\nfill(box, data)\nvalue = box['v']"),
    ("value = data\nif not value:\n    value = 'none'", "value = data\nif value not in ['a', 'b', 'c']:\n    raise ValueError(value)"),
    ("value = data\nassert value != ''", "allowed = {'a': 1, 'b': 2}\nif data in allowed.keys():\n    value = data\nelse:\n    value = 'a'"),
    ("value = data.replace('x', '')", "if not all(c.isalnum() for c in data):\n    raise ValueError('letters')\nvalue = data"),
    ("value = data[:50]", "if data != 'a' and data != 'b':\n    raise ValueError('no')\nvalue = data"),
    ("value = data.lower().strip()", "import re\nif re.search('[^a-z0-9]', data):\n    raise ValueError('no')\nvalue = data"),
    ("value = f'{data:>10}'.strip()", "value = f'{int(data):05d}'"),
    ("value = data * 1", "value = 'x' * len(data)"),
    ("value = str(data.encode(), 'utf-8')", "import re\nvalue = re.sub('[^a-zA-Z0-9]', '', data)"),
]  # fmt: skip


def _case(family: tuple[str, int], way: int, kept: bool, sink: tuple[str, str], label: bool) -> Case:
    category, cwe = family
    imports, place = sink
    body = f"{WAYS[way][0 if kept else 1]}\n{place}"
    other = category not in FLASK_ONLY and "return " not in place and way % 2 == 0
    frames = OTHER_FRAMES if other else FRAMES
    text = frames[(way // 2 + len(category)) % len(frames)].format(
        imports=imports, body=textwrap.indent(body, "    "), body8=textwrap.indent(body, " " * 8)
    )
    name = f"idiom-{category}-way{way}{'k' if kept else 'l'}-{'bad' if label else 'good'}"
    return Case(name, category, cwe, "python", {"app.py": text}, label)


def cases() -> Iterator[Case]:
    """Every way in every second category, kept and lost; sinks that need no other file."""
    for shift, (category, (cwe, all_bad, all_good)) in enumerate(SINKS.items()):
        bad = [one for one in all_bad if "support" not in one[0]]
        good = [one for one in all_good if "support" not in one[0]]
        for way in range(shift % 2, len(WAYS), 2):
            yield _case((category, cwe), way, True, bad[(way + shift) % len(bad)], True)
            kept = way % 5 == 0
            sinks = good if kept else bad
            yield _case((category, cwe), way, kept, sinks[(way * 3 + shift) % len(sinks)], False)
