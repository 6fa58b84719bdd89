"""The simulation behind docs/scale.md: it does what can be worked out by hand."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("simpy")

pytestmark = pytest.mark.full

COSTS = {
    "measure_shot_s": 10.0,
    "start_task_s": 2.0,
    "paint_frame_s": 1.0,
    "read_frame_mb": 3.0,
    "write_frame_mb": 7.0,
}


@pytest.fixture(scope="module")
def scale() -> Any:
    path = Path(__file__).parents[2] / "benchmarks/scale.py"
    spec = importlib.util.spec_from_file_location("scale", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    return module


def test_one_place_takes_the_sum_of_all(scale: Any) -> None:
    farm = scale.Farm(shots=12, nodes=1, places=1, storage_mb=1e6, life_h=0, slow=0.0)
    result = scale.simulate(farm, COSTS)
    assert result["busy"] == pytest.approx(1, abs=0.01)  # it never waits
    alone = 12 * 10 + (result["tasks"] - 12) * 2 + result["frames"]
    assert result["hours"] * 3600 == pytest.approx(alone, rel=0.25)  # nodes are not equally fast
    # twice the places, half the time
    two = scale.simulate(replace(farm, nodes=1, places=2), COSTS)
    assert two["hours"] == pytest.approx(result["hours"] / 2, rel=0.1)


def test_storage_is_the_limit_where_there_is_little_of_it(scale: Any) -> None:
    farm = scale.Farm(shots=40, nodes=10, places=8, storage_mb=50.0, life_h=0, slow=0.0)
    result = scale.simulate(farm, COSTS)
    megabytes = result["frames"] * 10 + 40 * 16 * 3
    assert result["hours"] * 3600 == pytest.approx(megabytes / 50, rel=0.02)
    assert result["storage"] > 0.98


def test_losses_cost_what_was_under_way_and_nothing_is_left_out(scale: Any) -> None:
    farm = scale.Farm(shots=60, nodes=6, places=2, storage_mb=1e5, life_h=0.3, away_h=0.05, slow=0.0)
    result, calm = scale.simulate(farm, COSTS), scale.simulate(replace(farm, life_h=0), COSTS)
    assert result["losses"] >= 3
    assert result["tasks"] > calm["tasks"]
    assert result["hours"] > calm["hours"]
    assert result["frames"] == calm["frames"]
    assert scale.simulate(farm, COSTS) == result  # a seed


def test_previews_come_first(scale: Any) -> None:
    farm = scale.Farm(shots=60, nodes=4, places=2, life_h=0, preview_first=True)
    result = scale.simulate(farm, COSTS)
    assert 0 < result["previews"] < 0.6 * result["hours"]
