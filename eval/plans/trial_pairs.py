"""Trial lists in the form of pairs.txt of Labeled Faces in the Wild (Huang et al. 2007), tab-separated:

    10	300                                10 folds, each of 300 genuine and 300 impostor pairs; `1100` alone: no folds
    Abel_Pacheco	1	4                       images 1 and 4 of one person
    Abdel_Madi_Shabneh	1	Dean_Barker	1      image 1 of one person, and image 1 of another

A pair's first image is a template of one reference, its second the probe; pairs with the same first image share the
template. An image is the person's genuine sample whose file name ends in the number (`Abel_Pacheco_0004.jpg`), or,
where the name ends in none, whose `order` it is. Every fold has as many genuine and
as many impostor pairs as the first line promises; their order within a fold does not matter.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from encode.errors import CorpusInvalid, CorpusMissing
from eval.corpora.corpus import Row
from eval.corpora.files import number_of
from eval.plans.trial_list import ListBuilder, TrialList
from eval.trials import TrialKind

Numbered = Mapping[tuple[str, int], Sequence[Row]]


def read_pairs(file: Path, rows: Sequence[Row]) -> TrialList:
    """Read a list of pairs of samples of `rows`; folds are called `fold 1` and on.

    Raises
    ------
    CorpusMissing if there is no file; CorpusInvalid, with the line, for a list that is malformed, that names images
    which the corpus does not hold, or that is not as long as its first line says.
    """
    lines = _lines(file)
    folds, pairs = _promised(file, lines)
    numbered = _numbered(rows)
    listed = ListBuilder()
    found: Counter[tuple[int, TrialKind]] = Counter()
    for trial, (line, cells) in enumerate(lines[1:]):
        place = f"{file.name}: line {line}"
        if len(cells) == 3:
            person, first, claimed_by, second = cells[0], cells[1], cells[0], cells[2]
        elif len(cells) == 4:
            person, first, claimed_by, second = cells
        else:
            raise CorpusInvalid(
                f"{len(cells)} cells, a pair has three or four", field=place, fix="separate the cells by tabs"
            )
        if len(cells) == 4 and person == claimed_by:
            raise CorpusInvalid("both images are of one person", field=place, fix="write a genuine pair in three cells")
        reference = _sample(numbered, person, first, f"{place}, column 2")
        probe = _sample(numbered, claimed_by, second, f"{place}, column {len(cells)}")
        if reference.id not in listed:
            listed.reference(reference.id, person, reference, f"{place}, column 2")
        fold = trial // (2 * pairs)
        listed.probe(reference.id, probe, place, fold=f"fold {fold + 1}" if folds > 1 else "")
        found[fold, TrialKind.GENUINE if len(cells) == 3 else TrialKind.RANDOM] += 1
    for fold in range(folds):
        for kind, what in ((TrialKind.GENUINE, "genuine"), (TrialKind.RANDOM, "impostor")):
            if found[fold, kind] != pairs:
                raise CorpusInvalid(
                    f"fold {fold + 1} has {found[fold, kind]} {what} pairs, the first line promises {pairs}",
                    field=file.name,
                )
    if sum(found.values()) != 2 * folds * pairs:
        raise CorpusInvalid(
            f"{sum(found.values())} pairs, the first line promises {2 * folds * pairs}", field=file.name
        )
    return listed.build(file.name)


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Line number, counted from 1, and cells of every line that is not blank; separated by tabs, else by spaces."""
    if not file.is_file():
        raise CorpusMissing(f"there is no list of pairs {file}", fix="check the path")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusInvalid("the file is not UTF-8 text", field=file.name) from error
    numbered = enumerate(text.splitlines(), start=1)
    return [
        (number, [cell.strip() for cell in (line.strip().split("\t") if "\t" in line else line.split())])
        for number, line in numbered
        if line.strip()
    ]


def _promised(file: Path, lines: Sequence[tuple[int, Sequence[str]]]) -> tuple[int, int]:
    """Folds, and genuine pairs in each; there are as many impostor pairs."""
    if not lines:
        raise CorpusInvalid("the list is empty", field=file.name)
    line, cells = lines[0]
    if len(cells) > 2 or not all(cell.isdecimal() and int(cell) > 0 for cell in cells):
        raise CorpusInvalid(
            "the first line says how many pairs there are",
            field=f"{file.name}: line {line}",
            fix="begin with the number of folds, a tab, and the number of genuine pairs in each; or the latter alone",
        )
    return (int(cells[0]), int(cells[1])) if len(cells) == 2 else (1, int(cells[0]))


def _numbered(rows: Sequence[Row]) -> Numbered:
    """Person and number → the genuine samples of that number."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        number = number_of(PurePosixPath(row.id).stem)
        number = row.order if number is None else number
        if row.kind == "genuine" and number is not None:
            found.setdefault((row.person, number), []).append(row)
    return found


def _sample(numbered: Numbered, person: str, number: str, place: str) -> Row:
    if not number.isdecimal():
        raise CorpusInvalid(f"{number!r} is not the number of an image", field=place)
    found = numbered.get((person, int(number)), [])
    if len(found) != 1:
        what = "no sample" if not found else f"{len(found)} samples"
        raise CorpusInvalid(
            f"the corpus holds {what} {number} of {person!r}",
            field=place,
            fix=None if not found else "list the trials as tables of samples instead",
        )
    return found[0]
