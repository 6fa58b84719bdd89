"""The studio over HTTP: jobs, results, looks, and everything that must be refused, against a server as its user starts it."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import SAMPLES, picture

pytest.importorskip("gradio")

import httpx
from helpers import corpus
from helpers.studio_server import PATIENCE, Server, events, studio

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadInput
from scumble.core.frames import Frame
from scumble.look.look import Look
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.studio.desk import Desk
from scumble.studio.requests import Render
from scumble.studio.safety import is_loopback
from scumble.studio.store import KEPT_DAYS, Store, safe_name
from scumble.studio.submit import submit
from scumble.studio.supervisor import Supervisor
from scumble.studio.words import preferred
from scumble.studio.work import perform

AUVERS = SAMPLES / "vangogh_auvers.jpg"


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the studio may read: valid and broken files, and links out of it."""
    folder = tmp_path_factory.mktemp("plates")
    corpus.write_valid(folder)
    corpus.write_broken(folder)
    for number in range(1, 41):
        write_picture(folder / f"pan.{number:04d}.png", Frame(number, picture(120, 180, 3), DISPLAY), WriterSettings())
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for number in (1, 2):
        write_picture(elsewhere / f"secret.{number:04d}.png", Frame(number, picture(48, 64), DISPLAY), WriterSettings())
    (folder / "link.png").symlink_to(elsewhere / "secret.0001.png")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    write_picture(folder / "mixed.0001.png", Frame(1, picture(48, 64), DISPLAY), WriterSettings())
    (folder / "mixed.0002.png").symlink_to(elsewhere / "secret.0002.png")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, plates: Path, vgg: Path) -> Iterator[Server]:
    with studio(tmp_path_factory.mktemp("studio") / "data", "--folder", str(plates), vgg=vgg) as running:
        look = (plates / "good.look").read_bytes()
        assert (
            running.client.post("/api/looks", params={"name": "tiny"}, files={"file": ("a.look", look)}).status_code
            == 201
        )
        yield running


