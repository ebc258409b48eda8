"""The score files that are compared: what to call them, and what the results beside them say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encode.errors import FieldInvalid
from eval.files.score_file import SCORES, read_scores, score_path
from eval.results.results import RESULTS
from eval.trials import ScoreTable


@dataclass(frozen=True)
class Compared:
    """Scores by name in the order given, and what a reader must know of them."""

    tables: Mapping[str, ScoreTable]
    notes: tuple[str, ...]


def read_compared(paths: Sequence[Path], names: Sequence[str] | None = None) -> Compared:
    """Read the scores.parquet that each of `paths` is, or holds.

    Parameters
    ----------
    names : as many as paths; None calls each by its folder.

    Raises
    ------
    FieldInvalid : names are missing, empty or occur twice; TrialsError : a file is no table of scores.
    """
    files = [score_path(path) for path in paths]
    called = [_folder_name(file) for file in files] if names is None else list(names)
    if len(called) != len(files):
        raise FieldInvalid(f"{len(called)} names are given for {len(files)} models", field="names")
    if len(set(called)) < len(called) or "" in called:
        raise FieldInvalid(
            f"the models cannot be told apart: {', '.join(called)}", field="names", fix="name them with --names A,B"
        )
    tables = {name: read_scores(file) for name, file in zip(called, files, strict=True)}
    corpora = {name: _corpus_beside(file) for name, file in zip(called, files, strict=True)}
    return Compared(tables, tuple(_notes(corpora)))


def _folder_name(file: Path) -> str:
    """The folder's name where the file has a run's usual one, the file's own otherwise."""
    return file.resolve().parent.name if file.name == SCORES else file.stem


def _corpus_beside(file: Path) -> dict[str, Any]:
    """The corpus that results.json beside the scores names; empty where there is none."""
    try:
        document = json.loads(file.with_name(RESULTS).read_bytes())
    except (OSError, ValueError):
        return {}
    corpus = document.get("corpus") if isinstance(document, dict) else None
    return corpus if isinstance(corpus, dict) else {}


def _notes(corpora: Mapping[str, dict[str, Any]]) -> list[str]:
    (first, reference), *others = corpora.items()
    notes = [
        f"{name} was measured on another corpus than {first}, or on another state of it: "
        "people are taken for the same where their names are."
        for name, corpus in others
        if corpus.get("digest") != reference.get("digest")
    ]
    return notes + [
        f"The corpus was used in {name}'s {corpus['used_in_making_the_model']}: its rates are not those of a test."
        for name, corpus in corpora.items()
        if corpus.get("used_in_making_the_model")
    ]
