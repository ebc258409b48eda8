"""Embeddings in a file: one Parquet table, or an .npy array with a table of people beside it.

    faces.parquet              sample, person, embedding (list of D numbers), and the optional columns below
    faces.npy                  float32 (N, D), used from disk
    faces.people.parquet       (or .csv) person, and optionally sample and the columns below; row i is of embedding i
    faces.people.txt           one person a line, in place of that table

Optional columns: kind (`genuine`, where there is none, or `forgery`), order, session, split, `group_*`, failed (why the
sample could not be acquired; empty where it could), modality and model_digest (one value throughout).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from encode.errors import CorpusInvalid, CorpusMissing
from encode.manifest import Manifest
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.corpora.table import read_table
from eval.files.embedding_arrays import EMBEDDING, mapped_array, table_vectors
from eval.files.embedding_cells import NOT_FAILED, OPTIONAL, embedding_set
from eval.files.embedding_set import EmbeddingSet, as_corpus, require_model, require_size
from eval.files.parquet_columns import Columns, named, repeated
from eval.files.writing import writing
from eval.scoring import Acquired

EMBEDDINGS = "embeddings.parquet"
"""What a run calls the file in its folder."""

_GROUP_BYTES = 64 << 20


def read_embeddings(path: Path, people: Path | None = None, *, modality: Modality = Modality.FACE) -> EmbeddingSet:
    """Read a Parquet table, or an .npy array with its people.

    Parameters
    ----------
    people : of an .npy array; None looks for the file beside it, named as above.
    modality : of the samples, where the file does not tell.

    Raises
    ------
    CorpusMissing : a file is not there. CorpusInvalid, naming row and column : it is not such a file, an embedding has
        another number of values than the first, is not finite or zero throughout in a row that is not marked failed, an
        id occurs twice, the people are not as many as the embeddings, or a cell is not what its column holds.
    """
    if not path.is_file():
        raise CorpusMissing(f"there is no file {path}", fix="check the path")
    if path.suffix.lower() == ".npy":
        cells = _people(people or _beside(path))
        vectors = mapped_array(path)
    else:
        columns = Columns(path, ("sample", "person"), OPTIONAL, "a table of embeddings", error=CorpusInvalid)
        cells = {name: _text(columns, name) for name in columns.column_names}
        vectors = table_vectors(path, [value.lower() in NOT_FAILED for value in cells.get("failed", [])])
    return embedding_set(cells, vectors, modality=modality)


def embedded_corpus(path: Path, manifest: Manifest) -> tuple[Corpus, Acquired]:
    """The corpus that a file of a bundle's embeddings is, and what was acquired of it (`embedding_set.as_corpus`).

    Raises CorpusMissing, CorpusInvalid: as `read_embeddings`, or the embeddings are of another model or size.
    """
    held = read_embeddings(path, modality=manifest.modality)
    require_model(held, manifest.model_digest, manifest.name)
    require_size(held, manifest.embedding.size, manifest.name)
    return as_corpus(held, path.stem)


def write_embeddings(embeddings: EmbeddingSet, path: Path) -> tuple[Path, ...]:
    """Write a Parquet table, or, where the name ends in .npy, the array and the table of its people beside it.

    Raises ConfigError if a file cannot be written.
    """
    columns = _columns(embeddings)
    with writing(path.parent, path.name):
        if path.suffix.lower() == ".npy":
            beside = path.with_suffix(".people.parquet")
            np.save(path, embeddings.embeddings, allow_pickle=False)
            pq.write_table(pa.table(columns), beside, compression="zstd")
            return path, beside
        values = pa.array(np.ascontiguousarray(embeddings.embeddings).reshape(-1))
        columns[EMBEDDING] = pa.FixedSizeListArray.from_arrays(values, embeddings.size)
        coded = [name for name in columns if name not in ("sample", EMBEDDING)]
        rows = max(_GROUP_BYTES // (4 * embeddings.size), 1)
        pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=coded, row_group_size=rows)
    return (path,)


def _columns(embeddings: EmbeddingSet) -> dict[str, pa.Array]:
    """Every column but the embeddings themselves; those that nobody filled are left out."""

    def texts(values: Sequence[str | None]) -> pa.Array:
        return pa.array(values, pa.string())

    columns = {
        "sample": texts(embeddings.samples),
        "person": texts(embeddings.people).dictionary_encode(),
        "kind": texts(embeddings.kinds).dictionary_encode(),
        "modality": repeated(embeddings.modality.value, len(embeddings)),
    }
    if embeddings.orders is not None and any(order is not None for order in embeddings.orders):
        columns["order"] = pa.array(embeddings.orders, pa.int64())
    for name, values in (("session", embeddings.sessions), ("split", embeddings.splits)):
        if values is not None and any(values):
            columns[name] = texts(values).dictionary_encode()
    columns |= {name: texts(values).dictionary_encode() for name, values in embeddings.groups.items()}
    if embeddings.reasons:
        reasons = sorted(set(embeddings.reasons.values()))
        code = np.full(len(embeddings), -1, dtype=np.int32)
        code[list(embeddings.reasons)] = [reasons.index(reason) for reason in embeddings.reasons.values()]
        columns["failed"] = named(code, reasons)
    if embeddings.model_digest:
        columns["model_digest"] = repeated(embeddings.model_digest, len(embeddings))
    return columns


def _text(columns: Columns, name: str) -> list[str]:
    codes, names = columns.names(name, nulls=True)
    return [names[code] if code >= 0 else "" for code in codes]


def _beside(path: Path) -> Path:
    """The file of people that belongs to an array."""
    names = [path.with_suffix(f".people{suffix}") for suffix in (".parquet", ".csv", ".txt")]
    for name in names:
        if name.is_file():
            return name
    raise CorpusMissing(
        f"there is no {names[0].name}, .csv or .txt beside {path.name}",
        fix="an array needs a file that tells whose each row is",
    )


def _people(path: Path) -> Mapping[str, list[str]]:
    """The columns of a table of people, or one column of a list."""
    if path.suffix.lower() != ".txt":
        rows = read_table(path, ("person",), what="table of people")
        known = [name for name in (rows[0] if rows else ()) if name in ("sample", "person") or _is_optional(name)]
        return {name: [row[name] for row in rows] for name in known}
    try:
        return {"person": [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]}
    except FileNotFoundError as error:
        raise CorpusMissing(f"there is no file {path}", fix="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusInvalid("the file is not UTF-8 text", field=path.name) from error


def _is_optional(name: str) -> bool:
    return name in OPTIONAL or name.startswith("group_")
