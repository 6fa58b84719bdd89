"""What clicks on the page do: values of components in, updates of components out. `page` wires them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np
from pydantic import ValidationError

from scumble.core.errors import BadInput, ScumbleError
from scumble.core.files import written_whole
from scumble.core.frames import Pixels, key_number
from scumble.core.pixels import resized
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.studio.preview import WIDTH
from scumble.studio.requests import Match, PaintedFrame, Preview, Render, Train
from scumble.studio.studio import Studio
from scumble.studio.submit import own_name, submit
from scumble.studio.widgets import asked, painting_options, rendering_options
from scumble.studio.words import Words
from scumble.studio.work import fitting, shown


class Clicks:
    """The page's actions in one language."""

    def __init__(self, studio: Studio, words: Words) -> None:
        self.studio, self.words = studio, words

    def safe(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What a user can mend comes as one sentence on the page."""

        @functools.wraps(call)
        def called(*values: Any) -> Any:
            try:
                return call(*values)
            except (ScumbleError, ValidationError, OSError, MemoryError, OverflowError) as error:
                raise gr.Error(self.sentence(error), duration=8, print_exception=False) from error

        return called

    def sentence(self, error: Exception) -> str:
        words = str(error) or type(error).__name__
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return escape(self.studio.readable(words))

    def names(self) -> list[str]:
        return [look["name"] for look in self.studio.looks()]

    def lists(self) -> tuple[Any, Any, Any]:
        """The current looks and named plates, for their lists."""
        names = self.names()
        others = [(self.words("none"), ""), *names]
        return gr.update(choices=names), gr.update(choices=others), gr.update(choices=self.studio.desk.plates())

    def _asked(self, *values: Any) -> dict[str, Any]:
        """A request out of the values of the components."""
        plate, style, look, second, mix, matte, matte_plate, feather, *options = values
        if not plate:
            raise BadInput(self.words("no_plate"))
        if not style and not look:
            raise BadInput(self.words("no_look"))
        if matte == "own" and not matte_plate:
            raise BadInput(self.words("no_matte"))
        where = {"in": "auto:person", "out": "auto:person", "own": matte_plate}.get(matte, "")
        return {
            "plate": plate,
            **({"styles": [style]} if style else {"look": look}),
            **({"second": second, "mix": mix} if second else {}),
            **asked(painting_options(), options),
            **({"matte": where, "invert_matte": matte == "out", "feather": feather} if where else {}),
        }

    def take_plate(self, files: list[str]) -> tuple[Any, ...]:
        """A plate was dropped: it replaces the named one."""
        return (*self._plate(lambda: self._taken(files)), gr.update(value=None))

    def name_plate(self, path: str | None) -> tuple[Any, ...]:
        """A plate was named: it replaces the dropped one."""
        if not path or not path.strip():
            return self.no_plate()
        *opened, _ = self._plate(path.strip)
        return (*opened, gr.update(value=None), gr.skip())

    def no_plate(self, why: str = "") -> tuple[Any, ...]:
        """The plate was taken away, or is none."""
        return (
            "",
            {},
            gr.update(visible=False),
            None,
            why or self.words("drop_first"),
            gr.update(value=None),
            gr.update(value=None),
        )

    def _plate(self, reference: Callable[[], str]) -> tuple[Any, ...]:
        """The new plate, and what becomes of the box of files: what is no plate does not stay in it."""
        try:
            return (*self._opened(reference()), gr.skip())
        except (ScumbleError, OSError, MemoryError) as error:
            gr.Warning(self.sentence(error), duration=8)
            *gone, _ = self.no_plate(f"**{self.sentence(error)}**")
            return tuple(gone)

    def _taken(self, files: list[str]) -> str:
        upload = self.studio.store.adopt([Path(file) for file in files])
        return str(self.studio.take(upload)["reference"])

    def _opened(self, reference: str) -> tuple[Any, ...]:
        """The plate itself on both sides of the wipe, and its frames on the slider."""
        facts = self.studio.facts(reference)
        if facts["kind"] == "pictures":
            raise BadInput(f"{facts['name']}: several pictures that are no sequence; drop one, or number them")
        plate = self.studio.desk.open(reference)
        number = facts["first"]
        picture = _codes(
            resized(shown(next(iter(plate.read([number])))), fitting(plate.size, WIDTH, plate.pixel_aspect))
        )
        several = facts["count"] > 1
        slider = gr.update(minimum=number, maximum=max(facts["last"], number + 1), value=number, visible=several)
        rate = f" · {float(plate.frame_rate):.6g} fps" if plate.frame_rate else ""
        frames = f" · {number}–{facts['last']}" if several else ""
        words = f"{facts['name']} · {facts['width']}x{facts['height']}{frames}{rate} · {facts['colour_space']}"
        return reference, facts, slider, (picture, picture), f"{escape(words)}{self._whole(reference, number)}"

    def _whole(self, reference: str, frame: int) -> str:
        return f" · [{self.words('whole_frame')}](/api/frame?of={quote(reference, safe='')}&number={frame})"

    def take_style(self, files: list[str]) -> tuple[str, Any]:
        """Style pictures, or a matte, were dropped: what cannot be read does not stay in the box."""
        try:
            return self._taken(files), gr.skip()
        except (ScumbleError, OSError, MemoryError) as error:
            gr.Warning(self.sentence(error), duration=8)
            return "", gr.update(value=None)

    def show(self, *values: Any) -> tuple[Any, str]:
        """Paint the frame."""
        *painting, frame = values
        plate = painting[0]
        request = Preview(**self._asked(*painting), frame=self._nearest(plate, frame))
        done = self.studio.previews.preview(request)
        several = self.words("frame_of", done.frame, done.frames[0], done.frames[-1]) if len(done.frames) > 1 else ""
        statistics, seconds = self.words(f"by_{done.statistics}"), f"{done.seconds:.1f}"
        words = several + self.words("previewed", escape(done.look), statistics, seconds)
        return (_codes(done.before), _codes(done.after)), words + self._whole(plate, done.frame)

    def _nearest(self, plate: str, frame: float | None) -> int | None:
        """The plate's frame nearest to the slider, which does not know about missing frames."""
        if not plate or frame is None:
            return None
        numbers = self.studio.desk.open(plate).numbers
        return min(numbers, key=lambda n: abs(n - frame))

    def follow(self, *values: Any) -> tuple[Any, Any]:
        """Paint again after a change; nothing happens before there is a shot, a look and the matte."""
        if not values[0] or not (values[1] or values[2]) or (values[5] == "own" and not values[6]):
            return gr.skip(), gr.skip()
        return self.show(*values)

    def queue(self, *values: Any) -> None:
        """Render the shot."""
        rendering = rendering_options()
        fixed, options = values[: len(values) - len(rendering)], values[len(values) - len(rendering) :]
        *painting, frames, suffix = fixed
        more = {"frames": frames.strip(), "format": suffix, **asked(rendering, options)}
        request = Render(**self._asked(*painting), **more)
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def take_keys(
        self, files: list[str], facts: dict[str, Any], frame: float
    ) -> tuple[dict[str, str], list[list[Any]]]:
        """Painted frames were dropped: which frame each is, by the number in its name, else the one that is shown."""
        keys, rows = {}, []
        for file in files:
            name = Path(file).name
            keys[name] = self._taken([file])
            try:
                number: int | None = key_number(name)[0]
            except ScumbleError:
                number = int(frame) if len(files) == 1 and facts else None
            rows.append([name, number])
        return keys, rows

    def start_match(
        self, plate: str, keys: dict[str, str], table: Any, name: str, minutes: float, in_space: str
    ) -> None:
        """Learn from the painted frames."""
        if not plate:
            raise BadInput(self.words("no_plate"))
        if not keys:
            raise BadInput(self.words("no_key"))
        pairs = []
        for picture, number in table.values.tolist():
            if picture in keys:
                try:
                    pairs.append(PaintedFrame(frame=int(number), picture=keys[picture]))
                except (TypeError, ValueError):
                    raise BadInput(self.words("no_frame", picture)) from None
        request = Match(plate=plate, keys=pairs, name=self._name(name), minutes=minutes, in_space=in_space.strip())
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def start_train(
        self,
        plate: str,
        footage: list[str] | None,
        styles: list[str] | None,
        name: str,
        minutes: float,
        scratch: bool,
        in_space: str,
    ) -> None:
        """Train a look."""
        if not plate and not footage:
            raise BadInput(self.words("no_plate"))
        if not styles:
            raise BadInput(self.words("no_look"))
        content = [*([plate] if plate else []), *(self._taken([file]) for file in footage or ())]
        request = Train(
            content=content,
            styles=[self._taken(styles)],
            name=self._name(name),
            minutes=minutes,
            from_scratch=scratch,
            in_space=in_space.strip(),
        )
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def _name(self, name: str) -> str:
        if not name.strip():
            raise BadInput(self.words("no_name"))
        return own_name(self.studio.store, name.strip())

    def thumbnails(self, plate: str, frame: float | None, search: str) -> list[tuple[Pixels, str]]:
        """The looks whose names have these letters, on the current frame."""
        names = [name for name in self.names() if search.strip().lower() in name.lower()]
        number = self._nearest(plate, frame)
        return [(_codes(pixels), name) for name, pixels in self.studio.previews.thumbnails(plate, number, names)]

    def choose(self, event: gr.SelectData) -> tuple[Any, ...]:
        """A look in the gallery was clicked."""
        return self._chosen(str(event.value["caption"]))

    def _chosen(self, name: str) -> tuple[Any, ...]:
        facts = self.studio.provenance(name)
        own = gr.update(interactive=facts["own"])
        file = self.studio.store.folder / "page" / "looks" / f"{name}.look"
        with written_whole(file) as part:
            part.write_bytes(self.studio.desk.named(name).to_bytes())
        return (
            name,
            f"**{escape(name)}**",
            facts,
            gr.update(interactive=True),
            gr.update(value=str(file), interactive=True),
            own,
            own,
        )

    def forget(self, name: str) -> tuple[Any, ...]:
        """Delete the chosen look."""
        self.studio.delete(name)
        off = gr.update(interactive=False)
        return "", self.words("choose_look"), None, off, off, off, off

    def make_look(self, style: str, name: str) -> None:
        """Keep the style pictures as a look."""
        if not style:
            raise BadInput(self.words("no_look"))
        name = self._name(name)
        self.studio.keep(make_look([(p, 1.0) for p in self.studio.desk.pictures([style])], name), name)
        gr.Info(self.words("kept", name), duration=4)

    def import_look(self, file: str | None) -> None:
        """Import a look file."""
        if not file:  # Gradio has said that it is none
            return
        name = self.studio.keep(Look.load(Path(file)), Path(file).stem)
        gr.Info(self.words("kept", escape(name)), duration=4)


def _codes(pixels: Pixels) -> Any:
    return (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
