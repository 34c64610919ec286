"""Data parallelism in some fifty lines, and a batch norm that spans the ranks on a CPU.

Left out: buffers are broadcast once and not at every forward; one dtype per model; no join, no
communication hooks, no search for unused parameters beforehand.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from .launch import agree

MIB = 2**20
Number = int | float


class Bucket:
    """Some parameters whose gradients travel as one flat tensor."""

    def __init__(self, names: list[str], params: list[Tensor]) -> None:
        """Reserve the flat tensor."""
        self.names, self.params = names, params
        self.flat = params[0].new_empty(sum(p.numel() for p in params))
        self.missing = set(names)
        self.work: dist.Work | None = None

    def launch(self) -> None:
        """Pack the gradients and start adding them up over the ranks."""
        grads = [p.grad.view(-1) for p in self.params if p.grad is not None]
        torch.cat(grads, out=self.flat).div_(dist.get_world_size())
        self.work = dist.all_reduce(self.flat, async_op=True)

    def finish(self) -> None:
        """Wait for the sum, unpack it, and be ready for the next step."""
        assert self.work
        self.work.wait()
        sizes = [p.numel() for p in self.params]
        for p, mean in zip(self.params, self.flat.split(sizes), strict=True):
            assert p.grad is not None
            p.grad.copy_(mean.view_as(p))
        self.missing, self.work = set(self.names), None


class MiniDDP(nn.Module):
    """A module whose gradients after every backward are the mean over the ranks.

    Attributes:
        buckets: the buckets in the order in which they are reduced.
        events: ``("ready", name)``, ``("launch", i)`` and ``("finish", i)``, as
            they happened.
    """

    def __init__(
        self,
        module: nn.Module,
        bucket_cap_mb: Number = 25,
        first_bucket_mb: Number = 1,
    ) -> None:
        """Copy rank 0's state, fill the buckets, hook every parameter.

        Raises:
            ValueError: a bucket size is not positive, nothing requires grad, the
                parameters have several dtypes, or those of the ranks differ in
                name, shape or dtype.
        """
        super().__init__()
        if bucket_cap_mb <= 0 or first_bucket_mb <= 0:
            got = f"got {bucket_cap_mb}, {first_bucket_mb}"
            raise ValueError(f"sizes must be positive, {got}")
        self.module, self.sync, self.armed = module, True, False
        self.events: list[tuple[str, Any]] = []
        named: list[tuple[str, Tensor]] = [
            (name, p) for name, p in module.named_parameters() if p.requires_grad
        ]
        if not named:
            raise ValueError("module has no parameter that requires grad")
        if len(dtypes := sorted({str(p.dtype) for _, p in named})) > 1:
            got = ", ".join(dtypes)
            raise ValueError(f"parameters must be of one dtype, got {got}")
        kinds = [(name, tuple(p.shape), str(p.dtype)) for name, p in named]
        agree("parameters", kinds)
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)
        filled = self._fill(named[::-1], first_bucket_mb, bucket_cap_mb)
        self.buckets = list(filled)
        for bucket in self.buckets:
            for name, p in zip(bucket.names, bucket.params, strict=True):
                p.register_post_accumulate_grad_hook(self._hook(bucket, name))

    @staticmethod
    def _fill(
        named: list[tuple[str, Tensor]], first_mb: Number, cap_mb: Number
    ) -> Iterator[Bucket]:
        """Close a bucket once it reaches its size, as torch does."""
        names, params, limit = list[str](), list[Tensor](), first_mb
        for name, p in named:
            names.append(name)
            params.append(p)
            if sum(q.nbytes for q in params) >= limit * MIB:
                yield Bucket(names, params)
                names, params, limit = [], [], cap_mb
        if params:
            yield Bucket(names, params)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Run the module; backward will synchronise, unless inside ``no_sync``.

        Raises:
            TypeError: the module returns something else than a tensor.
        """
        out = self.module(*args, **kwargs)
        if not isinstance(out, Tensor):
            got = type(out).__name__
            raise TypeError(f"module must return a tensor, got {got}")
        if self.sync and out.requires_grad:
            self.armed, self.events = True, []
            out.register_hook(self._at_start_of_backward)
        return out

    def _at_start_of_backward(self, grad: Tensor) -> None:
        variable: Any = torch.autograd.Variable
        variable._execution_engine.queue_callback(self._at_end_of_backward)

    def _hook(self, bucket: Bucket, name: str) -> Any:
        def ready(p: Tensor) -> None:
            if not self.armed:
                return
            self.events.append(("ready", name))
            if name not in bucket.missing:
                raise RuntimeError(f"{name} became ready twice in one backward")
            bucket.missing.remove(name)
            if bucket.missing:
                return
            for i, other in enumerate(self.buckets):  # alike on every rank
                if other.missing:
                    break
                if other.work is None:
                    self.events.append(("launch", i))
                    other.launch()

        return ready

    def _at_end_of_backward(self) -> None:
        missing = set[str]().union(*(bucket.missing for bucket in self.buckets))
        if missing:
            rank, names = dist.get_rank(), ", ".join(sorted(missing))
            raise RuntimeError(f"rank {rank}: no gradient for {names}")
        for i, bucket in enumerate(self.buckets):
            self.events.append(("finish", i))
            bucket.finish()
        self.armed = False

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave gradients alone in the backward of what goes *forward* here."""
        before, self.sync = self.sync, False
        try:
            yield
        finally:
            self.sync = before


class _AllReduce(torch.autograd.Function):
    """The sum over the ranks; since every rank uses it, so is the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad)
        return grad


class SyncBatchNorm1d(nn.BatchNorm1d):
    """Batch norm over the batches of all ranks; torch's own wants GPUs."""

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Normalise by the mean and variance of all ranks' rows.

        Raises:
            ValueError: ``input`` is not a matrix, or all ranks together have a
                single row, whose variance says nothing.
        """
        if input.dim() != 2:
            got = tuple(input.shape)
            raise ValueError(f"input must be batch x features, got shape {got}")
        if not self.training:
            return super().forward(input)
        count = _AllReduce.apply(input.new_tensor([float(len(input))]))
        if count.item() < 2:
            raise ValueError("training needs 2 rows over all ranks, got 1")
        mean = _AllReduce.apply(input.sum(0)) / count
        var = _AllReduce.apply((input - mean).square().sum(0)) / count
        if self.num_batches_tracked is not None:
            assert self.running_mean is not None
            assert self.running_var is not None
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                average = 1 / self.num_batches_tracked.item()
                weight = average if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, weight)
                self.running_var.lerp_(var * count / (count - 1), weight)
        out = (input - mean) * (var + self.eps).rsqrt()
        return out * self.weight + self.bias if self.affine else out
