"""Shared by several stages: encoded pictures, a tiny but real ONNX network, a sealed bundle, a PostgreSQL server."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from durability.postgres_cluster import NoPostgres, PostgresCluster
from encode.bundle import Bundle, seal_bundle
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest
from encode.sample import Modality
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, upgradable

Encoded = Callable[..., bytes]
TinyNetwork = Callable[..., bytes]
SealTiny = Callable[..., Bundle]

HEIGHT, WIDTH, SIZE = 10, 8, 6

# The same examples in every run, and none that fails because the machine is busy.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def encoded() -> Encoded:
    """``encoded(pixels, format, **options)``: an array or a PIL image as the bytes of a file."""

    def encode(pixels: NDArray[Any] | Image.Image, format: str = "PNG", **options: Any) -> bytes:
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def tiny_network() -> TinyNetwork:
    """``tiny_network(size=..., batch=...)``: ONNX bytes of a random projection onto the unit sphere.

    `batch` is the name of a free dimension, or a number that every batch must have; `shape` is one input's, where it is
    not a grey image.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def build(
        *,
        height: int = HEIGHT,
        width: int = WIDTH,
        shape: tuple[int, ...] | None = None,
        size: int = SIZE,
        batch: str | int = "n",
        seed: int = 0,
    ) -> bytes:
        shape = (1, height, width) if shape is None else shape
        weights = np.random.default_rng(seed).normal(size=(math.prod(shape), size)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("Flatten", ["image"], ["pixels"], axis=1),
                helper.make_node("MatMul", ["pixels", "weights"], ["projected"]),
                helper.make_node("LpNormalization", ["projected"], ["embedding"], axis=1, p=2),
            ],
            "projection",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *shape])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, size])],
            [numpy_helper.from_array(weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    return build


@pytest.fixture(scope="session")
def tiny_manifest() -> Callable[..., Manifest]:
    """``tiny_manifest(**changes)``: a manifest for the tiny network."""

    def make(**changes: Any) -> Manifest:
        fields: dict[str, Any] = {
            "format_version": 1,
            "name": "tiny",
            "modality": Modality.FACE,
            "created": "2025-03-01",
            "model_digest": "0" * 64,
            "preprocessing": [
                {"step": "colour", "mode": "L"},
                {"step": "resize", "height": HEIGHT, "width": WIDTH, "filter": "box"},
                {"step": "scale", "mean": [0.5], "std": [0.25]},
            ],
            "embedding": EmbeddingSpec(size=SIZE),
            "identity": IdentitySpec(kind="map"),
            "corpora": [],
            "recipe": {"name": "tiny"},
            "parts": {},
        }
        return Manifest.model_validate(fields | changes)

    return make


@pytest.fixture(scope="session")
def seal_tiny(tiny_network: TinyNetwork, tiny_manifest: Callable[..., Manifest]) -> SealTiny:
    """``seal_tiny(folder, encoder=..., background=..., card=..., policy=..., **manifest fields)``."""

    def seal(
        folder: Path,
        *,
        encoder: bytes | None = None,
        background: Mapping[str, NDArray[np.float64]] | None = None,
        card: str = "# Tiny\n",
        policy: bytes | None = None,
        **fields: Any,
    ) -> Bundle:
        plain = {"mean": np.zeros(SIZE), "total": np.eye(SIZE), "within": 0.1 * np.eye(SIZE)}
        return seal_bundle(
            folder,
            manifest=tiny_manifest(**fields),
            encoder=tiny_network() if encoder is None else encoder,
            background=plain if background is None else background,
            card=card,
            policy=policy,
        )

    return seal


NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewDatabase]:
    """``postgres()``: the address of a new, empty database (a schema of one) of a server that runs while the tests do.

    Skips where PostgreSQL is not installed (Debian: apt-get install postgresql).
    """
    try:
        cluster = PostgresCluster(fsync=False)
    except NoPostgres:
        pytest.skip("PostgreSQL is not installed")
    try:
        cluster.start()
        yield cluster.new_schema
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def new_postgres_place(postgres: NewDatabase) -> Callable[[], StorePlace]:
    """``new_postgres_place()``: two empty databases, for data and for keys, brought to this release's schema."""

    def make() -> StorePlace:
        place = StorePlace(postgres(), postgres(), KeySource(secret=new_key()))
        with upgradable(place) as (database, keys):
            schema_version.upgrade(database, keys)
        return place

    return make
