"""`--embedder` in the commands that track."""

import json

import pytest
import torch
import transformers

from som_agent.tracking.embedders import HfEmbedder

EIGHT_FRAMES = ("--end", 0.8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny CLIP with weights of chance, as `--embedder` names it."""
    folder = tmp_path_factory.mktemp("clip")
    layers = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.CLIPConfig(
        vision_config={**layers, "image_size": 28, "patch_size": 14},
        text_config={**layers, "vocab_size": 32, "max_position_embeddings": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    ).save_pretrained(folder)
    return f"hf:{folder}"


@pytest.fixture
def used(monkeypatch):
    """How many objects were embedded, call by call."""
    calls, embed = [], HfEmbedder.embed
    monkeypatch.setattr(
        HfEmbedder, "embed", lambda self, image, masks: calls.append(len(masks)) or embed(self, image, masks)
    )
    return calls


@pytest.mark.parametrize("propagator", [(), ("--propagator", "flow")])
def test_track(cli, clip, model, used, propagator, tmp_path):
    run = tmp_path / "run"
    done = cli("track", clip.path, "-o", run, "--segmenter", clip.segmenter, *EIGHT_FRAMES, *propagator,
               "--embedder", model, "--json")  # fmt: skip
    assert done.code == 0, done
    assert (done.json["frames"], done.json["marks"]) == (8, 2)
    assert json.loads((run / "run.json").read_text())["settings"]["embedder"] == model
    assert used[:2] == [2, 2], "both in the first frame, and mirrored"


def test_ask(cli, clip, model, used):
    line = ["ask", clip.path, "How many marks are there?", "--segmenter", clip.segmenter, *EIGHT_FRAMES]
    done = cli(*line, "--embedder", model)
    assert done.code == 0, done
    asked = len(used)
    assert asked > 0
    assert cli(*line).out == done.out
    assert len(used) == asked, "without the option there is none"


def test_stream(cli, clip, model, used):
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "--seconds", 1, "--embedder", model)
    assert done.code == 0, done
    assert used


def test_eval_tracks_loads_it_once(cli, make, model, used, clip, tmp_path, monkeypatch):
    from som_agent.video import write_image

    for name in ("one", "two"):
        (tmp_path / "JPEGImages" / name).mkdir(parents=True)
        for k, labels in enumerate(clip.maps[:4]):
            write_image(tmp_path / "JPEGImages" / name / f"{k:05d}.jpg", make.paint(labels))
        make.write_labels(tmp_path / "Annotations" / name, clip.maps[:4])
    loaded, load = [], HfEmbedder.__init__
    monkeypatch.setattr(HfEmbedder, "__init__", lambda self, *a, **k: loaded.append(a) or load(self, *a, **k))
    done = cli("eval", "tracks", "--root", tmp_path, "--segmenter", "labels", "--embedder", model, "--json")
    assert done.code == 0, done
    assert list(done.json["sequences"]) == ["one", "two"]
    assert len(loaded) == 1
    assert used == [2, 2, 2, 2], "in the first frame of each"


@pytest.mark.parametrize("command", [["track", "-o", "run"], ["ask", "Which marks are red?"], ["stream"]])
def test_what_is_no_embedder_is_refused(cli, clip, command, tmp_path):
    name, *rest = command
    source = [clip.path, *rest]
    cli(name, *source, "--segmenter", clip.segmenter, "--embedder", "dinov2").refused(
        "unknown embedder 'dinov2'"
    )
    cli(name, *source, "--segmenter", clip.segmenter, "--embedder", f"hf:{tmp_path}").refused(
        f"folder '{tmp_path}' holds no transformers model"
    )
