"""The connection to NATS: it reconnects for ever, and says in one sentence why it is not there."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from nats import errors
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg

from .errors import RotaError

# A link that is dead without an end is given up within 15 s; the library's default is six minutes.
_DEFAULTS: dict[str, Any] = {
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.25,
    "ping_interval": 5,
    "max_outstanding_pings": 2,
    "connect_timeout": 5,
}
_REFUSED_PUBLISH = re.compile(r'permissions violation for publish to "([^"]+)"', re.IGNORECASE)


class Connection:
    """Opens, and opens again after anything closed it. `options` are those of `nats.connect`."""

    def __init__(self, servers: str | Sequence[str], options: dict[str, Any]) -> None:
        urls = [_server(url.strip()) for url in (servers.split(",") if isinstance(servers, str) else servers)]
        self.hosts = ", ".join(url.address for url in urls)
        self._options = {**_DEFAULTS, **options, "servers": [url.address for url in urls]}
        self._needs_tls = any(url.address.startswith("tls:") for url in urls) or options.get("tls") is not None
        user, password = next(((url.user, url.password) for url in urls if url.user is not None), (None, None))
        # As everywhere in NATS, a user without a password is a token.
        if user is not None and password is not None:
            self._options = {"user": user, "password": password, **self._options}
        elif user is not None:
            self._options = {"token": user, **self._options}
        self._nats: Nats | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reason = "not connected yet"
        self._denied: dict[str, set[asyncio.Future[Msg]]] = {}
        self._closed = False

    async def open(self, within: float | None) -> None:
        """@raise RotaError UNAUTHORIZED or BAD_CONFIG at once; SERVICE_UNAVAILABLE after so many seconds, if any."""
        loop = asyncio.get_running_loop()
        fault: asyncio.Future[RotaError] = loop.create_future()
        nats = Nats()

        async def on_error(error: Exception) -> None:
            found = self._heard(error)
            if found is not None and not fault.done():
                fault.set_result(found)

        options = {**self._options, "error_cb": on_error}
        if self._needs_tls:
            # The library sends them in clear to a server that offers no TLS, also with a tls: URL.
            for name in ("user", "password", "token"):
                if options.get(name) is not None:
                    options[name] = _only_over_tls(nats, options[name])
        connecting = asyncio.ensure_future(nats.connect(**options))
        try:
            either: set[asyncio.Future[Any]] = {connecting, fault}
            await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done() and not self._closed:
                connecting.result()
                self._nats = nats
                return
        except (OSError, errors.Error, ValueError) as error:
            raise self._heard(error) or self._unavailable() from error
        finally:
            if self._nats is not nats:
                connecting.cancel()
                with contextlib.suppress(BaseException):
                    await asyncio.wait({connecting}, timeout=1)
                with contextlib.suppress(Exception):
                    await nats.close()
        raise fault.result() if fault.done() else self._unavailable()

    def open_in_background(self) -> None:
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self.open(None))
            # Its fault is raised by the next request.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def request(self, subject: str, payload: bytes, timeout: float, headers: dict[str, str] | None) -> Msg:
        nats = self._ready()
        if len(payload) > nats.max_payload:
            said = f"body: {len(payload)} bytes exceed max_payload of the NATS server, {nats.max_payload}"
            raise RotaError("INVALID_REQUEST", said, 422)
        denied: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._denied.setdefault(subject, set()).add(denied)
        asking = asyncio.ensure_future(nats.request(subject, payload, timeout=timeout, headers=headers))
        try:
            done, _ = await asyncio.wait({asking, denied}, return_when=asyncio.FIRST_COMPLETED)
            return (denied if denied in done else asking).result()
        except errors.NoRespondersError as error:
            said = f"no answer on {subject}, since nothing listens there: is a supervisor running, with this prefix?"
            raise RotaError("SERVICE_UNAVAILABLE", said) from error
        except asyncio.TimeoutError as error:
            said = f"no answer in time on {subject}: the supervisor is slow or stuck, or cut off from NATS"
            raise RotaError("ASK_TIMEOUT", said) from error
        except errors.BadSubjectError as error:
            raise RotaError("INVALID_REQUEST", f"no name that NATS carries: {subject[:100]!r}", 422) from error
        except (errors.Error, OSError) as error:
            raise RotaError("SERVICE_UNAVAILABLE", f"the connection to NATS failed ({error})") from error
        finally:
            asking.cancel()
            waiting = self._denied[subject]
            waiting.discard(denied)
            if not waiting:
                del self._denied[subject]

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._nats is not None:
            await self._nats.close()

    def _ready(self) -> Nats:
        if self._closed:
            raise RotaError("SERVICE_UNAVAILABLE", "this client is closed")
        if self._nats is not None and self._nats.is_connected:
            return self._nats
        if self._nats is None or self._nats.is_closed:
            ended = self._opening
            if ended is not None and ended.done() and not ended.cancelled():
                self._opening = None
                if (error := ended.exception()) is not None:
                    raise error
            self.open_in_background()
        raise self._unavailable()

    def _unavailable(self) -> RotaError:
        said = f"no NATS server answers at {self.hosts} ({self._reason}): is it up, and this its address?"
        return RotaError("SERVICE_UNAVAILABLE", said)

    def _heard(self, error: Exception) -> RotaError | None:
        """@return the fault that waiting does not mend, if it is one."""
        text = str(error).removeprefix("nats: ") or type(error).__name__
        if refused := _REFUSED_PUBLISH.search(text):
            subject = refused.group(1)
            for waiting in self._denied.get(subject, ()):
                if not waiting.done():
                    waiting.set_exception(RotaError("UNAUTHORIZED", f"NATS permissions forbid {subject}", 401))
            return None
        self._reason = text.strip("'\" ")
        lower = text.lower()
        if "authorization" in lower or "authentication" in lower:
            said = f"NATS at {self.hosts} refuses these credentials ({self._reason})"
            return RotaError("UNAUTHORIZED", said, 401)
        if isinstance(error, errors.SecureConnWantedError):
            said = f"NATS at {self.hosts} offers no TLS, which is required here; it got no credentials from us"
            return RotaError("BAD_CONFIG", said, 500)
        return None


class _server:
    """A server's address without the user and password of its URL: the address may be logged."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        if parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname:
            raise RotaError("BAD_CONFIG", "NATS server: expected a URL such as nats://host:4222", 500)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.user = None if parts.username is None else unquote(parts.username)
        self.password = None if parts.password is None else unquote(parts.password)


def _only_over_tls(nats: Nats, secret: Any) -> Any:
    def give() -> str:
        if not nats._server_info.get("tls_required", False):
            raise errors.SecureConnWantedError
        return str(secret() if callable(secret) else secret)

    return give
