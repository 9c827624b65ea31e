"""Gated repositories of the hub, as its own library meets them: an HTTP server on loopback says no."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from som_agent.errors import SomError
from som_agent.segmenters import load_finder, load_segmenter
from som_agent.tracking import load_embedder

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from som_agent.errors import SegmenterError
from som_agent.segmenters import load_segmenter

try:
    load_segmenter("hf:facebook/sam3", device="cpu")
except SegmenterError as error:
    print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Every file of `facebook` is gated; there is nothing else."""

    status = 401

    def do_HEAD(self):
        gated = "facebook" in self.path
        self.send_response(self.status if gated else 404)
        self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
        self.send_header("X-Error-Message", "Access to model is restricted")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def log_message(self, *_):
        pass


SAYS = {
    401: "it is gated: accept its terms at https://huggingface.co/{} with your account, then log in with",
    403: "it is gated, and the account here has no access yet: ask for it at https://huggingface.co/{}",
}


@pytest.fixture
def hub():
    """Starts the server that answers with a status; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Gated", (Hub,), {})) as server:

        def start(status):
            server.RequestHandlerClass.status = status
            return f"http://127.0.0.1:{server.server_port}"

        Thread(target=server.serve_forever, daemon=True).start()
        yield start
        server.shutdown()


@pytest.mark.parametrize("status", SAYS)
def test_gated_weights_say_what_to_do(hub, tmp_path, monkeypatch, status):
    address = hub(status)
    for name, value in {
        "ENDPOINT": address,
        "HUGGINGFACE_CO_URL_TEMPLATE": address + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path),
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for load, source in [
        (load_segmenter, "facebook/sam3"),
        (load_finder, "facebook/sam3"),
        (load_embedder, "facebook/dinov3-vits16-pretrain-lvd1689m"),
    ]:
        with pytest.raises(SomError) as caught:
            load(f"hf:{source}", device="cpu")
        assert str(caught.value).startswith(f"cannot load {source!r}: {SAYS[status].format(source)}")
        assert "\n" not in str(caught.value)
    with pytest.raises(SomError, match=r"no file 'facebook/x/seem\.pt' here; it is gated") as caught:
        load_segmenter("seem:facebook/x/seem.pt", device="cpu")
    assert "\n" not in str(caught.value)
    for name in "hf:nobody/nothing", "semantic-sam:nobody/nothing/x.pth":
        with pytest.raises(SomError, match="nobody/nothing") as caught:
            load_segmenter(name, device="cpu")
        assert "gated" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("status", SAYS)
def test_so_does_a_program_of_its_own(hub, environment, tmp_path, status):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            **environment,
            "HF_ENDPOINT": hub(status),
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.startswith("cannot load 'facebook/sam3': " + SAYS[status].format("facebook/sam3"))
