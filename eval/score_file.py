"""scores.parquet: every trial of a run, one row each, for anyone who wants to compute a rate their own way.

claim         the person claimed                       (dictionary of strings)
draw          which draw of references                 (int32)
probe         id of the probe sample                   (dictionary of strings)
kind          genuine, random or skilled               (dictionary of strings)
score         natural-log likelihood ratio             (float64; -inf where `failed`)
failed        the probe could not be acquired          (bool)
model_digest  the model that scored it                 (dictionary of one string)
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from encode.errors import TrialsError
from eval.trials import KINDS, ScoreTable

SCORES = "scores.parquet"
"""What a run calls the file in its folder."""

COLUMNS = ("claim", "draw", "probe", "kind", "score", "failed", "model_digest")


def write_scores(table: ScoreTable, path: Path) -> None:
    """Write `table` to `path`."""

    def named(indices: np.ndarray, names: tuple[str, ...]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(names, pa.string()))

    columns = {
        "claim": named(table.claim, table.people),
        "draw": pa.array(table.draw, pa.int32()),
        "probe": named(table.probe, table.samples),
        "kind": named(table.kind, tuple(kind.value for kind in KINDS)),
        "score": pa.array(table.scores, pa.float64()),
        "failed": pa.array(np.isneginf(table.scores)),
        "model_digest": named(np.zeros(len(table), np.int32), (table.model_digest,)),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_scores(path: Path) -> ScoreTable:
    """Read what `write_scores` wrote.

    Raises TrialsError for a file without these columns, with another kind of trial, or of more than one model.
    """
    try:
        table = pq.read_table(path, columns=list(COLUMNS))
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise TrialsError(
            f"{path.name} is not a table of scores with the columns {', '.join(COLUMNS)}", field=path.name
        ) from error

    def coded(column: str) -> tuple[np.ndarray, list[str]]:
        merged = table[column].combine_chunks()
        if not pa.types.is_dictionary(merged.type):
            merged = merged.dictionary_encode()
        return merged.indices.to_numpy(zero_copy_only=False).astype(np.int32), merged.dictionary.to_pylist()

    claim, people = coded("claim")
    probe, samples = coded("probe")
    kind, kinds = coded("kind")
    models = table["model_digest"].unique().to_pylist()
    unknown = set(kinds) - {known.value for known in KINDS}
    if unknown:
        raise TrialsError(f"{path.name} holds trials of unknown kinds: {', '.join(sorted(unknown))}", field="kind")
    if len(models) != 1:
        raise TrialsError(f"{path.name} holds scores of {len(models)} models, one is needed", field="model_digest")
    number = np.array([[known.value for known in KINDS].index(name) for name in kinds], dtype=np.int8)
    scores = table["score"].to_numpy().astype(np.float64)
    scores[table["failed"].to_numpy().astype(bool)] = -np.inf
    draw = table["draw"].to_numpy().astype(np.int32)
    return ScoreTable(tuple(people), tuple(samples), number[kind], scores, claim, draw, probe, models[0])
