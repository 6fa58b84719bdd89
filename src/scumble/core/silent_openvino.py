"""OpenVINO without its telemetry: `import openvino` by itself reports to Google Analytics, from any plate's machine.

Import `ov` and `op` from here and nowhere else: OpenVINO then finds no `openvino_telemetry` and takes its own stub.
"""

from __future__ import annotations

import sys
from typing import Any

_known: Any = sys.modules.get("openvino_telemetry")

if _known is None:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it fails

try:
    import openvino as ov
    from openvino import opset13 as op
finally:
    if _known is None:
        del sys.modules["openvino_telemetry"]

__all__ = ["op", "ov"]
