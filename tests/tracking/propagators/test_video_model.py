import gc
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from som_agent.errors import InputError, MissingExtraError, TrackingError
from som_agent.tracking.propagators.video_models import batch as video_batch
from som_agent.tracking.propagators.video_models import propagator as video_model
from som_agent.tracking.propagators.video_models.batch import carry_together
from som_agent.tracking.propagators.video_models.propagator import HfPropagator
from som_agent.video.frame import Frame
from tests import tiny_video_models as tiny

torch.set_num_threads(1)


H, W = 36, 60
MASKS = np.zeros((3, H, W), bool)
MASKS[0, 4:20, 6:26] = True
MASKS[1, 10:30, 30:56] = True
MASKS[2, 14:34, 20:40] = True  # lies on both
CHECKPOINTS = {
    "sam2": ("sam2_video", {}),
    # What tells SAM 2.1 from SAM 2, and a network that itself reads few prompted frames.
    "sam2.1": (
        "sam2_video",
        {
            "enable_temporal_pos_encoding_for_object_pointers": True,
            "enable_occlusion_spatial_embedding": True,
            "max_cond_frame_num": 2,
        },
    ),
    "edgetam": ("edgetam_video", {}),
    "sam3_tracker": ("sam3_tracker_video", {}),
    "sam3": ("sam3_video", {}),
}
CLOSE = {
    "rtol": 0,
    "atol": 5e-3,
}  # transformers encodes the memories of all objects at once, which rounds otherwise


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A folder of each checkpoint, made when it is asked for."""
    made = {}

    def checkpoint(name):
        if name == "edgetam":
            pytest.importorskip("timm", reason="EdgeTAM's backbone is timm's")
        if name not in made:
            family, options = CHECKPOINTS[name]
            made[name] = tiny.save(family, tmp_path_factory.mktemp(name), **options)
        return str(made[name])

    return checkpoint


def pictures(n):
    """A pattern that moves, `[n, H, W, 3]`."""
    y, x = np.mgrid[:H, :W]
    return np.array(
        [
            np.stack([(x * 4 + i * 5) % 256, (y * 7) % 256, ((x // 9 + y // 9 + i) % 2) * 200], axis=-1)
            for i in range(n)
        ],
        np.uint8,
    )


class Stream:
    """A propagator on the pictures, with objects put after the given frames, and the logits that it saw."""

    def __init__(self, source, n, puts, drops=(), **options):
        self.propagator = HfPropagator(source, device="cpu", **options)
        self.answers, self.logits = [], []
        for i, image in enumerate(pictures(n)):
            carried = []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    video_model,
                    "carry_together",
                    lambda *a, _to=carried: _to.append(carry_together(*a)) or _to[0],
                )
                self.answers.append(self.propagator.step(Frame(image, 3 * i, i / 10)))
            logits = carried[0].logits if carried else []
            self.logits.append(dict(zip(self.propagator._sessions, logits, strict=True)))
            if i in puts:
                ids = list(puts[i])
                self.propagator.put(ids, MASKS[list(puts[i].values())])
            self.propagator.drop([identity for at, identity in drops if at == i])


def offline(stream, puts, n):
    """What transformers gives for the whole video: frame → object → logits. It starts again at every put."""
    model, processor = stream.propagator._model, stream.propagator._processor
    session = processor.init_video_session(video=pictures(n), inference_device=stream.propagator.device)
    found = [{} for _ in range(n)]
    starts = sorted(puts)
    for start, end in zip(starts, [*starts[1:], n - 1], strict=True):
        ids = list(puts[start])
        processor.add_inputs_to_inference_session(
            session, start, list(ids), input_masks=[MASKS[k] for k in puts[start].values()]
        )
        model(session, frame_idx=start)
        for out in model.propagate_in_video_iterator(session, start, max_frame_num_to_track=end - start):
            if out.frame_idx > start:
                found[out.frame_idx] = dict(zip(out.object_ids, out.pred_masks[:, 0], strict=True))
                for identity in set(puts.get(out.frame_idx, ())) & set(out.object_ids):
                    # A correction that is made before the frame is tracked makes it a prompted one there too.
                    session.output_dict_per_obj[session.obj_id_to_idx(identity)][
                        "non_cond_frame_outputs"
                    ].pop(out.frame_idx)
                    session.frames_tracked_per_obj[session.obj_id_to_idx(identity)].pop(out.frame_idx)
    return found


def assert_same(stream, found, ids):
    """The same logits and masks. What two objects' logits differ by goes far beyond what is taken as same."""
    processor = stream.propagator._processor
    apart, worst = [], 0.0
    for answer, ours, theirs in zip(stream.answers, stream.logits, found, strict=True):
        assert set(ours) & set(ids) == set(theirs)
        assert list(answer.ids) == list(ours)  # none is hidden
        for k, identity in enumerate(answer.ids):
            if identity not in theirs:
                continue
            torch.testing.assert_close(ours[identity], theirs[identity], **CLOSE)
            worst = max(worst, (ours[identity] - theirs[identity]).abs().max().item())
            sizes = {"original_sizes": [[H, W]], "binarize": False}
            (large,) = processor.post_process_masks([theirs[identity][None, None]], **sizes)
            clear = large[0, 0].abs().numpy() > CLOSE["atol"]
            mask = answer.regions.mask(k)
            assert clear.mean() > 0.95
            np.testing.assert_array_equal(mask[clear], (large[0, 0] > 0).numpy()[clear])
        if len(theirs) == 2:
            one, other = theirs.values()
            apart.append((one - other).abs().mean().item())
    if apart:
        assert np.mean(apart) > max(5 * worst, 1e-3)


