"""A training loop of PyTorch Lightning, as its users write it."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import lightning
import torch
from cases import LEARNING_RATE, MOMENTUM, Case
from measuring import Stamps
from peers_torch import NETS
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Classifier(lightning.LightningModule):
    """A net that learns to classify."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


class _Note(lightning.Callback):
    def __init__(self, stamps: Stamps) -> None:
        self.stamps = stamps

    def on_train_batch_end(self, *arguments: Any, **more: Any) -> None:
        self.stamps.note()


class LightningLoop:
    """`Trainer.fit` over a `DataLoader`; no logger, no checkpoints, no progress bar.

    Every turn is a fit of its own; its start is not in the time, which is taken between the ends of steps.

    Args:
        case: what is trained.
    """

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.module = Classifier(NETS[case.net]())
        self.loader = DataLoader(TensorDataset(*case.data()), batch_size=case.batch, shuffle=True, drop_last=True)

    def seconds_per_step(self, steps: int) -> float:
        stamps = Stamps(steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises decoding workers, which would only cost here
            trainer = lightning.Trainer(
                accelerator="cpu",
                devices=1,
                max_epochs=-1,
                max_steps=steps + 2,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[_Note(stamps)],
            )
            trainer.fit(self.module, self.loader)
        return stamps.seconds_per_step
