"""A model behind an address: what it is shown, and how its replies are read."""

from __future__ import annotations

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from kairos.endpoint import KEY_VARIABLE
from kairos.errors import EndpointError, OptionError


class Server:
    """Replies in turn with `replies`, the last for ever; keeps what it was asked."""

    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                said = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
                status = 200 if isinstance(said, str) else said
                message = {
                    "choices": [{"message": {"content": said}}],
                    "usage": {"prompt_tokens": 900, "completion_tokens": 7},
                }
                data = json.dumps(message if status == 200 else {"error": "no"}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.model = f"http://127.0.0.1:{self.http.server_port}/v1#m"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def content(self, k=-1):
        return self.asked[k]["messages"][0]["content"]

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    opened = []

    def start(*replies):
        opened.append(Server(*replies))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


SENTENCES = "one 1.0 3.0##red\none 4.0 6.0##green\n"


def test_frames_go_with_their_times_and_windows_come_back(serve, sit, write):
    server = serve('{"windows": [[1.0, 3.0]]}', '```json\n{"windows": [[9.5, 12], [4, 6], [0, 8]]}\n```')
    report, lines = sit("charades", write("charades.txt", SENTENCES), model=server.model, frames=4)
    assert report.find("R1@0.7", "strict").value == 1.0
    head, *shown, prompt = server.content(0)
    assert head["text"] == "4 frames of a video of 8.0 seconds, each after its time."
    assert [part["text"] for part in shown[::2]] == ["1.0 s", "3.0 s", "5.0 s", "7.0 s"]
    _, _, coded = shown[1]["image_url"]["url"].partition("data:image/jpeg;base64,")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))))
    assert picture.shape == (48, 64, 3)
    assert picture[24, 32, 0] > 180
    assert '"red"' in prompt["text"]
    assert lines["one#0"]["tokens"] == {"prompt": 900, "reply": 7}
    assert lines["one#0"]["frames"] == {"count": 4, "times_s": [1.0, 3.0, 5.0, 7.0]}
    assert [m["start"] for m in lines["one#1"]["parsed_output"]["moments"]] == [
        4.0,
        0.0,
    ]  # [9.5, 12] is outside


@pytest.mark.parametrize(
    "reply",
    ["From 1 to 3 seconds.", '{"windows": [[3, 1]]}', '{"windows": "1-3"}', '{"windows": [[1]]}', '{"windows": [[NaN, 3]]}', "[[1, 3]]", "{}"],
)  # fmt: skip
def test_what_cannot_be_read_is_nothing_never_guessed_never_asked_again(reply, serve, sit, write):
    server = serve(reply)
    report, lines = sit("charades", write("charades.txt", SENTENCES), model=server.model, frames=1)
    assert len(server.asked) == 2
    assert lines["one#0"]["raw_output"] == reply
    assert lines["one#0"]["parsed_output"] is None
    assert report.find("unparsed", "strict").value == 1.0
    assert "2 of 2 outputs could not be read" in report.notes


def test_nothing_found_is_read(serve, sit, write):
    server = serve('<think>red?</think>{"windows": []}')
    _, lines = sit("charades", write("charades.txt", SENTENCES), model=server.model, frames=1)
    assert lines["one#0"]["parsed_output"]["moments"] == []


def test_letters_see_nothing_after_their_time(serve, sit, write):
    server = serve("The answer is B.")
    questions = [{"video_path": "one.mp4", "questions": [{"task_type": "t", "question": "red", "time_stamp": "00:00:02",
                  "answer": "B", "options": ["A. x", "B. y"]}]}]  # fmt: skip
    report, lines = sit("streamingbench", write("q.json", questions), model=server.model, frames=4)
    assert report.find("Overall", "strict").value == 1.0
    assert lines["one-0"]["frames"]["times_s"] == [0.25, 0.75, 1.25, 1.75]


