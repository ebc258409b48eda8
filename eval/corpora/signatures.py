"""The three public corpora of online signatures, each in the layout it is published in.

svc2004:DIR      SVC2004 Task 1 or Task 2, training set: 40 people, U{u}S{s}.TXT (Yeung et al. 2004)
susig:DIR        SUSIG, the visual subcorpus, the blind one, or a folder that holds both (Kholmatov & Yanikoglu 2009)
sigcomp2009:DIR  SigComp2009, the main (NFI) set, the training (NISDCC) set, or a folder that holds both

People are named alike whichever part is given, and those of two parts never share a name. `order` is that of
acquisition. Which samples may be references where the protocol names no pool is the custom of each corpus: the first
ten genuine signatures of SVC2004, the first session of SUSIG's visual subcorpus, any elsewhere.
"""

import re
from functools import partial
from pathlib import Path

from encode.errors import CorpusInvalid
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.corpora.files import require_folder, visible_files
from eval.corpora.strokes import SVC2004_NAME, load_strokes

SVC2004_GENUINE = 20
"""Samples up to this number are genuine, those above are skilled forgeries."""

SVC2004_POOL = 10
"""References are drawn from this many first genuine samples."""

SUSIG_SESSION = 10
"""Genuine samples of one person in one session of the visual subcorpus; the second session's follow in order."""

_SUSIG = re.compile(r"(\d+)_([12gf])_(\d+)\.SIG", re.IGNORECASE)
_SIGCOMP_MAIN = re.compile(r"NFI-(\d{3})(\d{2})(\d{3})\.HWR", re.IGNORECASE)
_SIGCOMP_TRAINING = re.compile(r"NISDCC-(\d{3})_(\d{3})_(\d{3})\.HWR", re.IGNORECASE)

_LOADERS = {name: partial(load_strokes, format=name) for name in ("svc2004", "susig", "sigcomp2009")}


def read_svc2004(directory: Path, *, name: str) -> Corpus:
    """U{u}S{s}.TXT directly in `directory`: genuine up to S20, skilled forgeries of the same person from S21."""
    rows = []
    for file in visible_files(directory):
        if found := SVC2004_NAME.fullmatch(file.name):
            person, number = (int(digits) for digits in found.groups())
            genuine = number <= SVC2004_GENUINE
            rows.append(
                Row(
                    id=file.name,
                    path=file,
                    person=f"U{person}",
                    modality=Modality.SIGNATURE,
                    kind="genuine" if genuine else "forgery",
                    order=number if genuine else number - SVC2004_GENUINE,
                    may_enroll=number <= SVC2004_POOL,
                    loader=_LOADERS["svc2004"],
                )
            )
    _require_any(rows, directory, "U1S1.TXT … U40S40.TXT")
    return Corpus(name, rows, reference_rule=f"the first {SVC2004_POOL} genuine samples")


def read_susig(directory: Path, *, name: str) -> Corpus:
    """GENUINE and FORGERY folders, at most two levels down; the visual subcorpus is the one with SESSION folders.

    People are `visual-001` and `blind-001`, who are different people. Visual samples have `session` 1 or 2.
    """
    require_folder(directory)
    roots = [
        folder.parent
        for pattern in ("GENUINE", "*/GENUINE", "*/*/GENUINE")
        for folder in sorted(directory.glob(pattern))
        if folder.is_dir()
    ]
    rows: list[Row] = []
    parts: set[str] = set()
    for root in roots:
        files = [file for folder in ("FORGERY", "GENUINE") for file in visible_files(root / folder, deep=True)]
        found = [(file, match) for file in files if (match := _SUSIG.fullmatch(file.name))]
        part = "visual" if any(match[2] in "12" for _, match in found) else "blind"
        if part in parts:
            raise CorpusInvalid(f"{directory.name} holds the {part} subcorpus twice", field="corpus", fix="name one")
        parts.add(part)
        rows += [_susig_row(root, file, match, part) for file, match in found]
    _require_any(rows, directory, "GENUINE and FORGERY folders of .sig files")
    rule = "the first session (visual)" if "visual" in parts else None
    return Corpus(name, rows, reference_rule=rule)


def _susig_row(root: Path, file: Path, match: re.Match[str], part: str) -> Row:
    person, kind, number = match[1], match[2].lower(), int(match[3])
    session = kind if kind in "12" else None
    return Row(
        id=f"{part}/{file.relative_to(root).as_posix()}",
        path=file,
        person=f"{part}-{person}",
        modality=Modality.SIGNATURE,
        kind="forgery" if kind == "f" else "genuine",
        session=session,
        order=number + (SUSIG_SESSION if session == "2" else 0),
        may_enroll=session != "2",
        loader=_LOADERS["susig"],
    )


def read_sigcomp2009(directory: Path, *, name: str) -> Corpus:
    """Every .hwr file below `directory`, whichever set it is of.

    People are `NFI-001` (main set) and `NISDCC-001` (training set). A forgery's person is the one whose signature it
    imitates, not the writer.
    """
    rows = [row for file in visible_files(directory, deep=True) if (row := _sigcomp_row(file))]
    _require_any(rows, directory, "NFI-….hwr or NISDCC-….hwr files, unpacked")
    return Corpus(name, rows)


def _sigcomp_row(file: Path) -> Row | None:
    if match := _SIGCOMP_MAIN.fullmatch(file.name):
        part, (writer, sample, person) = "NFI", match.groups()
    elif match := _SIGCOMP_TRAINING.fullmatch(file.name):
        part, (writer, person, sample) = "NISDCC", match.groups()
    else:
        return None
    return Row(
        id=file.name,
        path=file,
        person=f"{part}-{person}",
        modality=Modality.SIGNATURE,
        kind="genuine" if writer == person else "forgery",
        order=int(sample),
        loader=_LOADERS["sigcomp2009"],
    )


def _require_any(rows: list[Row], directory: Path, layout: str) -> None:
    if not rows:
        raise CorpusInvalid(f"{directory.name} holds no signatures of this corpus", fix=f"it should hold {layout}")
