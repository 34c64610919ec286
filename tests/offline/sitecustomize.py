"""Refuses what leaves this machine or lets others in; on PYTHONPATH it guards a whole process."""

import ipaddress
import sys


def refuse(event, arguments):
    """Raise where Python is about to connect or to look up a name outside, or to listen to it."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]  # else a path: a socket of this machine
    elif event == "socket.bind" and isinstance(arguments[1], tuple):
        host = arguments[1][0] or "every interface"
    else:
        return
    try:
        inside = ipaddress.ip_address(host or "localhost").is_loopback
    except ValueError:
        inside = host in (None, "", "localhost")
    if not inside:
        raise PermissionError(f"no network here: {event} to {host}")


sys.addaudithook(refuse)
