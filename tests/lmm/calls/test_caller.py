"""Calls through a real OpenAI-compatible server on loopback that fails on demand."""

import asyncio
import dataclasses
import email.utils
import json
import socket
import threading
import time

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage

from som_agent.errors import AnswererError, InputError, LimitError, UnansweredError
from som_agent.lmm.calls.background import run
from som_agent.lmm.calls.caller import Caller, Request
from som_agent.lmm.calls.faults import retry_after_s, status_of, transient
from som_agent.lmm.calls.limits import Limits
from som_agent.lmm.profiles import PROFILES, Price
from tests.fault_server import CUT, EMPTY, HANG, SLOW, Status, calls
from tests.lmm.calls.asking import NAME, PLAIN, STRUCTURED, Found, request


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    @property
    def options(self):
        return {"clock": self.clock, "sleep": self.sleep}


@pytest.fixture
def fake():
    return FakeTime()


async def one_by_one(ask, questions):
    return [await ask(question) for question in questions]


def caller(server, profile=PLAIN, **options):
    return Caller(server.chat(), NAME, profile, **options)


def test_a_reply_and_what_it_cost(server):
    server.replies = ["  It is [1].\n"]
    server.usage = (321, 12)
    ask = caller(server, dataclasses.replace(PLAIN, price=Price(2.0, 10.0)))
    reply = run(ask(request(pictures=2)))
    assert (reply.text, reply.data, reply.refusal, reply.cut) == ("It is [1].", None, None, False)
    assert (reply.tokens_in, reply.tokens_out, reply.logprobs) == (321, 12, [])
    usage = ask.usage
    assert (usage.calls, usage.retries, usage.cached, usage.pictures) == (1, 0, 0, 2)
    assert (usage.tokens_in, usage.tokens_out) == (321, 12)
    assert usage.usd == pytest.approx((2 * 321 + 10 * 12) / 1e6)
    assert 0 < usage.seconds < 30
    assert usage.to_json()["pictures"] == 2
    assert len(server.images(0)) == 2
    assert server.texts(0) == ["Marks are numbers.", "Which cups are red?"]


def test_tokens_are_estimated_where_the_server_does_not_say(server):
    server.replies = ["word " * 70]
    server.usage = None
    ask = caller(server)
    reply = run(ask(request()))
    assert reply.tokens_in == PLAIN.tokens("Marks are numbers.\nWhich cups are red?", [(64, 48)])
    assert reply.tokens_out == pytest.approx(100, abs=3)
    assert (ask.usage.tokens_in, ask.usage.tokens_out) == (reply.tokens_in, reply.tokens_out)


def test_log_probabilities(server):
    content = [
        {"token": "It", "logprob": -0.25, "bytes": None, "top_logprobs": []},
        {"token": "[1]", "logprob": -1.5, "bytes": None, "top_logprobs": []},
    ]
    server.replies = [
        {"message": {"role": "assistant", "content": "It [1]"}, "logprobs": {"content": content}},
    ]
    assert run(caller(server)(request())).logprobs == [("It", -0.25), ("[1]", -1.5)]


def test_429_waits_as_long_as_it_is_told(server, fake):
    server.replies = [Status(429, "7"), "It is [1]."]
    ask = caller(server, **fake.options)
    assert run(ask(request())).text == "It is [1]."
    (slept,) = fake.slept
    assert 7 <= slept <= 7.7
    assert (ask.usage.calls, ask.usage.retries) == (1, 1)
    assert ask.usage.pictures == 1, "a try that was turned away cost nothing"
    assert ask.usage.seconds == pytest.approx(slept)


def test_retry_after_as_a_date(server, fake):
    server.replies = [Status(503, email.utils.formatdate(time.time() + 20, usegmt=True)), "[1]"]
    run(caller(server, **fake.options)(request()))
    assert 10 < fake.slept[0] <= 22


@pytest.mark.parametrize(
    ("said", "expected"),
    [("Please retry in 34.5s.", 34.5), ("Please try again in 250ms.", 0.25), ("retry later", None)],
)
def test_pauses_that_are_said_in_words(said, expected):
    assert retry_after_s(RuntimeError(said)) == expected


