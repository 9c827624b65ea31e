import json
import sqlite3
import subprocess
import sys

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from som_agent.errors import InputError, OutputError
from som_agent.lmm.calls.background import run
from som_agent.lmm.calls.cache import ReplyCache, reply_key
from som_agent.lmm.calls.caller import Caller, Request
from som_agent.lmm.calls.identity import identity
from som_agent.lmm.calls.limits import Limits
from som_agent.lmm.calls.messages import read_prompt
from som_agent.lmm.calls.replies import Reply
from som_agent.lmm.profiles import profile_named
from tests.fault_server import EMPTY
from tests.lmm.calls.asking import NAME, PLAIN, STRUCTURED, Found, picture, request

WHOLE = Reply("", {"marks": [1, "zwölf"]}, logprobs=[("[1]", -0.5), ("]", -2.0)], tokens_in=9, tokens_out=3)
WRITER = """
import sys
from som_agent.lmm.calls.cache import ReplyCache
from som_agent.lmm.calls.replies import Reply

with ReplyCache(sys.argv[1]) as cache:
    for i in range(40):
        cache.put(f"{sys.argv[2]} {i}", Reply(f"reply {i}"))
        assert cache.get(f"{sys.argv[2]} {i}") == Reply(f"reply {i}")
"""


def test_a_reply_comes_back_whole(tmp_path):
    with ReplyCache(tmp_path / "new" / "cache.sqlite") as cache:
        assert cache.get("a") is None
        cache.put("a", WHOLE)
        cache.put("'; DROP TABLE replies; --", Reply("b"))
    with ReplyCache(tmp_path / "new" / "cache.sqlite") as cache:
        assert cache.get("a") == WHOLE
        assert cache.get("'; DROP TABLE replies; --") == Reply("b")


def test_several_processes_make_and_share_one_file(tmp_path, environment):
    path = tmp_path / "cache.sqlite"
    line = [sys.executable, "-c", WRITER, str(path)]
    running = [
        subprocess.Popen([*line, name], env=environment, stderr=subprocess.PIPE, text=True) for name in "abc"
    ]
    for process in running:
        assert process.wait(90) == 0, process.stderr.read()
        process.stderr.close()
    with ReplyCache(path) as cache:
        assert all(cache.get(f"{name} {i}") == Reply(f"reply {i}") for name in "abc" for i in range(40))


@pytest.mark.parametrize("damage", ["text", "cut", "other", "version", "row"])
def test_a_file_that_is_none_is_one_clear_line(tmp_path, damage):
    path = tmp_path / "cache.sqlite"
    if damage == "text":
        path.write_text("this is no database, but longer than the head of one " * 100)
    else:
        with ReplyCache(path) as cache:
            for i in range(50):
                cache.put(str(i), Reply("x" * 2000))
        with sqlite3.connect(path) as file:
            if damage == "other":
                file.execute("DROP TABLE replies")
            if damage == "version":
                file.execute("PRAGMA user_version = 99")
            if damage == "row":
                file.execute("UPDATE replies SET reply = '{}'")
        file.close()
        if damage == "cut":
            data = path.read_bytes()
            path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(InputError, match=r"cache\.sqlite") as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert ("version 99" in str(caught.value)) == (damage == "version")


def read_all(path):
    with ReplyCache(path) as cache:
        return [cache.get(str(i)) for i in range(50)]


def test_a_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "music.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE songs (name TEXT)")
    file.close()
    with pytest.raises(InputError, match=r"music\.sqlite is a database of something else"):
        ReplyCache(path)


def test_places_where_no_file_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "cache.sqlite"):
        with pytest.raises(OutputError, match="cache"):
            ReplyCache(path)


class Other(BaseModel):
    marks: list[int]


class Found2(BaseModel):
    marks: list[str]


Found2.__name__ = "Found"


def test_the_key_is_of_all_that_makes_the_reply():
    def key(model="m", schema=None, texts=("a", "b"), value=1, detail=None):
        block = picture(value)
        if detail:
            block["image_url"]["detail"] = detail
        content = [{"type": "text", "text": texts[0]}, block, {"type": "text", "text": texts[1]}]
        return reply_key(model, schema, read_prompt([HumanMessage(content)]).digest)

    different = [
        key(),
        key(model="n"),
        key(schema=Found),
        key(schema=Other),
        key(schema=Found2),
        key(texts=("a", "c")),
        key(texts=("ab", "")),
        key(value=200),
        key(detail="low"),
    ]
    assert len(set(different)) == len(different)
    assert key() == key()


