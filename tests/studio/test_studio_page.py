"""The studio's page in a real browser: dropped, clicked, reloaded, killed under, in two languages and two windows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import SAMPLES, picture

pytest.importorskip("gradio")
playwright_api = pytest.importorskip("playwright.sync_api")

from helpers.outgoing import watched
from helpers.studio_server import Server, studio

from scumble.core.colour import DISPLAY
from scumble.core.frames import Frame
from scumble.look.shipped import shipped_looks
from scumble.media.open import open_plate, open_writer
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
if CHROMIUM is None:
    pytest.skip("no chromium: apt-get install chromium", allow_module_level=True)

QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
LAPTOP = {"width": 1366, "height": 768}
KEPT = {("paint", "en"), ("paint", "zh"), ("queue", "en"), ("looks", "en"), ("looks", "zh")}
PATIENCE = 90_000  # milliseconds for what takes two seconds on an idle machine
STYLE = SAMPLES / "hiroshige_mackerel.jpg"

pytestmark = pytest.mark.full  # a real browser


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph: a frame of the sample clip."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    frame = next(iter(open_plate(SAMPLES / "sintel_walk.mp4").read([20])))
    write_picture(path, Frame(1, frame.pixels, DISPLAY), WriterSettings())
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short movie."""
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    writer = open_writer(path, WriterSettings(size=(640, 272)))
    for frame in open_plate(SAMPLES / "sintel_walk.mp4").read(range(20, 56)):
        writer.write(Frame(frame.number - 19, np.ascontiguousarray(frame.pixels[::2, ::2]), DISPLAY))
    writer.close()
    return path


@pytest.fixture(scope="module")
def outgoing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of connections that leave the machine."""
    return tmp_path_factory.mktemp("outgoing") / "log.txt"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, vgg: Path, clip: Path, outgoing: Path) -> Iterator[Server]:
    environment = watched(tmp_path_factory.mktemp("hooks"), outgoing)
    data = tmp_path_factory.mktemp("studio") / "data"
    with studio(data, "--folder", str(clip.parent), vgg=vgg, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def window(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens pages; at the end none of them has asked anything of another machine, or thrown an error."""
    contexts: list[Any] = []
    asked: list[str] = []
    thrown: list[str] = []

    def opened(locale: str = "en-US", **more: Any) -> Any:
        context = browser.new_context(viewport=LAPTOP, locale=locale, **more)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(server.address)
        page.wait_for_selector("#paint")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith((server.address, "data:", "blob:"))]
    assert not thrown


def after(page: Any) -> np.ndarray:
    """The right side of the wipe, float (H, W, 3), as the browser has it."""
    return _side(page, -1)


def _side(page: Any, place: int) -> np.ndarray:
    from PIL import Image

    url = page.locator("#wipe img").nth(place).get_attribute("src")
    answer = page.request.get(url)
    assert answer.ok
    return np.asarray(Image.open(BytesIO(answer.body())).convert("RGB"), np.float32) / 255


def paint(page: Any) -> None:
    """Press Paint and wait until the wipe has another picture."""
    before = page.locator("#wipe img").last.get_attribute("src") if page.locator("#wipe img").count() else ""
    page.click("#paint")
    changed = "old => { const all = document.querySelectorAll('#wipe img'); return all.length && all[all.length - 1].src !== old }"
    page.wait_for_function(changed, arg=before)
    page.wait_for_function(r"/\d s|\d 秒/.test(document.querySelector('#status').innerText)")


def drop(page: Any, where: str, *files: Path) -> None:
    """Drop files and wait until they are there."""
    page.set_input_files(f"{where} input[type=file]", [str(file) for file in files])
    page.wait_for_selector(f"{where} .file-preview, {where} table")
    page.wait_for_timeout(300)


def card(page: Any, state: str, place: str = "#now") -> Any:
    """The newest card, when it has this state."""
    found = page.locator(f'{place} .job[data-state="{state}"]').first
    found.wait_for(state="attached")
    return found


