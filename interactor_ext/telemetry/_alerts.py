"""Paths of the Prometheus alert rules and of the Grafana dashboard."""

from __future__ import annotations

from pathlib import Path

_ASSETS = Path(__file__).parent / "alerts"
RULES = _ASSETS / "interactor.rules.yml"
"""The path of the alert rules for Prometheus."""
DASHBOARD = _ASSETS / "interactor.dashboard.json"
"""The path of the dashboard for Grafana."""
