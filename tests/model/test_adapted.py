"""A pretrained language model with task tokens: what it is built of, what is kept of it, and that it answers as any model does."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from backbone import CHATML, language, tokenizer, vision, vision_language
from place_rules import PlaceRules
from session_rules import TICKS, SessionRules

import kairos
from kairos.errors import InputError, ModelError
from kairos.model.adapted import AdaptedConfig, AdaptedModel, load
from kairos.model.backbone import Backbone, Settings
from kairos.model.follower import Follower

HEADS = {
    "region": {},
    "mask": {"prompt": 64},
    "temporal": {"video": 8, "width": 16, "heads": 2, "feedforward": 16, "dummies": 3, "encoder_layers": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """language/ and vision/, a folder each as transformers saves them."""
    folder = tmp_path_factory.mktemp("adapted")
    words = tokenizer(CHATML)
    language(len(words)).save_pretrained(folder / "language")
    words.save_pretrained(folder / "language")
    vision(folder / "vision")
    return folder


@pytest.fixture(scope="module")
def made_of(folder):
    sees = Settings(backbone=str(folder / "vision"), width=8, grid=2, fps=2.0)
    return AdaptedConfig(
        language=str(folder / "language"), width=8, frames=4, rank=2, alpha=4, heads=HEADS, features=sees
    )


@pytest.fixture(scope="module")
def built(made_of):
    torch.manual_seed(1)
    model = AdaptedModel.build(made_of, follower=Follower(32))
    with torch.no_grad():  # so that LoRA, which begins at nothing, makes a difference
        for name, parameter in model.language.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    return model.eval().requires_grad_(False)


def test_an_encoder_that_has_learned_is_kept(made_of, tmp_path):
    """The language model is shown what it makes now, the temporal head what it made before; both come back from disk."""
    torch.manual_seed(1)
    model = AdaptedModel.build(dataclasses.replace(made_of, vision=True), follower=Follower(32))
    assert dict(model.groups())["vision"]
    assert "vision" not in dict(AdaptedModel.build(made_of, follower=Follower(32)).groups())
    shown = torch.from_numpy(pictures(2))
    torch.testing.assert_close(model.look(shown)[0], model.backbone(shown))
    batch = {"ids": torch.tensor([[model.frames] * 8]), "boxes": torch.zeros(1, 4), "pictures": shown}
    model.vision.requires_grad_(True)
    model.embed(batch).square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.vision.parameters())
    with torch.no_grad():
        for parameter in model.vision.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    after, before = model.look(shown)
    assert not torch.allclose(after, model.backbone(shown))
    torch.testing.assert_close(before, model.backbone(shown).mean(1))
    again = load(model.save(tmp_path), follower=Follower(32))
    torch.testing.assert_close(again.look(shown), (after, before))
    with torch.inference_mode():
        told = {**batch, "frames": after}
        told.pop("pictures")
        torch.testing.assert_close(again.embed(batch), again.embed(told))


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


class TestSession(SessionRules):
    known, absent = "when is it that the red ring moves left ?", "what is this ?"

    @pytest.fixture
    def model(self, built):
        return built

    def pictures(self, model):
        return pictures(TICKS)

    def test_unknown_words_are_those_never_seen(self, model):
        """Its tokenizer spells any word."""
        assert model.unknown_words("xyzzyq") == []


class TestPlaces(PlaceRules):
    named = "where is the red ring ?"

    @pytest.fixture
    def model(self, built):
        return built

    def pictures(self, model, count=TICKS):
        return pictures(count)


def shown(model, query="the red ring", count=6):
    session = model.session()
    session.say(query)
    session.see(pictures(count), None)
    return session


def test_reloaded_equals_saved(built, tmp_path):
    built.save(tmp_path / "model")
    again = kairos.load(tmp_path / "model")
    assert again.name == "model"
    assert again.follower is None  # none is named
    again = load(tmp_path / "model", follower=built.follower)
    one, two = shown(built), shown(again)
    assert one.place() == two.place()
    assert one.reply() == two.reply()
    torch.testing.assert_close(one.prompt(), two.prompt())
    assert sum(f.stat().st_size for f in (tmp_path / "model").glob("*.safetensors")) < 2**20


def test_replies_stop_where_a_turn_ends(built, monkeypatch):
    """What is said is what the language model holds likeliest, word by word, until the token behind its turns."""
    words = iter([built.script.tokenizer.convert_tokens_to_ids(w) for w in ("red", "ring", "<|im_end|>")])

    def logits(states):
        return torch.nn.functional.one_hot(torch.tensor([next(words)]), 999).float() * 50

    monkeypatch.setattr(built, "logits", logits)
    reply = shown(built).reply()
    assert reply.text == "red ring"
    assert reply.confidence == pytest.approx(1.0)


def test_the_route_is_the_word_that_it_says_first(built, monkeypatch):
    def says(word):
        hot = torch.nn.functional.one_hot(torch.tensor([built.script.id(word)]), 999).float() * 50
        monkeypatch.setattr(built, "logits", lambda states: hot)
        return shown(built).route()

    assert says("<time_begin>") == "ground"
    assert says("<box_begin>") == "locate"
    assert says("<track_begin>") == "segment"
    assert says("red") is None
    assert says("<boxes>") is None


def test_cached_words_equal_those_from_the_beginning(built):
    session = shown(built)
    said = session.reply(max_words=5).text.split()
    with torch.inference_mode():
        spoken = session._spoken(None, 6)
        ids = list(spoken.ids[: spoken.taught.index(True)])
        again = []
        for _ in range(5):
            states = built.states(session._embed(tuple(ids), 6))
            ids.append(int(built.logits(states[0, -1:]).argmax()))
            again.append(ids[-1])
    assert said == built.script.tokenizer.decode(again, skip_special_tokens=True).split()


def test_what_cannot_be(built, made_of, tmp_path):
    with pytest.raises(ModelError, match="holds no model made by TPO"):
        load(tmp_path)
    with pytest.raises(ModelError, match="is no causal language model"):
        AdaptedModel.build(dataclasses.replace(made_of, language=str(tmp_path)))
    blind = AdaptedModel.build(dataclasses.replace(made_of, features=None, heads={"region": {}}))
    with pytest.raises(ModelError, match="do not say which encoder"):
        blind.session()
    with pytest.raises(ModelError, match="cannot follow things"):
        blind.follow(box=(0, 0, 1, 1))
    with pytest.raises(ModelError, match="no heads for standing queries"):
        blind.duet(trigger=None)
    session = built.session()
    session.say("x")
    with pytest.raises(InputError, match="nothing has been seen"):
        session.route()
    with pytest.raises(InputError, match="frames are uint8"):
        session.see(np.zeros((1, 8, 8, 3), np.uint8), None)
    with pytest.raises(InputError, match="the query is empty"):
        session.say(" ")
    with pytest.raises(InputError, match="tick 9 has not been seen"):
        shown(built).place(9)


def test_a_vision_language_model_gives_its_language_model_and_its_connector(tmp_path):
    from transformers import AutoModelForImageTextToText

    folder = vision_language(tmp_path / "vlm")
    sees = Settings(backbone=str(folder), width=8)
    model = AdaptedModel.build(
        AdaptedConfig(language=str(folder), width=8, heads={"region": {}}, features=sees)
    )
    whole = AutoModelForImageTextToText.from_pretrained(folder).eval()
    words = torch.tensor([[3, 5, 7, 9]])
    with torch.inference_mode():
        vectors = model.embed({"ids": words, "boxes": torch.zeros(1, 4)})
        logits = model.eval().logits(model.states(vectors)[0])
        theirs = whole(input_ids=words).logits[0]
    torch.testing.assert_close(
        logits[:, : len(model.script.tokenizer) - len(model.script.new)],
        theirs[:, : len(model.script.tokenizer) - len(model.script.new)],
    )
    pixels = torch.from_numpy(pictures(2))
    encoder = Backbone.load(folder)
    mean = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    given = ((pixels / 255 - mean[0]) / mean[1]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        seen = model.connector(encoder(pixels))
        tower = whole.model.vision_tower(given, output_hidden_states=True).hidden_states[-1]
        expected = whole.model.multi_modal_projector(tower)
    torch.testing.assert_close(seen, expected, atol=1e-5, rtol=1e-4)
    with pytest.raises(ModelError, match="sees features of length 8, not of 16"):
        AdaptedModel.build(AdaptedConfig(language=str(folder), width=16))


def test_tasks_are_methods(built, monkeypatch):
    from kairos import tasks

    for name in ("ask", "ground", "highlight", "caption", "locate", "track", "segment", "watch"):
        monkeypatch.setattr(
            tasks, name, lambda *given, **options: SimpleNamespace(given=given, options=options)
        )
        put = getattr(built, name)("a.mp4", "the ring", top=1)
        assert (put.given, put.options) == ((built, "a.mp4", "the ring"), {"top": 1})
