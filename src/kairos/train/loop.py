"""One stage of training: the loop, resume and distribution of `transformers.Trainer`, our logs and curves.

A stage's data is a function of seed and step, so a run that was killed goes on at its last checkpoint, at most a minute
old, as if nothing had been. Losses go to `losses.jsonl` and `losses.png` in the stage's folder.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import IterableDataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from kairos.errors import KairosError
from kairos.train.recipe import Optimiser

_SAVE_EVERY_S = 50.0

Progress = Callable[[str, int, int, dict[str, float]], None]  # stage, step, steps, losses


class _Parts(Trainer):
    """A Trainer that remembers each named part of the loss."""

    parts: dict[str, list[torch.Tensor]]

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        outputs = model(**inputs)
        for name, value in outputs.items():
            if name != "loss" and value.numel() == 1:
                self.parts.setdefault(name, []).append(value.detach().float())
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """A checkpoint's weights, those that change; shared tensors (a tied embedding) are written once."""
        from safetensors.torch import save_file

        folder = Path(str(output_dir or self.args.output_dir))
        assert isinstance(self.model, nn.Module)
        folder.mkdir(parents=True, exist_ok=True)
        kept = self.model.state_dict().keys()
        changing = {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}
        changing |= {name: x for name, x in self.model.named_buffers() if name in kept}
        save_file({name: x.contiguous() for name, x in changing.items()}, str(folder / "model.safetensors"))

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Nothing to say: what is frozen and a tied tensor's other name are not written, and then not missing."""


class _Watch(TrainerCallback):
    def __init__(self, name: str, folder: Path, progress: Progress | None, every_s: float) -> None:
        self.name, self.folder, self.progress, self.every_s = name, folder, progress, every_s
        self.saved = self.started = time.monotonic()
        self.trainer: _Parts | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self.saved > self.every_s:
            self.saved = time.monotonic()
            control.should_save = True

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        if not logs or "loss" not in logs or self.trainer is None:
            return
        parts = {k: float(torch.stack(v).nanmean()) for k, v in self.trainer.parts.items()}
        self.trainer.parts.clear()
        line = {
            "step": state.global_step,
            "seconds": round(time.monotonic() - self.started, 1),
            "loss": logs["loss"],
        }
        line |= {"rate": logs.get("learning_rate", 0.0)} | {k: round(v, 5) for k, v in parts.items()}
        with (self.folder / "losses.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.progress is not None:
            self.progress(self.name, state.global_step, state.max_steps, {"loss": logs["loss"], **parts})


def fit(
    name: str,
    module: nn.Module,
    batches: Callable[[int], IterableDataset[Any]],
    optimiser: Optimiser,
    folder: Path,
    *,
    seed: int,
    device: str = "cpu",
    loaders: int = 1,
    progress: Progress | None = None,
    groups: list[dict[str, Any]] | None = None,
    batches_a_step: int = 1,
    every_s: float | None = None,
) -> None:
    """Train `module` (its forward returns named losses) for the stage's steps, or what is left of them.

    `batches(first)` gives the batches from step `first` on, `batches_a_step` for each. `groups` are AdamW's, where parts of
    the module have rates of their own. A checkpoint is written every `every_s` seconds, 50 if left out. bf16 autocast;
    resumes by itself from `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, first = _last(folder)
    watch = _Watch(name, folder, progress, _SAVE_EVERY_S if every_s is None else every_s)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=optimiser.steps,
        gradient_accumulation_steps=batches_a_step,
        per_device_train_batch_size=1,
        learning_rate=optimiser.rate,
        warmup_steps=optimiser.warmup,
        lr_scheduler_type="cosine",
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.clip,
        bf16=True,
        use_cpu=device == "cpu",
        seed=seed,
        save_strategy="no",
        save_total_limit=1,
        logging_steps=max(1, min(20, optimiser.steps // 4)),
        dataloader_num_workers=loaders,
        dataloader_prefetch_factor=4 if loaders else None,
        dataloader_pin_memory=device != "cpu",
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ignore_data_skip=True,
        accelerator_config={"dispatch_batches": False},
    )
    adamw = None if groups is None else torch.optim.AdamW(groups, weight_decay=optimiser.weight_decay)
    trainer = _Parts(
        model=module,
        args=arguments,
        train_dataset=batches(first),
        data_collator=lambda rows: rows[0],
        callbacks=[watch],
        optimizers=(adamw, None),
    )
    trainer.model_accepts_loss_kwargs = False  # a step's loss is the mean of its batches'
    trainer.parts, watch.trainer = {}, trainer
    for callback in list(trainer.callback_handler.callbacks):  # ours is the only voice
        if type(callback).__name__ in ("PrinterCallback", "ProgressCallback"):
            trainer.remove_callback(callback)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except KairosError as error:
        if (told := own(error)) is error:
            raise
        raise told from error
    draw_losses(folder)


def own(error: KairosError) -> KairosError:
    """The error that a loader met, without the worker's traceback, which torch puts before its words."""
    _, found, said = error.message.rpartition(f".{type(error).__name__}: ")
    return type(error)(said) if found else error


def _last(folder: Path) -> tuple[str | None, int]:
    """The newest whole checkpoint and its step; what a kill left half-written is removed."""
    found: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        if (path / "trainer_state.json").is_file():  # written last
            found.append((int(path.name.rpartition("-")[2]), path))
        else:
            shutil.rmtree(path)
    step, newest = max(found, default=(0, None))
    return (str(newest) if newest else None), step


def draw_losses(folder: Path) -> None:
    """`losses.png` from `losses.jsonl`; does nothing where matplotlib is missing (a bare training machine)."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [json.loads(line) for line in (folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()]
    names = [k for k in lines[-1] if k not in ("step", "seconds", "rate")]
    columns = 4
    figure, axes = plt.subplots(
        -(-len(names) // columns), columns, figsize=(13, 2.1 * -(-len(names) // columns)), squeeze=False
    )
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for name, axis in zip(names, axes.flat, strict=False):
        axis.plot(
            [line["step"] for line in lines if name in line],
            [line[name] for line in lines if name in line],
            lw=1,
        )
        axis.set_title(name, fontsize=9)
        axis.grid(alpha=0.25)
    figure.tight_layout()
    figure.savefig(folder / "losses.png", dpi=110)
    plt.close(figure)
