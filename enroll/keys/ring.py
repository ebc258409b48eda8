"""Key-encryption keys: what wraps the data keys of people, and never lies beside them.

    key-encryption key (file, environment, key management service)  →  wraps  →  data key of a person  →  seals  →  rows

A ring holds the current key and older ones that still open what they wrapped. A key's id says nothing of the key, but
differs from key to key: the wrong key is told by name before anything is tried with it.
"""

import hmac
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from encode.errors import CountersignError, StoreKeyMissing, StoreUnavailable
from enroll.keys.envelope import KEY_BYTES, Cipher, NotSealedSo

_WRAPPED = "countersign wrapped key"
_ID_BYTES = 8


class KeyProvider(Protocol):
    """A key that wraps others: here, or in a key management service that never hands it out."""

    @property
    def key_id(self) -> str:
        """At most 128 characters, always the same for the same key, and telling nothing of it."""

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """`data_key` (32 bytes), wrapped so that it unwraps with the same `context` only."""

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key. Whatever it raises is taken for a refusal."""


class LocalKey:
    """A key of 32 bytes held by this process."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(key)
        self._id = hmac.digest(key, b"countersign key id", "sha256")[:_ID_BYTES].hex()

    @property
    def key_id(self) -> str:
        """16 hex digits, computed from the key one way."""
        return self._id

    def wrap(self, data_key: bytes, context: str) -> bytes:
        return self._cipher.seal(data_key, _WRAPPED, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Raises NotSealedSo."""
        return self._cipher.open(wrapped, _WRAPPED, context)

    def __repr__(self) -> str:
        return f"LocalKey({self._id})"


class KeyRing:
    """The current key and older ones, read again when one is asked for that is not there yet.

    `load` gives them, the current one first; it is called at once and whenever a key is missing, so that a rotation
    reaches services that run.

    Raises
    ------
    ConfigError, StoreKeyMissing : what `load` raises.
    """

    def __init__(self, load: Callable[[], Sequence[KeyProvider]]) -> None:
        self._load = load
        self._lock = Lock()
        self._held: dict[str, KeyProvider] = {}
        self.reload()

    @property
    def current(self) -> KeyProvider:
        """The key that new stores and rotations take."""
        return self._current

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys held, the current one's first."""
        rest = sorted(self._held.keys() - {self._current.key_id})
        return (self._current.key_id, *rest)

    def reload(self) -> None:
        """Read the keys again. Those held before are kept: a rotation may be under way."""
        with self._lock:
            loaded = self._load()
            self._current = loaded[0]
            self._held = {**self._held, **{provider.key_id: provider for provider in loaded}}

    def get(self, key_id: str) -> KeyProvider:
        """The key of that id. Raises StoreKeyMissing, naming it."""
        if key_id not in self._held:
            self.reload()
        if key_id not in self._held:
            raise key_missing(f"the stored data needs key {key_id}; at hand: {', '.join(self.key_ids)}")
        return self._held[key_id]

    def wrap(self, key_id: str, data_key: bytes, context: str) -> bytes:
        """`data_key` wrapped with the key of that id. Raises StoreKeyMissing, StoreUnavailable."""
        provider = self.get(key_id)
        try:
            return provider.wrap(data_key, context)
        except Exception as error:
            raise _failed(error, key_id) from error

    def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        """The data key. Raises StoreKeyMissing, also where the key does not open it; StoreUnavailable."""
        provider = self.get(key_id)
        try:
            data_key = provider.unwrap(wrapped, context)
        except NotSealedSo as error:
            raise key_missing(f"key {key_id} does not open what the store holds under its name") from error
        except Exception as error:
            raise _failed(error, key_id) from error
        if len(data_key) != KEY_BYTES:
            raise key_missing(f"key {key_id} opens the stored data keys to something else")
        return data_key


def key_missing(message: str) -> StoreKeyMissing:
    """The error for a key that is not at hand, with where keys are given."""
    return StoreKeyMissing(
        message,
        field="key_file",
        fix="give the key in COUNTERSIGN_KEY_FILE, COUNTERSIGN_KEY or COUNTERSIGN_KEY_PROVIDER, or restore its file",
    )


def _failed(error: Exception, key_id: str) -> CountersignError:
    if isinstance(error, CountersignError):
        return error
    # By its type alone: what a provider says of itself may hold credentials.
    return StoreUnavailable(
        f"the provider of key {key_id} failed: {type(error).__name__}", fix="check the key management service"
    )
