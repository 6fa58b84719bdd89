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
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.run_folder import beginning_of, open_folder
from scumble.train.settings import TrainSettings
from scumble.train.start import features_of, say_what_is_slow, styles_of


def train(
    settings: TrainSettings,
    resume: Path | None = None,
    features: PerceptualFeatures | None = None,
    tell: Listener = ignore,
    stop_at: int | None = None,
    overwrite: bool = False,
    again: str = "",
) -> TrainingResult | None:
    """Train to the end of the schedule in the folder `settings.run.output`; None where it stopped at step `stop_at`.

    `resume` is a checkpoint or a run's folder: going on gives the same bits as never having stopped (CPU, one
    precision and thread count, a schedule in steps). SIGINT and SIGTERM save, then raise SystemExit. Raises BadOutput
    for a folder that holds another run, TrainingFailed for a loss that is not finite.
    """
    output, again = settings.run.output, again or f"--resume {settings.run.output}"
    checkpoint, goes_on = beginning_of(output, resume, overwrite, again, tell)
    dataset = Dataset(settings.data.dataset, settings.data.few)
    judge, features = Judge(settings, dataset), features or features_of(settings)
    gan = Gan(settings, styles_of(dataset, settings, features, tell), features)
    say_what_is_slow(gan, tell)
    facts = {} if checkpoint is None else checkpoints.load(gan, checkpoint)
    batches = Batches.of_run(settings, dataset, gan.styles)
    run = GanRun(gan, dataset, judge, tell, again)
    if checkpoint is not None:  # refused, if its facts are not in order, before the folder is touched
        run.take_up(facts, checkpoint)
    open_folder(output, checkpoint, goes_on)
    with run, closing(batches.stream(gan.steps)) as stream:
        run.begin()
        for _, batch in stream:
            if run.is_over:
                break
            if run.is_stopped(stop_at):
                return None
            run.log(gan_step(gan, batch, run.progress))
            if run.is_due("evaluation"):
                run.judged(run.figures("val"), "val")
            if run.is_due("preview"):
                run.preview()
            if run.is_due("save"):
                run.save()
        return run.finish()
