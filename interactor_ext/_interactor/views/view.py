"""The settings of a view, and what they add to a request: server, namespace, idempotency key, timeout and deadline.
Also the view's stream URLs for browsers, which can't send headers.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self
from urllib.parse import urlencode

import httpx

from interactor_client.types import UNSET
from interactor_ext._engine.arguments import require_callback
from interactor_ext._engine.call import READS, Api, Call
from interactor_ext._engine.errors import APIStatusError, ConfigurationError
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.config.checks import (
    idempotency_key_problem,
    namespace_problem,
    number_problem,
    require,
    seconds_problem,
    warn_of_milliseconds,
)
from interactor_ext._interactor.views import advice, extras, unsendable
from interactor_ext._interactor.views.reports import OnResponse

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent
    from interactor_client.types import Operation
    from interactor_ext._interactor.views.extras import Extras, Query

_NOT_OF_PATH = frozenset("?#")
# Fields of request bodies that no error message may quote.
_SECRET_FIELDS = frozenset({"client_secret", "code", "secret", "token"})


class _Interactor(Api):
    def url_variable(self, call: Call) -> str:
        return "INTERACTOR_ACCOUNT_SERVER_URL" if call.is_for_account_server else "INTERACTOR_CORE_API_URL"

    def is_token_request(self, call: Call) -> bool:
        return call.operation is not None and call.operation.id == "create_token"

    def advice(self, kind: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
        return advice.advice_on(kind, about, response)


_INTERACTOR = _Interactor()


class ImmutableError(ConfigurationError, AttributeError):
    """An attribute of a client, a view or a resource was assigned."""


class OfOneProcess:
    """Contains connections and locks, so it can be neither pickled nor deep-copied."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "A client, a view or a part of one can't be pickled or copied, because it holds connections. "
            "Create it in the worker, with get_client() or get_async_client() if it is Interactor's."
        )

    def __copy__(self) -> Self:
        return self


class Immutable(OfOneProcess):
    """Raises ImmutableError if a public attribute is assigned, because that wouldn't change any request. A method or
    resource can be replaced, as `unittest.mock.patch.object` does, and put back.
    """

    if not TYPE_CHECKING:  # otherwise type checkers would accept any attribute name

        def __setattr__(self, name: str, value: object) -> None:
            known = getattr(type(self), name, None)
            is_replaced = callable(known) and (
                callable(value) or (isinstance(known, type) and isinstance(value, known))
            )
            if not name.startswith("_") and not is_replaced:
                raise ImmutableError(
                    f"{name} can't be assigned, because clients and their views never change. Create a view with "
                    'client.namespace("...") or client.with_options(...), or another client.'
                )
            object.__setattr__(self, name, value)


