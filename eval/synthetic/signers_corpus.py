"""Synthetic signers as a corpus in a folder: one CSV file a signature, and the manifest that lists them.

FOLDER/manifest.csv                                path,person,modality,kind,order
FOLDER/synthetic-01/genuine-01.csv  forgery-01.csv …       x,y,t,p,pen
FOLDER/README.txt                                  says that nobody is real
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from encode.errors import ConfigError
from encode.sample import Modality
from encode.stroke_files import write_strokes_csv
from eval.corpora.corpus import Corpus
from eval.corpora.manifest import read_manifest
from eval.synthetic.faces import clear_people, person_name
from eval.synthetic.signers import DEFAULT_TABLET, Signer
from eval.synthetic.signers_tablet import Tablet

MANIFEST = "manifest.csv"
LABEL = "Synthetic signatures, drawn by a kinematic model of handwriting. There are no such people.\n"


def write_signers(
    folder: Path,
    people: int,
    genuine: int,
    forgeries: int,
    *,
    seed: int = 0,
    tablet: Tablet = DEFAULT_TABLET,
) -> Iterator[str]:
    """Draw people into `folder`, yielding each name once written; the manifest comes last.

    Synthetic people of an earlier run are removed first; nothing else in the folder is touched. Raises ConfigError if
    it cannot be written.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    try:
        clear_people(folder)
        for person in range(people):
            signer, name = Signer.draw(person, seed=seed), person_name(person)
            (folder / name).mkdir()
            drawn = {
                "genuine": signer.genuine(genuine, tablet=tablet),
                "forgery": signer.forgeries(forgeries, tablet=tablet),
            }
            for kind, samples in drawn.items():
                for order, sample in enumerate(samples, start=1):
                    path = f"{name}/{kind}-{order:02}.csv"
                    (folder / path).write_bytes(write_strokes_csv(sample))
                    rows.append((path, name, Modality.SIGNATURE.value, kind, str(order)))
            yield name
        (folder / "README.txt").write_text(LABEL, encoding="utf-8")
        with (folder / MANIFEST).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("path", "person", "modality", "kind", "order"), *rows])
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", field="out") from error


def read_signers(folder: Path) -> Corpus:
    """The people that `write_signers` wrote."""
    return read_manifest(folder / MANIFEST, name="synthetic signers")
