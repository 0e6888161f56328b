"""The operations tagged `assistants`, one method each."""

from __future__ import annotations

from builtins import list as _list
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.accepted import ToolIds
from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.assistant import Assistant


class Assistants(Advised, calls=True):
    """AI assistants, each a model, a system prompt, tools and data sources."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Assistant]:
        """List the assistants of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_assistants as _endpoint

        return self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> Iterator[Assistant]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_assistants as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(
        self,
        *,
        name: str,
        model: str,
        system_prompt: str,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """Create an assistant.

        Args:
            name: Name of the assistant. It need not be unique.
            model: The language model, such as `gpt-4`. It cannot be changed later.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. They must exist in the namespace. A `ToolSet` is also
                accepted, and is registered.
            data_sources: Ids of data sources that it may consult. They must exist in the namespace.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2. By default the server
                chooses.
            max_tokens: How long a reply may get, in tokens of the model. By default the server chooses.
        """
        from interactor_client.accepted import tool_ids as _tool_ids

        from ...models.create_assistant_request import CreateAssistantRequest
        from . import create_assistant as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateAssistantRequest(
                    name=name,
                    model=model,
                    system_prompt=system_prompt,
                    tools=_tool_ids(tools, self._sender),
                    data_sources=data_sources,
                    temperature=temperature,
                    max_tokens=max_tokens,
                )
            ),
            _endpoint._parse_success,
        ).data

    def ensure(
        self,
        *,
        name: str,
        model: str,
        system_prompt: str,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """The assistant with this name: found or created, and updated if it differs.

        Its `outcome` says which: "created", "updated" or "unchanged". Two first calls at once create only one.
        Omitted fields stay unchanged; fields that the server does not show are sent each time. Fields that `update`
        does not have only count at creation; if the server shows one that differs, that is an error. What was found
        is remembered for a minute, until this client changes it or gets 404 or 422 for it: the same call then sends
        nothing.

        Args:
            name: Name of the assistant. It need not be unique.
            model: The language model, such as `gpt-4`. It cannot be changed later.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. They must exist in the namespace. A `ToolSet` is also
                accepted, and is registered.
            data_sources: Ids of data sources that it may consult. They must exist in the namespace.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2. By default the server
                chooses.
            max_tokens: How long a reply may get, in tokens of the model. By default the server chooses.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {
            "name": name,
            "model": model,
            "system_prompt": system_prompt,
            "tools": tools,
            "data_sources": data_sources,
            "temperature": temperature,
            "max_tokens": max_tokens,
        }
        _ensured: Assistant = _user_of(self._sender)._ensure(
            "assistants",
            _fields,
            by=["name"],
            filters=[],
            changeable=["system_prompt", "tools", "data_sources", "temperature", "max_tokens"],
            has_key=True,
        )
        return _ensured

    def get(self, assistant_id: str) -> Assistant:
        """Get an assistant.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
        """
        from . import get_assistant as _endpoint

        return self._sender.send(_endpoint._get_kwargs(assistant_id), _endpoint._parse_success).data

    def delete(self, assistant_id: str) -> None:
        """Delete an assistant.

        This cannot be undone.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
        """
        from . import delete_assistant as _endpoint

        self._sender.send(_endpoint._get_kwargs(assistant_id), _endpoint._parse_success)

    def update(
        self,
        assistant_id: str,
        *,
        name: str | None | Unset = UNSET,
        system_prompt: str | None | Unset = UNSET,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """Change some fields of an assistant.

        Omitted fields stay unchanged. `tools` and `data_sources` are replaced, not extended. The model is fixed at
        creation: for another model, create another assistant.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
            name: Name of the assistant.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. Replaces all of them; an empty list removes every tool. A
                `ToolSet` is also accepted, and is registered.
            data_sources: Ids of data sources that it may consult. Replaces all of them.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2.
            max_tokens: How long a reply may get, in tokens of the model.
        """
        from interactor_client.accepted import tool_ids as _tool_ids

        from ...models.update_assistant_request import UpdateAssistantRequest
        from . import update_assistant as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                assistant_id,
                body=UpdateAssistantRequest(
                    name=name,
                    system_prompt=system_prompt,
                    tools=_tool_ids(tools, self._sender),
                    data_sources=data_sources,
                    temperature=temperature,
                    max_tokens=max_tokens,
                ),
            ),
            _endpoint._parse_success,
        ).data


class AsyncAssistants(Advised, calls=True):
    """AI assistants, each a model, a system prompt, tools and data sources."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Assistant]:
        """List the assistants of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_assistants as _endpoint

        return await self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> AsyncIterator[Assistant]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_assistants as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(
        self,
        *,
        name: str,
        model: str,
        system_prompt: str,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """Create an assistant.

        Args:
            name: Name of the assistant. It need not be unique.
            model: The language model, such as `gpt-4`. It cannot be changed later.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. They must exist in the namespace. A `ToolSet` is also
                accepted, and is registered.
            data_sources: Ids of data sources that it may consult. They must exist in the namespace.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2. By default the server
                chooses.
            max_tokens: How long a reply may get, in tokens of the model. By default the server chooses.
        """
        from interactor_client.accepted import tool_ids_async as _tool_ids

        from ...models.create_assistant_request import CreateAssistantRequest
        from . import create_assistant as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateAssistantRequest(
                        name=name,
                        model=model,
                        system_prompt=system_prompt,
                        tools=await _tool_ids(tools, self._sender),
                        data_sources=data_sources,
                        temperature=temperature,
                        max_tokens=max_tokens,
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def ensure(
        self,
        *,
        name: str,
        model: str,
        system_prompt: str,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """The assistant with this name: found or created, and updated if it differs.

        Its `outcome` says which: "created", "updated" or "unchanged". Two first calls at once create only one.
        Omitted fields stay unchanged; fields that the server does not show are sent each time. Fields that `update`
        does not have only count at creation; if the server shows one that differs, that is an error. What was found
        is remembered for a minute, until this client changes it or gets 404 or 422 for it: the same call then sends
        nothing.

        Args:
            name: Name of the assistant. It need not be unique.
            model: The language model, such as `gpt-4`. It cannot be changed later.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. They must exist in the namespace. A `ToolSet` is also
                accepted, and is registered.
            data_sources: Ids of data sources that it may consult. They must exist in the namespace.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2. By default the server
                chooses.
            max_tokens: How long a reply may get, in tokens of the model. By default the server chooses.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {
            "name": name,
            "model": model,
            "system_prompt": system_prompt,
            "tools": tools,
            "data_sources": data_sources,
            "temperature": temperature,
            "max_tokens": max_tokens,
        }
        _ensured: Assistant = await _user_of(self._sender)._ensure(
            "assistants",
            _fields,
            by=["name"],
            filters=[],
            changeable=["system_prompt", "tools", "data_sources", "temperature", "max_tokens"],
            has_key=True,
        )
        return _ensured

    async def get(self, assistant_id: str) -> Assistant:
        """Get an assistant.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
        """
        from . import get_assistant as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(assistant_id), _endpoint._parse_success)).data

    async def delete(self, assistant_id: str) -> None:
        """Delete an assistant.

        This cannot be undone.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
        """
        from . import delete_assistant as _endpoint

        await self._sender.send(_endpoint._get_kwargs(assistant_id), _endpoint._parse_success)

    async def update(
        self,
        assistant_id: str,
        *,
        name: str | None | Unset = UNSET,
        system_prompt: str | None | Unset = UNSET,
        tools: ToolIds[str] | None | Unset = UNSET,
        data_sources: _list[str] | None | Unset = UNSET,
        temperature: float | None | Unset = UNSET,
        max_tokens: int | None | Unset = UNSET,
    ) -> Assistant:
        """Change some fields of an assistant.

        Omitted fields stay unchanged. `tools` and `data_sources` are replaced, not extended. The model is fixed at
        creation: for another model, create another assistant.

        Args:
            assistant_id: Id of the assistant, such as `asst_7Hq2`.
            name: Name of the assistant.
            system_prompt: The assistant's instructions for every conversation.
            tools: Ids of tools that it may call. Replaces all of them; an empty list removes every tool. A
                `ToolSet` is also accepted, and is registered.
            data_sources: Ids of data sources that it may consult. Replaces all of them.
            temperature: How freely the model replies, from 0 (the likeliest words) to 2.
            max_tokens: How long a reply may get, in tokens of the model.
        """
        from interactor_client.accepted import tool_ids_async as _tool_ids

        from ...models.update_assistant_request import UpdateAssistantRequest
        from . import update_assistant as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    assistant_id,
                    body=UpdateAssistantRequest(
                        name=name,
                        system_prompt=system_prompt,
                        tools=await _tool_ids(tools, self._sender),
                        data_sources=data_sources,
                        temperature=temperature,
                        max_tokens=max_tokens,
                    ),
                ),
                _endpoint._parse_success,
            )
        ).data


__all__ = ["AsyncAssistants", "Assistants"]
