import asyncio
import dataclasses
import hashlib
import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from som_agent.errors import AnswererError, InputError, LimitError, OutputError, UnansweredError
from som_agent.lmm.calls.background import run
from som_agent.lmm.calls.cache import ReplyCache
from som_agent.lmm.calls.caller import Caller, Request
from som_agent.lmm.calls.limits import Limits
from som_agent.lmm.calls.trace import Trace, read_trace, replay
from som_agent.lmm.pictures import read_image_block
from som_agent.lmm.profiles import Price, profile_of
from tests.fault_server import EMPTY, HANG, calls
from tests.lmm.calls.asking import NAME, PLAIN, STRUCTURED, Found, picture, request

LOGPROBS = {"content": [{"token": "It", "logprob": -0.25}, {"token": " ü\n", "logprob": -1.5}]}
GPT = dataclasses.replace(STRUCTURED, name="gpt", context_tokens=12_345)


def recorded(server, path, *requests, profile=PLAIN, **options):
    """What a caller that writes a trace gets for each request: a reply, or an error."""
    with Trace(path) as trace:
        ask = Caller(server.chat(), NAME, profile, trace=trace, attempts=1, **options)
        return [outcome(ask, one) for one in requests]


def replayed(path, *requests):
    model = replay(path)
    ask = Caller(model, f"replay:{path}", profile_of(model, f"replay:{path}"))
    return [outcome(ask, one) for one in requests]


def outcome(ask, one):
    try:
        return run(ask(one))
    except AnswererError as error:
        return error


def test_a_line_holds_all_of_a_call(server, tmp_path):
    server.replies = ["It is [1]."]
    server.usage = (100, 10)
    profile = dataclasses.replace(PLAIN, price=Price(1.0, 2.0))
    (reply,) = recorded(server, tmp_path / "t.jsonl", request(purpose="verify"), profile=profile)
    (line,) = (tmp_path / "t.jsonl").read_text().splitlines()
    fields = json.loads(line)
    assert (fields["purpose"], fields["tries"], fields["cached"], fields["error"]) == (
        "verify",
        1,
        False,
        None,
    )
    assert fields["model"]["name"] == NAME
    assert fields["model"]["model"] == "eyes-1"
    assert fields["reply"]["text"] == reply.text == "It is [1]."
    assert fields["time"].endswith("+00:00")
    usage = fields["usage"]
    assert (usage["pictures"], usage["tokens_in"], usage["tokens_out"]) == (1, 100, 10)
    assert usage["usd"] == pytest.approx(120e-6)
    assert usage["seconds"] > 0
    system, human = fields["messages"]
    assert (system["role"], system["content"][0]["text"]) == ("system", "Marks are numbers.")
    shown, said = human["content"]
    assert said == {"type": "text", "text": "Which cups are red?"}
    (kept,) = (tmp_path / "t.pictures").iterdir()
    assert (kept.stem, kept.suffix) == (shown["sha256"], ".jpg")
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == shown["sha256"]
    assert shown["size"] == [64, 48]
    assert read_image_block(picture()).shape == (48, 64, 3)


def test_pictures_are_kept_once(server, tmp_path):
    server.replies = ["[1]"] * 3
    recorded(server, tmp_path / "t.jsonl", request("a", 2), request("b", 2), request("c", 3))
    assert len(list((tmp_path / "t.pictures").iterdir())) == 3


def test_no_key_gets_into_the_trace(server, tmp_path):
    secret = "sk-very-secret-key"
    server.replies = [f"The key is {secret}.", 401]
    recorded(server, tmp_path / "t.jsonl", request(), request(f"What is {secret}?"))
    text = (tmp_path / "t.jsonl").read_text()
    assert "very-secret" not in text
    assert "The key is ***." in text
    assert "What is ***?" in text


