"""URLs and addresses: one spelling or a refusal."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import remit
from remit.core.addresses import plain_ipv4
from remit.core.urls import MAX_URL_CHARS, Url, address_kind, canonical_address, parse_url
from remit.errors import Invalid

LOOPBACK = Url("http", "127.0.0.1", 80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://example.com", Url("http", "example.com", 80, "/", "")),
        ("HTTPS://EXAMPLE.com.:8443/A?b=C#frag", Url("https", "example.com", 8443, "/A", "b=C")),
        ("https://example.com:443/", Url("https", "example.com", 443)),
        ("https://xn--bcher-kva.example/", Url("https", "xn--bcher-kva.example", 443)),
        ("http://under_score.example/", Url("http", "under_score.example", 80)),
        ("http://a/%7euser/%41?x=%7e%2f", Url("http", "a", 80, "/~user/A", "x=~%2F")),
        ("http://a/b/../c/./d", Url("http", "a", 80, "/c/d")),
        ("http://a/%2e%2e/b/%2E/c/..", Url("http", "a", 80, "/b/")),
        ("http://a/../../etc", Url("http", "a", 80, "/etc")),
        ("http://a//b///c", Url("http", "a", 80, "//b///c")),
        ("https://de.example/K\u00f6ln?q=100%", Url("https", "de.example", 443, "/K%C3%B6ln", "q=100%25")),
        ("http://a/?", Url("http", "a", 80)),
        ("http://a?b", Url("http", "a", 80, "/", "b")),
        ("http://a/@b:c", Url("http", "a", 80, "/@b:c")),
        ("http://[2001:DB8:0:0::1]:8080/x", Url("http", "2001:db8::1", 8080, "/x")),
        ("http://[::ffff:127.0.0.1]/", LOOPBACK),
        ("http://[::ffff:7f00:1]/", LOOPBACK),
        ("http://127.0.0.1", LOOPBACK),
        ("http://127.0.0.1./", LOOPBACK),
        ("http://2130706433/", LOOPBACK),
        ("http://0x7f000001/", LOOPBACK),
        ("http://0X7F.1/", LOOPBACK),
        ("http://0177.0.0.1/", LOOPBACK),
        ("http://017700000001/", LOOPBACK),
        ("http://127.1/", LOOPBACK),
        ("http://127.0.1/", LOOPBACK),
        ("http://0/", Url("http", "0.0.0.0", 80)),
    ],
)
def test_canonical(text: str, expected: Url) -> None:
    """Every accepted spelling becomes the one value, and its text reads back as the same value."""
    assert parse_url(text) == expected
    assert parse_url(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "example.com", "//example.com", "http:/example.com", "http:example.com", "http://", "http:///x", "ftp://a/",
        "file:///etc/passwd", "javascript:alert(1)", "http://user@a/", "http://user:pw@a/", "http://a@b@c/", "http://@a/",
        "http://a\\@b/", "http:\\\\a/", "http://a/b\\c", "http://a b/", " http://a/", "http://a/ ", "http://a/\n",
        "http://a\t/", "http://a/\x00", "http://a/\x7f", "http://a:/", "http://a:0/", "http://a:65536/", "http://a:+80/",
        "http://a:8 0/", "http://a:80:80/", "http://a:0x50/", "http://a:\uff18\uff10/", "http://\u00e4.example/",
        "http://\uff11\uff12\uff17.0.0.1/", "http://127\u30020.0.1/", "http://a..b/", "http://.a/", "http://-a/",
        "http://a-/", "http://a%2eb/", "http://a%00b/", "http://%31%32%37.0.0.1/", "http://" + "a" * 64 + "/",
        "http://" + "a." * 130 + "a/", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://1.2.99999999/",
        "http://4294967296/", "http://08.1.1.1/", "http://1.2.3.0x100/", "http://foo.1/",
        "http://foo.0x1/", "http://[::1/", "http://::1/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/",
        "http://[127.0.0.1]/", "http://[]/", "http://[v1.x]/", "http://a/..%2fb", "http://a/..%5cb", "http://a/%2e%2e%2fb",
        "http://a/x/%252e%252e/b", "http://a/%25252e%25252e/", "http://a/..;/b", "http://a/.;x=1/b", "http://a/%0d%0aX",
        "http://a/%00", "http://a/%", "http://a/%zz", "http://a/\ud800", "http://a/" + "b" * MAX_URL_CHARS,
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    """What two readers could read differently is refused with value_invalid."""
    with pytest.raises(Invalid) as caught:
        parse_url(text)
    assert caught.value.code == "value_invalid"


def test_userinfo_is_not_repeated() -> None:
    """A password in a refused URL does not appear in the error."""
    with pytest.raises(Invalid) as caught:
        parse_url("http://user:hunter2@host/")
    assert "hunter2" not in str(caught.value.for_user())


def test_parts() -> None:
    """Origin, Host header and request target are what HTTP wants of them."""
    url = parse_url("http://[::1]:8080/a?b")
    assert (url.origin, url.netloc, url.target, str(url)) == (
        "http://[::1]:8080", "[::1]:8080", "/a?b", "http://[::1]:8080/a?b",
    )  # fmt: skip
    assert parse_url("https://a.example/").origin == "https://a.example"


HOSTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9.\-]{1,20}", fullmatch=True),
    st.integers(0, 2**33).map(str),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
TAILS = st.text(alphabet="abAB/.%2eE5fF;?#=&~_-\u00e4+ ", max_size=40)


@given(host=HOSTS, port=st.one_of(st.just(""), st.integers(0, 70000).map(lambda port: f":{port}")), tail=TAILS)
def test_parsing_is_idempotent(host: str, port: str, tail: str) -> None:
    """The text of a parsed URL parses to the same value and shows no dot segment, space or upper-case host."""
    try:
        url = parse_url(f"http://{host}{port}/{tail}")
    except Invalid:
        return
    assert parse_url(str(url)) == url
    assert str(parse_url(str(url))) == str(url)
    assert not {".", ".."} & set(url.path.split("/"))
    assert " " not in str(url) and url.host == url.host.lower()


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text raises anything but value_invalid."""
    for candidate in (text, "http://" + text, "http://a/" + text):
        try:
            assert parse_url(str(parse_url(candidate))) == parse_url(candidate)
        except Invalid as error:
            assert error.code == "value_invalid"


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        ("public", "1.1.1.1 8.8.8.8 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 11.0.0.0 223.255.255.255"),
        ("public", "2606:4700:4700::1111 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808"),
        ("loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
        ("loopback", "2600::5efe:7f00:1 2600::200:5efe:127.0.0.1"),
        ("private", "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255"),
        ("private", "fc00::1 fdff::1 fec0::1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:c0a8:101::1"),
        ("link_local", "169.254.0.1 169.254.255.255 fe80::1 febf::1 fe80::1%eth0 ::ffff:169.254.1.1"),
        ("metadata", "169.254.169.254 fd00:ec2::254 100.100.100.200 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe"),
        ("metadata", "2002:a9fe:a9fe::1 ::169.254.169.254 169.254.170.2 192.0.0.192 168.63.129.16"),
        (
            "reserved",
            "0.0.0.0 0.1.2.3 192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1",
        ),
        ("reserved", "255.255.255.255 :: ::2 100::1 2001:db8::1 2001::1 64:ff9b:1::1 2002:808:808:: 3fff::1 4000::1"),
        ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
    ],
)
def test_address_kind(kind: str, addresses: str) -> None:
    """Each block has its kind, at its edges and in every IPv6 wrapping."""
    assert {address: address_kind(address) for address in addresses.split()} == dict.fromkeys(addresses.split(), kind)