@pytest.mark.parametrize(
    "name", [slow("sam2"), "sam2.1", slow("edgetam"), slow("sam3_tracker"), slow("sam3")]
)
def test_a_stream_gives_what_the_whole_video_gives(checkpoints, name):
    puts = {0: {1: 0, 2: 1}}
    stream = Stream(checkpoints(name), 9, puts)
    assert stream.propagator.name == f"hf:{checkpoints(name)}"
    found = offline(stream, puts, 9)
    assert_same(stream, found, {1, 2})


@pytest.mark.parametrize("name", ["sam2", slow("sam2.1"), slow("sam3_tracker"), slow("sam3")])
def test_an_object_added_and_one_corrected_in_mid_stream(checkpoints, name):
    puts = {0: {1: 0}, 3: {2: 1}, 5: {1: 2}}
    stream = Stream(checkpoints(name), 9, puts)
    assert_same(stream, offline(stream, puts, 9), {1, 2})


@pytest.mark.slow
def test_edgetam_with_an_object_added_in_mid_stream(checkpoints):
    """transformers fails where an EdgeTAM session holds a given and a tracked object: each has its own."""
    stream = Stream(checkpoints("edgetam"), 9, {0: {1: 0}, 3: {2: 1}})
    for puts in ({0: {1: 0}}, {3: {2: 1}}):
        assert_same(stream, offline(stream, puts, 9), {i for put in puts.values() for i in put})


@pytest.mark.parametrize("name", ["sam2", slow("edgetam"), slow("sam3")])
def test_the_others_go_on_as_they_are(checkpoints, name):
    alone = Stream(checkpoints(name), 9, {0: {1: 0}})
    among = Stream(checkpoints(name), 9, {0: {1: 0}, 2: {2: 1, 3: 2}, 4: {2: 2}}, drops=[(6, 2), (6, 77)])
    assert [list(answer.ids) for answer in among.answers[5:8]] == [[1, 2, 3], [1, 2, 3], [1, 3]]
    for one, other in zip(alone.logits, among.logits, strict=True):
        if one:
            torch.testing.assert_close(one[1], other[1], **CLOSE)
            apart = [(one[1] - other[k]).abs().mean() for k in (2, 3) if k in other]
            assert all(difference > 1e-3 for difference in apart)


