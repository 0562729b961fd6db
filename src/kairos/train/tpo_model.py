"""What an adapted model is taught by TPO (section 3, equation 1).

    loss = language + assignment + what each head asks for; every term is logged by its name.

What the temporal head reads of the words are their states, without gradient: heads teach the language model by the task
embedding alone.

Shapes: as in `tpo_batches`; E width of the language model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.adapted import AdaptedModel
from kairos.train.tpo_batches import IGNORED, truth

__all__ = ["TpoLoss"]


class TpoLoss(nn.Module):
    """Named losses of `model` on batches of `TpoBatches`."""

    def __init__(self, model: AdaptedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, **batch: Tensor) -> dict[str, Tensor]:
        """Named losses of a batch of `TpoBatches`, and `loss`, their sum."""
        if self.training and "seed" in batch:
            torch.manual_seed(
                int(batch["seed"])
            )  # what dropout leaves out is the step's, whenever a run goes on
        states = self.model.states(self.model.embed(batch), batch["known"])
        losses = self._said(states, batch)
        for name, head in self.model.tokens.heads.items():
            mine = {k.removeprefix(f"{name}_"): v for k, v in batch.items() if k.startswith(f"{name}_")}
            if mine:
                losses |= self._head(name, head, states, mine)
        loss = torch.stack([v for k, v in losses.items() if not k.endswith("_accuracy")]).sum()
        return {"loss": loss, **{k: v.detach() for k, v in losses.items()}}

    def _said(self, states: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """L_mlm over words, L_assign over task words; each is there where the batch has any."""
        where = batch["target"] != IGNORED
        target = batch["target"][where]
        logits = self.model.logits(states[where])
        nll = F.cross_entropy(logits, target, reduction="none")
        task = torch.isin(target, self.model.task_ids)
        losses = {}
        if (~task).any():
            losses["lm"] = nll[~task].mean()
        if task.any():
            right = logits[task].argmax(-1) == target[task]
            losses |= {"assign": nll[task].mean(), "assign_accuracy": right.float().mean()}
        return losses

    def _head(self, name: str, head: Any, states: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        row, at = batch["row"], batch["at"]
        state = states[row, at]
        if name == "temporal":
            words = states[row[:, None], batch["words"]].detach()
            targets = truth(batch)
            inputs = {
                **{key: batch[key] for key in ("video", "video_known")},
                "text": words,
                "text_known": batch["words_known"],
                "relevant": targets.relevant,
            }
            return dict(head.losses(head(state, inputs), targets))
        known = torch.ones(len(row), device=state.device)
        if name == "mask":
            if self.model.follower is None:
                return {}
            with torch.no_grad():
                shown = self.model.follower.prompt(batch["box"])
            return dict(head.losses(head(state, {}), {"prompt": shown, "known": known}))
        return dict(head.losses(head(state, {}), {"box": batch["box"], "known": known}))
