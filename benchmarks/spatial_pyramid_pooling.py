"""Stride-1 maxima in four ways and both layouts; bins against torch's; one map for all windows."""

from functools import partial

import torch
from torch.nn import functional as F

from snippets.cv import spatial_pyramid_pooling as ours
from snippets.cv.spatial_pyramid_pooling_run import boxes, crop_each, side_by_side, trunk

LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}

# Separable / SPPF and / SPP, doubling / SPPF, best / worst.  Eight maps of 512 channels outgrow the
# cache: moving them, the concatenation not least, costs every way the same, so less is won there.
ONE, EIGHT = (0.8, 0.33, 0.12, 1 / 30), (0.9, 0.4, 0.3, 1 / 25)


def concatenated(x):
    return torch.cat([F.adaptive_max_pool2d(x, n).flatten(1) for n in (1, 2, 4)], 1)


def cases():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for shape in [(1, 256, 20, 20), (1, 512, 13, 13), (8, 512, 13, 13), (1, 512, 40, 40)]:
        x = torch.randn(shape)
        name = "x".join(map(str, shape))
        over_sppf, over_spp, doubled, extremes = ONE if shape[0] == 1 else EIGHT
        nchw, nhwc = (x.contiguous(memory_format=layout) for layout in LAYOUTS.values())
        cascade = partial(ours.pool_pyramid, separable=False)
        doubling = partial(ours.pool_pyramid, doubling=True)
        for layout, y in zip(LAYOUTS, (nchw, nhwc), strict=True):
            separable = partial(ours.pool_pyramid, y)
            yield f"{name} {layout}: separable / SPPF", separable, partial(cascade, y), over_sppf
            yield f"{name} {layout}: separable / SPP", separable, partial(side_by_side, y), over_spp
        slow = partial(cascade, nchw)
        yield f"{name} NCHW: doubling / SPPF", partial(doubling, nchw), slow, doubled
        best, worst = partial(ours.pool_pyramid, nhwc), partial(side_by_side, nchw)
        yield f"{name}: separable NHWC / SPP NCHW", best, worst, extremes

    x = torch.randn(8, 256, 13, 13)
    for layout, memory_format in LAYOUTS.items():
        y = x.contiguous(memory_format=memory_format)
        target = {"NCHW": 1.0, "NHWC": 12}[layout]
        name = f"8x256x13x13 {layout}, bins 1, 2, 4: ours / torch"
        yield name, partial(ours.spatial_pyramid_pool, y), partial(concatenated, y), target

    model = trunk().requires_grad_(False)
    image, some = torch.rand(1, 3, 480, 640), boxes(100, 480, 640)

    def shared():
        return ours.roi_spp(model(image), some, 16, (1, 2, 3, 6))

    yield "100 windows of 480x640: one map / each", shared, partial(each, model, image, some), 0.1


def each(model, image, windows):
    maps = crop_each(model, image, windows, 224)
    return torch.cat([ours.spatial_pyramid_pool(y, (1, 2, 3, 6)) for y in maps])
