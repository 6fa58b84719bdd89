"""A job type for Blender's Flamenco 3: https://flamenco.blender.org/usage/job-types/"""

from __future__ import annotations

import json

from scumble.farm.queued import Queued

SCRIPT = """// Job type for Flamenco 3. Copy it into the folder `scripts` beside the manager,
// then submit a job of this type.
const WORDS = WORDS_HERE;

const JOB_TYPE = {
  label: LABEL_HERE,
  settings: [
    { key: "frames", type: "string", required: true, default: FRAMES_HERE, description: "Frames to paint" },
    { key: "chunk_size", type: "int32", default: CHUNK_HERE, description: "Frames a task" },
    { key: "scumble", type: "string", default: "scumble", description: "The command on the workers" },
  ],
};

function compileJob(job) {
  const task = (name, words) => {
    const made = author.Task(name, "misc");
    made.addCommand(author.Command("exec", { exe: job.settings.scumble, args: words }));
    return made;
  };
  const measure = task("measure", WORDS.measure);
  job.addTask(measure);
  const encode = WORDS.encode.length ? task("encode", WORDS.encode) : null;
  for (const chunk of frameChunker(job.settings.frames, job.settings.chunk_size)) {
    const paint = task("paint-" + chunk, WORDS.paint.concat(["--frames=" + chunk]));
    paint.addDependency(measure);
    job.addTask(paint);
    if (encode) encode.addDependency(paint);
  }
  if (encode) job.addTask(encode);
}
"""


def flamenco_files(queued: Queued) -> dict[str, str]:
    """The job type by its file name."""
    steps = queued.steps
    words = {"measure": steps.measure[1:], "paint": steps.paint[1:], "encode": steps.encode[1:]}
    filled = {
        "WORDS_HERE": words,
        "LABEL_HERE": f"Scumble {queued.name}",
        "FRAMES_HERE": queued.frames,
        "CHUNK_HERE": queued.farm.frames_a_task(),
    }
    script = SCRIPT
    for place, value in filled.items():
        script = script.replace(place, json.dumps(value, indent=2, ensure_ascii=False))
    return {f"scumble-{''.join(c if c.isalnum() else '-' for c in queued.name).lower()}.js": script}
