"""Where what is not there is looked up, the error says what is meant. The advice is imported on a mistake alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn


class Advised:
    """The AttributeError of a misnamed attribute is Python's own, with advice at its end if there is any."""

    __slots__ = ()

    if not TYPE_CHECKING:  # or type checkers would let every name pass

        def __getattr__(self, name: str) -> Any:
            try:
                return object.__getattribute__(self, name)  # raises the same again
            except AttributeError as error:
                # One that a property raises says what that lacks.
                if error.obj is self and not name.startswith("_"):
                    from .advice import advice

                    error.args = (f"{error}{advice(type(self), name)}",)
                raise


def no_item(self: object, key: object) -> NoReturn:
    """The `__getitem__` of classes whose fields are attributes. They need `__iter__` too, or could be iterated over."""
    from .advice import item_advice

    raise TypeError(f"{type(self).__name__!r} object is not subscriptable: {item_advice(self, key)}")


def require_client(client: object) -> None:
    """Checks what an endpoint function was given for its `client`."""
    if not hasattr(client, "get_httpx_client"):
        advice = ": pass its .api, as in client=user.api" if hasattr(client, "api") else ""
        raise TypeError(f"client must be a low-level Client, not {type(client).__name__}{advice}")