@pytest.mark.parametrize("profile", [PLAIN, GPT])
def test_replay_gives_the_same_replies(server, tmp_path, profile):
    server.replies = [
        calls("Found", {"marks": [1, "ü"], "at": {"s": 1.5}}) if profile.structured else "It is [1].",
        {
            "message": {"role": "assistant", "content": "It ü"},
            "logprobs": LOGPROBS,
            "finish_reason": "length",
        },
        {"message": {"role": "assistant", "content": None, "refusal": "I may not."}},
        {"finish_reason": "content_filter"},
        EMPTY,
        EMPTY,
        "after the empty one",
    ]
    server.usage = (100, 10)
    with Trace(tmp_path / "t.jsonl") as trace:
        ask = Caller(server.chat(), NAME, profile, trace=trace)
        asked = [request(f"Question {i}?", schema=Found if i < 2 else None) for i in range(5)]
        asked.append(
            Request([*asked[0].messages, AIMessage("[9]"), HumanMessage("There is no 9.")], "repair")
        )
        first = [outcome(ask, one) for one in asked]
    assert [reply.empty for reply in first] == [False] * 4 + [True, False]
    assert first[1].logprobs == [("It", -0.25), (" ü\n", -1.5)]
    again = replayed(tmp_path / "t.jsonl", *asked)
    assert again == first
    backwards = replayed(tmp_path / "t.jsonl", *reversed(asked))
    assert backwards == first[::-1]
    assert len(server.requests) == 7


def test_the_replay_sees_what_the_model_saw(server, tmp_path):
    server.replies = ["[1]"]
    model = server.chat(model="gpt-4o")
    profile = dataclasses.replace(profile_of(model, "openai:gpt-4o"), structured=True, context_tokens=12_345)
    with Trace(tmp_path / "t.jsonl") as trace:
        run(Caller(model, "openai:gpt-4o", profile, trace=trace)(request()))
    assert profile_of(replay(tmp_path / "t.jsonl"), "replay:t.jsonl") == profile


def test_a_prompt_that_was_asked_twice_is_played_in_turn(server, tmp_path):
    server.replies = ["[1]", "[2]", "[3]"]
    recorded(server, tmp_path / "t.jsonl", request(), request("Other?"), request())
    texts = [reply.text for reply in replayed(tmp_path / "t.jsonl", *[request()] * 3)]
    assert texts == ["[1]", "[3]", "[1]"]


def test_a_server_without_tools_is_replayed(server, tmp_path):
    server.replies = [400, '{"marks": [1]}']
    first = recorded(server, tmp_path / "t.jsonl", request(schema=Found), profile=STRUCTURED)
    assert replayed(tmp_path / "t.jsonl", request(schema=Found)) == first


def test_replies_of_the_cache_are_in_the_trace(server, tmp_path):
    server.replies = ["[1]"]
    with ReplyCache(tmp_path / "c.sqlite") as cache:
        first = recorded(server, tmp_path / "t.jsonl", request(), request(), cache=cache)
    records = read_trace(tmp_path / "t.jsonl").records
    assert [(record.cached, record.tries, record.usage["pictures"]) for record in records] == [
        (False, 1, 1),
        (True, 0, 0),
    ]
    assert replayed(tmp_path / "t.jsonl", request(), request()) == first


def test_errors_are_recorded_and_replayed(server, tmp_path):
    server.replies = [500, 401]
    first = recorded(
        server, tmp_path / "t.jsonl", request("a"), request("b"), request("c", pictures=9), limits=Limits(8)
    )
    assert [type(error) for error in first] == [UnansweredError, AnswererError, LimitError]
    records = read_trace(tmp_path / "t.jsonl").records
    assert [(record.tries, record.reply) for record in records] == [(1, None), (1, None), (0, None)]
    again = replayed(tmp_path / "t.jsonl", request("a"), request("b"), request("c", pictures=9))
    assert [(type(e), str(e)) for e in again] == [(type(e), str(e)) for e in first]


def test_a_cancelled_call_is_recorded_and_not_replayed(server, tmp_path):
    server.replies = [HANG, "[1]"]

    async def cancelled(ask):
        task = asyncio.ensure_future(ask(request()))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])

    with Trace(tmp_path / "t.jsonl") as trace:
        ask = Caller(server.chat(), NAME, PLAIN, trace=trace)
        run(cancelled(ask))
        run(ask(request()))
    records = read_trace(tmp_path / "t.jsonl").records
    assert records[0].error == {"type": "CancelledError", "message": "cancelled"}
    assert [reply.text for reply in replayed(tmp_path / "t.jsonl", request())] == ["[1]"]


