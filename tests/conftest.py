"""Fixtures and profiles shared by every test."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def deterministic_torch():
    torch.set_num_threads(1)
    torch.manual_seed(0)
