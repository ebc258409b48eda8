"""What searching for people may take: values without any import, because the settings of every command hold them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one search may take on one processor, in seconds, and the people of one collection in memory, in bytes."""

    seconds: float = 5e-3
    bytes: int = 2**30


@dataclass(frozen=True, slots=True)
class GallerySettings:
    """Attributes
    ----------
    bounds : of each collection and model.
    database : ``postgresql://…`` where vectors are kept instead of in memory; None keeps them in memory.
    """

    bounds: Bounds
    database: str | None = None
