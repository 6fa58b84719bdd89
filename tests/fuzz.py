"""The fuzz harness: mutated files and hostile words go into every parser; only ScumbleError may come out.

`python tests/fuzz.py [--seconds N] [--target NAME] [--seed N] [--atheris]`

A worker process per round runs one target for a while, so that a crash inside a C library is caught
too and its input kept in `fuzz-found/`. With `--atheris` (Linux, `pip install atheris`) the parsers written in Python are
searched by coverage. Later parsers join by a line in `TARGETS`.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from scumble.core.errors import ScumbleError

Target = Callable[[bytes, Path], None]
FOUND = Path("fuzz-found")


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _look(data: bytes, folder: Path) -> None:
    from scumble.look.bake import bake
    from scumble.look.look import Look

    look = Look.load(_file(folder, "a.look", data))
    look.to_bytes()
    if look.reference is not None:
        bake(look, look.reference)


def _universal(data: bytes, folder: Path) -> None:
    from scumble.network.universal import Universal

    Universal.load(_file(folder, "a.safetensors", data))


def _plate(suffix: str) -> Target:
    def run(data: bytes, folder: Path) -> None:
        from scumble.media.open import open_plate

        plate = open_plate(_file(folder, f"a.{suffix}", data))
        for frame in plate.read(plate.numbers[:20]):
            assert frame.pixels.shape == (plate.size[1], plate.size[0], 3)

    return run


def _settings(data: bytes, folder: Path) -> None:
    from scumble.core.settings import commented, load
    from scumble.rendering.options import RenderSettings

    commented_again = load(_file(folder, "a.toml", data), _settings_class())
    commented(commented_again)
    RenderSettings()


def _settings_class() -> type:
    from scumble.train.settings import TrainSettings

    return TrainSettings


def _limits(data: bytes, folder: Path) -> None:
    from scumble.core.settings import load
    from scumble.quality.qc import Limits

    load(_file(folder, "limits.toml", data), Limits)


def _looks(data: bytes, folder: Path) -> None:
    from scumble.cli.grammar import keyed_looks

    keyed_looks([str(_file(folder, "looks.toml", data))])


def _matte(data: bytes, folder: Path) -> None:
    """Cryptomatte manifests and channels of a header, and any picture as a matte."""
    from scumble.media.open import open_plate
    from scumble.shot.open_matte import parse_matte

    path = _file(folder, "crypto.exr", data)
    plate = open_plate(path)
    parse_matte(str(path), plate).of(plate.numbers[0])
    parse_matte("crypto:cube,tree*", plate).of(plate.numbers[0])


def _cuts(data: bytes, folder: Path) -> None:
    from scumble.shot.cuts import as_text, own_frames, read_cuts

    numbers = tuple(range(1001, 1101))
    shots = read_cuts(_file(folder, "cuts.txt", data), numbers)
    assert sorted(n for own in own_frames(shots, numbers) for n in own) == list(numbers)
    as_text(shots, numbers)


def _statistics(data: bytes, folder: Path) -> None:
    from helpers.corpus import tiny_look

    from scumble.look.bake import bake
    from scumble.look.statistics_file import cached_statistics, keep_statistics, load

    look = tiny_look()
    measured, _ = load(_file(folder, "a.json", data), look, {})
    for shot in measured:
        keep_statistics("fuzz", shot.shot, shot.statistics)
        assert cached_statistics("fuzz", look) is not None
        bake(look, shot.statistics)


def _cached(data: bytes, folder: Path) -> None:
    """What a cache may hold after a crash."""
    from helpers.corpus import tiny_look

    from scumble.core.cache import keep
    from scumble.look.statistics_file import cached_statistics
    from scumble.shot.cuts import cached_shots

    for kind in ("statistics", "shots"):
        keep(kind, "fuzz", {})
        for file in (Path(os.environ["SCUMBLE_CACHE"]) / kind).glob("*.json"):
            file.write_bytes(data)
    cached_statistics("fuzz", tiny_look())
    cached_shots("fuzz")


def _words(data: bytes, folder: Path) -> None:
    """Frame ranges, weights, rates, patterns: what a command line may hold."""
    from scumble.cli.grammar import one_value_each, weighted
    from scumble.core.frames import format_frames, parse_frames, parse_rate
    from scumble.media.pattern import parse_pattern

    text = data.decode("utf-8", "replace").replace("\0", "")
    for parse in (parse_frames, parse_rate, weighted, lambda t: parse_pattern(folder / (t or "a"))):
        try:
            found = parse(text)
        except ScumbleError:
            continue
        if parse is parse_frames and len(found) < 10_000:
            assert parse_frames(format_frames(found)) == found
    one_value_each(text.split(), {"--style"}, {"--overwrite"}, 1)


def _dataset(data: bytes, folder: Path) -> None:
    from scumble.train.data.dataset import Dataset

    dataset = Dataset(_file(folder, "packed.zip", data))
    for record in dataset.records:
        dataset.picture(record)


def _checkpoint(data: bytes, folder: Path) -> None:
    from scumble.train.nn.checkpoint import load

    load(_file(folder, "a.safetensors", data))


# name: (what to run, valid files to start from, whether it is Python enough for coverage guidance)
TARGETS: dict[str, tuple[Target, tuple[str, ...], bool]] = {
    "look": (_look, ("good.look",), True),
    "universal": (_universal, ("universal.safetensors",), False),
    "checkpoint": (_checkpoint, ("good.look",), False),
    "settings": (_settings, ("good.toml",), True),
    "words": (_words, ("words.txt",), True),
    "limits": (_limits, ("limits.toml",), True),
    "looks": (_looks, ("looks.toml",), True),
    "matte": (_matte, ("crypto.exr",), False),
    "cuts": (_cuts, ("cuts.txt",), True),
    "statistics": (_statistics, ("stats.json",), True),
    "cached": (_cached, ("stats.json", "shots.json"), True),
    "dataset": (_dataset, ("packed.zip",), True),
    **{s: (_plate(s), (f"good.{s}",), False) for s in ("png", "jpg", "exr", "tif", "dpx", "webp", "mp4", "mkv")},
}
WORDS = b"1001-1100x2,1150|-5--1|24000/1001|a.jpg:0.5|shot.####.exr|%04d|$F4|@@@@|--style a b -o c|--frames=1"


def seeds(folder: Path) -> None:
    """The valid files to start from."""
    import zipfile

    from helpers.corpus import tiny_look, write_valid
    from helpers.cryptomattes import crypto
    from helpers.pictures import random_statistics

    from scumble.look.statistics_file import Measured, save
    from scumble.network.shape import SIZES
    from scumble.shot.cuts import Shot

    write_valid(folder)
    (folder / "words.txt").write_bytes(WORDS)
    (folder / "limits.toml").write_text("warp_1 = 2.0\nbroken = 3\nsharpness = 0.5\n")
    (folder / "looks.toml").write_text('1001 = "auvers"\n1050 = "mackerel"\n')
    (folder / "cuts.txt").write_text("1001\n1024  # the door\n\n1090\n")
    crypto(folder / "crypto.exr")
    (folder / "shots.json").write_text(
        json.dumps({"shots": [asdict(Shot(1001, 1023)), asdict(Shot(1020, 1090, 4, "dissolve"))]})
    )
    look = tiny_look()
    save(folder / "stats.json", [(look, [Measured(Shot(1001, 1023), random_statistics(look))])], {}, "a plate")
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        table = "file,kind,split,source,licence,author\ncontent/a.webp,content,train,a,CC0,me\n"
        archive.writestr("manifest.csv", table)
        archive.writestr("content/a.webp", (folder / "good.webp").read_bytes())
    try:
        from scumble.train.nn.generator import Generator
        from scumble.train.nn.generator_file import save_generator
    except ImportError:
        return
    save_generator(folder / "universal.safetensors", Generator(SIZES["painter"]["tiny"], code=8), {})


def mutated(data: bytes, rng: random.Random, dictionary: bytes = b"") -> bytes:
    """One of the usual mutations, or several: cut, flip, overwrite, insert, repeat, numbers that hurt."""
    x = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(x) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            del x[at:]
        elif kind == 1 and at < len(x):
            x[at] ^= 1 << rng.randrange(8)
        elif kind == 2 and at < len(x):
            x[at] = rng.randrange(256)
        elif kind == 3:
            del x[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            x[at:at] = rng.randbytes(rng.randrange(1, 32))
        elif kind == 5:
            x[at:at] = x[at : at + rng.randrange(1, 64)]
        elif kind == 6:
            hurt = rng.choice((0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1, 65536))
            x[at : at + 4] = hurt.to_bytes(4, rng.choice(("little", "big")))
        elif dictionary:
            start = rng.randrange(len(dictionary))
            x[at:at] = dictionary[start : start + rng.randrange(1, 16)]
    return bytes(x)


def work(name: str, folder: Path, seconds: float, seed: int) -> int:
    """Run one target for a while in this process; the number of inputs tried."""
    target, files, _ = TARGETS[name]
    rng = random.Random(seed)
    starts = [(folder / f).read_bytes() for f in files if (folder / f).is_file()]
    if not starts:
        return 0
    end, count = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SCUMBLE_CACHE"] = str(Path(scratch) / "cache")
        while time.monotonic() < end:
            data = mutated(rng.choice(starts), rng, WORDS)
            (folder / f"last-{name}").write_bytes(data)  # for whoever finds this process dead
            faulthandler.dump_traceback_later(60, exit=True)  # a hang is a finding as well
            try:
                target(data, Path(scratch))
            except ScumbleError:
                pass
            finally:
                faulthandler.cancel_dump_traceback_later()
            count += 1
    return count


def fuzz(seconds: float, names: list[str], seed: int = 0, round_seconds: float = 10.0) -> list[str]:
    """All targets in turn, each round in a process of its own; what was found, in words."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        seeds(folder)
        end, turn = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            name = names[turn % len(names)]
            length = max(0.5, min(round_seconds, seconds / len(names), end - time.monotonic()))
            arguments = ["--work", name, str(folder), str(length), str(seed * 1_000_003 + turn)]
            done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
            turn += 1
            if done.returncode:
                FOUND.mkdir(exist_ok=True)
                kept = FOUND / f"{name}-{seed}-{turn}"
                kept.write_bytes((folder / f"last-{name}").read_bytes())
                found.append(f"{name}: exit {done.returncode}, input kept as {kept}\n{done.stderr[-2000:]}")
            else:
                print(f"{name:10} {done.stdout.strip()}", flush=True)
    return found


def fuzz_by_coverage(name: str, seconds: float) -> None:
    """One Python parser under atheris; ends the process."""
    import atheris

    target, files, fits = TARGETS[name]
    if not fits:
        sys.exit(f"{name}: its parser is C; run without --atheris")
    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    seeds(folder)
    corpus.mkdir()
    for file in files:
        (corpus / file).write_bytes((folder / file).read_bytes())
    atheris.instrument_all()

    def one(data: bytes) -> None:
        try:
            target(data, folder)
        except ScumbleError:
            return

    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={int(seconds)}", "-max_len=20000"], one)
    atheris.Fuzz()


def main() -> None:
    """See the module's head."""
    if sys.argv[1:2] == ["--work"]:
        name, folder, seconds, seed = sys.argv[2:]
        try:
            print(work(name, Path(folder), float(seconds), int(seed)), "inputs")
        except BaseException:
            traceback.print_exc()
            sys.exit(1)
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--atheris", action="store_true")
    given = parser.parse_args()
    if given.atheris:
        fuzz_by_coverage((given.target or ["settings"])[0], given.seconds)
    found = fuzz(given.seconds, given.target or list(TARGETS), given.seed)
    print("\n".join(found) or "nothing found")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
