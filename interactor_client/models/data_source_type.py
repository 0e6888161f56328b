"""Where the data comes from, an uploaded file, a web address or a database."""

from __future__ import annotations

from typing import Literal

KnownDataSourceType = Literal["database", "file", "url"]
"""Where the data comes from, an uploaded file, a web address or a database."""
DataSourceType = KnownDataSourceType | str
"""Where the data comes from, an uploaded file, a web address or a database.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownDataSourceType`.
"""
