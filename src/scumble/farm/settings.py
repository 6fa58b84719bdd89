"""What runs the tasks of a render, each option declared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scumble.core.errors import BadSettings
from scumble.core.options import check, option
from scumble.rendering.options import FARM

if TYPE_CHECKING:  # imported late: `scumble --help` reads this file
    from scumble.farm.run import Mapper

QueueName = Literal["openjd", "deadline", "opencue", "tractor", "flamenco"]

TASKS_A_PLACE = 4  # at least, where there are frames for it

CHUNK = 24  # frames a task: painting them takes several times as long as starting


@dataclass(frozen=True)
class FarmSettings:
    """How a render is spread; by default one process does it."""

    workers: int = option(
        1, "Paint with so many processes of this machine. They share its cores.", panel=FARM, within=(1, 256)
    )
    ray: str = option(
        "", "Paint on the machines of a Ray cluster, as in 10.0.0.5:6379, or local. All must see the same files (needs the"
        " extra farm).", panel=FARM, metavar="ADDRESS|local",
    )  # fmt: skip
    ray_cpus: float = option(
        1.0, "CPU cores that a task of the Ray cluster takes.", panel=FARM, within=(0, 1024), metavar="NUMBER"
    )
    ray_gpus: float = option(
        0.0, "GPUs, or a share of one, that a task of the Ray cluster takes; give --engine torch with it.", panel=FARM,
        within=(0, 64), metavar="NUMBER",
    )  # fmt: skip
    ray_resource: str = option(
        "", "Run only on machines of the Ray cluster that have this resource, as in paint.", panel=FARM, metavar="NAME"
    )
    chunk: int | None = option(
        None, "Frames a task. Starting one takes a few seconds. Default: 24, more for long shots.", panel=FARM, within=(1, 100000),
        unit="frames", metavar="FRAMES",
    )  # fmt: skip
    preview_first: bool = option(
        False, "Paint first, last and middle frame before the others, so that they can be judged early.", panel=FARM
    )

    def __post_init__(self) -> None:
        check(self)
        if self.workers > 1 and self.ray:
            raise BadSettings("--workers is for this machine, --ray for a cluster; give one of them")
        if not self.ray and (self.ray_cpus != 1 or self.ray_gpus or self.ray_resource):
            raise BadSettings(
                "--ray-cpus, --ray-gpus and --ray-resource are for a cluster; give --ray ADDRESS with them"
            )

    def frames_a_task(self, frames: int = 0, places: int = 1) -> int:
        """Where so many frames are for so many places: no place should wait long for the last task."""
        return self.chunk or max(CHUNK, frames // (TASKS_A_PLACE * places))

    @property
    def spreads(self) -> bool:
        """Whether the render becomes tasks."""
        return self.workers > 1 or bool(self.ray) or self.preview_first

    def mapper(self) -> Mapper:
        """What runs them. Raises NotInstalled, ScumbleError."""
        if self.ray:
            from scumble.farm.ray_cluster import RayCluster

            return RayCluster(self.ray, self.ray_cpus, self.ray_gpus, self.ray_resource)
        from scumble.farm.processes import Processes

        return Processes(self.workers)
