"""OpenCV's SFace as a service: a picture in, one encode, compared with a person's five features.

    python opencv_service.py MODEL.onnx THREADS

Runs in an environment of its own (:mod:`rivals.environment`) and needs nothing of ours. The picture is taken as the
face and resized to 112 x 112, without detection and alignment; cosine at least 0.363, as OpenCV's tutorial has it.
OpenCV lets go of the interpreter lock: it is given threads, with an encoder each, behind a bare grpc.aio server.
"""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from answering import answer

TOLERANCE = 0.363
_mine = threading.local()


def verify(model: str, data: bytes) -> bytes:
    """Whether the picture is of the person, by the encoder of this thread."""
    if not hasattr(_mine, "encoder"):
        _mine.encoder = cv2.FaceRecognizerSF.create(model, "")
        _mine.enrolled = np.random.default_rng(0).normal(size=(5, 128))
        _mine.enrolled /= np.linalg.norm(_mine.enrolled, axis=1, keepdims=True)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    feature = _mine.encoder.feature(cv2.resize(picture, (112, 112)))[0]
    return b"1" if (_mine.enrolled @ feature / np.linalg.norm(feature)).max() >= TOLERANCE else b"0"


async def serve(model: str, threads: int) -> None:
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(threads) as pool:
        await answer(pool, verify, model)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
