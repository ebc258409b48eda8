"""Where keys come from: a file, an environment secret, or a plug-in for a key management service.

A plug-in is named ``module:factory``; ``factory()`` gives one :class:`~enroll.keys.ring.KeyProvider`, or a list of
them with the current one first.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encode.errors import ConfigError
from enroll.keys.file import parse_keys, read_key_file
from enroll.keys.ring import KeyProvider, KeyRing


@dataclass(frozen=True, slots=True)
class KeySource:
    """What names the keys, at most one of three. With none of them set, there is no key.

    Attributes
    ----------
    file : a key file (see `enroll.keys.file`).
    secret : keys in base64, separated by commas, the current one first; shows in no representation.
    plugin : ``module:factory``.
    """

    file: Path | None = None
    secret: str | None = field(default=None, repr=False)
    plugin: str | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError if two are set: which of them counts must not be guessed."""
        given = [name for name, value in self._given().items() if value is not None]
        if len(given) > 1:
            raise ConfigError(
                f"keys come from one place, and {' and '.join(given)} are set", field=given[0], fix="leave one of them"
            )

    @property
    def given(self) -> bool:
        """Whether any is set."""
        return any(value is not None for value in self._given().values())

    def ring(self) -> KeyRing:
        """The keys. Raises ConfigError if they cannot be had."""
        return KeyRing(self._load)

    def _given(self) -> dict[str, object]:
        return {"key_file": self.file, "key": self.secret, "key_provider": self.plugin}

    def _load(self) -> Sequence[KeyProvider]:
        if self.file is not None:
            return read_key_file(self.file)
        if self.secret is not None:
            return parse_keys(self.secret, "key")
        if self.plugin is not None:
            return _plugged_in(self.plugin)
        raise ConfigError(
            "there is no key for the stored templates",
            field="key_file",
            fix="make one with `countersign keys new --file PATH` and name it in COUNTERSIGN_KEY_FILE",
        )


def _plugged_in(name: str) -> Sequence[KeyProvider]:
    module, _, factory = name.partition(":")
    try:
        made: Any = getattr(importlib.import_module(module), factory)()
    except Exception as error:
        # By its type alone: what a plug-in says may hold credentials.
        raise ConfigError(
            f"the key provider {name} cannot be used: {type(error).__name__}",
            field="key_provider",
            fix="name it module:factory, and install the module beside Countersign",
        ) from error
    providers: list[Any] = list(made) if isinstance(made, Sequence) else [made]
    lacking = [part for part in ("key_id", "wrap", "unwrap") if not all(hasattr(one, part) for one in providers)]
    if not providers or lacking:
        raise ConfigError(
            f"the key provider {name} gives no key{' with ' + ', '.join(lacking) if lacking else ''}",
            field="key_provider",
            fix="let it return what has key_id, wrap(data_key, context) and unwrap(wrapped, context)",
        )
    return providers
