"""Text for ids, tokens and page tokens: plausible, or made to trip whatever reads it."""

import base64
import hashlib
import random

COLLECTIONS = ("staff", "staff", "staff", "visitors")
PEOPLE = ("ada", "bob", "eve", "nobody")

_TRICKS = (
    "",
    " ada",
    "ada ",
    "ada\n",
    "a\0b",
    "\x7f",
    "\u202eada",  # right to left from here on
    "a\u200bda",  # a space without width
    "\ufeffada",
    "\u0661\u0662",  # digits of another script
    "\u00e9",
    "e\u0301",  # the same letter, not in normal form C
    "e" + "\u0301" * 120,
    "\u1e9b\u0323",
    "\ufb01",
    "\U0001f469\u200d\U0001f52c",
    "\U0010ffff",
    "\ue000",
    "\ud7ff",
    "\u2028",
    "x" * 128,
    "x" * 129,
    "\U0001f600" * 128,
    "x" * 100_000,
    "*",
    "%",
    "../../etc/passwd",
    "'; DROP TABLE people; --",
    "{0.__class__} %s %n ${jndi:ldap://localhost}",
    "<script>",
    "-1",
    "None",
    "\\u0000",
)
_NO_TEXT = (
    b"\xff",
    b"ada\xff",
    b"\xc0\x80",  # NUL, longer than need be
    b"\xed\xa0\x80",  # half of a pair
    b"\xf4\x90\x80\x80",  # beyond the last character
    b"\xe2\x82",
)


def plausible_text(draw: random.Random, field: str) -> bytes:
    """What a caller would put into the field of that name."""
    if field == "collection":
        return draw.choice(COLLECTIONS).encode()
    if field == "person":
        return (draw.choice(PEOPLE) if draw.random() < 0.7 else f"person {draw.randrange(200)}").encode()
    if field == "page_token":
        return page_token(draw.choice(COLLECTIONS), draw.choice((*PEOPLE, *_TRICKS)))
    return f"request {draw.randrange(1_000_000)}".encode()


def hostile_text(draw: random.Random) -> bytes:
    """Any text, or bytes that are none."""
    how = draw.random()
    if how < 0.6:
        return draw.choice(_TRICKS).encode()
    if how < 0.8:
        return draw.choice(_NO_TEXT)
    return draw.randbytes(draw.choice((1, 16, 300)))


def page_token(collection: str, last: str) -> bytes:
    """A page token that carries the right check, which needs no key, whatever stands in it."""
    check = hashlib.sha256(collection.encode() + b"\0" + last.encode()).digest()[:8]
    return base64.urlsafe_b64encode(check + last.encode())
