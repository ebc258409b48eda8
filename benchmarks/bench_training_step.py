"""Images a second of a training step of the shipped face network, on one processor: what its design choices are worth.

python benchmarks/bench_training_step.py

Every way takes its steps in turn with the others. The last row is the time to draw a batch (crop, turn, light, cover)
beside the step that uses it: what a loader in processes of its own could save at most, as samples are held in memory.
torch.compile needs a C++ compiler; `--quick` leaves it out, since compiling takes minutes.
"""

import dataclasses
import shutil
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import report
from train.augment import build_augmentation
from train.build import build_network
from train.networks.residual import ResidualEncoder
from train.recipe import load_recipe

STEPS = 5
RECIPE = load_recipe("face")
HEIGHT, WIDTH = RECIPE.steps().shape[-2:]
BATCH = RECIPE.batch.people * RECIPE.batch.samples + 2 * RECIPE.batch.singles

Step = Callable[[], float]


def with_prelu(network: nn.Module) -> nn.Module:
    """The same network with PReLU in place of ReLU."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.PReLU())
    return network


def full_resolution() -> nn.Module:
    """The same stages behind a 3 x 3 stem that does not halve the sides."""
    shipped = build_network(RECIPE)
    assert isinstance(shipped, ResidualEncoder)
    return ResidualEncoder(dataclasses.replace(shipped.config, stem_stride=1))


def stepping(network: nn.Module, *, bf16: bool = True, channels_last: bool = True, compiled: bool = False) -> Step:
    """A function that takes one step (forward, backward, AdamW) and returns its seconds."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout).train()
    images = torch.randn(BATCH, 1, HEIGHT, WIDTH).contiguous(memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    embed: Callable[[Tensor], Tensor] = torch.compile(network) if compiled else network

    def step() -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            embeddings = embed(images)
        torch.autograd.backward((embeddings @ embeddings.T).sum())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - started

    step()  # what is made at the first step is no part of any other
    return step


def drawing() -> Step:
    """A function that draws one batch as training does and returns its seconds."""
    augment = build_augmentation(RECIPE.augment, RECIPE.margin)
    my, mx = RECIPE.margin
    crops = torch.randint(0, 256, (BATCH, 1, HEIGHT + 2 * my, WIDTH + 2 * mx), dtype=torch.uint8)

    def draw() -> float:
        started = time.perf_counter()
        augment(crops)
        return time.perf_counter() - started

    draw()
    return draw


def main() -> None:
    options = report.parser(__doc__, quick="without torch.compile").parse_args()
    rows = report.Rows(options)
    torch.set_num_threads(1)
    shipped = stepping(build_network(RECIPE))
    others = {
        "with PReLU": stepping(with_prelu(build_network(RECIPE))),
        "with a 3x3 stem at full resolution": stepping(full_resolution()),
        "in float32": stepping(build_network(RECIPE), bf16=False),
        "with channels first": stepping(build_network(RECIPE), channels_last=False),
    }
    if not options.quick and shutil.which("c++"):
        others["with torch.compile"] = stepping(build_network(RECIPE), compiled=True)
    draw = drawing()
    seconds: dict[str, list[float]] = {name: [] for name in ("shipped", "drawing", *others)}
    for _ in range(STEPS):
        seconds["shipped"].append(shipped())
        seconds["drawing"].append(draw())
        for name, step in others.items():
            seconds[name].append(step())
    ours = BATCH / min(seconds["shipped"])
    print(f"shipped (ReLU, 5x5 stem of stride 2, bf16, channels last): {ours:.0f} images a second")
    for name in others:
        rate = BATCH / min(seconds[name])
        print(f"  {ours / rate:4.1f}x as fast as {name} ({rate:.0f} images a second)")
        rows.add(
            "training step of the face network",
            ours=ours,
            baseline=rate,
            against=name,
            unit="images a second, best",
            n=STEPS,
        )
    share = min(seconds["drawing"]) / min(seconds["shipped"])
    print(f"  drawing a batch takes {share:.0%} of the time of the step that uses it")
    rows.add(
        "drawing a training batch",
        ours=min(seconds["drawing"]),
        baseline=min(seconds["shipped"]),
        against="the step that uses it",
        unit="s, best",
        n=STEPS,
    )


if __name__ == "__main__":
    main()
