"""Synthetic people to enroll, and their claims ready to send: pictures of noise and strokes that wave."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench_verify import picture
from encode.sample import Modality, Sample, StrokesSample
from fuzzing.pens import signature
from verify.client.client import Client
from verify.messages import write_sample
from verify.v1 import verification_pb2 as pb

MODELS = Path(__file__).parents[2] / "models"
BUNDLES: Mapping[Modality, Path] = {Modality.FACE: MODELS / "face", Modality.SIGNATURE: MODELS / "signature"}
COLLECTION = "bench"
PEOPLE, REFERENCES, CLAIMS = 20, 5, 64


def sample(modality: Modality, person: int, shot: int) -> Sample:
    """One sample of a synthetic person; what it shows does not change the time."""
    if modality is Modality.FACE:
        return picture(1_000 * person + shot)
    pen = signature(person, shot)
    down = tuple(value > 0 for value in pen["pen_down"])
    return StrokesSample(tuple(pen["x"]), tuple(pen["y"]), tuple(pen["t_ms"]), tuple(pen["pressure"]), down)


def name(modality: Modality, person: int) -> str:
    return f"{modality.value}-{person}"


def enroll(address: str, modality: Modality, *, people: int = PEOPLE) -> None:
    """Enroll people of one modality, from `REFERENCES` samples each."""
    with Client(address) as client:
        for person in range(people):
            references = [sample(modality, person, shot) for shot in range(REFERENCES)]
            client.enroll(COLLECTION, name(modality, person), references)


def claims(modality: Modality, *, people: int = PEOPLE, number: int = CLAIMS) -> Sequence[bytes]:
    """Claims of enrolled people, one sample each, as VerifyRequest goes over the wire."""
    return [
        pb.VerifyRequest(
            collection=COLLECTION,
            person=name(modality, turn % people),
            samples=[write_sample(sample(modality, turn % people, REFERENCES + turn))],
        ).SerializeToString()
        for turn in range(number)
    ]
