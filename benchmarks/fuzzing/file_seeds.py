"""Whole files of every kind there is a reader for, and those readers."""

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from encode.bundle import open_bundle
from encode.errors import AuditBroken
from encode.sample import Modality
from encode.stroke_files import parse_strokes, write_strokes_csv, write_strokes_json
from enroll.access.grants import Grant, Grants
from enroll.access.tokens import TokenStore
from enroll.answers import ErasedTemplate, ErasureReceipt
from enroll.audit.chain import AuditKeys
from enroll.audit.check import check_chain
from enroll.audit.event import Action, AuditEvent
from enroll.audit.reading import from_lines
from enroll.keys.file import new_key, read_key_file
from enroll.keys.ring import KeyRing
from enroll.receipts import PublicKey, ReceiptKey, Statement
from eval.files.score_text import read_idiap
from fuzzing.file_kind import Kind
from fuzzing.people_files import people_files
from fuzzing.service import MODELS, a_signature
from verify.access.tokens import TokenCheck
from verify.policy import Policy
from verify.receipt_form import read_receipt
from verify.settings import service_settings
from verify.tls.certificates import write_key_pair
from verify.tls.files import TlsFiles
from verify.v1 import enrollment_pb2 as pb

BUNDLE = MODELS[0]
SETTINGS = b"""
host = "127.0.0.1"
port = 50051
models = ["models/face", "models/signature"]
calls_per_second = 12.5
insecure_plaintext = false
log_level = "info"
"""


def seeds(folder: Path) -> list[Kind]:
    """Every kind; `folder` is theirs to write into."""
    return [
        *_bundles(folder / "bundle"),
        *people_files(folder / "people"),
        Kind(
            "policy file", ((BUNDLE / "policy.json").read_bytes(),), lambda data: Policy.from_json(data).id, text=True
        ),
        _keys(folder / "keys"),
        _token(folder / "tokens.sqlite"),
        _at(folder / "settings.toml", "settings", (SETTINGS,), lambda path: service_settings(path).model_dump()),
        Kind("strokes", _strokes(), parse_strokes),
        _at(folder / "scores", "scores", (b"ada ada p1 1.5\nada bob p2 -1.25\nbob bob p3 0.5\n",), read_idiap),
        _audit_log(),
        _receipt(folder / "receipt.json"),
        _certificate(folder),
    ]


def _at(path: Path, name: str, whole: tuple[bytes, ...], read: Callable[[Path], Any], **how: bool) -> Kind:
    """A kind whose reader takes a path."""

    def written(data: bytes) -> Any:
        path.write_bytes(data)
        return read(path)

    return Kind(name, whole, written, **how)


def _bundles(folder: Path) -> list[Kind]:
    shutil.copytree(BUNDLE, folder)

    def part(name: str) -> Kind:
        whole = (folder / name).read_bytes()

        def read(data: bytes) -> Any:
            (folder / name).write_bytes(data)
            try:
                found = open_bundle(folder)
            finally:
                (folder / name).write_bytes(whole)
            arrays = {key: array.tobytes() for key, array in found.background.items()}
            return found.manifest, found.encoder, found.policy, arrays

        return Kind(f"bundle: {name}", (whole,), read, sealed=True, text=name.endswith(".json"))

    return [part(path.name) for path in sorted(BUNDLE.iterdir())]


def _keys(path: Path) -> Kind:
    """A changed key is another key, which must open nothing."""
    lines = f"# current\n{new_key()}\n{new_key()}\n".encode()
    path.write_bytes(lines)
    ring = KeyRing(lambda: read_key_file(path))
    key_id, data_key = ring.current.key_id, bytes(range(32))
    wrapped = ring.wrap(key_id, data_key, "somebody")
    return _at(
        path,
        "key file",
        (lines,),
        lambda path: KeyRing(lambda: read_key_file(path)).unwrap(key_id, wrapped, "somebody"),
        sealed=True,
    )


def _token(path: Path) -> Kind:
    from enroll.stores.opening import StorePlace, open_sql_store

    with closing(open_sql_store(StorePlace(str(path)))) as store:
        text, token = TokenStore(store.database, store.keys).create(
            "a", Grants.of([Grant.parse("verify:*")]), lifetime=None
        )

    class Held:
        def all(self) -> list[Any]:
            return [token]

    def read(data: bytes) -> Any:
        sent = data.decode("latin-1").strip()
        return asyncio.run(TokenCheck(Held()).caller([("authorization", f"Bearer {sent}")]))  # type: ignore[arg-type]

    return Kind("token file", (f"{text}\n".encode(),), read, sealed=True)


def _strokes() -> tuple[bytes, ...]:
    sample = a_signature(1, 0)
    points = "".join(
        f"{int(x)} {int(y)} {int(t)} 1 0 0 500\n" for x, y, t in zip(sample.x, sample.y, sample.t, strict=True)
    )
    return write_strokes_csv(sample), write_strokes_json(sample), f"{len(sample.x)}\n{points}".encode()


def _audit_log() -> Kind:
    """An exported log, checked against a head kept elsewhere."""
    from enroll.audit.chain import START, following
    from enroll.audit.check import Row
    from enroll.audit.reading import to_line

    keys, head, lines = AuditKeys.derive(bytes(32)), START, []
    for number in range(20):
        event = AuditEvent(Action.ENROLL, collection="staff", person=f"person {number}", models={"face": "a" * 64})
        entry = event.entry(keys, datetime(2025, 3, 1, 12, number, tzinfo=UTC))
        head = following(head, entry)
        lines.append(to_line(Row(head.sequence, entry, head.link)))
    kept = head

    def read(data: bytes) -> Any:
        rows = list(from_lines(data.decode("utf-8", "surrogateescape").splitlines()))
        checked = check_chain(rows, kept=[kept])
        if not checked.intact:
            raise AuditBroken(checked.findings[0].message)
        return rows

    return Kind("audit log", ("\n".join(lines).encode(),), read, sealed=True)


def _receipt(path: Path) -> Kind:
    erased = (ErasedTemplate(Modality.FACE, "a" * 64, 5), ErasedTemplate(Modality.SIGNATURE, "b" * 64, 3))
    receipt = ErasureReceipt("c" * 32, erased, datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC))
    signer = ReceiptKey(bytes(range(32)))
    wire = pb.ErasureReceipt(
        receipt_id=receipt.receipt_id,
        collection="staff",
        person="ada",
        templates=[
            pb.ErasedTemplate(modality=number, model_digest=one.model_digest, references=one.references)
            for number, one in enumerate(erased, 1)
        ],
        signature=signer.sign(Statement.of("staff", "ada", receipt)),
        key_id=signer.public.key_id,
    )
    wire.erased_at.FromDatetime(receipt.erased_at)
    public = PublicKey.from_pem(signer.public.to_pem().encode())

    def read(path: Path) -> Any:
        statement, key_id, signature = read_receipt(path)
        public.check(statement, key_id, signature)
        return statement

    text = json.dumps({"receipt": json_format.MessageToDict(wire)}).encode()
    return _at(path, "receipt", (text,), read, sealed=True, text=True)


def _certificate(folder: Path) -> Kind:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    write_key_pair(certificate, key, ["localhost"])
    return _at(
        folder / "damaged.pem",
        "certificate",
        (certificate.read_bytes(),),
        lambda path: TlsFiles(path, key).read().expires,
    )
