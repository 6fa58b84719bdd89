"""HDR10's static metadata: the display that a movie was mastered on, and its brightest pixel and frame."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

CHROMATICITY, LUMINANCE = 50000, 10000  # steps in the encoders' units: 0.00002, and 0.0001 cd/m2 [SMPTE ST 2086]


@dataclass(frozen=True)
class Hdr:
    """What a movie says beside its tags; None where it says nothing."""

    display: tuple[int, ...] | None = None
    """x and y of red, green, blue and white, most and least luminance, in the encoders' units."""
    light: tuple[int, int] | None = None
    """MaxCLL and MaxFALL in cd/m2 [CTA-861.3]."""

    def options(self, encoder: str) -> dict[str, str]:
        """The options of an encoder that writes it into its stream; none for other encoders."""
        known = {
            "libx264": ("x264-params", "mastering-display", "cll"),
            "libx265": ("x265-params", "master-display", "max-cll"),
        }
        if encoder not in known:
            return {}
        option, display, light = known[encoder]
        words = []
        if self.display is not None:
            r, g, b, white, range_ = (f"({self.display[i]},{self.display[i + 1]})" for i in range(0, 10, 2))
            words.append(f"{display}=G{g}B{b}R{r}WP{white}L{range_}")
        if self.light is not None:
            words.append(f"{light}={self.light[0]},{self.light[1]}")
        return {option: ":".join(words)}


def hdr_of(picture: Any) -> Hdr | None:
    """What a decoded picture brings along, None without any [FFmpeg, mastering_display_metadata.h]."""
    display: tuple[int, ...] | None = None
    light: tuple[int, int] | None = None
    for data in picture.side_data:
        content = bytes(data)
        if data.type.name == "MASTERING_DISPLAY_METADATA" and len(content) >= 88:
            numbers = struct.unpack("=20i", content[:80])
            values = [Fraction(a, b) if b else Fraction(0) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
            has_primaries, has_luminance = struct.unpack("=2i", content[80:88])
            if has_primaries and has_luminance:
                xy, (least, most) = values[:8], values[8:]
                display = (*(round(v * CHROMATICITY) for v in xy), round(most * LUMINANCE), round(least * LUMINANCE))
        elif data.type.name == "CONTENT_LIGHT_LEVEL" and len(content) >= 8:
            light = struct.unpack("=2I", content[:8])
    return Hdr(display, light) if display or light else None
