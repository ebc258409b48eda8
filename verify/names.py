"""The ids callers choose: of collections, people and requests.

    1 to 128 printable characters (letters, digits, marks, punctuation, symbols, inner spaces) in Unicode normal form C

Normal form C, because two spellings of one name that look the same must not be two people. Nothing is folded, trimmed
or converted: an id is stored exactly as it was sent, or refused.
"""

import unicodedata

from encode.errors import FieldInvalid, FieldMissing

MAX_LENGTH = 128


def require_name(value: str, field: str) -> str:
    """`value` itself, if it is an id; the errors never quote it.

    Raises
    ------
    FieldMissing : it is empty.
    FieldInvalid : it breaks the rule above.
    """
    if not value:
        raise FieldMissing("the field is empty", field=field, fix=f"give 1 to {MAX_LENGTH} printable characters")
    if len(value) > MAX_LENGTH:
        raise FieldInvalid(
            f"the field has {len(value)} characters, the limit is {MAX_LENGTH}",
            field=field,
            fix="use a shorter id, such as a number or a hash of the longer one",
        )
    if not value.isprintable():
        raise FieldInvalid(
            "the field holds a character that does not print", field=field, fix="leave out control characters"
        )
    if value != value.strip():
        raise FieldInvalid("the field begins or ends with a space", field=field, fix="trim the id before sending it")
    if not unicodedata.is_normalized("NFC", value):
        raise FieldInvalid(
            "the field is not in Unicode normal form C", field=field, fix="normalise the id to NFC before sending it"
        )
    return value
