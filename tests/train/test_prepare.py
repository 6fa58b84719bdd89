"""Data preparation: splits by artwork, licences carried through, movies, one packed file."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("PIL")

from helpers.pictures import SAMPLES, picture, scene
from PIL import Image, ImageCms, ImageDraw, ImageFilter
from typer.testing import CliRunner

from scumble.cli.apps import app
from scumble.core.colour import srgb_to_linear
from scumble.core.errors import BadInput, BadOutput
from scumble.core.progress import Progress
from scumble.train.data.dataset import Dataset, random_crop, to_pixels
from scumble.train.data.pictures import load_picture
from scumble.train.data.prepare import prepare, split_of


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 255).astype(np.uint8)).save(path)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for i in range(12):
        save(tmp_path / "photos" / f"p{i}.jpg", picture(80, 120, i))
        save(tmp_path / "art" / f"a{i}.png", picture(90, 60, 50 + i))
    rows = [
        {"file": f"a{i}.png", "source": f"museum/{i // 2}{' [detail crop]' * (i % 2)}", "licence": "CC0", "author": "Ü"}
        | {"split": "test" if i // 2 == 3 else "train"}
        for i in range(12)
    ]
    with (tmp_path / "art" / "MANIFEST.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_the_command_packs_pictures_and_movies(sources: Path) -> None:
    out = sources / "set"
    arguments = ["--content", str(sources / "photos"), "--content", str(SAMPLES / "sintel_walk.mp4")]
    arguments += ["--style", str(sources / "art"), "-o", str(out), "--size", "48", "--frames-per-movie", "5"]
    done = CliRunner().invoke(app, ["data", "prepare", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    data = Dataset(out)
    assert sorted(p.name for p in out.iterdir()) == ["content.jpg", "manifest.csv", "packed.zip", "style.jpg"]
    content = [r for r in data.records if r.kind == "content"]
    assert len(content) == 12 + 5
    assert len({r.split for r in content if "sintel_walk" in r.source}) == 1
    assert all(min(data.picture(r).size) == 48 for r in data.records)
    art = {r.source: r for r in data.records if r.kind == "style"}
    assert {r.licence for r in art.values()} == {"CC0"}
    assert {r.author for r in art.values()} == {"Ü"}
    assert art["museum/3"].split == art["museum/3 [detail crop]"].split == "test"
    for i in range(6):
        assert art[f"museum/{i}"].split == art[f"museum/{i} [detail crop]"].split


def test_splits_are_stable_and_of_the_right_size() -> None:
    splits = [split_of(f"picture {i}") for i in range(4000)]
    assert splits == [split_of(f"picture {i}") for i in range(4000)]
    assert 0.88 < splits.count("train") / 4000 < 0.92
    assert abs(splits.count("val") - splits.count("test")) < 80
    assert {split_of(f"picture {i}", "train") for i in range(400)} == {"train", "val"}


def test_unreadable_pictures_are_counted_and_empty_sources_refused(sources: Path, tmp_path: Path) -> None:
    (sources / "photos" / "broken.jpg").write_bytes(b"no")
    done = prepare([sources / "photos"], [sources / "art"], tmp_path / "set", size=48)
    assert len(done.skipped) == 1
    assert "broken.jpg" in done.skipped[0].sentence
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="empty"):
        prepare([tmp_path / "empty"], [sources / "art"], tmp_path / "set2")
    assert not (tmp_path / "set2").exists()
    with pytest.raises(BadInput, match="scumble data prepare"):
        Dataset(tmp_path / "empty")


def test_crops_stay_inside_and_in_range() -> None:
    rng = np.random.default_rng(0)
    source = Image.fromarray((picture(50, 70) * 255).astype(np.uint8))
    for _ in range(20):
        crop = random_crop(source, (32, 48), (0.3, 2.0), rng)
        assert crop.shape == (32, 48, 3)
        assert 0 <= crop.min() <= crop.max() <= 1
    whole = random_crop(source, (50, 70), (1.0, 1.0), rng)
    np.testing.assert_allclose(whole, to_pixels(source), atol=1e-6)
    narrow = Image.new("RGB", (97, 120))  # 224 / (224 / 97) is a little more than 97
    assert random_crop(narrow, (224, 224), (0.5, 1.0), rng).shape == (224, 224, 3)


CORNERS = np.uint8([[[250, 40, 40], [40, 250, 40]], [[40, 40, 250], [240, 240, 60]]])


def corners(picture: Image.Image) -> np.ndarray:
    """The four corners' colours of a picture of four quarters."""
    small = np.asarray(picture.convert("RGB").resize((4, 4), Image.Resampling.BOX), np.int32)
    return small[::3, ::3]


