"""Where a provider's name may lead."""

from ipaddress import ip_address

import pytest

from proxy.upstream.addresses import ForbiddenAddress, GuardedResolver, LookUp, is_public, system_look_up


def says(*addresses: str) -> LookUp:
    async def look_up(host: str, port: int) -> list[str]:
        return list(addresses)

    return look_up


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1",
        "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    ],
)  # fmt: skip
async def test_inside_addresses_are_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(ForbiddenAddress, match="not a public address"):
        await GuardedResolver(allow_private=False, look_up=says(address)).resolve("api.example", 443)
    allowed = await GuardedResolver(allow_private=True, look_up=says(address)).resolve("api.example", 443)
    assert [each["host"] for each in allowed] == [address]


@pytest.mark.parametrize("address", ["8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "64:ff9b::808:808"])
async def test_public_addresses_are_used_as_told(address: str) -> None:
    (found,) = await GuardedResolver(allow_private=False, look_up=says(address)).resolve("api.example", 443)
    assert (found["host"], found["port"], found["hostname"]) == (address, 443, "api.example")


async def test_one_inside_address_spoils_the_whole_answer() -> None:
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1"):
        await GuardedResolver(allow_private=False, look_up=says("8.8.8.8", "10.0.0.1")).resolve("api.example", 443)


async def test_every_answer_is_checked_anew() -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    resolver = GuardedResolver(allow_private=False, look_up=rebinding)
    assert await resolver.resolve("api.example", 443)
    with pytest.raises(ForbiddenAddress):
        await resolver.resolve("api.example", 443)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "api.localhost"])
async def test_localhost_is_loopback_and_nothing_else(name: str) -> None:
    (found,) = await GuardedResolver(allow_private=False, look_up=says("127.0.0.1")).resolve(name, 80)
    assert found["host"] == "127.0.0.1"
    with pytest.raises(ForbiddenAddress):
        await GuardedResolver(allow_private=True, look_up=says("10.0.0.1")).resolve(name, 80)


async def test_no_address_at_all_is_an_error() -> None:
    with pytest.raises(OSError, match="no address"):
        await GuardedResolver(allow_private=False, look_up=says()).resolve("api.example", 443)


async def test_the_system_knows_localhost() -> None:
    assert set(await system_look_up("localhost", 80)) <= {"127.0.0.1", "::1"}