@given(st.ip_addresses(v=4))
def test_wrapped_is_never_better(address: object) -> None:
    """An IPv4 address that is not public is not public in any IPv6 wrapping."""
    import ipaddress

    value = int(ipaddress.IPv4Address(str(address)))
    kind = address_kind(str(address))
    for number in (0xFFFF << 32 | value, value, 0x64FF9B << 96 | value, 0x2002 << 112 | value << 80):
        wrapped = address_kind(str(ipaddress.IPv6Address(number)))
        assert wrapped == kind or (kind == "public" and wrapped == "reserved") or number < 2


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "1.2.3", "0x7f.0.0.1", "127.0.0.1:80", "[::1]", "1.2.3.4/8"]
)
def test_not_an_address(text: str) -> None:
    """Only complete addresses are addresses."""
    with pytest.raises(Invalid):
        address_kind(text)


def test_canonical_address() -> None:
    """One spelling: compressed, lower case, without scope, mapped IPv4 as IPv4."""
    texts = ["2001:DB8:0::0:1", "fe80::1%eth0", "::ffff:10.0.0.1", "127.0.0.1"]
    assert [canonical_address(text) for text in texts] == ["2001:db8::1", "fe80::1", "10.0.0.1", "127.0.0.1"]


def test_import_is_light() -> None:
    """Importing the module and parsing a name or an IPv4 URL loads neither ipaddress nor asyncio nor socket."""
    code = (
        "import sys; from remit.core.urls import parse_url; parse_url('https://a.example/x'); parse_url('http://127.1/');"
        "print({'ipaddress', 'asyncio', 'socket', 'urllib.parse'} & set(sys.modules))"
    )
    path = {**os.environ, "PYTHONPATH": str(Path(remit.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.strip() == "set()"


@given(st.one_of(st.ip_addresses(v=4).map(str), st.text("0123456789.:x٣", max_size=16), st.ip_addresses().map(str)))
def test_the_short_way_for_ipv4_agrees_with_the_standard_library(text: str) -> None:
    """Exactly the texts that ipaddress reads as IPv4 have a number, and it is the same one."""
    try:
        expected: int | None = int(ipaddress.IPv4Address(text))
    except ValueError:
        expected = None
    assert plain_ipv4(text) == expected
