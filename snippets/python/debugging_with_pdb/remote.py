"""A debugger for a process without a terminal: it talks through a socket."""

import socket
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable
from pdb import Pdb

from .sessions import _PROMPT, _checked, _without_folders


class _RemotePdb(Pdb):
    """A pdb on one connection, hung up when there is nothing left to ask."""

    def __init__(self, connection: socket.socket) -> None:
        self._line = (
            connection,
            connection.makefile("r", encoding="utf-8"),
            connection.makefile("w", encoding="utf-8"),
        )
        super().__init__(
            stdin=self._line[1],
            stdout=self._line[2],
            nosigint=True,
            readrc=False,
        )
        self.use_rawinput = False

    def set_continue(self) -> None:
        super().set_continue()
        if not self.breaks:
            self._hang_up()

    def set_quit(self) -> None:
        super().set_quit()
        self._hang_up()

    def _hang_up(self) -> None:
        connection, keyboard, screen = self._line
        screen.flush()
        connection.shutdown(socket.SHUT_RDWR)
        for part in (keyboard, screen, connection):
            part.close()


def remote_set_trace(host: str, port: int) -> None:
    """Stop in the caller, and take commands from whoever listens at host:port.

    Raises ConnectionError if nobody does.
    """
    try:
        connection = socket.create_connection((host, port), timeout=10)
    except OSError as error:
        raise ConnectionError(f"no debugger listens at {host}:{port}") from error
    connection.settimeout(None)  # a person may think for as long as she likes
    _RemotePdb(connection).set_trace(sys._getframe(1))


def serve_commands(
    server: socket.socket, commands: Iterable[str], *, timeout: int | float = 60
) -> str:
    """Wait for one `remote_set_trace`, type the commands, return the session.

    Raises ValueError if not all commands were read; TimeoutError.
    """
    left, said = _checked(commands), ""
    decode = getincrementaldecoder("utf-8")().decode  # pieces split letters
    server.settimeout(timeout)
    connection, _ = server.accept()
    with connection:
        connection.settimeout(timeout)
        while piece := connection.recv(4096):
            said += decode(piece)
            if left and _PROMPT.split(said)[-1] == "":
                command = left.pop(0) + "\n"
                said += command
                connection.sendall(command.encode())
    if left:
        raise ValueError(f"the debugger never asked for {left}")
    return _without_folders(said)
