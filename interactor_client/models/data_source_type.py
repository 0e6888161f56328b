"""Where the data comes from, an uploaded file, a web address or a database."""

from __future__ import annotations

from typing import Literal

KnownDataSourceType = Literal["database", "file", "url"]
"""Where the data comes from, an uploaded file, a web address or a database."""
DataSourceType = KnownDataSourceType | str
"""Where the data comes from, an uploaded file, a web address or a database.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownDataSourceType`.
"""
