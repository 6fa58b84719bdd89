"""The training loop: from the first batch to the report."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from scumble.core.progress import Listener, ignore
from scumble.train import checkpoints
from scumble.train.data.batches import Batches
from scumble.train.data.dataset import Dataset
from scumble.train.evaluation import Judge
from scumble.train.gan import Gan
from scumble.train.gan_run import GanRun, TrainingResult
from scumble.train.gan_step import gan_step
from scumble.train.group import Group
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.run_folder import beginning_of, open_folder
from scumble.train.settings import TrainSettings
from scumble.train.start import examples_of, features_of, say_what_is_slow, styles_of


def train(
    settings: TrainSettings,
    resume: Path | None = None,
    features: PerceptualFeatures | None = None,
    tell: Listener = ignore,
    stop_at: int | None = None,
    overwrite: bool = False,
    again: str = "",
    group: Group | None = None,
) -> TrainingResult | None:
    """Train to the end of the schedule in the folder `settings.run.output`; None where it stopped at step `stop_at`.

    `resume` is a checkpoint or a run's folder: going on gives the same bits as never having stopped (CPU, one
    precision and thread count, a schedule in steps). In a `group` of processes all but the first one return None.
    SIGINT and SIGTERM save, then raise SystemExit. Raises BadOutput for a folder that holds another run,
    TrainingFailed for a loss that is not finite.
    """
    group = group or Group()
    tell = tell if group.leads else ignore
    output, again = settings.run.output, again or f"--resume {settings.run.output}"
    checkpoint, goes_on = beginning_of(output, resume, overwrite, again, tell)
    dataset = Dataset(settings.data.dataset, settings.data.few)
    judge, features = Judge(settings, dataset), features or features_of(settings)
    group.join(next(features.buffers()).device)
    try:
        with group.first_alone():  # the styles are measured once, and kept on disk
            styles = styles_of(dataset, settings, features, tell)
        examples = examples_of(settings, styles)
        if examples is not None:
            styles = examples.added_to(styles, features)
        gan = Gan(settings, styles, features, group)
        say_what_is_slow(gan, tell)
        facts = {} if checkpoint is None else checkpoints.load(gan, checkpoint)
        group.meet()  # before the folder changes, all have read what they go on from
        batches = Batches.of_run(settings, dataset, gan.styles, group.place, examples)
        if not group.leads:
            _follow(gan, batches)
            return None
        run = GanRun(gan, dataset, judge, tell, again)
        if checkpoint is not None:  # refused, if its facts are not in order, before the folder is touched
            run.take_up(facts, checkpoint)
        open_folder(output, checkpoint, goes_on)
        return _lead(gan, run, batches, stop_at)
    finally:
        group.leave()


def _lead(gan: Gan, run: GanRun, batches: Batches, stop_at: int | None) -> TrainingResult | None:
    """The loop of the process that judges, saves and writes; alone, of the whole training."""
    with run, closing(batches.stream(gan.steps)) as stream:
        run.begin()
        in_step = False
        try:
            for _, batch in stream:
                if run.is_over:
                    break
                if run.is_stopped(stop_at):
                    return None
                progress = run.progress
                gan.group.lead(progress)
                in_step = True  # what breaks here breaks the others too, or leaves them to their own end
                terms = gan_step(gan, batch, progress)
                in_step = False
                run.log(terms)
                if run.is_due("evaluation"):
                    run.judged(run.figures("val"), "val")
                if run.is_due("preview"):
                    run.preview()
                if run.is_due("save"):
                    run.save()
        finally:
            if not in_step:
                gan.group.lead(1.0, goes_on=False)
        return run.finish()


def _follow(gan: Gan, batches: Batches) -> None:
    """The loop of the other processes: they learn what the first one says, and write nothing."""
    with closing(batches.stream(gan.steps)) as stream:
        for _, batch in stream:
            progress = gan.group.follow()
            if progress is None:
                return
            gan_step(gan, batch, progress)
