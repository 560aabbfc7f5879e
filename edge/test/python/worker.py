"""The official Python worker with a small handler, to hold the simulator against."""

import runpod


def handler(job):
    runpod.serverless.progress_update(job, {"percent": 10})
    if job["input"].get("text") == "fail":
        raise ValueError("no such character")
    return {"said": job["input"].get("text")}


runpod.serverless.start({"handler": handler})