def scumble(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(
        [sys.executable, "-m", "scumble.cli", *map(str, words)],
        check=True,
        cwd=cwd,
        capture_output=True,
        timeout=PATIENCE,
    )


def pixels(path: Path) -> np.ndarray:
    plate = open_plate(path)
    return np.stack([frame.pixels for frame in plate.read(plate.numbers)])


def test_a_picture_is_painted_as_the_command_line_paints_it(server: Server, tmp_path: Path) -> None:
    content, style = server.upload(SAMPLES / "hiroshige_mackerel.jpg"), server.upload(AUVERS)
    asked = {"plate": content["reference"], "styles": [style["reference"]], "strength": 0.8, "keep_color": 0.3}
    told = server.until(server.submit("render", **asked, format="png"), "done")
    ours = server.client.get(told["files"]["result"]).content
    line = shlex.split(told["command"])
    assert line[:2] == ["scumble", "render"]
    scumble(*line[1:], cwd=tmp_path)
    (theirs,) = tmp_path.iterdir()
    (tmp_path / "ours.png").write_bytes(ours)
    assert np.array_equal(pixels(tmp_path / "ours.png"), pixels(theirs))
    assert server.client.get(told["files"]["proxy.jpg"]).content[:2] == b"\xff\xd8"


def test_a_sequence_comes_as_a_zip_and_a_movie_to_look_at(server: Server, plates: Path, tmp_path: Path) -> None:
    job = server.submit("render", plate="plate.####.png", look="auvers", second="inferno", mix=0.4, frames="1001-1003")
    told = server.until(job, "done")
    with zipfile.ZipFile(io.BytesIO(server.client.get(told["files"]["sequence.zip"]).content)) as packed:
        names = sorted(packed.namelist())
        packed.extractall(tmp_path / "ours")
    assert [name.split(".")[-2] for name in names] == ["1001", "1002", "1003"]
    scumble(*shlex.split(told["command"])[1:], cwd=tmp_path)
    for name in names:
        assert np.array_equal(pixels(tmp_path / "ours" / name), pixels(tmp_path / name))
    (tmp_path / "proxy.mp4").write_bytes(server.client.get(told["files"]["proxy.mp4"]).content)
    assert len(open_plate(tmp_path / "proxy.mp4").numbers) == 3
    assert len(told["pictures"]) == 3
    assert server.client.get(told["pictures"][0]).headers["content-type"] == "image/jpeg"
    (tmp_path / "kept.look").write_bytes(server.client.get(told["files"]["look.look"]).content)
    assert Look.load(tmp_path / "kept.look").name


def test_linear_light_is_shown_through_the_view(server: Server, tmp_path: Path) -> None:
    job = server.submit("render", plate="good.exr", look="auvers")
    told = server.until(job, "done")
    (tmp_path / "out.exr").write_bytes(server.client.get(told["files"]["result"]).content)
    (tmp_path / "shown.jpg").write_bytes(server.client.get(told["files"]["proxy.jpg"]).content)
    linear, shown = pixels(tmp_path / "out.exr").mean(), pixels(tmp_path / "shown.jpg").mean()
    assert shown > 1.2 * linear


def test_events_tell_of_every_stage_and_end(server: Server) -> None:
    job = server.submit("render", plate="pan.####.png", look="auvers", lines=360)
    told = events(server, job)
    done = [event["done"] for event in told if event["state"] == "running"]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert told[-1]["state"] == "done"
    assert told[-1]["done"] == told[-1]["total"] == 40
    assert any(event["pictures"] for event in told if event["state"] == "running")


def test_a_preview_is_the_render_of_its_frame(server: Server, tmp_path: Path) -> None:
    asked = {"plate": "good.png", "look": "mackerel", "strength": 0.7}
    answer = server.client.post("/api/preview", json=asked)
    assert answer.headers["content-type"] == "image/png"
    facts = json.loads(answer.headers["x-scumble-preview"])
    assert facts["statistics"] == "shot"
    (tmp_path / "preview.png").write_bytes(answer.content)
    result = server.result(server.submit("render", **asked, precision="fast"))
    (tmp_path / "render.png").write_bytes(result)
    assert np.abs(pixels(tmp_path / "preview.png") - pixels(tmp_path / "render.png")).max() <= 1.01 / 255
    # strength alone paints nothing anew, and is obeyed
    none = server.client.post("/api/preview", json={**asked, "strength": 0.0})
    (tmp_path / "none.png").write_bytes(none.content)
    assert np.abs(pixels(tmp_path / "none.png")[0] - read_picture(_plate(server, tmp_path))[0]).max() <= 1.01 / 255
    of_movie = {"plate": "good.mp4", "look": "auvers", "frame": 5}
    movie = server.client.post("/api/preview", json=of_movie)
    assert json.loads(movie.headers["x-scumble-preview"])["statistics"] == "reference"
    server.until(server.submit("render", plate="good.mp4", look="auvers", cuts="none"), "done")  # measures the shot
    movie = server.client.post("/api/preview", json=of_movie)
    assert json.loads(movie.headers["x-scumble-preview"])["statistics"] == "shot"


def _plate(server: Server, folder: Path) -> Path:
    path = folder / "plate.png"
    path.write_bytes(server.client.get("/api/frame", params={"of": "good.png"}).content)
    return path


@pytest.mark.full
def test_cancelling_ends_a_job_and_the_next_one_runs(server: Server) -> None:
    long = server.submit("render", plate="pan.####.png", look="auvers", lines=480, name="long")
    waiting = server.submit("render", plate="good.png", look="auvers")
    server.until(long, "running", least=1)
    server.client.post(f"/api/jobs/{long}/cancel")
    assert server.until(long, "cancelled")["error"] == ""
    assert server.until(waiting, "done")
    queued = server.submit("render", plate="pan.####.png", look="auvers", lines=480)
    other = server.submit("render", plate="good.png", look="auvers")
    assert server.client.post(f"/api/jobs/{other}/cancel").json()["state"] == "cancelled"
    server.client.post(f"/api/jobs/{queued}/cancel")
    server.until(queued, "cancelled")
    # what was done stays, and is not done again
    server.client.post(f"/api/jobs/{long}/again")
    assert "were there already" in server.until(long, "done")["message"]
    assert server.client.delete(f"/api/jobs/{long}").status_code == 204
    assert server.client.get(f"/api/jobs/{long}").status_code == 404


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker in /proc")
@pytest.mark.full
def test_a_killed_worker_is_said_and_the_studio_goes_on(server: Server) -> None:
    job = server.submit("render", plate="pan.####.png", look="auvers", lines=480, name="killed")
    server.until(job, "running", least=1)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    told = server.until(job, "failed")
    assert "SIGKILL" in told["error"]
    assert server.client.get("/api/studio").status_code == 200
    server.client.post(f"/api/jobs/{job}/again")
    assert server.until(job, "done")["done"] == 40


@pytest.mark.full
def test_a_job_goes_on_after_the_server_was_killed(plates: Path, tmp_path: Path) -> None:
    with studio(tmp_path / "data", "--folder", str(plates)) as first:
        job = first.submit("render", plate="pan.####.png", look="auvers", lines=480)
        first.until(job, "running", least=2)
        first.process.kill()
        first.process.wait()
    with studio(tmp_path / "data", "--folder", str(plates)) as second:
        told = second.until(job, "done")
        assert told["done"] == 40
        assert "were there already" in told["message"]


def refused_start(*flags: str, password: str = "") -> str:
    """What `scumble studio` says when it does not start."""
    words = [
        sys.executable,
        "-m",
        "scumble.cli",
        "studio",
        "--no-browser",
        *(["--port", "0"] * ("--port" not in flags)),
    ]
    environment = {**os.environ, "SCUMBLE_PASSWORD": password}
    done = subprocess.run(
        [*words, *flags], capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_one_studio_a_folder(server: Server) -> None:
    assert server.client.get("/api/studio").json()["used"] > 0
    assert "another studio works there" in refused_start("--data", str(server.data))


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/passwd",
            "../elsewhere0/secret.0001.png",
            "linked/secret.0001.png",
            "linked/secret.####.png",
            "link.png",
        ),
        *(
            "loop.png",
            "mixed.####.png",
            "",
            " ",
            "nothing.mov",
            "plate.####.png/../../x",
            "\0",
            "~",
            "/",
            ".",
            "a" * 900,
        ),
        *("upload:0123456789abcdef", "upload:../../..", "upload:", "file:///etc/passwd", "http://example.com/a.png"),
    ],
)
def test_paths_outside_the_folders_are_refused(path: str, server: Server) -> None:
    for answer in (
        server.client.get("/api/plates", params={"of": path}),
        server.client.post("/api/preview", json={"plate": path, "look": "auvers"}),
        server.client.post("/api/render", json={"plate": path, "look": "auvers"}),
        server.client.post("/api/render", json={"plate": "good.png", "look": "auvers", "matte": path or "nothing"}),
        server.client.post("/api/preview", json={"plate": "good.png", "styles": [path]}),
        server.client.post(
            "/api/match", json={"plate": "good.mp4", "name": "x", "keys": [{"frame": 1, "picture": path}]}
        ),
        server.client.post("/api/train", json={"content": [path], "styles": ["good.png"], "name": "x"}),
    ):
        assert answer.status_code in (400, 404), answer.text
        sentence = answer.json()["error"]
        assert sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    "url",
    [
        *("/api/jobs/../../etc/passwd", "/api/jobs/%2e%2e%2f%2e%2e/files/jobs.sqlite", "/api/jobs/x/files/look.look"),
        *("/api/jobs/{job}/files/../../../jobs.sqlite", "/api/jobs/{job}/files/out/..%2f..%2f..%2fjobs.sqlite"),
        *("/api/jobs/{job}/files/%2fetc%2fpasswd", "/api/jobs/{job}/files/out/.hidden", "/api/jobs/{job}/files/out"),
        *("/api/looks/..%2f..%2fjobs", "/api/looks/%2fetc%2fpasswd", "/en/gradio_api/file=/etc/passwd"),
        *("/en/gradio_api/file={data}/jobs.sqlite", "/en/gradio_api/file={plates}/good.png"),
    ],
)
def test_addresses_outside_a_jobs_results_are_refused(url: str, server: Server, plates: Path) -> None:
    job = server.submit("render", plate="good.png", look="auvers")
    server.until(job, "done")
    target = url.format(job=job, data=server.data, plates=plates)
    answer = server.client.get(httpx.URL(server.address).copy_with(raw_path=target.encode()))
    assert answer.status_code in (400, 403, 404), (target, answer.status_code, answer.text[:200])
    assert b"SQLite" not in answer.content


