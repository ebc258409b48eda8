"""A small real bundle, synthetic faces and signatures that models tell apart, and servers on real sockets."""

import io
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import structlog
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from encode.bundle import bundle_digest, seal_bundle
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest
from encode.sample import ImageSample, Modality, StrokesSample
from enroll.memory_store import MemoryStore
from enroll.store import TemplateStore
from verify.client import Client
from verify.logging import configure_logging
from verify.model import Model, load_models
from verify.policy import Policy
from verify.score_summary import summarize
from verify.server_thread import serving
from verify.settings import ServiceSettings

SIDE = 16
SIZE = 12
POINTS = 80

SHAPES = {Modality.FACE: (1, SIDE, SIDE), Modality.SIGNATURE: (2, 32)}
PREPROCESSING: dict[Modality, list[dict[str, object]]] = {
    Modality.FACE: [
        {"step": "colour", "mode": "L"},
        {"step": "resize", "height": SIDE, "width": SIDE, "filter": "box"},
        {"step": "scale", "per_image": True},
    ],
    Modality.SIGNATURE: [{"step": "bromley1993", "points": 32, "features": ["x", "y"]}],
}

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
SealBundle = Callable[..., Path]
MakePolicy = Callable[..., Policy]
StartServer = Callable[..., "contextmanager[str]"]


@lru_cache(maxsize=512)
def _png(person: int, shot: int) -> bytes:
    """Person number `person`: a fixed coarse pattern; each shot adds faint noise of its own."""
    pattern = np.random.default_rng(person).uniform(40, 215, size=(4, 4))
    noise = np.random.default_rng((person, shot, 1)).normal(0, 6, size=(48, 48))
    pixels = np.clip(np.kron(pattern, np.ones((12, 12))) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def face() -> Face:
    """``face(person, shot)``: an image sample of a synthetic person."""
    return lambda person, shot=0: ImageSample(_png(person, shot))


@pytest.fixture(scope="session")
def make_policy() -> MakePolicy:
    """``make_policy(model_digest, **changes)``: FAR 10, 1 and 0.1 % on 3,000 impostor trials."""

    def make(model_digest: str, **changes: object) -> Policy:
        rate = {"value": 0.01, "low": 0.005, "high": 0.02}
        fields: dict[str, object] = {
            "modality": "face",
            "model_digest": model_digest,
            "created": datetime(2025, 3, 1, tzinfo=UTC),
            "corpus": {"name": "patterns", "digest": "c" * 64, "people": 30},
            "trials": {"genuine": 500, "impostor": 3_000},
            "interval": {"method": "bootstrap by person"},
            "table": [
                {"target_far": far, "threshold": threshold, "achieved_far": rate, "frr": rate}
                for far, threshold in ((0.1, -2.0), (0.01, 0.0), (0.001, 2.0))
            ],
            **changes,
        }
        return Policy.model_validate(fields)

    return make


def _network(seed: int, shape: tuple[int, ...]) -> bytes:
    weights = np.random.default_rng(seed).normal(size=(math.prod(shape), SIZE)).astype(np.float32) / SIDE
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["pixels"], axis=1),
            helper.make_node("MatMul", ["pixels", "weights"], ["projected"]),
            helper.make_node("LpNormalization", ["projected"], ["embeddings"], axis=1, p=2),
        ],
        "projection",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", SIZE])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def seal(make_policy: MakePolicy) -> SealBundle:
    """``seal(folder, modality=..., policy=..., seed=..., **identity)`` writes a bundle.

    `policy` is True for a fitting one, None for none, bytes to seal as they are, or what a fitting one is to hold;
    another `seed` makes another model.
    """

    def write(
        folder: Path,
        *,
        modality: Modality = Modality.FACE,
        policy: bool | bytes | Mapping[str, object] | None = True,
        seed: int = 0,
        **identity: object,
    ) -> Path:
        background = {"mean": np.zeros(SIZE), "total": np.eye(SIZE) / SIZE, "within": np.eye(SIZE) * 2e-3}
        manifest = Manifest(
            format_version=1,
            name="patterns",
            modality=modality,
            created="2025-03-01",
            model_digest="0" * 64,
            preprocessing=PREPROCESSING[modality],
            embedding=EmbeddingSpec(size=SIZE),
            identity=IdentitySpec.model_validate({"kind": "map", **identity}),
            corpora=[],
            recipe={},
            parts={},
        )
        parts = {
            "manifest": manifest,
            "encoder": _network(seed, SHAPES[modality]),
            "background": background,
            "card": "# Patterns\n",
        }
        bundle = seal_bundle(folder, **parts)
        if policy is not None:
            if isinstance(policy, bytes):
                sealed = policy
            else:
                held = policy if isinstance(policy, Mapping) else {}
                sealed = make_policy(bundle.model_digest, modality=modality, **held).to_json()
            assert bundle_digest(bundle.manifest, bundle.manifest.parts) == bundle.model_digest
            seal_bundle(folder, **parts, policy=sealed)
        return folder

    return write