def odd_pictures(folder: Path) -> dict[str, Path]:
    """One picture of four coloured quarters, as every kind of file that a real folder holds."""
    folder.mkdir(exist_ok=True)
    quarters = Image.fromarray(np.kron(CORNERS, np.ones((32, 48, 1), np.uint8)))
    made: dict[str, Path] = {}

    def name(file: str) -> Path:
        made[file] = folder / file
        return folder / file

    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter clockwise"
    quarters.rotate(90, expand=True).save(name("phone.jpg"), exif=exif, quality=95)
    quarters.convert("CMYK").save(name("press.jpg"), quality=95)
    quarters.quantize(16).save(name("palette.png"))
    holed = quarters.convert("RGBA")
    holed.putalpha(Image.fromarray(np.kron(np.uint8([[255, 255], [255, 0]]), np.ones((32, 48), np.uint8))))
    holed.save(name("alpha.png"))
    holed.save(name("alpha.webp"), lossless=True)
    other = Image.new("RGB", quarters.size)
    quarters.save(name("moving.gif"), save_all=True, append_images=[other] * 3)
    quarters.save(name("moving.webp"), save_all=True, append_images=[other] * 3, lossless=True)
    quarters.save(name("new.avif"), quality=95)
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(quarters).save(name("phone.heic"), quality=95)
    import OpenImageIO as oiio

    codes = np.asarray(quarters, np.float32) / 255
    for file, kind in (("deep.tif", oiio.UINT16), ("deep.png", oiio.UINT16), ("float.tif", oiio.FLOAT)):
        spec = oiio.ImageSpec(96, 64, 3, kind)
        output = oiio.ImageOutput.create(file)
        output.open(str(name(file)), spec)
        output.write_image(codes)
        output.close()
    spec = oiio.ImageSpec(96, 64, 3, oiio.HALF)
    output = oiio.ImageOutput.create("linear.exr")
    output.open(str(name("linear.exr")), spec)
    output.write_image(srgb_to_linear(codes))
    output.close()
    return made


def test_every_kind_of_file_gives_the_same_picture(tmp_path: Path) -> None:
    """Upright, in its colours, transparent parts on white, the first frame of what moves."""
    for file, path in odd_pictures(tmp_path).items():
        picture = load_picture(path)
        assert picture.mode == "RGB"
        assert picture.size == (96, 64), file
        wanted = CORNERS.astype(np.int32).copy()
        if "alpha" in file:
            wanted[1, 1] = 255
        away = np.abs(corners(picture) - wanted).max()
        assert away <= (40 if file == "press.jpg" else 14), (file, away)  # CMYK without a profile is rough


