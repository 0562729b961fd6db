"""TPO on a pretrained backbone: who learns in which stage, what each loss is, and that runs go on where they stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from backbone import CLIP_WIDTH, PATCHES, WIDTH, language, prepared, talk, tasks, tokenizer
from safetensors.torch import load_file

from kairos.errors import AnnotationError, ConfigError, ModelError, OptionError, TimelineError
from kairos.model.adapted import AdaptedConfig, AdaptedModel, load, with_lora
from kairos.model.script import Script
from kairos.model.task_tokens import TaskTokens
from kairos.train import tpo
from kairos.train.examples import write
from kairos.train.features import Features
from kairos.train.tpo import Rates, Stage, TpoRecipe, load_recipe
from kairos.train.tpo_batches import IGNORED, TpoBatches, lacking
from kairos.train.tpo_model import TpoLoss

RECIPE = Path(__file__).parents[2] / "recipes" / "tpo.yaml"
SMALL = {
    "region": {},
    "temporal": {
        "video": CLIP_WIDTH,
        "width": 16,
        "heads": 2,
        "feedforward": 16,
        "dummies": 3,
        "prompts": 2,
        "queries": 4,
        "dummy_layers": 1,
        "word_layers": 1,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "dropout": 0.0,
    },
    "mask": {"prompt": 4},
}


class Follower(torch.nn.Module):
    """Stands for what follows things, by its prompts of boxes: (n, 4) -> (n, 3, 4)."""

    def prompt(self, boxes: torch.Tensor) -> torch.Tensor:
        return torch.stack([boxes, boxes * 2, boxes.flip(-1)], 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("backbone"))


def recipe(folder: Path, *stages: Stage, **more) -> TpoRecipe:
    given = {
        "language": str(folder / "language"),
        "features": str(folder / "features"),
        "loaders": 0,
        "width": WIDTH,
        "frames": 4,
        "length": 64,
        "rank": 4,
        "alpha": 8,
        "heads": SMALL,
    }
    return TpoRecipe(stages=stages, **(given | more))


def stage(folder: Path, name: str, files=("tasks",), **more) -> Stage:
    data = {str(folder / f"{file}.jsonl"): None for file in files}
    return Stage(name=name, data=data, **({"batch": 8, "rows": 8, "steps": 2} | more))


ALL = {"region": 1e-2, "temporal": 1e-3, "mask": 1e-2}
ASSIGN = Rates(language=1e-2, words=1e-2)
HEADS = Rates(language=1e-3, words=1e-3, box=1e-2, heads=ALL, tokens=ALL)
JOINT = dataclasses.replace(HEADS, connector=1e-3)


def batches(folder: Path, made, heads=("region", "temporal", "mask"), script=None, **more) -> TpoBatches:
    given = {
        "rows": len(made),
        "frames": 4,
        "length": 64,
        "seed": 0,
        "first": 0,
        "steps": 1,
    } | more
    words = script or Script(tokenizer())
    return TpoBatches({"a": made}, None, Features(folder / "features"), words, heads, **given)


def model(script: Script, tied: bool = True) -> AdaptedModel:
    torch.manual_seed(1)
    backbone = language(len(script.tokenizer) - len(script.new), tied)
    made_of = AdaptedConfig(language="none", width=WIDTH, heads=SMALL)
    connector, tokens = torch.nn.Linear(WIDTH, 32), TaskTokens(32, SMALL)
    return AdaptedModel(made_of, with_lora(backbone, 4, 8), script, connector, tokens, follower=Follower())


def test_what_a_batch_holds(folder):
    script = Script(tokenizer())
    batch = batches(folder, tasks()[:4], script=script).collated(tasks()[:4])
    assert (batch["ids"] == script.frames).sum(1).tolist() == [4 * PATCHES] * 4
    assert batch["frames"].shape == (16, PATCHES, WIDTH)
    taught = batch["target"] != IGNORED
    assert taught.sum(1).tolist() == [2] * 4  # a task is answered by a pair
    said = [
        script.tokenizer.convert_ids_to_tokens(row[t].tolist())
        for row, t in zip(batch["target"], taught, strict=True)
    ]
    assert said == [
        ["<time_begin>", "<temp>"],
        ["<box_begin>", "<boxes>"],
        ["<track_begin>", "<tracking>"],
        ["<track_begin>", "<tracking>"],
    ]
    assert batch["region_row"].tolist() == [1]
    assert batch["ids"][1, batch["region_at"]].item() == script.id("<boxes>")
    torch.testing.assert_close(batch["region_box"], torch.tensor([[0.0, 0.1, 0.2, 0.6]]))
    assert batch["mask_row"].tolist() == [2, 3]
    assert (batch["ids"] == script.track_box).any(1).tolist() == [False] * 3 + [True]
    torch.testing.assert_close(batch["boxes"][3], batch["mask_box"][1])
    assert batch["temporal_video"].shape == (1, 8, CLIP_WIDTH)
    assert batch["temporal_truth_saliency"].shape == (1, 8)
    asked = batch["ids"][0, batch["temporal_words"][0]]
    assert script.tokenizer.decode(asked).endswith("the red ring moves left")


def test_a_path_is_asked_of_what_was_seen_until_then(folder):
    """The frames of a `segment` end at the box's time; a `locate` sees the whole."""
    _, locate, segment, _ = tasks()[:4]
    frames = load_file(str(folder / "features/0.mp4.safetensors"))["frames"]
    made = batches(folder, [segment])
    torch.testing.assert_close(made.collated([segment])["frames"], frames[:4])
    torch.testing.assert_close(made.collated([locate])["frames"], frames[[0, 2, 5, 7]])


