"""The modern signature network: padding and company change nothing, and its parts do what their formulas say."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encode.pen_frames import padded
from train.episodes import packed
from train.networks.pen_residual import (
    ChannelNorm,
    PenBlock,
    PenMembers,
    PenResidualConfig,
    PenResidualEncoder,
    WithTrace,
)

PenTrace = Callable[..., NDArray[np.float64]]

TINY = PenResidualConfig(width=8, stem=6, embedding=10, frame=4, dilations=(1, 4), late_dilations=(2,), windows=3)


def encoder(seed: int = 0, config: PenResidualConfig = TINY) -> PenResidualEncoder:
    """As after some training: no block is the identity any more."""
    torch.manual_seed(seed)
    network = PenResidualEncoder(config).eval()
    for module in network.modules():
        if isinstance(module, PenBlock):
            nn.init.normal_(module.conv2.weight, 0.0, 0.1)
    return network


@pytest.mark.parametrize("count", [21, 62, 63, 103])
@torch.no_grad()
def test_padding_changes_nothing(pen_trace: PenTrace, count: int) -> None:
    network = encoder()
    trace = pen_trace(count)
    frames, _ = packed([trace])
    embedding, learned = network.embed(frames)
    for length in (frames.shape[2] + 4, frames.shape[2] + 8, 256):
        again, more = network.embed(torch.from_numpy(padded(trace, length))[None])
        torch.testing.assert_close(again, embedding, atol=2e-6, rtol=0.0)
        torch.testing.assert_close(more[:, :, : learned.shape[2]], learned, atol=1e-5, rtol=0.0)
        assert bool((more[:, :, (count + 1) // 2 :] == 0.0).all())


@torch.no_grad()
def test_a_row_does_not_see_the_others(pen_trace: PenTrace) -> None:
    network = encoder()
    traces = [pen_trace(count, seed, pressure=seed % 2 == 0) for seed, count in enumerate((30, 97, 55, 41))]
    frames, lengths = packed(traces)
    assert lengths.tolist() == [30, 97, 55, 41]
    embeddings, learned = network.embed(frames)
    assert embeddings.shape == (4, 10)
    assert learned.shape == (4, 4, frames.shape[2] // 2)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4))
    for row, trace in enumerate(traces):
        alone, found = network.embed(packed([trace])[0])
        torch.testing.assert_close(embeddings[row], alone[0], atol=2e-6, rtol=0.0)
        torch.testing.assert_close(learned[row, :, : found.shape[2]], found[0], atol=1e-5, rtol=0.0)
    assert float((embeddings[:1] - embeddings[1:]).norm(dim=1).min()) > 1e-3


@torch.no_grad()
def test_learned_frames_are_of_one_size(pen_trace: PenTrace) -> None:
    _, learned = encoder().embed(packed([pen_trace(75)])[0])
    torch.testing.assert_close(learned.mean(1), torch.zeros(1, 40), atol=1e-5, rtol=0.0)
    size = learned.square().mean(1)[0, :38]
    assert float(size.max()) <= 1.0
    assert float(size.min()) > 0.9


@torch.no_grad()
def test_the_channel_norm_is_per_frame() -> None:
    norm = ChannelNorm(5)
    nn.init.normal_(norm.scale)
    nn.init.normal_(norm.shift)
    x = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(1))
    expected = nn.functional.layer_norm(x.transpose(1, 2), (5,), norm.scale[0, :, 0], norm.shift[0, :, 0], eps=1e-5)
    torch.testing.assert_close(norm(x), expected.transpose(1, 2))


@torch.no_grad()
def test_a_block_starts_as_the_identity_up_to_a_bias() -> None:
    torch.manual_seed(0)
    block = PenBlock(6, 2, dropout=0.5).eval()
    x, mask = torch.randn(2, 6, 20), torch.ones(2, 1, 20)
    mask[1, :, 12:] = 0.0
    x = x * mask
    torch.testing.assert_close(block(x, mask), x + block.conv2.bias[:, None] * mask)


@pytest.mark.parametrize("count", [22, 61])
@torch.no_grad()
def test_pooling_is_the_naive_one(count: int) -> None:
    """Mean, deviation, attention and windows over the ink alone, one signature at a time."""
    network = encoder()
    late, config = TINY.width * 3 // 2, TINY
    generator = torch.Generator().manual_seed(2)
    mask = (torch.arange(64) < count).float()[None, None]
    h = torch.randn(1, late, 64, generator=generator) * mask
    ink = h[0, :, :count]
    attention = torch.softmax(network.attention(ink[None])[0], 1)
    values, windows = network.value(ink[None])[0], network.window(ink[None])[0]
    expected = [ink.mean(1), torch.sqrt(ink.var(1, correction=0) + 1e-5)]
    expected += [(attention[head] * values).sum(1) for head in range(config.heads)]
    for window in range(config.windows):
        at = (torch.arange(count) + 0.5) / count * config.windows
        share = torch.clamp(1.0 - (at - (window + 0.5)).abs(), min=0.0)
        expected.append((share * windows).sum(1) / share.sum())
    torch.testing.assert_close(network._pooled(h, mask)[0], torch.cat(expected), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_concerns_the_whole_signature_is_seen(pen_trace: PenTrace) -> None:
    """Duration and number of strokes reach the head: nothing else differs between these."""
    network = encoder()
    seen: list[Tensor] = []
    network.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0, -2:]))
    for count, lifts in ((75, 0), (75, 3), (149, 1)):
        network(packed([pen_trace(count, lifts=lifts)])[0])
    expected = [[math.log(75 / 150), 0.0], [math.log(75 / 150), 0.6], [math.log(149 / 150), 0.2]]
    torch.testing.assert_close(torch.stack(seen), torch.tensor(expected))


def test_every_parameter_is_trained(pen_trace: PenTrace) -> None:
    network = encoder()
    embeddings, learned = network.embed(packed([pen_trace(60), pen_trace(50, 1)])[0])
    weights = torch.randn(embeddings.shape), torch.randn(learned.shape)
    torch.autograd.backward((embeddings * weights[0]).sum() + (learned * weights[1]).sum())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        # A bias that all frames share cannot move a softmax over them.
        assert name == "attention.bias" or float(parameter.grad.abs().max()) > 0.0, name


@torch.no_grad()
def test_frames_without_ink_are_embedded_all_the_same() -> None:
    assert bool(torch.isfinite(encoder()(torch.zeros(2, 5, 64))).all())


@torch.no_grad()
def test_members_stand_side_by_side(pen_trace: PenTrace) -> None:
    members = [encoder(seed) for seed in (1, 2, 3)]
    both = PenMembers(members)
    frames, _ = packed([pen_trace(60), pen_trace(45, 1)])
    assert (both.size, both.unit_norm) == (30, True)
    found = both(frames)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    for place, member in enumerate(members):
        torch.testing.assert_close(found[:, 10 * place : 10 * (place + 1)] * math.sqrt(3.0), member(frames))


@torch.no_grad()
def test_learned_frames_follow_the_trace_in_sixteenths(pen_trace: PenTrace) -> None:
    members = PenMembers([encoder(1), encoder(2)])
    served = WithTrace(members, learned=True)
    frames, lengths = packed([pen_trace(60), pen_trace(45, 1)])
    rows = served(frames)
    end, channels = 20 + 4 * 64, members.channels
    assert served.learned_channels == channels == 2 * members.members[0].config.frame  # type: ignore[union-attr, operator]
    assert rows.shape == (2, end + channels * 32)
    torch.testing.assert_close(rows[:, :end], WithTrace(members)(frames))
    learned = rows[:, end:].view(2, channels, 32)
    torch.testing.assert_close(learned * 16.0, (learned * 16.0).round())
    torch.testing.assert_close(
        learned, torch.cat([one.embed(frames)[1] for one in members.members], 1), atol=0.04, rtol=0
    )  # type: ignore[operator]
    for row, length in zip(learned, (lengths + 1) // 2, strict=True):
        assert not row[:, length:].any()
    rounding = served.rounding(rows.shape[1])
    assert rounding.tolist() == [0.0] * end + [1 / 16] * (channels * 32)
    assert not WithTrace(members).rounding(end).any()


@torch.no_grad()
def test_the_trace_follows_the_embedding(pen_trace: PenTrace) -> None:
    members = PenMembers([encoder(1), encoder(2)])
    served = WithTrace(members)
    frames, lengths = packed([pen_trace(60), pen_trace(45, 1)])
    rows = served(frames)
    assert (served.vector, served.unit_norm) == (20, True)
    assert rows.shape == (2, 20 + 4 * 64)
    torch.testing.assert_close(rows[:, :20], members(frames))
    trace = rows[:, 20:].view(2, 4, 64)
    for place, channel in enumerate((0, 1, 2, 4)):
        assert torch.equal(trace[:, place], frames[:, channel].half().float())
    torch.testing.assert_close(trace[:, :3], frames[:, :3], atol=1e-4, rtol=5e-4)
    assert trace[:, 3].sum(1).tolist() == lengths.tolist()