class View(NamedTuple):
    """The settings of one view."""

    config: InteractorConfig
    namespace: str | None
    timeout: float
    max_retries: int
    deadline: float | None
    idempotency_key: str | None = None
    extras: Extras | None = None
    on_response: tuple[OnResponse, ...] = ()
    is_of_default: bool = False
    """Whether the namespace is None because an event belongs to the default one."""

    @classmethod
    def of(cls, config: InteractorConfig) -> View:
        return cls(config, config.namespace, config.timeout, config.max_retries, config.deadline)

    def describe(self) -> str:
        """Return the server and the namespace, for reprs."""
        namespace = "" if self.namespace is None else f", namespace={self.namespace!r}"
        return f"core_api_url={self.config.core_api_url!r}{namespace}"

    def with_namespace(self, namespace: str) -> View:
        require(namespace_problem(namespace))
        return self._replace(namespace=namespace)

    def for_event(self, event: WebhookEvent) -> View:
        if not hasattr(event, "namespace"):
            raise ConfigurationError(f"for_event needs a webhook event, as handlers get it, not {type(event).__name__}")
        if event.namespace:
            return self.with_namespace(event.namespace)
        return self._replace(namespace=None, is_of_default=True)

    def with_options(
        self,
        timeout: float | None,
        max_retries: int | None,
        deadline: float | None,
        idempotency_key: str | None,
        headers: Mapping[str, str | None] | None,
        query: Query | None,
        on_response: OnResponse | None,
    ) -> View:
        view = self._replace(
            timeout=self.timeout if timeout is None else timeout,
            max_retries=self.max_retries if max_retries is None else max_retries,
            deadline=self.deadline if deadline is None else deadline,
            idempotency_key=self.idempotency_key if idempotency_key is None else idempotency_key,
        )
        if timeout is not None:
            require(seconds_problem("timeout", timeout))
            warn_of_milliseconds(timeout)
        require(number_problem("max_retries", view.max_retries, 0))
        if view.deadline is not None:
            require(seconds_problem("deadline", view.deadline))
        if view.idempotency_key is not None:
            require(idempotency_key_problem(view.idempotency_key))
        if headers is not None or query is not None:
            more = (self.extras or extras.NO_EXTRAS).with_more(headers, query, self.namespace)
            view = view._replace(extras=more)
        if on_response is not None:
            require_callback("on_response", on_response)
            view = view._replace(on_response=(*self.on_response, on_response))
        return view

    def ends_at(self) -> float | None:
        """The deadline of a call that starts now, an instant of `time.monotonic()`."""
        return None if self.deadline is None else time.monotonic() + self.deadline

    def time_for_health(self) -> float:
        """The deadline of a health check in seconds, including a token request if one is due."""
        return self.timeout if self.deadline is None else min(self.timeout, self.deadline)

    def prepare(self, url: httpx.URL | str, arguments: dict[str, Any], *, keep_params: bool = False) -> httpx.URL | str:
        """Complete the arguments of `httpx.Client.build_request`, and return the URL to build it with. Their `params`
        go into the URL.
        """
        extensions = arguments.get("extensions") or {}
        call: Call = extensions.get("call") or Call.for_operation(extensions.get("operation"))
        # httpx's default encoding is ASCII, and a namespace may be any text.
        headers = arguments["headers"] = httpx.Headers(arguments.get("headers"), encoding="utf-8")
        server = self.config.core_api_url
        if call.is_for_account_server:
            server = self.config.account_server_url
        elif self.namespace is not None and {self.namespace}.issuperset(headers.get_list("x-namespace")):
            headers["X-Namespace"] = self.namespace
        self._add_key(call, headers)
        if self.extras is not None:
            self._add_extras(self.extras, url, arguments)
        if "timeout" in arguments and arguments["timeout"] is None:
            del arguments["timeout"]  # None means no timeout to httpx
        path = str(url)
        call.path, call.secrets = path, (*call.secrets, *self._secrets_in(arguments.get("json")))
        call.max_retries, call.ends_at = self.max_retries, self.ends_at()
        arguments["extensions"] = {**extensions, "call": call}
        if not (isinstance(url, str) and path.startswith("/")):
            return url
        if not keep_params and _NOT_OF_PATH.isdisjoint(path) and (params := arguments.pop("params", None)):
            path = f"{path}?{httpx.QueryParams(params)}"
        return _parsed(f"{server}{path}")

    def _add_key(self, call: Call, headers: httpx.Headers) -> None:
        operation = call.operation
        if operation is not None and operation.idempotency_key:
            if "idempotency-key" in headers:
                require(idempotency_key_problem(headers["idempotency-key"]))
            else:
                # As random as a UUID, whose module would take a fiftieth of the client's import time.
                headers["Idempotency-Key"] = self.idempotency_key or os.urandom(16).hex()
                call.has_own_key = self.idempotency_key is None
        elif self.idempotency_key is not None and operation is not None and operation.method not in READS:
            raise unsendable.without_key(f"{operation.method} {operation.path}")

    def _add_extras(self, added: Extras, url: httpx.URL | str, arguments: dict[str, Any]) -> None:
        for name, value in added.headers.items():
            arguments["headers"].setdefault(name, value)
        if added.query:
            given = arguments.get("params")
            # httpx drops a URL's query if there are params.
            given = httpx.URL(url).params if given is None else given
            arguments["params"] = httpx.QueryParams(added.query).merge(given)

    def _secrets_in(self, body: object) -> list[str]:
        secrets = [] if self.extras is None else [*self.extras.secrets]
        if isinstance(self.config.client_secret, str):  # otherwise only the token request contains it, in its body
            secrets.append(self.config.client_secret)
        if isinstance(body, dict) and not _SECRET_FIELDS.isdisjoint(body):
            secrets += [body[name] for name in _SECRET_FIELDS & body.keys() if isinstance(body[name], str)]
        return secrets

    @property
    def lacks_namespace(self) -> bool:
        """Whether its calls must name a namespace themselves."""
        return self.namespace is None and self.config.require_namespace and not self.is_of_default

    def check_namespace(self, request: httpx.Request) -> None:
        """Set the call's namespace. Raises ConfigurationError if the request names one other than this view's.

        Checks the final request, however it was made.
        """
        call = Call.of(request)
        call.api = _INTERACTOR
        if call.is_for_account_server:
            return
        named = set()
        for header, value in request.headers.raw:
            if header.lower() == b"x-namespace":
                named.add(value.decode(errors="replace"))
        query = request.url.query.lower()
        if b"namespace" in query or b"%" in query:  # parsing each query takes 4 us
            named.update(value for name, value in request.url.params.multi_items() if name.lower() == "namespace")
        call.namespace = own = self.namespace
        if named != {own} and (named or own is not None or self.lacks_namespace):
            call.namespace = unsendable.namespace_of(request, named, own, is_free=not self.is_of_default)


# httpx parses an absolute URL in 7 us, a relative one in 14, and adds `params` in 15 more: a quarter of a list's
# cost above the wire. Most calls use the same URLs again.
@functools.lru_cache(maxsize=512)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


class StreamURL(NamedTuple):
    """The URL of a stream, before its token is known: token and namespace are in its query."""

    address: str
    query: dict[str, Any]
    operation: Operation

    def with_token(self, token: str) -> str:
        return f"{self.address}?{urlencode({'token': token, **self.query})}"


def room_stream(view: View, room_id: str) -> StreamURL:
    from interactor_client.api.rooms.stream_room import _get_kwargs

    return _stream_url(view, _get_kwargs(room_id, namespace=view.namespace or UNSET))


def workflow_stream(view: View, instance_id: str) -> StreamURL:
    from interactor_client.api.workflow_instances.stream_workflow_instance import _get_kwargs

    return _stream_url(view, _get_kwargs(instance_id, namespace=view.namespace or UNSET))


def _stream_url(view: View, kwargs: dict[str, Any]) -> StreamURL:
    operation: Operation = kwargs["extensions"]["operation"]
    if view.lacks_namespace:
        raise unsendable.without_namespace(f"GET {operation.path}")
    return StreamURL(f"{view.config.core_api_url}{kwargs['url']}", kwargs["params"], operation)