@pytest.mark.parametrize("tied", [True, False])
def test_every_term_is_there_and_they_sum_up(folder, tied):
    made = [*tasks(), *talk()]
    script = Script(tokenizer())
    net = TpoLoss(model(script, tied))
    losses = net(**batches(folder, made, script=script).collated(made))
    assert {"lm", "assign", "region_l1", "region_giou", "mask_prompt"} <= set(losses)
    assert any(name.startswith("temporal_") for name in losses)
    parts = [value for name, value in losses.items() if name != "loss" and not name.endswith("_accuracy")]
    torch.testing.assert_close(losses["loss"].detach(), torch.stack(parts).sum())
    only = net(**batches(folder, talk(), script=script).collated(talk()))
    assert set(only) == {"loss", "lm"}
    assert set(net(**batches(folder, tasks(), (), script=script).collated(tasks()))) == {
        "loss",
        "assign",
        "assign_accuracy",
    }


def test_words_that_are_known_are_said_as_before(folder):
    """New words change nothing of the language model's own: same vectors, same logits."""
    script = Script(tokenizer())
    net = model(script, tied=False)
    base = net.language.get_base_model()
    ids, states = torch.tensor([[3, 5, 1]]), torch.randn(2, 32)
    torch.testing.assert_close(
        net.words.embed(ids, base.get_input_embeddings()), base.model.embed_tokens(ids)
    )
    logits = net.words.logits(states, base.lm_head)
    size = base.lm_head.weight.shape[0]
    assert logits.shape == (2, size + len(script.new))
    torch.testing.assert_close(logits[:, :size], base.lm_head(states))
    torch.testing.assert_close(
        logits[:, script.id("<boxes>")], base.lm_head(states).mean(-1)
    )  # at the mean, as new rows are


