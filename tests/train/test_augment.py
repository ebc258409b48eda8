"""Augmentation keeps shape and range, draws anew for every image, and does nothing where it is told to do nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from train.augment import AugmentConfig, CropAffine, Light, LowResolution, Occlusion, build_augmentation

MARGIN = (6, 5)
STILL = AugmentConfig(rotation=0.0, zoom=0.0, aspect=0.0, shift=0.0, p_flip=0.0)


def crops(count: int = 6, height: int = 40, width: int = 30) -> Tensor:
    """Smooth uint8 crops with margins, so that half-pixel shifts change little."""
    draw = np.random.default_rng(0)
    coarse = torch.from_numpy(draw.uniform(30, 220, (count, 1, 6, 5)))
    fine = torch.nn.functional.interpolate(coarse, (height + 12, width + 10), mode="bicubic", align_corners=False)
    return fine.clamp(0, 255).to(torch.uint8)


def centre(x: Tensor) -> Tensor:
    return x[:, :, 6:-6, 5:-5]


def test_shape_and_range_are_those_of_the_encoders_input() -> None:
    torch.manual_seed(0)
    found = build_augmentation(AugmentConfig(), MARGIN)(crops())
    assert found.shape == (6, 1, 40, 30)
    assert found.dtype == torch.float32
    assert float(found.min()) >= 0.0
    assert float(found.max()) <= 1.0


def test_every_image_gets_another_draw() -> None:
    torch.manual_seed(0)
    same = crops(1).expand(8, -1, -1, -1)
    found = build_augmentation(AugmentConfig(), MARGIN)(same)
    for i in range(8):
        for j in range(i):
            assert float((found[i] - found[j]).abs().mean()) > 1e-3


def test_draws_follow_from_the_seed() -> None:
    augment = build_augmentation(AugmentConfig(), MARGIN)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(augment(crops()))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_input_is_left_as_it_was() -> None:
    x = crops()
    before = x.clone()
    build_augmentation(AugmentConfig(), MARGIN)(x)
    assert torch.equal(x, before)


def test_standing_still_is_the_centre_of_the_crop() -> None:
    x = crops().float() / 255
    torch.testing.assert_close(CropAffine(STILL, MARGIN)(x), centre(x), atol=1e-4, rtol=0)


def test_mirrored_is_the_centre_mirrored() -> None:
    x = crops().float() / 255
    found = CropAffine(replace(STILL, p_flip=1.0), MARGIN)(x)
    torch.testing.assert_close(found, centre(x).flip(3), atol=1e-4, rtol=0)


def test_a_shift_shows_real_pixels_of_the_margin() -> None:
    """Of a ramp of grey every shifted crop is the same ramp, higher or lower throughout: no edge pixel is repeated."""
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(52.0), torch.arange(40.0), indexing="ij")
    for ramp in (rows, columns):
        x = (ramp / 60)[None, None].repeat(20, 1, 1, 1)
        moved = (CropAffine(replace(STILL, shift=3.0), MARGIN)(x) - centre(x)) * 60
        pixels = moved.mean((1, 2, 3))
        torch.testing.assert_close(moved, pixels[:, None, None, None].expand_as(moved), atol=1e-3, rtol=0)
        assert 2.0 < float(pixels.abs().max()) <= 3.0
        assert float(pixels.min()) < 0 < float(pixels.max())


def test_a_rotation_keeps_lengths() -> None:
    """A bright ring stays a ring of its radius: turned in pixels, not in the stretched coordinates of the grid."""
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(52.0), torch.arange(40.0), indexing="ij")
    radius = ((rows - 25.5) ** 2 + (columns - 19.5) ** 2).sqrt()
    ring = torch.exp(-((radius - 10) ** 2) / 8)[None, None].repeat(16, 1, 1, 1)
    found = CropAffine(replace(STILL, rotation=45.0), MARGIN)(ring)
    torch.testing.assert_close(found, centre(ring), atol=0.05, rtol=0)


def test_zoom_is_about_the_centre_and_stretch_along_the_rows() -> None:
    torch.manual_seed(0)
    dot = torch.zeros(12, 1, 52, 40)
    dot[:, :, 25:27, 19:21] = 1.0
    for config in (replace(STILL, zoom=0.1), replace(STILL, aspect=0.1)):
        found = CropAffine(config, MARGIN)(dot)
        rows, columns = torch.arange(40.0), torch.arange(30.0)
        weight = found.sum((1, 2, 3))
        torch.testing.assert_close(
            (found.sum((1, 3)) * rows).sum(1) / weight, torch.full((12,), 19.5), atol=0.05, rtol=0
        )
        torch.testing.assert_close(
            (found.sum((1, 2)) * columns).sum(1) / weight, torch.full((12,), 14.5), atol=0.05, rtol=0
        )


def test_low_resolution_blurs_some_and_leaves_the_others() -> None:
    torch.manual_seed(0)
    x = torch.rand(40, 1, 40, 30)
    found = LowResolution(0.5)(x)
    changed = (found != x).flatten(1).any(1)
    assert 8 < int(changed.sum()) < 32
    assert float(found[changed].std()) < float(x[changed].std())
    assert torch.equal(LowResolution(0.0)(x), x)
    assert bool((LowResolution(1.0)(x) != x).flatten(1).any(1).all())


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_light_stays_within_black_and_white(level: float) -> None:
    torch.manual_seed(0)
    found = Light(AugmentConfig())(torch.full((64, 1, 10, 8), level))
    assert float(found.min()) >= 0.0
    assert float(found.max()) <= 1.0
    assert bool(torch.isfinite(found).all())
    assert float(found.mean((1, 2, 3)).std()) > 0.0 if level == 0.5 else True


def test_a_ramp_of_light_is_a_ramp() -> None:
    torch.manual_seed(3)
    found = Light(AugmentConfig(gamma=0.0, noise=0.0, p_light=1.0))(torch.full((20, 1, 21, 21), 0.5))
    bend = found[:, :, 1:-1, 1:-1] * 4 - found[:, :, :-2, 1:-1] - found[:, :, 2:, 1:-1]
    bend = bend - found[:, :, 1:-1, :-2] - found[:, :, 1:-1, 2:]
    assert float(bend.abs().max()) < 1e-4
    assert float((found.amax((1, 2, 3)) - found.amin((1, 2, 3))).max()) > 0.1


def test_an_occlusion_is_a_box_over_some_images() -> None:
    torch.manual_seed(0)
    x = torch.full((200, 1, 40, 30), 2.0)
    found = Occlusion(0.4)(x)
    hidden = found[:, 0] != 2.0
    touched = hidden.flatten(1).any(1)
    assert 50 < int(touched.sum()) < 110
    for box in hidden[touched]:
        rows, columns = box.any(1), box.any(0)
        assert torch.equal(box, rows[:, None] & columns[None, :])
        assert int(rows.sum()) <= 0.5 * 40 + 1
        for line in (rows, columns):
            where = torch.nonzero(line)
            assert int(where[-1] - where[0]) + 1 == len(where)
    assert float(found[hidden[:, None]].max()) <= 1.0
    assert torch.equal(Occlusion(0.0)(x), x)


def test_a_batch_of_one_is_augmented_too() -> None:
    torch.manual_seed(0)
    assert build_augmentation(AugmentConfig(), (0, 0))(crops(1)).shape == (1, 1, 52, 40)