def test_wide_greys_are_scaled_not_cut(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    grey = np.asarray(load_picture(tmp_path / "grey.png"))[:, :, 0]
    assert abs(int(grey[32, 0]) - 128) <= 2
    assert grey.max() == 255


def test_a_profile_is_believed(tmp_path: Path) -> None:
    """A profile that says gamma 1.0 makes the same numbers lighter; sRGB's own leaves them."""
    numbers = Image.new("RGB", (64, 64), (100, 100, 100))
    as_palette = numbers.quantize(2)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    numbers.save(tmp_path / "srgb.png", icc_profile=profile)
    assert corners(load_picture(tmp_path / "srgb.png"))[0, 0].tolist() == [100, 100, 100]
    # the three curves ('rTRC', 'gTRC', 'bTRC') share one table: replaced by a curve of no entries, which is linear
    at = struct.unpack(">I", profile[profile.index(b"rTRC") + 4 :][:4])[0]
    linear = profile[:at] + b"curv" + bytes(8) + profile[at + 12 :]
    numbers.save(tmp_path / "linear.png", icc_profile=linear)
    numbers.save(tmp_path / "linear.tif", icc_profile=linear)
    numbers.save(tmp_path / "linear.jpg", icc_profile=linear)
    as_palette.save(tmp_path / "palette.png", icc_profile=linear)
    for file in sorted(tmp_path.glob("*[!b].*")):
        assert corners(load_picture(file))[0, 0, 0] == pytest.approx(167, abs=2), file


def test_copies_black_and_flat_pictures_are_dropped_and_broken_ones_named(sources: Path, tmp_path: Path) -> None:
    photos = sources / "photos"
    original = Image.open(photos / "p3.jpg").filter(ImageFilter.GaussianBlur(8))
    original.save(photos / "p3.jpg", quality=95)
    original.resize((90, 60)).save(photos / "z_small_copy.jpg", quality=60)
    original.save(photos / "z_copy.png")
    Image.new("RGB", (80, 60), (3, 3, 3)).save(photos / "z_black.png")
    Image.new("RGB", (80, 60), (200, 200, 200)).save(photos / "z_card.png")
    (photos / "z_cut.jpg").write_bytes((photos / "p0.jpg").read_bytes()[:900])
    (photos / "z_text.heic").write_text("no")
    save(photos / "z_dot.png", picture(8, 8))
    done = prepare([photos], [sources / "art"], tmp_path / "set", size=48, licence="CC0")
    assert done.dropped == {"black": 1, "flat": 1, "near-duplicate": 2}
    assert len(done.skipped) == 3
    for name, file in zip(("z_cut.jpg", "z_dot.png", "z_text.heic"), done.skipped, strict=True):
        assert file.path.name == name
        assert name in file.sentence
    records = Dataset(tmp_path / "set").records
    assert sum(r.kind == "content" for r in records) == 12
    assert {r.licence for r in records} == {"CC0"}
    assert not done.notes
    assert all(load_picture(sheet).width == 12 * 128 for sheet in done.sheets)


def test_frames_are_spread_over_the_shots(sources: Path, tmp_path: Path) -> None:
    """Three shots of 40, 10 and 30 frames: every one is seen, by its share."""
    from fractions import Fraction

    from scumble.core import colour
    from scumble.core.frames import Frame
    from scumble.media.movie_writer import MovieWriter
    from scumble.media.plate import WriterSettings

    writer = MovieWriter(tmp_path / "cut.mp4", WriterSettings(size=(96, 64), frame_rate=Fraction(24), quality=95))
    number = 0
    for shot, length in enumerate((40, 10, 30)):
        wide = scene(shot, 64, 256)
        for i in range(length):
            number += 1
            writer.write(Frame(number, np.ascontiguousarray(wide[:, i : i + 96]), colour.DISPLAY))
    writer.close()
    done = prepare([tmp_path / "cut.mp4"], [sources / "art"], tmp_path / "set", size=48, frames_per_movie=8)
    numbers = [int(r.source.rpartition(" ")[2]) for r in Dataset(tmp_path / "set").records if r.kind == "content"]
    by_shot = [sum(a < n <= b for n in numbers) for a, b in ((0, 40), (40, 50), (50, 80))]
    assert by_shot == [4, 1, 3]
    assert done.counts


def test_a_killed_preparation_goes_on_and_gives_the_same_bytes(sources: Path, tmp_path: Path) -> None:
    prepare([sources / "photos"], [sources / "art"], tmp_path / "whole", size=48)
    seen: list[str] = []

    def stop_at_ten(event: Progress) -> None:
        if event.done == 10 and len(seen) == 10:
            raise KeyboardInterrupt
        seen.append(event.task)

    with pytest.raises(KeyboardInterrupt):
        prepare([sources / "photos"], [sources / "art"], tmp_path / "set", size=48, tell=stop_at_ten)
    work = tmp_path / "set" / ".work"
    times = {p.name: p.stat().st_mtime_ns for p in work.glob("*.webp")}
    assert len(times) == 10
    (work / "0.webp.part").write_bytes(b"half")
    again: list[dict[str, int]] = []
    prepare(
        [sources / "photos"],
        [sources / "art"],
        tmp_path / "set",
        size=48,
        tell=lambda _: again.append({p.name: p.stat().st_mtime_ns for p in work.glob("*.webp")}),
    )
    assert all(again[-1][name] == time for name, time in times.items())  # not made again
    assert not work.exists()
    for name in ("packed.zip", "manifest.csv", "content.jpg", "style.jpg"):
        assert (tmp_path / "set" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.full
def test_one_movie_alone_makes_a_set_that_can_be_trained_on_and_says_so(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    done = prepare([SAMPLES / "sintel_walk.mp4"], [sources / "art"], out, size=48, licence="CC BY")
    data = Dataset(out)
    numbers = {
        split: [int(r.source.rpartition(" ")[2]) for r in data.of("content", split)]
        for split in ("train", "val", "test")
    }
    assert len(numbers["train"]) > 4 * len(numbers["val"]) > 0
    assert max(numbers["train"]) < min(numbers["val"] + numbers["test"])  # parts of the movie, not every tenth frame
    assert any("content: too few sources" in line for line in done.notes)
    for i in range(4):  # wherever the hash of its name would put it
        (tmp_path / f"clip{i}.mp4").write_bytes((SAMPLES / "sintel_walk.mp4").read_bytes())
        counts = prepare([tmp_path / f"clip{i}.mp4"], [sources / "art"], tmp_path / f"set{i}", size=48).counts
        assert counts["content train"] > 4 * counts["content val"] == 4 * counts["content test"] > 0
    assert not any("style" in line for line in done.notes)
    two = prepare([sources / "photos"], [sources / "art" / "a0.png", sources / "art" / "a2.png"], tmp_path / "two", 48)
    assert any("2 style pictures are too few" in line for line in two.notes)


def test_every_split_has_whole_artworks(tmp_path: Path) -> None:
    for i in range(6):
        for part in ("", " [detail crop]"):
            save(tmp_path / "art" / f"a{i}{part[:3]}.png", picture(40, 60, 2 * i + bool(part)))
    lines = [f"a{i}{part[:3]}.png,museum/{i}{part}" for i in range(6) for part in ("", " [detail crop]")]
    (tmp_path / "art" / "MANIFEST.csv").write_text("\n".join(["file,source", *lines]))
    prepare([tmp_path / "art"], [tmp_path / "art"], tmp_path / "set", size=32)
    data = Dataset(tmp_path / "set")
    for kind in ("content", "style"):
        split = {r.source: r.split for r in data.records if r.kind == kind}
        assert set(split.values()) == {"train", "val", "test"}
        for i in range(6):
            assert split[f"museum/{i}"] == split[f"museum/{i} [detail crop]"]


def test_a_manifest_that_does_not_say_what_it_should_is_refused(sources: Path, tmp_path: Path) -> None:
    table = sources / "photos" / "MANIFEST.csv"
    for text, words in (("name,licence\np1.jpg,CC0\n", "no column named file"), ("file,split\np1.jpg,dev\n", "'dev'")):
        table.write_text(text)
        with pytest.raises(BadInput, match=words):
            prepare([sources / "photos"], [sources / "art"], tmp_path / "set", size=48)
        assert not (tmp_path / "set").exists()
    table.write_text("file,split\np1.jpg, Test \n")
    prepare([sources / "photos"], [sources / "art"], tmp_path / "set", size=48)
    assert {r.split for r in Dataset(tmp_path / "set").records if r.source == "p1.jpg"} == {"test"}


def test_drawings_on_white_paper_are_not_twins(sources: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(20):
        paper = Image.new("L", (300, 300), 250)
        ImageDraw.Draw(paper).line([tuple(map(int, p)) for p in rng.uniform(20, 280, (6, 2))], fill=20, width=2)
        (sources / "drawings").mkdir(exist_ok=True)
        paper.save(sources / "drawings" / f"d{i}.png")
    paper.save(sources / "drawings" / "same.jpg", quality=60)
    done = prepare([sources / "photos"], [sources / "drawings"], tmp_path / "set", size=128)
    assert done.dropped["near-duplicate"] == 1
    assert "same.jpg,near-duplicate" in (tmp_path / "set" / "left_out.csv").read_text()


def test_what_does_not_belong_is_named_or_left_alone(sources: Path) -> None:
    photos = sources / "photos"
    save(photos / ".trash" / "old.jpg", picture(80, 120, 99))
    save(photos / "._p1.jpg", picture(80, 120, 98))
    (photos / "raw.CR2").write_bytes(b"II*")
    (photos / "gone.jpg").symlink_to(photos / "nobody.jpg")
    save(photos / "panorama.png", np.tile(picture(40, 100), (1, 200, 1)))
    out = photos / "set"
    done = prepare([photos], [sources / "art"], out, size=48)
    assert sorted(file.path.name for file in done.skipped) == [
        "gone.jpg",
        "panorama.png",
        "raw.CR2",
    ]
    assert len([r for r in Dataset(out).records if r.kind == "content"]) == 12
    with pytest.raises(BadOutput, match="--overwrite"):
        prepare([photos], [sources / "art"], out, size=48)
    before = (out / "packed.zip").read_bytes()
    prepare([photos], [sources / "art"], out, size=48, overwrite=True)  # and its own pictures are not taken in
    assert (out / "packed.zip").read_bytes() == before


def test_nothing_left_to_train_on_is_said_with_the_reason(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for i in range(3):
        (tmp_path / "bad" / f"{i}.jpg").write_bytes(b"no")
        save(tmp_path / "black" / f"{i}.png", np.zeros((64, 64, 3)))
    with pytest.raises(BadInput, match=r"0\.jpg: not a picture .*, and 2 more like it; nothing to train on"):
        prepare([tmp_path / "bad"], [sources / "art"], tmp_path / "set")
    with pytest.raises(BadInput, match="all 3 pictures are black"):
        prepare([tmp_path / "black"], [sources / "art"], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_movie_that_breaks_gives_the_frames_before(sources: Path, tmp_path: Path) -> None:
    clip = tmp_path / "broken.mov"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("prores_ks", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv422p10le"
        for i in range(30):
            shown = av.VideoFrame.from_ndarray((picture(64, 96, i // 10) * 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    with av.open(str(clip)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][20]
    data = bytearray(clip.read_bytes())
    data[place + 30 : place + size] = bytes(0xA5 for _ in range(size - 30))
    clip.write_bytes(data)
    done = prepare([clip], [sources / "art"], tmp_path / "set", size=48)
    (file,) = done.skipped
    assert "frame 21 " in file.sentence
    assert "frames from before that are used" in file.sentence
    assert all(int(r.source.rpartition(" ")[2]) <= 20 for r in Dataset(tmp_path / "set").records if r.kind == "content")
