"""The committed stubs are those that the .proto files give."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from verify.v1 import enrollment_pb2, model_pb2, sample_pb2, verification_pb2

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / "verify" / "v1"
PROTOS = sorted((ROOT / "proto" / "verify" / "v1").glob("*.proto"))
MODULES = {module.DESCRIPTOR.name: module for module in (enrollment_pb2, model_pb2, sample_pb2, verification_pb2)}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make proto` would write, and the descriptors it comes from."""
    folder = tmp_path_factory.mktemp("stubs")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    outputs.append(f"--descriptor_set_out={folder / 'set'}")
    compiler = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto")]
    subprocess.run([*compiler, *outputs, *map(str, PROTOS)], check=True)
    return folder


def test_the_stubs_say_what_the_proto_files_say(generated: Path) -> None:
    """Compared as descriptors, which no version of the compiler words differently."""
    described = descriptor_pb2.FileDescriptorSet.FromString((generated / "set").read_bytes()).file
    assert {file.name for file in described} == set(MODULES)
    for file in described:
        committed = descriptor_pb2.FileDescriptorProto.FromString(MODULES[file.name].DESCRIPTOR.serialized_pb)
        for one in (file, committed):
            one.ClearField("source_code_info")
        # Where a name says enough, the compiler leaves json_name out of the stubs.
        assert _without_json_names(file) == _without_json_names(committed)


def _without_json_names(file: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return file


def test_the_stubs_are_those_of_the_pinned_compiler_to_the_byte(generated: Path) -> None:
    fresh = {path.name: path.read_text() for path in (generated / "verify" / "v1").iterdir()}
    committed = {path.name: path.read_text() for path in STUBS.iterdir() if "_pb2" in path.name and path.is_file()}
    assert fresh.keys() == committed.keys()
    if _compiler_of(fresh) != _compiler_of(committed):
        pytest.skip("another version of grpcio-tools is installed than the one the stubs were made with")
    assert fresh == committed


def _compiler_of(stubs: dict[str, str]) -> dict[str, str]:
    text = "".join(stubs.values())
    [protobuf] = set(re.findall(r"^# Protobuf Python Version: ([0-9.]+)$", text, re.MULTILINE))
    [grpcio] = set(re.findall(r"^GRPC_GENERATED_VERSION = '([0-9.]+)'$", text, re.MULTILINE))
    return {"protobuf": protobuf, "grpcio": grpcio}
