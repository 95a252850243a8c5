"""IP addresses: the canonical text of every form that a resolver or a URL may show, and its kind.

The idea: a grant, a check and a connection must all see one and the same spelling, so there is one
function that makes it. Inside remit an address is text: dotted IPv4, or compressed IPv6 without
brackets. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is that IPv4 address, for the kernel too.

Invariants: an address whose kind cannot be told is `reserved`, never `public`; an IPv6 address
that carries an IPv4 address (mapped, compatible, NAT64, 6to4, ISATAP) is never better than it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from remit.core.patterns import lazy
from remit.errors import Invalid

PUBLIC: Final = "public"

# Source: the cloud vendors' instance metadata pages. They hand out credentials to whoever can reach them.
_METADATA: Final = frozenset(
    {
        "169.254.169.254",  # AWS, GCP, Azure, DigitalOcean, OpenStack
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "fd00:ec2::254",  # AWS, IPv6
        "fd00:ec2::23",  # AWS EKS pod identity, IPv6
        "fd20:ce::254",  # GCP, IPv6
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure wire server (a public range)
    }
)

# Source: IANA IPv4 special-purpose address registry (RFC 6890 and its updates), RFC 5771 (multicast).
_V4_BLOCKS: Final = tuple(
    (int(net, 16), 32 - bits, kind)
    for net, bits, kind in (
        ("00000000", 8, "reserved"),  # 0/8 "this network"; 0.0.0.0 connects to the own host
        ("0a000000", 8, "private"),  # 10/8
        ("64400000", 10, "private"),  # 100.64/10 carrier NAT
        ("7f000000", 8, "loopback"),  # 127/8
        ("a9fe0000", 16, "link_local"),  # 169.254/16
        ("ac100000", 12, "private"),  # 172.16/12
        ("c0000000", 24, "reserved"),  # 192.0.0/24
        ("c0000200", 24, "reserved"),  # 192.0.2/24 documentation
        ("c0586300", 24, "reserved"),  # 192.88.99/24 6to4 relay
        ("c0a80000", 16, "private"),  # 192.168/16
        ("c6120000", 15, "reserved"),  # 198.18/15 benchmarks
        ("c6336400", 24, "reserved"),  # 198.51.100/24 documentation
        ("cb007100", 24, "reserved"),  # 203.0.113/24 documentation
        ("e0000000", 4, "multicast"),  # 224/4
        ("f0000000", 4, "reserved"),  # 240/4, 255.255.255.255
    )
)

# Source: IANA IPv6 special-purpose address registry; only 2000::/3 is handed out as global unicast (RFC 4291 2.4).
_V6_BLOCKS: Final = tuple(
    (int(net, 16), 128 - bits, kind)
    for net, bits, kind in (
        ("00000000000000000000000000000001", 128, "loopback"),
        ("fc000000000000000000000000000000", 7, "private"),  # unique local
        ("fe800000000000000000000000000000", 10, "link_local"),
        ("fec00000000000000000000000000000", 10, "private"),  # old site local
        ("ff000000000000000000000000000000", 8, "multicast"),
        ("20010000000000000000000000000000", 23, "reserved"),  # protocol assignments, Teredo
        ("20010db8000000000000000000000000", 32, "reserved"),  # documentation
        ("3fff0000000000000000000000000000", 20, "reserved"),  # documentation
    )
)

_NUMBER: Final = lazy(r"0[xX][0-9a-fA-F]*|[0-9]+")


def looks_like_ipv4(host: str) -> bool:
    """Whether `host` ends in a number, which makes it an IPv4 address or nothing.

    Source: WHATWG URL 3.5, "ends in a number checker": what a resolver would read as an address.
    """
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def parse_ipv4(host: str) -> str:
    """The dotted form of an IPv4 address in any form that inet_aton reads.

    Decimal 2130706433, hex 0x7f000001, octal 0177.0.0.1 and short 127.1 are all 127.0.0.1.

    Raises:
        Invalid: `value_invalid`, it is none.
    """
    pieces = host.split(".")
    if len(pieces) > 4:
        raise Invalid("value_invalid", f"not an IPv4 address: {host[:80]!r}")
    numbers: list[int] = []
    for piece in pieces:
        if len(piece) > 16 or _NUMBER.fullmatch(piece) is None:
            raise Invalid("value_invalid", f"not an IPv4 address: {host[:80]!r}")
        numbers.append(_number(piece, host))
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        raise Invalid("value_invalid", f"a number of this IPv4 address is too large: {host[:80]!r}")
    value = last
    for index, number in enumerate(numbers):
        value += number << (8 * (3 - index))
    return _dotted(value)


def _number(piece: str, host: str) -> int:
    if piece[:2] in ("0x", "0X"):
        return int(piece[2:] or "0", 16)
    if len(piece) > 1 and piece[0] == "0":
        try:
            return int(piece, 8)
        except ValueError:
            raise Invalid("value_invalid", f"not an octal number in {host[:80]!r}") from None
    return int(piece)


def _dotted(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


@lru_cache(maxsize=1024)
def canonical_address(text: str) -> str:
    """The one spelling of an IP address: dotted IPv4, or compressed lower-case IPv6 without scope.

    Only complete dotted IPv4 is read here (the odd forms belong to hosts of URLs: `parse_ipv4`).

    Raises:
        Invalid: `value_invalid`, not an IP address.
    """
    if plain_ipv4(text) is not None:
        return text
    import ipaddress  # costs 3 ms; only paid by those who meet another form

    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise Invalid("value_invalid", f"not an IP address: {text[:80]!r}") from None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(parsed if mapped is None else mapped)


@lru_cache(maxsize=4096)
def address_kind(ip_text: str) -> str:
    """What sort of address this is: whoever is not `public` is refused without a grant.

    Args:
        ip_text: an IP address, IPv6 with or without scope.
    Returns:
        public | loopback | private | link_local | metadata | reserved | multicast
    Raises:
        Invalid: `value_invalid`, not an IP address.
    """
    address = canonical_address(ip_text)
    if address in _METADATA:
        return "metadata"
    value = plain_ipv4(address)
    if value is not None:
        return _kind_v4(value)
    import ipaddress

    return _kind_v6(int(ipaddress.ip_address(address)))


def plain_ipv4(text: str) -> int | None:
    """The number of a complete dotted IPv4 address without leading zeros; None for every other text."""
    parts = text.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) <= 3 and str(int(p)) == p for p in parts):
        return None
    numbers = [int(p) for p in parts]
    if max(numbers) > 255:
        return None
    return numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]


def _kind_v4(value: int) -> str:
    for net, shift, kind in _V4_BLOCKS:
        if value >> shift == net >> shift:
            return kind
    return PUBLIC


def _kind_v6(value: int) -> str:
    for net, shift, kind in _V6_BLOCKS:
        if value >> shift == net >> shift:
            return kind
    if value >> 32 == 0x0064FF9B << 64:  # 64:ff9b::/96, NAT64 (RFC 6052): leads to the IPv4 address inside
        return address_kind(_dotted(value & 0xFFFFFFFF))
    embedded = None
    if value >> 32 == 0 and value > 1:  # ::a.b.c.d, IPv4-compatible (RFC 4291 2.5.5.1)
        embedded = value & 0xFFFFFFFF
    elif value >> 112 == 0x2002:  # 6to4 (RFC 3056)
        embedded = value >> 80 & 0xFFFFFFFF
    elif value >> 32 & 0xFCFFFFFF == 0x00005EFE:  # ISATAP interface id (RFC 5214 6.1)
        kind = address_kind(_dotted(value & 0xFFFFFFFF))
        if kind != PUBLIC:
            return kind
    if embedded is not None:
        kind = address_kind(_dotted(embedded))
        return "reserved" if kind == PUBLIC else kind
    return PUBLIC if value >> 125 == 1 else "reserved"  # 2000::/3
