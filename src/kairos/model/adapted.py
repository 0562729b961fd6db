"""A pretrained language model with task tokens and task heads: what `kairos train recipes/tpo.yaml` makes (TPO, section 3).

    frame features -> connector -.
    words, a user's box ---------+-> language model with LoRA -> words
    task tokens -----------------'          '- states at the task tokens -> heads

The task words are new to the vocabulary. Equal rows could not be told apart, so they are learned beside the language model's
own, which stay as they are. A vision-language model of `transformers` (LLaVA-OneVision) gives its language model, and its
projector as the connector; a language model alone gets a new connector.

A folder holds `adapted.json` (`AdaptedConfig`), `adapted.safetensors` with all that was learned, LoRA once more in peft's
layout, and the tokenizer. The pretrained weights are not written again.

Shapes: B rows, L tokens, M frames of all rows, P features a frame, F their length, E width of the language model.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.errors import MissingDependency, ModelError, OptionError
from kairos.model.asked import Asked
from kairos.model.backbone import Backbone, Settings
from kairos.model.script import TASK_WORDS, Script
from kairos.model.task_tokens import TaskTokens
from kairos.timeline.files import atomic_write

if TYPE_CHECKING:
    from kairos.model.adapted_session import AdaptedSession
    from kairos.model.pursuit import Pursuit

__all__ = ["CONFIG", "AdaptedConfig", "AdaptedModel", "NewWords", "Sees", "load", "with_lora"]

CONFIG, WEIGHTS = "adapted.json", "adapted.safetensors"
_AUDIO_HZ = 16_000  # sound is not heard; a session takes it, as any does


@dataclass(frozen=True, kw_only=True)
class AdaptedConfig:
    """What an adapted model is made of. `language` and `follower` are folders (or names that transformers can load).

    At most `frames` frames of a video are shown to it; their features have the length `width` and were made as `features`
    says, None where that is not known. With `vision` their encoder has been trained, too, and is among what is kept. `heads`
    are registered task heads with their settings.
    """

    language: str
    width: int
    frames: int = 16
    rank: int = 16
    alpha: int = 32
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    follower: str | None = None
    features: Settings | None = None
    vision: bool = False


@dataclass(frozen=True)
class Sees:
    """What a session of an adapted model is to be shown; `tasks.protocol.Config` says what each is."""

    fps: float
    image_size: int
    audio_rate: int = _AUDIO_HZ
    presence_threshold: float = 0.0
    """It cannot tell that something is absent, so nothing is below this."""


class NewWords(nn.Module):
    """Rows of words that a language model does not know, beside its own; they begin at the mean of all words."""

    ids: Tensor

    def __init__(self, ids: list[int], embeddings: Tensor, head: Tensor | None) -> None:
        """`head` is the output matrix, None where it is tied to the embeddings."""
        super().__init__()
        self.register_buffer("ids", torch.tensor(ids), persistent=False)
        self.rows = nn.Parameter(_mean(embeddings, len(ids)))
        self.out = None if head is None else nn.Parameter(_mean(head, len(ids)))

    def embed(self, ids: Tensor, embedding: nn.Module) -> Tensor:
        """Words (B, L) as vectors (B, L, E)."""
        new = (ids[..., None] == self.ids).to(self.rows.dtype)  # (B, L, words)
        mine = new.sum(-1).bool()
        vectors: Tensor = embedding(ids.masked_fill(mine, 0))
        return torch.where(mine[..., None], (new @ self.rows).to(vectors.dtype), vectors)

    def logits(self, states: Tensor, head: nn.Module) -> Tensor:
        """States (n, E) as logits over all words (n, V)."""
        rows = self.rows if self.out is None else self.out
        logits: Tensor = head(states)
        if not len(self.ids):
            return logits
        new = states @ rows.T.to(states.dtype)
        size = max(logits.shape[-1], int(self.ids.max()) + 1)
        logits = F.pad(logits, (0, size - logits.shape[-1]), value=-1e4)
        return logits.index_copy(1, self.ids, new.to(logits.dtype))


class AdaptedModel(Asked, nn.Module):
    """`language` is a causal language model of transformers, with or without LoRA; `script` has taught its tokenizer.

    `connector` takes frame features to its width. `vision` makes them, where that has been trained. `follower` is frozen and
    has `prompt`, boxes (n, 4) -> (n, 3, C); without it nothing is followed, and the mask head learns nothing.
    """

    task_ids: Tensor

    def __init__(
        self,
        made_of: AdaptedConfig,
        language: nn.Module,
        script: Script,
        connector: nn.Module,
        tokens: TaskTokens,
        *,
        vision: Backbone | None = None,
        follower: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.made_of, self.script, self.name = made_of, script, "adapted"
        self.language, self.connector, self.tokens, self.vision = language, connector, tokens, vision
        self.follower: Any = follower if follower is None else follower.eval().requires_grad_(False)
        self._backbone: list[Backbone] = []  # in a list, so that it is no part of this module
        embeddings, head = self.base.get_input_embeddings(), self.base.get_output_embeddings()
        tied = head.weight is embeddings.weight
        self.words = NewWords(
            [script.id(word) for word in script.new], embeddings.weight, None if tied else head.weight
        )
        for embedding in tokens.embeddings.values():
            embedding.data.copy_(_mean(embeddings.weight, 1)[0])
        self.frames, self.track_box = script.frames, script.track_box
        self.pairs = {name: (script.id(k.begin), script.id(k.token)) for name, k in tokens.kinds().items()}
        self.register_buffer("task_ids", torch.tensor([*map(script.id, TASK_WORDS)]), persistent=False)

    @classmethod
    def build(cls, made_of: AdaptedConfig, *, follower: nn.Module | None = None) -> AdaptedModel:
        """The pretrained model with LoRA, task tokens and heads, untrained; `follower` stands for the one that is named.

        What is new is drawn by torch's generator. Raises ModelError, MissingDependency.
        """
        from transformers import AutoTokenizer

        from kairos.model import mask, region, temporal  # noqa: F401  registers the heads

        try:
            script = Script(AutoTokenizer.from_pretrained(made_of.language))
            language, connector = _pretrained(made_of.language)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{made_of.language} is no causal language model: {reason}",
                path=made_of.language,
                hint="language is a folder, or a name that transformers can load, with model.safetensors",
            ) from error
        if follower is None and made_of.follower is not None:
            from kairos.model.loading import quiet
            from kairos.model.sam2 import Sam2Follower

            with quiet():
                follower = Sam2Follower.load(made_of.follower)
        size = language.get_input_embeddings().weight.shape[1]
        if connector is None:
            connector = nn.Sequential(nn.Linear(made_of.width, size), nn.GELU(), nn.Linear(size, size))
        elif (takes := next(connector.parameters()).shape[-1]) != made_of.width:
            raise ModelError(
                f"{made_of.language} sees features of length {takes}, not of {made_of.width}",
                path=made_of.language,
                hint=f"make them by its own encoder: kairos features --backbone {made_of.language}",
            )
        adapted = with_lora(language, made_of.rank, made_of.alpha)
        tokens = TaskTokens(size, made_of.heads)
        vision = _encoder(made_of) if made_of.vision else None
        return cls(made_of, adapted, script, connector, tokens, vision=vision, follower=follower)

    # what it reads and says ----------------------------------------------------------------------------------

    @property
    def base(self) -> Any:
        """The language model beneath LoRA."""
        language: Any = self.language
        return language.get_base_model() if hasattr(language, "peft_config") else language

    def embed(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Everything that the language model reads, (B, L, E): words, frames, boxes, task tokens.

        `ids` (B, L), `boxes` (B, 4) and, where anything is shown, `frames` (M, P, F), or `pictures`, uint8 (M, S, S, 3), for a
        `vision` that makes them.
        """
        ids = batch["ids"]
        vectors = self.words.embed(ids, self.base.get_input_embeddings())
        shown = batch.get("frames")
        if "pictures" in batch:
            assert self.vision is not None
            shown = self.vision(batch["pictures"])
        if shown is not None:
            seen = self.connector(shown.to(vectors.dtype)).flatten(0, 1)  # (M * P, E)
            vectors = vectors.masked_scatter((ids == self.frames)[..., None], seen.to(vectors.dtype))
        boxes = self.tokens.box(batch["boxes"].to(vectors.dtype))
        vectors = torch.where((ids == self.track_box)[..., None], boxes[:, None].to(vectors.dtype), vectors)
        for name, (_, token) in self.pairs.items():
            vectors = torch.where(
                (ids == token)[..., None], self.tokens.embeddings[name].to(vectors.dtype), vectors
            )
        return vectors

    def states(self, vectors: Tensor, known: Tensor | None = None, past: Any = None) -> Tensor:
        """What the language model makes of (B, L, E), its last states; `past` is a cache of transformers, which grows."""
        decoder = getattr(self.base, self.base.base_model_prefix)
        out = decoder(
            inputs_embeds=vectors,
            attention_mask=None if known is None else known.long(),
            past_key_values=past,
            use_cache=past is not None,
        )
        states: Tensor = out.last_hidden_state
        return states

    def logits(self, states: Tensor) -> Tensor:
        """States (n, E) as logits over all words, (n, V), float32."""
        return self.words.logits(states, self.base.get_output_embeddings()).float()

    # in use --------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        return self.words.rows.device

    @property
    def backbone(self) -> Backbone:
        """The vision encoder whose features it was trained on. Raises ModelError where it is not known, or not there."""
        if not self._backbone:
            self._backbone.append(_encoder(self.made_of).to(self.device))
        return self._backbone[0]

    @torch.inference_mode()
    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What is made of pictures, uint8 (n, S, S, 3): features (n, P, F) for the language model, and one of each picture,
        (n, F), for the temporal head, which reads what the encoder gave before it was trained (the paper's has one of its own).
        """
        before = self.backbone(pictures)
        return before if self.vision is None else self.vision(pictures), before.float().mean(1)

    @property
    def config(self) -> Sees:
        """The rate and the size of what it is to be shown."""
        made, size = self.made_of.features, self.backbone.size
        assert made is not None
        return Sees(made.frames_a_clip / made.clip_s, size)

    def unknown_words(self, text: str) -> list[str]:
        """None: its tokenizer spells what it has never seen."""
        return []

    def session(self) -> AdaptedSession:
        """A conversation about a video, answered in words or by the task heads."""
        from kairos.model.adapted_session import AdaptedSession

        return AdaptedSession(self)

    def duet(self, **_: Any) -> Any:
        raise ModelError(
            f"{self.name} cannot be watched with: it has no heads for standing queries",
            hint="leave --model out, or give a model that was trained on duets",
        )

    def follow(self, *, box: Sequence[float] | None = None, prompt: Tensor | None = None) -> Pursuit:
        """Begins to follow what a box (xyxy in fractions of the picture) or a session's prompt is about. Raises ModelError."""
        from kairos.model.pursuit import Pursuit

        if self.follower is None:
            raise ModelError(
                f"{self.name} cannot follow things",
                hint="name a SAM 2 as the recipe's follower, and train again",
            )
        return Pursuit(self.follower, box=box, prompt=prompt)

    # on disk -------------------------------------------------------------------------------------------------

    def groups(self) -> Iterator[tuple[str, list[nn.Parameter]]]:
        """What is not the pretrained language model's, by the names that a stage's rates have."""
        yield "language", [p for n, p in self.language.named_parameters() if "lora_" in n]
        yield "words", list(self.words.parameters())
        yield "connector", list(self.connector.parameters())
        if self.vision is not None:
            yield "vision", list(self.vision.parameters())
        yield "box", list(self.tokens.box.parameters())
        for name in self.tokens.embeddings:
            yield f"tokens.{name}", [self.tokens.embeddings[name]]
            if name in self.tokens.heads:
                yield f"heads.{name}", list(self.tokens.heads[name].parameters())

    def learned(self) -> dict[str, Tensor]:
        """All of that by the names of its parameters: what is kept."""
        mine = {id(p) for _, of in self.groups() for p in of}
        return {n: p.detach().cpu().contiguous() for n, p in self.named_parameters() if id(p) in mine}

    def write(self, path: Path) -> None:
        """What was learned as one safetensors file, in one step."""
        from safetensors.torch import save_file

        save_file(self.learned(), str(path.with_suffix(".part")))
        path.with_suffix(".part").replace(path)

    def read(self, path: Path) -> None:
        """Takes in what `write` wrote. Raises ModelError where it is another model's."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            kept = load_file(str(path))
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: not what a stage has learned: {error}", path=path) from error
        mine = self.learned()
        if {k: v.shape for k, v in kept.items()} != {k: v.shape for k, v in mine.items()}:
            raise ModelError(f"{path} is of another model than the recipe's", path=path)
        self.load_state_dict(kept, strict=False)

    def save(self, folder: str | Path) -> Path:
        """A folder that `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        language: Any = self.language
        language.save_pretrained(folder, save_embedding_layers=False)
        self.script.tokenizer.save_pretrained(folder)
        self.write(folder / WEIGHTS)
        with atomic_write(folder / CONFIG) as file:
            json.dump(dataclasses.asdict(self.made_of), file, indent=1)
        return folder


def load(folder: str | Path, device: str = "cpu", *, follower: nn.Module | None = None) -> AdaptedModel:
    """The model in a folder that `AdaptedModel.save` wrote, ready to answer. Raises ModelError, MissingDependency."""
    from pydantic import TypeAdapter, ValidationError

    folder = Path(folder)
    try:
        made_of = TypeAdapter(AdaptedConfig).validate_json((folder / CONFIG).read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(f"{folder} holds no model made by TPO", path=folder) from error
    model = AdaptedModel.build(made_of, follower=follower)
    model.read(folder / WEIGHTS)
    model.name = folder.name
    return model.eval().requires_grad_(False).to(device)


def with_lora(language: nn.Module, rank: int, alpha: int, dropout: float = 0.0) -> nn.Module:
    """The language model with LoRA on all its projections, everything else frozen. Raises MissingDependency."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingDependency("peft", extra="train", purpose="LoRA") from error
    if rank < 1 or alpha < 1:
        raise OptionError(f"LoRA of rank {rank} and alpha {alpha} is none", option="lora", value=rank)
    settings = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # peft asks transformers by a name that goes out of use
        adapted: nn.Module = get_peft_model(language, settings)
    return adapted


def _encoder(made_of: AdaptedConfig) -> Backbone:
    """The vision encoder that its features were made by."""
    made = made_of.features
    if made is None:
        raise ModelError(
            "the model's features do not say which encoder made them",
            hint="make them by `kairos features`, and train again",
        )
    return Backbone.load(made.backbone, grid=made.grid)


def _pretrained(path: str) -> tuple[Any, nn.Module | None]:
    """A causal language model and, where it is part of a vision-language model, what takes features to its width."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    from kairos.model.loading import quiet

    config = AutoConfig.from_pretrained(path)
    with quiet():
        if getattr(config, "text_config", None) is None:
            return AutoModelForCausalLM.from_pretrained(path, dtype="auto", use_safetensors=True), None
        whole = AutoModelForImageTextToText.from_pretrained(path, dtype="auto", use_safetensors=True)
    inner = whole.model
    projector = getattr(inner, "multi_modal_projector", None)
    if projector is None or not hasattr(inner, "language_model"):
        raise ValueError(f"a {config.model_type} has no projector of its own beside a language model")
    with torch.device("meta"):  # the empty frame of a causal language model, to be filled
        language = AutoModelForCausalLM.from_config(config.text_config)
    setattr(language, language.base_model_prefix, inner.language_model)
    language.set_output_embeddings(whole.get_output_embeddings())
    return language, projector


def _mean(rows: Tensor, count: int) -> Tensor:
    return rows.detach().float().mean(0).expand(count, -1).clone()
