"""A second set of labelled Python twins, in the shapes of larger web suites: frames x sources x ways x sinks.

Frames are how a handler is registered, sources how it reads the request (also through a wrapper in another file), ways
what happens to the data in between, sinks where it goes. Every way that keeps the data has a twin that loses it.
Labels follow from the way and from the sink's own harmless form, so none was written by looking at a result.
"""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from review_cases import Case
from review_sinks import CONFIGURED, SINKS

SUPPORT = {
    "support/__init__.py": "",
    "support/escaping.py": """
        import html

        def for_page(text):
            if text is None:
                return ''
            return html.escape(str(text)).replace('/', '&#x2F;')

        def tidy(text):
            return ' '.join(text.split())
    """,
    "support/reading.py": """
        class Wrapped:
            def __init__(self, request):
                self.request = request

            def form(self, name):
                return self.request.form.get(name, '')

            def query(self, name):
                found = self.request.args.get(name)
                return found if found else ''

            def fixed(self, name):
                return 'fixed'

        def first(values):
            for one in values:
                return one
            return ''
    """,
    "support/parts.py": """
        from abc import ABC, abstractmethod

        class Part(ABC):
            @abstractmethod
            def handle(self, text):
                pass

        class Echo(Part):
            def handle(self, text):
                pieces = [text]
                return ''.join(pieces)

        class Fixed(Part):
            def handle(self, text):
                return 'constant'

        KINDS = {'echo': Echo, 'fixed': Fixed}

        def make(kind):
            return KINDS[kind]()
    """,
    "support/checks.py": """
        import os
        from urllib.parse import urlparse

        ALLOWED = ('a', 'b')

        def ensure(text):
            if text not in ALLOWED:
                raise ValueError('not allowed')
            return text

        def is_fine(text):
            return text in ALLOWED

        def below(base, name):
            path = os.path.realpath(os.path.join(base, name))
            if os.path.commonpath([base, path]) != base:
                raise ValueError('outside')
            return path

        def is_local(url):
            parts = urlparse(url)
            return not parts.netloc and not parts.scheme
    """,
    "support/settings.py": """
        WEAK = 'md5'
        STRONG = 'sha256'
        SECURE = True
        ROOT = '/srv/data'
        OPTIONS = {'hash': 'sha1', 'digest': 'sha512', 'secure': False}
    """,
    "support/store.py": """
        import sqlite3

        def connect():
            return sqlite3.connect('store.db')
    """,
    "support/directory.py": """
        import ldap3

        def connect():
            server = ldap3.Server('localhost', port=10389)
            return ldap3.Connection(server, auto_bind=True)
    """,
}

SOURCES = [
    "data = request.form.get('q')\nif not data:\n    data = ''",
    "data = request.args.get('q')\nif data is None:\n    data = ''",
    "values = request.form.getlist('q')\ndata = ''\nif values:\n    data = values[0]",
    "data = ''\nheaders = request.headers.getlist('q')\nif headers:\n    data = headers[0]",
    "data = ''\nfor name in request.form.keys():\n    if 'q' in request.form.getlist(name):\n        data = name\n        break",
    "data = ''\nfor name in request.headers.keys():\n    if name.lower() not in ('accept', 'host'):\n        data = name\n        break",
    "import urllib.parse\ndata = urllib.parse.unquote_plus(request.cookies.get('q', 'none'))",
    "import urllib.parse\ntext = request.query_string.decode('utf-8')\nat = text.find('q=')\nif at == -1:\n    return 'nothing'\n"
    "data = text[at + 2:]\nend = data.find('&')\nif end != -1:\n    data = data[:end]\ndata = urllib.parse.unquote_plus(data)",
    "import urllib.parse\nparts = request.path.split('/')\ndata = parts[1]\nif not data:\n    data = ''",
    "import support.reading\nwrapped = support.reading.Wrapped(request)\ndata = wrapped.query('q')\nif not data:\n    data = ''",
    "from support.reading import Wrapped\ndata = Wrapped(request).form('q')",
    "data = request.values['q']",
    "body = request.get_json()\ndata = body['q']",
    "data = request.data.decode('utf-8')",
    "data = request.files['q'].filename",
    "data = dict(request.form)['q']",
    "data = request.args.to_dict().get('q', '')",
    "if (data := request.args.get('q')) is None:\n    return 'nothing'",
    "from urllib.parse import parse_qs\ndata = parse_qs(request.query_string.decode())['q'][0]",
    "data = ''\nfor key, item in request.args.items():\n    if key == 'q':\n        data = item",
    "current = request\ndata = current.form.get('q', '')",
    "from support import reading\ndata = reading.first(request.args.getlist('q'))",
    "data = request.headers['X-Q']",
    "try:\n    data = request.form['q']\nexcept KeyError:\n    data = ''",
]

