"""`som-agent calibrate` with a real OpenAI-compatible server on loopback."""

import os
import signal
from functools import cache

import pytest

from som_agent.lmm.calibration import measure
from som_agent.lmm.calibration.measure import DRAWS, QUICK
from som_agent.lmm.calibration.scenes import draw_scene
from som_agent.lmm.calibration.trial import shown
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import profile_named
from som_agent.lmm.stored import profile_path, read_stored
from tests.fault_server import FaultServer

NAME = "openai:llava-eyes"
"""Of the family with the smallest pictures, for quick tests."""


class Server(FaultServer):
    """Answers each picture of the quick plan as `reply` (draw, truth) says: a text or a status code."""

    def __init__(self, known):
        self.known = known
        self.reply = lambda draw, truth: told(truth)
        super().__init__([self._answer] * 1000)

    @property
    def asked(self):
        return len(self.requests)

    def _answer(self, body):
        return self.reply(*self.known[body["messages"][0]["content"][0]["image_url"]["url"]])


def told(truth):
    return "\n".join(f"{number}: {color} {shape}" for number, (color, shape) in truth.items())


@pytest.fixture(scope="module", autouse=True)
def _drawn_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "draw_scene", cache(draw_scene))
        yield


@pytest.fixture(scope="module")
def known(_drawn_once):
    view = profile_named(NAME).view
    pictures = {}
    for density in QUICK.densities:
        for scene in QUICK.drawn(density):
            for draw in DRAWS:
                picture = shown(scene, draw, view)
                pictures[image_block(picture.image)["image_url"]["url"]] = (draw, dict(picture.truth))
    return pictures


