"""Two processes over gloo: the same batch, the same loss, the same weights as one process alone."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

from encode.errors import TrainingError
from train.distributed import Ranks
from train.losses.supcon import SupCon

ROWS, SIZE, WORLD = 12, 6, 2


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(SIZE, 8), nn.Tanh(), nn.Linear(8, 4))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(ROWS, SIZE, generator=torch.Generator().manual_seed(1)), torch.arange(ROWS) % 4


def step(ranks: Ranks) -> dict[str, torch.Tensor]:
    """The gradients of one step, with what the loss saw."""
    plain = network()
    inputs, labels = batch()
    rows = ranks.share(torch.arange(ROWS))
    wrapped = ranks.wrapped(plain)  # what averages the gradients lives as long as this
    embeddings = ranks.gathered(nn.functional.normalize(wrapped(inputs[rows]), dim=1))
    loss = SupCon()(embeddings, labels)
    loss.backward()
    found = {name: value.grad for name, value in plain.named_parameters() if value.grad is not None}
    return found | {"embeddings": embeddings.detach(), "loss": loss.detach()}


def one_of_two(rank: int, store: str, answers: Any) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD)
    found = step(Ranks(rank, WORLD))
    told = Ranks(rank, WORLD).agreed(torch.tensor([float(rank) + 5.0]))
    Ranks(rank, WORLD).wait()
    answers.put((rank, {name: value.tolist() for name, value in found.items()}, told.item()))
    distributed.destroy_process_group()


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    started = [context.Process(target=one_of_two, args=(rank, str(tmp_path / "store"), answers)) for rank in (0, 1)]
    for process in started:
        process.start()
    told = {rank: (found, agreed) for rank, found, agreed in (answers.get(timeout=60) for _ in started)}
    for process in started:
        process.join(60)
    alone = step(Ranks())
    for found, agreed in told.values():
        assert agreed == 5.0
        for name, value in alone.items():
            assert torch.allclose(torch.tensor(found[name]), value, atol=1e-6), name


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(TrainingError, match="3 processes"):
        Ranks(0, 3).share(torch.arange(8))


def test_torchrun_trains_and_seals_one_bundle(
    write_faces: Callable[..., Path], named: Callable[..., list[str]], tmp_path: Path
) -> None:
    people = named("faces", training=8, background=3, policy=3)
    write_faces(tmp_path / "faces", people, 4)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        """
        network = "residual"
        name = "tiny"
        margin = [4, 3]
        preprocessing = [
            { step = "colour", mode = "L" },
            { step = "resize", height = 32, width = 24, filter = "bilinear" },
            { step = "scale", per_image = true },
        ]
        losses = [{ kind = "supcon" }, { kind = "triplet", miner = "distance_weighted", distance = "euclidean" }]
        network_options = { channels = [4, 8, 8, 8], blocks = [1, 1, 1, 1], embedding = 16 }
        batch = { people = 4, samples = 3 }
        optimisation = { steps = 6, warmup = 2, evaluate_every = 2, bf16 = false, ema = 0.9 }
        """
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "countersign", "train", "run", str(recipe), "--corpus", f"folder:{tmp_path / 'faces'}"]
    command += ["--track", f"tensorboard:{tmp_path / 'followed'}"]
    command += ["--threads", "1", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "bundle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("sealed at") == 1
    assert done.stderr.count("train: 6 of 6") == 1
    assert done.stderr.count("read: 32 of 32") == 1
    assert len(list((tmp_path / "followed" / "tiny-0").iterdir())) == 1
    assert (tmp_path / "bundle" / "encoder.onnx").is_file()
    curve = (tmp_path / "work" / "curve.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in curve] == ["step", "2", "4", "6"]
