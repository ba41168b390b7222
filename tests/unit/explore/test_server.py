"""Which requests the server of the page answers."""

import asyncio
from typing import Any

import pytest

from reslag_vae.explore.server import REFUSED, OwnRequests


def answered(host: str, /, **headers: str) -> bool:
    """Whether a page that is served at a host answers a request with these headers."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send("the page")

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(OwnRequests(app, host)({"type": "http", "headers": named}, None, send))
    if sent == ["the page"]:
        return True
    assert sent[0]["status"] == 403
    assert sent[1]["body"].decode() == REFUSED
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2", "127.1"])
def test_a_page_of_this_computer_is_asked_for_by_its_names(host: str) -> None:
    own = f"[{host}]:7860" if ":" in host else f"{host}:7860"
    for name in (own, "localhost:7860", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        assert answered(host, host=name)
        assert answered(host, host=name, origin=f"http://{name}")
        for other in ("http://elsewhere.example", "null", "http://[", "http://localhost.example"):
            assert not answered(host, host=name, origin=other)
    # A name of elsewhere that leads to this computer
    for name in ("elsewhere.example:7860", "localhost.elsewhere.example", "[", ""):
        assert not answered(host, host=name)
        assert not answered(host, host=name, origin=f"http://{name}")
    assert not answered(host)


def test_a_name_that_leads_to_this_computer_alone_is_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = ["127.0.1.1"]  # as that of a computer's own name often is

    def resolved(host: str, port: None) -> list[Any]:
        assert (host, port) == ("Desk", None)
        return [(None, None, 0, "", (address, 0)) for address in addresses]

    monkeypatch.setattr("reslag_vae.explore.server.socket.getaddrinfo", resolved)
    for name in ("desk:7860", "127.0.1.1:7860", "localhost:7860"):
        assert answered("Desk", host=name, origin=f"http://{name}")
    assert not answered("Desk", host="elsewhere.example:7860")
    addresses.append("192.0.2.7")
    assert answered("Desk", host="desk.example:7860")


def test_a_page_of_the_network_is_asked_for_by_any_name_but_from_no_other_page() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "::"):
        assert answered(host, host="desk.example:7860", origin="http://desk.example:7860")
        assert answered(host, host="desk.example:7860", origin="https://Desk.example")
        assert not answered(host, host="desk.example:7860", origin="https://elsewhere.example")
