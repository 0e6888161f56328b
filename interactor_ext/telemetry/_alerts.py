"""Paths of the Prometheus alert rules and of the Grafana dashboard."""

from __future__ import annotations

from pathlib import Path

_ASSETS = Path(__file__).parent / "alerts"
RULES = _ASSETS / "interactor.rules.yml"
DASHBOARD = _ASSETS / "interactor.dashboard.json"
