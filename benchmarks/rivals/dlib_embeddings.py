"""dlib's descriptors of the pictures of folders, as a file of embeddings that `countersign train --teacher` reads.

    python dlib_embeddings.py --out dlib.npy lfw=DIR?box=76,80,174,178 lfw_single=DIR?box=76,80,174,178 umist=DIR

Runs in an environment of its own (:mod:`rivals.environment`) and needs nothing of ours. Every picture below DIR is
called NAME/path. Its face is the one that the HOG detector finds nearest the middle (twice enlarged if the picture is
under 200 pixels high), or where it finds none the box given; without a box the picture is left out. Five landmarks, a
chip of 150 x 150 pixels with a quarter of padding, the 29-layer network: 128 values. About a tenth of a second each.

Writes FILE.npy, float32 (N, 128), and FILE.people.csv beside it with the columns sample and person.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".pgm")
SMALL = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+", help="NAME=DIR, or NAME=DIR?box=LEFT,TOP,RIGHT,BOTTOM")
    parser.add_argument("--out", type=Path, required=True, help="the .npy to write")
    options = parser.parse_args()
    rows, names = [], []
    for name, picture, box in pictures(options.folder):
        descriptor = Pipeline.shared().descriptor(np.asarray(Image.open(picture).convert("RGB")), box)
        if descriptor is not None:
            rows.append(descriptor)
            names.append(name)
    np.save(options.out, np.array(rows, np.float32), allow_pickle=False)
    with options.out.with_suffix(".people.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sample", "person"])
        writer.writerows([name, "/".join(name.split("/")[:2])] for name in names)
    print(f"{len(rows)} embeddings in {options.out}")


def pictures(folders: list[str]) -> Iterator[tuple[str, Path, tuple[int, ...] | None]]:
    """Name, file and box of every picture of the folders."""
    for spec in folders:
        name, _, rest = spec.partition("=")
        directory, _, box = rest.partition("?box=")
        root = Path(directory)
        for file in sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES):
            yield f"{name}/{file.relative_to(root).as_posix()}", file, tuple(map(int, box.split(","))) if box else None


class Pipeline:
    """Detector, landmarks and encoder."""

    _shared: "Pipeline | None" = None

    def __init__(self) -> None:
        import dlib
        import face_recognition_models as models

        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self._encoder = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    @classmethod
    def shared(cls) -> "Pipeline":
        cls._shared = cls._shared or cls()
        return cls._shared

    def descriptor(self, picture: Any, box: tuple[int, ...] | None) -> Any:
        """128 values of the face nearest the middle; None without a face or a box."""
        height, width = picture.shape[:2]
        faces = list(self._detector(picture, 1 if height < SMALL else 0))
        if not faces and box is None:
            return None
        if box is not None:
            faces = faces or [self._dlib.rectangle(*box)]
        face = min(faces, key=lambda found: abs(found.center().x - width / 2) + abs(found.center().y - height / 2))
        chip = self._dlib.get_face_chip(picture, self._landmarks(picture, face), 150, 0.25)
        return np.array(self._encoder.compute_face_descriptor(chip))


if __name__ == "__main__":
    main()
