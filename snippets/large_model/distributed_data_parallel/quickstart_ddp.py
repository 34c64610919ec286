"""Fit a small network to a sum of sines, on as many processes as torchrun starts."""

import json
import os
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    """Train for 20 steps, each rank on its share, and print the mean losses."""
    torch.manual_seed(0)
    gpus = torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])
    device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if gpus else "cpu")
    if gpus:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if gpus else "gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    x = torch.randn(64, 8, dtype=torch.float64)
    y = x.sin().sum(1, keepdim=True)
    x, y = x[rank::world_size], y[rank::world_size]
    x, y = x.to(device), y.to(device)
    layers = nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1)
    model: nn.Module = nn.Sequential(*layers).double().to(device)
    model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        dist.all_reduce(loss.detach_().div_(world_size))
        losses.append(loss.item())
    if rank == 0:
        print(json.dumps({"losses": losses, "backend": dist.get_backend()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads sometimes abort an interpreter that shuts down
