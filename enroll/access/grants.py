"""What a token may do: scopes, each in one collection or in all.

    verify   ask whether a claim is true
    enroll   enroll people and see what is stored of them
    identify ask who of a collection somebody is
    admin    list and erase people

No scope contains another: a kiosk that enrolls need not be able to erase, and who erases need not verify.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from encode.errors import FieldInvalid, StoreCorrupt

EVERY_COLLECTION = "*"


class Scope(StrEnum):
    """What kind of call."""

    VERIFY = "verify"
    ENROLL = "enroll"
    ADMIN = "admin"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One scope in one collection, or in every one (``*``)."""

    scope: Scope
    collection: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """``verify:staff`` or ``admin:*``. Raises FieldInvalid, naming the option ``scope``."""
        scope, colon, collection = text.partition(":")
        if not colon or not collection or scope not in set(Scope):
            raise FieldInvalid(
                f"{text!r} is not SCOPE:COLLECTION",
                field="scope",
                fix=f"give {', '.join(Scope)} and a collection or *, such as verify:staff",
            )
        return cls(Scope(scope), collection)

    def __str__(self) -> str:
        return f"{self.scope.value}:{self.collection}"


@dataclass(frozen=True, slots=True)
class Grants:
    """Every grant of a caller."""

    held: frozenset[Grant] = frozenset()

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> Self:
        return cls(frozenset(grants))

    def allow(self, scope: Scope, collection: str) -> bool:
        """Whether `scope` is granted in `collection`, which is compared as it is: nothing folded, no pattern."""
        return Grant(scope, collection) in self.held or Grant(scope, EVERY_COLLECTION) in self.held

    def to_json(self) -> str:
        """The stored form; the same for equal grants."""
        return json.dumps([[grant.scope.value, grant.collection] for grant in sorted(self.held)], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises StoreCorrupt: a token whose grants cannot be read grants nothing."""
        try:
            return cls.of(Grant(Scope(scope), str(collection)) for scope, collection in json.loads(text))
        except (ValueError, TypeError) as error:
            raise StoreCorrupt(
                "the grants of a token do not decode", fix="revoke the token and create another"
            ) from error


NOTHING = Grants()
EVERYTHING = Grants.of(Grant(scope, EVERY_COLLECTION) for scope in Scope)
"""All scopes in all collections."""
