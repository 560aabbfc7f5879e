"""Reads a signed MP4 with c2pa-python: `read_c2pa.py CLIP ROOT_CERTIFICATE`, prints what it found as JSON."""

import json
import sys

from c2pa import Context, Reader, Settings

clip, root = sys.argv[1:3]
with open(root) as anchors:
    settings = Settings.from_dict({"trust": {"trust_anchors": anchors.read()}})
with open(clip, "rb") as stream, Reader("video/mp4", stream, context=Context(settings)) as reader:
    store = json.loads(reader.json())
active = store["manifests"][store["active_manifest"]]
data = {assertion["label"]: assertion["data"] for assertion in active["assertions"]}
render = data["org.cartoon-animation-worker.render"]
print(
    json.dumps(
        {
            "state": store["validation_state"],
            "signer": active["signature_info"]["common_name"],
            "action": data["c2pa.actions.v2"]["actions"][0]["action"],
            "generator": render["generator"],
            "seed": render["seed"],
        }
    )
)
