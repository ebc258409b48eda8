"""Images a second of one training step of the face network, on one processor: what its design choices are worth.

python benchmarks/bench_training_step.py
"""

import time

import torch
from torch import nn

import report
from train.networks.residual import ResidualConfig, ResidualEncoder

BATCH, STEPS = 160, 5


def with_prelu(network: nn.Module) -> nn.Module:
    """The same network with PReLU in place of ReLU."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.PReLU())
    return network


def images_per_second(network: nn.Module, *, bf16: bool, channels_last: bool) -> float:
    """Best of several steps: forward, backward and AdamW."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout).train()
    images = torch.randn(BATCH, 1, 64, 52).contiguous(memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    best = 0.0
    for _ in range(STEPS):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            embeddings = network(images)
        (embeddings @ embeddings.T).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        best = max(best, BATCH / (time.perf_counter() - started))
    return best


def main() -> None:
    rows = report.Rows(report.parser(__doc__, quick="the same: it takes half a minute").parse_args())
    torch.set_num_threads(1)
    half, full = ResidualConfig(stem_stride=2), ResidualConfig(stem_stride=1)
    shipped = images_per_second(ResidualEncoder(half), bf16=True, channels_last=True)
    print(f"shipped (ReLU, 5x5 stem of stride 2, bf16, channels last): {shipped:.0f} images a second")
    others = {
        "PReLU": images_per_second(with_prelu(ResidualEncoder(half)), bf16=True, channels_last=True),
        "3x3 stem at full resolution": images_per_second(ResidualEncoder(full), bf16=True, channels_last=True),
        "PReLU and full resolution": images_per_second(
            with_prelu(ResidualEncoder(full)), bf16=True, channels_last=True
        ),
        "float32": images_per_second(ResidualEncoder(half), bf16=False, channels_last=True),
        "channels first": images_per_second(ResidualEncoder(half), bf16=True, channels_last=False),
    }
    for name, rate in others.items():
        print(f"  {shipped / rate:4.1f}x as fast as with {name} ({rate:.0f} images a second)")
        rows.add(
            "training step of the face network",
            ours=shipped,
            baseline=rate,
            against=f"with {name}",
            unit="images a second, best",
            n=STEPS,
        )


if __name__ == "__main__":
    main()