def other(change):
    messages = list(request(pictures=2).messages)
    content = list(messages[1].content)
    if change == "text":
        content[2] = {"type": "text", "text": "Which cups are blue?"}
    if change == "picture":
        content[1] = picture(99, (32, 16))
    if change == "fewer":
        del content[1]
    if change == "more":
        content.append({"type": "text", "text": "Please."})
    messages[1] = HumanMessage(content)
    if change == "role":
        messages[0] = HumanMessage("Marks are numbers.")
    if change == "turn":
        messages.append(AIMessage("[7]"))
    if change == "system":
        messages[0] = SystemMessage("Marks are letters.")
    return Request(messages)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("text", r"message 2 \(human\) has 'Which cups are blue\?' where 'Which cups are red\?' was rec"),
        ("picture", r"message 2 \(human\) has picture 2 \(32 × 16, sha256 \w+…\) where picture 2 \(64 × 48"),
        ("fewer", r"message 2 \(human\) has the text 'Which cups are red\?' where picture 2 \(64 × 48"),
        ("more", r"the text 'Please\.' of message 2 \(human\) was not recorded"),
        ("role", r"message 1 \(human\) was recorded as system"),
        ("turn", r"it has 3 messages, and 2 were recorded"),
        (
            "system",
            r"message 1 \(system\) has 'Marks are letters\.' where 'Marks are numbers\.' was recorded",
        ),
    ],
)
def test_a_prompt_that_was_not_recorded_names_the_first_difference(server, tmp_path, change, expected):
    server.replies = ["[1]", "[2]"]
    far = Request([SystemMessage("Quite another thing.")])
    recorded(server, tmp_path / "t.jsonl", far, request(pictures=2))
    (error,) = replayed(tmp_path / "t.jsonl", other(change))
    assert isinstance(error, AnswererError), error
    with pytest.raises(AnswererError, match=r"trace t\.jsonl has no reply to this prompt: " + expected):
        raise error
    assert "\n" not in str(error)


def test_long_texts_are_shown_where_they_differ(server, tmp_path):
    server.replies = ["[1]"]
    recorded(server, tmp_path / "t.jsonl", request("a word " * 500 + "red " + "or more " * 500))
    (error,) = replayed(tmp_path / "t.jsonl", request("a word " * 500 + "blue " + "or more " * 500))
    with pytest.raises(
        AnswererError, match=r"has '… word a word a word blue or [^']*…' where '…[^']* red or [^']*…'"
    ):
        raise error
    assert len(str(error)) < 300


def test_a_crash_leaves_whole_lines(server, tmp_path):
    path = tmp_path / "t.jsonl"
    server.replies = ["[1]", "[2]", "[3]"]
    recorded(server, path, request("a"), request("b"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    found = read_trace(path)
    assert (len(found.records), found.broken) == (1, [2])
    (reply, error) = replayed(path, request("a"), request("b"))
    assert reply.text == "[1]"
    assert "the trace is broken in line 2" in str(error)
    recorded(server, path, request("c"))
    found = read_trace(path)
    assert [record.reply.text for record in found.records] == ["[1]", "[3]"]
    assert found.broken == [2]


def test_a_first_line_that_was_cut_short_can_be_continued(server, tmp_path):
    path = tmp_path / "t.jsonl"
    server.replies = ["[1]", "[2]"]
    recorded(server, path, request("a"))
    path.write_bytes(path.read_bytes()[:30])
    recorded(server, path, request("b"))
    assert [record.reply.text for record in read_trace(path).records] == ["[2]"]


def test_files_that_are_no_trace(tmp_path):
    cases = {
        "text.txt": "hello\nthere\n",
        "json.jsonl": '{"a": 1}\n',
        "empty.jsonl": "",
        "list.jsonl": "[1]\n",
    }
    for name, text in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            replay(tmp_path / name)
    (tmp_path / "picture.jpg").write_bytes(bytes(range(256)) * 10)
    for name in ("text.txt", "picture.jpg"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match=f"{name} is no trace"):
            Trace(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    (tmp_path / "new.jsonl").write_text('{"version": 99}\n')
    with pytest.raises(InputError, match="version 99"):
        replay(tmp_path / "new.jsonl")
    with pytest.raises(InputError, match="cannot read the trace"):
        replay(tmp_path / "missing.jsonl")
    with pytest.raises(OutputError, match="cannot write the trace"):
        Trace(tmp_path)
