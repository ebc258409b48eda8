"""`folder:DIR`, a folder per person, and the two public layouts that are special cases of it.

folder:DIR     DIR/<person>/<sample>: images are faces, stroke files (.csv, .json, .sig, .hwr, U1S1.TXT) signatures
att:DIR        AT&T / ORL faces: DIR/s1 … s40, each 1.pgm … 10.pgm (Samaria & Harter 1994)
lfw:DIR        Labeled Faces in the Wild, aligned 250 x 250: DIR/<Name>/<Name>_0001.jpg, read through one fixed box
flat:DIR       DIR/<image>, every image another person
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from encode.errors import CorpusInvalid
from encode.sample import IMAGE_SUFFIXES, CropBox, Modality
from eval.corpora.corpus import Corpus, Row
from eval.corpora.files import number_of, require_folder, visible_files
from eval.corpora.strokes import is_stroke_file, load_strokes

LFW_BOX = CropBox(left=72, top=64, right=178, bottom=193)
"""The face in the aligned 250 x 250 images: brow to chin, in the proportions of the AT&T crops."""


def read_folder(directory: Path, *, name: str, crop: CropBox | None = None) -> Corpus:
    """A folder per person; every image or stroke file in it is one genuine sample.

    `order` is the number its name ends in. A person's faces and signatures may lie side by side; `crop` is for images.
    """
    rows = []
    for person in _folders(directory):
        for file in visible_files(person):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                rows.append(_row(directory, file, person.name, crop))
            elif is_stroke_file(file):
                rows.append(_strokes(_row(directory, file, person.name, None)))
    if not rows:
        raise CorpusInvalid(
            f"no folder in {directory.name} holds an image ({', '.join(sorted(IMAGE_SUFFIXES))}) or a stroke file",
            fix="lay it out as DIR/<person>/<sample>",
        )
    return Corpus(name, rows)


def read_att(directory: Path, *, name: str) -> Corpus:
    """AT&T: 40 people, 10 images each; an incomplete copy is refused, because its figures would not compare."""
    people = [folder for folder in _folders(directory) if re.fullmatch(r"s\d+", folder.name)]
    rows = [_row(directory, image, person.name, None) for person in people for image in _images(person)]
    if len(people) != 40 or len(rows) != 400:
        raise CorpusInvalid(
            f"{len(people)} people and {len(rows)} images found, AT&T has 40 and 400",
            fix="point att: to the folder that holds s1 … s40; use folder: for a part of it",
        )
    return Corpus(name, rows)


def read_lfw(directory: Path, *, name: str) -> Corpus:
    """LFW, aligned form: every image is read through `LFW_BOX`."""
    rows = [_row(directory, image, person.name, LFW_BOX) for person in _folders(directory) for image in _images(person)]
    if not rows:
        raise CorpusInvalid(
            f"no folder in {directory.name} holds an image", fix="lay it out as DIR/<Name>/<Name>_0001.jpg"
        )
    return Corpus(name, rows)


def read_flat(directory: Path, *, name: str, crop: CropBox | None = None) -> Corpus:
    """One folder of images, one person each."""
    require_folder(directory)
    return Corpus(name, [_row(directory, image, image.stem, crop) for image in _images(directory)])


def _row(root: Path, image: Path, person: str, crop: CropBox | None) -> Row:
    return Row(
        id=image.relative_to(root).as_posix(),
        path=image,
        person=person,
        order=number_of(image.stem),
        crop=crop,
    )


def _folders(directory: Path) -> Iterator[Path]:
    require_folder(directory)
    yield from sorted(entry for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _strokes(row: Row) -> Row:
    return replace(row, modality=Modality.SIGNATURE, loader=load_strokes)


def _images(directory: Path) -> Iterator[Path]:
    yield from (file for file in visible_files(directory) if file.suffix.lower() in IMAGE_SUFFIXES)
