"""What the small Module costs beside torch.nn.Module: calls, functional calls and state."""

import torch
from torch import nn

from snippets.python import module_vs_functional as own


class Empty(nn.Module):
    def forward(self, x):
        return x


class OwnEmpty(own.Module):
    def forward(self, x):
        return x


def networks():
    """The same 8-8-8-8 network twice, with the same weights."""
    ours = own.Sequential(*(own.Linear(8, 8) for _ in range(3)))
    theirs = nn.Sequential(*(nn.Linear(8, 8) for _ in range(3)))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def cases():
    torch.set_num_threads(1)
    x = torch.randn(1, 8)
    ours, theirs = networks()
    empty, their_empty = OwnEmpty(), Empty()
    yield "call of an empty module: own / nn", lambda: empty(x), lambda: their_empty(x), 0.5
    yield "call of 3 Linear 8 to 8: own / nn", lambda: ours(x), lambda: theirs(x), 0.9
    new = {name: tensor + 1 for name, tensor in ours.state_dict().items()}
    yield (
        "functional_call of 3 Linear: own / torch.func",
        lambda: own.functional_call(ours, new, x),
        lambda: torch.func.functional_call(theirs, new, x),
        0.7,
    )
    yield "state_dict of 3 Linear: own / nn", ours.state_dict, theirs.state_dict, 1.4
