"""constraints.txt pins exactly what pyproject.toml asks for, everything that needs, and nothing else."""

import re

from packaging.utils import canonicalize_name
from packaging.version import Version

from releases import ROOT, closure, declared

EXTRAS = ("cpu", "eval", "train", "test", "audit", "otel")
# torch pins these for each platform itself; the last three belong to the installer.
UNPINNED = re.compile(r"nvidia-.*|cuda-.*|triton|pip|setuptools|wheel")

LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES)}


def test_every_line_is_one_exact_release() -> None:
    """No path, no address, no hash of a file, no local build."""
    assert [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    assert len(PINS) == len(LINES)


def test_pins_satisfy_the_bounds() -> None:
    for requirement in declared(EXTRAS):
        assert requirement.specifier.contains(Version(PINS[canonicalize_name(requirement.name)])), requirement.name


def test_pins_are_what_the_project_needs_and_no_more() -> None:
    needed = {name for name in closure(declared(EXTRAS)) if not UNPINNED.fullmatch(name)}
    assert set(PINS) - needed == set()
    assert needed - set(PINS) == set()


def test_serving_needs_no_torch() -> None:
    """Nothing that the serving or the evaluating install pulls in is torch."""
    assert not closure(declared(["cpu", "eval"])) & {"torch", "torchvision", "onnx", "onnxscript", "triton"}


def test_bounds_admit_the_generated_stubs() -> None:
    """A stub refuses to load under a grpc or protobuf older than its generator."""
    bounds = {canonicalize_name(r.name): r.specifier for r in declared(())}
    stubs = sorted((ROOT / "verify" / "v1").glob("*_pb2*.py"))
    assert stubs
    for stub in stubs:
        text = stub.read_text()
        for package, pattern in (
            ("grpcio", r"GRPC_GENERATED_VERSION = '([0-9.]+)'"),
            ("protobuf", r"Protobuf Python Version: ([0-9.]+)"),
        ):
            for generator in re.findall(pattern, text):
                lowest = min(Version(bound.version) for bound in bounds[package] if bound.operator == ">=")
                assert lowest >= Version(generator), f"{stub.name} needs {package}>={generator}"