# (keeps, loses)
WAYS = [
    ("n = 106\nif 7 * 42 - n > 100:\n    value = data\nelse:\n    value = 'never'",
     "n = 86\nif 7 * 42 - n > 200:\n    value = 'always'\nelse:\n    value = data"),
    ("n = 3\nvalue = 'never' if n * 2 > 9 else data", "n = 106\nvalue = 'always' if 7 * 18 + n > 200 else data"),
    ("letters = 'ABC'\npick = letters[0]\nmatch pick:\n    case 'A':\n        value = data\n    case 'B':\n        value = 'bob'\n"
     "    case 'C' | 'D':\n        value = data\n    case _:\n        value = 'uncle'",
     "letters = 'ABC'\npick = letters[1]\nmatch pick:\n    case 'A':\n        value = data\n    case 'B':\n        value = 'bob'\n"
     "    case 'C' | 'D':\n        value = data\n    case _:\n        value = 'uncle'"),
    ("value = ''\nif data:\n    items = []\n    items.append('one')\n    items.append(data)\n    items.append('two')\n    items.pop(0)\n    value = items[0]",
     "value = ''\nif data:\n    items = []\n    items.append('one')\n    items.append(data)\n    items.append('two')\n    items.pop(0)\n    value = items[1]"),
    ("table = {}\ntable['k-1'] = 'one'\ntable['k-2'] = data\ntable['k-3'] = 'two'\nvalue = table['k-2']",
     "table = {}\ntable['k-1'] = 'one'\ntable['k-2'] = data\ntable['k-3'] = 'two'\nvalue = table['k-2']\nvalue = table['k-1']"),
    ("import configparser\nconf = configparser.ConfigParser()\nconf.add_section('s7')\nconf.set('s7', 'key-a', 'one')\n"
     "conf.set('s7', 'key-b', data)\nvalue = conf.get('s7', 'key-b')",
     "import configparser\nconf = configparser.ConfigParser()\nconf.add_section('s7')\nconf.set('s7', 'key-a', 'one')\n"
     "conf.set('s7', 'key-b', data)\nvalue = conf.get('s7', 'key-a')"),
    ("import base64\ntmp = base64.b64encode(data.encode('utf-8'))\nvalue = base64.b64decode(tmp).decode('utf-8')",
     "import hashlib\nvalue = hashlib.sha256(data.encode('utf-8')).hexdigest()"),
    ("text = 'help'\ntext += data\ntext += 'snow'\nvalue = text[4:-4]", "text = 'help'\ntext += data\nvalue = text[:4]"),
    ("import support.parts\npart = support.parts.make('echo')\nvalue = part.handle(data)",
     "import support.parts\npart = support.parts.make('fixed')\nvalue = part.handle(data)"),
    ("from support.parts import Echo\nvalue = Echo().handle(data)", "from support.parts import Fixed\nvalue = Fixed().handle(data)"),
    ("def inner():\n    return data\nvalue = inner()", "def inner(x=data):\n    other = 'fixed'\n    return other\nvalue = inner()"),
    ("class Pair:\n    def __init__(self, a, b):\n        self._a = a\n        self._b = b\n\n    @property\n    def one(self):\n        return self._a\n\n"
     "    @property\n    def two(self):\n        return self._b\n\nvalue = Pair(data, 'fixed').one",
     "class Pair:\n    def __init__(self, a, b):\n        self._a = a\n        self._b = b\n\n    @property\n    def one(self):\n        return self._a\n\n"
     "    @property\n    def two(self):\n        return self._b\n\nvalue = Pair(data, 'fixed').two"),
    ("import dataclasses\n\n@dataclasses.dataclass\nclass Row:\n    a: str\n    b: str\n\nvalue = Row('fixed', data).b",
     "import dataclasses\n\n@dataclasses.dataclass\nclass Row:\n    a: str\n    b: str\n\nvalue = Row('fixed', data).a"),
    ("import collections\nPoint = collections.namedtuple('Point', 'x y')\nvalue = Point('fixed', data).y",
     "import collections\nPoint = collections.namedtuple('Point', 'x y')\nvalue = Point('fixed', data).x"),
    ("value = [one for one in ['', data] if one][0]", "value = [one for one in ['x', 'y'] if one][0] if data else ''"),
    ("value = ''\nfor letter in data:\n    value += letter", "value = ''\nfor letter in data:\n    value += 'x'"),
    ("first, *others = 'fixed', data, 'more'\nvalue = others[0]", "first, *others = 'fixed', data, 'more'\nvalue = first"),
    ("def gather(*args, **options):\n    return args[1]\nvalue = gather('x', data, other='y')",
     "def gather(*args, **options):\n    return options['other']\nvalue = gather('x', data, other='y')"),
    ("import functools\n\ndef glue(a, b):\n    return a + b\n\nvalue = functools.partial(glue, '')(data)",
     "import functools\n\ndef glue(a, b):\n    return a\n\nvalue = functools.partial(glue, 'fixed')(data)"),
    ("import io\nout = io.StringIO()\nout.write(data)\nvalue = out.getvalue()", "import io\nout = io.StringIO()\nout.write('fixed')\nvalue = out.getvalue()"),
    ("import json\nvalue = json.loads(json.dumps({'a': 'x', 'b': data}))['b']", "value = str(int(data))"),
    ("import urllib.parse\nvalue = urllib.parse.unquote(urllib.parse.quote(data))", "import uuid\nvalue = str(uuid.UUID(data))"),
    ("value = '%(a)s' % {'a': data}", "value = '%(a)s' % {'a': 'fixed', 'b': data}"),
    ("value = '{0[a]}'.format({'a': data})", "value = '{0}'.format('fixed', data)"),
    ("both = {**{'a': 'x'}, 'b': data}\nvalue = both['b']", "both = {**{'a': 'x'}, 'b': data}\nvalue = both['a']"),
    ("deep = {'a': ['x', {'b': data}]}\nvalue = deep['a'][1]['b']", "deep = {'a': ['x', {'b': data}]}\nvalue = deep['a'][0]"),
    ("a, b = 'fixed', data\na, b = b, a\nvalue = a", "a, b = 'fixed', data\na, b = b, a\nvalue = b"),
    ("value = data or 'none'", "value = 'yes' if data else 'no'"),
    ("class Upper:\n    def go(self, x):\n        return x\n\nclass Lower(Upper):\n    def go(self, x):\n        return super().go(x)\n\nvalue = Lower().go(data)",
     "class Upper:\n    def go(self, x):\n        return x\n\nclass Lower(Upper):\n    def go(self, x):\n        return 'fixed'\n\nvalue = Lower().go(data)"),
    ("pick = lambda x, y: y\nvalue = pick('fixed', data)", "pick = lambda x, y: x\nvalue = pick('fixed', data)"),
    ("def numbers():\n    yield data\n    yield 'fixed'\nvalue = next(numbers())", "def numbers():\n    yield 'fixed'\nvalue = next(numbers())"),
    ("import re\nvalue = re.sub('x', 'y', data)", "import re\nif not re.fullmatch('[a-zA-Z0-9_]+', data):\n    return 'no'\nvalue = data"),
    ("value = 'none'\nif data != 'stop':\n    value = data", "value = 'none'\nif data == 'stop':\n    value = data"),
    ("from support.escaping import tidy\nvalue = tidy(data)", "from support.checks import ensure\nvalue = ensure(data)"),
    ("value = data\nfor _ in range(0):\n    value = 'fixed'", "value = 'fixed'\nwhile False:\n    value = data"),
    ("try:\n    value = data.strip()\nexcept AttributeError:\n    value = ''", "try:\n    value = str(float(data))\nexcept ValueError:\n    value = '0'"),
    ("import collections\nqueue = collections.deque()\nqueue.append('x')\nqueue.append(data)\nvalue = queue.pop()",
     "import collections\nqueue = collections.deque()\nqueue.append('x')\nqueue.append(data)\nvalue = queue.popleft()"),
    ("class Box:\n    pass\n\nbox = Box()\nsetattr(box, 'held', data)\nvalue = getattr(box, 'held')",
     "class Box:\n    held = 'fixed'\n\nbox = Box()\nbox.other = data\nvalue = box.held"),
    ("value = ''.join(reversed(data))", "value = str(len(data))"),
    ("value = data.split(',')[0]", "value = next((one for one in ('a', 'b') if one == data), 'a')"),
    ("from support.checks import is_fine\nif is_fine(data):\n    value = 'a'\nelse:\n    value = data",
     "from support.checks import is_fine\nif not is_fine(data):\n    return 'no'\nvalue = data"),
    ("value = data\nif False:\n    value = 'fixed'", "import enum\n\nclass Kind(enum.Enum):\n    A = 'a'\n    B = 'b'\n\nvalue = Kind(data).value"),
    ("def twice(x, n):\n    return x if n == 0 else twice(x, n - 1)\nvalue = twice(data, 2)", "names = {'a': 'one', 'b': 'two'}\ntry:\n    value = names[data]\nexcept KeyError:\n    value = 'one'"),
    ("holder = []\n\ndef keep(x):\n    holder.append(x)\n\nkeep(data)\nvalue = holder[0]", "value = ('a', 'b', 'c')[int(data) % 3]"),
    ("class Meta:\n    @staticmethod\n    def of(x):\n        return [x]\n\n    @classmethod\n    def make(cls, x):\n        return cls.of(x)[0]\n\nvalue = Meta.make(data)",
     "import datetime\nvalue = datetime.datetime.strptime(data, '%Y-%m-%d').strftime('%d.%m.%Y')"),
    ("import itertools\nvalue = list(itertools.chain(['x'], [data]))[1]", "if not data.isalnum():\n    return 'no'\nvalue = data"),
    ("state = {'v': 'fixed'}\nstate.update(v=data)\nvalue = state['v']", "state = {'v': data}\nstate.update(v='fixed')\nvalue = state['v']"),
    ("value = max([data, ''], key=len)", "value = data\nvalue = 'fixed'"),
]  # fmt: skip


