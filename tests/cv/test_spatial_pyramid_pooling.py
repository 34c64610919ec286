"""The bins against torch and numpy, the theorem of composition, the block and its relatives."""

import math
from itertools import pairwise, product

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter
from skimage import data
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from snippets.common import records
from snippets.cv import spatial_pyramid_pooling as own
from snippets.cv.spatial_pyramid_pooling import (
    SPP,
    SPPF,
    SpatialPyramidPooling,
    bin_edges,
    darknet_to_ultralytics_order,
    paper_windows,
    pool_pyramid,
    project_window,
    roi_spp,
    sliding_max,
    spatial_pyramid_pool,
)
from snippets.cv.spatial_pyramid_pooling_run import WAYS, side_by_side, trunk

RECORD = records.load("cv/spatial-pyramid-pooling")
PHOTOS = ["camera", "astronaut", "coffee", "chelsea"]


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def square(x, k):
    return F.max_pool2d(x, k, stride=1, padding=k // 2)


def photo(name):
    """A photograph of skimage as (1, C, H, W)."""
    image = np.atleast_3d(getattr(data, name)())
    return torch.tensor(image).permute(2, 0, 1)[None].float()


# bins


@pytest.mark.parametrize("size", range(1, 41))
def test_bins_cover_are_not_empty_and_share_at_most_one_cell(size):
    for n in range(1, 13):
        edges = bin_edges(size, n)
        assert len(edges) == n
        assert edges[0][0] == 0
        assert edges[-1][1] == size
        for i, ((_, end), (start, _)) in enumerate(pairwise(edges)):
            assert end - start == (0 if (i + 1) * size % n == 0 else 1)
        assert {e - s for s, e in edges} <= {-(-size // n), -(-size // n) + 1}
        assert [(size - e, size - s) for s, e in reversed(edges)] == edges
        if size >= n:  # no cell lies in three
            assert all(a[1] <= c[0] for a, c in zip(edges, edges[2:], strict=False))


shapes = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))
levels = st.lists(st.integers(1, 8), min_size=1, max_size=4)


@given(shapes, levels, st.integers(0, 9))
def test_max_bins_are_those_of_torch_bit_by_bit(shape, levels, seed):
    x = draw(*shape, seed=seed)
    expected = [F.adaptive_max_pool2d(x, n).flatten(1) for n in levels]
    assert torch.equal(spatial_pyramid_pool(x, levels), torch.cat(expected, 1))
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(spatial_pyramid_pool(last, levels), torch.cat(expected, 1))
    average = [F.adaptive_avg_pool2d(x, n).flatten(1) for n in levels]
    found = spatial_pyramid_pool(x, levels, mode="avg")
    assert torch.allclose(found, torch.cat(average, 1), atol=1e-6)


def test_order_of_the_vector_by_brute_force():
    x = draw(2, 3, 7, 5).numpy()
    rows = []
    for image in x:
        row = []
        for n in (3, 1, 2):
            for channel in image:
                for i, j in product(range(n), repeat=2):
                    top, bottom = math.floor(i * 7 / n), math.ceil((i + 1) * 7 / n)
                    left, right = math.floor(j * 5 / n), math.ceil((j + 1) * 5 / n)
                    row.append(channel[top:bottom, left:right].max())
        rows.append(row)
    assert spatial_pyramid_pool(torch.tensor(x), (3, 1, 2)).tolist() == np.array(rows).tolist()


@pytest.mark.parametrize("n", range(1, 13))
def test_windows_of_the_paper_are_right_exactly_as_the_theorem_says(n):
    for size in range(n, 61):
        windows, (q, r) = paper_windows(size, n), divmod(size, n)
        assert len(windows) == n + (max(r - 1, 0) // q)
        assert (len(windows) == n) == (r <= q)
        if r <= q:
            assert size - windows[-1][1] == max(r - 1, 0)
        kernel, stride = -(-size // n), size // n
        assert len(windows) == F.max_pool1d(torch.zeros(1, 1, size), kernel, stride).shape[-1]
        assert (windows == bin_edges(size, n)) == (r in (0, 1))


def test_flips_of_the_map_flip_the_bins():
    x = draw(1, 2, 11, 7)
    for n in (2, 3, 4):
        bins, flipped = (
            spatial_pyramid_pool(y, (n,)).view(1, 2, n, n) for y in (x, x.flip(-2, -1))
        )
        assert torch.equal(bins, flipped.flip(-2, -1))


@pytest.mark.parametrize(
    ("levels", "length"), [((1, 2, 4), 5376), ((1, 2, 3, 6), 12_800), ((1,), 256), ((7,), 12_544)]
)
def test_length_does_not_depend_on_the_size(levels, length):
    layer = SpatialPyramidPooling(levels)
    assert layer.out_features(256) == length
    for size in [(1, 1), (13, 13), (10, 13), (30, 40)]:
        assert layer(draw(1, 256, *size)).shape == (1, length)
    assert list(layer.parameters()) == []


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_of_four_sizes(name):
    x = photo(name)
    found = spatial_pyramid_pool(x)
    assert found.shape == (1, 21 * x.shape[1])
    assert found[0, : x.shape[1]].tolist() == x.flatten(2).amax(2)[0].tolist()


# gradients


def gradient(f, x, weight=None):
    x = x.detach().clone().requires_grad_()
    y = f(x)
    weight = draw(*y.shape, seed=1, dtype=x.dtype) if weight is None else weight
    return torch.autograd.grad((y * weight).sum(), x)[0]


def test_gradient_goes_to_the_largest_of_each_bin():
    x = draw(1, 1, 9, 11, dtype=torch.float64)
    found = gradient(lambda x: spatial_pyramid_pool(x, (1, 2, 4)), x)
    expected = torch.zeros_like(x)
    weights = iter(draw(1, 21, seed=1, dtype=torch.float64)[0])
    for n in (1, 2, 4):
        for (top, bottom), (left, right) in product(bin_edges(9, n), bin_edges(11, n)):
            place = x[0, 0, top:bottom, left:right].argmax().item()
            row, column = divmod(place, right - left)
            expected[0, 0, top + row, left + column] += next(weights)
    assert torch.allclose(found, expected)


def test_ties_share_the_gradient_and_torch_gives_it_to_the_first():
    x, one = torch.ones(1, 1, 2, 2), torch.ones(1, 1)
    shared = gradient(lambda x: spatial_pyramid_pool(x, (1,)), x, one)
    first = gradient(lambda x: F.adaptive_max_pool2d(x, 1).flatten(1), x, one)
    assert shared.flatten().tolist() == [0.25] * 4
    assert first.flatten().tolist() == [1, 0, 0, 0]


def test_each_bin_passes_on_all_of_its_gradient_ties_or_not():
    x = torch.randint(0, 3, (2, 3, 7, 9), generator=torch.Generator().manual_seed(0)).double()
    weight = draw(2, 3 * 21, seed=1, dtype=torch.float64)
    found = gradient(spatial_pyramid_pool, x, weight)
    assert torch.allclose(found.sum((1, 2, 3)), weight.sum(1))


def test_gradcheck():
    x = draw(1, 2, 5, 6, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(spatial_pyramid_pool, (x,))
    assert torch.autograd.gradcheck(lambda x: pool_pyramid(x, doubling=True), (x,))


# windows


def test_cells_are_those_strictly_inside():
    for stride in (1, 4, 16):
        for x1, x2 in product(range(0, 70, 3), range(1, 90, 4)):
            if x1 >= x2:
                continue
            inside = [cell for cell in range(-2, 100) if x1 < cell * stride < x2]
            box = torch.tensor([[x1, 0, x2, 1000]])
            first, _, last, _ = project_window(box, stride)[0].tolist()
            if inside:
                assert (first, last) == (inside[0], inside[-1])
            else:
                middle = (x1 + x2) / 2
                nearest = min(abs(cell * stride - middle) for cell in range(100))
                assert first == last
                assert abs(first * stride - middle) == nearest


def test_windows_are_pooled_like_crops_of_the_map():
    feat = draw(1, 5, 12, 17)
    boxes = torch.tensor(
        [[16.0, 16, 100, 90], [0, 0, 272, 192], [40, 40, 41, 41], [-9, -9, 20, 20]]
    )
    found = roi_spp(feat, boxes, 16, (1, 3))
    crops = [feat[..., 2:6, 2:7], feat[..., 1:12, 1:17], feat[..., 3:4, 3:4], feat[..., 0:2, 0:2]]
    expected = [
        torch.cat([F.adaptive_max_pool2d(c, n).flatten(1) for n in (1, 3)], 1) for c in crops
    ]
    assert torch.equal(found, torch.cat(expected))
    assert roi_spp(feat, boxes[:0], 16, (1, 3)).shape == (0, 50)


def test_an_empty_batch_stays_empty():
    none = draw(0, 4, 5, 6)
    assert spatial_pyramid_pool(none).shape == (0, 84)
    assert pool_pyramid(none).shape == pool_pyramid(none, doubling=True).shape == (0, 16, 5, 6)
    assert SPP(4, 3).eval()(none).shape == SPPF(4, 3).eval()(none).shape == (0, 3, 5, 6)
    assert project_window(torch.zeros(0, 4), 16).shape == (0, 4)


def test_gradient_through_windows_reaches_the_shared_map_and_adds_up():
    feat = draw(1, 2, 12, 17, dtype=torch.float64)
    boxes = torch.tensor([[16.0, 16, 100, 90], [40, 40, 200, 150]])
    weight = draw(2, 2 * 5, seed=1, dtype=torch.float64)
    both = gradient(lambda y: roi_spp(y, boxes, 16, (1, 2)), feat, weight)
    each = [
        gradient(lambda y, box=box: roi_spp(y, box, 16, (1, 2)), feat, w)
        for box, w in zip(boxes.split(1), weight.split(1), strict=True)
    ]
    assert torch.allclose(both, each[0] + each[1])
    assert torch.allclose(both.sum(), weight.sum())


def test_one_level_is_roi_pooling():
    """Girshick's layer, written as he describes it: 7 x 7 bins of one window."""
    feat, box = draw(1, 4, 20, 25), torch.tensor([[30.0, 45, 333, 290]])
    x1, y1, x2, y2 = project_window(box, 16)[0].tolist()
    bins = roi_spp(feat, box, 16, (7,)).view(1, 4, 7, 7)
    height, width = y2 - y1 + 1, x2 - x1 + 1
    for i, j in product(range(7), repeat=2):
        rows = slice(y1 + math.floor(i * height / 7), y1 + math.ceil((i + 1) * height / 7))
        columns = slice(x1 + math.floor(j * width / 7), x1 + math.ceil((j + 1) * width / 7))
        assert torch.equal(bins[..., i, j], feat[..., rows, columns].amax((-2, -1)))


def test_sharing_saves_what_the_areas_say():
    with torch.device("meta"):
        model = trunk()
        counts = []
        for size in [(480, 640), (224, 224)]:
            with FlopCounterMode(display=False) as counter:
                model(torch.empty(1, 3, *size))
            counts.append(counter.get_total_flops())
    assert 100 * counts[1] / counts[0] == pytest.approx(100 * 224**2 / (480 * 640), rel=0.01)
    assert RECORD.results["sharing"]["ratio"]["w100"] >= 10


# the theorem


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 3, 5, 7]),
    st.sampled_from([1, 3, 5, 7]),
    st.integers(0, 99),
)
def test_stride_one_maxima_compose(height, width, a, b, seed):
    x = draw(1, 2, height, width, seed=seed) - 3
    if seed % 5 == 0:
        x[..., ::2, :] = float("-inf")
    both = square(square(x, a), b) if max(a, b) // 2 < 8 else x
    assert torch.equal(both, square(x, a + b - 1))


def brute_max(x, k):
    """The definition: the largest of the cells within reach that exist."""
    r, y = k // 2, x.clone()
    for i, j in product(range(x.shape[-2]), range(x.shape[-1])):
        around = x[..., max(0, i - r) : i + r + 1, max(0, j - r) : j + r + 1]
        y[..., i, j] = around.amax((-2, -1))
    return y


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5, 7, 9, 13, 15, 33]))
@settings(max_examples=60)
def test_four_ways_to_one_maximum(height, width, k):
    x = draw(2, 1, height, width, seed=height) - 2
    expected = brute_max(x, k)
    for way in (own._square_max, own._separable_max, own._doubling_max):
        assert torch.equal(way(x, k), expected)
    rows = sliding_max(x, k, -1)
    assert torch.equal(rows, F.max_pool2d(x, (1, k), 1, (0, k // 2)))
    assert torch.equal(sliding_max(rows, k, -2), expected)


@pytest.mark.parametrize("k", [3, 5, 7, 9, 13])
def test_oracles_on_photographs(k):
    for name in PHOTOS:
        image = getattr(data, name)()
        grey = image if image.ndim == 2 else image[..., 0]
        x = torch.tensor(grey)[None, None].float()
        ours = own._doubling_max(x, k)[0, 0].numpy()
        filtered = maximum_filter(grey.astype(float), k, mode="constant", cval=-np.inf)
        assert np.array_equal(ours, filtered)
        assert np.array_equal(ours, cv2.dilate(grey, np.ones((k, k), np.uint8)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("k", "windows"), [(3, (3, 5, 7)), (5, (5, 9, 13)), (7, (7, 13, 19))])
def test_cascades_are_bit_equal_to_side_by_side(k, windows, layout):
    x = (draw(2, 4, 13, 11) - 1).contiguous(memory_format=layout)
    expected = torch.cat([x, *(square(x, w) for w in windows)], 1)
    for separable, doubling in product([False, True], repeat=2):
        found = pool_pyramid(x, k, 3, separable, doubling)
        assert torch.equal(found, expected)
        assert found.is_contiguous(memory_format=layout)


def test_nan_spreads_as_far_as_the_window_in_every_way():
    x = draw(1, 2, 9, 11)
    x[0, 0, 4, 3] = float("nan")
    near = (torch.arange(9).sub(4).abs() <= 4)[:, None] & (torch.arange(11).sub(3).abs() <= 4)
    for separable, doubling in product([False, True], repeat=2):
        found = pool_pyramid(x, 5, 2, separable, doubling)[0, 4].isnan()
        assert torch.equal(found, near)
    bins = spatial_pyramid_pool(x, (3,)).view(2, 3, 3)
    assert bins.isnan().nonzero().tolist() == [[0, 1, 0], [0, 1, 1]]


def test_average_pooling_does_not_compose():
    one = torch.zeros(1, 1, 7)
    one[..., 3] = 1
    twice = F.avg_pool1d(F.avg_pool1d(one, 3, 1, 1), 3, 1, 1)
    assert (9 * twice).round().flatten().tolist() == [0, 1, 2, 3, 2, 1, 0]
    assert not torch.allclose(twice, F.avg_pool1d(one, 5, 1, 2))


def zero_padded(x, k):
    return F.max_pool2d(F.pad(x, [k // 2] * 4), k, stride=1)


def test_zero_padding_is_wrong_where_the_window_leaves_a_negative_map():
    x = -draw(1, 3, 13, 13).abs() - 0.1
    for k in (3, 5, 9, 13):
        wrong = (zero_padded(x, k) != square(x, k)).double().mean().item()
        assert wrong == pytest.approx(1 - ((13 - k + 1) / 13) ** 2)
    assert torch.equal(zero_padded(x.abs(), 5), square(x.abs(), 5))


def test_zero_padding_composes_too_but_to_another_operator():
    x = draw(2, 2, 12, 9) - 4
    assert torch.equal(zero_padded(zero_padded(x, 5), 5), zero_padded(x, 9))
    assert not torch.equal(zero_padded(x, 9), square(x, 9))


def test_a_hole_in_the_middle_of_the_map_breaks_the_composition():
    """The proof needs that the way from a cell to any other stays on the map."""
    x, hole = torch.zeros(1, 1, 1, 5), torch.tensor([0, 0, float("-inf"), 0, 0])
    x[..., 1] = 1

    def within(x):  # windows of three, and nothing is known on the hole
        return F.max_pool2d(x, (1, 3), 1, (0, 1)) + hole

    twice, once = within(within(x + hole)), F.max_pool2d(x + hole, (1, 5), 1, (0, 2)) + hole
    assert not torch.equal(twice, once)


# gradients of the cascade


def few_values(*shape):
    drawn = torch.Generator().manual_seed(0)
    return torch.randint(0, 3, shape, generator=drawn).double()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_torch_gives_a_tie_to_the_first_of_the_window(layout):
    x, weight = few_values(1, 2, 9, 7), few_values(1, 2, 9, 7) + 1
    expected = torch.zeros_like(x)
    for c, i, j in product(range(2), range(9), range(7)):
        top, left = max(0, i - 2), max(0, j - 2)
        around = x[0, c, top : i + 3, left : j + 3]
        first = next(p for p, value in enumerate(around.flatten()) if value == around.max())
        row, column = divmod(first, around.shape[1])
        expected[0, c, top + row, left + column] += weight[0, c, i, j]
    y = x.contiguous(memory_format=layout)
    assert torch.equal(gradient(lambda x: square(x, 5), y, weight), expected)


@pytest.mark.parametrize("separable", [False, True])
def test_without_ties_all_ways_have_one_gradient(separable):
    x = draw(2, 3, 13, 13, dtype=torch.float64)
    expected = gradient(side_by_side, x)
    found = gradient(lambda x: pool_pyramid(x, 5, 3, separable, doubling=False), x)
    assert torch.allclose(found, expected, atol=1e-13)
    found = gradient(lambda x: pool_pyramid(x, doubling=True), x)
    assert torch.allclose(found, expected, atol=1e-13)


def test_rows_first_keeps_even_the_winner_of_a_tie():
    x, weight = few_values(2, 3, 13, 13), few_values(2, 3, 13, 13) + 1  # whole numbers: no rounding
    expected = gradient(lambda x: square(x, 5), x, weight)
    assert torch.equal(gradient(lambda x: own._separable_max(x, 5), x, weight), expected)

    def columns_first(x):
        return F.max_pool2d(F.max_pool2d(x, (5, 1), 1, (2, 0)), (1, 5), 1, (0, 2))

    assert not torch.equal(gradient(columns_first, x, weight), expected)


def test_ties_tell_the_cascade_from_side_by_side():
    x = few_values(2, 3, 13, 13)
    cascade, beside = gradient(pool_pyramid, x), gradient(side_by_side, x)
    assert not torch.allclose(cascade, beside)
    assert torch.allclose(cascade.sum((-2, -1)), beside.sum((-2, -1)))


# the blocks


def twins(**kwargs):
    torch.manual_seed(0)
    spp, sppf = SPP(8, 6), SPPF(8, 6, **kwargs)
    sppf.load_state_dict(spp.state_dict())
    return spp, sppf


@pytest.mark.parametrize("mode", [True, False])
def test_weights_of_spp_fit_sppf_and_the_outputs_are_equal(mode):
    spp, sppf = (block.train(mode) for block in twins())
    x = draw(2, 8, 13, 9)
    assert torch.equal(spp(x), sppf(x))
    assert next(iter(spp.state_dict())) == "cv1.conv.weight"
    assert [n for n, _ in spp.named_parameters()] == [n for n, _ in sppf.named_parameters()]
    spp(x).square().sum().backward()
    sppf(x).square().sum().backward()
    for ours, theirs in zip(spp.parameters(), sppf.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", [True, False])
def test_the_block_is_convolution_normalisation_and_silu_on_both_sides(mode):
    x = draw(2, 8, 7, 9)
    for block in (module.train(mode) for module in twins()):
        for norm in (block.cv1.bn, block.cv2.bn):
            with torch.no_grad():  # not those of a fresh layer
                for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                    tensor.copy_(draw(*tensor.shape, seed=2).abs() + 0.5)

        def half(side, x):
            y, norm = F.conv2d(x, side.conv.weight), side.bn
            mean, var = (norm.running_mean, norm.running_var)
            if mode:
                mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3), unbiased=False)
            scale = (norm.weight / (var + 1e-5).sqrt())[:, None, None]
            z = (y - mean[:, None, None]) * scale + norm.bias[:, None, None]
            return z * torch.sigmoid(z)

        expected = half(block.cv2, side_by_side(half(block.cv1, x)))
        assert torch.allclose(block(x), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (13, 13), (20, 20), (10, 17)])
def test_the_block_keeps_height_and_width_so_its_length_is_not_fixed(size):
    for block in twins():
        assert block.eval()(draw(1, 8, *size)).shape == (1, 6, *size)


def test_parameters_of_the_block():
    """Two 1 x 1 convolutions without bias, two parameters a channel of batch normalisation."""
    count = sum(p.numel() for p in SPP(1024, 1024).parameters())
    assert count == 1024 * 512 + 2 * 512 + 4 * 512 * 1024 + 2 * 1024


def test_reordered_weights_give_the_same_output():
    c, x = 3, draw(1, 3, 7, 7)
    maps = [square(x, 13), square(x, 9), square(x, 5), x]
    weight = draw(5, 4 * c, 1, 1)
    darknet = F.conv2d(torch.cat(maps, 1).double(), weight.double())
    reordered = darknet_to_ultralytics_order(weight)
    ours = F.conv2d(torch.cat(maps[::-1], 1).double(), reordered.double())
    assert torch.allclose(darknet, ours, atol=1e-12)
    naive = F.conv2d(torch.cat(maps[::-1], 1).double(), weight.double())
    assert not torch.allclose(darknet, naive)
    assert torch.equal(darknet_to_ultralytics_order(reordered), weight)


# errors

MAP = torch.zeros(1, 2, 3, 3)
BOX = torch.tensor([[0.0, 0, 40, 40]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bin_edges(0, 2), "size must be an integer >= 1, got 0"),
        (lambda: bin_edges(3, 0), "n must be an integer >= 1, got 0"),
        (lambda: bin_edges(True, 1), "size must be an integer >= 1, got True"),
        (lambda: paper_windows(0, 1), "size must be an integer >= 1, got 0"),
        (lambda: paper_windows(3, 0), "n must be an integer >= 1, got 0"),
        (lambda: paper_windows(3, 4), "n must be <= size, got 4 > 3"),
        (lambda: spatial_pyramid_pool(MAP[0]), r"\(N, C, H, W\).* got \(2, 3, 3\)"),
        (lambda: spatial_pyramid_pool(MAP[..., :0]), r"H, W >= 1, got \(1, 2, 3, 0\)"),
        (lambda: spatial_pyramid_pool(torch.zeros(5)), r"C, H, W >= 1, got \(5,\)"),
        (lambda: pool_pyramid(MAP[:, :0]), r"C, H, W >= 1, got \(1, 0, 3, 3\)"),
        (lambda: pool_pyramid(MAP[:, :, :0]), r"C, H, W >= 1, got \(1, 2, 0, 3\)"),
        (lambda: spatial_pyramid_pool(MAP.long()), "a float tensor .* got torch.int64"),
        (lambda: spatial_pyramid_pool(MAP, ()), r"levels must be integers .* got \(\)"),
        (lambda: spatial_pyramid_pool(MAP, (1, 0)), "every level must be an integer >= 1, got 0"),
        (lambda: spatial_pyramid_pool(MAP, (2,), "sum"), r"one of \['max', 'avg'\], got 'sum'"),
        (lambda: SpatialPyramidPooling((1, -2)), "every level must be an integer >= 1, got -2"),
        (lambda: SpatialPyramidPooling().out_features(0), "channels must be .* got 0"),
        (lambda: SpatialPyramidPooling()(MAP[0]), r"got \(2, 3, 3\)"),
        (lambda: project_window(BOX[0], 16), r"boxes must be a tensor \(R, 4\), got \(4,\)"),
        (lambda: project_window(BOX, 0), "stride must be an integer >= 1, got 0"),
        (
            lambda: project_window(BOX.flip(1), 16),
            r"x1 < x2, y1 < y2, got \[40.0, 40.0, 0.0, 0.0\]",
        ),
        (lambda: project_window(BOX / 0, 16), r"a box must be finite .* got \[nan, nan, inf"),
        (lambda: project_window(BOX.double() * 1e300, 16), r"must be finite \(below 2\*\*53\)"),
        (lambda: roi_spp(MAP[0], BOX, 16), r"got \(2, 3, 3\)"),
        (lambda: roi_spp(MAP.expand(2, 2, 3, 3), BOX, 16), r"one map .* got \(2, 2, 3, 3\)"),
        (lambda: roi_spp(MAP, BOX + 90, 16), r"outside a map of \(w, h\) = \[3, 3\]"),
        (lambda: roi_spp(MAP, BOX - 90, 16), r"box \[-90.0, -90.0, -50.0, -50.0\] lies outside"),
        (lambda: roi_spp(MAP, BOX * 0.5 - 30, 16), "lies outside"),  # cell -1, next to the map
        (lambda: roi_spp(MAP, BOX * 0.5 + 33, 16), "lies outside"),  # cell 3, next to the map
        (lambda: roi_spp(MAP, BOX, 16, (0,)), "every level must be an integer >= 1, got 0"),
        (lambda: sliding_max(MAP, 4, -1), "k must be an odd integer >= 1, got 4"),
        (lambda: sliding_max(MAP, 3, 1), "dim must be -1 or -2, got 1"),
        (lambda: sliding_max(MAP[0], 3, -1), r"got \(2, 3, 3\)"),
        (lambda: pool_pyramid(MAP, 4), "k must be an odd integer >= 1, got 4"),
        (lambda: pool_pyramid(MAP, 5, 0), "n must be an integer >= 1, got 0"),
        (lambda: pool_pyramid(MAP[0]), r"got \(2, 3, 3\)"),
        (lambda: SPP(1, 4), "c1 must be >= 2 to be halved, got 1"),
        (lambda: SPP(4, 0), "c2 must be an integer >= 1, got 0"),
        (lambda: SPP(4, 4, (5, 8)), "k must be an odd integer >= 1, got 8"),
        (lambda: SPP(4, 4, ()), r"k must be windows like \(5, 9, 13\), got \(\)"),
        (lambda: SPP(4, 4)(MAP), r"\(N, 4, H, W\) with H, W >= 1, got \(1, 2, 3, 3\)"),
        (lambda: SPPF(0, 4), "c1 must be an integer >= 1, got 0"),
        (lambda: SPPF(4, 4, 2), "k must be an odd integer >= 1, got 2"),
        (lambda: SPPF(4, 4, 5, 0), "n must be an integer >= 1, got 0"),
        (lambda: SPPF(4, 4)(MAP), r"\(N, 4, H, W\) with H, W >= 1, got \(1, 2, 3, 3\)"),
        (lambda: darknet_to_ultralytics_order(MAP), r"\(O, 4c, 1, 1\), got \(1, 2, 3, 3\)"),
        (lambda: darknet_to_ultralytics_order(MAP[0]), r"got \(2, 3, 3\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# the record


def mean(model, size):
    cell = RECORD.results["accuracy"][model][f"s{size}"]
    return cell["mean"], cell["error"]


def test_at_the_unseen_size_two_sizes_beat_one_and_the_pyramid_beats_the_global_maximum():
    best, best_error = mean("spp", 10)
    for rival in ("spp_one_size", "global_max", "flatten"):
        other, error = mean(rival, 10)
        assert best - other > 2 * math.hypot(best_error, error), rival


def test_below_all_trained_sizes_resizing_is_better():
    for size in (6, 7):
        assert mean("flatten", size)[0] > mean("spp", size)[0] + 2


def test_fastest_ways_of_the_record():
    for shape, row in RECORD.results["speed"].items():
        times = [time for layout in row.values() for time in layout.values()]
        assert row["nchw"]["spp"] == max(times) > 30 * min(times), shape
        floor = 30 if shape.startswith("1x") else 25  # eight maps outgrow the cache
        assert row["nchw"]["spp"] / row["nhwc"]["separable"] > floor, shape
        for layout in ("nchw", "nhwc"):
            assert row[layout]["cascade"] > 1.2 * row[layout]["separable"], (shape, layout)
            assert row[layout]["spp"] > 2.5 * row[layout]["separable"], (shape, layout)


def test_ways_of_the_run_agree():
    x = draw(1, 3, 13, 13)
    first, *rest = [way(x) for way in WAYS.values()]
    assert all(torch.equal(first, other) for other in rest)


def test_a_flat_network_takes_one_size_only():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    flat(draw(1, 1, 8, 8))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        flat(draw(1, 1, 10, 10))


def test_benchmark_compares_equal_answers(monkeypatch):
    from benchmarks import spatial_pyramid_pooling as bench

    monkeypatch.setattr(bench, "boxes", lambda n, h, w: torch.tensor([[0.0, 0.0, w, h]]))
    found = list(bench.cases())
    assert len(found) == 4 * 6 + 2 + 1
    for name, ours, theirs, target in found:
        if "20x20" in name or "bins" in name:
            assert torch.equal(ours(), theirs()), name
        assert target > 0
    assert ours().shape == theirs().shape  # windows: not equal, a crop has borders of its own


def test_figures_draw():
    from _ext import svg

    figures = [name for name in dir(own) if name.startswith("figure_")]
    frames = {name: svg.draw(getattr(own, name)) for name in figures}
    assert {name: len(drawn) for name, drawn in frames.items()} == {
        "figure_bins": 1,
        "figure_cascade": 1,
        "figure_digits": 1,
        "figure_rule": 1,
        "figure_speed": 1,
        "figure_windows": 1,
    }
    assert "论文 9 个" in frames["figure_windows"][0].light.replace("\xa0", " ")
