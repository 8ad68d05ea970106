"""Hostile request bodies: each must be answered, and none may change later answers."""

import json
from itertools import chain
from typing import Any

VALID = b'{"title": "A star \\u00e9", "abstract": "We prove a theorem.", "id": "x-1"}'
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    " ",
    "a",
    [],
    ["a"],
    {},
    {"title": "a"},
    [[]],
    "\x00",
    "\U0010ffff",
)
SNIPPETS = (
    "[SEP]", "[CLS] a [SEP] b [SEP]", "[MASK] [PAD] [UNK]", "##s ##", "{{7*7}}", "${jndi:ldap://a/b}", "%s%n%x",
    "{0.__class__}", "'; DROP TABLE papers; --", "../../etc/passwd", "<script>alert(1)</script>",
    "a\r\nX-Injected: yes",
    "\u202eevil\u202c", "\u200b\u200d\ufeff", "e" + "\u0301" * 5000, "\U0001f469\u200d\U0001f467" * 500, "\ufffe\uffff",
    "\ue000" * 100, "\ufdfa" * 1000, "\u5b57" * 50_000, "a" * 100_000, "a " * 50_000, "." * 100_000, "\t\n\r\x0b\x0c",
    "\x85\u2028\u2029\u00a0", "\u0130\u0131" * 1000, "\u00df" * 1000, "\u0000", "NaN", "null", "true", "-0", "\\", '"',
    "\\u0000", "%00", "\x1b[31m", "\x7f", "\u00ad" * 1000, "\u0671\u0644\u0633", "\u0e44\u0e17\u0e22" * 1000,
)  # fmt: skip


def _truncated() -> list[bytes]:
    return [VALID[:length] for length in range(0, len(VALID), 2)]


def _encoded() -> list[bytes]:
    text = VALID.decode()
    foreign = [text.encode(name) for name in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")]
    broken = (
        b"\x80",
        b"\xc0\xaf",
        b"\xe2\x82",
        b"\xf5\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xff\xfe",
        b"\x00",
        b"\x1f\x8b\x08\x00",
    )
    return foreign + [b'{"title": "' + piece + b'"}' for piece in broken] + list(broken)


def _numbers() -> list[bytes]:
    spellings = (
        "1e999",
        "-1e999",
        "1" * 5000,
        "0." + "1" * 5000,
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "NaN",
        "-Infinity",
        "1_0",
    )
    return [b'{"title": %s}' % number.encode() for number in spellings]


def _deep() -> list[bytes]:
    bodies = []
    for depth in (10, 100, 900, 5_000, 100_000):
        nested = b"[" * depth + b"]" * depth
        bodies += [nested, b'{"title": ' + nested + b"}", b'{"papers": [' + nested + b"]}", b"[" * depth]
        bodies += [b'{"a":' * depth + b"1" + b"}" * depth]
    return bodies


def _typed() -> list[bytes]:
    shapes = [
        document
        for value in VALUES
        for document in (value, {"title": value}, {"title": "a", "abstract": value}, {"title": "a", "id": value},
                         {"papers": value}, {"papers": [value]})
    ]  # fmt: skip
    return [json.dumps(shape).encode() for shape in shapes]


def _named() -> list[bytes]:
    names = (
        "",
        "__proto__",
        "constructor",
        "title ",
        "Title",
        "TITLE",
        "title\u0000",
        "a" * 10_000,
        "/~",
        "~1",
        "#/title",
    )
    unknown = [json.dumps({"title": "a", name: "b"}).encode() for name in names]
    twice = [b'{"title": "a", "title": "b"}', b'{"title": "a", "t\\u0069tle": "b"}', b'{"papers": [], "papers": [{}]}']
    many = json.dumps({f"k{i}": i for i in range(20_000)}).encode()
    return [*unknown, *twice, many]


def _batched() -> list[bytes]:
    counts = [json.dumps({"papers": [{"title": "a"}] * count}).encode() for count in (0, 64, 65, 5000)]
    inner = {"papers": [{"papers": [{"title": "a"}]}]}
    mixed = {"papers": [{"title": snippet} for snippet in SNIPPETS[:12]] + [None, 1, {}, {"id": "\x00"}]}
    return [*counts, json.dumps(inner).encode(), json.dumps(mixed).encode()]


def _surrogates() -> list[bytes]:
    halves = (rb"\ud800", rb"\udfff", rb"\ud800\ud800", rb"\udc00\ud800", rb"a\ud83d b", rb"\uD800\u0041")
    return [b'{"%s": "a%s"}' % (name, half) for name in (b"title", b"abstract", b"id") for half in halves]


def bodies() -> list[bytes]:
    """All bodies, in a fixed order."""
    texts = [json.dumps({"title": "a star", "abstract": snippet}).encode() for snippet in SNIPPETS]
    titles = [json.dumps({"title": snippet}, ensure_ascii=False).encode() for snippet in SNIPPETS]
    families = (_truncated(), _encoded(), _numbers(), _deep(), _typed(), _named(), _batched(), _surrogates())
    return list(chain(*families, texts, titles))
