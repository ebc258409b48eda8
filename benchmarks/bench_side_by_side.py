"""Verifications a second and p99, beside what one would otherwise pick, in turns in the same run on this machine.

    python benchmarks/bench_side_by_side.py [--sface face_recognition_sface_2021dec.onnx]

    ours            `countersign serve` as it ships: models/face, templates sealed in SQLite, decisions in the audit log
    dlib, crop      29-layer ResNet of dlib on the same picture, taken as the face; nothing stored, nothing logged
    dlib, detect    the same behind the detector that `face_recognition` runs first
    SFace           OpenCV's SFace on the same picture; its weights are in no package, and have to be given

Each behind gRPC's asyncio server, with every processor; a process of its own makes the load. The pictures are 92 x 112
PNG files of smooth noise: what they show changes neither the encoders' time nor ours. dlib (100 MB) and OpenCV are
installed at the first run into environments of their own under `--venvs`. What cannot be had is named and left out.

This is speed alone, and most of it is the size of the networks: how often each is right is another question.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import report
from bench_verify import BUNDLE, picture
from encode.cpu import usable_cpus
from load.generator import VERIFY, Generator, generator
from load.outcome import Outcome
from rivals.environment import CACHE, DLIB, OPENCV, NotInstallable, python_with
from verify.client.client import Client
from verify.messages import write_sample
from verify.settings import environment_without_settings
from verify.v1 import verification_pb2 as pb

RIVALS = Path(__file__).parent / "rivals"
RIVAL_VERIFY = "/rival.Service/Verify"
PEOPLE, REFERENCES = 20, 5
COLLECTION = "bench"


@dataclass(frozen=True, slots=True)
class Contender:
    """A running service: where it is, what it is asked, and what it has answered."""

    name: str
    address: str
    method: str
    bodies: Sequence[bytes]
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)


@contextmanager
def ours() -> Iterator[Contender]:
    """The command itself, with people enrolled."""
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "people.sqlite")
        flags = ["--port", "0", "--models", str(BUNDLE), "--database", database, "--max-waiting", "256"]
        # Lines of calls are written as they always are; nobody reads them here.
        log = Path(folder) / "log"
        with (
            log.open("w") as written,
            subprocess.Popen(
                [sys.executable, "-m", "countersign", "serve", *flags],
                stderr=written,
                env=environment_without_settings(),
            ) as process,
        ):
            try:
                address = f"127.0.0.1:{told_port(log, process)}"
                with Client(address) as client:
                    for number in range(PEOPLE):
                        shots = [picture(number + shot) for shot in range(REFERENCES)]
                        client.enroll(COLLECTION, f"person-{number}", shots)
                claims = [
                    pb.VerifyRequest(
                        collection=COLLECTION, person=f"person-{number}", samples=[write_sample(picture(number))]
                    ).SerializeToString()
                    for number in range(PEOPLE)
                ]
                yield Contender("ours", address, VERIFY, claims)
            finally:
                process.terminate()


def told_port(log: Path, process: subprocess.Popen[bytes]) -> int:
    """The port in the service's log, once it is there."""
    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"serving"' in line:
                return int(json.loads(line)["port"])
    raise SystemExit(log.read_text(encoding="utf-8"))


@contextmanager
def rival(name: str, python: Path, script: str, *arguments: str) -> Iterator[Contender]:
    """A rival's service in its own environment; it ends when its input does."""
    command = [str(python), "-W", "ignore", str(RIVALS / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain()) as process:
        assert process.stdout is not None
        port = process.stdout.readline()
        if not port:
            raise NotInstallable(f"{name} does not start")
        yield Contender(name, f"127.0.0.1:{int(port)}", RIVAL_VERIFY, [picture(n).data for n in range(PEOPLE)])


def plain() -> dict[str, str]:
    """The environment, with one thread for each process's matrix products, as there is a process a processor."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def contenders(stack: ExitStack, venvs: Path, sface: Path | None) -> list[Contender]:
    """Whoever can be had, ours first; the others are named with the reason."""
    found, every = [stack.enter_context(ours())], str(usable_cpus())
    try:
        python = python_with("dlib", DLIB, venvs)
        found.append(stack.enter_context(rival("dlib, crop", python, "dlib_service.py", "crop", every)))
        found.append(stack.enter_context(rival("dlib, detect", python, "dlib_service.py", "detect", every)))
    except NotInstallable as error:
        print(f"dlib is left out: {error}")
    if sface is None:
        print("SFace is left out: its weights are in no package; --sface FILE takes them from the OpenCV model zoo")
        return found
    try:
        python = python_with("opencv", OPENCV, venvs)
        found.append(stack.enter_context(rival("SFace", python, "opencv_service.py", str(sface.resolve()), every)))
    except NotInstallable as error:
        print(f"SFace is left out: {error}")
    return found


def measure(load: Generator, one: Contender, clients: int, seconds: float) -> Outcome:
    outcome = load.closed(one.address, one.bodies, clients=clients, seconds=seconds, method=one.method)
    assert set(outcome.codes) == {"OK"}, (one.name, outcome.codes)
    return outcome


def tell(found: list[Contender], clients: int, rows: report.Rows) -> None:
    mine, *others = found
    kept = {one.name: sum(one.outcomes[clients][1:], start=one.outcomes[clients][0]) for one in found}
    for one in found:
        outcome = kept[one.name]
        print(
            f"{clients:2} clients, {one.name:12} {outcome.rate:7.1f} verifications a second, "
            f"p50 {outcome.ms(0.5):7.1f} ms, p99 {outcome.ms(0.99):7.1f} ms ({outcome.answered} calls)",
            flush=True,
        )
    for one in others:
        pairs = zip(mine.outcomes[clients], one.outcomes[clients], strict=True)
        low, _, high = report.quartiles([a.rate / b.rate for a, b in pairs])
        rows.add(
            f"verifications, {clients} clients",
            ours=kept["ours"].rate,
            baseline=kept[one.name].rate,
            against=one.name,
            unit="a second",
            n=kept[one.name].answered,
            low=low,
            high=high,
        )
        rows.add(
            f"latency of a verification, {clients} clients",
            ours=kept["ours"].ms(0.99),
            baseline=kept[one.name].ms(0.99),
            against=one.name,
            unit="ms, p99",
            n=kept[one.name].answered,
        )


def main() -> None:
    parser = report.parser(__doc__, quick="3 rounds of 2 s")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each contender in a round")
    parser.add_argument("--clients", type=int, nargs="*", default=(1, 32))
    parser.add_argument("--venvs", type=Path, default=CACHE, help="where to install the others")
    parser.add_argument("--sface", type=Path, help="weights of SFace, an ONNX file")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 8)
    seconds = options.seconds or (2.0 if options.quick else 5.0)
    rows = report.Rows(options)
    with ExitStack() as stack:
        found = contenders(stack, options.venvs, options.sface)
        load = stack.enter_context(generator())
        for clients in options.clients:
            for one in found:
                measure(load, one, clients, 1.0)  # to warm up
            for turn in range(rounds):
                for place in np.roll(range(len(found)), turn):
                    one = found[place]
                    one.outcomes.setdefault(clients, []).append(measure(load, one, clients, seconds))
            tell(found, clients, rows)


if __name__ == "__main__":
    main()
