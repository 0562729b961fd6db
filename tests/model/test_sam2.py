"""SAM 2 behind the follower's interface, on a tiny model of random weights."""

from __future__ import annotations

import pytest
import torch
from backbone import sam2

from kairos.errors import ModelError, OptionError
from kairos.model.sam2 import Sam2Follower

BOXES = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.4, 0.4, 0.9, 0.8]])


@pytest.fixture(scope="module")
def sam():
    return sam2()


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.randint(
        0, 256, (7, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2)
    )


def followed(follower, frames, boxes):
    features = follower.features(frames)
    state = follower.start(features[0:1], follower.prompt(boxes))
    said = [state.now] + [follower.step(state, features[k : k + 1]) for k in range(1, len(frames))]
    return said, state


def test_it_says_what_sam_says_of_the_same_boxes(sam, frames):
    """Against the model's own session with a whole video and a box prompt, frame by frame."""
    from transformers import Sam2VideoInferenceSession

    follower = Sam2Follower(sam)
    said, _ = followed(follower, frames, BOXES)
    pixels = ((frames.float() - follower.mean) / follower.std).permute(0, 3, 1, 2)
    for row, box in enumerate(BOXES):
        session = Sam2VideoInferenceSession(pixels, 64, 64, dtype=torch.float32)
        index = session.obj_id_to_idx(0)
        corners = (box * 64).view(1, 1, 2, 2)
        session.add_point_inputs(
            index, 0, {"point_coords": corners, "point_labels": torch.tensor([[[2, 3]]])}
        )
        session.obj_with_new_inputs = [0]
        for k, now in enumerate(said):
            theirs = sam(session, frame_idx=k)
            masks = torch.nn.functional.interpolate(theirs.pred_masks, (64, 64), mode="bilinear")[0, 0]
            torch.testing.assert_close(now.masks[row], masks, atol=2e-3, rtol=1e-3)
            torch.testing.assert_close(
                now.visible[row], theirs.object_score_logits.view(()), atol=2e-3, rtol=1e-3
            )


def test_shapes_and_boxes(sam, frames):
    said, _ = followed(Sam2Follower(sam), frames, BOXES)
    for now in said:
        assert now.masks.shape == (2, 64, 64)
        assert now.visible.shape == (2,)
        assert now.boxes.shape == (2, 4)
        for mask, box in zip(now.masks > 0, now.boxes * 64, strict=True):
            if mask.any():
                x1, y1, x2, y2 = box.long().tolist()
                outside = mask.clone()
                outside[y1:y2, x1:x2] = False
                assert not outside.any()


def test_a_given_prompt_takes_the_place_of_the_box(sam, frames):
    follower = Sam2Follower(sam)
    features = follower.features(frames[:1])
    prompt = follower.prompt(BOXES)
    assert prompt.shape == (2, 3, 128)
    own, other = follower.start(features, prompt), follower.start(features, prompt + torch.randn(2, 3, 128))
    assert not torch.allclose(own.now.masks, other.now.masks)
    points = torch.zeros(1, 1, 1, 2), -torch.ones(1, 1, 1, dtype=torch.int)
    assert sam.prompt_encoder(*points, None, None)[0].shape == (1, 1, 2, 128)  # and only while it starts


def test_what_is_kept_is_bounded(sam, frames):
    follower = Sam2Follower(sam)
    _, state = followed(follower, torch.cat([frames, frames]), BOXES[:1])
    outputs = state.sessions[0].output_dict_per_obj[0]
    assert list(outputs["cond_frame_outputs"]) == [0]
    assert len(outputs["non_cond_frame_outputs"]) <= 4
    assert len(state.sessions[0].frames_tracked_per_obj[0]) <= 4
    assert state.frames == 14


def test_it_stays_frozen(sam):
    follower = Sam2Follower(sam).train()
    assert not follower.training
    assert not any(p.requires_grad for p in follower.parameters())


def test_reloaded_equals_saved(sam, frames, tmp_path):
    sam.save_pretrained(tmp_path)
    again = Sam2Follower.load(tmp_path)
    one, two = followed(Sam2Follower(sam), frames[:2], BOXES)[0], followed(again, frames[:2], BOXES)[0]
    assert torch.equal(one[1].masks, two[1].masks)


def test_bad_input(sam, frames, tmp_path):
    follower = Sam2Follower(sam)
    with pytest.raises(ModelError, match="not a SAM 2"):
        Sam2Follower.load(tmp_path / "nothing")
    with pytest.raises(OptionError, match="no area"):
        follower.prompt(torch.tensor([[0.5, 0.5, 0.5, 0.9]]))
    with pytest.raises(OptionError, match="frames are uint8"):
        follower.features(frames[:, :32])
    with pytest.raises(OptionError, match="prompts are"):
        follower.start(follower.features(frames[:1]), torch.zeros(1, 3, 64))
    with pytest.raises(OptionError, match="one at a time"):
        follower.start(follower.features(frames[:2]), follower.prompt(BOXES))
