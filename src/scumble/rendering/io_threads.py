"""Decode ahead and encode behind: two threads beside the one that paints, bounded by the memory of their frames."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from scumble.core.frames import Frame
from scumble.media.plate import Writer

QUEUE = 4  # frames read ahead and waiting to be written, where they are small


def places_for(frame: int, waiting: int) -> int:
    """How many frames of `frame` bytes may wait on a side, in `waiting` bytes; 0 asks for no thread there."""
    return min(QUEUE, waiting // max(1, frame))


class ahead:  # noqa: N801 - reads as a phrase: with ahead(frames)
    """A thread that decodes up to `places` frames ahead; its errors come out where the frames do."""

    def __init__(self, frames: Iterator[Frame], places: int = QUEUE) -> None:
        self.frames, self.places = frames, places
        self.queue: queue.Queue[Any] = queue.Queue(places)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="scumble-reader", daemon=True)

    def __enter__(self) -> Iterator[Frame]:
        if not self.places:
            return self.frames
        self.thread.start()
        return self._out()

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        if self.places:
            self.thread.join()

    def _put(self, item: Any) -> None:
        while not self.stopped.is_set():
            try:
                self.queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            for frame in self.frames:
                self._put(frame)
                if self.stopped.is_set():
                    return
            self._put(None)
        except BaseException as error:  # handed to the main thread
            self._put(error)

    def _out(self) -> Iterator[Frame]:
        while (item := self.queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


class Behind:
    """A thread that writes; an error of the writer is raised at the next `put` or at the end."""

    def __init__(self, writer: Writer, places: int = QUEUE) -> None:
        self.writer, self.places = writer, places
        self.queue: queue.Queue[Any] = queue.Queue(places)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="scumble-writer", daemon=True)

    def __enter__(self) -> Behind:
        if self.places:
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.places:
            return
        self.queue.put(None)
        self.thread.join()
        if self.error is not None:
            raise self.error

    def put(self, frame: Frame, written: Callable[[int], None]) -> None:
        """Hand over a frame; `written` is called with its number when it is on disk."""
        if self.error is not None:
            raise self.error
        if not self.places:
            self.writer.write(frame)
            written(frame.number)
            return
        self.queue.put((frame, written))

    def _run(self) -> None:
        while (item := self.queue.get()) is not None:
            if self.error is not None:
                continue  # drain, so that `put` never waits for ever
            frame, written = item
            try:
                self.writer.write(frame)
                written(frame.number)
            except BaseException as error:  # handed to the main thread
                self.error = error
