"""The judge: a small convolutional classifier trained on rendered frames only; it reads place and characters."""

import torch
import torch.nn.functional as F
from torch import nn

from world import PLACE_NAMES

WHO = ("temo", "felfel", "child")


class Judge(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        layers, c = [], 3
        for k, w in enumerate((width, 2 * width, 3 * width, 4 * width, 4 * width)):
            layers += [nn.Conv2d(c, w, 3, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(), nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU()]
            c = w
        self.body = nn.Sequential(*layers)
        self.place = nn.Linear(2 * c, len(PLACE_NAMES))
        self.who = nn.Linear(2 * c, len(WHO))

    def forward(self, x):
        """[N,3,128,128] in 0..1 -> place logits, character logits."""
        h = self.body(x * 2 - 1)
        h = torch.cat([h.mean((2, 3)), h.amax((2, 3))], -1)
        return self.place(h), self.who(h)


def shrink(x):
    return F.interpolate(x, size=(128, 128), mode="bilinear", antialias=True) if x.shape[-1] != 128 else x


def augment(x):
    """Blur, noise, exposure and small shifts: what separates a rendered frame from a decoded one."""
    n = x.shape[0]
    if torch.rand(()) < 0.5:
        k = 96 if torch.rand(()) < 0.5 else 64
        x = F.interpolate(F.interpolate(x, size=(k, k), mode="bilinear", antialias=True), size=(128, 128), mode="bilinear")
    gain = 1 + 0.16 * torch.randn(n, 1, 1, 1, device=x.device)
    shift = 0.05 * torch.randn(n, 3, 1, 1, device=x.device)
    x = x * gain + shift + torch.rand(n, 1, 1, 1, device=x.device) * 0.06 * torch.randn_like(x)
    dx, dy = int(torch.randint(-8, 9, ())), int(torch.randint(-8, 9, ()))
    return torch.roll(x, (dy, dx), (2, 3)).clamp(0, 1)


@torch.no_grad()
def judge_clip(judge, frames):
    """frames [T,3,H,W] in 0..1 -> {characters: [names], place, p_who, p_place}, averaged over the frames."""
    place, who = judge(shrink(frames))
    place, who = place.softmax(-1).mean(0), who.sigmoid().mean(0)
    return {"characters": [w for w, p in zip(WHO, who.tolist()) if p > 0.5], "place": PLACE_NAMES[int(place.argmax())], "p_place": float(place.max()), "p_who": [round(p, 3) for p in who.tolist()]}


def run(seconds, deadline):
    import config
    import stage_vae
    from trainer import DEVICE, Clock, Every, setup, state

    setup(3)
    clock = Clock(seconds, 0, deadline)
    frames, labels, _ = stage_vae.frame_pool(32 if config.TINY else 16_000, config.SEED + 2)
    small = torch.cat([(shrink(frames[i : i + 512].float() / 255) * 255).to(torch.uint8) for i in range(0, len(frames), 512)])
    del frames
    judge = Judge().to(DEVICE).train()
    opt = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02, fused=DEVICE == "cuda")
    held, step, tell = len(small) // 16, 0, Every(10)
    while not clock.done or step < 2:
        i = torch.randint(held, len(small), (4 if config.TINY else 256,), device=DEVICE)
        place, who = judge(augment(small[i].float() / 255))
        y = labels[i]
        loss = F.cross_entropy(place, y[:, 0], label_smoothing=0.05) + 2 * F.binary_cross_entropy_with_logits(who, y[:, 1:].float())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        for g in opt.param_groups:
            g["lr"] = 2e-3 * clock.cosine()
        opt.step()
        step += 1
        if tell():
            state.log(f"judge step {step} loss {loss.item():.4f} {clock.fraction:.0%}")
    judge.eval()
    with torch.no_grad():
        place, who = judge(small[:held].float() / 255)
        figures = {"place": (place.argmax(-1) == labels[:held, 0]).float().mean().item(), "characters": ((who > 0) == (labels[:held, 1:] > 0)).all(-1).float().mean().item()}
    state.save("judge", {"state": {k: v.half().cpu() if v.is_floating_point() else v.cpu() for k, v in judge.state_dict().items()}, "figures": figures, "step": step})
    state.log(f"judge done: {step} steps, on unseen rendered frames {figures}")


def load(path, device="cpu"):
    saved = torch.load(path, map_location="cpu", weights_only=True)
    judge = Judge()
    judge.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in saved["state"].items()})
    return judge.to(device).eval()
