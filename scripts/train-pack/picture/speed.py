"""Forward and backward without Python in between: compiled and replayed as a CUDA graph, or a graph of the eager kernels, or eager.

Launching some thousand small kernels costs more than running them: a graph launches them all at once, and compiling fuses them.
A stage tries the fastest mode first. A mode that crashes, hangs or gives another loss than eager ends the process; the next start of the
stage goes one mode down (gpu-picture.sh starts it again from its last checkpoint). PICTURE_SPEED=eager|graph|compile names one.
"""

import json
import os
import threading

import torch

import config
import state
from trainer import parallel

MODES = ("compile", "graph", "eager")
TRIAL_SECONDS = float(os.environ.get("PICTURE_COMPILE_SECONDS", "90"))


class Ladder:
    """The mode of one stage, remembered over restarts in `<stage>.mode`."""

    def __init__(self, stage, device):
        self.stage, self.file = stage, config.TRAIN_DIR / f"{stage}.mode"
        self.notes = json.loads(self.file.read_text()) if self.file.exists() else {}
        wanted = os.environ.get("PICTURE_SPEED")
        modes = (wanted, "eager") if wanted else MODES if device == "cuda" else ("eager",)
        # One start without a good step strikes a mode out; after good steps it may be started twice more.
        spent = lambda m: self.notes.get(m, {"starts": 0, "works": False})
        chosen = next((m for m in modes if spent(m)["starts"] < (3 if spent(m)["works"] else 1)), "eager")
        self.mode = MODES[int(parallel.first_says(MODES.index(chosen)))]
        note = dict(spent(self.mode))
        self.notes[self.mode] = {**note, "starts": note["starts"] + 1}
        self._write()
        state.log(f"{stage}: mode {self.mode}")
        self.timer = None
        if self.mode != "eager":
            self.timer = threading.Timer(TRIAL_SECONDS, self._too_long)
            self.timer.daemon = True
            self.timer.start()

    def _too_long(self):
        state.log(f"{self.stage}: mode {self.mode} took more than {TRIAL_SECONDS:.0f} s to start")
        os._exit(3)

    def works(self):
        """After the first good steps."""
        if self.timer:
            self.timer.cancel()
        self.notes[self.mode]["works"] = True
        self._write()

    def _write(self):
        if not parallel.LEADS:
            return
        config.TRAIN_DIR.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.notes))


class Step:
    """loss_of(**tensors) and its gradients. The first shape seen is the one that is compiled; others are graphs of eager kernels."""

    def __init__(self, loss_of, params, mode, backend="inductor"):
        self.loss_of, self.params, self.mode = loss_of, params, mode
        self.compiled = torch.compile(loss_of, dynamic=False, backend=backend) if mode == "compile" else None
        self.graphs, self.main, self.pool = {}, None, None

    def __call__(self, inputs):
        """-> loss, list of gradients (None where a parameter has none), both valid until the next call."""
        key = tuple(tuple(v.shape) for v in inputs.values())
        self.main = self.main or key
        run = self.compiled if self.compiled and key == self.main else self.loss_of
        if self.mode == "eager" or not torch.cuda.is_available():
            return self._run(run, inputs)
        if key not in self.graphs:
            self.graphs[key] = self._capture(run, inputs)
        graph, static, loss, grads = self.graphs[key]
        for name, value in inputs.items():
            static[name].copy_(value)
        graph.replay()
        return loss, grads

    def _run(self, run, inputs):
        for p in self.params:
            p.grad = None
        loss = run(**inputs)
        loss.backward()
        grads = [p.grad for p in self.params]
        for p in self.params:
            p.grad = None
        return loss.detach(), grads

    def _capture(self, run, inputs):
        with torch.no_grad():
            expected = float(self.loss_of(**inputs))
        static = {k: v.clone() for k, v in inputs.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._run(run, static)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.pool = self.pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # Other threads (NCCL's watchdog) may go on calling CUDA meanwhile.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            loss, grads = self._run(run, static)
        graph.replay()
        found = float(loss)
        if not abs(found - expected) <= 0.02 * abs(expected) + 1e-3:
            raise RuntimeError(f"mode {self.mode}: loss {found} where eager gives {expected}")
        return graph, static, loss, grads
