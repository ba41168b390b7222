"""The server of the page: at this computer alone unless told otherwise, and offline."""

import os
import socket
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from reslag_vae._runtime.errors import UserError, printable
from reslag_vae.apply.subject import Subject
from reslag_vae.explore.explorer import Explorer

# A browser asks no other computer for anything, whatever Gradio's page holds.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; "
    "base-uri 'self'"
)

# Names of this computer in its own browsers
LOCAL = ("localhost", "127.0.0.1", "::1")

REFUSED = (
    "Refused: reslag explore answers its own page alone, at the address that it has printed; "
    "--host serves it to others."
)


class Offline:
    """Middleware that forbids a page to load anything from elsewhere.

    Args:
        app: the application that it stands before.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, and add the policy to its answer."""

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message = message | {"headers": [*message.get("headers", ()), policy]}
            await send(message)

        await self.app(scope, receive, answer if scope["type"] == "http" else send)


class OwnRequests:
    """Middleware that refuses what pages of other sites ask for, in the browser of a user.

    Such a page may have the name of its own site lead to this computer, and would then read all
    pictures; a page that is served at this computer alone is asked for by names of this computer.

    Args:
        app: the application that it stands before.
        host: address that the page is served at.
    """

    def __init__(self, app: Any, host: str) -> None:
        self.app = app
        self.names = local_names(host)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or self.takes(dict(scope["headers"])):
            await self.app(scope, receive, send)
            return
        kind = (b"content-type", b"text/plain; charset=utf-8")
        await send({"type": "http.response.start", "status": 403, "headers": [kind]})
        await send({"type": "http.response.body", "body": REFUSED.encode()})

    def takes(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a request with these headers is one of the page's own."""
        asked = name_in("//" + headers.get(b"host", b"").decode("latin-1"))
        if self.names is not None and asked not in self.names:
            return False
        origin = headers.get(b"origin")
        return origin is None or name_in(origin.decode("latin-1")) == asked


def local_names(host: str) -> set[str] | None:
    """Return the names by which a page of this computer alone is asked for; None of any other page.

    Args:
        host: name or address that the page is served at. A name may lead to this computer alone, as
            `localhost` and often the computer's own do, and an address may be shortened: `127.1`.
    """
    try:
        found = {str(own[4][0]) for own in socket.getaddrinfo(host, None)}
    except OSError:
        return None
    if not all(ip_address(own).is_loopback for own in found):
        return None
    return {host.lower(), *found, *LOCAL}


def name_in(address: str) -> str | None:
    """Return the name of the computer in a URL, in small letters; None if there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def serve(
    found: Sequence[tuple[Subject, Explorer]], host: str, port: int, open_browser: bool
) -> None:
    """Serve the page of some models until the process is interrupted.

    Args:
        found: each model with its explorer.
        host: address that the page is served at.
        port: port that it is served at.
        open_browser: whether a browser is opened.

    Raises:
        UserError: it cannot be served there.
    """
    # What is brought along goes with the server.
    with TemporaryDirectory(prefix="reslag_explore_") as folder:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        blocks = launch(found, host, port)
        address = f"http://{in_address(host)}:{port}"
        print(f"The page is at {printable(address)} until Ctrl-C ends it.", flush=True)
        if open_browser and not opened(address):
            print(f"No browser can be opened here: open {printable(address)} yourself.", flush=True)
        try:
            threading.Event().wait()
        finally:
            blocks.close(verbose=False)


def launch(found: Sequence[tuple[Subject, Explorer]], host: str, port: int) -> Any:
    """Return the page of some models, which is being served.

    Raises:
        UserError: it cannot be served there.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    from reslag_vae.explore.file import part
    from reslag_vae.explore.page import Page
    from reslag_vae.explore.panels import Panels

    blocks = Page(Panels(found)).blocks
    try:
        blocks.launch(
            server_name=in_address(host),
            server_port=port,
            prevent_thread_lock=True,
            share=False,
            quiet=True,
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            # Fonts of the computer: Gradio's own come from elsewhere.
            theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css=part("page.css"),
            app_kwargs={"middleware": [Middleware(OwnRequests, host=host), Middleware(Offline)]},
        )
    except OSError:
        raise UserError(
            f"--port {port}: the page cannot be served at {printable(host)}; choose another one."
        ) from None
    return blocks


def in_address(host: str) -> str:
    """Return a host as it is written in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def opened(address: str) -> bool:
    """Return whether a browser was opened with a page."""
    with suppress(webbrowser.Error):
        return webbrowser.open(address)
    return False
