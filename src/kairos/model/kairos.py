"""The Kairos model: towers, Fuseformer, query track and language model as one class of any size.

    vision tower + audio tower -> Fuseformer -> frame states, names -> language model
                                                    '- query track -> scores, spans -> evidence -^

Shapes: B clips, T ticks, S slots, N tokens a frame state, D width, Q queries, L words, K names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from kairos.errors import ModelError
from kairos.model.asked import Asked
from kairos.model.attention import Past
from kairos.model.audio import AudioTower
from kairos.model.config import KairosConfig
from kairos.model.fuseformer import Fuseformer, FusePast
from kairos.model.language import Speech
from kairos.model.names import Frames, Names
from kairos.model.stream import Stream
from kairos.model.track import Query, QueryEncoder, QueryTrack
from kairos.model.vision import VisionTower
from kairos.model.words import TRACK_BOX, normal
from kairos.video.mel import log_mel

if TYPE_CHECKING:
    from kairos.model.duet import Duet
    from kairos.model.follower import Follower
    from kairos.model.handover import HandOver
    from kairos.model.pursuit import Pursuit
    from kairos.model.session import Session


@dataclass
class Perceived:
    """What the towers make of T ticks: everything that later stages need of the pixels and the sound."""

    slots: Tensor  # (B, T, S, C)
    attributes: Tensor  # (B, T, S, A)
    scene: Tensor  # (B, T, C)
    sounds: Tensor  # (B, T, a, C')
    sound: Tensor  # (B, T, C')

    def fields(self) -> tuple[Tensor, ...]:
        return self.slots, self.attributes, self.scene, self.sounds, self.sound


@dataclass
class FramesPast:
    """What the trunk remembers of the ticks before."""

    fused: FusePast | None = None
    named: Past | None = None


class KairosModel(Asked, PreTrainedModel):
    """Any size of Kairos; saved and loaded in the Hugging Face layout, safetensors only."""

    config_class = KairosConfig
    config: KairosConfig
    base_model_prefix = "kairos"
    main_input_name = "frames"
    _supports_sdpa = True

    def __init__(self, config: KairosConfig, names: list[int] | None = None) -> None:
        super().__init__(config)
        self.vision, self.audio = VisionTower(config), AudioTower(config)
        self.fuseformer, self.named = Fuseformer(config), Names(config)
        self.encoder, self.query_track = QueryEncoder(config), QueryTrack(config)
        self.speech = Speech(config, names or list(range(config.names)))
        self.stream = Stream(config, self.speech.decoder.config.hidden_size)
        self.handover: HandOver | None = None
        if config.task_heads is not None:
            self.give_heads(config.task_heads)
        self.follower: Follower | None = None
        if config.follower is not None:
            from kairos.model.follower import Follower

            self.follower = Follower(**config.follower)
        self.tokenizer: PreTrainedTokenizerFast | None = None
        self._tied_weights_keys = {
            "speech.decoder.lm_head.weight": "speech.decoder.model.embed_tokens.weight"
        }
        self.all_tied_weights_keys = dict(self._tied_weights_keys)

    def give_heads(self, heads: dict[str, dict[str, Any] | None]) -> None:
        """New task tokens and task heads, by name with their settings; the tokens begin at the mean of all words."""
        from kairos.model.handover import HandOver

        self.config.task_heads = heads
        self.handover = HandOver(self.config, self.speech.decoder.config.hidden_size)
        self.handover.tokens.begin_at_mean(self.speech.decoder.get_input_embeddings().weight)

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it hands over to task heads: some of ground, locate and segment."""
        from kairos.model.task_tokens import TASKS

        return (
            ()
            if self.handover is None
            else tuple(TASKS[k] for k in self.handover.tokens.kinds() if k in TASKS)
        )

    def give_follower(self, follower: Follower) -> None:
        """What follows things, of the default sizes but for the picture's."""
        self.config.follower = {"size": follower.size, "fps": follower.fps}
        self.follower = follower

    def _init_weights(self, module: nn.Module) -> None:
        """Modules initialise themselves."""

    # perception ----------------------------------------------------------------------------------------------

    def perceive(self, frames: Tensor, previous: Tensor, waves: Tensor) -> Perceived:
        """uint8 frames (T, H, W, 3), the frames a tick before, and sound (T, n) of each tick -> features of one clip."""
        slots, attributes, scene = self.vision(frames, previous)
        sounds, sound = self.audio(log_mel(waves, rate_hz=self.config.audio_rate))
        return Perceived(*(x[None] for x in (slots, attributes, scene, sounds, sound)))

    def fuse(
        self, seen: Perceived, past: FramesPast | None = None, shown: Tensor | None = None
    ) -> tuple[Frames, FramesPast]:
        """Frame states and names; `shown` are the attributes that names are read off where they are not those of `seen`."""
        past = past or FramesPast()
        states, fused = self.fuseformer(*seen.fields(), past=past.fused)
        shown = seen.attributes if shown is None else shown
        names, named = self.named(states, shown, past.named)
        cups = shown[..., :1] * shown[..., 1 + self.config.names, None]
        return Frames(states, names, shown[..., -4:].to(states.dtype), cups), FramesPast(fused, named)

    def query(self, words: Tensor, known: Tensor) -> Query:
        """Word ids (R, L) -> R queries."""
        return self.encoder(self.speech.embed(words), known, words[..., None] == self.speech.names)

    # words ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return str(getattr(self.config, "name", "") or self.config._name_or_path or "kairos")

    def words(self, text: str) -> list[int]:
        assert self.tokenizer is not None, "the model was built without a tokenizer"
        parts = [normal(part) for part in text.split(TRACK_BOX)]
        text = f" {TRACK_BOX} ".join(parts)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def unknown_words(self, text: str) -> list[str]:
        """The words of a query that the model has never seen, in order."""
        assert self.tokenizer is not None
        known = self.tokenizer.get_vocab()
        return [w for w in dict.fromkeys(normal(text.replace(TRACK_BOX, " ")).split()) if w not in known]

    def session(self) -> Session:
        """A conversation in which the video is a third participant."""
        from kairos.model.session import Session

        return Session(self)

    def duet(self, **options: Any) -> Duet:
        """A stream with standing queries, in which the model speaks by itself; `options` are those of `Duet`."""
        from kairos.model.duet import Duet

        return Duet(self, **options)

    def follow(self, *, box: Sequence[float] | None = None, prompt: Tensor | None = None) -> Pursuit:
        """Begins to follow what a box (xyxy in fractions of the picture) or a session's prompt is about. Raises ModelError."""
        from kairos.model.pursuit import Pursuit

        if self.follower is None:
            raise ModelError(f"{self.name} cannot follow things; train a follower: docs/train.md")
        return Pursuit(self.follower, box=box, prompt=prompt)


def count_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