def _indented(text: str, by: int) -> str:
    return textwrap.indent(text, " " * by)


def _frame(at: int, imports: str, body: str) -> str:
    """A handler with this body, registered one of four ways."""
    top = f"from flask import request, redirect, make_response, render_template, url_for\n{imports}\n\n"
    match at % 4:
        case 0:
            return (f"{top}def init(app):\n\n    @app.route('/area/case', methods=['GET'])\n    def case_get():\n        return case_post()\n\n"
                    f"    @app.route('/area/case', methods=['POST'])\n    def case_post():\n{_indented(body, 8)}\n        return 'done'\n")  # fmt: skip
        case 1:
            return (f"{top}from flask import Blueprint\n\nbp = Blueprint('x', __name__)\n\n\n@bp.post('/case')\ndef case():\n"
                    f"{_indented(body, 4)}\n    return 'done'\n")  # fmt: skip
        case 2:
            return (f"{top}from flask.views import MethodView\n\n\nclass CaseView(MethodView):\n    def post(self):\n"
                    f"{_indented(body, 8)}\n        return 'done'\n")  # fmt: skip
    return (f"{top}from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.route('/case', methods=['GET', 'POST'])\ndef case():\n"
            f"{_indented(body, 4)}\n    return 'done'\n")  # fmt: skip


