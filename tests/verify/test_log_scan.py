"""A service that logs all it can, under good and bad calls: nothing of a person, of a sample or of a token gets out.

What is scanned: standard error and output of the process, the errors and trailers that callers get, and what the kernel
was told about core dumps.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import status_pb2
from sqlalchemy import text

from encode.sample import ImageSample, StrokesSample
from enroll.access.grants import EVERYTHING, Grant, Grants
from enroll.access.tokens import TokenStore
from enroll.stores.opening import StorePlace, open_sql_store
from verify.client.client import Client
from verify.messages import write_sample
from verify.v1 import enrollment_pb2 as enrollment
from verify.v1 import verification_pb2 as verification
from verify.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from verify.v1.verification_pb2_grpc import VerificationServiceStub

PERSON, COLLECTION, REQUEST = "Ada Lovelace-Byron", "patients of ward nine", "request about Lovelace"
CALLER = "the desk of Doctor Somerville"
QUIET = 24
"""Bytes of a sample or an embedding that must not be found anywhere, as they are or written in hex or base64."""


@pytest.fixture
def service(bundle: Path, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A real process at debug level, with tokens; its log and how its memory may be dumped are read while it runs."""
    database, log = tmp_path / "people.sqlite", tmp_path / "log"
    with closing(open_sql_store(StorePlace(str(database)))) as store:
        tokens = TokenStore(store.database, store.keys)
        everything, _ = tokens.create(CALLER, EVERYTHING, lifetime=timedelta(days=1))
        narrow, _ = tokens.create(CALLER, Grants.of([Grant.parse("verify:elsewhere")]), lifetime=timedelta(days=1))
    words = ["serve", "--port", "0", "--models", str(bundle), "--database", str(database), "--log-level", "debug"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "countersign", *words, "--lockout-rejections", "3", "--audit-head", "0.2"],
            stderr=out,
            stdout=out,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
    try:
        port = None
        while port is None:
            assert process.poll() is None, log.read_text()
            serving = [line for line in log.read_text().splitlines() if '"serving"' in line and line.endswith("}")]
            port = json.loads(serving[0])["port"] if serving else None
        yield {
            "address": f"127.0.0.1:{port}",
            "tokens": (everything, narrow),
            "log": log,
            "process": process,
            "database": database,
        }
    finally:
        process.terminate()
        process.wait(60)


def answered(call: Callable[[], Any]) -> bytes:
    """All that a caller is told by a call that fails: details, trailers, and the status in them."""
    try:
        call()
    except grpc.RpcError as raised:
        error: Any = raised  # the errors of a channel are calls too
        trailers = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        return repr((error.code(), error.details(), sorted(trailers.items()), status)).encode()
    return b""


def bad_calls(client: Client, metadata: Any, face: ImageSample, strokes: StrokesSample) -> list[bytes]:
    ids = {"collection": COLLECTION, "person": PERSON}
    broken = ImageSample(face.data[:200] + PERSON.encode() + face.data[200:400])
    odd = StrokesSample(strokes.x, strokes.y[:-1], strokes.t, strokes.pressure, strokes.pen_down)
    enroll, verify = EnrollmentServiceStub(client.channel), VerificationServiceStub(client.channel)
    options = {"timeout": 30, "metadata": metadata}
    channel = client.channel
    return [
        answered(lambda: enroll.Enroll(enrollment.EnrollRequest(**ids, samples=[write_sample(broken)]), **options)),
        answered(lambda: enroll.Enroll(enrollment.EnrollRequest(**ids, samples=[write_sample(odd)]), **options)),
        answered(lambda: enroll.Enroll(enrollment.EnrollRequest(**ids, request_id=REQUEST), **options)),
        answered(lambda: enroll.GetPerson(enrollment.GetPersonRequest(**{**ids, "person": f"{PERSON}\n"}), **options)),
        answered(lambda: enroll.GetPerson(enrollment.GetPersonRequest(**{**ids, "person": f"no {PERSON}"}), **options)),
        answered(
            lambda: enroll.DeletePerson(
                enrollment.DeletePersonRequest(**{**ids, "person": f"no {PERSON}"}, request_id=REQUEST), **options
            )
        ),
        answered(
            lambda: enroll.ListPersons(
                enrollment.ListPersonsRequest(collection=COLLECTION, page_token=PERSON), **options
            )
        ),
        answered(lambda: verify.Verify(verification.VerifyRequest(**ids, samples=[write_sample(broken)]), **options)),
        answered(lambda: verify.Verify(verification.VerifyRequest(**ids, target_far=7.0), **options)),
        answered(lambda: verify.Verify(verification.VerifyRequest(**ids, samples=[write_sample(strokes)]), **options)),
        answered(lambda: channel.unary_unary(f"/verify.v1.{PERSON}/Verify")(PERSON.encode(), **options)),
        answered(
            lambda: channel.unary_unary("/verify.v1.VerificationService/Verify")(PERSON.encode() + face.data, **options)
        ),
        answered(lambda: channel.unary_unary("/grpc.health.v1.Health/Check")(PERSON.encode() * 3, **options)),
    ]


