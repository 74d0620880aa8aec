"""Which cells a pixel sees, and with what weight, against loops over pixels and by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.upsampling.anyup import AnyUp, windows
from vfm_fusion.upsampling.bands import Bands, rows_around, without_outside
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.featup import RADIUS, BilateralStage, FeatUp
from vfm_fusion.upsampling.jbu import JointBilateral
from vfm_fusion.upsampling.loftup import CrossAttention
from vfm_fusion.upsampling.naf import HEAD, HEADS, NAF, window
from vfm_fusion.upsampling.resampling import bicubic_rows, bilinear_rows
from vfm_fusion.upsampling.uplift import OFFSETS, UPLiFT, nearest_rows


def frozen(name: str, channels: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_upsampler(name, channels).eval().requires_grad_(False)


def seen(upsampler: torch.nn.Module, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Which cells ``(h w)`` act on which pixels ``(H, W)`` of a sum of features, ``(h w, H, W)``."""
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    found = []
    for cell in range(grid[0] * grid[1]):
        one = torch.zeros(upsampler.channels, grid[0] * grid[1])
        one[:, cell] = 1
        state = upsampler.prepare(one.view(1, -1, *grid), image, size, Bands())
        if cell == 0:
            fixed = state
        made = upsampler.rows(fixed._replace(features=state.features), 0, size[0])
        found.append(made[0].abs().sum(0) > 0)
    return torch.stack(found)


def test_windows_of_anyup_by_hand() -> None:
    first, behind = windows(8, 4)  # pixel centres at 1/16, 3/16, ..., 15/16; a cell is a quarter
    assert first.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert behind.tolist() == [1, 2, 2, 3, 3, 4, 4, 4]
    first, behind = windows(28, 28)
    assert (first[0], behind[0]) == (0, 4)  # (.5 / 28 + .1) * 28 = 3.3
    assert (first[14], behind[14]) == (11, 18)  # 14.5 -+ 2.8
    assert (first[27], behind[27]) == (24, 28)


def test_anyup_sees_its_windows_and_nothing_else() -> None:
    found = seen(frozen("anyup", 4), (6, 5), (12, 70))
    (top, bottom), (left, right) = windows(12, 6), windows(70, 5)
    for cell, where in enumerate(found):
        row, column = divmod(cell, 5)
        rows, columns = (top <= row) & (row < bottom), (left <= column) & (column < right)
        assert torch.equal(where, rows[:, None] & columns)


@pytest.mark.parametrize(
    ("cell", "cells", "expected"),
    [
        (0, 12, (0, 9)),
        (4, 12, (0, 9)),
        (5, 12, (1, 10)),
        (7, 12, (3, 12)),
        (11, 12, (3, 12)),
        (0, 9, (0, 9)),
        (8, 9, (0, 9)),
        (0, 5, (0, 5)),
        (4, 5, (0, 5)),
    ],
)
def test_windows_of_naf_are_shifted_inwards_and_cut(cell: int, cells: int, expected: tuple[int, int]) -> None:
    assert window(cell, cells) == expected