@pytest.mark.parametrize("path", ["{plates}/good.png", "/etc/hostname"])
def test_the_page_takes_no_paths_of_this_machine(path: str, server: Server, plates: Path) -> None:
    """Gradio's own way in: a callback that takes files gets none that was not uploaded."""
    config = server.client.get("/en/config").json()
    before = sorted((server.data / "uploads").iterdir())
    takers = [d["id"] for d in config["dependencies"] if len(d["inputs"]) == 1 and len(d["outputs"]) >= 2]
    assert takers
    refused = 0
    for number in takers:
        file = {"path": path.format(plates=plates), "meta": {"_type": "gradio.FileData"}}
        body = {"data": [[file]], "fn_index": number, "session_hash": f"s{number}{len(path)}"}
        joined = server.client.post("/en/gradio_api/queue/join", json=body)
        assert joined.status_code == 200
        asked = {"session_hash": body["session_hash"]}
        with server.client.stream("GET", "/en/gradio_api/queue/data", params=asked) as stream:
            refused += '"success":false' in "".join(stream.iter_lines()).replace(" ", "")
    assert refused
    copied = [p for p in (server.data / "page").rglob("*") if p.name in ("good.png", "hostname")]
    assert not copied  # from where it could be asked for
    assert sorted((server.data / "uploads").iterdir()) == before


