"""A table of claims to be decided: CSV or Parquet, one row a probe.

Columns `path,person,modality`: the file, the person claimed, face or signature. Optional `kind` (genuine, random or
skilled: what the claim is in truth; a manifest's forgery is skilled), `source` (who made the probe), `trial` (rows with
the same one are samples of one claim) and the manifest's `crop_*`. Paths are relative to the table's folder; a manifest
of a corpus is such a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from encode.errors import CorpusInvalid
from eval.corpora.corpus import Row
from eval.corpora.manifest import read_row
from eval.corpora.table import read_table
from eval.trials import TrialKind

REQUIRED = ("path", "person", "modality")


@dataclass(frozen=True, slots=True)
class Trial:
    """Attributes
    ----------
    name : of the column `trial`, or the row's number from 1.
    person : who is claimed.
    rows : the probes.
    kind, source : of the table; empty where it does not tell.
    """

    name: str
    person: str
    rows: tuple[Row, ...]
    kind: str
    source: str

    @property
    def probe(self) -> str:
        """The probes' paths, in one word."""
        return "+".join(row.id for row in self.rows)


def read_trials(file: Path) -> list[Trial]:
    """The claims of a table, in its order. Raises CorpusMissing, CorpusInvalid with the row and the column at fault."""
    found: dict[str, Trial] = {}
    for number, record in enumerate(read_table(file, REQUIRED, what="table of trials"), start=1):
        trial = _trial(file.parent, number, record)
        before = found.get(trial.name)
        if before is not None:
            told = (before.person, before.kind, before.source)
            if told != (trial.person, trial.kind, trial.source):
                raise CorpusInvalid(
                    f"the rows of trial {trial.name!r} differ in person, kind or source", field=f"row {number}: trial"
                )
            trial = Trial(trial.name, trial.person, (*before.rows, *trial.rows), trial.kind, trial.source)
        found[trial.name] = trial
    if not found:
        raise CorpusInvalid("the table holds no rows", field=file.name)
    return list(found.values())


def _trial(root: Path, number: int, record: Mapping[str, str]) -> Trial:
    kind = (record.get("kind") or "").strip()
    kind = TrialKind.SKILLED.value if kind == "forgery" else kind
    if kind and kind not in set(TrialKind):
        raise CorpusInvalid(
            f"{kind!r} is not a kind of trial", field=f"row {number}: kind", fix="use genuine, random or skilled"
        )
    row = read_row(root, number, {**record, "kind": "genuine"})
    name = (record.get("trial") or "").strip() or str(number)
    return Trial(name, row.person, (row,), kind, (record.get("source") or "").strip())
