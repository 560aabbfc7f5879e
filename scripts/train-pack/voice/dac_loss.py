"""Spectral losses and small discriminators for the codec (multi-period, and complex STFT)."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import config as c


def mel_matrix(fft: int, mels: int, low: float = 0.0, high: float = c.SAMPLE_RATE / 2) -> torch.Tensor:
    """Triangular HTK mel filters [mels, fft // 2 + 1] from `low` to `high` Hz."""
    to_mel = lambda f: 2595 * math.log10(1 + f / 700)
    points = 700 * (10 ** (torch.linspace(to_mel(low), to_mel(high), mels + 2) / 2595) - 1)
    bins = torch.linspace(0, c.SAMPLE_RATE / 2, fft // 2 + 1)
    up = (bins[None] - points[:-2, None]) / (points[1:-1] - points[:-2])[:, None]
    down = (points[2:, None] - bins[None]) / (points[2:] - points[1:-1])[:, None]
    return torch.minimum(up, down).clamp(min=0)


class SpectralLoss(nn.Module):
    """L1 of log-mel spectra at six resolutions (weight 1) and of log-magnitude STFTs at three (weight 0.3)."""

    def __init__(self):
        super().__init__()
        self.sizes = [(64, 8), (128, 16), (256, 32), (512, 64), (1024, 80), (2048, 96)]
        for fft, mels in self.sizes:
            self.register_buffer(f"window{fft}", torch.hann_window(fft))
            self.register_buffer(f"mel{fft}", mel_matrix(fft, mels))

    def magnitude(self, x: torch.Tensor, fft: int) -> torch.Tensor:
        spectrum = torch.stft(x, fft, fft // 4, window=getattr(self, f"window{fft}"), return_complex=True)
        return (spectrum.real**2 + spectrum.imag**2 + 1e-9).sqrt()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x (reference) and y: [batch, samples]."""
        total = 0.0
        for fft, _ in self.sizes:
            a, b = self.magnitude(x, fft), self.magnitude(y, fft)
            mel = getattr(self, f"mel{fft}")
            total = total + F.l1_loss((mel @ b).clamp(min=1e-4).log10(), (mel @ a).clamp(min=1e-4).log10())
            if fft in (256, 512, 1024):
                total = total + 0.3 * F.l1_loss(b.clamp(min=1e-3).log10(), a.clamp(min=1e-3).log10())
        return total / len(self.sizes)


class CepstralLoss(nn.Module):
    """L1 of mel cepstra and of their change over two frames, each coefficient in units of its spread over speech: what a speech
    recogniser's front end sees (pre-emphasis 0.97, 25.6 ms Hamming windows every 10 ms, 25 filters from 130 to 6,800 Hz, 13 DCT-II coefficients)."""

    # Standard deviations of the coefficients over lines of flite's two voices.
    SPREAD = (14.0, 7.5, 3.5, 3.8, 2.9, 1.7, 1.8, 1.7, 1.4, 1.2, 1.1, 0.9, 0.9)

    def __init__(self):
        super().__init__()
        k, n = torch.arange(13)[:, None], torch.arange(25)[None]
        dct = torch.cos(math.pi * k * (n + 0.5) / 25) * (2 / 25) ** 0.5
        dct[0] /= 2**0.5
        self.register_buffer("window", torch.hamming_window(410, periodic=False))
        self.register_buffer("mel", mel_matrix(512, 25, 130, 6800))
        self.register_buffer("dct", dct / torch.tensor(self.SPREAD)[:, None])

    def cepstra(self, x: torch.Tensor) -> torch.Tensor:
        """x [batch, samples] -> [batch, 13, frames]"""
        x = x[:, 1:] - 0.97 * x[:, :-1]
        spectrum = torch.stft(x, 512, 160, 410, self.window, center=False, return_complex=True)
        power = self.mel @ (spectrum.real**2 + spectrum.imag**2)
        return self.dct @ power.clamp(min=1e-4).log()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        error = self.cepstra(x) - self.cepstra(y)
        return error.abs().mean() + 0.7 * (error[..., 2:] - error[..., :-2]).abs().mean()


class PeriodDiscriminator(nn.Module):
    def __init__(self, period: int):
        super().__init__()
        self.period = period
        widths = [1, 16, 32, 64, 128]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in zip(widths, widths[1:])
        )
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv2d(128, 1, (3, 1), 1, (1, 0)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = F.pad(x, (0, -x.shape[-1] % self.period), mode="reflect")
        x = x.view(len(x), 1, -1, self.period)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return features + [self.last(x)]


class SpectrumDiscriminator(nn.Module):
    def __init__(self, fft: int):
        super().__init__()
        self.fft = fft
        self.register_buffer("window", torch.hann_window(fft))
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, 32, (3, 9), (1, s), (1, 4))) for a, s in ((2, 1), (32, 2), (32, 2), (32, 2))
        )
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv2d(32, 1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        spectrum = torch.stft(x, self.fft, self.fft // 4, window=self.window, return_complex=True)
        x = torch.stack([spectrum.real, spectrum.imag], 1).transpose(2, 3)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return features + [self.last(x)]


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(
            [PeriodDiscriminator(p) for p in (2, 3, 5, 7, 11)] + [SpectrumDiscriminator(f) for f in (256, 512, 1024)]
        )

    def forward(self, x: torch.Tensor) -> list[list[torch.Tensor]]:
        return [part(x) for part in self.parts]


def discriminator_loss(real: list, fake: list) -> torch.Tensor:
    return sum(((1 - r[-1].float()) ** 2).mean() + (f[-1].float() ** 2).mean() for r, f in zip(real, fake)) / len(real)


def generator_loss(real: list, fake: list) -> tuple[torch.Tensor, torch.Tensor]:
    """Least-squares adversarial loss and feature matching (relative to the real features' size)."""
    adversarial = sum(((1 - f[-1].float()) ** 2).mean() for f in fake) / len(fake)
    size = lambda a: a.detach().float().abs().mean().clamp(min=1e-4)
    match = sum((a.detach() - b).float().abs().mean() / size(a) for r, f in zip(real, fake) for a, b in zip(r[:-1], f[:-1]))
    return adversarial, match / sum(len(r) - 1 for r in real)
