"""However ticks are cut, rows are batched or turns are rolled back: the same states and the same words."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from kairos.errors import InputError, OptionError
from kairos.model.cache import SlotLayer
from kairos.model.context import Context
from kairos.model.words import END, SAY, SPECIAL, STREAM, SYSTEM, USER

E, M, TICKS = 16, 3, 30
CLOSE = {"atol": 2e-5, "rtol": 0.0}
ASK, OTHER, LONG = [9, 10, 11], [12, 13], [14, 15, 16, 17, 18, 19, 20]


@pytest.fixture(autouse=True)
def poison(monkeypatch):
    """What is in memory before it is written is not a number."""
    plain = SlotLayer.lazy_initialization

    def poisoned(self, *states):
        plain(self, *states)
        self.keys.fill_(float("nan")), self.values.fill_(float("nan"))

    monkeypatch.setattr(SlotLayer, "lazy_initialization", poisoned)
    monkeypatch.setattr("kairos.model.context._FIRST", 8)


def model_of(**sizes):
    """A model that is nothing but its decoder, of random weights that matter."""
    config = {
        "model_type": "llama",
        "vocab_size": 40,
        "hidden_size": E,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    } | sizes
    decoder = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), attn_implementation="eager")
    generator = torch.Generator().manual_seed(5)
    for parameter in decoder.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return SimpleNamespace(speech=SimpleNamespace(decoder=decoder.eval()))


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def shallow():
    """One layer: what is held of a token is of that token alone, so that forgetting leaves no trace of what was before."""
    return model_of(num_hidden_layers=1)


@pytest.fixture(scope="module")
def ticks():
    return torch.randn(1, TICKS, M, E, generator=torch.Generator().manual_seed(7))


def written(model, *parts):
    """States of a conversation that is written out and read at once; parts are names of special tokens, words, or ticks."""
    embed = model.speech.decoder.get_input_embeddings()
    rows = []
    for part in parts:
        if isinstance(part, torch.Tensor):
            rows.append(part.flatten(1, 2))
        else:
            ids = [SPECIAL.index(part)] if isinstance(part, str) else part
            rows.append(embed(torch.tensor([ids], dtype=torch.long)))
    inputs = torch.cat(rows, 1)
    with torch.no_grad():
        return model.speech.decoder.model(inputs_embeds=inputs, use_cache=False).last_hidden_state


def seen(context, ticks, sizes):
    states, at = [], 0
    for n in sizes:
        states.append(context.see(ticks[:, at : at + n]))
        at += n
    states.append(context.see(ticks[:, at:]))
    return torch.cat(states, 1)


def same_replies(some, others):
    assert [words for words, _ in some] == [words for words, _ in others]
    assert [sure for _, sure in some] == pytest.approx([sure for _, sure in others], abs=1e-5)


# one row ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", [None, "kairos_grouped", "eager", "sdpa"])
def test_a_conversation_is_what_is_written(model, ticks, attention):
    context = Context(model, attention=attention)
    row = context.open(ASK, system=OTHER)
    first = context.see(ticks[:, :4])
    context.keep(row, LONG)
    second = context.see(ticks[:, 4:9])
    context.tell(row, "user", OTHER)
    third = context.see(ticks[:, 9:10])
    opening = (SYSTEM, OTHER, END, USER, ASK, END, STREAM)
    turns = (ticks[:, :4], SAY, LONG, END, STREAM, ticks[:, 4:9], USER, OTHER, END, STREAM, ticks[:, 9:10])
    states = written(model, *opening, *turns)
    at = 4 + 5 + 1
    torch.testing.assert_close(first, states[:, at + M - 1 : at + 4 * M : M], **CLOSE)
    at += 4 * M + 10
    torch.testing.assert_close(second, states[:, at + M - 1 : at + 5 * M : M], **CLOSE)
    torch.testing.assert_close(third[:, 0], states[:, -1], **CLOSE)
    assert (context.rows, context.ticks) == (1, 10)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 9), max_size=5).filter(lambda x: sum(x) <= TICKS),
    window=st.sampled_from([None, 1, 4, 11]),
)
def test_chunks_of_any_size_are_one_tick_at_a_time(model, ticks, sizes, window):
    one, other = Context(model, window=window), Context(model, window=window)
    one.open(ASK), other.open(ASK)
    torch.testing.assert_close(seen(one, ticks, sizes), seen(other, ticks, [1] * TICKS), **CLOSE)
    same_replies(one.reply([(0, 0)]), other.reply([(0, 0)]))


def test_the_plain_greedy_loop_says_the_same(model, ticks):
    context = Context(model)
    context.open(ASK)
    context.see(ticks[:, :6])
    ((said, sure),) = context.reply([(0, 0)], max_words=7)
    words, logs = [], []
    while True:
        last = written(model, USER, ASK, END, STREAM, ticks[:, :6], SAY, words)[0, -1]
        best = model.speech.decoder.lm_head(last).detach().log_softmax(-1).max(-1)
        logs.append(best.values)
        if int(best.indices) == SPECIAL.index(END) or len(words) == 7:
            break
        words.append(int(best.indices))
    assert said == words
    assert sure == pytest.approx(float(torch.stack(logs).mean().exp()), abs=1e-5)


def test_words_end_where_the_end_is_likeliest(model, ticks):
    context = Context(model)
    context.open(ASK), context.open(OTHER)
    context.see(ticks[:, :3])
    calls = []

    def words_of(hidden, rows):
        """The first reply says one word, the second two, the third goes on for ever."""
        calls.append(rows.tolist())
        assert hidden.shape == (len(rows), 1, E)
        logs = torch.full((len(rows), 40), -9.0)
        for i, r in enumerate(rows.tolist()):
            logs[i, SPECIAL.index(END) if len(calls) == r + 2 and r < 2 else 20 + r] = -0.5
        return logs

    said = context.reply([(1, 0), (0, 0), (1, 1)], words_of, max_words=3)
    assert [words for words, _ in said] == [[20], [21, 21], [22, 22, 22]]
    assert all(sure == pytest.approx(0.6065, abs=1e-4) for _, sure in said)
    assert calls == [[0, 1, 2], [0, 1, 2], [1, 2], [2]]


# many rows -------------------------------------------------------------------------------------------------------


def talk(context, ticks, rows, *, batch):
    """Rows of a conversation, of which only some are there: two from the start, one late, one that keeps a reply."""
    number, states = {}, {}

    def see(a, b):
        found = context.see(ticks[:, a:b])
        for name, row in number.items():
            states.setdefault(name, []).append(found[row])

    for name, words in (("ask", ASK), ("long", LONG)):
        if name in rows:
            number[name] = context.open(words)
    see(0, 3), see(3, 9)
    if "late" in rows:
        number["late"] = context.open(OTHER, system=LONG)
    if "ask" in rows:
        context.keep(number["ask"], OTHER)
    if "long" in rows:
        context.keep(number["long"], LONG)
    see(9, 15)
    if "long" in rows:
        context.tell(number["long"], "user", OTHER)
    see(15, 16), see(16, 26)
    at = [(name, back) for name in number for back in (0, 2, 9)]
    pairs = [(number[name], back) for name, back in at]
    said = context.reply(pairs) if batch else [context.reply([pair])[0] for pair in pairs]
    return {n: torch.cat(s) for n, s in states.items()}, dict(zip(at, said, strict=True))


@pytest.mark.parametrize(("window", "attention"), [(None, None), (4, None), (7, "kairos_grouped")])
def test_rows_in_one_batch_are_rows_apart(model, ticks, window, attention):
    together = Context(model, window=window, attention=attention)
    states, said = talk(together, ticks, ("ask", "long", "late"), batch=True)
    for name in ("ask", "long", "late"):
        own, words = talk(Context(model, window=window), ticks, (name,), batch=False)
        torch.testing.assert_close(states[name], own[name], **CLOSE)
        same_replies([said[at] for at in words], list(words.values()))
    assert len({tuple(words) for words, _ in said.values()}) > 4


@pytest.mark.parametrize("window", [None, 2, 4])
def test_a_reply_of_ticks_ago_is_one_made_then(model, ticks, window):
    context = Context(model, window=window)
    context.open(ASK), context.open(LONG)
    context.see(ticks[:, :6])
    context.see(ticks[:, 6:12])  # forgets in the midst of it
    at = [(row, back) for back in range(6) for row in (0, 1)]
    together = context.reply(at[::-1])[::-1]
    for (row, back), one in zip(at, together, strict=True):
        then = Context(model, window=window)
        then.open(ASK), then.open(LONG)
        then.see(ticks[:, : 12 - back])
        same_replies([one], then.reply([(row, 0)]))
    for back in range(6):
        context.crop_ticks(min(back, 1))  # one more each time
        same_replies(together[2 * back : 2 * back + 2], context.reply([(0, 0), (1, 0)]))
    assert len({tuple(words) for words, _ in together}) > 4


def test_of_no_rows_nothing_is_said(model, ticks):
    context = Context(model)
    assert context.see(ticks[:, :3]).shape == (0, 3, E)
    assert context.reply([]) == []
    row = context.open(ASK)
    late = context.see(ticks[:, 3:5])
    torch.testing.assert_close(
        late[row], written(model, USER, ASK, END, STREAM, ticks[:, 3:5])[0, -4::M], **CLOSE
    )
    assert context.see(ticks[:, :0]).shape == (1, 0, E)


# going back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 4])
def test_what_is_rolled_back_never_happened(model, ticks, window):
    def run(detour):
        context = Context(model, window=window)
        context.open(ASK), context.open(LONG)
        states = [context.see(ticks[:, :5])]
        context.keep(0, OTHER)
        mark = context.mark()
        for n in range(2 if detour else 0):
            context.keep(1, LONG)
            context.see(ticks[:, 20 : 27 + n])  # beyond what is held
            context.open(OTHER)
            inner = context.mark()
            context.tell(2, "system", OTHER)
            context.see(ticks[:, 3:16])
            context.reply([(0, 1), (2, 3)])
            context.crop(inner)
            context.see(ticks)
            context.crop(mark)
            assert (context.rows, context.ticks) == (2, 5)
            with pytest.raises(InputError, match="void"):
                context.crop(inner)
        said = context.reply([(0, 0), (1, 0), (1, 3)])
        states += [context.see(ticks[:, 5 + k : 6 + k]) for k in range(9)] + [context.see(ticks[:, 14:])]
        return torch.cat(states, 1), said + context.reply([(0, 0), (1, 2)])

    states, said = run(detour=False)
    again, repeated = run(detour=True)
    assert torch.equal(states, again)
    assert said == repeated


@pytest.mark.parametrize("window", [None, 1, 3, 8])
def test_ticks_that_are_cropped_were_never_seen(model, ticks, window):
    context = Context(model, window=window)
    context.open(ASK), context.open(LONG)
    states = []
    for a, b, back in ((0, 6, 2), (4, 20, 13), (7, 8, 0), (8, 19, 10), (9, 19, 0)):
        found = context.see(ticks[:, a:b])
        context.crop_ticks(back)
        states.append(found[:, : b - a - back])
        if back:
            context.keep(b % 2, OTHER)
    plain = Context(model, window=window)
    plain.open(ASK), plain.open(LONG)
    expected = []
    for a, b, row in ((0, 4, 0), (4, 7, 0), (7, 9, 1), (9, 19, None)):
        expected.append(plain.see(ticks[:, a:b]))
        if row is not None:
            plain.keep(row, OTHER)
    torch.testing.assert_close(torch.cat(states, 1), torch.cat(expected, 1), **CLOSE)
    same_replies(context.reply([(0, 0), (1, 1)]), plain.reply([(0, 0), (1, 1)]))


def test_a_reply_leaves_nothing(model, ticks):
    states = []
    for speaks in (False, True):
        context = Context(model)
        context.open(ASK), context.open(LONG)
        first = context.see(ticks[:, :9])
        for _ in range(3 if speaks else 0):
            context.reply([(0, 0), (0, 4), (1, 2)])
        states.append(torch.cat([first, context.see(ticks[:, 9:20])], 1))
    assert torch.equal(*states)


# without an end --------------------------------------------------------------------------------------------------


def test_what_is_forgotten_leaves_the_query_and_the_window(shallow, ticks):
    context = Context(shallow, window=4)
    context.open(ASK, system=OTHER)
    states = context.see(ticks)
    opening = (SYSTEM, OTHER, END, USER, ASK, END, STREAM)
    for k in range(TICKS):  # 8 ticks are held at most; the ninth finds the last 4
        first = max(0, 4 * (k // 4 - 1))
        alone = written(shallow, *opening, ticks[:, first : k + 1])[:, -1]
        torch.testing.assert_close(states[:, k], alone, **CLOSE)


def test_users_are_kept_and_replies_forgotten(shallow, ticks):
    context = Context(shallow, window=2)
    context.open(ASK), context.open(LONG)
    context.see(ticks[:, :1])
    context.keep(0, LONG)
    context.tell(1, "user", OTHER)
    context.see(ticks[:, 1:3])
    context.tell(0, "user", OTHER)
    context.keep(1, OTHER)
    states = context.see(ticks[:, 3:8])[:, -1]
    one = written(shallow, USER, ASK, END, STREAM, USER, OTHER, END, STREAM, ticks[:, 4:8])
    other = written(shallow, USER, LONG, END, STREAM, USER, OTHER, END, STREAM, ticks[:, 4:8])
    torch.testing.assert_close(states, torch.cat([one[:, -1], other[:, -1]]), **CLOSE)


def test_ten_thousand_ticks_take_no_more_memory(shallow):
    context = Context(shallow, window=20)
    context.open(ASK), context.open(LONG)
    ticks = torch.randn(1, 250, M, E, generator=torch.Generator().manual_seed(1))
    sizes, made = [], []
    for k in range(40):
        context.see(ticks)
        context.reply([(0, 0), (1, 3)])
        context.keep(k % 2, OTHER)
        sizes.append((context.size, len(context._before), len(context._held.starts)))
        made.append(weakref.ref(context._held.slots))
    assert context.ticks == 10_000
    assert set(sizes[2::2]) == {sizes[2]}  # 250 ticks are 12 windows and a half
    assert set(sizes[3::2]) == {sizes[3]}
    gc.collect()
    assert sum(slots() is not None for slots in made) <= 2  # the newest, and what its last chunk began with
    opening, words = 4 + max(len(ASK), len(LONG)), 2 * (16 + 1) + len(OTHER) + 3
    assert context.size <= opening + 2 * 20 * M + words + 256


# decoders --------------------------------------------------------------------------------------------------------


YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 32}


@pytest.mark.parametrize(
    "kind", [{"model_type": "qwen2"}, {"model_type": "glm", "head_dim": 4}, {"rope_parameters": YARN}]
)
def test_other_decoders(kind, ticks):
    model = model_of(num_hidden_layers=1, **kind)
    context = Context(model, window=4)
    context.open(ASK)
    states = context.see(ticks)
    for k in (6, 7, 11, 29):
        first = max(0, 4 * (k // 4 - 1))
        alone = written(model, USER, ASK, END, STREAM, ticks[:, first : k + 1])[:, -1]
        torch.testing.assert_close(states[:, k], alone, **CLOSE)


def test_weights_are_the_models_own(ticks):
    model = model_of()
    context = Context(model)
    context.open(ASK)
    assert model.speech.decoder.config._attn_implementation == "eager"
    model.speech.decoder.model.norm.weight.data *= 2
    states = context.see(ticks[:, :2])
    torch.testing.assert_close(
        states[:, -1], written(model, USER, ASK, END, STREAM, ticks[:, :2])[:, -1], **CLOSE
    )


def test_scores_of_the_whole_model(tiny):
    tokens = torch.randn(1, 12, tiny.config.context_tokens, 32, generator=torch.Generator().manual_seed(2))
    one, other = Context(tiny), Context(tiny)
    words = tiny.words("when does the red circle blink ?")
    one.open(words), other.open(words)
    with torch.inference_mode():
        scores = tiny.stream.scores(one.see(tokens))
        apart = tiny.stream.scores(seen(other, tokens, [1] * 12))
    assert scores.shape == (1, 12, 2)
    torch.testing.assert_close(scores, apart, **CLOSE)


# bad input -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused(model, ticks):
    for window in (0, -3):
        with pytest.raises(OptionError, match="window"):
            Context(model, window=window)
    context = Context(model, window=3)
    with pytest.raises(InputError, match="empty"):
        context.open([])
    with pytest.raises(InputError, match="no row 0"):
        context.keep(0, ASK)
    row = context.open(ASK)
    for wrong in (ticks[0], ticks[..., :3], ticks[:, :, :0], ticks.repeat(2, 1, 1, 1)):
        with pytest.raises(InputError, match="ticks are"):
            context.see(wrong)
    context.see(ticks[:, :5])
    with pytest.raises(InputError, match="was 3 tokens"):
        context.see(ticks[:, :, :2])
    with pytest.raises(OptionError, match="a turn is of"):
        context.tell(row, "stream", ASK)
    for at in ((1, 0), (-1, 0)):
        with pytest.raises(InputError, match="no row"):
            context.reply([at])
    for back in (-1, 6):
        with pytest.raises(InputError, match="has not seen"):
            context.reply([(row, back)])
    with pytest.raises(OptionError, match="0 words"):
        context.reply([(row, 0)], max_words=0)
    context.see(ticks[:, :2])
    context.see(ticks[:, :2])
    with pytest.raises(InputError, match="forgotten"):
        context.reply([(row, 8)])
    with pytest.raises(InputError, match="forgotten"):
        context.crop_ticks(8)
    context.keep(row, OTHER)
    with pytest.raises(InputError, match="0 ticks came after"):
        context.crop_ticks(1)
    assert context.ticks == 9


def test_marks_are_of_one_context_and_one_past(model, ticks):
    context, other = Context(model), Context(model)
    context.open(ASK), other.open(ASK)
    context.see(ticks[:, :3])
    mark = context.mark()
    with pytest.raises(InputError, match="void"):
        other.crop(mark)
    context.crop_ticks(1)
    with pytest.raises(InputError, match="void"):
        context.crop(mark)
    assert context.ticks == 2


def test_positions_that_cannot_be_turned_back_are_refused():
    scaled = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    model = model_of(rope_parameters=scaled)
    Context(model)
    with pytest.raises(OptionError, match="cannot forget"):
        Context(model, window=4)
