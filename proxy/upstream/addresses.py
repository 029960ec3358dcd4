"""Where a provider's name may lead: checked inside the resolver, so that what is checked is what is connected."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

LookUp: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""A host name and port to the texts of its addresses; raises OSError when there are none."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


class ForbiddenAddress(OSError):
    """A name led to an address that is not on the public internet, and the provider does not allow that."""


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses those that lead, even with one of their addresses, out of the public internet.

    `localhost` (RFC 6761) is a configured place of its own and may only be loopback. Literal addresses never come
    here: who writes one into the file means it.
    """

    def __init__(self, *, allow_private: bool, look_up: LookUp | None = None) -> None:
        self._allow_private = allow_private
        self._look_up = look_up or system_look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name; raises ForbiddenAddress, or OSError when it has none."""
        texts = await self._look_up(host, port)
        addresses = [ip_address(text.partition("%")[0]) for text in texts]
        if not addresses:
            raise OSError(None, f"{host} has no address")
        for address in addresses:
            if not self._may_be(host, address):
                raise ForbiddenAddress(None, f"{host} leads to {address}, which is not a public address")
        return [_result(host, port, text) for text in texts]

    async def close(self) -> None:
        """Nothing is held."""

    def _may_be(self, host: str, address: IPv4Address | IPv6Address) -> bool:
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return address.is_loopback
        return self._allow_private or is_public(address)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, looking through IPv4 carried inside IPv6."""
    if isinstance(address, IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return None


async def system_look_up(host: str, port: int) -> list[str]:
    """The operating system's answer, asked off the loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
