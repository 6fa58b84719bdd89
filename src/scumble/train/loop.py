"""The training loop: phases D then G, read from top to bottom.

Shapes: N contents, V views of each (view-major), H x W crops; S the side of style crops.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from scumble.baking import picture_hash
from scumble.bands import Bands
from scumble.errors import BadInput, BadOutput, BadSettings, TrainingFailed
from scumble.files import not_written, written_whole
from scumble.frames import spread
from scumble.network import SIZES
from scumble.nn import bands, checkpoint, files, losses
from scumble.nn.discriminator import PlainDiscriminator, StyleDiscriminator
from scumble.nn.generator import Collapsed, Generator, Moments
from scumble.nn.perceptual import PerceptualFeatures
from scumble.palette import Palette, recolouring
from scumble.settings import to_values
from scumble.train.augment import disguise, random_crops, random_motion, warp
from scumble.train.batches import Batch, Batches, StyleBatch
from scumble.train.dataset import Dataset, Pixels, centre_crop, to_batch, to_pixels
from scumble.train.evaluation import evaluate
from scumble.train.one_style import bands_of, file_of, palette_of, pictures_of
from scumble.train.report import GRIDS, JOURNAL, PREVIEWS, read_journal, write_report
from scumble.train.settings import TrainSettings
from scumble.weights import vgg_path

BEST, RESUME, TRAVEL = "best.safetensors", "resume.safetensors", "travel.safetensors"
CARD, BOARD = "card.json", "tensorboard"
COHERENCE_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
AFFINE_LIMIT = 8.0  # size from which affine terms are pulled back; sound ones are about 1
BROKEN_IN_A_ROW = 20  # gradients that are not finite: more than flat crops explain
REWARM_STEPS = 300  # after a travel checkpoint Adam's moments must be found again
BEYOND = 40.0  # weight of what the content term has beyond that of the start
CALIBRATED = 128  # steps whose styles say what is usual
PREVIEWED = 3  # pictures of a preview
PREVIEW_LINES = 540  # at most, of each


@dataclass(frozen=True)
class Done:
    """How a run ended: steps in all, figures on val of the best checkpoint and on test, its file."""

    steps: int
    best: dict[str, float]
    test: dict[str, float]
    weights: Path
    start: dict[str, dict[str, float]]
    """Figures of the weights that it started from, by split; empty where it started from nothing."""


class Trainer:
    """State of a run; `train` runs it. `step(batch)` does D then G and returns the named terms."""

    def __init__(self, settings: TrainSettings, features: PerceptualFeatures | None = None) -> None:
        s = self.settings = settings
        self.device = device_of(s.run.device)
        self.dtype = torch.bfloat16 if s.run.precision == "bf16" else torch.float32
        torch.manual_seed(s.run.seed)
        if s.run.threads:
            torch.set_num_threads(s.run.threads)
        architecture = replace(SIZES[s.generator.size], skips=s.generator.skips)
        if any(side % architecture.stride for crop in s.data.crops for side in crop):
            raise BadSettings(f"[data] crops: sides must be multiples of the total stride {architecture.stride}")
        if features is None:
            features = PerceptualFeatures.load(s.run.vgg or vgg_path(), "relu4_1", self.dtype)
        self.features = features.to(self.device)
        g = s.generator
        self.generator = Generator(architecture, g.conditioning, g.experts, g.code, sight=g.sight).to(self.device)
        if self.generator.sight is not None:
            self.generator.sight.look_through(self.features)
        if s.generator.start is not None:
            files.start_from(self.generator, s.generator.start)
        self._forget_sides()
        kind = s.discriminator
        self.discriminator: nn.Module = (
            StyleDiscriminator(kind.width, kind.depth, kind.luma)
            if kind.kind == "style"
            else PlainDiscriminator(kind.width, kind.depth)
        ).to(self.device)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        if s.losses.content_held and s.generator.start is not None and s.generator.conditioning != "none":
            raise BadSettings("[losses] content_held: is for one style alone; set generator.conditioning to none")
        # whose content figure is held: a run that goes on reads the same file
        self.start = copy.deepcopy(self.ema) if s.losses.content_held and s.generator.start is not None else None
        if s.run.compiled:
            torch._dynamo.config.recompile_limit = 64  # crops have a few shapes, each a program of its own
            self.generator.run = torch.compile(self.generator.run, dynamic=False)
        self.coherence = nn.ModuleList(
            nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, 64)) for _ in COHERENCE_LAYERS
        ).to(self.device)
        if s.losses.coherence:  # lazy layers take their widths from a first look
            with torch.no_grad():
                seen = self.features(torch.zeros(1, 3, 32, 32, device=self.device), COHERENCE_LAYERS)
                for project, name in zip(self.coherence, COHERENCE_LAYERS, strict=True):
                    project(seen[name].float().mean((2, 3)))
        self.trained = [*self.generator.parameters(), *(self.coherence.parameters() if s.losses.coherence else ())]
        self.adam_g = torch.optim.Adam(self.trained, lr=s.schedule.rate, betas=s.schedule.betas)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), lr=s.schedule.rate_d, betas=s.schedule.betas)
        self.painting = picture_hash(file_of(s.data.style)) if s.data.style else ""
        self.steps = 0
        self.rewarm_from: int | None = None
        self.started = time.monotonic()
        self.spent = 0.0  # seconds of earlier runs
        self.skipped = 0.0  # share of the run that was left out because val got no better
        self.logits = (0.0, 0.0)  # the critic's mean verdict on real and fake in its last step
        self.style_size: dict[str, float] = {}  # running mean of the styles' own statistics, per layer
        self.adversarial_share = 1.0  # cap of D's gradient against the style term's
        self.sums: dict[str, tuple[float, int]] = {}  # of terms since the last line of the journal
        self.broken = 0  # gradients in a row that were not finite
        self.usual_gradient = 0.0  # geometric running mean of the generator's gradient norm
        self.codes: deque[Tensor] = deque(maxlen=64)
        self._content_features: tuple[int, dict[str, Tensor]] | None = None
        self.random = torch.Generator()

    # -- schedule ---------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by minutes, whichever is further."""
        plan = self.settings.schedule
        by_time = 0.0
        if plan.minutes:
            by_time = (self.spent + time.monotonic() - self.started) / (60 * plan.minutes)
        return min(1.0, max(self.steps / plan.steps, by_time) + self.skipped)

    def _set_rates(self, progress: float) -> None:
        plan = self.settings.schedule
        factor = min(1.0, (progress + 1e-3) / plan.warm_up) if plan.warm_up else 1.0
        if plan.decay:
            factor *= 1 - 0.95 * max(0.0, (progress - (1 - plan.decay)) / plan.decay)
        if self.rewarm_from is not None:
            factor *= min(1.0, (self.steps - self.rewarm_from + 1) / REWARM_STEPS)
        for adam, rate in ((self.adam_g, plan.rate), (self.adam_d, plan.rate_d)):
            for group in adam.param_groups:
                group["lr"] = rate * factor
        cooling = min(1.0, progress / plan.mixing_ramp) if plan.mixing_ramp else 1.0
        self.generator.temperature = self.ema.temperature = 4.0 - 3.0 * cooling

    # -- one step ---------------------------------------------------------------------------------

    def step(self, batch: Batch) -> dict[str, float]:
        """Phases D then G on one batch; raises TrainingFailed when a term is not finite."""
        s, progress = self.settings, self.progress
        self._set_rates(progress)
        self.random.manual_seed(s.run.seed * 1_000_003 + self.steps)
        content = batch.content.to(self.device)
        n = content.shape[0] // len(batch.view_weights)
        reports: list[dict[str, Tensor]] = []  # one a style
        gathered: dict[Tensor, Tensor] = {}
        norms: list[float] = []
        for style_batch in batch.styles:
            style = StyleBatch(*(t.to(self.device) for t in style_batch))
            plain, code = self._collapse(style.picture)
            p = self._recolour(content, style, len(batch.view_weights))
            strokes, statistics = self.generator(self._seen(p), plain, None, batch.view_weights)
            y, match, strayed = self._finished(p + strokes.float(), batch.view_weights, style)
            found = {}
            if s.losses.adversarial and progress >= s.schedule.adversarial_from:
                found["d"] = self._phase_d(y.detach(), style)
            y_start = self._painted_by_start(p, batch.view_weights, style)
            key = batch.content_key
            fixed = (statistics, match)
            terms = self._phase_g(content[:n], y, y_start, style, plain, code, fixed, progress, key)
            if strayed is not None and s.losses.bands:
                terms["bands"] = strayed
            # a step between the turns of the only terms asked for changes nothing
            total = losses.weighted_total(terms, self._weights(progress)) if terms else 0 * y.sum()
            found.update(terms, total=total)
            if not all(math.isfinite(float(v.detach())) for v in found.values()):
                names = ", ".join(k for k, v in found.items() if not math.isfinite(float(v.detach())))
                raise TrainingFailed(f"step {self.steps}: the loss {names} is not finite")
            reports.append({name: value.detach() for name, value in found.items()})
            self._gather(total, gathered, norms)
        if self.broken >= BROKEN_IN_A_ROW:
            raise TrainingFailed(f"step {self.steps}: the gradient is not finite, {self.broken} times in a row")
        if gathered:
            for parameter in self.trained:
                held = gathered.get(parameter)
                parameter.grad = None if held is None else held / len(batch.styles)
            self.adam_g.step()
            self._forget_sides()
        self.steps += 1
        decay = min(s.schedule.ema, self.steps / (self.steps + 10))
        with torch.no_grad():
            for average, current in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
                average.lerp_(current, 1 - decay)
        report = {name: float(torch.stack([r[name] for r in reports]).mean()) for name in reports[0]}
        return report | ({"gradient": sum(norms) / len(norms)} if norms else {})

    def _gather(self, total: Tensor, gathered: dict[Tensor, Tensor], norms: list[float]) -> None:
        """Add one style's gradient, clipped, to those of the step's others, unless it is an outlier.

        Styles' norms differ a hundredfold: clipped together, one would be all that the step learns. A content crop
        that is flat to the last bit gives a gradient that is not finite: every layer divides by its deviation.
        """
        self.adam_g.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.generator.parameters(), self.settings.schedule.clip))
        if not math.isfinite(norm):
            self.broken += 1
            return
        self.broken = 0
        norms.append(norm)
        if self._is_spike(norm):
            return
        for parameter in self.trained:
            if parameter.grad is not None:
                held = gathered.get(parameter)
                gathered[parameter] = parameter.grad if held is None else held + parameter.grad

    def _is_spike(self, gradient: float) -> bool:
        """Whether this style is left out: an outlier, even clipped, turns Adam's direction for a hundred steps."""
        limit = self.settings.schedule.spike * self.usual_gradient
        spike = self.steps >= 50 and 0 < limit < gradient  # before that nothing is usual yet
        share = max(0.02, 1 / (self.steps + 1))
        held = max(1e-12, min(gradient, limit) if spike else gradient)
        usual = self.usual_gradient or held  # nothing is known yet, or an old checkpoint does not say
        self.usual_gradient = usual ** (1 - share) * held**share
        return spike

    @torch.no_grad()
    def _forget_sides(self) -> None:
        """Without `generator.sides`: the nearest kernels that half a turn leaves as they are."""
        if not self.settings.generator.sides:
            for kernel in self.generator.kernel.values():
                kernel.copy_((kernel + kernel.flip(-2, -1)) / 2)

    def _collapse(self, picture: Tensor) -> tuple[Collapsed, Tensor | None]:
        if self.generator.conditioning == "none":
            return self.generator.collapse(), None
        style = self.generator.encode(picture)
        return self.generator.collapse(style), style.code[: self.settings.generator.code]

    @torch.no_grad()
    def _painted_by_start(self, p: Tensor, view_weights: tuple[float, ...], style: StyleBatch) -> Tensor | None:
        """What the weights that training started from make of the same crops, where their content is held."""
        if self.start is None:
            return None
        strokes, _ = self.start(p.to(self.dtype), self.start.collapse(), None, view_weights)
        return self._finished(p + strokes.float(), view_weights, style)[0]

    def _finished(
        self, painted: Tensor, view_weights: tuple[float, ...], style: StyleBatch
    ) -> tuple[Tensor, bands.Match | None, Tensor | None]:
        """The first views with their bands matched to the style's, what did it, and how much it had to do.

        It is measured over all views.
        """
        n = painted.shape[0] // len(view_weights)
        if not self.settings.generator.bands:
            return painted[:n], None, None
        if not bool(painted.isfinite().all()):
            raise TrainingFailed(f"step {self.steps}: the painting is not finite")
        of_blurs = bands.blurs(painted)
        match = bands.match_of(of_blurs, style.bands, self.device, view_weights)
        return bands.finished(of_blurs[:n], match), match, bands.strayed(of_blurs[:n], style.bands)

    def _seen(self, p: Tensor) -> Tensor:
        """A recoloured picture as the generator takes it in; compiled, it is faster with channels last."""
        layout = torch.channels_last if self.settings.run.compiled else torch.contiguous_format
        return p.to(self.dtype, memory_format=layout)

    def _recolour(self, content: Tensor, style: StyleBatch, views: int) -> Tensor:
        matrix, offset = style.matrix.repeat(views, 1, 1), style.offset.repeat(views, 1)
        return torch.einsum("nij,njhw->nihw", matrix, content) + offset[:, :, None, None]

    def _weights(self, progress: float) -> dict[str, float]:
        w, plan = self.settings.losses, self.settings.schedule
        ramp = (progress - plan.adversarial_from) / plan.adversarial_ramp if plan.adversarial_ramp else 1.0
        fade = 1 - 0.9 * progress
        return {
            "content": w.content,
            "beyond": BEYOND,
            "style": w.style,
            "variation": w.variation,
            "temporal": w.temporal * (min(1.0, progress / plan.temporal_ramp) if plan.temporal_ramp else 1.0),
            "relief": w.relief,
            "coherence": w.coherence,
            "affine": w.affine,
            "bands": w.bands,
            "identity_pixels": w.identity_pixels * fade,
            "identity_features": w.identity_features * fade,
            "signature": w.signature,
            "adversarial": w.adversarial * max(0.0, min(1.0, ramp)) * self.adversarial_share,
        }

    def _phase_d(self, y: Tensor, style: StyleBatch) -> Tensor:
        """Train the discriminator on crops of the style (real), of the paintings and of another style (fake)."""
        d, crops = self.settings.discriminator, self._crops
        real, fake = crops(torch.cat([style.picture, style.more])), crops(y)
        reference = crops(style.more)
        wrong = [crops(style.other)] if d.mismatched and d.kind == "style" else []
        with self._autocast():
            logits = self.discriminator(torch.cat([real, fake, *wrong]), reference).split(len(real))
        self.logits = (float(logits[0].detach().float().mean()), float(logits[1].detach().float().mean()))
        loss = losses.adversarial_d(logits[:1], logits[1:], d.loss)
        if float(loss.detach()) < d.rests:
            return loss.detach()
        if d.r1 and self.steps % d.r1_every == 0:
            seen = real.detach().float().requires_grad_(True)
            verdict = self.discriminator(seen, reference.float()).mean(dim=(1, 2, 3))  # one score a crop
            loss = loss + d.r1 / 2 * d.r1_every * losses.r1(verdict, seen)
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam_d.step()
        return loss.detach()

    def _crops(self, pictures: Tensor) -> Tensor:
        d = self.settings.discriminator
        side = min(d.crop, *pictures.shape[2:])
        crops = random_crops(pictures, d.crops, side, self.random)
        return disguise(crops, self.random) if d.augment else crops

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def _phase_g(
        self,
        x: Tensor,
        y: Tensor,
        y_start: Tensor | None,
        style: StyleBatch,
        plain: Collapsed,
        code: Tensor | None,
        fixed: tuple[list[Moments], bands.Match | None],
        progress: float,
        key: int,
    ) -> dict[str, Tensor]:
        """The generator's terms by name; terms with weight 0 are left out."""
        w = self.settings.losses
        terms: dict[str, Tensor] = {}
        layers = set(w.content_layers) | set(w.style_layers) | (set(COHERENCE_LAYERS) if w.coherence else set())
        of_y = self.features(y, sorted(layers))
        if w.content or w.coherence:
            of_x = self._features_of_content(x, key, sorted(set(w.content_layers) | (layers & set(COHERENCE_LAYERS))))
        if w.content:
            terms["content"] = self._content_term(of_y, of_x)
            if y_start is not None:
                with torch.no_grad():
                    held = self._content_term(self.features(y_start, sorted(w.content_layers)), of_x)
                terms["beyond"] = F.relu(terms["content"] - held)
        if w.style:
            with torch.no_grad():
                of_s = self.features(style.picture, sorted(w.style_layers))
            terms["style"] = self._style_term(of_y, of_s)
        if w.variation:
            terms["variation"] = losses.total_variation(y, w.variation_reduction)
        if w.affine and self.generator.conditioning == "style":
            terms["affine"] = losses.beyond([*plain.gamma.values(), *plain.beta.values()], AFFINE_LIMIT)
        if w.temporal and self.steps % w.temporal_every == 0:
            terms["temporal"] = self._temporal_term(x, y, style, plain, *fixed)
        if w.relief and (self.steps + 1) % w.temporal_every == 0:  # not on the steps that motion makes dearer
            terms["relief"] = self._relief_term(x, y, style, plain, *fixed)
        if w.coherence:
            places = [self._places(of_y[k], 24) for k in COHERENCE_LAYERS]
            terms["coherence"] = losses.local_coherence(
                [of_y[k] for k in COHERENCE_LAYERS],
                [of_x[k] for k in COHERENCE_LAYERS],
                places,
                list(self.coherence),
            )
        if (w.identity_pixels or w.identity_features) and self.steps % w.identity_every == 0:
            pixels, feature = self._identity_terms(x, style, plain)
            if w.identity_pixels:
                terms["identity_pixels"] = pixels
            if w.identity_features:
                terms["identity_features"] = feature
        if w.signature and code is not None:
            codes, _, _ = self.generator.encoder(y)
            others = torch.stack(list(self.codes)) if self.codes else codes.new_empty((0, codes.shape[1]))
            terms["signature"] = losses.style_signature(codes, code, others)
            self.codes.append(code.detach())
        if w.adversarial and progress >= self.settings.schedule.adversarial_from:
            with self._autocast():
                logits = self.discriminator(self._crops(y), self._crops(style.more))
            terms["adversarial"] = losses.adversarial_g(logits, self.settings.discriminator.loss)
            if w.adversarial_capped and "style" in terms and self.steps % 16 == 0:
                self._cap_adversarial(terms, y)
        return terms

    def _content_term(self, of_y: dict[str, Tensor], of_x: dict[str, Tensor]) -> Tensor:
        w = self.settings.losses
        form = losses.instance_normalised if w.content_normalised else lambda f: f
        return torch.stack([losses.content(form(of_y[k]), form(of_x[k])) for k in w.content_layers]).sum()

    def _features_of_content(self, x: Tensor, key: int, layers: list[str]) -> dict[str, Tensor]:
        """Features of the content crops, kept while consecutive steps use the same ones."""
        if self._content_features is None or self._content_features[0] != key:
            with torch.no_grad():
                self._content_features = (key, self.features(x, layers))
        return self._content_features[1]

    def _style_term(self, of_y: dict[str, Tensor], of_s: dict[str, Tensor]) -> Tensor:
        """Textbook Gram form, or moments and Gram, root of their squared difference over the style's own size.

        Squares would let a few styles rule the gradient: those of low contrast, to which everything is far
        away, and contrasty paintings, whose Gram matrices go with the fourth power. Under the root every
        style and layer pulls about alike. `relative` is the older form: no root, but the usual size of the styles
        (a running mean, floor a quarter of the picture's own) instead of each one's own.
        """
        w = self.settings.losses
        if w.style_kind == "gram":
            return losses.style(of_y, {k: losses.gram(of_s[k]) for k in w.style_layers}, w.style_layers)
        found = []
        for name, weight in w.style_layers.items():
            a, b = losses.statistics(of_y[name]), losses.statistics(of_s[name])
            moments = losses.moment_difference(a.moments, b.moments)
            for key, own, difference in (
                (f"{name} moments", b.mean.square().mean() + b.deviation.square().mean(), moments),
                (f"{name} gram", b.gram.square().mean(), (a.gram - b.gram).square().mean()),
            ):
                if w.style_kind == "root":
                    found.append(weight * losses.rooted(difference / own))
                    continue
                size = float(own)
                usual = self.style_size.get(key, size)
                self.style_size[key] = usual = 0.99 * usual + 0.01 * min(size, 4 * usual)
                found.append(weight * difference / max(usual, size / 4))
        return torch.stack(found).mean()

    def _temporal_term(
        self,
        x: Tensor,
        y: Tensor,
        style: StyleBatch,
        plain: Collapsed,
        statistics: list[Moments],
        match: bands.Match | None,
    ) -> Tensor:
        """|G(warp(x) + n) - warp(G(x))| on half of the pictures, with the same frozen statistics for both."""
        m = max(1, len(x) // 2)
        grid, inside = (t.to(self.device) for t in random_motion(m, (x.shape[2], x.shape[3]), self.random))
        noise = torch.randn(x[:m].shape, generator=self.random).to(self.device)
        amount = 0.001 + 0.019 * torch.rand((m, 1, 1, 1), generator=self.random).to(self.device) ** 2
        gain = 1 + 0.1 * (torch.rand((m, 1, 1, 1), generator=self.random).to(self.device) - 0.5)
        moved = (warp(x[:m], grid) * gain).clamp(0, 1) + noise * amount
        painted = self._painted_again(moved, style, plain, statistics, match)
        return losses.compound_temporal(painted, warp(y[:m], grid) * gain, inside)

    def _relief_term(
        self,
        x: Tensor,
        y: Tensor,
        style: StyleBatch,
        plain: Collapsed,
        statistics: list[Moments],
        match: bands.Match | None,
    ) -> Tensor:
        """|turn(G(turn(x))) - G(x)| for half a turn, on half of the pictures, with the same frozen statistics for both.

        Edges that are bright on one side and dark on the other as if lit from there change sides under half a turn.
        Strokes, hatching and the grain of a canvas do not: they keep their direction.
        """
        m = max(1, len(x) // 2)
        turned = self._painted_again(x[:m].flip(2, 3), style, plain, statistics, match).flip(2, 3)
        return losses.compound_temporal(turned, y[:m], torch.ones_like(y[:m, :1]))

    def _painted_again(
        self, x: Tensor, style: StyleBatch, plain: Collapsed, statistics: list[Moments], match: bands.Match | None
    ) -> Tensor:
        """The first pictures, changed, painted by the function that painted them: statistics and match are frozen."""
        m = len(x)
        part = style._replace(matrix=style.matrix[:m], offset=style.offset[:m])
        p = self._recolour(x, part, 1)
        frozen = [Moments(t.mean[:m].detach(), t.variance[:m].detach()) for t in statistics]
        strokes, _ = self.generator(self._seen(p), plain, frozen)
        painted: Tensor = p + strokes.float()
        return painted if match is None else bands.finished(bands.blurs(painted), match.of(m))

    def _identity_terms(self, x: Tensor, style: StyleBatch, plain: Collapsed) -> tuple[Tensor, Tensor]:
        """G(s, s) = s and, with a style-conditioned generator, G(c, c) = c; the palette map is the identity."""
        cases = [(style.picture[:, :, : style.picture.shape[2] // 8 * 8, : style.picture.shape[3] // 8 * 8], plain)]
        if self.generator.conditioning == "style":
            cases.append((x[:1], self._collapse(x[:1])[0]))
        pixels, features = [], []
        for picture, own in cases:
            strokes, _ = self.generator(self._seen(picture), own)
            same = picture + strokes.float()
            layers = sorted(self.settings.losses.content_layers)
            with torch.no_grad():
                wanted = self.features(picture, layers)
            a, b = losses.identity(same, picture, self.features(same, layers), wanted)
            pixels.append(a)
            features.append(b)
        return torch.stack(pixels).mean(), torch.stack(features).mean()

    def _places(self, features: Tensor, count: int) -> Tensor:
        h, w = features.shape[2:]
        rows = torch.randint(1, h - 1, (count,), generator=self.random)
        columns = torch.randint(1, w - 1, (count,), generator=self.random)
        return torch.stack([rows, columns], dim=1).to(features.device)

    def _cap_adversarial(self, terms: dict[str, Tensor], y: Tensor) -> None:
        """Keep D's gradient at the painting below the style term's (measured now and then)."""
        w = self.settings.losses
        (by_style,) = torch.autograd.grad(w.style * terms["style"], y, retain_graph=True)
        (by_d,) = torch.autograd.grad(w.adversarial * terms["adversarial"], y, retain_graph=True)
        share = float(by_style.norm() / by_d.norm().clamp(min=1e-12))
        self.adversarial_share = 0.5 * self.adversarial_share + 0.5 * min(1.0, share)

    # -- the journal's means ----------------------------------------------------------------------

    def take_down(self, report: dict[str, float]) -> None:
        """Add a step's terms, and the critic's verdicts where it was asked, to the running means."""
        critic = dict(zip(("d_real", "d_fake"), self.logits, strict=True)) if "d" in report else {}
        for name, value in (report | critic).items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value, count + 1)

    def means(self) -> dict[str, float]:
        """Mean of each term since this was asked last; some terms have their turn every few steps only."""
        found = {name: total / count for name, (total, count) in sorted(self.sums.items())}
        self.sums = {}
        return found

    # -- checkpoints ------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Where the run stands, as plain values."""
        return {
            "kind": "checkpoint",
            "architecture": asdict(self.generator.architecture),
            "conditioning": self.generator.conditioning,
            "temperature": self.generator.temperature,
            "step": self.steps,
            "seconds": self.spent + time.monotonic() - self.started,
            "settings": _portable(self.settings),
            "style_size": self.style_size,
            "adversarial_share": self.adversarial_share,
            "usual_gradient": self.usual_gradient,
            "rewarm_from": self.rewarm_from,
            "skipped": self.skipped,
            "painting": self.painting,
        }

    def save_resume(self, path: Path) -> None:
        """All that an exact continuation on one machine needs."""
        tensors = {
            **checkpoint.prefixed("generator", self.generator.state_dict()),
            **checkpoint.prefixed("ema", self.ema.state_dict()),
            **checkpoint.prefixed("discriminator", self.discriminator.state_dict()),
            **checkpoint.prefixed("adam_g", checkpoint.adam_tensors(self.generator, self.adam_g)),
            **checkpoint.prefixed("adam_d", checkpoint.adam_tensors(self.discriminator, self.adam_d)),
        }
        if self.settings.losses.coherence:
            tensors |= checkpoint.prefixed("coherence", self.coherence.state_dict())
            tensors |= checkpoint.prefixed("adam_c", checkpoint.adam_tensors(self.coherence, self.adam_g))
        if self.codes:
            tensors["codes"] = torch.stack(list(self.codes))
        checkpoint.save(path, tensors, self.facts() | {"sums": self.sums})

    def save_travel(self, path: Path) -> None:
        """Averaged and current weights and the discriminator in float16, without moments."""
        tensors = {
            **checkpoint.prefixed("generator", self.generator.state_dict()),
            **checkpoint.prefixed("ema", self.ema.state_dict()),
            **checkpoint.prefixed("discriminator", self.discriminator.state_dict()),
        }
        checkpoint.save(path, checkpoint.half(tensors), self.facts() | {"kind": "travel"})

    def load(self, path: Path) -> None:
        """Continue from a resume or travel checkpoint."""
        tensors, facts = checkpoint.load(path)
        if facts.get("kind") not in ("checkpoint", "travel"):
            raise BadInput(f"{path}: weights, not a checkpoint; name resume.safetensors or travel.safetensors of a run")
        if facts.get("painting", self.painting) != self.painting:
            raise BadSettings(f"{path}: trained on another painting than {self.settings.data.style}; name that one")
        widen = {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
        exact = facts["kind"] == "checkpoint"
        parts = {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}
        if exact and self.settings.losses.coherence:
            parts["coherence"] = self.coherence
        for part, module in parts.items():
            try:
                module.load_state_dict(checkpoint.under(widen, part))
            except RuntimeError as error:
                raise BadSettings(f"{path}: made with other settings for the {part}; use its own settings") from error
        if exact:
            checkpoint.load_adam(self.generator, self.adam_g, checkpoint.under(widen, "adam_g"))
            checkpoint.load_adam(self.discriminator, self.adam_d, checkpoint.under(widen, "adam_d"))
            if self.settings.losses.coherence:
                checkpoint.load_adam(self.coherence, self.adam_g, checkpoint.under(widen, "adam_c"))
        if "codes" in widen:
            self.codes.extend(widen["codes"].to(self.device).unbind(0))
        try:
            self.steps = int(facts["step"])
            self.spent = float(facts["seconds"])
            self.style_size = dict(facts["style_size"])
            self.adversarial_share = float(facts["adversarial_share"])
            self.generator.temperature = self.ema.temperature = float(facts["temperature"])
            self.usual_gradient = float(facts.get("usual_gradient", 0.0))
            self.sums = {name: (float(t), int(n)) for name, (t, n) in facts.get("sums", {}).items()}
            self.rewarm_from = facts.get("rewarm_from") if exact else self.steps
            self.skipped = float(facts.get("skipped", 0.0))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}: its facts are not those of a checkpoint ({error}); take an earlier one") from error


def reference_photograph() -> Image.Image:
    """The photograph that is pooled into every shot's statistics (its source: data/SOURCES.md)."""
    with resources.files("scumble").joinpath("data/reference.webp").open("rb") as f:
        return Image.open(f).convert("RGB")


def evaluation_pairs(
    dataset: Dataset, split: str, count: int, side: int, style: Path | None
) -> list[tuple[Pixels, Pixels]]:
    """`count` pairs of content and style of a split, the same at every call."""
    contents = dataset.of("content", split)
    if style is not None:
        shown = pictures_of(style, split, count)
    else:
        styles = dataset.of("style", split)
        shown = [dataset.picture(styles[i * 5 % len(styles)]) for i in range(count)]
    pairs = []
    for i in range(count):
        content = centre_crop(dataset.picture(contents[i * 7 % len(contents)]), side)
        pairs.append((content, centre_crop(shown[i % len(shown)], side)))
    return pairs


def train(
    settings: TrainSettings,
    resume: Path | None = None,
    features: PerceptualFeatures | None = None,
    say: Callable[[str], None] = print,
    stop_at: int | None = None,
    overwrite: bool = False,
    again: str = "",
) -> Done | None:
    """Train to the end of the schedule; `settings.run.output` receives checkpoints, scalars, grids, card and report.

    `resume` is a checkpoint, or the folder of a run, which begins anew where it has no checkpoint yet.
    From another folder than the output, the run so far is brought over. At step `stop_at`, or on SIGINT
    and SIGTERM, the run is saved after the step in hand and None is returned, or SystemExit raised: going
    on from there gives the same bits as never having stopped (CPU, one precision and thread count, a
    schedule in steps). `again` are the words by which the caller's user goes on. Raises BadOutput for a
    folder that holds a run already, TrainingFailed on a non-finite loss, naming the last good checkpoint.
    """
    run, plan = settings.run, settings.schedule
    output = run.output
    again = again or f"--resume {output}"
    best_file, resume_file = output / BEST, output / RESUME
    resume = _checkpoint_of(resume, say)
    going_on = resume is not None and resume.resolve().parent == output.resolve()
    if not going_on and not overwrite:
        refuse_a_run(output, again)
    dataset = Dataset(settings.data.dataset, settings.data.few)
    own_palette = None if settings.data.style is None else palette_of(settings.data.style)
    own_bands = None if settings.data.style is None else bands_of(settings.data.style, settings.generator.curves)
    pairs = {
        split: evaluation_pairs(dataset, split, run.evaluate_pairs, run.evaluate_side, settings.data.style)
        for split in ("val", "test")
    }
    trainer = Trainer(settings, features)
    if resume is not None:
        trainer.load(resume)
    recipe = settings.generator
    batches = Batches(
        dataset, settings.data, run.seed, plan.pooled, reference_photograph(), recipe.palette, recipe.curves
    )
    sight = trainer.generator.sight
    if sight is not None and resume is None and not bool(sight.usual.any()):
        styles = (style.picture for i in range(CALIBRATED) for style in batches.batch(i).styles)
        sight.calibrate(picture.to(trainer.device) for picture in styles)
        trainer.ema.load_state_dict(trainer.generator.state_dict())
    with _written(output):
        output.mkdir(parents=True, exist_ok=True)
        for left in output.glob(".*.part*"):  # of a run that was killed while it wrote
            left.unlink()
        if not going_on:
            _clear(output)
            if resume is not None:
                _bring(resume.parent, output)

    def save() -> None:
        trainer.save_resume(resume_file)
        trainer.save_travel(output / TRAVEL)

    with (
        _Journal(output, trainer.steps) as journal,
        closing(batches.stream(trainer.steps)) as stream,
        Signals() as signals,
    ):
        best: dict[str, float] = {}
        best_at = 0
        if resume is not None and best_file.is_file():
            known = checkpoint.load(best_file)[1]
            best, best_at = dict(known.get("val", {})), int(known.get("best_at", known.get("step", 0)))

        def look_at(split: str) -> dict[str, float]:
            seen = evaluate(
                trainer.ema,
                trainer.features,
                pairs[split],
                settings.generator.palette,
                run.composite_style,
                style_palette=own_palette,
                band_match=settings.generator.bands,
                style_bands=own_bands,
                curves=recipe.curves,
            )
            journal.figures(trainer.steps, split, seen.figures, seen.grid)
            return seen.figures

        def keep(figures: dict[str, float]) -> dict[str, float]:
            nonlocal best_at
            known = best.get("composite", math.nan)
            if math.isfinite(known) and not figures["composite"] < known:  # so that NaN never wins
                return best
            if best and figures["content"] > limit:
                return best
            best_at = trainer.steps
            files.save_generator(best_file, trainer.ema, trainer.facts() | {"val": figures})
            return figures

        limit = math.inf  # of val's content figure
        start = journal.start
        if settings.generator.start is not None and not start and trainer.steps == 0:
            start = {split: look_at(split) for split in ("val", "test")}
            best = keep(start["val"])
        # where the start's figure is not known, nothing is held
        if settings.losses.content_held and start:
            limit = start["val"]["content"] * (1 + settings.losses.content_held)

        contents = dataset.of("content", "train")
        shown = [dataset.picture(contents[i]) for i in spread(range(len(contents)), PREVIEWED)]

        def preview() -> None:
            if own_palette is None or own_bands is None or trainer.generator.conditioning != "none":
                return  # of one style alone
            if run.preview_seconds:
                journal.preview(trainer.steps, painted_whole(trainer, shown, own_palette, own_bands))

        if not going_on:
            preview()
        previewed = time.monotonic()
        last_good = str(resume) if resume is not None else "none yet"
        saved = evaluated = time.monotonic()
        since = trainer.steps
        pace = _Pace(trainer)
        for _, batch in stream:
            if trainer.progress >= 1:
                break
            if signals.asked or (stop_at is not None and trainer.steps >= stop_at):
                save()
                say(f"stopped at step {trainer.steps}, {trainer.progress:.0%}; go on with {again}")
                if signals.asked:
                    raise SystemExit(128 + signals.asked)
                return None
            try:
                report = trainer.step(batch)
            except TrainingFailed as error:
                raise TrainingFailed(f"{error}; the last good checkpoint is {last_good}") from None
            trainer.take_down(report)
            if trainer.steps % run.log_every == 0:
                journal.terms(trainer.steps, trainer.means())
            if trainer.steps % run.evaluate_every == 0:
                speed = (trainer.steps - since) / (time.monotonic() - evaluated)
                figures = look_at("val")
                best = keep(figures)
                evaluated, since = time.monotonic(), trainer.steps
                words = "  ".join(f"{k} {v:.3f}" for k, v in figures.items())
                say(f"step {trainer.steps}  {trainer.progress:.0%}  val: {words}  ({speed:.1f} steps/s)")
                waited = (trainer.steps - best_at) / trainer.steps * trainer.progress  # as a share of the whole run
                left_out = 1 - plan.decay - trainer.progress
                if plan.patience and waited > plan.patience and left_out > 0:
                    say(f"val has not got better since step {best_at}: on to the final decay")
                    trainer.skipped += left_out
            elif line := pace.line():
                say(line)
            if time.monotonic() - previewed > run.preview_seconds:
                preview()
                previewed = time.monotonic()
            if time.monotonic() - saved > 60 * run.save_minutes or (best and not resume_file.exists()):
                save()
                last_good, saved = str(resume_file), time.monotonic()
        best = keep(look_at("val"))
        save()
        files.load_generator_into(trainer.ema, best_file)
        preview()
        test = look_at("test")
    card = trainer.facts() | {"val": best, "best_at": best_at, "test": test, "pictures": _counts(dataset)}
    if start:
        card["start"] = start
    with written_whole(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2), "utf-8")
    files.save_generator(best_file, trainer.ema, card)
    write_report(output)
    return Done(trainer.steps, best, test, best_file, start)


@torch.no_grad()
def painted_whole(
    trainer: Trainer, pictures: Sequence[Image.Image], style_palette: Palette, style_bands: Bands
) -> Tensor:
    """Whole pictures beside what the averaged weights make of them, one under the other: (3, H, W) in [0, 1].

    For a generator of one style; a picture's own statistics and colours stand in for its shot's.
    """
    stride = trainer.generator.architecture.stride
    rows = []
    for picture in pictures:
        factor = min(1.0, PREVIEW_LINES / picture.height)
        width, height = (max(stride, round(n * factor) // stride * stride) for n in picture.size)
        pixels = to_pixels(picture.resize((width, height), Image.Resampling.LANCZOS))
        x = torch.from_numpy(to_batch([pixels])).to(trainer.device)
        p = x
        if trainer.settings.generator.palette:
            matrix, offset = recolouring(Palette.measure(pixels), style_palette)
            t, o = (torch.from_numpy(a.astype(np.float32)).to(trainer.device) for a in (matrix, offset))
            p = torch.einsum("ij,njhw->nihw", t, x) + o.view(1, 3, 1, 1)
        strokes, _ = trainer.ema(p.to(trainer.dtype), trainer.ema.collapse())
        y = p + strokes.float()
        if trainer.settings.generator.bands:
            y, _ = bands.matched(y, style_bands)
        rows.append(torch.cat([x[0], y[0].clamp(0, 1)], dim=2).cpu())
    widest = max(row.shape[2] for row in rows)
    return torch.cat([F.pad(row, (0, widest - row.shape[2])) for row in rows], dim=1)


def device_of(name: str) -> torch.device:
    """The device of that name, or the best for `auto`. Raises BadSettings where there is none such."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        words = str(error).splitlines()[0]
        raise BadSettings(f"device {name!r} cannot be used ({words}); give cpu, or auto") from error
    return device


class _Pace:
    """How fast a run goes and how long it will take, now and then: a log is not left silent between evaluations."""

    EVERY = 60.0  # seconds between lines; the first comes earlier
    FIRST = 10.0

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.steps, self.progress, self.began = trainer.steps, trainer.progress, time.monotonic()
        self.due = self.began + self.FIRST

    def line(self) -> str:
        """The line that is due, or nothing."""
        now, trainer = time.monotonic(), self.trainer
        if now < self.due:
            return ""
        self.due = now + self.EVERY
        spent, done = now - self.began, trainer.progress - self.progress
        speed = f"{(trainer.steps - self.steps) / spent:.1f} steps/s"
        left = f", {spent * (1 - trainer.progress) / done / 60:.0f} min left" if done > 0 else ""
        return f"step {trainer.steps}  {trainer.progress:.0%}  ({speed}{left})"


def refuse_a_run(folder: Path, again: str) -> None:
    """Raises BadOutput where a folder holds a run that would be lost."""
    if (folder / JOURNAL).exists() and not _only_begun(folder):
        raise BadOutput(f"{folder}: holds a run already; go on with {again}, or give --overwrite")


def _checkpoint_of(resume: Path | None, say: Callable[[str], None]) -> Path | None:
    """The checkpoint to go on from: the one given, or a run folder's exact one, else its travel one."""
    if resume is None or not resume.is_dir():
        if resume is not None and not resume.is_file():
            raise BadInput(f"{resume}: no such checkpoint; name {RESUME}, or the folder of a run")
        return resume
    for name in (RESUME, TRAVEL):
        if (resume / name).is_file():
            return resume / name
    if not _only_begun(resume):
        raise BadInput(f"{resume}: no run to go on with in this folder; name one that scumble train has written")
    say(f"{resume}: no checkpoint yet, beginning anew")
    return None


def _only_begun(folder: Path) -> bool:
    """A run that was killed before its first checkpoint has nothing to lose."""
    return (folder / JOURNAL).exists() and not any((folder / name).exists() for name in (RESUME, TRAVEL, CARD))


def _clear(folder: Path) -> None:
    """Take away what a run writes, and nothing else."""
    for name in (BEST, RESUME, TRAVEL, CARD, JOURNAL, "report.html", "val.png", "test.png"):
        (folder / name).unlink(missing_ok=True)
    for name in (BOARD, GRIDS, PREVIEWS):
        shutil.rmtree(folder / name, ignore_errors=True)


def _bring(source: Path, folder: Path) -> None:
    """A run that goes on elsewhere takes its past along: the best weights so far, journal, grids and curves."""
    for name in (BEST, JOURNAL):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for name in (BOARD, GRIDS, PREVIEWS):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Failed writes of the run's own files as one sentence."""
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error


class Signals:
    """SIGINT and SIGTERM are taken down while a step is under way; a second one is obeyed at once."""

    def __enter__(self) -> Signals:
        self.asked = 0
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, _: object) -> None:
        if self.asked:
            raise SystemExit(128 + number)
        self.asked = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class _Journal:
    """What a run writes down: TensorBoard, `metrics.jsonl`, and every evaluation's grid.

    A run that goes on from step `first` drops what was written of later steps: it will see them again.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.folder = folder
        path = folder / JOURNAL
        kept = [line for line in read_journal(path) if line["step"] <= first] if first else []
        self.seen = {(line["step"], line["split"]) for line in kept if "split" in line}
        firsts = [line for line in kept if "split" in line and line["step"] == 0]
        self.start = {str(f["split"]): {k: v for k, v in f.items() if k not in ("step", "split")} for f in firsts}
        """Figures of the weights that the run began with, by split."""
        with written_whole(path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        with _written(folder):
            (folder / GRIDS).mkdir(exist_ok=True)
            self.board = SummaryWriter(str(folder / BOARD), purge_step=first + 1 if first else None)
            self.lines = path.open("a", encoding="utf-8")

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with _written(self.folder) if kind is None else suppress(OSError):
            self.lines.close()
            self.board.close()

    def terms(self, step: int, report: dict[str, float]) -> None:
        """A training step's named terms."""
        with _written(self.folder):
            for name, value in report.items():
                self.board.add_scalar(f"train/{name}", value, step)
            self._line({"step": step, **report})

    def figures(self, step: int, split: str, figures: dict[str, float], grid: Tensor) -> None:
        """An evaluation: figures and the grid (3, H, W) of content, style, painting; once a step and split."""
        if (step, split) in self.seen:
            return
        self.seen.add((step, split))
        codes = (grid.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with _written(self.folder):
            for name, value in figures.items():
                self.board.add_scalar(f"{split}/{name}", value, step)
            self.board.add_image(f"{split}/content, style, painting", grid, step)
            Image.fromarray(codes).save(self.folder / f"{split}.png")
            Image.fromarray(codes).save(self.folder / GRIDS / f"{split}_{step:07d}.jpg", quality=90)
            self._line({"step": step, "split": split, **figures})

    def preview(self, step: int, picture: Tensor) -> None:
        """Whole pictures and their paintings (3, H, W)."""
        codes = (picture.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with _written(self.folder):
            (self.folder / PREVIEWS).mkdir(exist_ok=True)
            Image.fromarray(codes).save(self.folder / PREVIEWS / f"{step:07d}.jpg", quality=88)
            self.board.add_image("preview", picture, step)

    def _line(self, values: dict[str, Any]) -> None:
        self.lines.write(json.dumps(values) + "\n")
        self.lines.flush()  # whoever follows the run, or finds it killed, has every line


def _portable(settings: TrainSettings) -> dict[str, Any]:
    """Settings as plain values with file names for paths: facts travel, folders of one machine do not."""
    values = to_values(settings)
    for table, key in (("data", "dataset"), ("data", "style"), ("generator", "start")):
        if key in values[table]:
            values[table][key] = Path(values[table][key]).name
    for key in ("output", "vgg", "threads"):
        values["run"].pop(key, None)
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def _counts(dataset: Dataset) -> dict[str, int]:
    counts: dict[str, int] = {}
    for r in dataset.records:
        counts[f"{r.kind} {r.split}"] = counts.get(f"{r.kind} {r.split}", 0) + 1
    return counts
