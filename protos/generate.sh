#!/usr/bin/env bash
# Writes gen/ from the .proto files. `bun run check` fails when the result differs from what is committed.
set -euo pipefail
cd "$(dirname "$0")"
out="${1:-gen}"
../node_modules/.bin/proto-loader-gen-types --keepCase --longs=Number --enums=String --defaults --oneofs \
  --grpcLib=@grpc/grpc-js --importFileExtension=.ts --includeComments -I . -O "$out" \
  cartoon/v1/render.proto cartoon/v1/node.proto cartoon/v1/job.proto cartoon/v1/attach.proto
