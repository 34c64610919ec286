"""Fixtures and profiles shared by every test."""

import os
from pathlib import Path
from runpy import run_path

import pytest
import torch
from hypothesis import settings

run_path(str(Path(__file__).with_name("offline") / "sitecustomize.py"))  # no test has a network

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def deterministic_torch():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    torch.manual_seed(0)
