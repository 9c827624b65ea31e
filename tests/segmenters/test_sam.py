from functools import partial

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from som_agent.errors import SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.sam import SamSegmenter, _build
from som_agent.video.frame import Frame

torch.set_num_threads(1)


def tiny_sam(*, width=24, depth=3, heads=3, grid=8, patch=8, window=5, out=32, sure=True):
    """A small SAM with random weights; by default it is sure of all its masks, which have hard edges."""
    torch.manual_seed(0)
    model = Sam(
        ImageEncoderViT(
            img_size=grid * patch,
            patch_size=patch,
            embed_dim=width,
            depth=depth,
            num_heads=heads,
            mlp_ratio=2,
            out_chans=out,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=window,
            global_attn_indexes=(depth - 1,),
        ),
        PromptEncoder(out, (grid, grid), (grid * patch, grid * patch), 4),
        MaskDecoder(
            transformer_dim=out,
            transformer=TwoWayTransformer(depth=1, embedding_dim=out, num_heads=8, mlp_dim=16),
            iou_head_depth=2,
            iou_head_hidden_dim=12,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )
    # Tables of relative positions start at zero in the package; with random ones a wrong reading shows.
    for name, weight in model.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:
            torch.nn.init.normal_(weight)
    if sure:
        with torch.no_grad():
            model.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(0.95)
            model.mask_decoder.iou_prediction_head.layers[-1].weight.mul_(0.01)
            # Masks with hard edges that stay small: one channel is a constant that pulls all logits down.
            upscale = model.mask_decoder.output_upscaling[3]
            torch.nn.init.normal_(upscale.weight)
            upscale.weight[:, 0] = 0
            upscale.bias.zero_()[0] = 1
            torch.nn.init.normal_(model.mask_decoder.mask_tokens.weight, std=3)
            for mlp in model.mask_decoder.output_hypernetworks_mlps:
                for layer in mlp.layers:
                    torch.nn.init.normal_(layer.weight, std=2)
                mlp.layers[-1].weight.mul_(100)[0] = 0
                mlp.layers[-1].bias[0] = -450_000
    return model.eval()


def picture(h=45, w=70):
    y, x = np.mgrid[:h, :w]
    image = np.stack([x * 255 // w, y * 255 // h, (x // 9 + y // 9) % 2 * 200], axis=-1).astype(np.uint8)
    return Frame(image, 0, 0.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("sam") / "tiny.pth"
    torch.save(tiny_sam().state_dict(), path)
    return path


def test_checkpoint_gives_the_generators_masks(checkpoint):
    frame = picture()
    segmenter = SamSegmenter(checkpoint, device="cpu", points_per_side=6)
    regions = segmenter.segment(frame)
    truth = SamAutomaticMaskGenerator(tiny_sam(), points_per_side=6).generate(frame.image)
    assert len(truth) >= 3
    assert len(regions) == len(truth)
    expected = sorted((entry["segmentation"].tobytes(), round(entry["predicted_iou"], 5)) for entry in truth)
    got = sorted((regions.mask(i).tobytes(), round(float(regions.scores[i]), 5)) for i in range(len(regions)))
    assert got == expected


def test_regions_are_ordered_bounded_and_the_same_twice(checkpoint):
    assert load_segmenter(f"sam:{checkpoint}", device="cpu").name == f"sam:{checkpoint}"
    segmenter = SamSegmenter(checkpoint, device="cpu", points_per_side=4)
    one, two = segmenter.segment(picture()), segmenter.segment(picture())
    assert one.atoms.shape == (45, 70)
    assert (np.diff(one.areas) <= 0).all()
    assert one.areas.min() > 0
    assert ((one.scores >= 0) & (one.scores <= 1)).all()
    np.testing.assert_array_equal(one.atoms, two.atoms)
    np.testing.assert_array_equal(one.members, two.members)


def test_unsure_network_gives_no_regions(tmp_path):
    torch.save(tiny_sam(sure=False).state_dict(), tmp_path / "unsure.pth")
    regions = SamSegmenter(tmp_path / "unsure.pth", device="cpu", points_per_side=4).segment(picture())
    assert len(regions) == 0
    assert regions.atoms.shape == (45, 70)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 64), (64, 3), (65, 65)])
def test_odd_sizes(checkpoint, h, w):
    regions = SamSegmenter(checkpoint, device="cpu", points_per_side=2).segment(picture(h, w))
    assert regions.atoms.shape == (h, w)


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": 32, "depth": 1, "heads": 2, "grid": 4, "window": 4},
        {"width": 16, "depth": 4, "heads": 4, "grid": 6, "patch": 16, "window": 3, "out": 64},
    ],
)
def test_any_size_is_read_off_the_weights(sizes):
    model = tiny_sam(**sizes)
    rebuilt = _build(model.state_dict(), "sam:x")
    image = torch.rand(1, 3, model.image_encoder.img_size, model.image_encoder.img_size)
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt.image_encoder(image), model.image_encoder(image))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["vit_b", "vit_l"])
def test_published_sizes(size):
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        model = sam_model_registry[size]()
    with torch.device("meta"):
        rebuilt = _build(model.state_dict(), "sam:x")
    ours, theirs = rebuilt.image_encoder, model.image_encoder
    assert [b.window_size for b in ours.blocks] == [b.window_size for b in theirs.blocks]
    assert [b.attn.num_heads for b in ours.blocks] == [b.attn.num_heads for b in theirs.blocks]
    assert ours.img_size == theirs.img_size


def test_bad_files_are_one_clear_line(tmp_path, checkpoint):
    whole = checkpoint.read_bytes()
    weights = tiny_sam().state_dict()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "zero.pth").touch()
    (tmp_path / "text.pth").write_text("hello")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    torch.save({"backbone.weight": torch.zeros(3)}, tmp_path / "resnet.pth")
    torch.save({k: v for k, v in weights.items() if "blocks.1.norm1" not in k}, tmp_path / "lacking.pth")
    torch.save({**weights, "mask_decoder.hf_token.weight": torch.zeros(1)}, tmp_path / "hq.pth")
    names = ["none", "cut", "zero", "text", "other", "resnet", "lacking", "hq"]
    for name in names:
        with pytest.raises(SegmenterError, match=f"{name}.pth") as caught:
            load_segmenter(f"sam:{tmp_path / name}.pth", device="cpu")
        assert "\n" not in str(caught.value)


class _Payload:
    def __reduce__(self):
        return (print, ("executed",))


def test_nothing_in_a_checkpoint_is_executed(tmp_path, capsys):
    torch.save({"image_encoder.pos_embed": _Payload()}, tmp_path / "evil.pth")
    with pytest.raises(SegmenterError, match="not a readable checkpoint"):
        load_segmenter(f"sam:{tmp_path / 'evil.pth'}", device="cpu")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"hello", b"e", b"\x80\x02e.", b"PK\x03\x04"])
def test_a_file_that_is_no_checkpoint_is_said_in_words(tmp_path, content):
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(SegmenterError) as caught:
        load_segmenter(f"sam:{tmp_path / 'model.pth'}", device="cpu")
    assert str(caught.value).endswith("model.pth: not a readable checkpoint, truncated or no PyTorch file")
