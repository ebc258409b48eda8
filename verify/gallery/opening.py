"""The gallery that the settings ask for."""

from enroll.keys.envelope import KEY_BYTES
from enroll.lineup import Lineup
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from verify.gallery.bounds import Bounds, GallerySettings
from verify.gallery.gallery import Gallery, OpenSearch, Told
from verify.gallery.local import LocalSearch
from verify.gallery.space import SearchSpace
from verify.model import Model

_PURPOSE = "gallery"


def open_gallery(
    models: Lineup[Model], store: TemplateStore, settings: GallerySettings, told: Told = lambda state: None
) -> Gallery:
    """A gallery of everybody in `store`, not started; `told` is called with its state as it changes.

    Raises StoreUnavailable where the database of vectors cannot be used.
    """
    if settings.database is None:
        return Gallery(models, store.roll(), _in_memory(settings.bounds), told=told)
    from verify.gallery.pgvector import PgvectorGallery

    held = PgvectorGallery(settings.database, [model.model_digest for model in models.values()])
    # Whoever reads the table alone must not know the space: it is turned by a secret of the key store.
    secret = store.keys.secret(_PURPOSE) if isinstance(store, SqlStore) else bytes(KEY_BYTES)
    return Gallery(models, store.roll(), held.open_search, told=told, seed=int.from_bytes(secret, "big"), keeping=held)


def _in_memory(bounds: Bounds) -> OpenSearch:
    def open_search(collection: str, digest: str, space: SearchSpace) -> LocalSearch:
        return LocalSearch(space.dimensions, space.limit, bounds)

    return open_search
