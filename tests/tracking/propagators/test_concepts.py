import json

import numpy as np
import pytest
import scipy.ndimage
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from transformers.models.sam3_video import modeling_sam3_video

from som_agent.errors import InputError, TrackingError
from som_agent.tracking.propagators.video_models.concepts import MaskChores, Sam3VideoPropagator, _own_chores
from som_agent.video.frame import Frame
from tests import tiny_video_models as tiny

torch.set_num_threads(1)


H, W = 36, 64
PHRASES = ["red cup", "dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """It finds a lot, and confirms what it follows every third frame. It takes nothing back later."""
    options = {
        "new_det_thresh": 0.6,
        "det_nms_thresh": 0.5,
        "recondition_every_nth_frame": 3,
        "high_conf_thresh": 0.5,
        "high_iou_thresh": 0.01,
        "assoc_iou_thresh": 0.01,
        "hotstart_delay": 0,
    }
    return str(tiny.save("sam3_video", tmp_path_factory.mktemp("sam3"), seed=1, **options))


def pictures(n):
    y, x = np.mgrid[:H, :W]
    return np.array(
        [
            np.stack([(x * 4 + i * 5) % 256, (y * 7) % 256, ((x // 9 + y // 9 + i) % 2) * 200], axis=-1)
            for i in range(n)
        ],
        np.uint8,
    )


def watch(propagator, n, start=0):
    return [propagator.step(Frame(image, i, i / 10)) for i, image in enumerate(pictures(start + n)[start:])]


def test_a_stream_gives_what_the_whole_video_gives(folder):
    n = 8
    propagator = Sam3VideoPropagator(folder, PHRASES, device="cpu", max_objects=4)
    ours = watch(propagator, n)
    model, processor = propagator._model, propagator._processor
    session = processor.init_video_session(video=pictures(n))
    processor.add_text_prompt(session, PHRASES)
    seen = set()
    with _own_chores():
        for answer, output in zip(ours, model.propagate_in_video_iterator(session), strict=True):
            theirs = processor.postprocess_outputs(session, output)
            kept = [k for k, mask in enumerate(theirs["masks"]) if mask.any()]
            ids = theirs["object_ids"][kept].tolist()
            assert answer.ids.tolist() == [i + 1 for i in ids]
            for k, (i, own) in enumerate(zip(kept, ids, strict=True)):
                # A find that the network is split on to the last digits may fall either way.
                assert (answer.regions.mask(k) != theirs["masks"][i].numpy()).sum() <= 4
                assert own in theirs["prompt_to_obj_ids"][answer.phrases[k]]
                assert answer.scores[k] == pytest.approx(output.obj_id_to_tracker_score[own], abs=1e-3)
            seen.update(ids)
    assert len(seen) == 4
    confirmed = [len(out["cond_frame_outputs"]) for out in session.output_dict_per_obj.values()]
    assert max(confirmed) > 1


def test_numbers_phrases_and_what_is_new(folder):
    propagator = Sam3VideoPropagator(folder, [" red cup ", "dog"], device="cpu", max_objects=6)
    answers = watch(propagator, 5)
    known, phrase = set(), {}
    for answer in answers:
        ids = answer.ids.tolist()
        assert len(ids) == len(set(ids)) == len(answer.regions) == len(answer.phrases)
        assert set(answer.new.tolist()) == set(ids) - known
        known.update(ids)
        for identity, own in zip(ids, answer.phrases, strict=True):
            assert phrase.setdefault(identity, own) == own
        assert answer.ids.dtype == answer.new.dtype == np.int32
        assert ((answer.scores >= 0) & (answer.scores <= 1)).all()
        assert answer.regions.atoms.shape == (H, W)
        assert len(ids) == 0 or answer.regions.areas.min() > 0
    assert set(phrase.values()) == set(PHRASES)
    assert min(known) >= 1
    assert len(known) <= 6


def test_what_is_dropped_is_found_anew(folder):
    propagator = Sam3VideoPropagator(folder, PHRASES, device="cpu", max_objects=4)
    before = watch(propagator, 3)[-1]
    highest = int(propagator._session.max_obj_id) + 1
    propagator.drop([*range(1, highest + 1), 99])
    assert propagator._session.obj_ids == []
    (after,) = watch(propagator, 1, start=3)
    assert len(before.ids) > 0
    assert len(after.ids) > 0
    assert after.ids.min() > highest
    assert set(after.new) == set(after.ids)
    assert propagator._session.get_obj_num() <= 4


def test_what_is_hidden_too_long_is_given_up(folder):
    propagator = Sam3VideoPropagator(folder, ["dog"], device="cpu", max_objects=3, forget_after=4)
    watch(propagator, 3)
    assert len(propagator._session.obj_ids) == 3
    with torch.no_grad():  # nothing is found any more, and what was is out of sight
        propagator._model.detector_model.detr_decoder.presence_head.layer3.bias.fill_(-50)
        propagator._model.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-50)
    counts = []
    for i in range(3, 9):
        assert len(watch(propagator, 1, start=i)[0].ids) == 0
        counts.append(len(propagator._session.obj_ids))
    assert counts == [3, 3, 3, 3, 0, 0]  # all were seen in frame 2 last
    assert propagator._session.obj_id_to_score == {}
    assert propagator._last_seen == {}


def entries(session):
    """Tensors and keys that a session can reach."""
    tensors, keys, queue = 0, 0, [vars(session)]
    while queue:
        thing = queue.pop()
        if isinstance(thing, torch.Tensor):
            tensors += 1
        elif isinstance(thing, dict):
            keys += len(thing)
            queue.extend(thing.values())
        elif isinstance(thing, (list, set, tuple)):
            keys += len(thing)
            queue.extend(thing)
    return tensors, keys


@pytest.mark.parametrize("frames", [18, pytest.param(300, marks=pytest.mark.slow)], ids=["short", "long"])
def test_memory_is_flat(folder, frames, caplog):
    """A full house, too: that more is found than there is room for is no news in every frame."""
    propagator = Sam3VideoPropagator(folder, ["dog"], device="cpu", max_objects=2, memory_frames=2)
    images = pictures(6)
    sizes = set()
    for i in range(frames):
        propagator.step(Frame(images[i % 6], i, i / 10))
        if i >= 11 and i % 6 == 5:
            sizes.add(entries(propagator._session))
    assert len(sizes) == 1
    assert sizes.pop()[0] > 20
    assert propagator._session.get_obj_num() == 2
    assert not [record for record in caplog.records if "max_num_objects" in record.getMessage()]


def test_nothing_is_fetched_and_nothing_left_behind(folder, monkeypatch):
    calls = []
    for name in ("generic_nms", "cc_2d"):
        own = getattr(MaskChores, name)
        monkeypatch.setattr(
            MaskChores, name, staticmethod(lambda *a, _own=own, **k: calls.append(1) or _own(*a, **k))
        )
    monkeypatch.setattr(modeling_sam3_video, "is_kernels_available", pytest.fail)
    monkeypatch.setattr(modeling_sam3_video, "cv_utils_kernel", None)
    watch(Sam3VideoPropagator(folder, PHRASES, device="cpu", max_objects=2), 2)
    assert len(calls) > 4
    assert modeling_sam3_video.cv_utils_kernel is None


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 9), st.integers(1, 9)),
        elements=st.integers(0, 1),
    )
)
def test_connected_pieces(masks):
    labels, areas = (part.numpy() for part in MaskChores.cc_2d(torch.from_numpy(masks), get_counts=True))
    assert labels.dtype == areas.dtype == np.int32
    for mask, label, area in zip(masks[:, 0], labels[:, 0], areas[:, 0], strict=True):
        true, n = scipy.ndimage.label(mask, structure=np.ones((3, 3)))
        assert (area[mask == 0] == 0).all()
        for i in range(1, n + 1):
            piece = true == i
            assert (area[piece] == piece.sum()).all()
            assert len(set(label[piece])) == 1
        assert len(set(label[mask == 1])) == n


@given(st.integers(0, 8), st.integers(0, 10**6))
def test_of_overlapping_finds_the_surest_stay(n, seed):
    rng = np.random.default_rng(seed)
    half = rng.random((n, n))
    ious = torch.from_numpy(np.maximum(half, half.T))
    scores = torch.from_numpy(rng.permutation(n).astype(np.float32))
    kept = MaskChores.generic_nms(ious, scores, 0.6, use_iou_matrix=True).tolist()
    assert kept == sorted(kept, key=lambda i: -scores[i])
    for i in range(n):
        rivals = [j for j in kept if scores[j] > scores[i] and ious[i, j] > 0.6]
        assert (i in kept) == (not rivals)


def test_bad_arguments_are_one_clear_line(tmp_path, folder):
    tracker = tmp_path / "tracker"
    tracker.mkdir()
    (tracker / "config.json").write_text(json.dumps({"model_type": "sam3_tracker_video"}))
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    cases = [
        (TrackingError, str(tmp_path / "none"), PHRASES, {}, "there is no folder"),
        (TrackingError, str(bert), PHRASES, {}, "is a bert network; phrases need a whole SAM 3"),
        (TrackingError, str(tracker), PHRASES, {}, "is a sam3_tracker_video network"),
        (InputError, folder, [], {}, "one phrase or more"),
        (InputError, folder, ["dog", " "], {}, "none empty"),
        (InputError, folder, "dog", {}, "one phrase or more"),
        (InputError, folder, PHRASES, {"max_objects": 0}, "at least 1, got 0 and 256"),
        (InputError, folder, PHRASES, {"memory_frames": 1}, "at least 2, got 1"),
    ]
    for error, source, phrases, options, message in cases:
        with pytest.raises(error, match=message) as caught:
            Sam3VideoPropagator(source, phrases, device="cpu", **options)
        assert "\n" not in str(caught.value)
    propagator = Sam3VideoPropagator(folder, PHRASES, device="cpu")
    watch(propagator, 1)
    with pytest.raises(InputError, match="frame 9 is 64x35 px, those before were 64x36"):
        propagator.step(Frame(pictures(1)[0][1:], 9, 0.9))