def test_retry_after_beyond_the_deadline_gives_up_at_once(server, fake):
    server.replies = [Status(429, "600"), "never asked"]
    ask = caller(server, limits=Limits(seconds=60), **fake.options)
    with pytest.raises(UnansweredError, match=r"rate limit.*asks to wait 6\d\d\.\d s, and 60\.0 s of 60 s"):
        run(ask(request()))
    assert fake.slept == []
    assert len(server.requests) == 1


def test_a_model_of_threads_is_not_waited_for_beyond_the_deadline():
    ended = threading.Event()

    class Stuck(FakeListChatModel):
        def _call(self, *args, **kwargs):
            ended.wait(60)
            return "[1]"

    ask = Caller(Stuck(responses=[]), "stuck", PLAIN, limits=Limits(seconds=0.5))
    try:
        with pytest.raises(UnansweredError, match="'stuck' did not answer"):
            run(ask(request()))
        assert not ended.is_set()
    finally:
        ended.set()


def test_500_three_times_then_good(server, fake):
    server.replies = [500, 502, 529, "It is [1]."]
    ask = caller(server, **fake.options)
    assert run(ask(request())).text == "It is [1]."
    assert ask.usage.retries == 3
    assert all(0 <= slept <= most for slept, most in zip(fake.slept, (1, 2, 4), strict=True))


def test_500_for_ever(server, fake):
    server.replies = [500] * 10
    with pytest.raises(
        UnansweredError, match=r"'openai:eyes-1' failed.*fault 500.*gave up after 5 tries"
    ) as caught:
        run(caller(server, **fake.options)(request()))
    assert len(server.requests) == 5
    assert "\n" not in str(caught.value)
    assert "very-secret" not in str(caught.value)
    assert status_of(caught.value) == 500, "the provider's own exception is chained"


@pytest.mark.parametrize("fault", [SLOW, HANG])
def test_the_deadline_is_for_everything(server, fault):
    server.replies = [fault, "never asked"]
    ask = caller(server, limits=Limits(seconds=1.0))
    begun = time.monotonic()
    with pytest.raises(UnansweredError, match="did not answer: the limit of 1 s"):
        run(ask(request()))
    assert time.monotonic() - begun < 15
    assert len(server.requests) == 1
    assert ask.usage.pictures == 1, "what was under way may be charged"
    with pytest.raises(UnansweredError, match="was not asked"):
        run(ask(request("And now?")))
    assert len(server.requests) == 1


def test_a_time_out_of_the_client_is_tried_again(server, fake):
    server.replies = [HANG, "It is [1]."]
    ask = Caller(server.chat(timeout=0.5), NAME, PLAIN, **fake.options)
    assert run(ask(request())).text == "It is [1]."
    assert ask.usage.retries == 1


def test_a_cut_connection_is_tried_again(server, fake):
    server.replies = [CUT, CUT, "It is [1]."]
    ask = caller(server, **fake.options)
    assert run(ask(request())).text == "It is [1]."
    assert ask.usage.retries == 2
    assert ask.usage.pictures == 3, "a reply that was cut off on its way was paid for"


def test_nobody_listens(server, fake):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    ask = Caller(server.chat(base_url=url), NAME, PLAIN, attempts=3, **fake.options)
    with pytest.raises(UnansweredError, match=r"Connection error.*refused.*gave up after 3 tries"):
        run(ask(request()))
    assert (ask.usage.tokens_in, ask.usage.pictures) == (0, 0), "what no server read cost nothing"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "fault 400"),
        (401, "API key"),
        (403, "no access"),
        (404, "model's name"),
        (413, "smaller pictures"),
    ],
)
def test_what_no_waiting_mends_fails_at_once(server, fake, status, hint):
    server.replies = [status, "never asked"]
    with pytest.raises(AnswererError, match=hint) as caught:
        run(caller(server, **fake.options)(request()))
    assert not isinstance(caught.value, UnansweredError)
    assert len(server.requests) == 1
    assert fake.slept == []


def test_an_account_without_money_is_not_asked_again():
    body = type("Broke", (Exception,), {"status_code": 429, "code": "insufficient_quota"})
    assert not transient(body())
    assert transient(type("Busy", (Exception,), {"status_code": 429, "code": None})())


