"""Where the gateway listens: on this machine, unless more is asked for."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from mmquant.errors import UsageError


async def listen(
    make: Callable[[], asyncio.Protocol], host: str, port: int, *, public: bool
) -> asyncio.Server:
    """Listen. Raises UsageError for an address that is taken, or reached by others in private."""
    if not public and not _is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, and the gateway has no passwords",
            fix="use 127.0.0.1, or say --public",
        )
    try:
        return await asyncio.get_running_loop().create_server(make, host, port)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            fix="give another --port (0: any free one) or --host",
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