def test_naf_is_softmax_attention_to_its_window_pixel_by_pixel() -> None:
    upsampler = frozen("naf", 8)
    assert isinstance(upsampler, NAF)
    grid, size = (11, 4), (22, 12)
    features, image = torch.randn(1, 8, *grid), torch.randn(1, 3, *size)
    state = upsampler.prepare(features, image, size, Bands())
    made = upsampler.rows(state, 0, size[0])[0]
    queries, keys = (maps[0].unflatten(0, (HEADS, HEAD)) for maps in (state.queries, state.keys))
    values = features[0].unflatten(0, (HEADS, 2))
    for row, column in ((0, 0), (7, 5), (12, 11), (21, 3)):
        rows = slice(*window(row // 2, grid[0]))
        logits = torch.einsum("nd,ndrc->nrc", queries[:, :, row, column], keys[:, :, rows]) / math.sqrt(HEAD)
        weights = logits.flatten(1).softmax(1)
        expected = (values[:, :, rows].flatten(2) * weights[:, None]).sum(2).flatten()
        torch.testing.assert_close(made[:, row, column], expected, rtol=1e-4, atol=1e-6)


def test_naf_says_what_it_does_otherwise() -> None:
    upsampler = frozen("naf", 4)
    assert upsampler.notes((9, 12), (18, 36)) == []
    assert upsampler.notes((5, 12), (20, 24)) == [
        "NAF's window of 9 x 9 cells is cut to 5 x 9 on a map of 5 x 12"
    ]
    assert upsampler.notes((9, 9), (20, 18)) == ["NAF computes 27 x 18 pixels, which are resized bilinearly"]
    with pytest.warns(UserWarning, match="cut to 4 x 4"):
        upsampler.up(torch.randn(1, 4, 4, 4), torch.randn(1, 3, 16, 16), (8, 8))


@pytest.mark.parametrize("band", [(0, 8), (0, 3), (3, 8)])
def test_taps_of_featup_equal_a_dense_loop(band: tuple[int, int]) -> None:
    torch.manual_seed(0)
    stage = BilateralStage().eval().requires_grad_(False)
    features, image = torch.randn(2, 5, 4, 5), torch.randn(2, 3, 40, 50)
    state = stage.prepare(features, image)
    kernel, made = stage.kernel(state, *band), stage.rows(state, *band)
    fine = F.interpolate(features, size=(8, 10), mode="bicubic", align_corners=False)
    padded = F.pad(fine, [RADIUS] * 4, mode="reflect")
    keys = F.pad(stage.project(state.guide), [RADIUS] * 4, mode="reflect")
    near = torch.linspace(-1, 1, 7).square()
    near = torch.exp(-(near[:, None] + near) / 2)
    for row in range(*band):
        for column in range(10):
            around = keys[..., row : row + 7, column : column + 7]
            own = keys[..., row + RADIUS, column + RADIUS]
            alike = torch.einsum("bkij,bk->bij", around, own).flatten(1).softmax(1)
            weights = alike * near.flatten()
            weights = (weights / weights.sum(1, keepdim=True))[:, :, None, None]
            color = state.guide[:, :, row, column, None, None]
            weights = weights + 0.1 * stage.correct(torch.cat([weights, color], dim=1))
            torch.testing.assert_close(kernel[:, :, row - band[0], column], weights[..., 0, 0])
            window_of = padded[..., row : row + 7, column : column + 7].flatten(2)
            expected = (window_of * weights[:, None, :, 0, 0]).sum(2)
            torch.testing.assert_close(made[:, :, row - band[0], column], expected, rtol=1e-4, atol=1e-5)


def test_featup_without_corrections_has_kernels_of_sum_one_and_keeps_constants() -> None:
    upsampler = frozen("jbu", 3)
    assert isinstance(upsampler, FeatUp)
    for part in (*(stage.correct for stage in upsampler.stages), upsampler.mix):
        for parameter in part[-1].parameters():
            parameter.zero_()
    image = torch.randn(1, 3, 48, 64)
    state = upsampler.stages[0].prepare(torch.randn(1, 3, 3, 4), image)
    kernel = upsampler.stages[0].kernel(state, 0, 6)
    torch.testing.assert_close(kernel.sum(1), torch.ones(1, 6, 8))
    constant = upsampler.up(torch.full((1, 3, 3, 4), 2.0), image, (48, 64))
    torch.testing.assert_close(constant, torch.full((1, 3, 48, 64), 2.0))


def test_classic_bilateral_upsampling_pixel_by_pixel() -> None:
    upsampler = JointBilateral(2, spatial=0.7, color_range=0.4)
    features, image = torch.randn(1, 2, 4, 3), torch.randn(1, 3, 12, 12)
    made = upsampler.up(features, image, (12, 12))[0]
    colors = image[0] * torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    coarse = F.adaptive_avg_pool2d(colors, (4, 3))
    for row, column in ((0, 0), (5, 7), (11, 11), (6, 1)):
        y, x = (row + 0.5) * 4 / 12 - 0.5, (column + 0.5) * 3 / 12 - 0.5
        near_y, near_x = math.floor(y + 0.5), math.floor(x + 0.5)
        total, weight = torch.zeros(2), 0.0
        for i in range(max(0, near_y - 2), min(4, near_y + 3)):
            for j in range(max(0, near_x - 2), min(3, near_x + 3)):
                apart = (colors[:, row, column] - coarse[:, i, j]).square().sum().item()
                w = math.exp(-((y - i) ** 2 + (x - j) ** 2) / (2 * 0.7**2) - apart / (2 * 0.4**2))
                total, weight = total + w * features[0, :, i, j], weight + w
        torch.testing.assert_close(made[:, row, column], total / weight, rtol=1e-4, atol=1e-5)


def test_a_pixel_of_no_cells_colour_is_still_a_mean() -> None:
    image = torch.full((1, 3, 8, 8), -2.0)
    image[..., 0, 0] = 2000.0
    made = JointBilateral(1).up(torch.ones(1, 1, 2, 2), image, (8, 8))
    torch.testing.assert_close(made, torch.ones(1, 1, 8, 8))


def test_the_star_of_uplift() -> None:
    lines = [
        "".join("x" if (row, column) in OFFSETS else "." for column in range(-2, 3)) for row in range(-2, 3)
    ]
    assert lines == ["x.x.x", ".xxx.", "xxxxx", ".xxx.", "x.x.x"]


def test_uplift_sees_its_star_and_repeats_borders() -> None:
    upsampler = frozen("uplift", 4)
    assert isinstance(upsampler, UPLiFT)
    found = seen(upsampler, (5, 6), (10, 12))
    for cell, where in enumerate(found):
        row, column = divmod(cell, 6)
        for y in range(10):
            for x in range(12):
                star = {(min(max(y // 2 + i, 0), 4), min(max(x // 2 + j, 0), 5)) for i, j in OFFSETS}
                assert where[y, x] == ((row, column) in star)


def test_attention_does_not_depend_on_the_order_of_cells() -> None:
    torch.manual_seed(0)
    layer = CrossAttention(12, 8).eval()
    pixels, cells = torch.randn(1, 7, 12), torch.randn(1, 6, 12)
    order = torch.randperm(6)
    torch.testing.assert_close(layer(pixels, layer.cells(cells[:, order])), layer(pixels, layer.cells(cells)))


def test_key_statistics_of_anyup_do_not_depend_on_the_order_of_channels() -> None:
    """As the paper says; as the released code reads them, they do."""
    features, image = torch.randn(1, 6, 5, 5), torch.randn(1, 3, 20, 20)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    for by_kernel in (True, False):
        torch.manual_seed(0)
        upsampler = AnyUp(6, by_kernel=by_kernel).eval().requires_grad_(False)
        made = upsampler.up(features, image, (10, 10))[:, order]
        shuffled = upsampler.up(features[:, order], image, (10, 10))
        assert torch.allclose(made, shuffled, atol=1e-6) == by_kernel


@pytest.mark.parametrize("rows", [(0, 14), (3, 9), (-3, 4), (11, 17)])
def test_rows_of_interpolations_are_those_of_torch(rows: tuple[int, int]) -> None:
    maps = torch.randn(1, 2, 7, 3)
    whole = F.interpolate(maps, size=(14, 3), mode="bicubic", align_corners=False)
    mirrored = F.pad(whole, (0, 0, 3, 3), mode="reflect")[:, :, rows[0] + 3 : rows[1] + 3]
    torch.testing.assert_close(bicubic_rows(maps, *rows, 14), mirrored)
    torch.testing.assert_close(rows_around(whole, *rows, 0, "reflect"), mirrored)
    inside = slice(max(0, rows[0]), rows[1])
    whole = F.interpolate(maps, size=(19, 3), mode="bilinear", align_corners=True)
    torch.testing.assert_close(bilinear_rows(maps, inside.start, inside.stop, 19), whole[:, :, inside])
    whole = F.interpolate(maps, size=(19, 5), mode="nearest")
    assert torch.equal(nearest_rows(maps, inside.start, inside.stop, (19, 5)), whole[:, :, inside])


def test_rows_outside_a_map() -> None:
    maps = torch.arange(1.0, 4).view(1, 1, 3, 1)

    def around(padding: str) -> list[float]:
        return rows_around(maps, 0, 3, 2, padding).flatten().tolist()

    assert around("zeros") == [0, 0, 1, 2, 3, 0, 0]
    assert around("reflect") == [3, 2, 1, 2, 3, 2, 1]
    assert around("replicate") == [1, 1, 1, 2, 3, 3, 3]
    assert without_outside(maps, -1, 2).flatten().tolist() == [0, 2, 3]
    assert without_outside(maps, 0, 2).flatten().tolist() == [1, 2, 0]