def test_errors_without_a_status_go_by_their_names_and_causes():
    class ClientConnectionError(Exception):
        pass

    wrapped = RuntimeError("chat model failed")
    wrapped.__cause__ = ClientConnectionError("gone")
    assert transient(wrapped)
    assert transient(TimeoutError())
    assert not transient(ValueError("no such parameter"))
    google = type("ClientError", (Exception,), {"code": 503})
    aws = type("ClientError", (Exception,), {"response": {"ResponseMetadata": {"HTTPStatusCode": 429}}})
    assert status_of(google()) == 503
    assert status_of(aws()) == 429


@pytest.mark.parametrize(("second", "text"), [("It is [1].", "It is [1]."), (EMPTY, "")])
def test_an_empty_reply_is_asked_for_once_more(server, fake, second, text):
    server.replies = [EMPTY, second, "never asked"]
    ask = caller(server, **fake.options)
    reply = run(ask(request()))
    assert reply.text == text
    assert len(server.requests) == 2
    assert ask.usage.retries == 1


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        ({"message": {"role": "assistant", "content": None, "refusal": "I may not."}}, "I may not."),
        ({"finish_reason": "content_filter"}, ""),
    ],
)
def test_refusals_are_not_asked_again(server, reply, refusal):
    server.replies = [reply, "never asked"]
    assert run(caller(server)(request())).refusal == refusal
    assert len(server.requests) == 1


def test_a_reply_that_was_cut_off(server):
    server.replies = [{"message": {"role": "assistant", "content": "Red is"}, "finish_reason": "length"}]
    reply = run(caller(server)(request()))
    assert (reply.text, reply.cut) == ("Red is", True)


def test_a_schema_is_a_tool_that_must_be_called(server):
    server.replies = [calls("Found", {"marks": [1, 2]})]
    reply = run(caller(server, STRUCTURED)(request(schema=Found)))
    assert (reply.data, reply.text) == ({"marks": [1, 2]}, "")
    body = server.requests[0][2]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["Found"]
    assert body["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("reply", "data", "text"),
    [
        (calls("Found", {"marks": "what?"}), {"marks": "what?"}, ""),
        (calls("Found", '{"marks": [1, 2', "length"), None, '{"marks": [1, 2'),
        ("It is [1].", None, "It is [1]."),
    ],
)
def test_what_models_make_of_a_schema(server, reply, data, text):
    server.replies = [reply]
    got = run(caller(server, STRUCTURED)(request(schema=Found)))
    assert (got.data, got.text) == (data, text)
    assert got.cut == (isinstance(reply, dict) and reply["finish_reason"] == "length")


@pytest.mark.parametrize("refusal", [400, Status(500, message="tools need another template")])
def test_a_server_without_tools_is_asked_without_and_remembered(server, fake, refusal):
    server.replies = [refusal, '{"marks": [1]}', '{"marks": [2]}']
    ask = caller(server, STRUCTURED, **fake.options)
    assert run(ask(request(schema=Found))).text == '{"marks": [1]}'
    assert run(ask(request("And blue?", schema=Found))).text == '{"marks": [2]}'
    assert ["tools" in body for _, _, body in server.requests] == [True, False, False]
    assert fake.slept == []


def test_a_bad_request_that_is_not_about_tools_stays_one(server):
    server.replies = [400, 400, calls("Found", {"marks": [1]})]
    ask = caller(server, STRUCTURED)
    with pytest.raises(AnswererError, match="fault 400"):
        run(ask(request(schema=Found)))
    assert run(ask(request(schema=Found))).data == {"marks": [1]}


def test_no_schema_where_the_profile_says_so(server):
    server.replies = ["[1]"]
    run(caller(server)(request(schema=Found)))
    assert "tools" not in server.requests[0][2]


def test_a_model_of_threads_without_tools():
    ask = Caller(FakeListChatModel(responses=["[1]", "[2]"]), "fake", STRUCTURED)
    replies = [run(ask(request(schema=Found))) for _ in range(2)]
    assert [(reply.text, reply.data) for reply in replies] == [("[1]", None), ("[2]", None)]
    assert ask.usage.calls == 2


