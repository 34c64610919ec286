"""Fit a small network to a sum of sines, in one process."""

import json

import torch
from torch import nn


def main() -> None:
    """Train for 20 steps on the whole batch and print the losses."""
    torch.manual_seed(0)
    device = torch.device("cpu")
    x = torch.randn(64, 8, dtype=torch.float64)
    y = x.sin().sum(1, keepdim=True)
    x, y = x.to(device), y.to(device)
    layers = nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1)
    model: nn.Module = nn.Sequential(*layers).double().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(json.dumps({"losses": losses}))


if __name__ == "__main__":
    main()
