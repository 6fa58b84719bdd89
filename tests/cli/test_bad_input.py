"""Bad input through the installed command line: one sentence with file and remedy, exit code 2, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.command import scumble
from helpers.corpus import write_broken, write_valid
from helpers.pictures import SAMPLES

from scumble.train.data.dataset import PACKED  # noqa: F401  (the extra `train` must be there)

CLIP, PAINTING = SAMPLES / "sintel_walk.mp4", SAMPLES / "vangogh_auvers.jpg"
# {c} is the corpus, {o} an empty folder for outputs
RENDER = "render {c}/INPUT --look identity -o {o}/out.####.png"


def render(source: str, *more: str) -> str:
    return " ".join(["render", "{c}/" + source, "--look identity -o {o}/out.####.png", *more])


# command, words that the sentence must have
CASES: dict[str, tuple[str, str]] = {
    # plates: stills
    "missing": (render("nobody.png"), "nobody.png: no such file; check"),
    "empty png": (render("empty.png"), "empty.png file is empty"),
    "empty exr": (render("empty.exr"), "empty.exr file is empty"),
    "text as png": (render("text.png"), "text.png not a picture"),
    "zip as png": (render("zip.png"), "zip.png not a picture"),
    "zip as exr": (render("zip.exr"), "zip.exr not a picture"),
    "truncated png": (render("truncated.png"), "truncated.png damaged another copy"),
    "truncated jpg": (render("truncated.jpg"), "truncated.jpg"),
    "truncated exr": (render("truncated.exr"), "truncated.exr damaged"),
    "truncated tif": (render("truncated.tif"), "truncated.tif"),
    "truncated dpx": (render("truncated.dpx"), "truncated.dpx damaged"),
    "truncated webp": (render("truncated.webp"), "truncated.webp"),
    "40000 x 40000": (render("huge.png"), "huge.png"),
    "0 x 0": (render("nothing.png"), "nothing.png"),
    "deep": (render("deep.exr"), "deep.exr flatten"),
    "unsupported": ("render {c}/good.gif --look identity -o {o}/a.png", "good.gif .gif not a format .png"),
    "no suffix": ("render {c}/good --look identity -o {o}/a.png", "good no suffix"),
    "empty folder": (render("folder.png"), "folder.png empty folder"),
    # plates: sequences
    "missing sequence": (render("nobody.####.png"), "nobody.####.png no frame"),
    "wrong digits": (render("plate.#####.png"), "plate.#####.png digits"),
    "hole": (render("hole.####.png"), "hole frame 3 missing --frames 1-2,4"),
    "sizes": (render("sizes.####.png"), "sizes.0003.png frame 3 64x40 64x48"),
    "rotten frame": (render("rotten.####.png"), "frame 2: rotten.0002.png damaged"),
    "two sequences": (render("."), "several sequences"),
    # plates: movies
    "missing mp4": (render("nobody.mp4"), "nobody.mp4: no such file"),
    "empty mp4": (render("empty.mp4"), "empty.mp4 empty"),
    "text as mp4": (render("text.mp4"), "text.mp4 not a movie"),
    "zip as mkv": (render("zip.mkv"), "zip.mkv not a movie"),
    "picture as mp4": (render("picture.mp4"), "picture.mp4 a picture suffix"),
    "folder as mp4": (render("folder.mp4"), "folder.mp4 a folder"),
    "truncated mp4": (render("truncated.mp4"), "truncated.mp4 cut off frame 5 of 12"),
    "truncated mkv": (render("truncated.mkv"), "truncated.mkv cut off"),
    "header mp4": (render("header.mp4"), "header.mp4"),
    "damaged frame": (render("damaged.mov", "--frames 1-8"), "damaged.mov frame 5 damaged --frames"),
    "sound only": (render("sound.mp4"), "sound.mp4 no picture"),
    "changing size": (render("sizes.mkv"), "sizes.mkv frame 6 is 32x24 64x48"),
    "0 frames a second": (render("no_rate.mp4"), "no_rate.mp4"),
    # frame ranges
    "range of words": (render("plate.####.png", "--frames first-last"), "'first-last' 1001-1100x2"),
    "empty range": (render("plate.####.png", "--frames="), "frame range"),
    "backwards": (render("plate.####.png", "--frames 1004-1001"), "1004-1001 FIRST not after LAST"),
    "step 0": (render("plate.####.png", "--frames 1001-1004x0"), "1001-1004x0"),
    "outside": (render("plate.####.png", "--frames 1001-1010"), "frame 1005 1001-1004"),
    "wide range": (render("plate.####.png", "--frames 1-999999999999"), "1-999999999999 --frames"),
    "digits": (render("plate.####.png", "--frames " + "9" * 60), "999 FIRST-LAST"),
    "start outside": (render("plate.####.png", "-s 1 -e 1002"), "--start 1 1001-1004"),
    "frames and start": (render("plate.####.png", "--frames 1001 -s 1001"), "either"),
    "end of words": (render("plate.####.png", "-e last"), "--end integer"),
    # render settings
    "strength": (render("good.png", "--strength 1.5"), "strength 1.5 from 0 to 1"),
    "strength nan": (render("good.png", "--strength nan"), "strength from 0 to 1"),
    "keep color": (render("good.png", "--keep-color -1"), "keep-color"),
    "stroke": (render("good.png", "--stroke 0"), "stroke 0.1 to 20"),
    "lines": (render("good.png", "--lines many"), "'many' full"),
    "few lines": (render("good.png", "--lines 3"), "lines 3 from 16"),
    "quality": (render("good.png", "--quality 101"), "--quality 100"),
    "rate": (render("good.mp4", "--frame-rate fast"), "'fast' 24000/1001"),
    "rate 0": (render("good.mp4", "--frame-rate 0"), "frame rate 24"),
    "precision": (render("good.png", "--precision f8"), "f8 f32"),
    "engine": (render("good.png", "--engine steam"), "steam openvino"),
    "movie as style": ("look make {c}/good.mp4 -o {o}/a.look", "good.mp4 a movie, not a picture"),
    "picture as look": (
        "render {c}/good.png --look {c}/good.jpg -o {o}/a.png",
        "good.jpg a picture, not a look --style",
    ),
    "look as style": ("render {c}/good.png --style {c}/good.look -o {o}/a.png", "good.look a look --look"),
    "heic as style": ("look make {c}/phone.heic -o {o}/a.look", "phone.heic does not read .heic PNG"),
    "style with NaN": ("look make {c}/nan.exr -o {o}/a.look", "nan.exr NaN"),
    "word as weight": ("look make {c}/good.jpg:x -o {o}/a.look", "'x' good.jpg:0.5"),
    "hole asked for": (render("hole.####.png", "--frames 2-3"), "frame 3 missing --frames 2"),
    "palette": (render("good.png", "--palette {c}/text.jpg"), "text.jpg not a picture"),
    "no look": ("render {c}/good.png -o {o}/a.png", "--look --style"),
    "look and style": (render("good.png", "--style {c}/good.jpg"), "either --look --style"),
    "unknown option": (render("good.png", "--colour red"), "--colour scumble render --help"),
    "unknown command": ("rendr {c}/good.png", "rendr render"),
    "no output": ("render {c}/good.png --look identity", "--output"),
    # over the frames
    "cuts of words": (render("plate.####.png", "--cuts {c}/text.png"), "text.png line 1 1001-1004"),
    "cuts of nothing": (render("plate.####.png", "--cuts {c}/nobody.txt"), "nobody.txt first frames"),
    "cuts of bytes": (render("plate.####.png", "--cuts {c}/good.png"), "good.png first frames"),
    "stats of text": (render("plate.####.png", "--stats {c}/text.png"), "text.png statistics --stats"),
    "stats of a look": (render("plate.####.png", "--stats {c}/good.look"), "good.look statistics"),
    "vectors of png": (render("plate.####.png", "--stabilize vectors"), "EXR flow"),
    "vectors of exr": (render("good.exr", "--stabilise vectors"), "good.exr motion vectors Blender --vectors"),
    "vectors alone": (render("plate.####.png", "--vectors forward"), "--stabilize vectors"),
    "stabilize": (render("plate.####.png", "--stabilize magic"), "magic flow"),
    "window": (render("plate.####.png", "--window 9"), "--window 3"),
    "on 0": (render("plate.####.png", "--on 0"), "--on 1"),
    "warp alone": (render("plate.####.png", "--on-warp flow"), "--on 2"),
    "keys": (render("plate.####.png", "--strength 1001:0;1004:1"), "strength 1001:0,1050:1"),
    "grain": (render("plate.####.png", "--grain some"), "some keep"),
    "keep exposure": (render("good.png", "--keep-exposure 2"), "keep-exposure from 0 to 1"),
    "aov of words": (render("good.exr", "--aov luma,depth"), "depth luma, chroma, detail, matte"),
    "aov of png": (render("good.png", "--aov luma"), "--aov EXR output linear"),
    "proxy 3": (render("good.png", "--proxy 3"), "--proxy 1, 2, 4"),
    "compare": (render("good.png", "--compare upside"), "upside side stack"),
    "auto matte": (render("good.png", "--auto-matte dog"), "dog person"),
    "two mattes": (render("good.png", "--auto-matte person --matte {c}/good.png"), "one of --auto-matte --matte"),
    "matte as movie": (
        "matte {c}/plate.####.png --matte {c}/good.png -o {o}/a.mp4",
        "a.mp4 change codes roto.####.png",
    ),
    "matte outside": ("matte {c}/plate.####.png --frames 7 -o {o}/a.####.png", "frame 7 1001-1004"),
    "matte of nothing": ("matte {c}/plate.####.png --matte {c}/nobody.png -o {o}/a.####.png", "nobody.png"),
    "matte over the plate": ("matte {c}/plate.####.png --matte {c}/good.png -o {c}/plate.####.png", "plate itself"),
    "sheet of text": ("sheet {c}/text.mp4 -o {o}/a.png", "text.mp4 not a movie"),
    "sheet of nobody": ("sheet {c}/good.mp4 --looks nobody -o {o}/a.png", "nobody auvers"),
    "sheet as movie": ("sheet {c}/good.mp4 -o {o}/a.mp4", "a.mp4 .png"),
    "sheet outside": ("sheet {c}/plate.####.png --frames 7 -o {o}/a.png", "frame 7 1001-1004"),
    "weights of nothing": ("weights fetch person --from {c}/nobody.whl", "nobody.whl mediapipe"),
    "look at words": ("render {c}/good.png --look auvers@--5 -o {o}/a.png", "auvers@--5 @1001"),
    "looks of text": ("render {c}/good.png --look {c}/binary.toml -o {o}/a.png", "binary.toml 1001"),
    "shots of text": ("shots {c}/text.mp4", "text.mp4 not a movie"),
    "qc of nothing": ("qc {c}/nobody.mp4 {c}/good.mp4", "nobody.mp4 no such file"),
    "qc of one": ("qc {c}/good.mp4", "PLATE RENDER --probe"),
    "qc of strangers": ("qc {c}/good.mp4 {c}/plate.####.png", "none in common"),
    "qc outside": ("qc {c}/plate.####.png {c}/plate.####.png --frames 1-2", "frame 1 1001-1004"),
    "qc limits": ("qc {c}/plate.####.png {c}/plate.####.png --limits {c}/key.toml", "key.toml 'losses'"),
    "qc page": ("qc {c}/plate.####.png {c}/plate.####.png -o {o}/a.txt", "a.txt .html"),
    "probe nobody": ("qc --probe nobody", "nobody auvers"),
    # outputs
    "same file": ("render {c}/good.png --look identity -o {c}/good.png --overwrite", "good.png plate itself"),
    "same sequence": ("render {c}/plate.####.png --look identity -o {c}/plate.%04d.png --overwrite", "plate itself"),
    "in the way": ("render {c}/good.png --look identity -o {c}/dot.png", "dot.png --overwrite"),
    "format out": ("render {c}/good.png --look identity -o {o}/a.gif", "a.gif .gif .png"),
    "many in one": ("render {c}/plate.####.png --look identity -o {o}/a.png", "a.png a.####.png"),
    "under a file": ("render {c}/good.png --look identity -o {c}/good.mp4/a.png", "good.mp4 a file, not a folder"),
    "not writable": ("render {c}/good.png --look identity -o /proc/scumble/a.png", "/proc/scumble cannot be written"),
    "not writable movie": ("render {c}/good.mp4 --look identity -o /proc/scumble/a.mp4", "/proc/scumble/a.mp4 cannot"),
    # looks
    **{
        f"look {name}": (f"render {{c}}/good.png --look {{c}}/{name}.look -o {{o}}/a.png", f"{name}.look {words}")
        for name, words in {
            "empty": "not a look",
            "random": "not a look",
            "truncated": "not a look",
            "text": "not a look",
            "zip": "not a look",
            "folder": "folder",
            "long_header": "not a look",
            "nested": "not a look",
            "newer": "schema 99 newer update",
            "older": "older.look earlier look make",
            "no_schema": "schema",
            "word_schema": "schema",
            "other": "not a look but universal",
            "shape": "kernel.head (9, 8, 3, 3)",
            "palette": "palette.mean (3,)",
            "lost": "gamma.head",
            "nan": "not finite",
            "inf": "not finite",
            "giant": "widths",
            "words": "network",
            "colour": "keep_color",
            "facts": "name",
            "strange": "not a look",
            "list": "table",
            "not_json": "not a look",
        }.items()
    },
    "look nobody": ("look info nobody", "nobody auvers"),
    "make of text": ("look make {c}/text.jpg -o {o}/a.look", "text.jpg not a picture"),
    "make of a dot": ("look make {c}/dot.png -o {o}/a.look", "dot.png 1x1 larger"),
    "make of nothing": ("look make {c}/nobody.jpg -o {o}/a.look", "nobody.jpg no such file"),
    "make with weight": ("look make {c}/good.jpg:-2 -o {o}/a.look", "good.jpg:-2 above 0"),
    "make a txt": ("look make {c}/good.jpg -o {o}/a.txt", "a.txt .look"),
    "make over a look": ("look make {c}/good.jpg -o {c}/good.look", "good.look --overwrite"),
    "make by a look": ("look make {c}/good.jpg -o {o}/a.look --universal {c}/good.look", "good.look universal"),
    "mix strangers": ("look mix {c}/good.look auvers -o {o}/a.look", "auvers same universal"),
    "mix broken": ("look mix auvers {c}/nan.look -o {o}/a.look", "nan.look finite"),
    # data and training
    "prepare nothing": ("data prepare --content {c}/nobody --style {c} -o {o}/set", "nobody no such"),
    "prepare an empty folder": (
        "data prepare --content {c}/folder.png --style {c} -o {o}/set",
        "folder.png no picture",
    ),
    **{
        f"settings {name}": (f"train {{c}}/{name}.toml -o {{o}}/run", f"{name}.toml {words}")
        for name, words in {
            "key": "'stlye' 'style'",
            "table": "'loses' 'losses'",
            "type": "style float",
            "choice": "'plain'",
            "range": "decay 7.0 0 to 1",
            "negative": "style -1.0 0",
            "nan": "style nan",
            "syntax": "TOML",
            "layer": "relu9_9 relu4_1",
            "flat": "losses table",
            "binary": "TOML",
            "folder": "cannot be read",
        }.items()
    },
    "settings missing": ("train {c}/nobody.toml -o {o}/run", "nobody.toml cannot be read"),
    "set without table": ("train {c}/good.toml -o {o}/run --set style=20", "--set data.style losses.style"),
    "set a wrong key": ("train {c}/good.toml -o {o}/run --set losses.stile=20", "--set 'style'"),
    "set without value": ("train {c}/good.toml -o {o}/run --set losses.style", "TABLE.KEY=VALUE"),
    "no data": ("train {c}/good.toml --data {c}/nobody -o {o}/run", "nobody scumble data prepare"),
    "data of pictures": ("train {c}/good.toml --data {c}/folder.png -o {o}/run", "folder.png a folder data prepare"),
    "data of text": ("train {c}/good.toml --data {c}/zip.png -o {o}/run", "zip.png scumble data prepare"),
    "resume nothing": ("train {c}/good.toml --data {c} -o {o}/run --resume {c}/nobody.safetensors", "nobody"),
    "train on no picture": (
        "look train {c} --content {c}/zip.png --vgg {c}/good.toml -o {o}/a.look",
        "zip.png picture",
    ),
    "evaluate text": ("evaluate {c}/text.look --content {c}/good.png --style {c}/good.jpg", "text.look not a look"),
    "layer that is not there": (render("good.exr", "--layer spec"), "good.exr no layer 'spec'"),
    "layer of a picture": (render("good.png", "--layer spec"), "good.png layers are for EXR"),
    "layer of a movie": (render("good.mp4", "--layer spec"), "good.mp4 layers are for EXR"),
    "layer beside no beauty": (render("good.png", "--out-layer paint"), "--out-layer EXR plate and output"),
    "layer with a slash": (render("good.exr", "--out-layer a/b"), "'a/b' not a name for a layer"),
    "layer and space": (render("good.exr", "--out-layer p --out-space ACEScg"), "--out-layer or --out-space"),
    "space that nobody knows": (render("good.exr", "--in-space ACESgc"), "'ACESgc' is not in did you mean ACEScg"),
    "space that is data": (render("good.exr", "--out-space Raw"), "'Raw' data, not colour"),
    "configuration that is none": (render("good.exr", "--ocio {c}/good.toml --in-space ACEScg"), "good.toml --ocio"),
    "configuration that is not there": (render("good.exr", "--ocio {c}/no.ocio --in-space a"), "no.ocio --ocio"),
    "configuration for a plain plate": (render("good.png", "--ocio {c}/no.ocio"), "no.ocio --ocio"),
    "codec that nobody knows": ("render {c}/good.png --look identity --codec vp9 -o {o}/a.mp4", "'vp9' h264 prores-hq"),
    "codec in another box": ("render {c}/good.png --look identity --codec prores -o {o}/a.mp4", "prores .mp4 .mov"),
    "codec of a picture": (render("good.png", "--codec h264"), "--codec is for movies"),
    "evaluate a folder": ("evaluate {c} --content {c}/good.png --style {c}/good.jpg", "best.safetensors"),
    "evaluate into nowhere": (
        "evaluate auvers --content {c}/good.png --style {c}/good.jpg -o /proc/a.html",
        "/proc/a.html cannot be written",
    ),
    "evaluate by text": ("evaluate auvers --content {c}/good.png --style {c}/good.jpg --vgg {c}/text.png", "features"),
    "weights from text": ("weights fetch --from {c}/text.png", "text.png SHA-256"),
    "weights from nothing": ("weights fetch --from {c}/nobody.whl", "nobody.whl no such file"),
}


Listing = dict[str, tuple[int, int]]


def listing(folder: Path) -> Listing:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_valid(folder)
    write_broken(folder)
    return folder


@pytest.fixture(scope="module")
def corpus_before(corpus: Path) -> Listing:
    return listing(corpus)


Results = dict[str, "Future[tuple[subprocess.CompletedProcess[str], Path]]"]


@pytest.fixture(scope="module")
def results(corpus: Path, corpus_before: Listing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """All cases, two processes at a time; the corpus as it was before them is in `corpus_before`."""

    def run(command: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        out = tmp_path_factory.mktemp("out")
        words = [word.replace("{c}", str(corpus)).replace("{o}", str(out)) for word in command.split()]
        return scumble(*words, cwd=out), out

    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, command) for name, (command, _) in CASES.items()}


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", list(CASES))
def test_one_sentence_exit_code_2_and_nothing_written(
    name: str, results: Results, corpus: Path, corpus_before: Listing
) -> None:
    done, out = results[name].result()
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("scumble: ")
    for word in CASES[name][1].split():
        assert word in lines[0], lines[0]
    assert not done.stdout
    left = [p for p in out.rglob("*") if p.is_file()]
    assert not left
    assert listing(corpus) == corpus_before


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the stream")
def test_a_closed_stderr_is_no_reason_to_fail(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("scumble")
    arguments = [str(PAINTING), "--look", "identity", "--lines", "64", "-o", str(tmp_path / "a.png")]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", command, "render", *arguments], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "a.png").is_file()
