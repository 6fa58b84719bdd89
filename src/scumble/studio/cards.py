"""A job as a card of the page: HTML, in the page's language."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from scumble.core.errors import BadInput
from scumble.studio.store import ENDED, Job
from scumble.studio.studio import Studio
from scumble.studio.words import Words

LARGE = {"match", "train"}  # kinds of job whose pictures are shown


def card(studio: Studio, job: Job, words: Words) -> str:
    """One job; the same text as long as nothing about it has changed."""
    told = studio.results(job)
    files: dict[str, str] = told["files"]
    parts = [
        f'<article class="job" data-job="{job.id}" data-state="{job.state}">',
        f"<header><b>{words(f'kind_{job.kind}')} · {escape(title(studio, job))}</b>"
        f'<span class="state">{words(job.state)}</span></header>',
    ]
    if job.state == "running":
        parts.append(f'<progress value="{job.done:g}" max="{max(1.0, job.total):g}"></progress>')
        parts.append(f'<p class="said">{escape(_progress(job, told["seconds_left"], words))}</p>')
    elif job.state == "done":
        parts.append(f'<p class="said">{escape(_took(job, words))}</p>')
    if job.error:
        parts.append(f'<p class="error" role="alert">{escape(job.error)}</p>')
    if "proxy.mp4" in files:
        parts.append(f'<video controls loop muted playsinline preload="metadata" src="{files["proxy.mp4"]}"></video>')
    elif "proxy.jpg" in files:
        parts.append(f'<img class="result" alt="" src="{files["proxy.jpg"]}">')
    if told["pictures"]:
        large = " large" if job.kind in LARGE else ""
        pictures = "".join(f'<img alt="" loading="lazy" src="{escape(p)}">' for p in told["pictures"])
        parts.append(f'<div class="strip{large}">{pictures}</div>')
    parts.append(_buttons(job, files, told["command"], words))
    if told["command"]:
        parts.append(f"<code>{escape(told['command'])}</code>")
    parts.append("</article>")
    return "".join(parts)


def title(studio: Studio, job: Job) -> str:
    """What is painted, and with what."""
    asked = job.request
    if job.kind == "qc":
        try:
            return title(studio, studio.store.job(str(asked.get("job"))))
        except BadInput:  # the render was deleted meanwhile
            return ""
    plate = asked.get("plate") or (asked.get("content") or [""])[0]
    with_what = asked.get("name") or asked.get("look") or " + ".join(_name(studio, s) for s in asked.get("styles", []))
    if asked.get("second") and asked.get("mix"):
        with_what += f" + {asked['second']}"
    return f"{_name(studio, plate)} · {with_what}"


def _name(studio: Studio, reference: str) -> str:
    if not reference.startswith("upload:"):
        return Path(reference).name
    folder = studio.store.folder / "uploads" / reference.removeprefix("upload:")
    files = sorted(p.name for p in folder.glob("*"))
    return files[0] if files else "?"


def _took(job: Job, words: Words) -> str:
    time = _clock((job.ended or 0) - (job.started or 0))
    counted = words("took", f"{job.total:g}", time) if job.kind == "render" and job.total > 1 else time
    return "\n".join([counted, *([job.message] if job.message else [])])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _progress(job: Job, left: float | None, words: Words) -> str:
    if job.message == "proxy":
        return words("proxy")
    counted = f"{job.done:g} / {job.total:g}" if job.total and job.kind in ("render", "qc") else job.message
    if left is None:
        return counted
    return f"{counted} · {words('left', _clock(left))}" if job.kind in ("render", "qc") else counted


def _buttons(job: Job, files: dict[str, str], command: str, words: Words) -> str:
    def button(key: str, method: str, url: str, body: Any = None) -> str:
        sent = f" data-body='{escape(json.dumps(body))}'" if body is not None else ""
        return f'<button data-method="{method}" data-url="{url}"{sent}>{words(key)}</button>'

    def link(key: str, url: str, target: str = "") -> str:
        return f'<a href="{escape(url)}"{target}>{words(key)}</a>'

    base, buttons = f"/api/jobs/{job.id}", []
    if job.state in ("queued", "running"):
        buttons.append(button("cancel", "POST", f"{base}/cancel"))
    if "result" in files:
        buttons.append(link("download", files["result"]))
    if "sequence.zip" in files:
        buttons.append(link("sequence", files["sequence.zip"]))
    if "look.look" in files:
        buttons.append(link("look_file", files["look.look"]))
        if job.kind in LARGE:
            buttons.append(button("keep_look", "POST", f"{base}/keep", {}))
    if "report.html" in files:
        buttons.append(link("report", files["report.html"], ' target="_blank"'))
    if job.kind == "render" and job.state == "done":
        buttons.append(button("make_report", "POST", "/api/qc", {"job": job.id}))
    if "log.txt" in files:
        buttons.append(link("log", files["log.txt"], ' target="_blank"'))
    if job.state in ("failed", "cancelled"):
        buttons.append(button("again", "POST", f"{base}/again"))
    if job.state in ENDED:
        buttons.append(button("delete", "DELETE", base))
    if command:
        buttons.append(
            f'<button data-copy="{escape(command)}" data-copied="{words("copied")}">{words("copy")}</button>'
        )
    return f"<nav>{''.join(buttons)}</nav>"
