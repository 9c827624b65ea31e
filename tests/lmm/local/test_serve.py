"""A real server of OpenAI's language, `transformers serve`, with a tiny network behind it, on loopback."""

import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from langchain_openai import ChatOpenAI

from som_agent.grounding.chat import answer
from som_agent.keyframes import Keyframe
from tests.tiny_language_models import ask, picture, save_qwen, short_history

pytestmark = pytest.mark.slow

STARTS_WITHIN_S = 120.0


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory, environment):
    """The address of the server and the folder of its model; its process ends with the tests."""
    folder = save_qwen(tmp_path_factory.mktemp("qwen"))
    port = free_port()
    log = tmp_path_factory.mktemp("log") / "serve.txt"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log.open("w") as written:
        process = subprocess.Popen(
            [*command, *options],
            env={**environment, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + STARTS_WITHIN_S
            while not is_up(address):
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < end, (
                    f"no answer within {STARTS_WITHIN_S} s: {log.read_text()[-2000:]}"
                )
                time.sleep(0.2)
            yield f"{address}/v1", str(folder)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_up(address):
    try:
        with urlopen(f"{address}/health", timeout=5) as reply:
            return reply.status == 200
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def model(server):
    address, name = server
    return ChatOpenAI(
        base_url=address, model=name, api_key="none", temperature=0, max_tokens=12, max_retries=0, timeout=60
    )


def test_pictures_arrive(model):
    """A picture takes its tokens of the prompt, and what it shows changes the reply."""
    bare = model.invoke(ask("red cup")).usage_metadata["input_tokens"]
    one = model.invoke(ask("red ", picture(1, 56, 56), "cup")).usage_metadata["input_tokens"]
    two = model.invoke(ask(picture(1, 56, 56), "red ", picture(2, 56, 56), "cup")).usage_metadata[
        "input_tokens"
    ]
    assert one - bare == 4 + 2  # a token for each cell of 28 pixels, and one on either side
    assert two - one == 4 + 2
    replies = {model.invoke(ask(picture(seed, 56, 56), "cup")).text for seed in range(6)}
    assert len(replies) > 1


def test_stream_brings_the_reply_in_pieces(model):
    message = ask(picture(1), "cup")
    pieces = [chunk.text for chunk in model.stream(message)]
    assert sum(map(bool, pieces)) > 1
    # What comes before, the prompt, this server repeats more of in a stream.
    written = model.invoke(message).text.rpartition("assistant")[2]
    assert written.split()
    assert "".join(pieces).rpartition("assistant")[2] == written


def test_a_question_goes_through_it(model):
    got = answer(
        "which cup",
        short_history(),
        lambda frames, wanted: [Keyframe(picture(f), f, f / 10, (1,)) for f in frames],
        model,
        "openai:served",
    )
    assert got.lmm == "openai:served"
    assert got.marks or got.unsupported