def test_nothing_of_anybody_gets_out(
    service: dict[str, Any], face: Callable[..., ImageSample], signature: Callable[..., StrokesSample]
) -> None:
    everything, narrow = service["tokens"]
    faces, strokes = [face(1, shot) for shot in range(4)], signature(1)
    told = []
    forged = everything[:-8] + "0" * 8
    with Client(service["address"], timeout=60, token=everything) as client:
        client.enroll(COLLECTION, PERSON, faces[:3], request_id=REQUEST)
        assert client.enroll(COLLECTION, PERSON, faces[:3], request_id=REQUEST)
        assert client.verify(COLLECTION, PERSON, faces[3:]).accepted
        client.get_person(COLLECTION, PERSON)
        assert [one.person for one in client.list_persons(COLLECTION)] == [PERSON]
        for text_sent in (everything, narrow, forged, PERSON.replace(" ", "")):
            told += bad_calls(client, (("authorization", f"Bearer {text_sent}"), ("x-note", PERSON)), faces[0], strokes)
        with closing(open_sql_store(StorePlace(str(service["database"])), audited=False)) as store:
            [template] = store.get(COLLECTION, PERSON)
            references = template.references
            ref = next(iter(store.keys.in_use()))
            with store.database.writing() as connection:
                connection.execute(text("UPDATE templates SET model_digest = 'x' || person"))
        told += [
            answered(
                lambda: EnrollmentServiceStub(client.channel).GetPerson(
                    enrollment.GetPersonRequest(collection=COLLECTION, person=PERSON),
                    timeout=30,
                    metadata=(("authorization", f"Bearer {everything}"),),
                )
            )
        ]
    assert any(told)
    assert b"STORE_CORRUPT" in told[-1]
    dumping = limits_of(service["process"].pid)
    service["process"].terminate()
    service["process"].wait(60)
    log = service["log"].read_bytes()
    assert log.count(b'"event": "call"') > 20
    assert b"Traceback" not in log
    for line in log.splitlines():
        assert isinstance(json.loads(line), dict), line

    pixels = np.frombuffer(faces[0].data, np.uint8).tobytes()
    secrets = {
        **{name: value.encode() for name, value in {"person": PERSON, "collection": COLLECTION}.items()},
        "request": REQUEST.encode(),
        "name": b"Lovelace",
        "secret of a token": everything.split("_")[2].encode(),
        **{f"sample at {at}": pixels[at : at + QUIET] for at in range(64, len(pixels) - QUIET, QUIET)},
        **{
            f"embedding as {kind.__name__}": references.astype(kind).tobytes()[at : at + QUIET]
            for kind in (np.float16, np.float32, np.float64)
            for at in (0, QUIET)
        },
        **{f"value {value}": f"{value:.6f}".encode() for value in references[0][:4].tolist()},
        "strokes": np.array(strokes.x[:8], np.float32).tobytes(),
        "coordinates": repr(strokes.x[3]).encode(),
    }
    assert ref.encode() not in b"".join(told)
    for name, secret in secrets.items():
        for form, data in (
            ("", secret),
            (" in hex", secret.hex().encode()),
            (" in base64", base64.b64encode(secret)[:-4]),
        ):
            assert data not in log, f"{name}{form} is in the log"
            assert not [one for one in told if data in one], f"{name}{form} is in an error"
    assert dumping == (0, 0) or sys.platform != "linux"


def limits_of(pid: int) -> tuple[int, int] | None:
    """Soft and hard limit of core files of a process, in bytes (Linux)."""
    if sys.platform != "linux":
        return None
    import resource

    return resource.prlimit(pid, resource.RLIMIT_CORE)
