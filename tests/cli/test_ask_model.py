"""`som-agent ask --lmm openai:…` against a server on loopback."""

import pytest

from tests.fault_server import FaultServer, Status, calls

NAME = "openai:gpt-4o"
FORM = calls(
    "AnswerForm",
    {"answer": "It is [1].", "claims": [{"text": "It is red.", "marks": ["1"], "confidence": 0.75}]},
)


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FaultServer(usage=(1000, 20)) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        yield running


def ask(cli, clip, *options):
    return cli("ask", clip.path, "Which one is red?", "--segmenter", clip.segmenter, *options)


def test_claims_usage_and_where_the_marks_are_now(cli, clip, server):
    server.replies = [FORM]
    told = ask(cli, clip, "--lmm", NAME, "--json", "--pictures", 2).json
    assert len(server.images(0)) == 2
    (claim,) = told["claims"]
    assert (claim["text"], claim["marks"], claim["confidence"]) == ("It is red.", [1], 0.75)
    assert told["now"][0]["mark"] == 1
    assert told["usage"]["pictures"] == 2
    assert (told["usage"]["tokens_in"], told["usage"]["tokens_out"]) == (1000, 20)


def test_a_trace_gives_the_same_answer_without_the_server(cli, clip, server, tmp_path):
    server.replies = [Status(429, "0"), "It is [8].", FORM, "Accept."]
    trace = tmp_path / "trace.jsonl"
    first = ask(cli, clip, "--lmm", NAME, "--json", "--verify", "--trace", trace).json
    asked = len(server.requests)
    assert asked == 4
    again = ask(cli, clip, "--lmm", f"replay:{trace}", "--json", "--verify").json
    assert len(server.requests) == asked
    for key in ("answer", "marks", "claims", "unsupported", "now"):
        assert again[key] == first[key]
    assert first["claims"][0]["verified"] is True
    assert "sk-test" not in trace.read_text()
    done = cli("ask", clip.path, "Else?", "--segmenter", clip.segmenter, "--lmm", f"replay:{trace}")
    done.refused("no reply to this prompt")


def test_a_cache_answers_the_second_time(cli, clip, server, tmp_path):
    server.replies = [FORM]
    for calls_made in (1, 0):
        told = ask(cli, clip, "--lmm", NAME, "--json", "--cache", tmp_path / "replies.sqlite").json
        assert told["answer"] == "It is [1]."
        assert told["usage"]["calls"] == calls_made


def test_limits(cli, clip, server):
    ask(cli, clip, "--lmm", NAME, "--max-usd", 0.01).refused("$0.01", "--price")
    done = ask(cli, clip, "--lmm", NAME, "--max-tokens", 10)
    assert done.code == 0
    assert done.out.startswith("(no answer)\n  not grounded: 'Which one is red?': ")
    assert "limit of 10 tokens" in done.out
    assert server.requests == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-usd", "0"), ("--max-tokens", "many"), ("--max-seconds", "-1"), ("--pictures", "0")],
)
def test_options_that_make_no_sense(cli, clip, option, value):
    ask(cli, clip, f"{option}={value}").refused(f"{option} {value} makes no sense")