def test_texts_and_blocks_of_text_are_the_same_prompt():
    as_text, as_block = HumanMessage("a"), HumanMessage([{"type": "text", "text": "a"}], id="7")
    assert read_prompt([as_text]).digest == read_prompt([as_block]).digest


def test_pictures_in_every_form_are_the_same_bytes():
    data = picture()["image_url"]["url"].partition(",")[2]
    forms = [
        picture(),
        {"type": "image_url", "image_url": picture()["image_url"]["url"]},
        {"type": "image", "base64": data, "mime_type": "image/jpeg"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}},
    ]
    prompts = [read_prompt([HumanMessage([form])]) for form in forms]
    assert len({next(iter(prompt.pictures)) for prompt in prompts}) == 1
    assert all(prompt.sizes == [(64, 48)] for prompt in prompts)
    assert next(iter(prompts[0].pictures.values())).ending == "jpg"
    far = read_prompt([HumanMessage([{"type": "image_url", "image_url": {"url": "https://a.b/c?key=s"}}])])
    assert (far.sizes, far.pictures) == ([None], {})
    assert "key=s" not in json.dumps(far.messages)


def test_models_are_told_apart_without_their_keys():
    settings = {"model": "eyes-1", "base_url": "http://user:passwort@a.example/v1?token=abc"}
    headers = {"default_headers": {"Authorization": "Bearer header-secret"}}
    mine = identity(ChatOpenAI(api_key="sk-first-key", **settings, **headers), NAME)
    assert mine == identity(ChatOpenAI(api_key="sk-second-key", **settings), NAME)
    for secret in ("first-key", "passwort", "abc", "header-secret"):
        assert secret not in mine
    others = [
        identity(ChatOpenAI(api_key="sk-first-key", **{**settings, **change}), NAME)
        for change in ({"model": "eyes-2"}, {"temperature": 0.5}, {"base_url": "http://b.example/v1"})
    ]
    assert len({mine, *others}) == 4
    assert identity(FakeListChatModel(responses=["a"]), "x") != identity(
        FakeListChatModel(responses=["a"]), "y"
    )


def test_a_cached_reply_costs_nothing(server, tmp_path):
    server.replies = ["It is [1].", "never asked"]
    server.usage = (100, 10)
    for turn in range(2):
        with ReplyCache(tmp_path / "cache.sqlite") as cache:
            ask = Caller(server.chat(), NAME, PLAIN, cache=cache, limits=Limits(pictures=1))
            for _ in range(2):
                assert run(ask(request())).text == "It is [1]."
            usage = ask.usage
            assert (usage.calls, usage.cached) == ((1, 1) if turn == 0 else (0, 2))
            assert (usage.pictures, usage.tokens_in) == ((1, 100) if turn == 0 else (0, 0))
    assert len(server.requests) == 1


def test_a_server_without_tools_fills_the_same_place(server, tmp_path):
    server.replies = [400, '{"marks": [1]}', "never asked"]
    for _ in range(2):
        with ReplyCache(tmp_path / "cache.sqlite") as cache:
            ask = Caller(server.chat(), NAME, STRUCTURED, cache=cache)
            assert run(ask(request(schema=Found))).text == '{"marks": [1]}'
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        EMPTY,
        {"message": {"role": "assistant", "content": None, "refusal": "No."}},
        {"message": {"role": "assistant", "content": "Red is"}, "finish_reason": "length"},
    ],
)
def test_only_good_replies_are_kept(server, tmp_path, reply):
    server.replies = [reply, "[1]", "[2]"] if reply else [EMPTY, EMPTY, "[2]"]
    with ReplyCache(tmp_path / "cache.sqlite") as cache:
        ask = Caller(server.chat(), NAME, PLAIN, cache=cache)
        run(ask(request()))
        assert run(ask(request())).text == ("[1]" if reply else "[2]")
        assert ask.usage.cached == 0


def test_a_request_of_another_picture_is_another_one(server, tmp_path):
    server.replies = ["[1]", "[2]"]
    with ReplyCache(tmp_path / "cache.sqlite") as cache:
        ask = Caller(server.chat(), NAME, profile_named("local"), cache=cache)
        replies = [run(ask(Request([HumanMessage([picture(value)])]))).text for value in (10, 200, 10)]
    assert replies == ["[1]", "[2]", "[1]"]