def test_many_objects_take_several_passes(checkpoints, monkeypatch):
    puts = {0: {1: 0, 2: 1}, 1: {3: 2}}
    together = Stream(checkpoints("sam2"), 6, puts)
    monkeypatch.setattr(video_batch, "_AT_ONCE", 2)
    for one, other in zip(together.logits, Stream(checkpoints("sam2"), 6, puts).logits, strict=True):
        assert list(one) == list(other)
        for identity, logits in one.items():
            torch.testing.assert_close(logits, other[identity], **CLOSE)


def test_memory_matters_and_a_correction_stays(checkpoints):
    """A corrected object differs long after all tracked frames of that time are forgotten."""
    plain = Stream(checkpoints("sam2"), 11, {0: {1: 0}})
    corrected = Stream(checkpoints("sam2"), 11, {0: {1: 0}, 3: {1: 1}})
    assert torch.equal(plain.logits[3][1], corrected.logits[3][1])
    for i in (4, 10):
        assert (plain.logits[i][1] - corrected.logits[i][1]).abs().mean() > 4 * CLOSE["atol"]


def entries(propagator):
    """Keys of all tables of all sessions."""
    return sum(
        len(thing)
        for session in propagator._sessions.values()
        for thing in gc.get_referents(*gc.get_referents(session.__dict__), session.output_dict_per_obj)
        if isinstance(thing, (dict, list))
    )


@pytest.mark.parametrize(
    "frames",
    [35, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(1500)])],
    ids=["short", "long"],
)
def test_memory_is_flat(checkpoints, frames):
    """One object only carried, one corrected ever again, one that comes and goes."""
    propagator = HfPropagator(checkpoints("sam2"), device="cpu", memory_frames=3)
    images = pictures(8)
    sizes = {}
    for i in range(frames):
        propagator.step(Frame(images[i % 8], i, i / 10))
        if i == 0:
            propagator.put([1, 2], MASKS[:2])
        elif i % 5 == 0:
            propagator.put([2, 100 + i], MASKS[1:])
        elif i % 5 == 4:
            propagator.drop([100 + i - 4])
        if i % 5 == 3 and i > 17:
            sizes[i] = (*tiny.held(propagator._sessions, propagator._features), entries(propagator))
    assert len(sizes) >= 4
    assert len(set(sizes.values())) == 1
    assert next(iter(sizes.values()))[0] > 20
    assert {len(s.output_dict_per_obj[0]["cond_frame_outputs"]) for s in propagator._sessions.values()} == {
        1,
        3,
    }


def test_an_object_that_is_hidden_comes_back(checkpoints):
    propagator = HfPropagator(checkpoints("sam2"), device="cpu")
    bias = propagator._model.mask_decoder.pred_obj_score_head.proj_out.bias
    found = []
    for i, image in enumerate(pictures(6)):
        with torch.no_grad():
            bias.fill_(-3.0 if i in (2, 3) else 2.0)
        answer = propagator.step(Frame(image, i, i / 10))
        found.append(list(answer.ids))
        assert answer.regions.atoms.shape == (H, W)
        assert answer.ids.dtype == np.int32
        assert answer.scores.dtype == np.float32
        assert ((answer.scores > 0.5) & (answer.scores <= 1)).all()
        np.testing.assert_array_equal(answer.scores, answer.regions.scores)
        if i == 0:
            propagator.put([7, 3], MASKS[:2])
    assert found == [[], [7, 3], [], [], [7, 3], [7, 3]]


def test_a_fresh_one_shares_the_network_alone(checkpoints):
    used = Stream(checkpoints("sam2"), 4, {0: {1: 0}})
    fresh = used.propagator.fresh()
    assert fresh._model is used.propagator._model
    with pytest.raises(InputError, match="after the first frame"):
        fresh.put([1], MASKS[:1])
    fresh.step(Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0))  # of another size
    fresh.put([2], np.ones((1, 9, 9), bool))
    again = used.propagator.step(Frame(pictures(5)[4], 12, 0.4))
    assert list(again.ids) == [1]
    np.testing.assert_array_equal(
        again.regions.atoms, Stream(checkpoints("sam2"), 5, {0: {1: 0}}).answers[-1].regions.atoms
    )