@pytest.fixture
def server(monkeypatch, known):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running = Server(known)
    monkeypatch.setenv("OPENAI_BASE_URL", running.url)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("SOM_AGENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("COLUMNS", "80")


def files(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_measured_chosen_and_stored(cli, server):
    server.reply = lambda draw, truth: told(truth) if "box" in draw and len(truth) == 8 else "1: red circle"
    done = cli("calibrate", "--lmm", NAME, "--quick")
    assert done.code == 0, done
    assert server.asked == 8
    (cost,) = done.err.splitlines()
    assert cost.startswith(f"som-agent: asking {NAME} about 8 pictures at most: about ")
    assert "--price" in cost
    rows = [line for line in done.out.splitlines()[:-2] if "mark" in line and "336" in line]
    assert len(rows) == 4
    (boxes,) = [row for row in rows if "mark,box" in row]
    assert boxes.split() == ["mark,box", "336", "1.00", "0.00", "0.33", "0.33", "0"]
    assert "mark,mask,contour" in done.out
    assert "(guessing)" in done.out
    chosen, stored = done.out.splitlines()[-2:]
    assert chosen.startswith("chosen: mark,box, up to 8 marks in a picture, pictures of 336 px: 100 % of the")
    path = profile_path(NAME)
    assert stored == f"stored: {path}"
    kept = read_stored(NAME).calibration
    assert (kept.draw, kept.view.marks, kept.seed) == (("mark", "box"), 8, 0)
    assert "secret" not in path.read_text()


def test_json(cli, server):
    done = cli("calibrate", "--lmm", NAME, "--quick", "--json", "--price", "2.5,10")
    told = done.json
    assert list(told) == ["model", "family", "price", "stored", "calibration"]
    assert (told["model"], told["family"]) == (NAME, "llava-1.5")
    assert told["price"] == {"usd_in": 2.5, "usd_out": 10.0}
    assert told["stored"] == str(profile_path(NAME))
    found = told["calibration"]
    assert (found["reads"], found["marks_read"], found["draw"]) == (True, 1.0, ["mark"])
    assert found["view"]["marks"] == 16
    assert len(found["measured"]) == 8
    assert {row["read"] for row in found["measured"]} == {1.0}
    assert "dollars at 2.5 and 10 a million" in done.err
    # A later calibration keeps the price.
    again = cli("calibrate", "--lmm", NAME, "--quick", "--json").json
    assert again["price"] == told["price"]
    assert again["calibration"]["measured"] == found["measured"]


def test_a_model_that_reads_nothing_is_told_plainly(cli, server, tmp_path):
    server.reply = lambda draw, truth: "I see colourful shapes."
    done = cli("calibrate", "--lmm", NAME, "--quick")
    assert done.code == 0
    assert "this model does not read marks: 0 % of them" in done.out
    kept = read_stored(NAME).calibration
    assert (kept.marks_read, kept.view, kept.draw) == (0.0, None, None)


def test_no_store(cli, server, tmp_path):
    done = cli("calibrate", "--lmm", NAME, "--quick", "--no-store", "--json")
    assert done.json["stored"] is None
    assert done.json["calibration"]["marks_read"] == 1.0
    assert not files(tmp_path)


def test_a_price_alone_asks_nothing(cli, server):
    done = cli("calibrate", "--lmm", NAME, "--scenes", 0, "--price", "0.1,0.4")
    assert (done.code, done.out, done.err) == (0, f"stored: {profile_path(NAME)}\n", "")
    assert server.asked == 0
    assert read_stored(NAME).price.usd_out == 0.4


def test_a_model_that_fails_leaves_nothing(cli, server, tmp_path):
    server.reply = lambda draw, truth: 401 if server.asked == 3 else told(truth)
    done = cli("calibrate", "--lmm", NAME, "--quick")
    assert (done.code, done.out) == (2, "")
    assert server.asked == 3
    error = done.err.splitlines()[-1]
    assert error.startswith(f"som-agent: model {NAME!r} failed to answer: ")
    assert "fault 401" in error
    assert not files(tmp_path)


def test_ctrl_c_leaves_nothing(cli, monkeypatch, tmp_path):
    from langchain_core.language_models import FakeListChatModel

    class Stopped(FakeListChatModel):
        def _call(self, *args, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)
            return "too late"

    monkeypatch.setattr("som_agent.lmm.load_lmm", lambda name, device=None: Stopped(responses=[""]))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest wants to hear of Ctrl-C afterwards
    done = cli("calibrate", "--lmm", "any:model", "--quick")
    assert done.code == 130
    assert done.err.endswith("som-agent: stopped\n")
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lmm", "attributes"], ["attributes", "no chat model"]),
        (["--lmm", "nope:x"], ["unknown model 'nope:x'"]),
        (["--lmm", NAME, "--price", "cheap"], ["--price cheap"]),
        (["--lmm", NAME, "--price", "1"], ["--price 1"]),
        (["--lmm", NAME, "--price=-1,2"], ["--price -1,2"]),
        (["--lmm", NAME, "--scenes", "0"], ["--scenes 0", "--price"]),
        (["--lmm", NAME, "--scenes", "-1"], ["--scenes -1"]),
        (["--lmm", NAME, "--scenes", "0", "--price", "1,2", "--no-store"], ["--scenes 0"]),
        ([], ["--lmm"]),
    ],
)
def test_bad_input(cli, arguments, words):
    cli("calibrate", *arguments).refused(*words)


def test_what_cannot_be_stored_is_told_before_anything_is_asked(cli, server, tmp_path):
    (tmp_path / "home").write_text("a file")
    cli("calibrate", "--lmm", NAME, "--quick").refused("cannot write")
    assert server.asked == 0


def test_a_damaged_file_is_told_before_anything_is_asked(cli, server):
    path = profile_path(NAME)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    cli("calibrate", "--lmm", NAME, "--quick").refused(str(path))
    assert server.asked == 0


def test_doctor_lists_what_is_stored(cli):
    assert "none stored" in cli("doctor").out
    cli("calibrate", "--lmm", NAME, "--scenes", 0, "--price", "1,2")
    assert f"ok  model profiles       {NAME}\n" in cli("doctor").out
    profile_path(NAME).write_text("{")
    (line,) = [line for line in cli("doctor").out.splitlines() if "model profiles" in line]
    assert line.startswith("-- ")
    assert str(profile_path(NAME)) in line
