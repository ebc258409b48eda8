"""Trial lists as two tables, CSV or Parquet.

    enroll   template,person,sample           one row a reference: several rows make one template
    probe    template,sample                  one row a trial; optional `kind` and `fold`

`sample` is the id of a sample, for a manifest its `path`. `kind` is genuine, random or skilled; left out or empty it is
what the corpus says, and what the corpus says must not contradict it. `fold` names the part of a cross-validation that
the trial belongs to: in every row or in none.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from encode.errors import CorpusInvalid
from eval.corpora.corpus import Row
from eval.corpora.table import read_table
from eval.plans.trial_list import ListBuilder, TrialList
from eval.trials import TrialKind

ENROLL = ("template", "person", "sample")
PROBE = ("template", "sample")


def read_trial_tables(enroll: Path, probe: Path, rows: Sequence[Row]) -> TrialList:
    """Read a list of trials between samples of `rows`.

    Raises
    ------
    CorpusMissing if a file is not there; CorpusInvalid, with file, row (numbered from 1 below the header) and column,
    for tables that are malformed, contradict the corpus or themselves, or hold no trials.
    """
    samples = {row.id: row for row in rows}
    listed = ListBuilder()
    for place, cells in _cells(enroll, ENROLL):
        sample = _sample(samples, cells["sample"], place)
        listed.reference(cells["template"], cells["person"], sample, place)
    records = _cells(probe, PROBE)
    has_folds = any(cells.get("fold") for _, cells in records)
    for place, cells in records:
        kind, fold = cells.get("kind", ""), cells.get("fold", "")
        if kind and kind not in set(TrialKind):
            raise CorpusInvalid(
                f"{kind!r} is not a kind of trial", field=f"{place}: kind", fix="use genuine, random or skilled"
            )
        if has_folds and not fold:
            raise CorpusInvalid("the cell is empty, and others name a fold", field=f"{place}: fold")
        if cells["template"] not in listed:
            raise CorpusInvalid(f"{enroll.name} holds no template {cells['template']!r}", field=f"{place}: template")
        sample = _sample(samples, cells["sample"], place)
        found = listed.probe(cells["template"], sample, f"{place}: sample", fold=fold)
        if kind and kind != found.value:
            raise CorpusInvalid(
                f"the trial is {found.value} by the corpus, and {kind} by the list",
                field=f"{place}: kind",
                fix="leave the kind out, or correct the list or the corpus",
            )
    return listed.build(probe.name)


def _cells(file: Path, required: Sequence[str]) -> list[tuple[str, Mapping[str, str]]]:
    """Every row: where it stands, and its cells, stripped. Raises CorpusInvalid if there is none."""
    records = read_table(file, required, what="trial list", place=f"{file.name}: ")
    if not records:
        raise CorpusInvalid("the table holds no rows", field=file.name)
    return [
        (f"{file.name}: row {number}", {column: cell.strip() for column, cell in record.items()})
        for number, record in enumerate(records, start=1)
    ]


def _sample(samples: Mapping[str, Row], name: str, place: str) -> Row:
    if name not in samples:
        raise CorpusInvalid(f"the corpus holds no sample {name!r}", field=f"{place}: sample")
    return samples[name]