def test_a_running_job_is_not_started_again(server: Server) -> None:
    job = server.submit("render", plate="pan.####.png", look="auvers", lines=480, name="twice")
    server.until(job, "running", least=1)
    assert server.client.post(f"/api/jobs/{job}/again").json()["state"] == "running"
    assert server.client.delete(f"/api/jobs/{job}").status_code == 400  # it is there, but runs
    server.client.post(f"/api/jobs/{job}/cancel")
    server.until(job, "cancelled")


def test_the_running_job_is_on_the_page_before_all_others(server: Server) -> None:
    jobs = [server.submit("render", plate="pan.####.png", look="auvers", lines=480, name=f"n{n}") for n in range(42)]
    server.until(jobs[0], "running", least=1)
    cards = server.client.get("/page/cards", params={"language": "zh"}).json()["cards"]
    assert cards[0][0] == jobs[0]
    assert 'data-state="running"' in cards[0][1]
    for job in reversed(jobs):
        server.client.post(f"/api/jobs/{job}/cancel")
    server.until(jobs[0], "cancelled")
    for job in jobs:
        server.client.delete(f"/api/jobs/{job}")


def test_names_in_any_script_and_of_any_length(server: Server) -> None:
    picture = (SAMPLES / "vangogh_auvers.jpg").read_bytes()
    for name in ("镜头" * 80 + ".jpg", "a" * 300 + ".jpg", "ö <b>&'.jpg", ".jpg.jpg"):
        answer = server.client.post("/api/uploads", files={"files": (name, picture)})
        assert answer.status_code == 201, answer.text
        made = server.client.post("/api/looks/make", json={"styles": [answer.json()["reference"]], "name": "画" * 60})
        assert made.status_code == 400
    told = server.until(server.submit("render", plate="good.png", look="tiny", name="画" * 100), "done")
    assert told["files"]["result"]
    twice = [("files", ("a.jpg", picture)), ("files", ("b/a.jpg", picture))]
    answer = server.client.post("/api/uploads", files=twice)
    assert answer.status_code == 400
    assert "twice" in answer.json()["error"]


@pytest.mark.parametrize("header", ["[", "[::1", "a b", "127.0.0.1.", "[127.0.0.1"])
def test_malformed_addresses_are_refused(header: str, server: Server) -> None:
    assert server.client.get("/api/jobs", headers={"host": header}).status_code == 421
    assert server.client.get("/api/jobs", headers={"origin": f"http://{header}"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://elsewhere.test"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
        ({"host": "elsewhere.test"}, 421),
        ({"host": "127.0.0.1.elsewhere.test"}, 421),
        ({}, 200),
    ],
)
def test_other_sites_are_refused(headers: dict[str, str], status: int, server: Server) -> None:
    answer = server.client.get("/api/jobs", headers=headers)
    assert answer.status_code == status
    posted = server.client.post("/api/preview", headers=headers, json={"plate": "good.png", "look": "auvers"})
    assert posted.status_code == status
    assert server.client.get("/en/", headers=headers).status_code == status


def test_a_link_from_elsewhere_opens_the_page(server: Server) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    answer = server.client.get("/en/", headers=headers)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("harm", ["surrogate", "deep"])
def test_a_look_that_cannot_be_told_is_refused_at_import(harm: str, server: Server, plates: Path) -> None:
    raw = (plates / "good.look").read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + size])
    facts = json.loads(head["__metadata__"]["facts"])
    if harm == "surrogate":
        told = json.dumps({**facts, "sources": [{"picture": "a\ud800"}]})
    else:
        told = json.dumps(facts)[:-1] + ', "x": ' + "[" * 400 + "]" * 400 + "}"
    text = json.dumps({**head, "__metadata__": {"facts": told}}).encode()
    text += b" " * (-len(text) % 8)
    data = struct.pack("<Q", len(text)) + text + raw[8 + size :]
    answer = server.client.post("/api/looks", params={"name": harm}, files={"file": ("a.look", data)})
    assert answer.status_code == 400, answer.text
    assert harm not in [look["name"] for look in server.client.get("/api/looks").json()]
    assert not (server.data / "faults.log").exists() or harm not in (server.data / "faults.log").read_text()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_the_data_folder_is_closed_to_other_users(server: Server) -> None:
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


