"""The sizes of a model small enough to build and train in a test: the same class as the shipped one."""

TINY = {
    "stem": (8, 8, 16),
    "audio_width": 16,
    "width": 32,
    "heads": 2,
    "blocks": 2,
    "window": 6,
    "track_width": 32,
    "track_heads": 2,
    "track_window": 8,
    "context_ticks": 12,
    "decoder": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
    },
}
