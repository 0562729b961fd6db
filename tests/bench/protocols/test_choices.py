from __future__ import annotations

import json
from pathlib import Path

import pytest
from official import shared

from kairos.bench.protocols.scoring import score
from kairos.bench.protocols.source import Source
from kairos.bench.question_sets import SETS
from kairos.bench.questions import questions
from kairos.errors import AnnotationError


def write(path: Path, document: object) -> Path:
    lines = isinstance(document, list) and path.suffix == ".jsonl"
    path.write_text("\n".join(map(json.dumps, document)) if lines else json.dumps(document))
    return path


def mme(name: str, answer: str, duration: str = "short", **more: str) -> dict[str, object]:
    options = ["A. red", "B. blue", "C. green", "D. none"]
    return {"question_id": name, "videoID": f"v{name[0]}", "duration": duration, "domain": "x", "task_type": "t",
            "question": f"what {name} ?", "options": options, "answer": answer, **more}  # fmt: skip


# the published values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["Gemini", "LLaVA_Video"])
def test_ovo_bench_to_the_last_digit(model):
    folder = shared("metrics/streaming_qa_ovobench")
    expected = json.loads((folder / "expected/open_models.json").read_text())["official_score.py_here"][model]
    found = score(
        "ovo-bench", sorted((folder / "predictions" / model).glob("*.json")), ways=("official",), rounds=0
    )
    for line in expected:
        if line.startswith("Task"):
            name, section = line.split()[1].rstrip(","), "tasks"
        else:
            name, section = line.split(":")[0], ""
        assert f"{100 * found.value(name, section):.2f}" == line.split()[-1], line


def test_ovo_bench_questions_are_the_annotations():
    found = questions(SETS["ovo-bench"], source := Source(shared("annotations/ovobench/ovo_bench_new.json")))
    assert (len(found), source.found.problems) == (3035, [])
    assert found.get("0").at == 215
    assert found.get("1558-0").asked.form == "number"


def test_tempcompass_to_the_last_digit():
    folder = shared("metrics/qa_tempcompass")
    expected = json.loads((folder / "expected/published_video-llava_multi-choice.json").read_text())
    found = score(
        "tempcompass",
        folder / "predictions/video-llava_multi-choice.json",
        shared("annotations/tempcompass/multi-choice.json"),
        ways=("official",),
        rounds=0,
    )
    for name, value in expected["by_aspect"].items():
        section = "" if name == "avg" else "aspect"
        assert f"{100 * found.value(name, section):.1f}" == f"{value:.1f}", name
    for name, value in expected["by_fine_aspect"].items():
        assert f"{100 * found.value(name, 'fine aspect'):.1f}" == f"{value:.1f}", name
    assert 100 * found.value("match_success_rate") == expected["match_success_rate"]


@pytest.mark.parametrize(
    ("name", "file", "count", "problems"),
    [
        ("mlvu", "mlvu/1_plotQA.json", 539, 0),
        ("mlvu", "mlvu/2_needle.json", 353, 2),
        ("mlvu", "mlvu/3_ego.json", 352, 0),
        ("mlvu", "mlvu/4_count.json", 206, 0),
        ("mlvu", "mlvu/5_order.json", 259, 0),
        ("egoschema", "egoschema/formatted_dataset_val.json", 500, 0),
        ("egoschema", "egoschema/subset_answers.json", 500, 0),
        ("streamingbench", "streamingbench/questions_real.json", 2500, 0),
        ("streamingbench", "streamingbench/questions_real_stream.json", 2495, 0),
        ("streamingbench", "streamingbench/questions_sqa.json", 250, 0),
        ("cg-bench", "cgbench/cgbench_mini.json", 3000, 0),
        ("tempcompass", "tempcompass/multi-choice.json", 1580, 0),
    ],
)
def test_official_annotations(name, file, count, problems):
    found = questions(SETS[name], source := Source(shared(f"annotations/{file}")))
    assert (len(found), len(source.found.problems)) == (count, problems)


# small files ---------------------------------------------------------------------------------------------------------


def test_video_mme_from_lines_with_an_id(tmp_path):
    ref = write(tmp_path / "ref.json", [mme("1-1", "A"), mme("1-2", "B", "long"), mme("2-1", "C", "long")])
    pred = write(
        tmp_path / "pred.jsonl",
        [
            {"id": "1-1", "response": "A"},
            {"id": "1-2", "response": "no idea"},
            {"id": "2-1", "response": "C. green"},
        ],
    )
    found = score("video-mme", pred, ref, rounds=0)
    assert found.value("Overall") == pytest.approx(2 / 3)
    assert found.value("long", "duration") == 0.5
    assert found.value("unread") == pytest.approx(1 / 3)
    assert found.value("Overall", way="strict") == pytest.approx(2 / 3)


def test_official_results_hold_their_own_references(tmp_path):
    nested = {"video_id": "001", "videoID": "v1", "duration": "short", "domain": "x"}
    one, two = mme("1-1", "A", response="A"), mme("1-2", "B", response="A man did, so the answer is B.")
    path = write(tmp_path / "pred.json", [{**nested, "questions": [one, two]}])
    found = score("video-mme", path, rounds=0)
    assert (found.value("Overall"), found.value("Overall", way="strict")) == (0.5, 1.0)