def test_cancelling_ends_the_request(server):
    server.replies = [HANG]
    ask = caller(server)

    async def cancelled():
        task = asyncio.ensure_future(ask(request()))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    for _ in range(500):
        if server.hung_up:
            break
        time.sleep(0.02)
    assert server.hung_up == 1
    assert ask.usage.pictures == 1


def test_eight_calls_at_once_and_no_more_than_the_limit(server):
    together = threading.Barrier(8)

    def wait(body):
        together.wait(60)  # nobody is answered before all eight have come
        return "[1]"

    server.replies = [wait] * 8
    server.usage = (300, 100)
    one = PLAIN.tokens("Marks are numbers.\nWhich cups are red?", [(64, 48)]) + 1000
    limit = 8 * one + one // 2
    ask = caller(server, limits=Limits(tokens=limit), reply_tokens=1000)

    async def at_once():
        return await asyncio.gather(*(ask(request()) for _ in range(12)), return_exceptions=True)

    got = run(at_once())
    assert sorted(type(reply).__name__ for reply in got) == ["LimitError"] * 4 + ["Reply"] * 8
    assert len(server.requests) == 8
    assert (ask.usage.calls, ask.usage.tokens_in, ask.usage.tokens_out) == (8, 2400, 800)
    (first, *_) = (reply for reply in got if isinstance(reply, LimitError))
    assert "in calls under way; nothing was sent" in str(first)
    assert f"the limit of {limit:,} tokens" in str(first)
    server.replies = ["[2]"]
    assert run(ask(request())).text == "[2]", "what was set aside and not spent is free again"


def test_limits_stop_before_they_are_passed(server):
    server.replies = ["[1]"] * 5
    server.usage = (100, 50)
    priced = dataclasses.replace(PLAIN, price=Price(1000.0, 1000.0))
    for limits, profile, match in [
        (Limits(pictures=5), PLAIN, r"take 2 pictures and pass the limit of 5 pictures, of which 4 pictures"),
        (Limits(tokens=700), PLAIN, r"about \d+ tokens and pass the limit of 700 tokens"),
        (
            Limits(usd=0.7),
            priced,
            r"about \$0\.\d+ and pass the limit of \$0\.7, of which \$0\.\d+ are spent",
        ),
    ]:
        before = len(server.requests)
        server.replies = ["[1]"] * 5
        ask = caller(server, profile, limits=limits, reply_tokens=256)
        questions = [request(f"Question {i}?", pictures=2) for i in range(5)]
        with pytest.raises(LimitError, match=match):
            run(one_by_one(ask, questions))
        assert 0 < len(server.requests) - before == ask.usage.calls < 5
        assert ask.usage.pictures == 2 * ask.usage.calls


def test_a_provider_that_counts_more_is_believed(server):
    server.replies = ["[1]"] * 9
    server.usage = (3000, 5)
    ask = caller(server, limits=Limits(tokens=5000), reply_tokens=10)
    run(ask(request()))
    with pytest.raises(LimitError, match=r"about 3,010 tokens"):
        run(ask(request()))


def test_a_retry_is_held_to_the_limit_too(server, fake):
    server.replies = [CUT] * 5
    ask = caller(server, limits=Limits(pictures=2), **fake.options)
    with pytest.raises(LimitError, match="pictures"):
        run(ask(request()))
    assert len(server.requests) == 2


def test_a_limit_in_dollars_needs_a_price(server):
    with pytest.raises(InputError, match=r"needs a price.*--price IN,OUT"):
        caller(server, PROFILES["qwen"], limits=Limits(usd=1.0))


def test_messages_of_several_turns_arrive_as_they_are(server):
    server.replies = ["[2]"]
    first = request()
    turns = [*first.messages, AIMessage("[9]"), HumanMessage("There is no mark 9.")]
    run(caller(server)(Request(turns, "repair")))
    roles = [message["role"] for message in server.requests[0][2]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_a_secret_that_a_server_repeats_is_not_passed_on(server):
    server.replies = [Status(401, message="no such key: sk-very-secret-key")]
    with pytest.raises(AnswererError, match=r"no such key: \*\*\*") as caught:
        run(caller(server)(request()))
    assert "very-secret" not in json.dumps(str(caught.value))