def test_events_answers_and_proofs(serve, sit, write, tmp_path):
    told = {"one": {"duration": 8.0, "timestamps": [[1, 3]], "sentences": ["it turns red"]}}
    server = serve('{"events": [{"start": 1, "end": 3, "caption": "it turns red"}]}')
    report, _ = sit("dense-captions", write("val.json", told), model=server.model, frames=1)
    assert report.find("F1", "strict").value == 1.0
    server = serve('{"answers": [{"time": 2, "text": "the red circle blinks"}]}')
    asked = [{"question_id": "q", "video": "one", "question": "what ?",
              "answers": [{"content": "the red circle blinks", "reply_timespan": [1, 3]}]}]  # fmt: skip
    report, _ = sit("magqa", write("m.json", asked), model=server.model, frames=1, out=tmp_path / "magqa")
    assert report.find("in-span score", "strict").value == 5.0
    server = serve('{"answer": "B", "windows": [[1, 3]]}')
    row = {
        "qid": 4,
        "vid": "one",
        "duration": 8.0,
        "question": "red",
        "options": ["x", "y"],
        "ans": "B",
        "relevant_windows": [[1, 3]],
    }
    report, _ = sit(
        "rextime", write("r.jsonl", [row]), model=server.model, frames=1, out=tmp_path / "rextime"
    )
    assert report.find("VQA,mIoU@0.5", "official").value == 1.0


def test_boxes_are_thousandths(serve, sit, write):
    server = serve(
        "red", "red", "red", '{"windows": [[1, 3]]}', '{"boxes": [{"time": 2, "box": [0, 0, 500, 1000]}]}'
    )
    row = {"question_id": 3, "video": "one.mp4", "question": "red ?", "answer": "red", "evidence_windows": [{"start": 1, "end": 3}],
           "evidence_boxes": [{"time": 2.0, "box": [0, 0, 0.5, 1]}]}  # fmt: skip
    report, lines = sit("videozerobench", write("z.json", [row]), model=server.model, frames=2)
    assert report.find("Level-5_mean_vIoU", "strict").value == 1.0
    assert lines["3"]["steps"]["level-5"]["parsed_output"]["track"]["boxes"] == [[0.0, 0.0, 32.0, 48.0]]


def test_announcements_are_asked_for_once_a_second(serve, sit, write):
    asked = {"task_type": "Proactive Output", "question": "red", "time_stamp": "00:00:00",
             "ground_truth_time_stamp": "00:00:01", "ground_truth_output": "red"}  # fmt: skip
    proactive = [{"video_path": "./videos/one.mp4", "questions": [asked]}]
    server = serve("No", "no.", "Yes", "red")
    report, lines = sit("streamingbench-proactive", write("p.json", proactive), model=server.model, frames=2)
    assert report.find("answer accuracy", "strict").value == 1.0
    assert len(server.asked) == 4
    assert lines["one-0"]["parsed_output"]["moments"][0]["end"] == 2.0
    assert lines["one-0"]["tokens"] == {"prompt": 3600, "reply": 28}
    assert [part["text"] for part in server.content()[1:-1:2]] == ["0.5 s", "1.5 s"]


def test_a_judge_rates_what_was_said_in_a_span(serve, sit, write):
    from duets import DuetModel

    asked = [{"question_id": "q", "video": "one", "question": "red",
              "answers": [{"content": "the paint turns crimson", "reply_timespan": [1, 3]}]}]  # fmt: skip
    judge = serve("4")
    report, lines = sit("magqa", write("m.json", asked), model=DuetModel(), judge=judge.model)
    assert lines["q"]["ratings"] == [[4.0]]
    assert report.find("in-span score", "strict").value == 4.0


def test_an_address_without_a_name_cannot_follow_and_may_fail(serve, sit, write, tmp_path, monkeypatch):
    annotations = write("charades.txt", SENTENCES)
    with pytest.raises(OptionError, match="does not say which model"):
        sit("charades", annotations, model="http://127.0.0.1:9/v1")
    write("truth/square/groundtruth.txt", "1,2,3,4\n")
    with pytest.raises(OptionError, match="behind an address cannot follow anything"):
        sit("lasot", tmp_path / "truth", model="http://127.0.0.1:9/v1#m")
    server = serve('{"windows": [[1, 3]]}', 400)
    out = tmp_path / "broken"
    with pytest.raises(EndpointError, match="400"):
        sit("charades", annotations, model=server.model, out=out)
    server.replies[:] = ['{"windows": [[4, 6]]}']
    report, _ = sit("charades", annotations, model=server.model, out=out, resume=True)
    assert report.find("R1@0.7", "strict").value == 1.0
    assert len(server.asked) == 3