def test_mlvu_is_the_mean_of_tasks_and_finds_entries_without_an_id(tmp_path):
    def entry(task: str, k: int, answer: str) -> dict[str, object]:
        return {"video": f"{task}{k}.mp4", "question": f"what {k} ?", "candidates": ["red", "blue"], "answer": answer,
                "question_type": task}  # fmt: skip

    ref = write(tmp_path / "ref.json", [entry("a", 0, "red"), entry("a", 1, "blue"), entry("b", 0, "red")])
    pred = write(
        tmp_path / "pred.json",
        [{"video": "x/b0.mp4", "question": "what 0 ?", "pred": "(B) blue"}]
        + [{"video": f"a{k}.mp4", "question": f"what {k} ?", "pred": f"({'AB'[k]})"} for k in (1, 0)],
    )
    found = score("mlvu", pred, ref, rounds=0)
    assert found.value("M-Avg") == 0.5
    assert (found.value("a", "task"), found.value("b", "task")) == (1.0, 0.0)


def test_lvbench_options_stand_in_the_question(tmp_path):
    qa = {"uid": "7", "question": "who ?\n(A) he\n(B) she", "answer": "B", "question_type": ["k", "l"]}
    ref = write(tmp_path / "ref.jsonl", [{"key": "vid", "qa": [qa]}])
    found = score("lvbench", write(tmp_path / "pred.json", {"7": "(B)"}), ref, rounds=0)
    assert (found.value("Accuracy"), found.value("l", "question_type")) == (1.0, 1.0)


def test_longvideobench_and_egoschema(tmp_path):
    ref = write(tmp_path / "ref.json", [
        {"id": "a_0", "video_id": "a", "question": "who ?", "candidates": ["he", "she"], "correct_choice": 1,
         "duration_group": 15, "question_category": "T2E"}])  # fmt: skip
    found = score("longvideobench", write(tmp_path / "pred.json", {"a_0": "(B)"}), ref, rounds=0)
    assert found.value("15", "duration_group") == 1.0
    ref = write(tmp_path / "answers.json", {"u1": 3, "u2": 0})
    found = score("egoschema", write(tmp_path / "two.json", {"u1": "D", "u2": "B"}), ref, rounds=0)
    assert found.value("Accuracy") == 0.5


def test_the_rows_of_both_harnesses(tmp_path):
    ref = write(tmp_path / "ref.json", [mme("1-1", "A"), mme("1-2", "B")])
    lines = [
        {
            "doc_id": k,
            "doc": {"question_id": f"1-{k + 1}"},
            "target": "A",
            "resps": [["A"]],
            "filtered_resps": ["A"],
        }
        for k in range(2)
    ]
    assert score("video-mme", write(tmp_path / "samples.jsonl", lines), ref, rounds=0).value("Overall") == 0.5
    table = tmp_path / "model_Video-MME.tsv"
    table.write_text("index\tquestion_id\tprediction\n0\t1-1\tA\n1\t1-2\tB. blue\n")
    assert score("video-mme", table, ref, rounds=0).value("Overall") == 1.0


# bad input -----------------------------------------------------------------------------------------------------------


def test_every_problem_is_told_at_once(tmp_path):
    bad = [
        mme("1-1", "Z"),
        mme("1-2", "A"),
        {**mme("1-3", "A"), "options": []},
        {**mme("1-4", "A"), "question": " "},
        mme("1-2", "A"),
        {"no": "id"},
    ]
    ref = write(tmp_path / "ref.json", bad)
    pred = write(tmp_path / "pred.jsonl", [{"id": "1-2", "response": 3.5}, {"id": "1-9", "response": "A"}])
    with pytest.raises(AnnotationError) as caught:
        score("video-mme", pred, ref)
    told = "\n".join(caught.value.errors)
    for part in (
        "none of the letters",
        "needs options",
        "needs question",
        "stands twice",
        "needs question_id",
        "[2]",
    ):
        assert part in told, told


def test_missing_replies_count_as_wrong_or_not_at_all(tmp_path):
    ref = write(tmp_path / "ref.json", [mme("1-1", "A"), mme("1-2", "B")])
    pred = write(tmp_path / "pred.json", {"1-1": "A"})
    with pytest.raises(AnnotationError, match="no prediction for 1 of 2: 1-2"):
        score("video-mme", pred, ref)
    assert score("video-mme", pred, ref, missing="zero", rounds=0).value("Overall") == 0.5
    assert score("video-mme", pred, ref, missing="skip", rounds=0).value("Overall") == 1.0


def test_tables_with_wrong_rows(tmp_path):
    ref = write(tmp_path / "ref.json", [mme("1-1", "A")])
    table = tmp_path / "pred.tsv"
    table.write_text("question_id\tprediction\n1-1\tA\textra\n")
    with pytest.raises(AnnotationError, match=r"pred\.tsv:2: does not have 2 cells"):
        score("video-mme", table, ref)
