"""The dlib pipeline as a service: a picture in, one encode, compared with a person's five descriptors.

    python dlib_service.py crop|detect PROCESSES

Runs in an environment of its own (:mod:`rivals.environment`) and needs nothing of ours. What `face_recognition` does
with its defaults, called directly: HOG detector with one upsampling (`detect`; where it finds no face the whole picture
is taken, so that every call encodes) or the picture as the face (`crop`), five-point landmarks, 29-layer ResNet without
jitter, Euclidean distance at most 0.6. dlib holds the interpreter lock while it computes: it is given processes, one
each, behind a bare grpc.aio server.
"""

import asyncio
import io
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from answering import answer
from PIL import Image

TOLERANCE = 0.6
_pipeline: Any = None


class Pipeline:
    """Detector, landmarks and encoder of one process, and the person that every claim is about."""

    def __init__(self, detect: bool) -> None:
        import dlib
        import face_recognition_models as models

        self._rectangle = dlib.rectangle
        self._detector = dlib.get_frontal_face_detector() if detect else None
        self._landmarks = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self._encoder = dlib.face_recognition_model_v1(models.face_recognition_model_location())
        self._enrolled = np.random.default_rng(0).normal(size=(5, 128)) / 128**0.5

    def verify(self, data: bytes) -> bytes:
        picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        whole = self._rectangle(0, 0, picture.shape[1], picture.shape[0])
        found = self._detector(picture, 1) if self._detector is not None else []
        face = found[0] if found else whole
        descriptor = np.array(self._encoder.compute_face_descriptor(picture, self._landmarks(picture, face), 1))
        accepted = np.linalg.norm(self._enrolled - descriptor, axis=1).min() <= TOLERANCE
        return b"1" if accepted else b"0"


def prepare(detect: bool) -> None:
    global _pipeline
    _pipeline = Pipeline(detect)


def verify(data: bytes) -> bytes:
    answer: bytes = _pipeline.verify(data)
    return answer


async def serve(detect: bool, processes: int) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, prepare, (detect,)) as pool:
        await answer(pool, verify)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] == "detect", int(sys.argv[2])))