@pytest.mark.parametrize("head", ["region", "mask", "temporal"])
def test_heads_teach_the_language_model_by_the_task_embedding(folder, head):
    script = Script(tokenizer())
    net = model(script)
    batch = batches(folder, tasks(), (head,), script=script).collated(tasks())
    batch["target"].fill_(IGNORED)
    batch["target"][0, 0] = 1
    losses = TpoLoss(net).eval()(**batch)
    (losses["loss"]).backward()
    gradients = {
        name: sum(p.grad is not None and p.grad.abs().sum() > 0 for p in of) for name, of in net.groups()
    }
    assert gradients[f"heads.{head}"]
    assert gradients[f"tokens.{head}"] == 1
    assert gradients["language"]
    assert not any(gradients[f"heads.{other}"] for other in SMALL if other != head)
    assert all(p.grad is None for n, p in net.language.named_parameters() if "lora_" not in n)


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_each_stage_trains_what_its_rates_name(folder, tmp_path):
    """Stage one LoRA and the task words alone, stage two heads and tokens, stage three the connector, too (table 16)."""
    plan = recipe(
        folder,
        stage(folder, "assign", rates=ASSIGN),
        stage(folder, "heads", rates=HEADS),
        stage(folder, "joint", ("tasks", "talk"), rates=JOINT, rows=4),
    )
    result = tpo.run(plan, tmp_path / "run", follower=Follower())
    kept = [load_file(str(tmp_path / "run" / s.name / "done.safetensors")) for s in plan.stages]
    torch.manual_seed(plan.seed)
    fresh = AdaptedModel.build(tpo.made_of(plan), follower=Follower()).learned()

    def parts(names: set[str]) -> set[str]:
        return {"lora" if "lora_" in name else name.split(".")[0] for name in names}

    assert parts(changed(fresh, kept[0])) == {"lora", "words"}
    assert parts(changed(kept[0], kept[1])) == {"lora", "words", "tokens"}
    assert parts(changed(kept[1], kept[2])) == {"lora", "words", "tokens", "connector"}
    lines = (tmp_path / "run" / "joint" / "losses.jsonl").read_text().splitlines()
    logged = set().union(*(json.loads(line).keys() for line in lines))
    assert {"lm", "assign", "assign_accuracy", "region_l1", "mask_prompt", "rate"} <= logged
    loaded = load(result["model"], follower=Follower())
    batch = batches(folder, tasks(), script=loaded.script).collated(tasks())
    trained = AdaptedModel.build(tpo.made_of(plan), follower=Follower())
    trained.read(tmp_path / "run" / "joint" / "done.safetensors")
    torch.testing.assert_close(TpoLoss(loaded)(**batch)["loss"], TpoLoss(trained.eval())(**batch)["loss"])
    assert (
        sum(f.stat().st_size for f in Path(result["model"]).glob("*.safetensors")) < 2**20
    )  # nothing of the backbone


class Killed(BaseException):
    pass


def test_from_the_stage_on_in_which_the_encoder_learns_it_is_looked_through(folder):
    rates = [Rates(), Rates(vision=1e-3), Rates()]
    plan = recipe(folder, *(stage(folder, f"s{k}", rates=r) for k, r in enumerate(rates)), videos="videos")
    assert tpo.looks(plan) == {"s0": False, "s1": True, "s2": True}
    assert tpo.made_of(plan).vision
    assert not tpo.made_of(dataclasses.replace(plan, stages=plan.stages[:1])).vision


