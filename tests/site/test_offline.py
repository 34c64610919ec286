"""Nothing that the tests or a build run can reach beyond this machine."""

import os
import socket
import subprocess
import sys

import pytest

from snippets.common.imports import ROOT

OUTSIDE = "192.0.2.1"  # reserved for documentation: nobody answers


@pytest.mark.parametrize("host", [OUTSIDE, "example.org"])
def test_no_connection_leaves_this_machine(host):
    with (
        pytest.raises(PermissionError, match=f"no network here: .* to {host}"),
        socket.create_connection((host, 80), timeout=0.1),
    ):
        pass


def test_no_datagram_leaves_this_machine():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sender,
        pytest.raises(PermissionError, match=r"no network here: socket\.sendto"),
    ):
        sender.sendto(b"", (OUTSIDE, 53))


@pytest.mark.parametrize("host", ["", "0.0.0.0"])  # noqa: S104 - refused, that is the point
def test_no_socket_listens_to_other_machines(host):
    with (
        socket.socket() as server,
        pytest.raises(PermissionError, match=f"no network here: socket.bind to {host or 'every'}"),
    ):
        server.bind((host, 0))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host):
    with socket.create_server((host, 0)) as server:
        socket.create_connection(server.getsockname()[:2], timeout=5).close()


def test_another_process_is_guarded_by_its_path():
    code = f"import socket; socket.create_connection(('{OUTSIDE}', 80), timeout=0.1)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests/offline")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"PermissionError: no network here: socket.getaddrinfo to {OUTSIDE}" in done.stderr
