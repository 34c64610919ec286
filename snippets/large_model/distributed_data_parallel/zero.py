"""What sharding the parameters as well (ZeRO, FSDP) puts on the wire, counted operator by operator.

Left out: mixed precision, offloading, how communication and computation overlap.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.utils._python_dispatch import TorchDispatchMode


class CollectiveMeter(TorchDispatchMode):
    """Count the dispatcher's collectives, and what their rings put on the wire.

    Attributes:
        calls: how often each ran.
        sent: bytes this rank sends, (N - 1)/N of a tensor per half of a ring.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.sent = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Enter a collective by the larger of its two tensors, then run it."""
        name = func.overloadpacket.__name__
        if name in ("_allgather_base_", "_reduce_scatter_base_"):
            n = dist.get_world_size()
            self.calls[name.strip("_").removesuffix("_base")] += 1
            self.sent += max(args[0].nbytes, args[1].nbytes) * (n - 1) / n
        return func(*args, **(kwargs or {}))


def shard(
    layers: nn.Sequential,
    reshard_after_forward: bool = True,
) -> nn.Module:
    """Shard a model over all ranks, layer by layer, on the CPU."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    again = reshard_after_forward
    for layer in layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=again)
    fully_shard(layers, mesh=mesh)
    return layers


def sharded_step(
    build: Callable[[], nn.Sequential],
    x: Float[Tensor, "*batch"],
    **options: Any,
) -> dict[str, Any]:
    """Run a sharded model forward and backward on this rank's rows of ``x``.

    Returns the whole gradients, the share of the parameters that this rank
    keeps, the calls, and the bytes sent over the bytes of all parameters.
    """
    layers = build()
    whole = sum(p.nbytes for p in layers.parameters())
    model = shard(layers, **options)
    rows = x.tensor_split(dist.get_world_size())[dist.get_rank()]
    with CollectiveMeter() as meter:
        model(rows).square().mean().backward()
    params: list[Any] = list(model.parameters())
    return {
        "grads": [p.grad.full_tensor() for p in params],
        "kept": sum(p.to_local().nbytes for p in params) / whole,
        "calls": dict(meter.calls),
        "sent": meter.sent / whole,
    }