def test_killed_and_resumed_equals_never_killed(folder, tmp_path):
    """Also what dropout leaves out, and with several batches a step."""
    joint = stage(folder, "joint", ("tasks", "talk"), rates=JOINT, steps=3, rows=4)
    plan = recipe(folder, joint, checkpoint_s=1e-9)
    tpo.run(plan, tmp_path / "whole", follower=Follower())

    def kill(stage, done, total, losses):
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        tpo.run(plan, tmp_path / "killed", follower=Follower(), progress=kill)
    assert [path.name for path in (tmp_path / "killed" / "joint").glob("checkpoint-*")] == ["checkpoint-1"]
    tpo.run(plan, tmp_path / "killed", follower=Follower())
    one, two = (load_file(str(tmp_path / x / "joint" / "done.safetensors")) for x in ("whole", "killed"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=1e-5, rtol=1e-4, msg=name)


def test_it_learns_which_task_is_asked_for_and_where(folder, tmp_path):
    plan = recipe(
        folder,
        stage(
            folder,
            "assign",
            rates=dataclasses.replace(HEADS, language=1e-2, words=3e-2),
            steps=40,
            warmup=0.1,
            batch=16,
            rows=16,
        ),
    )
    seen: list[dict[str, float]] = []
    tpo.run(plan, tmp_path / "run", follower=Follower(), progress=lambda *step: seen.append(step[-1]))
    assert seen[-1]["assign_accuracy"] > 0.95
    assert seen[-1]["region_l1"] < 0.6 * seen[0]["region_l1"]
    assert seen[-1]["loss"] < 0.7 * seen[0]["loss"]


def test_a_dry_run_says_what_would_run_and_writes_nothing(folder, tmp_path):
    plan = recipe(
        folder,
        stage(folder, "assign", rates=ASSIGN, steps=None, epochs=2, batch=8, rows=2),
        Stage(name="joint", data={"nowhere.jsonl": 1.0}, rates=JOINT, epochs=1),
    )
    shown = tpo.run(plan, tmp_path / "run", dry_run=True)
    first, second = shown["stages"]
    assert first == {
        "name": "assign",
        "steps": 4,
        "examples": 16,
        "batch": 8,
        "learns": "language=0.01 words=0.01",
    }
    assert second["missing"] == "nowhere.jsonl"
    assert "heads.region=0.01" in second["learns"]
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_run(folder, tmp_path):
    one = stage(folder, "assign", rates=ASSIGN)
    with pytest.raises(TimelineError, match=r"nowhere\.jsonl"):
        tpo.run(recipe(folder, dataclasses.replace(one, data={"nowhere.jsonl": None})), tmp_path / "a")
    with pytest.raises(OptionError, match="is no folder of features"):
        tpo.run(recipe(folder, one, features="nowhere"), tmp_path / "a")
    with pytest.raises(ModelError, match="is no causal language model"):
        tpo.run(recipe(folder, one, language=str(tmp_path / "nothing")), tmp_path / "a")
    with pytest.raises(OptionError, match="8 examples a step are not 3 at once"):
        tpo.run(recipe(folder, dataclasses.replace(one, rows=3)), tmp_path / "a")
    with pytest.raises(OptionError, match="are features of 6"):
        tpo.run(recipe(folder, one, width=7), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "something").touch()
    with pytest.raises(OptionError, match="holds a run already"):
        tpo.run(recipe(folder, one), tmp_path / "b", resume=False)
    with pytest.raises(OptionError, match="from its language model alone"):
        tpo.run(recipe(folder, one), tmp_path / "c", start=tmp_path / "b")
    with pytest.raises(ModelError, match="holds no model made by TPO"):
        load(tmp_path)
    write(tmp_path / "gone.jsonl", [*tasks()[:2], dataclasses.replace(tasks()[0], video="gone.mp4")])
    gone = dataclasses.replace(one, data={str(tmp_path / "gone.jsonl"): None})
    with pytest.raises(
        AnnotationError, match=r"1 examples cannot be learned from: .*no features of gone\.mp4"
    ):
        tpo.run(recipe(folder, gone), tmp_path / "d")
    with pytest.raises(OptionError, match=r"tokens about 0\.mp4, of 10"):
        batches(folder, tasks(), length=10).collated(tasks())


def test_what_examples_lack(folder):
    features = Features(folder / "features")
    ground, locate, _, _ = tasks()[:4]
    assert [lacking(example, features, WIDTH) for example in (*tasks(), *talk())] == [None] * 20
    late = dataclasses.replace(ground, spans=((8.0, 9.0),))
    assert lacking(late, features, WIDTH) == "0.mp4: 8 s is after the 8 s that there are"
    assert "no features of x" in str(lacking(dataclasses.replace(locate, video="x"), features, WIDTH))
    both = dataclasses.replace(ground, spans=((1.0, 3.0), (8.0, 9.0)))
    made = batches(folder, [both]).collated([both])
    assert made["temporal_truth_there"].tolist() == [[True]]


def test_examples_without_features_may_be_left_out(folder, tmp_path):
    write(tmp_path / "gone.jsonl", [*tasks(), dataclasses.replace(tasks()[0], video="gone.mp4")])
    one = Stage(
        name="assign", data={str(tmp_path / "gone.jsonl"): None}, rates=ASSIGN, batch=2, rows=2, steps=1
    )
    plan = tpo.run(recipe(folder, one, missing="skip"), tmp_path / "run", follower=Follower())
    assert (plan["stages"][0]["examples"], plan["stages"][0]["left_out"]) == (16, 1)
    write(tmp_path / "gone.jsonl", [dataclasses.replace(tasks()[0], video="gone.mp4")])
    with pytest.raises(AnnotationError, match=r"all of .*gone\.jsonl"):
        tpo.run(recipe(folder, one, missing="skip"), tmp_path / "other", follower=Follower())


GOOD = """
method: tpo
language: x
features: y
heads: {region: {}}
stages:
  - {name: assign, data: {a.jsonl: null}, steps: 3, batch: 4, rates: {language: 1.0e-3}}
"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("steps: 3", "stepps: 3"), "stages.0.stepps: unknown key; did you mean steps?"),
        (
            ("language: 1.0e-3", "langage: 1.0e-3"),
            "stages.0.rates.langage: unknown key; did you mean language?",
        ),
        (("steps: 3", "steps: many"), "stages.0.steps"),
        (("steps: 3", "steps: 0"), "stages.0.steps: 0 is not a positive number"),
        (("steps: 3", "steps: 3, epochs: 1"), "give epochs or steps, one of them"),
        (("steps: 3,", ""), "give epochs or steps, one of them"),
        (("1.0e-3", "-1"), "rates.language: -1.0 is not 0 or more"),
        (("1.0e-3", ".nan"), "rates.language: nan is not 0 or more"),
        (("language: 1.0e-3", "language: 0, words: 0"), "nothing is learned"),
        (
            ("language: 1.0e-3", "vision: 1.0e-3"),
            "rates.vision: an encoder that learns looks at videos; set videos",
        ),
        (("language: 1.0e-3", "heads: {regoin: 1}"), "rates.heads.regoin: unknown key; did you mean region?"),
        (("heads: {region: {}}", "heads: {regin: {}}"), "heads.regin: unknown key; did you mean region?"),
        (("a.jsonl: null", "a.jsonl: -1"), "data.a.jsonl: -1.0 is not 0 or more"),
        (("{a.jsonl: null}", "{}"), "data: there is none"),
        (("name: assign", "name: ../x"), "is no name for its folder"),
        (("method: tpo", "method: dpo"), "method"),
        (("features: y", "seed: -1"), "features"),
        (("features: y", "features: y\nrank: 0"), "rank: 0 is not a positive number"),
        (("batch: 4", "batch: 4, warmup: 2"), "warmup: 2.0 is not a share"),
    ],
)
def test_mistakes_of_a_recipe(tmp_path, change, told):
    path = tmp_path / "r.yaml"
    path.write_text(GOOD)
    assert load_recipe(path).stages[0].steps == 3
    path.write_text(GOOD.replace(*change))
    with pytest.raises(ConfigError, match=r"r\.yaml") as caught:
        load_recipe(path)
    assert told in str(caught.value)


def test_the_shipped_recipe_has_the_papers_settings():
    made = load_recipe(RECIPE)
    assert (made.rank, made.alpha, made.frames) == (16, 32, 16)
    assert {s.warmup for s in made.stages} == {0.2}
    assert {s.weight_decay for s in made.stages} == {0.02}
    by = {s.name: s for s in made.stages}
    assert list(by) == ["assign", "temporal", "region", "mask", "tasks", "joint"]
    assert (by["assign"].batch, by["assign"].epochs, by["assign"].rates.language) == (128, 1, 2e-5)
    assert not by["assign"].rates.heads
    assert [by[n].batch for n in ("temporal", "mask", "region")] == [64, 128, 128]
    assert [by[n].epochs for n in ("temporal", "mask", "region")] == [25, 3, 1]
    assert by["temporal"].rates.tokens == {"temporal": 2e-4}
    assert by["region"].rates.heads == by["region"].rates.tokens == {"region": 1e-4}
    assert by["mask"].rates.heads == by["mask"].rates.tokens == {"mask": 1e-4}
    for name in ("tasks", "joint"):
        rates = by[name].rates
        assert {
            rates.language,
            rates.connector,
            rates.vision,
            *rates.heads.values(),
            *rates.tokens.values(),
        } == {2e-5}
        assert by[name].batch == 256
    assert (by["tasks"].epochs, by["joint"].epochs) == (1, 3)
