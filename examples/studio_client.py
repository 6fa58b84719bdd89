"""Paint a picture or shot through a running studio: python studio_client.py ADDRESS CONTENT STYLE [PASSWORD].

Needs httpx, which the studio's extra brings; the studio may run on another machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx

address, content, style, *password = sys.argv[1:]
headers = {"authorization": f"Bearer {password[0]}"} if password else {}

with httpx.Client(base_url=address, headers=headers, timeout=600) as studio:

    def upload(name: str) -> str:
        answer = studio.post("/api/uploads", files={"files": (Path(name).name, Path(name).read_bytes())})
        return answer.raise_for_status().json()["reference"]

    job = (
        studio.post("/api/render", json={"plate": upload(content), "styles": [upload(style)]}).raise_for_status().json()
    )
    with studio.stream("GET", f"/api/jobs/{job['id']}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                job = json.loads(line.removeprefix("data: "))
                print(job["state"], f"{job['done']:g} of {job['total']:g}", job["error"])
    result = job["files"]["result"]  # a sequence comes as files["sequence.zip"]
    Path(Path(result).name).write_bytes(studio.get(result).content)
    print(Path(result).name)
