"""`reader:path` → corpus, the one way every command names its data.

    att:DIR   lfw:DIR   folder:DIR   flat:DIR   manifest:FILE   olivetti:[DIR]
    svc2004:DIR   susig:DIR   sigcomp2009:DIR

A bare path is read as `manifest:` where it ends in .csv or .parquet and as `folder:` otherwise. `folder:` and `flat:`
take a crop box behind the path: `folder:DIR?crop=72,64,178,193`. A relative path that does not exist is looked for
under `COUNTERSIGN_DATA` too.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from encode.errors import CorpusInvalid, CropInvalid
from encode.sample import CropBox
from eval.corpora.corpus import Corpus
from eval.corpora.folder import read_att, read_flat, read_folder, read_lfw
from eval.corpora.manifest import read_manifest
from eval.corpora.olivetti import read_olivetti
from eval.corpora.signatures import read_sigcomp2009, read_susig, read_svc2004

DATA_VARIABLE = "COUNTERSIGN_DATA"

_PLAIN: dict[str, Callable[..., Corpus]] = {
    "att": read_att,
    "lfw": read_lfw,
    "manifest": read_manifest,
    "svc2004": read_svc2004,
    "susig": read_susig,
    "sigcomp2009": read_sigcomp2009,
}
_CROPPED: dict[str, Callable[..., Corpus]] = {"folder": read_folder, "flat": read_flat}
READERS = (*_PLAIN, *_CROPPED, "olivetti")


def open_corpus(spec: str, *, also: Sequence[str] = ()) -> Corpus:
    """The corpus that `spec` names. Raises CorpusInvalid for an unknown reader, CorpusMissing for a missing path.

    `also` are readers that the caller knows besides, for the error to name.
    """
    reader, colon, rest = spec.partition(":")
    if not colon:
        rest = spec
        reader = "manifest" if Path(spec).suffix.lower() in {".csv", ".parquet"} else "folder"
    if reader == "olivetti":
        return read_olivetti(corpus_path(rest) if rest else None, name="olivetti")
    if reader not in READERS:
        raise CorpusInvalid(
            f"{reader!r} is not a corpus reader", field="corpus", fix=f"use one of {', '.join((*READERS, *also))}"
        )
    location, _, query = rest.partition("?")
    if not location:
        raise CorpusInvalid("no path is given", field="corpus", fix=f"write {reader}:PATH")
    path = corpus_path(location)
    if reader in _CROPPED:
        return _CROPPED[reader](path, name=Path(os.path.abspath(path)).name, crop=_crop(query))
    if query:
        raise CorpusInvalid(f"{reader}: takes no option ({query!r} given)", field="corpus")
    return _PLAIN[reader](path, name=path.stem if reader == "manifest" else reader)


def corpus_path(location: str) -> Path:
    """Where a corpus lies: as given, or under `COUNTERSIGN_DATA` where nothing is there."""
    path = Path(location).expanduser()
    root = os.environ.get(DATA_VARIABLE)
    if root and not path.is_absolute() and not path.exists():
        return Path(root) / path
    return path


def _crop(query: str) -> CropBox | None:
    if not query:
        return None
    key, _, value = query.partition("=")
    try:
        if key == "crop":
            return CropBox.parse(value)
    except CropInvalid:
        pass
    raise CorpusInvalid(f"{query!r} is not an option", field="corpus", fix="write ?crop=left,top,right,bottom")
