"""The one client for OpenAI-compatible endpoints: chat, retried where that helps, every good reply kept on disk.

    endpoint = Endpoint("http://localhost:8000/v1", "qwen3-8b", cache="runs/replies")
    endpoint.chat([{"role": "user", "content": "Say yes."}])                  # "Yes."
    endpoint.parsed([{"role": "user", "content": "A number, please."}], int)  # 7, or an EndpointError: never a guess

It knows no prompts and opens no connection but to the address that it was given, when it is asked. Only the standard library
is needed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kairos.errors import EndpointError, OptionError
from kairos.timeline.files import atomic_write

__all__ = ["KEY_VARIABLE", "Endpoint", "Message"]

KEY_VARIABLE = "KAIROS_ENDPOINT_KEY"
LONGEST_WAIT_S = 60.0
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # worth another try

Message = Mapping[str, Any]
"""One turn as the endpoint reads it: {"role": "user", "content": "..."}."""

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """A model behind `url` (its base, up to /v1). The key is read from the environment (`key_variable`) when it is needed.

    `options` go into every request as they are (max_tokens, seed). `cache` is a folder with one file a request: the same
    request is never sent twice, so work that was killed goes on where it stopped. Raises OptionError for impossible values.
    """

    url: str
    model: str
    cache: str | os.PathLike[str] | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0})
    retries: int = 4
    timeout_s: float = 120.0
    backoff_s: float = 1.0
    key_variable: str = KEY_VARIABLE

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            hint = f"like https://host/v1; a key belongs in {self.key_variable}"
            raise OptionError("an endpoint needs an http or https address", option="url", hint=hint)
        if not self.model:
            raise OptionError("an endpoint needs a model's name", option="model", value=self.model)
        if self.retries < 0:
            raise OptionError(f"{self.retries} retries are impossible", option="retries", value=self.retries)
        for name, least in (("timeout_s", 1e-3), ("backoff_s", 0.0)):
            if not least <= getattr(self, name) < math.inf:
                raise OptionError(f"{name} is {getattr(self, name)}", option=name, value=getattr(self, name))

    def chat(self, messages: Sequence[Message]) -> str:
        """The reply's words. Raises EndpointError where there are none after all retries."""
        return self.parsed(messages, str)

    def parsed(self, messages: Sequence[Message], parse: Callable[[str], T]) -> T:
        """What `parse` makes of the reply's words; it raises ValueError for words that are not as asked.

        Such replies are asked for again and never kept. Raises EndpointError where none is as asked after all retries.
        """
        request = {"model": self.model, "messages": [dict(m) for m in messages], **self.options}
        kept = self._place(request)
        if kept is not None and (words := _read(kept, request)) is not None:
            try:
                return parse(words)
            except ValueError:  # kept for somebody who asked for less
                pass
        problem = ValueError()
        for _ in range(self.retries + 1):
            words = self._words(self._send(request))
            try:
                result = parse(words)
            except ValueError as error:
                problem = error
                continue
            if kept is not None:
                _keep(kept, request, words)
            return result
        raise EndpointError(
            f"{self.model} at {self.url} does not reply as asked: {problem}", url=self.url
        ) from problem

    def reply(self, messages: Sequence[Message]) -> tuple[str, dict[str, int]]:
        """The reply's words, and how many tokens the prompt and it have, where the endpoint says so. Nothing is kept on disk."""
        answer = self._send({"model": self.model, "messages": [dict(m) for m in messages], **self.options})
        usage = answer.get("usage") if isinstance(answer, dict) else None
        counts = {"prompt": "prompt_tokens", "reply": "completion_tokens"}
        told = usage if isinstance(usage, dict) else {}
        return self._words(answer), {
            name: told[key] for name, key in counts.items() if type(told.get(key)) is int
        }

    def _send(self, request: Mapping[str, Any]) -> Any:
        """The endpoint's answer as JSON; waits and tries again where that can help."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(self.key_variable, "").strip():
            if not key.isascii() or not key.isprintable():
                raise self._failed(f"cannot be sent the key in {self.key_variable}: it is not plain text")
            headers["Authorization"] = f"Bearer {key}"
        body = json.dumps(request, ensure_ascii=False, allow_nan=False).encode()
        for tried in range(self.retries + 1):
            wait, last = self.backoff_s * 2**tried * random.uniform(1.0, 1.25), tried == self.retries
            post = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", body, headers)
            try:
                with _OPENER.open(post, timeout=self.timeout_s) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read(300).decode("utf-8", "replace")
                if last or error.code not in _PASSING:
                    raise self._failed(f"answers {error.code} {error.reason}: {said}", error.code) from None
                wait = max(wait, _seconds(error.headers.get("Retry-After")))
            except ValueError:
                if last:
                    raise self._failed("answers with something that is not JSON", 200) from None
            except (OSError, http.client.HTTPException) as error:  # refused, reset, cut off, timed out
                if last:
                    raise self._failed(f"cannot be reached: {getattr(error, 'reason', error)!s}") from error
            time.sleep(min(wait, LONGEST_WAIT_S))
        raise AssertionError("the last try returns or raises")

    def _words(self, answer: Any) -> str:
        try:
            words = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            words = None
        if not isinstance(words, str) or not words.strip():
            raise self._failed(f"answers without words: {json.dumps(answer)[:300]}", 200)
        return words

    def _failed(self, what: str, status: int | None = None) -> EndpointError:
        hint = f"set its key in {self.key_variable}" if status in (401, 403) else None
        return EndpointError(f"{self.url} {what}", url=self.url, status=status, hint=hint)

    def _place(self, request: Mapping[str, Any]) -> Path | None:
        if self.cache is None:
            return None
        asked = json.dumps([self.url.rstrip("/"), request], sort_keys=True).encode()
        name = hashlib.sha256(asked).hexdigest()[:32]
        return Path(self.cache) / name[:2] / f"{name}.json"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *args: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _read(path: Path, request: Mapping[str, Any]) -> str | None:
    try:
        held = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    fits = isinstance(held, dict) and held.get("request") == request and isinstance(held.get("reply"), str)
    return held["reply"] if fits else None


def _keep(path: Path, request: Mapping[str, Any], words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        json.dump({"request": request, "reply": words}, file, ensure_ascii=False)


def _seconds(value: str | None) -> float:
    """A Retry-After in seconds; 0 where there is none or it is a date."""
    try:
        seconds = float(value or 0.0)
    except ValueError:
        return 0.0
    return seconds if 0.0 <= seconds < math.inf else 0.0
