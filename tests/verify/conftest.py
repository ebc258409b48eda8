"""A small real bundle, synthetic faces and signatures that models tell apart, and servers on real sockets."""

import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
import typer
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from countersign.commands.enroll import enroll
from countersign.commands.verify import verify
from encode.bundle import Bundle, bundle_digest
from encode.manifest import EmbeddingSpec, IdentitySpec
from encode.sample import ImageSample, Modality, StrokesSample
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.client.client import Client
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
SealTiny = Callable[..., Bundle]
TinyNetwork = Callable[..., bytes]
Run = Callable[..., Result]


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


@pytest.fixture(scope="session")
def seal(seal_tiny: SealTiny, tiny_network: TinyNetwork, make_policy: MakePolicy) -> SealBundle:
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
        fields: dict[str, Any] = {
            "name": "patterns",
            "modality": modality,
            "preprocessing": PREPROCESSING[modality],
            "embedding": EmbeddingSpec(size=SIZE),
            "identity": IdentitySpec.model_validate({"kind": "map", **identity}),
            "encoder": tiny_network(shape=SHAPES[modality], size=SIZE, seed=seed),
            "background": {"mean": np.zeros(SIZE), "total": np.eye(SIZE) / SIZE, "within": np.eye(SIZE) * 2e-3},
        }
        bundle = seal_tiny(folder, **fields)
        if policy is not None:
            if isinstance(policy, bytes):
                sealed = policy
            else:
                held = policy if isinstance(policy, Mapping) else {}
                sealed = make_policy(bundle.model_digest, modality=modality, **held).to_json()
            assert bundle_digest(bundle.manifest, bundle.manifest.parts) == bundle.model_digest
            seal_tiny(folder, **fields, policy=sealed)
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


@pytest.fixture
def run(models: Mapping[Modality, Model], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``run("verify", "ada", ...)`` against a service of its own, named by the environment, that has `models`."""
    app = typer.Typer()
    app.command()(enroll)
    app.command()(verify)
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    with serving(models, MemoryStore()) as address:
        monkeypatch.setenv("COUNTERSIGN_ADDRESS", address)
        yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(face: Face, tmp_path: Path) -> Callable[..., Path]:
    """``photo(person, shot)``: a picture of a synthetic person as a PNG file."""

    def write(person: int, shot: int = 0) -> Path:
        path = tmp_path / f"{person}-{shot}.png"
        path.write_bytes(face(person, shot).data)
        return path

    return write