@pytest.mark.full
def test_the_whole_corpus_is_taken_or_refused_in_one_sentence(server: Server, plates: Path) -> None:
    seen = set()
    for file in sorted(
        p for p in plates.iterdir() if p.is_file() and not p.is_symlink() and not p.name.startswith("pan")
    ):
        answers = [
            server.client.post("/api/uploads", files=[("files", (file.name, file.read_bytes()))]),
            server.client.post("/api/preview", json={"plate": file.name, "look": "tiny"}),
            server.client.post("/api/preview", json={"plate": "good.png", "styles": [file.name]}),
            server.client.post(
                "/api/looks", params={"name": file.stem}, files={"file": (file.name, file.read_bytes())}
            ),
        ]
        if answers[0].status_code == 201:  # its name says a picture or movie, its header too: its body may lie
            asked = {"plate": answers[0].json()["reference"], "look": "tiny"}
            answers.append(server.client.post("/api/preview", json=asked))
        for answer in answers:
            assert answer.status_code in (200, 201, 400), (file.name, answer.status_code, answer.text[:300])
            seen.add(answer.status_code)
            if answer.status_code == 400:
                sentence = answer.json()["error"]
                assert sentence
                assert "Traceback" not in sentence
                assert "\n" not in sentence
    assert seen == {200, 201, 400}


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/api/render", {}),
        ("/api/render", {"plate": "good.png"}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "styles": ["good.png"]}),
        ("/api/render", {"plate": "good.png", "look": "nothing"}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "strength": 7}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "strength": "1:x"}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "colour": 1}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "stroke": 0}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "lines": 10**12}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "in_space": "no such space"}),
        ("/api/render", {"plate": "good.mp4", "look": "auvers", "frames": "900-1000"}),
        ("/api/render", {"plate": "good.mp4", "look": "auvers", "frames": "x"}),
        ("/api/render", {"plate": "good.mp4", "look": "auvers", "codec": "prores-hq", "format": "mp4"}),
        ("/api/render", {"plate": "good.mp4", "look": "auvers", "frame_rate": "0"}),
        ("/api/render", {"plate": "good.png", "look": "auvers", "matte": "channel:none"}),
        ("/api/render", {"plate": "hole.####.png", "look": "auvers"}),
        ("/api/render", {"plate": ["good.png"], "look": "auvers"}),
        ("/api/preview", {"plate": "good.mp4", "look": "auvers", "frame": 99}),
        ("/api/preview", {"plate": "good.mp4", "look": "auvers", "frame": 1e300}),
        ("/api/match", {"plate": "good.mp4", "name": "m", "keys": []}),
        ("/api/match", {"plate": "good.mp4", "name": "m", "keys": [{"frame": 77, "picture": "good.png"}]}),
        ("/api/match", {"plate": "good.mp4", "name": "auvers", "keys": [{"frame": 1, "picture": "good.png"}]}),
        ("/api/match", {"plate": "good.mp4", "name": "../x", "keys": [{"frame": 1, "picture": "good.png"}]}),
        ("/api/train", {"content": ["good.mp4"], "styles": ["good.mp4"], "name": "x"}),
        ("/api/train", {"content": ["good.mp4"], "styles": ["good.png"], "name": "x", "minutes": -1}),
        ("/api/qc", {"job": "0123456789abcdef"}),
        ("/api/qc", {"job": "x"}),
        ("/api/looks/make", {"styles": ["good.png"], "name": "auvers"}),
        ("/api/looks/make", {"styles": [], "name": "x"}),
        ("/api/looks/auvers/rename", {"to": "mine"}),
    ],
)
def test_wrong_requests_are_refused_in_one_sentence(url: str, body: dict[str, object], server: Server) -> None:
    answer = server.client.post(url, json=body)
    assert answer.status_code in (400, 404, 422), answer.text
    assert answer.json()["error"].count("\n") == 0
    assert not [job for job in server.client.get("/api/jobs").json() if job["state"] == "new"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"x"', b'{"plate": NaN}', b"[" * 5000])
def test_what_is_no_request_is_refused(body: bytes, server: Server) -> None:
    answer = server.client.post("/api/render", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for headers in (broken, {"content-type": "multipart/form-data"}, {"content-type": "text/plain"}):
        assert server.client.post("/api/uploads", content=body, headers=headers).status_code in (400, 422)


def test_uploads_keep_their_limits(plates: Path, tmp_path: Path) -> None:
    flags = ("--folder", str(plates), "--max-upload", "0.002", "--quota", "0.004")
    with studio(tmp_path / "data", *flags) as small:
        large = {"files": ("large.png", b"\x89PNG" + bytes(3_000_000))}
        for url in ("/api/uploads", "/en/gradio_api/upload"):
            answer = small.client.post(url, files=large)
            assert answer.status_code == 413, url
            assert "--max-upload" in answer.json()["error"]

        def without_length() -> Iterator[bytes]:
            yield b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            for _ in range(400):
                yield bytes(10_000)

        kind = {"content-type": "multipart/form-data; boundary=x"}
        try:
            status = small.client.post("/api/uploads", content=without_length(), headers=kind).status_code
        except httpx.TransportError:  # the connection was closed on it
            status = 413
        assert status == 413
        assert small.client.post("/api/render", json={"plate": "x" * (5 << 20), "look": "auvers"}).status_code == 413
        assert not list((tmp_path / "data" / "uploads").iterdir())
        for _ in range(2):
            small.upload(AUVERS)
        rng = np.random.default_rng(0)
        noise = Frame(1, rng.random((600, 800, 3), dtype=np.float32), DISPLAY)
        write_picture(tmp_path / "noise.png", noise, WriterSettings())
        answers = [
            small.client.post("/api/uploads", files={"files": ("n.png", (tmp_path / "noise.png").read_bytes())})
            for _ in range(5)
        ]
        assert answers[0].status_code == 201
        assert answers[-1].status_code == 400
        assert "used up" in answers[-1].json()["error"]


def test_beyond_this_machine_a_password_is_needed(plates: Path, tmp_path: Path) -> None:
    assert "--password" in refused_start("--host", "0.0.0.0")
    with studio(tmp_path / "data", "--host", "0.0.0.0", environment={"SCUMBLE_PASSWORD": "söme words"}) as open_one:
        client = open_one.client
        for url in ("/", "/en/", "/api/jobs", "/page/cards", "/en/gradio_api/info"):
            answer = client.get(url)
            assert answer.status_code == 401, url
            assert answer.headers["www-authenticate"].startswith("Basic")
        began = time.monotonic()
        assert client.get("/api/jobs", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/jobs", auth=("anyone", "wrong")).status_code == 401
        assert time.monotonic() - began > 1.5  # guessing takes its time
        assert client.get("/api/jobs", headers={"authorization": "Basic ÿÿ".encode("latin-1")}).status_code == 401
        bearer = {"authorization": "Bearer söme words".encode()}
        assert client.get("/api/jobs", headers=bearer).status_code == 200
        assert client.get("/api/jobs", auth=("anyone", "söme words")).status_code == 200
        assert client.get("/en/", auth=("anyone", "söme words"), headers={"host": "workstation:80"}).status_code == 200
        cross = {"origin": "http://elsewhere.test"}
        assert client.post("/api/qc", json={}, auth=("a", "söme words"), headers=cross).status_code == 403


def test_looks_are_made_named_shared_and_deleted(server: Server, tmp_path: Path) -> None:
    style = server.upload(AUVERS)["reference"]
    client = server.client
    assert client.post("/api/looks/make", json={"styles": [style], "name": "mein Öl"}).status_code == 201
    listed = {look["name"]: look["own"] for look in client.get("/api/looks").json()}
    assert listed["mein Öl"] is True
    assert listed["auvers"] is False
    (tmp_path / "a.look").write_bytes(client.get("/api/looks/mein Öl/file").content)
    made = Look.load(tmp_path / "a.look")
    facts = client.get("/api/looks/mein Öl").json()
    assert facts["hash"] == made.hash
    assert facts["facts"]["sources"][0]["picture"] == AUVERS.name
    assert client.post("/api/looks/mein Öl/rename", json={"to": "oil"}).json() == {"name": "oil"}
    assert client.get("/api/looks/mein Öl").status_code == 400
    again = client.post("/api/looks", files={"file": ("b.look", (tmp_path / "a.look").read_bytes())})
    assert again.json() == {"name": "b"}
    assert client.post("/api/looks", files={"file": ("b.look", (tmp_path / "a.look").read_bytes())}).status_code == 400
    thumbnail = client.get("/api/looks/oil/thumbnail", params={"plate": "good.png"})
    assert thumbnail.headers["content-type"] == "image/jpeg"
    told = server.until(server.submit("render", plate="good.png", look="oil"), "done")
    assert told["command"].split()[-1].endswith("oil.look") or "oil.look" in told["command"]
    for name in ("oil", "b"):
        assert client.delete(f"/api/looks/{name}").status_code == 204
    assert client.delete("/api/looks/auvers").status_code == 400
    assert "oil" not in [look["name"] for look in client.get("/api/looks").json()]


def test_a_match_learns_shows_and_is_kept(server: Server, plates: Path) -> None:
    pytest.importorskip("torch")
    painted = server.upload(plates / "plate.1002.png")["reference"]
    keys = [{"frame": 1002, "picture": painted}]
    job = server.submit("match", plate="plate.####.png", keys=keys, name="hers", minutes=0.1)
    told = server.until(job, "done")
    assert told["pictures"]
    assert told["files"]["report.html"]
    assert "held out" in server.client.get(told["files"]["report.html"]).text
    assert server.client.post(f"/api/jobs/{job}/keep").json() == {"name": "hers"}
    assert server.client.get("/api/looks/hers").json()["facts"]["made"] == "matched"
    assert server.client.post(f"/api/jobs/{job}/keep").status_code == 400
    server.client.delete("/api/looks/hers")


@pytest.mark.full
def test_training_is_cancelled_goes_on_and_ends(server: Server, plates: Path) -> None:
    pytest.importorskip("torch")
    style = server.upload(AUVERS)["reference"]
    job = server.submit("train", content=["pan.####.png"], styles=[style], name="show", minutes=1.0)
    began = time.monotonic()
    while not server.job(job)["pictures"]:
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.3)
    server.client.post(f"/api/jobs/{job}/cancel")
    server.until(job, "cancelled")
    server.client.post(f"/api/jobs/{job}/again")
    told = server.until(job, "done", patience=4 * PATIENCE)  # a minute of steps, and its first and last figures
    assert told["files"]["report.html"]
    assert server.client.post(f"/api/jobs/{job}/keep", json={"name": "my show"}).json() == {"name": "my show"}


def test_a_render_gets_its_quality_report(server: Server) -> None:
    job = server.submit("render", plate="pan.####.png", look="auvers", frames="1-6")
    server.until(job, "done")
    report = server.until(server.submit("qc", job=job), "done")
    page = server.client.get(report["files"]["report.html"]).text
    assert "<html" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert report["message"]


def test_a_fault_fails_its_job_alone(server: Server, plates: Path) -> None:
    """A frame that went bad after the job was taken: the job fails with a sentence that names it."""
    for number in (1, 2, 3):
        write_picture(plates / f"later.{number:04d}.png", Frame(number, picture(720, 960), DISPLAY), WriterSettings())
    blocker = server.submit("render", plate="pan.####.png", look="auvers", name="blocker")
    job = server.submit("render", plate="later.####.png", look="auvers")
    (plates / "later.0002.png").write_bytes(b"gone")
    told = server.until(job, "failed")
    assert "later.0002.png" in told["error"]
    assert server.until(blocker, "done")


def test_the_api_describes_itself_without_a_cdn(server: Server) -> None:
    page = server.client.get("/api").text
    assert "/api/render" in page
    assert "keep_color" in page
    assert "http" not in page.replace("HTTP API", "")
    described = server.client.get("/api/openapi.json").json()
    assert {"/api/uploads", "/api/preview", "/api/jobs/{job}/events"} <= set(described["paths"])


def test_the_client_example_runs(server: Server, tmp_path: Path) -> None:
    example = SAMPLES.parent / "examples" / "studio_client.py"
    words = [sys.executable, str(example), server.address, str(SAMPLES / "hiroshige_mackerel.jpg"), str(AUVERS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=PATIENCE)
    assert list(tmp_path.glob("*.jpg"))
    assert "done" in done.stdout


def test_a_port_that_is_taken_is_said(server: Server, tmp_path: Path) -> None:
    port = str(httpx.URL(server.address).port)
    assert "give another --port" in refused_start("--port", port, "--data", str(tmp_path))


@pytest.mark.parametrize("flags", [["--folder", "nowhere"], ["--data", "/dev/null/x"], ["--max-upload", "0"]])
def test_wrong_flags_are_one_sentence(flags: list[str]) -> None:
    assert flags[0] in refused_start(*flags) or flags[1] in refused_start(*flags)


def test_names_of_uploads_are_made_safe() -> None:
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("C:\\shots\\a b.png") == "a b.png"
    assert safe_name("..") == "upload"
    assert safe_name("a\0b\n.png") == "a_b_.png"
    assert safe_name("镜头.####.exr") == "镜头.####.exr"


def test_old_uploads_and_leftovers_are_cleaned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept, old = (store.upload([("a.png", io.BytesIO(b"x"))]) for _ in range(2))
    used = store.upload([("a.png", io.BytesIO(b"x"))])
    then = time.time() - (KEPT_DAYS + 1) * 86400
    for upload in (old, used):
        os.utime(tmp_path / "uploads" / upload, (then, then))
    job = store.release(store.submit("render", {"plate": f"upload:{used}"}).id)
    unborn = store.submit("render", {})
    (tmp_path / "jobs" / ("f" * 16)).mkdir(parents=True)
    store.clean()
    assert sorted(p.name for p in (tmp_path / "uploads").iterdir()) == sorted([kept, used])
    assert [j.id for j in store.jobs()] == [job.id]
    assert not store.home(unborn.id).exists()
    with pytest.raises(BadInput, match="cancel it first"):
        store.delete(job.id)


def test_two_workers_never_claim_one_job(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = {store.release(store.submit("render", {"n": n}).id).id for n in range(40)}
    with ThreadPoolExecutor(8) as pool:
        claimed = [job for job in pool.map(lambda _: Store(tmp_path).claim(), range(60)) if job is not None]
    assert len(claimed) == 40
    assert {job.id for job in claimed} == jobs


def test_a_worker_that_outlives_its_server_spoils_nothing(tmp_path: Path) -> None:
    server, old, new = Store(tmp_path), Store(tmp_path, worker="old"), Store(tmp_path, worker="new")
    job = server.release(server.submit("render", {}).id).id
    assert old.claim() is not None
    server.requeue(job)  # the next server
    assert new.claim() is not None
    old.tell(job, done=7.0)
    old.end(job, "failed", "stopped")
    old.requeue(job)
    assert (server.job(job).state, server.job(job).done) == ("running", 0)
    new.end(job, "done")
    old.requeue(job)
    assert server.job(job).state == "done"


def test_a_job_that_cannot_be_put_down_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "a.png", Frame(1, picture(48, 64), DISPLAY), WriterSettings())
    store = Store(tmp_path / "data")
    monkeypatch.setattr(Look, "save", lambda *_: (_ for _ in ()).throw(BadInput("the disk is full")))
    with pytest.raises(BadInput, match="full"):
        submit(Desk(store, (tmp_path,)), Render(plate="a.png", look="identity"))
    assert store.jobs() == []
    assert not list((tmp_path / "data" / "jobs").iterdir())


@pytest.mark.parametrize("suffix", ["mp4", "png"])
def test_a_render_that_was_stopped_when_its_file_was_whole_ends_well(suffix: str, tmp_path: Path) -> None:
    plate = "a.mp4" if suffix == "mp4" else "good.png"
    corpus.write_valid(tmp_path)
    (tmp_path / "good.mp4").rename(tmp_path / "a.mp4")
    desk = Desk(Store(tmp_path / "data"), (tmp_path,))
    desk.store.keep_look("tiny", (tmp_path / "good.look").read_bytes())
    submit(desk, Render(plate=plate, look="tiny"))
    job = desk.store.claim()
    assert job is not None
    perform(job, desk)
    home = desk.store.home(job.id)
    (made,) = (home / "out").iterdir()
    before = made.stat().st_mtime_ns
    next(home.glob("proxy.*")).unlink()
    perform(job, desk)
    assert made.stat().st_mtime_ns == before
    assert list(home.glob("proxy.*"))


def test_the_supervisor_lives_through_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(Supervisor, "_start", lambda _: subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1))
    with Supervisor(store) as supervisor:
        running = store.running
        monkeypatch.setattr(store, "running", lambda: (_ for _ in ()).throw(sqlite3.OperationalError("disk is full")))
        time.sleep(1)
        monkeypatch.setattr(store, "running", running)
        time.sleep(1)
        assert supervisor.thread.is_alive()
        assert "disk is full" in (tmp_path / "faults.log").read_text()
    assert supervisor.worker is not None
    assert supervisor.worker.poll() is not None


def test_languages_and_addresses() -> None:
    assert preferred("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred("de-DE,de;q=0.9") == "en"
    assert preferred("fr,en;q=0.5,zh;q=0.4") == "en"
    assert preferred("") == "en"
    assert all(is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "192.168.1.4", "localhost.elsewhere.test", "", "::"))
