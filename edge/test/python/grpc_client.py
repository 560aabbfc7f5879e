"""Drives the job service with code that grpcio-tools generates from the protos, and looks at it by reflection."""

import json
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

address, token, protos = sys.argv[1:4]
out = tempfile.mkdtemp()
files = [str(path) for path in sorted(Path(protos, "cartoon/v1").glob("*.proto"))]
assert protoc.main(["protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) == 0
sys.path.insert(0, out)

from cartoon.v1 import job_pb2, job_pb2_grpc, render_pb2  # noqa: E402

channel = grpc.insecure_channel(address)
jobs = job_pb2_grpc.JobServiceStub(channel)
key = (("authorization", f"Bearer {token}"),)

spec = render_pb2.RenderSpec(
    clip=render_pb2.ClipSpec(prompt="temo and felfel on the moon", seed=3),
    speech=render_pb2.SpeechSpec(lines=[render_pb2.SpeechLine(speaker="felfel", text="Hello!")]),
)
job = jobs.Submit(job_pb2.SubmitRequest(spec=spec, idempotency_key="py"), metadata=key).job
events = [event.type for event in jobs.Watch(job_pb2.JobServiceWatchRequest(id=job.id), metadata=key)]
done = jobs.Get(job_pb2.GetRequest(id=job.id), metadata=key).job
listed = jobs.List(job_pb2.ListRequest(limit=1), metadata=key).jobs


def code(call, *arguments, **options):
    try:
        call(*arguments, **options)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


print(
    json.dumps(
        {
            "first": events[0],
            "last": events[-1],
            "status": done.status,
            "seed": done.spec.clip.seed,
            "results": sorted(result.name for result in done.results),
            "listed": listed[0].id == job.id,
            "no_key": code(jobs.Get, job_pb2.GetRequest(id=job.id)),
            "unknown": code(jobs.Get, job_pb2.GetRequest(id="job_none"), metadata=key),
            "too_large": code(
                jobs.Submit,
                job_pb2.SubmitRequest(spec=render_pb2.RenderSpec(pack="x" * 2_000_000)),
                metadata=key,
            ),
            "services": sorted(ProtoReflectionDescriptorDatabase(channel).get_services()),
        }
    )
)
