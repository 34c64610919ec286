"""Scans, S4's kernel, a Mamba block and one step of decoding, against what a reader would pick."""

import numpy as np
import torch
from mambapy.mamba import MambaBlock
from mambapy.mamba import MambaConfig as MambapyConfig
from torch._higher_order_ops.associative_scan import associative_scan
from torch.nn import functional as F
from transformers import MambaConfig
from transformers.models.mamba.modeling_mamba import MambaMixer

from snippets.nlp import state_space_models as ours


def scans():
    for L, d, target in ((1024, 16, 0.1), (4096, 16, 0.04), (4096, 256, 0.33), (16384, 64, 0.1)):
        a, b = torch.rand(1, L, d), torch.randn(1, L, d)

        def fast(a=a, b=b):
            return ours.scan(a, b)

        def loop(a=a, b=b):
            return ours.scan_sequential(a, b)

        def theirs(a=a, b=b):
            return associative_scan(ours.combine, (a, b), dim=1, combine_mode="generic")

        yield f"scan / loop, L={L}, d={d}", fast, loop, target
        if L >= 4096:
            yield f"scan / torch associative_scan, L={L}, d={d}", fast, theirs, 0.5


def kernels():
    for N, L, target in ((64, 1024, 1.0), (256, 4096, 0.2)):
        Lambda, _, P, B = ours.nplr_legs(N)
        C = np.ones(N) + 0j
        A_bar, B_bar = ours.discretize(ours.dplr_matrix(Lambda, P), B[:, None], 1e-3, "bilinear")

        def cauchy(Lambda=Lambda, P=P, B=B, C=C, L=L):
            return ours.dplr_kernel(Lambda, P, B, C, 1e-3, L, truncated=True)

        def powers(A_bar=A_bar, B_bar=B_bar, C=C, L=L):
            return ours.ssm_kernel(A_bar, B_bar, C[None], L)

        yield f"Cauchy kernel / powers, N={N}, L={L}", cauchy, powers, target


def blocks():
    config = MambaConfig(hidden_size=64, state_size=16, conv_kernel=4, expand=2, time_step_rank=4)
    block = ours.Mamba(64)
    rivals = {
        "transformers": MambaMixer(config, 0),
        "mambapy": MambaBlock(MambapyConfig(d_model=64, n_layers=1)),
    }
    for name, rival in rivals.items():
        block.load_state_dict(rival.state_dict())
        for L in (1024, 2048):
            x = torch.randn(1, L, 64)
            yield (
                f"Mamba block / {name}, L={L}",
                lambda x=x: block(x),
                lambda x=x, rival=rival: rival(x),
                1 / 1.2 if name == "transformers" else 1.0,
            )


def decoding():
    block = ours.Mamba(64)
    short, long = block.empty_cache(1), block.empty_cache(1)
    for t in range(4096):
        if t < 64:
            _, short = block.step(torch.randn(1, 64), short)
        _, long = block.step(torch.randn(1, 64), long)
    x = torch.randn(1, 64)
    yield (
        "step after 4096 / after 64",
        lambda: block.step(x, long),
        lambda: block.step(x, short),
        1.2,
    )
    q = torch.randn(1, 4, 1, 16)
    kv = torch.randn(1, 4, 65536, 16)
    yield (
        "attention over a cache of 512 / 65536",
        lambda: F.scaled_dot_product_attention(q, kv[:, :, :512], kv[:, :, :512]),
        lambda: F.scaled_dot_product_attention(q, kv, kv),
        0.5,
    )


def cases():
    torch.set_num_threads(1)
    with torch.no_grad():
        yield from scans()
        yield from kernels()
        yield from blocks()
        yield from decoding()
