"""Conversations as tokens: whose they are, which are taught, where what is shown stands."""

from __future__ import annotations

import pytest
from backbone import CHATML, tokenizer

from kairos.errors import OptionError
from kairos.model.script import FRAMES, TASK_WORDS, Script

TALK = (
    ("user", "what is this ?"),
    ("assistant", "a cat ."),
    ("user", "the red ring ?"),
    ("assistant", "yes ."),
)
PAIR = ("<box_begin>", "<boxes>")


@pytest.fixture(params=[None, CHATML], ids=["plain", "template"])
def script(request) -> Script:
    return Script(tokenizer(request.param))


def words(script: Script, spoken, flags) -> list[str]:
    ids = [i for i, flag in zip(spoken.ids, flags, strict=True) if flag]
    return script.tokenizer.convert_ids_to_tokens(ids)


def test_the_model_learns_its_own_turns_and_to_end_them(script):
    spoken = script.spoken(TALK, None, 0)
    end = "<|im_end|>" if script.tokenizer.chat_template else "</s>"
    said = words(script, spoken, spoken.taught)
    assert said == ["a", "cat", ".", end, "yes", ".", end]
    assert words(script, spoken, spoken.asked) == ["the", "red", "ring", "?"]


def test_a_task_is_answered_by_its_pair_and_nothing_else_is_taught(script):
    spoken = script.spoken((*TALK, ("user", "what is this ?")), PAIR, 0)
    assert words(script, spoken, spoken.taught) == list(PAIR)
    assert words(script, spoken, spoken.asked) == ["what", "is", "this", "?"]


def test_what_is_shown_stands_before_the_first_question(script):
    spoken = script.spoken(TALK, None, 5)
    at = [i for i, token in enumerate(spoken.ids) if token == script.frames]
    assert at == list(range(at[0], at[0] + 5))
    assert script.tokenizer.convert_ids_to_tokens(spoken.ids[at[-1] + 1]) == "what"
    assert not any(spoken.taught[i] or spoken.asked[i] for i in at)
    assert script.frames not in script.spoken(TALK, None, 0).ids
    alone = script.spoken((("user", "what is this ?"),), PAIR, 2)
    assert words(script, alone, alone.asked) == ["what", "is", "this", "?"]


def test_a_users_box_is_one_word(script):
    spoken = script.spoken((("user", "what is <track_box> ?"),), PAIR, 0)
    assert spoken.ids.count(script.track_box) == 1


def test_only_words_that_are_new_are_added():
    known = tokenizer()
    before = len(known)
    script = Script(known)
    assert set(script.new) == {*TASK_WORDS, "<track_box>", FRAMES}
    assert len(known) == before + len(script.new)
    assert len({script.id(word) for word in script.new}) == len(script.new)
    assert Script(known).new == ()


def test_templates_that_lose_turns_are_refused():
    with pytest.raises(OptionError, match="leaves out turns"):
        Script(tokenizer("{{ messages[0]['content'] }}")).spoken(TALK, None, 0)
    slow = type("Slow", (), {"is_fast": False})()
    with pytest.raises(OptionError, match="a fast tokenizer"):
        Script(slow)


def test_templates_that_want_parts():
    """As vision-language models have them; one that takes text alone lays out the same."""
    parts = (
        "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' \\n ' }}{% for part in m['content'] %}"
        "{{ part['text'] }}{% endfor %}{{ ' <|im_end|> \\n ' }}{% endfor %}"
    )
    assert Script(tokenizer(parts)).spoken(TALK, None, 2) == Script(tokenizer(CHATML)).spoken(TALK, None, 2)


def test_words_that_also_stand_in_the_template_are_not_mistaken():
    """The system's own text holds the user's very words; marks keep them apart."""
    template = "{{ 'what is this ? a cat . ' }}" + CHATML
    spoken = (script := Script(tokenizer(template))).spoken(TALK[:2], None, 0)
    assert spoken.taught.count(True) == 4
    assert words(script, spoken, spoken.asked) == ["what", "is", "this", "?"]
    assert not any(spoken.taught[:7])
