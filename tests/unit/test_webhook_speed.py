"""What verifying and reading one event may cost, measured as the benchmark measures it."""

from __future__ import annotations

import pytest

pytest.importorskip("standardwebhooks", reason="needs the Python package standardwebhooks to compare with")

from tests.benchmarks.webhook_bench import OURS, RIVAL, verify_ratios


def test_verifying_costs_at_most_twice_its_hash_and_its_json_and_less_than_the_rival() -> None:
    ratios = verify_ratios(calls=3_000)
    assert ratios[OURS] <= 2
    assert ratios[OURS] < ratios[RIVAL]
