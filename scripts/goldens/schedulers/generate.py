"""Golden vectors of the samplers (diffusers 0.42) and of torch's CPU generator.

    python generate.py
"""
import itertools
import json
from pathlib import Path

import diffusers
import numpy as np
import torch

SIZE = 24
CLASSES = {
    "EulerDiscreteScheduler": diffusers.EulerDiscreteScheduler,
    "DDIMScheduler": diffusers.DDIMScheduler,
    "DPMSolverMultistepScheduler": diffusers.DPMSolverMultistepScheduler,
    "LCMScheduler": diffusers.LCMScheduler,
}


def configs():
    betas = [
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.020},
        {"beta_schedule": "linear", "beta_start": 0.00085, "beta_end": 0.012},
    ]
    for name, spacing, prediction in itertools.product(
        ["EulerDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"],
        ["leading", "linspace", "trailing"],
        ["epsilon", "v_prediction"],
    ):
        for index, beta in enumerate(betas):
            extra = {"clip_sample": False} if name == "DDIMScheduler" else {}
            offset = 1 if spacing == "leading" else 0
            yield name, {**beta, **extra, "timestep_spacing": spacing, "prediction_type": prediction, "steps_offset": offset}, [20, 8, 13][index]
    scaled = betas[0]
    yield "DDIMScheduler", {**scaled, "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}, 25
    yield "DDIMScheduler", {**scaled, "clip_sample": True, "clip_sample_range": 2.0}, 10
    yield "DDIMScheduler", {**scaled, "prediction_type": "sample", "clip_sample": False}, 9
    yield "DDIMScheduler", {**scaled, "prediction_type": "v_prediction", "clip_sample": False, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, 20
    yield "DDIMScheduler", {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False}, 7
    yield "EulerDiscreteScheduler", {**scaled, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, 20
    yield "EulerDiscreteScheduler", {**scaled, "use_karras_sigmas": True}, 20
    yield "EulerDiscreteScheduler", {**scaled, "final_sigmas_type": "sigma_min", "timestep_spacing": "leading"}, 11
    yield "EulerDiscreteScheduler", {**scaled, "prediction_type": "sample"}, 6
    for count in (1, 4, 14, 15, 30):
        yield "DPMSolverMultistepScheduler", {**scaled, "use_karras_sigmas": True, "steps_offset": 1}, count
    yield "DPMSolverMultistepScheduler", {**scaled, "solver_type": "heun"}, 20
    yield "DPMSolverMultistepScheduler", {**scaled, "solver_order": 1}, 20
    yield "DPMSolverMultistepScheduler", {**scaled, "euler_at_final": True, "final_sigmas_type": "sigma_min"}, 20
    yield "DPMSolverMultistepScheduler", {**scaled, "algorithm_type": "sde-dpmsolver++"}, 12
    yield "DPMSolverMultistepScheduler", {**scaled, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}, 12
    yield "DPMSolverMultistepScheduler", {**scaled, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, 16
    yield "DPMSolverMultistepScheduler", {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, 20
    for count in (1, 2, 4, 6, 8, 50):
        yield "LCMScheduler", {**scaled, "set_alpha_to_one": False}, count
    yield "LCMScheduler", {**betas[2], "prediction_type": "v_prediction"}, 6


def trajectory(name, config, steps):
    scheduler = CLASSES[name](**config)
    scheduler.set_timesteps(steps)
    noise = torch.Generator().manual_seed(11)
    # A model output that depends on the sample, so that an error in one step shows in the next.
    base = torch.randn(SIZE, generator=torch.Generator().manual_seed(3))
    x = torch.randn(SIZE, generator=torch.Generator().manual_seed(5)) * float(scheduler.init_noise_sigma)
    start, samples, scales = x.clone(), [], []
    keep = {0, 1, steps // 2, steps - 2, steps - 1}
    for index, t in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(x, t)
        scales.append(float(scaled[0] / x[0]))
        output = 0.6 * torch.tanh(scaled) + 0.4 * base
        kwargs = {"generator": noise} if "generator" in scheduler.step.__code__.co_varnames else {}
        x = scheduler.step(output, t, x, **kwargs).prev_sample
        if index in keep:
            samples.append([index, x.tolist()])
    return {
        "class": name,
        "config": config,
        "steps": steps,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "sigmas": [float(s) for s in scheduler.sigmas] if name in ("EulerDiscreteScheduler", "DPMSolverMultistepScheduler") else None,
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "input_scales": scales,
        "start": start.tolist(),
        "base": base.tolist(),
        "samples": samples,
    }


def short(value):
    if isinstance(value, float):
        return float(np.format_float_positional(np.float32(value), unique=True))
    if isinstance(value, list):
        return [short(v) for v in value]
    if isinstance(value, dict):
        return {k: v if k == "config" else short(v) for k, v in value.items()}
    return value


def random_vectors():
    out = []
    for seed in (0, 1, 42, 123456789, 2**32 - 1, 2**40 + 17):
        g = torch.Generator().manual_seed(seed)
        entry = {"seed": seed, "draws": []}
        for kind, count in [("randn", 64), ("randn", 37), ("rand", 7), ("randn", 5), ("randn", 2), ("randn", 16), ("gumbel", 9), ("randperm", 10), ("randn", 3000)]:
            if kind == "randperm":
                values = torch.randperm(count, generator=g).tolist()
            elif kind == "gumbel":
                uniform = torch.rand(count, generator=g).double().clamp_min(2**-25)
                values = (-(-uniform.log()).log()).tolist()
            else:
                values = getattr(torch, kind)(count, generator=g)
                values = (values if count <= 64 else values[-8:]).tolist()
            entry["draws"].append({"kind": kind, "count": count, "values": values})
        out.append(entry)
    return out


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[3] / "gpu-pool/test-fixtures/schedulers"
    target.mkdir(parents=True, exist_ok=True)
    cases = [short(trajectory(*case)) for case in configs()]
    (target / "trajectories.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    (target / "random.json").write_text(json.dumps(short(random_vectors()), separators=(",", ":")) + "\n")
    print(len(cases), "trajectories")
