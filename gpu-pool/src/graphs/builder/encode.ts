import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import type { Attribute, AttributeProto, GraphProto, Value, ValueInfoProto } from "./types.ts";
import { ONNX_TYPE } from "./types.ts";

const schema = protobuf.parse(readFileSync(new URL("./onnx.proto", import.meta.url), "utf8"));
const modelType = schema.root.lookupType("onnx.ModelProto");
const utf8 = new TextEncoder();

/** ONNX AttributeProto.AttributeType numbers. */
const ATTRIBUTE_TYPE = { f: 1, i: 2, s: 3, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

export function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  if ("i" in attribute) return { name, type: ATTRIBUTE_TYPE.i, i: attribute.i };
  if ("f" in attribute) return { name, type: ATTRIBUTE_TYPE.f, f: attribute.f };
  if ("s" in attribute) return { name, type: ATTRIBUTE_TYPE.s, s: utf8.encode(attribute.s) };
  if ("ints" in attribute) return { name, type: ATTRIBUTE_TYPE.ints, ints: attribute.ints };
  if ("floats" in attribute) return { name, type: ATTRIBUTE_TYPE.floats, floats: attribute.floats };
  if ("graph" in attribute) return { name, type: ATTRIBUTE_TYPE.graph, g: attribute.graph.proto };
  return { name, type: ATTRIBUTE_TYPE.strings, strings: attribute.strings.map((s) => utf8.encode(s)) };
}

export function encodeValueInfo(value: Value): ValueInfoProto {
  const dim = value.shape.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { name: value.name, type: { tensorType: { elemType: ONNX_TYPE[value.dtype], shape: { dim } } } };
}

/** The domain of our own operators (gpu-pool/native). */
export const NATIVE_DOMAIN = "cartoon";

/** Encodes a graph as an ONNX ModelProto (IR version 10) with the contrib operators allowed. */
export function encodeModel(graph: GraphProto, opset: number): Uint8Array {
  const native = graph.node.some(({ domain }) => domain === NATIVE_DOMAIN);
  return modelType
    .encode({
      irVersion: 10,
      producerName: "cartoon-animation-worker",
      graph,
      opsetImport: [
        { domain: "", version: opset },
        { domain: "com.microsoft", version: 1 },
        ...(native ? [{ domain: NATIVE_DOMAIN, version: 1 }] : []),
      ],
    })
    .finish();
}
