"""The operations tagged `data_sources`, one method each."""

from __future__ import annotations

from builtins import list as _list
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.data_source import DataSource
from ...models.data_source_sync import DataSourceSync
from ...models.data_source_type import KnownDataSourceType
from ...models.json_object import JsonObject
from ...models.semantic_mapping import SemanticMapping


class DataSources(Advised, calls=True):
    """Files, sites and databases that assistants may consult."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(
        self, *, type: KnownDataSourceType | Unset = UNSET, page: int | Unset = UNSET, per_page: int | Unset = UNSET
    ) -> Page[DataSource]:
        """List the data sources of a namespace.

        Args:
            type: Only data sources of this type.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_data_sources as _endpoint

        return self._sender.page(
            _endpoint._get_kwargs(type=type, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        *,
        type: KnownDataSourceType | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> Iterator[DataSource]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            type: Only data sources of this type.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_data_sources as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(type=type, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(
        self,
        *,
        name: str,
        type: KnownDataSourceType,
        config: JsonObject,
        semantic_mappings: _list[SemanticMapping] | None | Unset = UNSET,
    ) -> DataSource:
        """Add a data source.

        Nothing is read from it until `data_sources.sync`.

        Args:
            name: Name of the data source.
            type: Where the data comes from, an uploaded file, a web address or a database.
            config: How to reach the data. Which keys it has depends on `type`.
            semantic_mappings: What its fields mean.
        """
        from ...models.create_data_source_request import CreateDataSourceRequest
        from . import create_data_source as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateDataSourceRequest(name=name, type=type, config=config, semantic_mappings=semantic_mappings)
            ),
            _endpoint._parse_success,
        ).data

    def get(self, data_source_id: str) -> DataSource:
        """Get a data source.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import get_data_source as _endpoint

        return self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success).data

    def delete(self, data_source_id: str) -> None:
        """Delete a data source.

        Assistants that list it no longer consult it.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import delete_data_source as _endpoint

        self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success)

    def update(
        self,
        data_source_id: str,
        *,
        name: str | None | Unset = UNSET,
        type: KnownDataSourceType | None | Unset = UNSET,
        config: JsonObject | None | Unset = UNSET,
        semantic_mappings: _list[SemanticMapping] | None | Unset = UNSET,
    ) -> DataSource:
        """Change some fields of a data source.

        Omitted fields stay unchanged; `config` and `semantic_mappings` are replaced as a whole.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
            name: Name of the data source.
            type: Where the data comes from.
            config: How to reach the data. Replaces it as a whole.
            semantic_mappings: What its fields mean. Replaces all of them.
        """
        from ...models.update_data_source_request import UpdateDataSourceRequest
        from . import update_data_source as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                data_source_id,
                body=UpdateDataSourceRequest(name=name, type=type, config=config, semantic_mappings=semantic_mappings),
            ),
            _endpoint._parse_success,
        ).data

    def sync(self, data_source_id: str) -> DataSourceSync | None:
        """Read a data source again.

        Starts the synchronisation without waiting for it.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import sync_data_source as _endpoint

        _envelope = self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success)
        return None if _envelope is None else _envelope.data


class AsyncDataSources(Advised, calls=True):
    """Files, sites and databases that assistants may consult."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(
        self, *, type: KnownDataSourceType | Unset = UNSET, page: int | Unset = UNSET, per_page: int | Unset = UNSET
    ) -> Page[DataSource]:
        """List the data sources of a namespace.

        Args:
            type: Only data sources of this type.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_data_sources as _endpoint

        return await self._sender.page(
            _endpoint._get_kwargs(type=type, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        *,
        type: KnownDataSourceType | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncIterator[DataSource]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            type: Only data sources of this type.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_data_sources as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(type=type, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(
        self,
        *,
        name: str,
        type: KnownDataSourceType,
        config: JsonObject,
        semantic_mappings: _list[SemanticMapping] | None | Unset = UNSET,
    ) -> DataSource:
        """Add a data source.

        Nothing is read from it until `data_sources.sync`.

        Args:
            name: Name of the data source.
            type: Where the data comes from, an uploaded file, a web address or a database.
            config: How to reach the data. Which keys it has depends on `type`.
            semantic_mappings: What its fields mean.
        """
        from ...models.create_data_source_request import CreateDataSourceRequest
        from . import create_data_source as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateDataSourceRequest(
                        name=name, type=type, config=config, semantic_mappings=semantic_mappings
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def get(self, data_source_id: str) -> DataSource:
        """Get a data source.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import get_data_source as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success)).data

    async def delete(self, data_source_id: str) -> None:
        """Delete a data source.

        Assistants that list it no longer consult it.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import delete_data_source as _endpoint

        await self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success)

    async def update(
        self,
        data_source_id: str,
        *,
        name: str | None | Unset = UNSET,
        type: KnownDataSourceType | None | Unset = UNSET,
        config: JsonObject | None | Unset = UNSET,
        semantic_mappings: _list[SemanticMapping] | None | Unset = UNSET,
    ) -> DataSource:
        """Change some fields of a data source.

        Omitted fields stay unchanged; `config` and `semantic_mappings` are replaced as a whole.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
            name: Name of the data source.
            type: Where the data comes from.
            config: How to reach the data. Replaces it as a whole.
            semantic_mappings: What its fields mean. Replaces all of them.
        """
        from ...models.update_data_source_request import UpdateDataSourceRequest
        from . import update_data_source as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    data_source_id,
                    body=UpdateDataSourceRequest(
                        name=name, type=type, config=config, semantic_mappings=semantic_mappings
                    ),
                ),
                _endpoint._parse_success,
            )
        ).data

    async def sync(self, data_source_id: str) -> DataSourceSync | None:
        """Read a data source again.

        Starts the synchronisation without waiting for it.

        Args:
            data_source_id: Id of the data source, such as `ds_3Bn6`.
        """
        from . import sync_data_source as _endpoint

        _envelope = await self._sender.send(_endpoint._get_kwargs(data_source_id), _endpoint._parse_success)
        return None if _envelope is None else _envelope.data


__all__ = ["AsyncDataSources", "DataSources"]
