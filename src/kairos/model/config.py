"""The shape of a Kairos model; every size of it is one of these."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class KairosConfig(PretrainedConfig):
    """Sizes of the towers, the Fuseformer, the query track and the language model.

    Times are in ticks of 1/fps seconds. `decoder` is the configuration of any causal language model of `transformers`.
    Below `presence_threshold` a query is held to be absent; a live stream may fire from `fire_threshold` on.
    `absent_text` is what the model was taught to say where it cannot answer; `caption_verbs` are the kinds of event that
    dense captioning looks for; filled into `caption_query` they find moments, into `caption_prompt` they ask for words.
    `task_heads` are names of registered task heads with their settings (None: the head's answers are spelled in words), `follower` the
    settings of what follows things. Without either the model has none.
    """

    model_type = "kairos"

    def __init__(
        self,
        fps: float = 2.0,
        image_size: int = 64,
        audio_rate: int = 16_000,
        slots: int = 5,
        stem: tuple[int, ...] = (32, 64, 128),
        colours: int = 8,
        shapes: int = 7,
        events: int = 15,
        sounds: int = 4,
        audio_width: int = 128,
        width: int = 256,
        heads: int = 4,
        blocks: int = 3,
        window: int = 32,
        causal: bool = True,
        audio_tokens: int = 2,
        compressed_visual: int = 3,
        compressed_audio: int = 2,
        fusion_tokens: int = 4,
        query_layers: int = 2,
        query_vectors: int = 3,
        track_width: int = 160,
        track_heads: int = 4,
        causal_layers: int = 2,
        final_layers: int = 2,
        track_window: int = 64,
        context_ticks: int = 64,
        presence_threshold: float = 0.5,
        fire_threshold: float = 0.5,
        watch_thresholds: dict[str, float] | None = None,
        absent_text: str = "that is not in the video",
        caption_verbs: tuple[str, ...] = (),
        caption_query: str = "something {}",
        caption_prompt: str = "describe when something {}",
        decoder: dict[str, Any] | None = None,
        task_heads: dict[str, dict[str, Any] | None] | None = None,
        follower: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.fps, self.image_size, self.audio_rate, self.slots = fps, image_size, audio_rate, slots
        self.stem, self.colours, self.shapes, self.events, self.sounds = (
            tuple(stem),
            colours,
            shapes,
            events,
            sounds,
        )
        self.audio_width, self.width, self.heads, self.blocks = audio_width, width, heads, blocks
        self.window, self.causal = window, causal
        self.audio_tokens, self.compressed_visual, self.compressed_audio = (
            audio_tokens,
            compressed_visual,
            compressed_audio,
        )
        self.fusion_tokens, self.query_layers, self.query_vectors = fusion_tokens, query_layers, query_vectors
        self.track_width, self.track_heads = track_width, track_heads
        self.causal_layers, self.final_layers, self.track_window = causal_layers, final_layers, track_window
        self.context_ticks, self.presence_threshold = context_ticks, presence_threshold
        self.fire_threshold = fire_threshold
        self.watch_thresholds = dict(watch_thresholds or {})
        self.absent_text, self.caption_verbs = absent_text, tuple(caption_verbs)
        self.caption_query, self.caption_prompt = caption_query, caption_prompt
        self.task_heads, self.follower = task_heads, follower
        self.decoder = decoder or {
            "model_type": "llama",
            "hidden_size": 256,
            "intermediate_size": 640,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "vocab_size": 160,
            "tie_word_embeddings": True,
        }
        super().__init__(**kwargs)

    @property
    def frame_tokens(self) -> int:
        """Tokens in one tick's frame state: slots and their global token, sound, fusion."""
        return self.slots + 1 + self.audio_tokens + self.fusion_tokens

    @property
    def context_tokens(self) -> int:
        """Tokens of one tick in the language model's context."""
        return self.slots + 3

    @property
    def names(self) -> int:
        """Words for what a slot shows: colours and shapes, but for the cup, which is never asked for."""
        return self.colours + self.shapes - 1

    @property
    def attributes(self) -> int:
        """Length of a slot's attribute vector: objectness, colour, shape, event, box."""
        return 1 + self.colours + self.shapes + self.events + 4
