import { describe, expect, test } from "bun:test";
import goldens from "../../test-fixtures/schedulers/trajectories.json";
import { Mt19937 } from "../random/index.ts";
import { createScheduler, needsNoise, parseSchedulerConfig, presetConfig, schedulerStep } from "./index.ts";

const scaled = { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 };
const toon = {
  _class_name: "EulerDiscreteScheduler",
  ...scaled,
  timestep_spacing: "leading",
  steps_offset: 1,
};

function build(name: string, config: object, steps: number) {
  return createScheduler(parseSchedulerConfig({ _class_name: name, ...config }), steps);
}

function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let scale = 1;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(Number(expected[i])));
    const difference = Math.abs(Number(actual[i]) - Number(expected[i]));
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
  }
  return error / scale;
}

describe("trajectories of diffusers", () => {
  for (const golden of goldens) {
    const { prediction_type, timestep_spacing, beta_schedule, ...rest } = golden.config as Record<
      string,
      unknown
    >;
    const label = [
      golden.class,
      golden.steps,
      prediction_type,
      timestep_spacing,
      beta_schedule,
      JSON.stringify(rest),
    ];
    test(label.join(" "), () => {
      const scheduler = build(golden.class, golden.config, golden.steps);
      expect(maxError(scheduler.timesteps, golden.timesteps)).toBeLessThan(1e-6);
      expect(maxError([scheduler.initNoiseSigma], [golden.init_noise_sigma])).toBeLessThan(1e-6);
      expect(maxError(scheduler.inputScales, golden.input_scales)).toBeLessThan(1e-6);
      const random = new Mt19937(11);
      let sample: Float32Array = Float32Array.from(golden.start);
      let previous: Float32Array | undefined;
      const expected = new Map(golden.samples as [number, number[]][]);
      for (let i = 0; i < scheduler.timesteps.length; i++) {
        const input = scheduler.inputScales[i] ?? Number.NaN;
        const output = sample.map(
          (x, at) => 0.6 * Math.tanh(x * input) + 0.4 * (golden.base[at] ?? Number.NaN),
        );
        const noise = needsNoise(scheduler, i) ? random.randn(sample.length) : undefined;
        const result = schedulerStep(scheduler, i, sample, output, previous, noise);
        sample = result.sample;
        previous = result.x0;
        const wanted = expected.get(i);
        if (wanted) expect(maxError(sample, wanted)).toBeLessThan(2e-5);
      }
    });
  }
});

describe("golden vectors of the specification", () => {
  const x = Float32Array.of(0.5, -1.25, 2);
  const epsilon = Float32Array.of(0.3, 0.1, -0.7);

  test("Euler, scaled .020, leading, 20 steps", () => {
    const scheduler = createScheduler(presetConfig(toon, "sdxl-official"), 20);
    expect(scheduler.timesteps).toEqual([
      951, 901, 851, 801, 751, 701, 651, 601, 551, 501, 451, 401, 351, 301, 251, 201, 151, 101, 51, 1,
    ]);
    expect(scheduler.initNoiseSigma).toBeCloseTo(41.341915, 4);
    const start = x.map((value) => value * scheduler.initNoiseSigma);
    const scaledInput = start.map((value) => value * (scheduler.inputScales[0] ?? 0));
    expect(maxError(scaledInput, x)).toBeLessThan(1e-6);
    expect(
      maxError(schedulerStep(scheduler, 0, start, epsilon).sample, [16.1895, -53.1712, 93.1405]),
    ).toBeLessThan(2e-6);
  });

  test("Euler, scaled .012, leading and linspace", () => {
    expect(createScheduler(parseSchedulerConfig(toon), 20).initNoiseSigma).toBeCloseTo(11.07358, 4);
    const linspace = build("EulerDiscreteScheduler", { ...scaled, timestep_spacing: "linspace" }, 20);
    expect(linspace.initNoiseSigma).toBeCloseTo(14.6146, 3);
    expect(linspace.timesteps[1]).toBeCloseTo(946.421, 3);
    expect(linspace.timesteps[18]).toBeCloseTo(52.5789, 3);
  });

  test("DDIM timesteps and steps", () => {
    const linspace = createScheduler(presetConfig(toon, "sd15"), 20);
    expect(linspace.timesteps).toEqual([
      999, 946, 894, 841, 789, 736, 684, 631, 578, 526, 473, 421, 368, 315, 263, 210, 158, 105, 53, 0,
    ]);
    expect(
      maxError(schedulerStep(linspace, 0, x, epsilon).sample, [0.568488, -1.71307, 2.92632]),
    ).toBeLessThan(2e-6);
    expect(
      maxError(schedulerStep(linspace, 19, x, epsilon).sample, [0.491462, -1.25345, 2.02127]),
    ).toBeLessThan(2e-6);
    const trailing = build("DDIMScheduler", { timestep_spacing: "trailing" }, 20);
    expect(trailing.timesteps.slice(0, 2)).toEqual([999, 949]);
    expect(trailing.timesteps.at(-1)).toBe(49);
  });

  test("DPM++ 2M, three steps", () => {
    const config = {
      beta_schedule: "linear",
      beta_start: 0.00085,
      beta_end: 0.012,
      timestep_spacing: "linspace",
    };
    const scheduler = build("DPMSolverMultistepScheduler", config, 20);
    let sample: Float32Array = x;
    let previous: Float32Array | undefined;
    for (let i = 0; i < 3; i++) {
      const result = schedulerStep(
        scheduler,
        i,
        sample,
        epsilon.map((value) => value * (1 + 0.1 * i)),
        previous,
      );
      sample = result.sample;
      previous = result.x0;
    }
    expect(maxError(sample, [0.721393, -3.04881, 5.66924])).toBeLessThan(2e-6);
  });

  test("LCM timesteps", () => {
    const timesteps = (steps: number) => createScheduler(presetConfig(toon, "lcm"), steps).timesteps;
    expect(timesteps(4)).toEqual([999, 759, 499, 259]);
    expect(timesteps(6)).toEqual([999, 839, 679, 499, 339, 179]);
    expect(timesteps(8)).toEqual([999, 879, 759, 639, 499, 379, 259, 139]);
  });
});

describe("presets and refusals", () => {
  test("what the model predicts stays the pack's", () => {
    const config = presetConfig({ ...toon, prediction_type: "v_prediction" }, "sdxl-official");
    expect(config.prediction_type).toBe("v_prediction");
    expect(config.beta_end).toBe(0.02);
  });

  test("unknown names and options are named", () => {
    expect(() => presetConfig(toon, "plms")).toThrow(/"plms" is not one of toon, sdxl-official/);
    expect(() => parseSchedulerConfig({ ...toon, beta_end: 2, steps_offset: -1 })).toThrow(
      /beta_end.*steps_offset/,
    );
    expect(() => parseSchedulerConfig({ ...toon, use_beta_sigmas: true })).toThrow(
      /not supported: use_beta_sigmas/,
    );
    expect(() => build("PNDMScheduler", scaled, 20)).toThrow(/PNDMScheduler/);
    expect(() => build("LCMScheduler", scaled, 51)).toThrow(/at most 50 steps/);
    expect(() => build("DDIMScheduler", scaled, 0)).toThrow(/num_inference_steps/);
  });
});
