"""Each example runs as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers.pictures import SAMPLES

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_contact_sheet(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    arguments = [SAMPLES / "sintel_walk.mp4", sheet, "identity", "--frames", "2", "--width", "64"]
    subprocess.run([sys.executable, EXAMPLES / "contact_sheet.py", *map(str, arguments)], check=True)
    from scumble.media.open import open_plate

    assert open_plate(sheet).size == (128, 27)


def test_how_it_works(tmp_path: Path) -> None:
    look = f"mackerel={SAMPLES / 'hiroshige_mackerel.jpg'}"
    arguments = [SAMPLES / "sintel_walk.mp4", tmp_path / "how.jpg", look, f"auvers={SAMPLES / 'vangogh_auvers.jpg'}"]
    subprocess.run([sys.executable, EXAMPLES / "how_it_works.py", *map(str, arguments), "--width", "64"], check=True)
    from scumble.media.open import open_plate

    assert open_plate(tmp_path / "how.jpg").size == (40 + 3 * 64, 2 * 27)


def test_every_example_has_its_test() -> None:
    assert {p.name for p in EXAMPLES.glob("*.py")} == {
        "blender_timeline.py",  # test_blender.py
        "contact_sheet.py",
        "how_it_works.py",
        "studio_client.py",  # test_studio.py
    }
