"""A pretrained language model in miniature: a folder as transformers saves one, with features and examples to train on."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import torch

from kairos.timeline import Curve
from kairos.train.examples import Example, write
from kairos.train.features import write as keep
from kairos.world.instructions import BOXED, TEMPLATES

WORDS = "USER: ASSISTANT: SYSTEM: the red ring moves left blue square blinks what is this ? a cat yes . \n"
CHATML = (
    "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' \\n ' + m['content'] + ' <|im_end|> \\n ' }}"
    "{% endfor %}"
)
WIDTH, CLIP_WIDTH, PATCHES = 6, 5, 2


def tokenizer(template: str | None = None) -> Any:
    """A fast tokenizer of whole words, which knows no task words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    said = [form.format("") for forms in TEMPLATES.values() for form in forms] + list(BOXED)
    words = " ".join(
        [WORDS, *said, "<|im_start|> <|im_end|> user assistant system the object in what is"]
    ).split()
    vocabulary = {w: k for k, w in enumerate(dict.fromkeys(["<unk>", "</s>", *words])) if w != "<track_box>"}
    made = Tokenizer(models.WordLevel({w: k for k, w in enumerate(vocabulary)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", eos_token="</s>", chat_template=template
    )


def language(size: int, tied: bool = True) -> Any:
    """A causal language model with random weights over `size` words."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
    )
    return LlamaForCausalLM(config)


def vision(folder: Path, side: int = 32) -> Path:
    """A vision encoder with random weights, CLIP's, of 4 x 4 patches of length 8; returns its folder."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=side,
        patch_size=side // 4,
    )
    CLIPVisionModel(config).save_pretrained(folder)
    return _normalised(folder)


def vision_language(folder: Path) -> Path:
    """LLaVA-OneVision with random weights, its pictures of 4 x 4 patches of length 8, and its tokenizer; returns its folder."""
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    torch.manual_seed(0)
    words = tokenizer(CHATML)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    sees = {
        "model_type": "siglip_vision_model",
        "hidden_size": 8,
        "image_size": 32,
        "patch_size": 8,
        **layers,
    }
    says = {
        "model_type": "qwen2",
        "hidden_size": 16,
        "num_key_value_heads": 2,
        "vocab_size": len(words),
        **layers,
    }
    config = LlavaOnevisionConfig(vision_config=sees, text_config=says, image_token_index=len(words) - 1)
    LlavaOnevisionForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return _normalised(folder)


def _normalised(folder: Path) -> Path:
    normal = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(normal))
    return folder


def sam2() -> Any:
    """SAM 2 with random weights, as small as it can be: its memories have 64 channels, its hidden size is 128 at least."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(1)
    vision = {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 8,
            "image_size": [64, 64],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [8, 16, 24, 32],
            "num_attention_heads_per_stage": [1, 1, 1, 1],
            "window_size_per_stage": [8, 4, 4, 2],
            "global_attention_blocks": [3],
        },
        "backbone_channel_list": [32, 24, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 128,
    }
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": 64},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 64, "iou_head_hidden_dim": 32},
        image_size=64,
        num_maskmem=3,
        max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    model = Sam2VideoModel(config).eval()
    with torch.no_grad():  # so that what SAM adds where an object is not seen makes a difference
        model.no_object_pointer.normal_()
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(4.0)
    return model


@functools.cache
def _cached(folder: Path) -> Path:
    words = tokenizer(CHATML)
    language(len(words)).save_pretrained(folder / "language")
    words.save_pretrained(folder / "language")
    features = folder / "features"
    for k in range(4):
        random = torch.Generator().manual_seed(k)
        frames, clips = (
            torch.randn(*shape, generator=random) for shape in ((8, PATCHES, WIDTH), (8, CLIP_WIDTH))
        )
        keep(features, f"{k}.mp4", frames, fps=1.0, clips=clips, duration=8.0, size=(20, 40))
    write(folder / "tasks.jsonl", tasks())
    write(folder / "talk.jsonl", talk())
    return folder


def prepared(folder: Path) -> Path:
    """The folder, holding language/, features/, tasks.jsonl and talk.jsonl."""
    return _cached(folder)


def tasks() -> list[Example]:
    """One example of each task about each of four videos."""
    made = []
    for k in range(4):
        of: dict[str, Any] = {"video": f"{k}.mp4", "duration": 8.0}
        box: dict[str, Any] = {"box": (4.0 * k, 2.0, 4.0 * k + 8, 12.0), "at": 3.0}
        curve = Curve(
            "saliency", [0.5 + i for i in range(8)], [4.0 if k < i < k + 3 else 0.0 for i in range(8)]
        )
        asked = {task: TEMPLATES[task][k] for task in TEMPLATES}
        made += [
            Example(
                **of,
                turns=(("user", asked["ground"].format("the red ring moves left")),),
                task="ground",
                spans=((k + 1.0, k + 3.0),),
                saliency=curve if k % 2 else None,
            ),
            Example(**of, **box, turns=(("user", asked["locate"].format("the red ring")),), task="locate"),
            Example(**of, **box, turns=(("user", asked["segment"].format("the square")),), task="segment"),
            Example(**of, **box, turns=(("user", asked["track"].format("<track_box>")),), task="track"),
        ]
    return made


def talk() -> list[Example]:
    """Conversations, one of them about nothing that is shown."""
    asked = ("user", "what is this ?")
    return [
        *(Example(video=f"{k}.mp4", turns=(asked, ("assistant", "a cat ."))) for k in range(3)),
        Example(video=None, turns=(asked, ("assistant", "yes ."), asked, ("assistant", "the red ring"))),
    ]