def _files(text: str) -> dict[str, str]:
    made = {path: textwrap.dedent(body).lstrip("\n") for path, body in SUPPORT.items()}
    return {"app.py": text, **made}


def _case(family: tuple[str, int], number: int, way: int, kept: bool, sink: tuple[str, str], label: bool) -> Case:
    category, cwe = family
    source = SOURCES[(number * 7 + len(category)) % len(SOURCES)]
    imports, place = sink
    frame = number if "return" not in place or category != "xss" else number * 2 + number % 2
    body = f"{source}\n\n{WAYS[way][0 if kept else 1]}\n\n{place}"
    name = f"shape-{category}-{number}-way{way}{'k' if kept else 'l'}-{'bad' if label else 'good'}"
    return Case(name, category, cwe, "python", _files(_frame(frame, imports, body)), label)


def cases() -> Iterator[Case]:
    """All shapes: a category has each way once as a vulnerable case, and as many harmless ones."""
    for shift, (category, (cwe, bad, good)) in enumerate(SINKS.items()):
        for way in range(len(WAYS)):
            yield _case((category, cwe), way + shift, way, True, bad[(way * 5 + shift) % len(bad)], True)
            if way % 3:
                yield _case((category, cwe), way + shift, way, False, bad[(way * 3 + shift) % len(bad)], False)
            else:
                yield _case((category, cwe), way + shift, way, True, good[(way // 3 + shift) % len(good)], False)
    for category, (cwe, bad_texts, good_texts) in CONFIGURED.items():
        for label, texts in ((True, bad_texts), (False, good_texts)):
            for at, text in enumerate(texts):
                name = f"shape-{category}-{at}-{'bad' if label else 'good'}"
                yield Case(name, category, cwe, "python", _files(_frame(at, "", text)), label)
