"""Each example runs as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import SAMPLES

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_contact_sheet(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    arguments = [SAMPLES / "sintel_walk.mp4", sheet, "identity", "--frames", "2", "--width", "64"]
    subprocess.run([sys.executable, EXAMPLES / "contact_sheet.py", *map(str, arguments)], check=True)
    from scumble.media import open_plate

    assert open_plate(sheet).size == (128, 27)
    assert {p.name for p in EXAMPLES.glob("*.py")} == {"contact_sheet.py"}
