"""Page tokens: where the next page of a listing starts, opaque to the caller.

    token = base64url(check ‖ last),    check = first 8 bytes of SHA-256(collection ‖ 0 ‖ last)

with `last` the last person of the page before, in UTF-8.

The check ties a token to its collection and finds tokens cut short or made up. It guards against mistakes, not against
an adversary: a token grants nothing that listing the collection would not.
"""

import base64
import binascii
import hashlib

from encode.errors import FieldInvalid

_CHECK_BYTES = 8


def make_page_token(collection: str, last: str) -> str:
    """The token of the page that starts after person `last`."""
    return base64.urlsafe_b64encode(_check(collection, last.encode()) + last.encode()).decode()


def read_page_token(collection: str, token: str) -> str:
    """The person after whom the page starts; empty for the empty token. Raises FieldInvalid for any token not ours."""
    if not token:
        return ""
    try:
        data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        check, last = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
        # The check needs no key: a token may be made up around what no id holds, and PostgreSQL takes in no text.
        if check == _check(collection, last) and b"\0" not in last:
            return last.decode()
    except (binascii.Error, ValueError):
        pass
    raise FieldInvalid(
        "the token was not made by this service for this collection",
        field="page_token",
        fix="send next_page_token of the page before unchanged, or leave it empty to start again",
    )


def _check(collection: str, last: bytes) -> bytes:
    return hashlib.sha256(collection.encode() + b"\0" + last).digest()[:_CHECK_BYTES]