@pytest.mark.parametrize(("h", "w"), [(H, W), (9, 700), (3, 5)])
def test_an_object_of_one_pixel_is_an_object(checkpoints, h, w):
    propagator = HfPropagator(checkpoints("sam2"), device="cpu")
    propagator.step(Frame(np.zeros((h, w, 3), np.uint8), 0, 0.0))
    mask = np.zeros((1, h, w), bool)
    mask[0, h // 2, w // 2] = True
    assert propagator._prompt(mask[0]).any()
    propagator.put([1], mask)
    (out,) = propagator._sessions[1].output_dict_per_obj[0]["cond_frame_outputs"].values()
    assert out["object_score_logits"].item() > 0
    assert propagator.step(Frame(np.zeros((h, w, 3), np.uint8), 1, 0.1)).regions.atoms.shape == (h, w)


def test_what_cannot_be_put_is_one_clear_line_and_changes_nothing(checkpoints):
    propagator = HfPropagator(checkpoints("sam2"), device="cpu")
    with pytest.raises(InputError, match="after the first frame"):
        propagator.put([1], MASKS[:1])
    propagator.step(Frame(pictures(1)[0], 0, 0.0))
    cases = [
        ([1, 2], MASKS[:1], "2 ids need masks"),
        ([1], MASKS[:1, :, 1:], r"\(1, 36, 60\) bool, got \(1, 36, 59\)"),
        ([1], MASKS[:1].astype(np.uint8), "uint8"),
        ([1, 1], MASKS[:2], "each once"),
        ([0], MASKS[:1], "from 1"),
        ([4, 5], np.stack([MASKS[0], np.zeros((H, W), bool)]), "object 5 is empty"),
    ]
    for ids, masks, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            propagator.put(ids, masks)
        assert "\n" not in str(caught.value)
    propagator.put([], MASKS[:0])
    assert len(propagator.step(Frame(pictures(2)[1], 1, 0.1)).ids) == 0
    with pytest.raises(InputError, match="frame 2 is 60x35 px, those before were 60x36"):
        propagator.step(Frame(pictures(1)[0][1:], 2, 0.2))


def test_bad_sources_are_one_clear_line(tmp_path, checkpoints, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    good = Path(checkpoints("sam2"))
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    image_model = tmp_path / "image_model"
    image_model.mkdir()
    (image_model / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    cut = shutil.copytree(good, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((good / "model.safetensors").read_bytes()[:5000])
    no_processor = shutil.copytree(good, tmp_path / "no_processor")
    (no_processor / "processor_config.json").unlink()
    other = shutil.copytree(good, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "memory_fuser_num_layers": 3}))
    cases = {
        str(tmp_path / "none"): "there is no folder",
        str(bert): "is a bert network; propagation works with sam2_video, edgetam_video",
        str(image_model): "is a sam2 network",
        str(cut): "cannot load",
        str(no_processor): "cannot load",
        str(other): "do not fit its configuration",
    }
    for source, expected in cases.items():
        with pytest.raises(TrackingError, match=expected) as caught:
            HfPropagator(source, device="cpu")
        assert source in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="memory_frames must be at least 2, got 1"):
        HfPropagator(str(good), device="cpu", memory_frames=1)


def test_edgetam_without_timm_says_so(tmp_path, checkpoints, monkeypatch):
    folder = shutil.copytree(checkpoints("sam2"), tmp_path / "edgetam")
    (folder / "config.json").write_text(json.dumps({"model_type": "edgetam_video"}))
    monkeypatch.setattr("transformers.utils.is_timm_available", lambda: False)
    with pytest.raises(MissingExtraError, match=r'pip install "som-agent\[edgetam\]"') as caught:
        HfPropagator(str(folder), device="cpu")
    assert f"hf:{folder}" in str(caught.value)
    assert "\n" not in str(caught.value)
