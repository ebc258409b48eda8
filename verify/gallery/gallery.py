"""The galleries of a service: one search a collection and model, built from the store and following it.

    start     everybody is read, some at a time, beside the calls          state `building`: searches are refused
    ready     before each search: who was changed since?  →  read anew  →  put in, moved or taken out
    behind    more was changed than the store keeps track of, or it was restored  →  built anew

The store is asked before every search, so that whatever any process has changed is visible to the next search of each.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread

import numpy as np

from encode.errors import CountersignError, GalleryBuilding, StoreCorrupt
from encode.sample import Modality
from enroll.lineup import Lineup
from enroll.stores.changes import Position
from enroll.stores.roll import Roll
from enroll.template import Template
from verify.gallery.keeping import Keeping
from verify.gallery.search import CandidateSearch, Floats, Near
from verify.gallery.space import SearchSpace
from verify.logging import get_logger
from verify.model import Model

PAGE = 256
FOLLOW_SECONDS = 1.0
"""How often the store is asked where nobody searches, so that a search has little to catch up with."""
RETRY_SECONDS = 5.0
_WORK_SHARE = 0.5
"""Of the time, that building may take from calls."""

OpenSearch = Callable[[str, str, SearchSpace], CandidateSearch]
"""Collection, model digest, and space → an empty search."""

Told = Callable[["GalleryState"], None]


@dataclass(frozen=True, slots=True)
class GalleryState:
    """What metrics and health tell: `ready`, how many people (templates) are searched, and bytes of memory."""

    ready: bool
    people: int
    memory: int


class Gallery:
    """The searches of one service; safe to use from several threads.

    Parameters
    ----------
    models : whose templates are searched: the current ones.
    roll : of the store.
    open_search : makes a search.
    told : is called with the state as it changes, from the gallery's own thread.
    seed : draws the rotation of the spaces; None takes the one that is no secret.
    keeping : where vectors outlast this process, if they do.
    """

    def __init__(
        self,
        models: Lineup[Model],
        roll: Roll,
        open_search: OpenSearch,
        *,
        told: Told = lambda state: None,
        seed: int | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self._digests = {model.model_digest: modality for modality, model in models.items()}
        self._models = {modality: model.model_digest for modality, model in models.items()}
        self.spaces: Mapping[Modality, SearchSpace] = {
            modality: SearchSpace.of(model.identity, seed=seed) for modality, model in models.items()
        }
        self._roll = roll
        self._open, self._told, self._keeping = open_search, told, keeping or Keeping()
        self._searches: dict[tuple[str, str], CandidateSearch] = {}
        self._position: Position | None = None
        self._following, self._stopping = Lock(), Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to build, and then to follow, on a thread of its own."""
        self._thread = Thread(target=self._run, name="countersign-gallery", daemon=True)
        self._thread.start()

    @property
    def state(self) -> GalleryState:
        searches = list(self._searches.values())
        return GalleryState(
            self._position is not None, sum(len(one) for one in searches), sum(one.memory for one in searches)
        )

    def follow(self, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Take in whatever was changed until now.

        Raises
        ------
        GalleryBuilding : it is not built yet, or has to be built anew. StoreError : the store cannot be read.
        """
        while True:
            checkpoint()
            position = self._position
            if position is None:
                raise _building()
            changed = self._roll.since(position)
            if changed is not None and not changed.refs and changed.position == position:
                return
            with self._following, self._keeping.exclusive():
                # Another thread, or another process, may have been here first.
                if self._position is not position:
                    continue
                if (kept := self._keeping.position()) is not None and kept != position:
                    self._position = kept
                    continue
                if changed is None:
                    self._position = None
                    raise _building()
                for begin in range(0, len(changed.refs), PAGE):
                    refs = changed.refs[begin : begin + PAGE]
                    self._keeping.forget(refs)
                    self._put(self._readable(refs), refs)
                self._keeping.keep(changed.position)
                self._position = changed.position

    def size(self, collection: str, modality: Modality) -> int:
        """People who are searched by samples of a modality."""
        search = self._found(collection, modality)
        return 0 if search is None else len(search)

    def candidates(self, collection: str, modality: Modality, vector: Floats, count: int) -> list[Near]:
        """At most `count` people near `vector`, a point of the modality's space, nearest first."""
        search = self._found(collection, modality)
        return [] if search is None else search.search(vector, count)

    def build(self) -> None:
        """Read everybody, unless what is kept can be followed on from. Raises StoreError."""
        began = time.monotonic()
        with self._following, self._keeping.exclusive():
            self._position = None
            kept = self._keeping.position()
            if kept is not None and self._roll.since(kept) is not None:
                self._position = kept
                return
            self._keeping.clear()
            for search in self._searches.values():
                search.close()
            self._searches = {}
            position = self._roll.position()
            unreadable, after = 0, ""
            while not self._stopping.is_set():
                asked = time.monotonic()
                page = self._roll.page(after=after, limit=PAGE)
                self._put(page.templates, ())
                unreadable += page.unreadable
                after = page.after
                if not after:
                    break
                self._stopping.wait((time.monotonic() - asked) * (1.0 / _WORK_SHARE - 1.0))
            for search in self._searches.values():
                search.tend()
            if self._stopping.is_set():
                return
            self._keeping.keep(position)
            self._position = position
        state = self.state
        get_logger().info(
            "gallery_ready",
            people=state.people,
            unreadable=unreadable,
            memory=state.memory,
            seconds=round(time.monotonic() - began, 3),
            kinds=sorted({search.plan.kind for search in self._searches.values()}),
        )

    def close(self) -> None:
        """Stop building and following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for search in self._searches.values():
            search.close()
        self._searches = {}
        self._keeping.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = FOLLOW_SECONDS
            try:
                if self._position is None:
                    self._told(self.state)
                    self.build()
                self.follow()
                for search in list(self._searches.values()):
                    search.tend()
                self._told(self.state)
            except GalleryBuilding:
                continue
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever an index or a row does to it
                reason = error.reason if isinstance(error, CountersignError) else type(error).__name__
                get_logger().warning("gallery_behind", reason=reason, retry_seconds=RETRY_SECONDS)
                pause = RETRY_SECONDS
            self._stopping.wait(pause)

    def _readable(self, refs: Sequence[str]) -> Mapping[str, tuple[Template, ...]]:
        """The templates of these people; whoever's rows do not open is left out, as when everybody is read."""
        try:
            return self._roll.of(refs)
        except StoreCorrupt:
            if len(refs) > 1:
                return {ref: found for one in refs for ref, found in self._readable([one]).items()}
            get_logger().error("gallery_unreadable", people=1)
            return {}

    def _put(self, people: Mapping[str, tuple[Template, ...]], concerned: Sequence[str]) -> None:
        """People as they are now; whoever of `concerned` is not among them, or has left a search, is taken out."""
        placed: dict[tuple[str, str], dict[str, Floats]] = {}
        for ref, templates in people.items():
            for template in templates:
                modality = self._digests.get(template.model_digest)
                if modality is not None and template.count:
                    where = template.collection, template.model_digest
                    placed.setdefault(where, {})[ref] = self.spaces[modality].of_template(template)
        for where, vectors in placed.items():
            self._search(where).add(list(vectors), np.stack(list(vectors.values())))
        for where, search in list(self._searches.items()):
            gone = _without(concerned, placed.get(where, {}))
            if gone:
                search.remove(gone)
            if not concerned:
                search.tend()

    def _found(self, collection: str, modality: Modality) -> CandidateSearch | None:
        where = collection, self._models[modality]
        return self._search(where) if self._keeping.shared else self._searches.get(where)

    def _search(self, where: tuple[str, str]) -> CandidateSearch:
        if where not in self._searches:
            collection, digest = where
            made = self._open(collection, digest, self.spaces[self._digests[digest]])
            # Replaced, not changed: others go through it meanwhile.
            self._searches = {**self._searches, where: made}
        return self._searches[where]


def _without(refs: Iterable[str], others: Mapping[str, object]) -> list[str]:
    return [ref for ref in refs if ref not in others]


def _building() -> GalleryBuilding:
    return GalleryBuilding(
        "the gallery is being built from the store", fix="try again a little later", retry_after=RETRY_SECONDS
    )