def palette_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of mean colours and deviations of two pictures."""
    figures = [np.concatenate([p.reshape(-1, 3).mean(0), p.reshape(-1, 3).std(0)]) for p in (a, b)]
    return float(np.abs(figures[0] - figures[1]).mean())


def test_a_photo_and_a_painting_one_click(window: Callable[..., Any], server: Server, photo: Path) -> None:
    page = window()
    drop(page, "#plate", photo)
    page.wait_for_selector("#wipe img")
    drop(page, "#styles", STYLE)
    paint(page)
    before, painted = _side(page, 0), after(page)
    (style,) = (f.pixels for f in open_plate(STYLE).read([1]))
    assert before.shape == painted.shape == (408, 960, 3)
    assert np.abs(painted - before).mean() > 0.08
    assert palette_distance(painted, style) < 0.6 * palette_distance(before, style)
    # the API paints the same picture
    references = [server.upload(path)["reference"] for path in (photo, STYLE)]
    asked = {"plate": references[0], "styles": references[1:]}
    (photo.parent / "api.png").write_bytes(server.client.post("/api/preview", json=asked).content)
    (same,) = (f.pixels for f in open_plate(photo.parent / "api.png").read([1]))
    assert np.abs(painted - same).max() < 2.5 / 255
    # a slider is followed by itself
    was = page.locator("#wipe img").last.get_attribute("src")
    page.fill("#strength input[type=number]", "0")
    page.press("#strength input[type=number]", "Enter")
    slider = page.locator("#strength input[type=range]")
    slider.focus()
    slider.press("Home")
    slider.dispatch_event("pointerup")
    page.wait_for_function("old => [...document.querySelectorAll('#wipe img')].at(-1).src !== old", arg=was)
    assert np.abs(after(page) - before).max() < 2.5 / 255


def test_a_clip_is_rendered_as_on_the_command_line(window: Callable[..., Any], clip: Path, tmp_path: Path) -> None:
    page = window()
    drop(page, "#plate", clip)
    page.wait_for_selector("#wipe img")
    page.click("#render")
    running = card(page, "running")
    page.wait_for_selector("#now .job .strip img")
    page.reload()  # in the middle
    page.wait_for_selector("#paint")
    running = card(page, "running")
    assert "36" in running.locator(".said").inner_text()
    done = card(page, "done")
    video = done.locator("video")
    page.wait_for_function("() => document.querySelector('#now video')?.readyState >= 2")
    assert video.evaluate("v => [v.videoWidth, v.videoHeight, Math.round(v.duration * 24)]") == [640, 272, 36]
    with page.expect_download() as download:
        done.get_by_text("Download", exact=True).click()
    download.value.save_as(tmp_path / "ours.mp4")
    line = shlex.split(done.locator("code").inner_text())
    subprocess.run([sys.executable, "-m", "scumble.cli", *line[1:]], check=True, cwd=tmp_path, capture_output=True)
    ours, theirs = (open_plate(tmp_path / name) for name in ("ours.mp4", line[line.index("-o") + 1]))
    assert ours.numbers == theirs.numbers == tuple(range(1, 37))
    for a, b in zip(ours.read(ours.numbers), theirs.read(theirs.numbers), strict=True):
        assert np.array_equal(a.pixels, b.pixels)
    # the report of its quality, from the card
    done.get_by_text("Quality report").click()
    report = page.locator('#now .job:has-text("Quality report")').and_(page.locator('[data-state="done"]'))
    report.locator("a", has_text="Report").wait_for()


def test_a_frame_is_scrubbed_to_and_a_named_plate_opened(window: Callable[..., Any], clip: Path) -> None:
    page = window()
    page.fill("#named input", str(clip))
    page.press("#named input", "Enter")
    page.wait_for_selector("#wipe img")
    paint(page)
    first = after(page)
    was = page.locator("#wipe img").last.get_attribute("src")
    page.locator("h1").click()
    for _ in range(3):
        page.keyboard.press(".")
    page.wait_for_function("old => [...document.querySelectorAll('#wipe img')].at(-1).src !== old", arg=was)
    page.wait_for_function("document.querySelector('#status').innerText.includes('Frame 4 of 1–36')")
    assert np.abs(after(page) - first).mean() > 0.004
    page.fill("#named input", "/etc/passwd")
    page.press("#named input", "Enter")
    assert "not in a folder" in page.locator(".toast-body").first.inner_text()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker in /proc")
def test_cancel_and_a_killed_worker(window: Callable[..., Any], server: Server, clip: Path) -> None:
    page = window()
    drop(page, "#plate", clip)
    page.click("#render")
    card(page, "running").get_by_text("Cancel").click()
    cancelled = card(page, "cancelled")
    cancelled.get_by_text("Delete").click()
    page.click("#render")
    page.wait_for_selector("#now .job[data-state=running] .strip img")
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    failed = card(page, "failed")
    assert "SIGKILL" in failed.locator("[role=alert]").inner_text()
    paint(page)  # the page works
    failed.get_by_role("button", name="Again").click()
    card(page, "done")


def test_two_windows_at_once(window: Callable[..., Any], photo: Path) -> None:
    first, second = window(), window("zh-CN")
    for page in (first, second):
        drop(page, "#plate", photo)
    drop(first, "#styles", STYLE)
    drop(second, "#styles", SAMPLES / "vangogh_auvers.jpg")
    for page in (first, second):
        page.click("#paint")
    for page in (first, second):
        page.wait_for_function(r"/\d s|\d 秒/.test(document.querySelector('#status').innerText)")
    assert "hiroshige" in first.inner_text("#status")
    assert "vangogh" in second.inner_text("#status")
    assert np.abs(after(first) - after(second)).mean() > 0.05
    first.click("#render")
    card(second, "done")  # both see the queue


def test_looks_are_kept_found_used_and_deleted(window: Callable[..., Any], photo: Path, tmp_path: Path) -> None:
    page = window()
    drop(page, "#plate", photo)
    drop(page, "#styles", STYLE)
    page.get_by_role("tab", name="Looks").click()
    page.wait_for_selector("#gallery img")
    shipped = page.locator("#gallery img").count()
    page.fill("#new_name input, #new_name textarea", "fish")
    page.click("#make")
    page.wait_for_function("n => document.querySelectorAll('#gallery img').length > n", arg=shipped)
    page.fill("#search input, #search textarea", "fis")
    page.press("#search input, #search textarea", "Enter")
    page.wait_for_function("document.querySelectorAll('#gallery img').length === 1")
    page.locator("#gallery button:has(img)").first.click()
    page.wait_for_function("document.querySelector('#about').innerText.includes('fish')")
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "fish.look"
    page.fill("#new_name input, #new_name textarea", "wet fish")
    page.click("#rename")
    page.wait_for_function("document.querySelector('#gallery').innerText.includes('wet fish')")
    page.click("#use")
    page.get_by_role("tab", name="Paint", exact=True).click()
    assert page.locator("#look input").input_value() == "wet fish"
    page.get_by_role("tab", name="Looks").click()
    page.click("#delete")
    page.wait_for_function("document.querySelectorAll('#gallery img').length === 0")


def test_a_match_is_begun_on_the_page_and_its_previews_come(window: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    plate = []
    for number in range(1001, 1005):
        plate.append(tmp_path / f"shot.{number}.png")
        write_picture(plate[-1], Frame(number, picture(64, 96, 5), DISPLAY), WriterSettings())
    painted = tmp_path / "painted.1002.png"
    write_picture(painted, Frame(1, 1 - picture(64, 96, 5), DISPLAY), WriterSettings())
    page = window()
    drop(page, "#plate", *plate)
    page.wait_for_function("document.querySelector('#status').innerText.includes('1001–1004')")
    page.get_by_role("tab", name="Match").click()
    page.click("#match")
    page.locator(".toast-body", has_text="painted frames").wait_for()
    drop(page, "#painted", painted)
    page.wait_for_function("document.querySelector('#keys_table').innerText.includes('1002')")
    page.fill("#match_name input, #match_name textarea", "hand")
    page.fill("#match_minutes input", "0.1")
    page.click("#match")
    page.get_by_role("tab", name="Queue").click()
    done = page.locator('#queue .job[data-state="done"]:has-text("hand")').first
    done.wait_for()
    assert done.locator(".strip img").count() >= 3
    done.get_by_text("Keep look").click()
    page.get_by_role("tab", name="Looks").click()
    page.wait_for_selector('#gallery :text("hand")')


def test_broken_files_are_one_sentence_on_the_page(window: Callable[..., Any], tmp_path: Path) -> None:
    page = window()
    (tmp_path / "lying.png").write_text("no picture")
    page.set_input_files("#plate input[type=file]", str(tmp_path / "lying.png"))
    said = page.locator(".toast-body").first
    said.wait_for()
    assert "lying.png" in said.inner_text()
    assert "Traceback" not in said.inner_text()
    page.click("#paint")
    page.locator(".toast-body", has_text="drop a shot first").wait_for()


@contextmanager
def shots(name: str, tmp_path: Path) -> Iterator[Callable[[Any, str], None]]:
    """Takes screenshots: into docs/studio with SCUMBLE_SCREENSHOTS=1, else where they are forgotten."""
    folder = SAMPLES.parent / "docs" / "studio" if os.environ.get("SCUMBLE_SCREENSHOTS") else tmp_path
    folder.mkdir(exist_ok=True)

    def take(page: Any, what: str) -> None:
        page.mouse.move(700, 8)
        page.wait_for_timeout(600)
        page.screenshot(path=str(folder / f"{what}_{name}.jpg"), type="jpeg", quality=80)

    yield take


@pytest.mark.parametrize(("locale", "name"), [("en-US", "en"), ("zh-CN", "zh")])
def test_every_tab_fits_a_laptop(
    locale: str, name: str, window: Callable[..., Any], photo: Path, clip: Path, tmp_path: Path
) -> None:
    page = window(locale)
    assert page.evaluate("document.body.classList.contains('dark')")
    drop(page, "#plate", clip)
    drop(page, "#styles", SAMPLES / "vangogh_auvers.jpg")
    paint(page)
    page.click("#render")
    page.wait_for_selector("#now .job[data-state=running] .strip img")
    card(page, "done")
    with shots(name, tmp_path) as take:
        for place, tab in enumerate(("paint", "queue", "match", "train", "looks"), start=1):
            page.locator("h1").click()
            page.keyboard.press(str(place))
            page.wait_for_function(
                "n => document.querySelectorAll('[role=tab]')[n - 1].getAttribute('aria-selected') === 'true'",
                arg=place,
            )
            if tab == "looks":
                page.wait_for_selector("#gallery img")
                page.locator("#gallery button:has(img)").nth(1).click()
                page.wait_for_selector("#export:not([disabled])")
            if tab == "queue":
                page.wait_for_function("() => document.querySelector('#queue video')?.readyState >= 2")
            page.wait_for_timeout(400)
            _fits(page)
            if name == "zh":
                _has_no_english(page)
            if (tab, name) in KEPT:
                take(page, tab)
        page.keyboard.press("d")
        assert not page.evaluate("document.body.classList.contains('dark')")


def _fits(page: Any) -> None:
    """Nothing sticks out of the window, no button's words are cut, no two controls lie on each other."""
    found = page.evaluate(
        r"""() => {
        const bad = [];
        if (document.documentElement.scrollWidth > innerWidth) bad.push(`page is ${document.documentElement.scrollWidth} wide`);
        const seen = e => { const r = e.getBoundingClientRect(); return r.width > 1 && r.height > 1 && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) };
        const controls = [...document.querySelectorAll("button, .job nav a, input[type=number], input[type=text], textarea")].filter(seen)
          .filter(e => !e.closest("#wipe, #gallery, .toast-wrap, [role=listbox]"));
        for (const e of controls) {
          if (!e.matches("button:not(:has(input))")) continue;
          const outer = e.getBoundingClientRect(), walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
          for (let text; (text = walker.nextNode()); ) {
            const words = document.createRange();
            words.selectNodeContents(text);
            const inner = words.getBoundingClientRect();
            if (/\p{L}/u.test(text.data) && (inner.right > outer.right + 2 || inner.left < outer.left - 2)) bad.push(`cut: ${text.data}`);
          }
        }
        for (let i = 0; i < controls.length; i++) for (let j = i + 1; j < controls.length; j++) {
          const a = controls[i], b = controls[j];
          if (a.contains(b) || b.contains(a)) continue;
          const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
          const w = Math.min(p.right, q.right) - Math.max(p.left, q.left), h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
          if (w > 3 && h > 3) bad.push(`${a.tagName}#${a.id} ${a.innerText} on ${b.tagName}#${b.id} ${b.innerText}`);
        }
        return bad;
      }"""
    )
    assert found == []


