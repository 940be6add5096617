"""Any differentiable torch module as a network to be inverted, and the paper's way to invert one, to compare with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dser_training.inversion.network import HEARD_ROWS, IMPLICIT, Doubles, Floats, in_rows, windows
from dser_training.inversion.solver import COUNT

STEPS, RATE = 200, 0.05  # of Adam


class TorchNetwork:
    """A module `input` (B, 1, 8320), `emotion` (B, 1, 26) → (B, 1, N), held fixed. implicit: (16,)."""

    def __init__(self, module: nn.Module, implicit: Floats) -> None:
        self._module = module.eval().requires_grad_(False)
        self._implicit = torch.from_numpy(np.asarray(implicit, np.float32))

    def of(self, samples: Floats, times: Doubles) -> TorchFace:
        """What it makes of a line: samples (n,) at 16 kHz, and the moments of frames in s, (F,)."""
        heard = torch.from_numpy(np.array(windows(samples, times)[:, None]))
        return TorchFace(self._module, heard, self._implicit)


class TorchFace:
    """A Face by torch, which tells its Jacobian itself."""

    def __init__(self, module: nn.Module, heard: Tensor, implicit: Tensor) -> None:
        self._module, self.heard, self.implicit = module, heard, implicit
        self.frames = len(heard)

    def animate(self, emotions: Floats) -> Floats:
        """Emotions (F, 10) → (F, N)."""
        with torch.no_grad():
            made = [
                self.tell(torch.from_numpy(np.asarray(emotions[rows])), rows)
                for rows in in_rows(self.frames, HEARD_ROWS)
            ]
        return torch.cat(made).numpy()

    def jacobian(self, emotions: Floats) -> Floats:
        """Of `animate`, (F, N, 10): ten directions through the network at once, forward."""
        columns = []
        for rows in in_rows(self.frames, HEARD_ROWS):
            given = torch.from_numpy(np.asarray(emotions[rows]))
            directions = torch.eye(COUNT)[:, None].expand(-1, len(given), -1)

            def along(direction: Tensor, given: Tensor = given, rows: slice = rows) -> Tensor:
                return torch.func.jvp(lambda moved: self.tell(moved, rows), (given,), (direction,))[1]

            columns.append(torch.stack([along(direction) for direction in directions], dim=-1))
        return torch.cat(columns).numpy()

    def tell(self, emotions: Tensor, rows: slice) -> Tensor:
        """Emotions (n, 10) of some frames → (n, N), differentiable."""
        implicit = self.implicit.expand(len(emotions), IMPLICIT)
        return self._module(self.heard[rows], torch.cat([implicit, emotions], dim=1)[:, None])[:, 0]


def by_adam(face: TorchFace, target: Floats, weights: Floats, steps: int = STEPS) -> Floats:
    """Emotions (F, 10) by so many steps of Adam for each frame, all frames at once (paper, equation 8).

    Held between 0 and 1 after each step. target: (F, N). weights: (N, M).
    """
    matrix = torch.from_numpy(weights)
    found = []
    for rows in in_rows(face.frames, HEARD_ROWS):
        wanted = torch.from_numpy(target[rows]) @ matrix
        emotions = torch.full((len(wanted), COUNT), 0.1, requires_grad=True)
        adam = torch.optim.Adam([emotions], lr=RATE)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        for _ in range(steps):
            adam.zero_grad()
            (face.tell(emotions, rows) @ matrix - wanted).square().sum().backward()
            adam.step()
            decay.step()
            with torch.no_grad():
                emotions.clamp_(0, 1)
        found.append(emotions.detach())
    return torch.cat(found).numpy()
