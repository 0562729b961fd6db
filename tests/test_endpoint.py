"""The client for remote models, against a server on this machine that plays every bad part."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kairos import EndpointError, OptionError
from kairos.endpoint import KEY_VARIABLE, Endpoint

ASKED = [{"role": "user", "content": "How many? Grüße"}]


def words(text):
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


class Server:
    """Replies with what is in `replies`, one after the other, the last for ever; keeps what it was asked."""

    def __init__(self):
        self.replies, self.requests, self.headers, self.paths = [words("seven")], [], [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                server.headers.append(dict(self.headers))
                server.paths.append(self.path)
                status, body, *headers = (
                    server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
                )
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                if status is None:  # hangs up
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def endpoint(server, **options):
    return Endpoint(server.url, "m", **{"backoff_s": 0.0, "timeout_s": 5.0, **options})


def test_chat_sends_the_model_the_words_and_the_options(server):
    said = endpoint(server, options={"temperature": 0, "max_tokens": 9}).chat(ASKED)
    assert said == "seven"
    assert server.paths == ["/v1/chat/completions"]
    assert server.requests == [{"model": "m", "messages": ASKED, "temperature": 0, "max_tokens": 9}]
    assert "Authorization" not in server.headers[0]


def test_the_key_comes_from_the_environment_and_is_shown_nowhere(server, monkeypatch, tmp_path):
    monkeypatch.setenv(KEY_VARIABLE, " secret-key\n")
    remote = endpoint(server, cache=tmp_path)
    remote.chat(ASKED)
    assert server.headers[0]["Authorization"] == "Bearer secret-key"
    assert "secret" not in repr(remote)
    assert all("secret" not in path.read_text() for path in tmp_path.rglob("*.json"))
    server.replies = [(401, {"error": "no"})]
    with pytest.raises(EndpointError, match=KEY_VARIABLE) as caught:
        remote.chat([{"role": "user", "content": "other"}])
    assert caught.value.status == 401
    assert caught.value.exit_code == 1
    assert "secret" not in str(caught.value)


def test_the_same_request_is_sent_once(server, tmp_path):
    assert endpoint(server, cache=tmp_path).chat(ASKED) == "seven"
    server.replies = [words("eight")]
    assert endpoint(server, cache=tmp_path).chat(ASKED) == "seven"
    assert len(server.requests) == 1
    assert endpoint(server, cache=tmp_path, options={"seed": 1}).chat(ASKED) == "eight"
    assert endpoint(server).chat(ASKED) == "eight"
    assert len(server.requests) == 3


@pytest.mark.parametrize("torn", ["", '{"requ', "[]", '{"request": {}, "reply": "nine"}'])
def test_a_torn_file_is_asked_for_again(server, tmp_path, torn):
    remote = endpoint(server, cache=tmp_path)
    remote.chat(ASKED)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(torn)
    assert remote.chat(ASKED) == "seven"
    assert len(server.requests) == 2
    assert json.loads(path.read_text())["reply"] == "seven"


@pytest.mark.parametrize(
    "first",
    [
        (500, {}),
        (503, b"busy"),
        (429, {}, ("Retry-After", "0")),
        (429, {}, ("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")),
        (200, b"<html>"),
        (200, b"\xff"),
        (None, b""),
    ],
)
def test_what_passes_is_tried_again(server, first):
    server.replies = [first, first, words("seven")]
    assert endpoint(server, retries=2).chat(ASKED) == "seven"
    server.replies = [first, words("seven")]
    with pytest.raises(EndpointError, match=r"/v1 (answers|cannot)"):
        endpoint(server, retries=0).chat(ASKED)


def test_what_stays_is_not_tried_again(server):
    server.replies = [(400, {"error": "context\ntoo long"}), words("seven")]
    with pytest.raises(EndpointError, match=r"400 .*context") as caught:
        endpoint(server).chat(ASKED)
    assert caught.value.status == 400
    assert "\n" not in caught.value.message
    assert len(server.requests) == 1


def test_a_redirect_is_refused(server, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "k")
    server.replies = [(302, b"", ("Location", server.url)), words("seven")]
    with pytest.raises(EndpointError, match="302"):
        endpoint(server).chat(ASKED)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"choices": []},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": " "}}]},
    ],
)
def test_no_words_is_an_error(server, body):
    server.replies = [(200, body)]
    with pytest.raises(EndpointError, match="without words"):
        endpoint(server).chat(ASKED)


def test_nobody_there():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(EndpointError, match="cannot be reached") as caught:
            Endpoint(url, "m", retries=1, backoff_s=0.0, timeout_s=5.0).chat(ASKED)
    assert caught.value.status is None
    assert caught.value.url == url


def test_a_key_that_cannot_be_sent(server, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "ключ")
    with pytest.raises(EndpointError, match="not plain text"):
        endpoint(server).chat(ASKED)


def test_only_replies_as_asked_are_taken_and_kept(server, tmp_path):
    server.replies = [words("seven"), words("many"), words("7"), words("8")]
    remote = endpoint(server, cache=tmp_path, retries=2)
    assert remote.parsed(ASKED, int) == 7
    assert remote.parsed(ASKED, int) == 7
    assert len(server.requests) == 3
    server.replies = [words("seven")]
    with pytest.raises(EndpointError, match=r"not reply as asked: .*'seven'"):
        remote.parsed([{"role": "user", "content": "other"}], int)
    assert len(server.requests) == 6
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_kept_reply_that_is_not_as_asked_now_is_asked_for_again(server, tmp_path):
    remote = endpoint(server, cache=tmp_path)
    remote.chat(ASKED)
    server.replies = [words("7")]
    assert remote.parsed(ASKED, int) == 7


@pytest.mark.parametrize(
    "given",
    [
        {"url": ""},
        {"url": "localhost:8000/v1"},
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "http://key@host/v1"},
        {"url": "http://host/v1?key=k"},
        {"model": ""},
        {"retries": -1},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"backoff_s": -1.0},
    ],
)
def test_impossible_endpoints_are_refused(given):
    with pytest.raises(OptionError):
        Endpoint(**{"url": "http://host/v1", "model": "m", **given})


def test_a_reply_tells_its_tokens_and_is_not_kept(server, tmp_path):
    status, body = words("seven")
    counts = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": "many"}
    server.replies[:] = [(status, {**body, "usage": counts}), words("eight")]
    remote = endpoint(server, cache=tmp_path)
    assert remote.reply(ASKED) == ("seven", {"prompt": 12, "reply": 3})
    assert remote.reply(ASKED) == ("eight", {})
    assert not list(tmp_path.iterdir())
