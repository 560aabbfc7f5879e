import { expect, test } from "bun:test";
import { join } from "node:path";
import { createSession, floatOutput, int64 } from "../onnx/session.ts";
import { openWeights } from "../weights/weight-set.ts";
import { buildClipText } from "./clip-text.ts";
import { clipTextConfig } from "./config/clip.ts";
import { cpuTarget } from "./target/cpu.ts";
import {
  inTemporaryFolder,
  type PackedTensor,
  readFixture,
  relativeError,
  type TensorShapes,
  unpack,
  writeSeededWeights,
} from "./testing/seeded.ts";

interface Fixture {
  readonly config: unknown;
  readonly seed: number;
  readonly half: boolean;
  readonly tensors: TensorShapes;
  readonly ids: readonly (readonly number[])[];
  readonly outputs: Readonly<Record<string, PackedTensor>>;
}

test.each(["clip-legacy-eos", "clip-projection", "clip-float16"])("%s agrees with transformers", (name) =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>(name);
    const file = join(folder, "model.safetensors");
    await writeSeededWeights(file, fixture.tensors, fixture.seed, fixture.half);
    const config = clipTextConfig.parse(fixture.config);
    const last = config.num_hidden_layers;
    const weights = await openWeights([file]);
    const model = buildClipText({
      config,
      weights,
      target: cpuTarget,
      lora: false,
      normedHiddenStates: [last],
    });
    const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
    const shape = [fixture.ids.length, fixture.ids[0]?.length ?? 0];
    const outputs = await session.run({ input_ids: int64(fixture.ids.flat(), shape) });
    for (const [output, wanted] of Object.entries(fixture.outputs)) {
      expect(outputs[output]?.shape).toEqual([...wanted.shape]);
      expect(relativeError(floatOutput(outputs, output), unpack(wanted))).toBeLessThan(1e-4);
    }
    const normed = floatOutput(outputs, `normed_hidden_states.${last}`);
    expect(relativeError(normed, floatOutput(outputs, "last_hidden_state"))).toBeLessThan(1e-6);
    await session.release();
  }),
);

test("older checkpoints keep CLIPTextModel under text_model.", () =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>("clip-legacy-eos");
    const file = join(folder, "model.safetensors");
    await writeSeededWeights(file, fixture.tensors, fixture.seed, fixture.half);
    const weights = await openWeights([{ path: file, rename: (key) => `text_model.${key}` }]);
    const config = clipTextConfig.parse(fixture.config);
    const model = buildClipText({ config, weights, target: cpuTarget, lora: true });
    expect(model.loraTargets[0]).toEqual({
      path: "text_model.encoder.layers.0.self_attn.q_proj",
      in: 24,
      out: 24,
    });
    expect(model.loraTargets).toHaveLength(3 * 6);
  }));
