"""A trainer that loses nothing: shards, accumulation, synchronised batch norm, bit-exact resume.

Run it with torchrun, or in one process with ``--single``.

Left out: mixed precision, several machines, data that does not fit in memory.
"""

import argparse
import contextlib
import copy
import dataclasses
import hashlib
import io
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

from snippets.large_model.distributed_data_parallel.launch import agree
from snippets.large_model.distributed_data_parallel.mini_ddp import SyncBatchNorm1d


@dataclass(frozen=True)
class Config:
    """What a run is given; ``batch`` counts the rows of a step over all ranks.

    ``save`` is a folder for checkpoints; ``resume`` is "latest" or a path;
    ``fault`` is "raise", "kill" or "hang" with a rank and a step: "kill:1:5".
    """

    rows: int = 96
    batch: int = 16
    accumulate: int = 2
    epochs: int = 2
    dropout: float = 0.0
    save: str = ""
    every: int = 3
    resume: str = ""
    fault: str = ""

    def check(self, world: int) -> None:
        """Refuse sizes that ``world`` ranks cannot train with.

        Raises:
            ValueError: a size is not positive or the batch cannot be shared.
        """
        for name in ("rows", "batch", "accumulate", "epochs", "every"):
            if (size := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be >= 1, got {size}")
        share = world * self.accumulate
        if self.batch % share or self.rows % self.batch:
            raise ValueError(
                f"batch must be a multiple of {share} (ranks x accumulate) and "
                f"divide rows, got batch {self.batch}, rows {self.rows}"
            )


class CheckpointError(RuntimeError):
    """A checkpoint of no use: damaged, or of another number of ranks."""


def choose_backend() -> tuple[str, torch.device]:
    """Return nccl and this rank's GPU if each has one, else gloo and the CPU."""
    if torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", "1")):
        return "nccl", torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    return "gloo", torch.device("cpu")


def join_group(timeout: int | float = 60) -> None:
    """Join the process group that torchrun describes, in this life of the job.

    With nccl every collective uses the current GPU, so each rank first turns to
    its own.  After a restart the key-value store still holds the addresses of
    the dead: torchrun's agent keeps it.  A prefix for every life hides them.
    """
    options: dict[str, Any] = {"timeout": timedelta(seconds=timeout)}
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        life = f"life {os.environ['TORCHELASTIC_RESTART_COUNT']}"
        store = dist.TCPStore(address, port, is_master=False)
        options["store"] = dist.PrefixStore(life, store)
        for name in ("RANK", "WORLD_SIZE"):
            options[name.lower()] = int(os.environ[name])
    backend, device = choose_backend()
    if backend == "nccl":
        torch.cuda.set_device(device)
    dist.init_process_group(backend, **options)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that the path never holds half of one.

    All goes to a temporary name, down to the disk, and only then is renamed.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest().encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(digest + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint back.

    Raises:
        CheckpointError: there is none, or a byte of it is not what was written.
    """
    try:
        digest, _, payload = path.read_bytes().partition(b"\n")
    except OSError as error:
        text = f"{path.name} cannot be read: {error.strerror}"
        raise CheckpointError(text) from error
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError(f"{path.name} is damaged: wrong checksum")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a folder, None if there is none."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        with contextlib.suppress(CheckpointError):
            load_checkpoint(path)
            return path
    return None


class Trainer:
    """One rank of a run, or the only process of it."""

    def __init__(self, config: Config) -> None:
        """Build data, model and optimizer, equal on every rank; maybe resume.

        The device is the group's: this rank's GPU under nccl, else the CPU.

        Raises:
            ValueError: a size is not positive or the batch cannot be shared.
            CheckpointError: the checkpoint to resume from cannot be used.
        """
        parallel = dist.is_initialized()
        self.rank = dist.get_rank() if parallel else 0
        self.world = dist.get_world_size() if parallel else 1
        config.check(self.world)
        nccl = parallel and dist.get_backend() == "nccl"
        self.device = choose_backend()[1] if nccl else torch.device("cpu")
        self.config = config
        self.x, self.y = self.data(config.rows)
        self.model: Any = self.build(config.dropout).to(self.device)
        rows: Any = range(config.rows)  # the sampler only asks for the length
        self.sampler: Any = DistributedSampler(rows, self.world, self.rank)
        if self.world > 1:
            self.model = DistributedDataParallel(self.model)
            self.settle()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.05)
        self.step, self.losses, self.resumed_from = 0, list[float](), ""
        torch.manual_seed(1 + self.rank)  # dropout differs between ranks
        if config.resume:
            self.resume()

    def data(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the inputs and targets of a regression."""
        seed = torch.Generator().manual_seed(0)
        x = torch.randn(rows, 8, dtype=torch.float64, generator=seed)
        return x.to(self.device), x.sin().sum(1, keepdim=True).to(self.device)

    def build(self, dropout: float) -> nn.Module:
        """Return a network whose batch norm spans the ranks."""
        torch.manual_seed(0)
        norm = nn.BatchNorm1d if self.world == 1 else SyncBatchNorm1d
        hidden = nn.Linear(8, 32), norm(32), nn.Tanh(), nn.Dropout(dropout)
        return nn.Sequential(*hidden, nn.Linear(32, 1)).double()

    def settle(self) -> None:
        """Have torch rebuild its buckets before the first step.

        It does so after the first backward of every process, and the order of a
        sum over three ranks or more depends on the layout: without this,
        resuming would change the last bits.
        """
        before = copy.deepcopy(self.bare().state_dict())
        for _ in range(2):  # the second forward rebuilds
            self.model(self.x).sum().backward()
        self.model.zero_grad()
        self.bare().load_state_dict(before)

    def batch(self) -> Tensor:
        """Return this rank's rows, which depend on the step and nothing else."""
        epoch, index = divmod(self.step, self.config.rows // self.config.batch)
        self.sampler.set_epoch(epoch)
        size, rows = self.config.batch // self.world, list(self.sampler)
        return torch.tensor(rows[index * size : (index + 1) * size])

    def update(self) -> None:
        """Take a step: gradients pile up, and the last backward reduces them."""
        self.optimizer.zero_grad()
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        parts = self.batch().chunk(self.config.accumulate)
        for k, part in enumerate(parts):
            quiet = self.world > 1 and k < len(parts) - 1
            with self.model.no_sync() if quiet else contextlib.nullcontext():
                error = self.model(self.x[part]) - self.y[part]
                loss = error.square().mean() / len(parts)
                loss.backward()
            total += loss.detach()
        self.optimizer.step()
        if self.world > 1:
            dist.all_reduce(total)
        self.losses.append(total.item() / self.world)
        self.step += 1

    def run(self) -> dict[str, Any]:
        """Train to the end and say what came out."""
        steps = self.config.epochs * self.config.rows // self.config.batch
        while self.step < steps:
            self.sabotage()
            self.update()
            if self.config.save and self.step % self.config.every == 0:
                self.save()
        parameter_sum = sum(p.sum().item() for p in self.model.parameters())
        return {
            "backend": dist.get_backend() if dist.is_initialized() else "none",
            "world_size": self.world,
            "resumed_from": self.resumed_from,
            "losses": self.losses,
            "parameter_sum": parameter_sum,
        }

    def save(self) -> None:
        """Have rank 0 write all there is to know, all random states included."""
        states: list[Any] = [torch.get_rng_state()]
        if self.world > 1:
            states *= self.world
            dist.all_gather_object(states, torch.get_rng_state())
        if self.rank == 0:
            state = {
                "model": self.bare().state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "losses": self.losses,
                "world_size": self.world,
                "rng": states,
            }
            folder = Path(self.config.save)
            folder.mkdir(parents=True, exist_ok=True)
            save_checkpoint(folder / f"step-{self.step:06}.pt", state)

    def resume(self) -> None:
        """Go back to a checkpoint, on every rank, or complain on every rank.

        Raises:
            CheckpointError: it is damaged or another number of ranks wrote it.
        """
        path: list[Any] = [Path(self.config.resume)]
        if self.config.resume == "latest":
            folder = Path(self.config.save)
            path = [latest_checkpoint(folder) if self.rank == 0 else None]
            if self.world > 1:
                dist.broadcast_object_list(path, 0)
        if path[0] is None:  # the first start
            return
        try:
            state = load_checkpoint(path[0])
            if (saved := state["world_size"]) != self.world:
                text = f"was saved by {saved} ranks, not {self.world}"
                raise CheckpointError(f"{path[0].name} {text}")
        except CheckpointError as error:
            raise CheckpointError(f"rank {self.rank}: {error}") from None
        if self.world > 1:
            agree("the step to resume from", state["step"])
        self.bare().load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"][self.rank])
        self.step, self.losses = state["step"], state["losses"]
        self.resumed_from = path[0].name

    def bare(self) -> nn.Module:
        """Return the model without its wrapper and the prefix ``module.``."""
        return getattr(self.model, "module", self.model)

    def sabotage(self) -> None:
        """Fail as told to, in the first life only."""
        life = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        if not self.config.fault or life != "0":
            return
        kind, rank, step = self.config.fault.split(":")
        if (self.rank, self.step) == (int(rank), int(step)):
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif kind == "hang":
                time.sleep(3600)
            raise RuntimeError(f"rank {rank} failed at step {step}")


@record
def main() -> None:
    """Run as a script, in one process with ``--single``, and print one line."""
    parser = argparse.ArgumentParser(description=Config.__doc__)
    parser.add_argument("--single", action="store_true")
    for field in dataclasses.fields(Config):
        default = field.default
        parser.add_argument(f"--{field.name}", type=type(default), default=default)
    options = vars(parser.parse_args())
    torch.set_num_threads(1)
    single = options.pop("single")
    if not single:
        join_group()
    trainer = Trainer(Config(**options))
    result, first = trainer.run(), trainer.rank == 0
    if not single:
        del trainer  # the model holds on to the group
        dist.barrier()
        dist.destroy_process_group()
    if first:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads sometimes abort an interpreter that shuts down
