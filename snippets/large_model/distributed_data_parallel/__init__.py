"""Data-parallel training: what travels between the ranks, who waits for whom, what breaks.

Symbols: N, number of ranks; S, bytes of all gradients; alpha, seconds per message; beta, seconds
per byte; G, rows of a batch over all ranks; A, micro-batches that are accumulated.

Left out: tensor and pipeline parallelism, several machines, mixed precision.
"""

from .ddp_train import (
    CheckpointError,
    Config,
    Trainer,
    choose_backend,
    join_group,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from .figures import figure_buckets, figure_drift, figure_ring, figure_traffic
from .launch import RanksFailed, agree, run_ranks
from .mini_ddp import Bucket, MiniDDP, SyncBatchNorm1d
from .ring_allreduce import (
    RingStep,
    WireMeter,
    all_gather_ring_,
    allreduce_cost,
    naive_ring_all_reduce,
    reduce_scatter_ring_,
    ring_all_reduce_,
    simulate_ring,
)
from .traps import NoSyncOutcome, checkpoint_table, no_sync_table
from .zero import CollectiveMeter, shard, sharded_step

__all__ = [
    "Bucket",
    "CheckpointError",
    "CollectiveMeter",
    "Config",
    "MiniDDP",
    "NoSyncOutcome",
    "RanksFailed",
    "RingStep",
    "SyncBatchNorm1d",
    "Trainer",
    "WireMeter",
    "agree",
    "all_gather_ring_",
    "allreduce_cost",
    "checkpoint_table",
    "choose_backend",
    "figure_buckets",
    "figure_drift",
    "figure_ring",
    "figure_traffic",
    "join_group",
    "latest_checkpoint",
    "load_checkpoint",
    "naive_ring_all_reduce",
    "no_sync_table",
    "reduce_scatter_ring_",
    "ring_all_reduce_",
    "run_ranks",
    "save_checkpoint",
    "shard",
    "sharded_step",
    "simulate_ring",
]