@pytest.fixture(scope="session")
def bundle(seal: SealBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle fit to serve."""
    return seal(tmp_path_factory.mktemp("bundle") / "patterns")


@pytest.fixture(scope="session")
def models(bundle: Path) -> Mapping[Modality, Model]:
    return load_models([bundle], threads=1)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service logs meanwhile."""
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    configure_logging(stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def store() -> TemplateStore:
    return MemoryStore()


@pytest.fixture
def client(models: Mapping[Modality, Model], store: TemplateStore, log: io.StringIO) -> Iterator[Client]:
    """A client of a server on a port of its own."""
    with serving(models, store, ServiceSettings(port=0)) as address, Client(address, timeout=20) as connected:
        yield connected


@pytest.fixture(scope="session")
def signature() -> Signature:
    """``signature(person, shot)``: strokes of a synthetic person, a second long; each shot waves a little otherwise."""

    def make(person: int, shot: int = 0) -> StrokesSample:
        phases = np.random.default_rng((person, 2)).uniform(0, 2 * np.pi, size=6)
        moved = phases + np.random.default_rng((person, shot, 3)).normal(0, 0.02, size=6)
        t = np.linspace(0, 1, POINTS)
        x = 100 * t + sum(9 * np.sin(2 * np.pi * (k + 1) * t + moved[k]) for k in range(3))
        y = sum(12 * np.sin(2 * np.pi * (k + 1) * t + moved[k + 3]) for k in range(3))
        pressure = 0.5 + 0.4 * np.sin(9 * t)
        return StrokesSample(
            tuple(x.tolist()),
            tuple(y.tolist()),
            tuple((1000 * t).tolist()),
            tuple(pressure.tolist()),
            (False, *[True] * (POINTS - 1)),
        )

    return make


@pytest.fixture(scope="session")
def both(seal: SealBundle, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Modality, Model]:
    """A face and a signature model, whose policies can be fused."""
    generator = np.random.default_rng(0)
    scores = summarize(generator.normal(5, 2, 500), generator.normal(-5, 2, 3_000))
    forged = {"scores": scores, "impostor": "skilled", "trials": {"genuine": 400, "impostor": 1_000}}
    folder = tmp_path_factory.mktemp("both")
    return load_models(
        [
            seal(folder / "face", policy={"scores": scores}),
            seal(folder / "signature", modality=Modality.SIGNATURE, policy=forged),
        ],
        threads=1,
    )


@pytest.fixture
def pen_client(both: Mapping[Modality, Model], store: TemplateStore, log: io.StringIO) -> Iterator[Client]:
    """A client of a server that reads faces and signatures."""
    with serving(both, store, ServiceSettings(port=0)) as address, Client(address, timeout=20) as connected:
        yield connected
