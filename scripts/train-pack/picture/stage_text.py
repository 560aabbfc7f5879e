"""Stage 1: the tokenizer and both text encoders, trained to read attributes off prompts, then frozen."""

import torch
import torch.nn.functional as F
from torch import nn

import config
import data
import models
import tokenizer
from trainer import DEVICE, Clock, Every, setup, state


class Probe(nn.Module):
    """One learned query per attribute over the tokens, and a linear reading of the pool."""

    def __init__(self, width):
        super().__init__()
        self.query = nn.ParameterDict({k: nn.Parameter(torch.randn(width) / width**0.5) for k in data.LABELS})
        self.tokens = nn.ModuleDict({k: nn.Linear(width, n) for k, n in data.LABELS.items()})
        self.pool = nn.ModuleDict({k: nn.Linear(width, n) for k, n in data.LABELS.items()})
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden, pooled, valid, labels):
        hidden = self.norm(hidden)
        loss, right = 0.0, []
        for i, k in enumerate(data.LABELS):
            a = (hidden @ self.query[k]).masked_fill(~valid, -1e4).softmax(-1)
            one = self.tokens[k]((a[..., None] * hidden).sum(1))
            two = self.pool[k](pooled)
            loss = loss + F.cross_entropy(one, labels[:, i]) + F.cross_entropy(two, labels[:, i])
            right.append((one.argmax(-1) == labels[:, i]).float().mean())
        return loss, torch.stack(right)


def run(seconds, deadline):
    rows = data.text_rows(1000 if config.TINY else 240_000, config.SEED)
    tokenizer.save(config.TRAIN_DIR / "tokenizer")
    tok = tokenizer.Tokenizer(config.TRAIN_DIR / "tokenizer")
    ids = tok([r[0] for r in rows])
    setup(1)
    ids, labels = ids.to(DEVICE), torch.tensor([r[1] for r in rows], device=DEVICE)
    one, two = (m.to(DEVICE) for m in models.build_text())
    width = config.TEXT_WIDTH
    probes = nn.ModuleList([Probe(width), Probe(width)]).to(DEVICE)
    params = [*one.parameters(), *two.parameters(), *probes.parameters()]
    opt = torch.optim.AdamW(params, lr=2e-3, weight_decay=0.01, fused=DEVICE == "cuda")
    clock, tell, step = Clock(seconds, 0, deadline), Every(10), 0
    held = min(4096, len(ids) // 10)
    batch = 32 if config.TINY else 512

    def forward(i):
        x, y = ids[i], labels[i]
        valid = torch.arange(x.shape[1], device=DEVICE)[None] <= (x == tok.eos).int().argmax(-1)[:, None]
        a, b = one(x, output_hidden_states=True), two(x, output_hidden_states=True)
        la, ra = probes[0](a.hidden_states[-2], a.pooler_output, valid, y)
        lb, rb = probes[1](b.hidden_states[-2], b.text_embeds, valid, y)
        return la + lb, (ra + rb) / 2

    while not clock.done or step < 2:
        i = torch.randint(held, len(ids), (batch,), device=DEVICE)
        loss, _ = forward(i)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        for g in opt.param_groups:
            g["lr"] = 2e-3 * clock.cosine() * min(1, (step + 1) / 100)
        opt.step()
        step += 1
        if tell():
            state.log(f"text step {step} loss {loss.item():.3f} {clock.fraction:.0%}")
    with torch.no_grad():
        right = torch.stack([forward(torch.arange(k, min(held, k + 512), device=DEVICE))[1] for k in range(0, held, 512)]).mean(0)
    accuracy = {k: round(float(v), 4) for k, v in zip(data.LABELS, right)}
    cpu = lambda m: {k: v.detach().cpu() for k, v in m.state_dict().items()}
    state.save("text", {"one": cpu(one), "two": cpu(two), "accuracy": accuracy, "step": step})
    state.log(f"text done: {step} steps, accuracy on unseen prompts {accuracy}")


def load_frozen(dtype=torch.float32):
    saved = state.load("text")
    one, two = models.build_text()
    for model, weights in ((one, saved["one"]), (two, saved["two"])):
        lacking = model.load_state_dict(weights, strict=False)
        assert not lacking.unexpected_keys and all(k.endswith("position_ids") for k in lacking.missing_keys), lacking
    return one.to(DEVICE, dtype).eval().requires_grad_(False), two.to(DEVICE, dtype).eval().requires_grad_(False)