def _has_no_english(page: Any) -> None:
    """The page's own words are Chinese: but for names, units and the language's link."""
    texts = page.evaluate(
        """() => [...document.querySelectorAll("button, label > span, [data-testid=block-label], .state, #status, h1, .empty")]
        .filter(e => e.checkVisibility()).map(e => e.innerText.trim())"""
    )
    own = re.compile(r"[A-Za-z]{4,}")
    names = re.compile(
        r"Scumble studio|sRGB|walk\.mp4|vangogh_auvers(\.jpg)?|auvers|English|SIGKILL|[\d.]+ [KM]B ?[↓⇣]?|\w+\.(jpg|mp4|look|png)|studio|Object\(\d+\)"
    )
    english = [t for t in texts if own.search(names.sub("", t))]
    looks = {"hand", *shipped_looks()}
    assert [t for t in english if t.split("\n")[0] not in looks] == []


def test_a_file_that_is_named_by_its_address_is_not_fetched(server: Server, outgoing: Path) -> None:
    """Gradio's own way in: a callback that takes files fetches none."""
    config = server.client.get("/en/config").json()
    takers = [d["id"] for d in config["dependencies"] if len(d["inputs"]) == 1 and len(d["outputs"]) >= 2]
    assert takers
    for number in takers:
        file = {"path": "http://93.184.215.14/good.png", "meta": {"_type": "gradio.FileData"}}
        asked = {"session_hash": f"named{number}"}
        body = {"data": [[file]], "fn_index": number, **asked}
        assert server.client.post("/en/gradio_api/queue/join", json=body).status_code == 200
        with server.client.stream("GET", "/en/gradio_api/queue/data", params=asked) as stream:
            assert "process_completed" in "".join(stream.iter_lines())
    assert not outgoing.exists(), outgoing.read_text()


def test_nothing_left_this_machine(server: Server, outgoing: Path) -> None:
    """After all the others: neither server nor worker has spoken to anyone."""
    assert not outgoing.exists(), outgoing.read_text()
    assert json.loads(server.client.get("/api/jobs").text)
    time.sleep(0.1)
