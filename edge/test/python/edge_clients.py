"""Drives a running edge with the official Python clients. Usage: edge_clients.py URL. Prints one JSON object."""

import json
import sys
import tempfile
import time
import wave

import runpod
from gradio_client import Client, handle_file

url = sys.argv[1]
seen = {}

runpod.api_key = "any"
runpod.endpoint_url_base = f"{url}/v2"
endpoint = runpod.Endpoint("cartoon")
job_input = {"task_type": "animation", "character": "temo", "prompt": "temo waves", "seed": 5}
output = endpoint.run_sync({"input": job_input}, timeout=30)
seen["run_sync"] = {"seed": output["seed"], "mp4": output["mp4"][:22]}

job = endpoint.run({"input": job_input})
chunks = list(job.stream())
seen["stream_last"] = sorted(chunks[-1].keys())
seen["status"] = job.status()

failing = endpoint.run({"input": {**job_input, "prompt": "fail please"}})
while failing.status() not in ("FAILED", "COMPLETED"):
    time.sleep(0.05)
seen["failed"] = failing.status()

seen["health"] = sorted(endpoint.health()["workers"].keys())
seen["purged"] = endpoint.purge_queue()

client = Client(url, verbose=False)
seen["api"] = sorted(client.view_api(return_format="dict")["named_endpoints"].keys())
gif, video, status = client.predict(character="felfel", prompt="felfel jumps", seed=9, api_name="/animation")
seen["predict"] = {"seed": status["seed"], "video": open(video if isinstance(video, str) else video["video"], "rb").read()[:4].decode("latin1")}

with tempfile.NamedTemporaryFile(suffix=".wav") as clip:
    with wave.open(clip, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    audio, status = client.predict(
        character="temo",
        dialogue_text="Hello!",
        seed=4,
        voice_clip=handle_file(clip.name),
        voice_transcript="Good day.",
        voice_character="temo",
        api_name="/voice",
    )
seen["upload"] = {"seed": status["seed"], "audio": open(audio, "rb").read()[:4].decode("latin1")}
print(json.dumps(seen))
