"""MaskDINO against the outputs of the original code, weights by the rule; see the parity vectors' README."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from som_agent.segmenters.networks.box_decoder import BoxDecoderConfig, refined
from som_agent.segmenters.networks.maskdino import MaskDino, MaskDinoConfig, mask_boxes
from som_agent.segmenters.networks.pixel_decoder import PixelDecoderConfig
from som_agent.segmenters.networks.resnet import RESNET50, ResNet, ResNetConfig
from som_agent.segmenters.networks.swin import SWIN_L, SwinConfig
from som_agent.segmenters.panoptic import enlarge, instances, merge_panoptic
from tests.segmenters.networks.rule import check_manifest, compare, fill_by_rule, manifest, vectors

torch.set_num_threads(1)

TINY = MaskDinoConfig(
    backbone=ResNetConfig(stem=8, out=16, width=4),
    pixels=PixelDecoderConfig(mask_dim=48, layers=2, hidden=112),
    decoder=BoxDecoderConfig(layers=3, hidden=96),
    classes=7,
    queries=20,
    box_start="mask2box",
)
THREE = {"levels": 3, "finest_first": False}
FIVE = {"levels": 5, "inputs": ("res2", "res3", "res4", "res5")}
R50 = MaskDinoConfig()
SWIN = replace(R50, backbone=SWIN_L, pixels=PixelDecoderConfig(**FIVE), decoder=BoxDecoderConfig(levels=5))
SMALL = replace(R50, pixels=PixelDecoderConfig(hidden=1024, **THREE), decoder=BoxDecoderConfig(levels=3))
CONFIGS = {
    "tiny_r50": TINY,
    "tiny_r50_high2low": replace(
        TINY,
        pixels=replace(TINY.pixels, **THREE),
        decoder=replace(TINY.decoder, levels=3),
        box_start="bitmask",
    ),
    "tiny_swin": replace(
        TINY,
        backbone=SwinConfig(16, (2, 2, 2, 2), (1, 2, 4, 8), 4),
        pixels=replace(TINY.pixels, **FIVE),
        decoder=replace(TINY.decoder, levels=5),
        box_start="bitmask",
    ),
    "tiny_panoptic": replace(TINY, classes=133, box_start="no"),
    "instance/maskdino_R50_bs16_50ep_3s_dowsample1_2048": replace(R50, box_start="mask2box"),
    "instance/maskdino_R50_bs16_50ep_3s": replace(SMALL, box_start="bitmask"),
    "instance/maskdino_R50_bs16_50ep_4s_dowsample1_2048": replace(
        R50, pixels=PixelDecoderConfig(inputs=FIVE["inputs"])
    ),
    "instance/swin/maskdino_R50_bs16_50ep_4s_dowsample1_2048": replace(SWIN, box_start="bitmask"),
    "panoptic/maskdino_R50_bs16_50ep_3s_dowsample1_2048": replace(R50, classes=133),
    "panoptic/swin/maskdino_R50_bs16_50ep_4s_dowsample1_2048": replace(SWIN, classes=133),
    "semantic_ade20k/maskdino_R50_bs16_160k_steplr": replace(
        SMALL, classes=150, softmax=True, queries=100, learned=True
    ),
}
MASKS, FEATURES, BOXES = 5e-4, 1e-4, 1e-5
"""Largest differences that the vectors' README allows; ours are far below them."""


@pytest.mark.parametrize("name", [name for name in CONFIGS if "/" in name])
def test_names_and_sizes_of_official_networks(name):
    """Names, shapes, shared tensors and the number of parameters; and all sizes are read off them again."""
    config = CONFIGS[name]
    with torch.device("meta"):
        network = MaskDino(config)
    check_manifest(network, manifest("maskdino")[name])
    known = {"queries": config.queries, "box_start": config.box_start}
    assert MaskDinoConfig.of_weights(network.state_dict(), **known) == config


def picture(case):
    """Normalised and padded with zeros to a multiple of 32, `[1, 3, H, W]`."""
    image = torch.from_numpy(case["image_u8"]).permute(2, 0, 1).float()
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    image = (image - mean[:, None, None]) / std[:, None, None]
    return torch.nn.functional.pad(image, (0, -image.shape[2] % 32, 0, -image.shape[1] % 32))[None]


def stages(network, images):
    """Everything on the way from pictures to answers, by the names of the vectors."""
    predictor, out, layers = network.sem_seg_head.predictor, {"input": images}, {}

    def note(name, axes):
        def hook(_, __, result):
            layers[name] = result.permute(*axes)

        return hook

    hooks = []
    if isinstance(network.backbone, ResNet):
        hooks.append(network.backbone.stem.register_forward_hook(note("stem", (0, 1, 2, 3))))
    encoder = network.sem_seg_head.pixel_decoder.transformer.encoder
    for i, layer in enumerate(encoder.layers):
        hooks.append(layer.register_forward_hook(note(f"enc_layer{i}", (0, 1, 2))))
    for i, layer in enumerate(predictor.decoder.layers):
        hooks.append(layer.register_forward_hook(note(f"dec_layer{i}", (1, 0, 2))))
    with torch.inference_mode():
        maps = network.backbone(images)
        out |= {f"backbone_{name}": value for name, value in maps.items()}
        pixels = network.decode(maps)
        out["mask_features"] = pixels.mask_features
        out |= {f"multi_scale_{i}": level for i, level in enumerate(pixels.levels)}
        found = predictor.propose(pixels)
        out |= {"proposal_scores": found.scores, "topk_indices": found.indices}
        out["topk_scores"] = found.scores.gather(1, found.indices)
        out["interm_pred_logits"] = predictor.class_logits(found.content)
        out["interm_pred_masks"] = predictor.mask_logits(found.content, pixels.mask_features)
        out["interm_pred_boxes"] = found.boxes
        content, boxes = predictor.start(pixels)
        decoded = predictor.decoder(content, boxes, pixels.levels[::-1])
        contents = [content, *decoded.content]
        for i, content in enumerate(contents[:-1]):
            out[f"aux{i}_logits"] = predictor.class_logits(content)
            out[f"aux{i}_boxes"] = (
                boxes if i == 0 else refined(decoded.boxes[i - 1], predictor._bbox_embed(content))
            )
        answers = network.answers(pixels)
    for hook in hooks:
        hook.remove()
    return out | layers | {f"pred_{name}": value for name, value in answers._asdict().items()}, answers


def thinned(name):
    """The name of the whole array, and every how many channels or queries of it were kept."""
    match = re.fullmatch(r"(.+)_(?:ch|q)(\d+)", name)
    return (match[1], int(match[2])) if match else (name, 1)


PER_QUERY = ("interm_pred", "aux", "pred_", "topk", "dec_layer")


def check(config, case, count):
    """Compare everything that the vectors have; returns the answers and the largest differences."""
    network = fill_by_rule(MaskDino(config))
    got, answers = stages(network, picture(case))
    got |= {f"pred_{name}": value for name, value in answers._asdict().items()}
    # Neighbouring proposals may be nearly equal, and change places; queries are lined up by their cells.
    ours, theirs = got["topk_indices"][0].tolist(), case["topk_indices"][0].tolist()
    assert sorted(ours) == sorted(theirs)
    order = torch.tensor([ours.index(cell) for cell in theirs])
    worst = {}
    for full, expected in case.items():
        name, step = thinned(full)
        if name not in got:
            continue
        value = got[name]
        if name.startswith("dec_layer"):
            value = value[order]
        elif name.startswith(PER_QUERY):
            value = value[:, order]
        atol = MASKS if "masks" in name else BOXES if "boxes" in name else FEATURES
        value = value[:, ::step]
        compare(value, expected, atol, name=full)
        if expected.dtype == np.float32:
            worst[full] = float((value - torch.from_numpy(expected)).abs().max())
    assert len(worst) >= count, f"only {len(worst)} arrays were compared"
    return answers, worst


def check_instances(answers, case, count):
    size = tuple(case.get("inst_mask_hw", case["image_u8"].shape[:2]))
    h, w = (int(side) for side in size)
    padded = tuple(4 * side for side in answers.masks.shape[2:])
    inner = case["image_u8"].shape[:2]
    resize = enlarge(tuple(answers.masks.shape[2:]), padded, inner, (h, w))
    found = instances(answers.logits[0].sigmoid(), answers.masks[0], resize, count=count)
    # Their order is not defined. A pixel on the threshold, in one mask and not in the other, moves its score.
    ours = np.lexsort((found.scores, found.classes))
    theirs = np.lexsort((case["inst_scores"], case["inst_classes"]))
    np.testing.assert_array_equal(found.classes[ours], case["inst_classes"][theirs])
    np.testing.assert_allclose(found.scores[ours], case["inst_scores"][theirs], rtol=0, atol=1e-4)
    boxes = answers.boxes[0, found.queries]
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    scale = torch.tensor([w * padded[1] / inner[1], h * padded[0] / inner[0]]).repeat(2)
    boxes = (torch.cat([low, high], dim=1) * scale).numpy()
    # Scores may be so near that sorting them says nothing: each of theirs has its own among ours.
    near = np.abs(boxes[:, None] - case["inst_boxes_xyxy"][None]).max(axis=2)
    near += 1e3 * (found.classes.numpy()[:, None] != case["inst_classes"][None])
    assert near.min(axis=0).max() < 1e-2
    match = near.argmin(axis=0)
    assert len(set(match)) == len(match)
    if "inst_masks_packed" in case:
        masks = np.unpackbits(case["inst_masks_packed"], axis=1)[:, : h * w].reshape(-1, h, w).astype(bool)
        assert (found.masks.numpy()[match] != masks).sum(axis=(1, 2)).max() <= 3


@pytest.mark.parametrize(
    ("config", "name", "count"),
    [
        ("tiny_r50", "tiny_r50_96x128", 30),
        ("tiny_r50", "tiny_r50_90x118_to_135x177", 5),
        ("tiny_r50_high2low", "tiny_r50_high2low_96x128", 5),
        ("tiny_swin", "tiny_swin_96x128", 20),
        ("tiny_panoptic", "tiny_panoptic_96x128", 4),
    ],
)
def test_small_networks_equal_the_original(config, name, count):
    case = vectors("maskdino", name)
    answers, _ = check(CONFIGS[config], case, count)
    if "inst_scores" in case:
        check_instances(answers, case, 12)


def test_panoptic_map_equals_the_original():
    case = vectors("maskdino", "tiny_panoptic_96x128")
    with torch.inference_mode():
        answers = fill_by_rule(MaskDino(CONFIGS["tiny_panoptic"]))(picture(case))
    sigmoid = answers.logits[0].sigmoid()
    scores, classes = (sigmoid / 0.06).softmax(dim=1).max(dim=1)
    kept = sigmoid.amax(dim=1) > 0.25
    resize = enlarge((24, 32), (96, 128), (96, 128), (96, 128))
    found = merge_panoptic(scores[kept], classes[kept], answers.masks[0, kept], resize, things=range(80))
    listed = [[part.id, part.is_thing, part.category] for part in found.segments]
    assert listed == case["panoptic_segments_id_isthing_cat"].tolist()
    assert (found.labels != case["panoptic_seg"]).sum() <= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "name", "count"),
    [
        ("instance/maskdino_R50_bs16_50ep_3s_dowsample1_2048", "r50_256x256", 14),
        ("instance/swin/maskdino_R50_bs16_50ep_4s_dowsample1_2048", "swinl_128x160", 6),
    ],
)
def test_official_networks_equal_the_original(config, name, count):
    case = vectors("maskdino", name)
    answers, _ = check(CONFIGS[config], case, count)
    check_instances(answers, case, 100)


def test_learned_queries_and_softmax():
    """There are no vectors of this variant; its parts are those of the others, so its wiring is checked."""
    config = replace(CONFIGS["tiny_r50_high2low"], learned=True, softmax=True, queries=6, classes=5)
    network = fill_by_rule(MaskDino(config))
    predictor = network.sem_seg_head.predictor
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        content, boxes = predictor.start(network.look(images))
        answers = network(images)
    assert torch.equal(content[1], predictor.query_feat.weight)
    assert torch.equal(boxes[1], predictor.query_embed.weight.sigmoid())
    assert answers.logits.shape == (2, 6, 6)
    assert answers.masks.shape == (2, 6, 16, 24)
    assert answers.boxes.shape == (2, 6, 4)
    with torch.inference_mode():
        alone = network(images[1:])
    for both, one in zip(answers, alone, strict=True):
        torch.testing.assert_close(both[1:], one, rtol=1e-4, atol=1e-4)


def test_fewer_cells_than_queries():
    network = fill_by_rule(MaskDino(replace(TINY, queries=999)))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32)).logits.shape == (1, 16 + 4 + 1 + 1, 7)


def test_boxes_around_masks():
    masks = torch.zeros(2, 2, 5, 7, dtype=torch.bool)
    masks[0, 0, 1:3, 2:6] = True
    masks[1, 1, 4, 6] = True
    empty = [1e8, 1e8, 0, 0]
    assert mask_boxes(masks, past_the_end=False).tolist() == [[[2, 1, 5, 2], empty], [empty, [6, 4, 6, 4]]]
    none = [0] * 4
    assert mask_boxes(masks, past_the_end=True).tolist() == [[[2, 1, 6, 3], none], [none, [6, 4, 7, 5]]]


def torchvisions(name):
    """torchvision's name of a weight of ours."""
    name = re.sub(r"^stem\.", "", name)
    name = re.sub(r"^res(\d)", lambda stage: f"layer{int(stage[1]) - 1}", name)
    name = re.sub(r"conv(\d)\.norm", r"bn\1", name)
    return name.replace("shortcut.norm", "downsample.1").replace("shortcut", "downsample.0")


def test_resnet_equals_torchvisions():
    from torchvision.models.resnet import Bottleneck
    from torchvision.models.resnet import ResNet as Theirs
    from torchvision.ops import FrozenBatchNorm2d

    depths = (1, 2, 1, 1)
    ours = fill_by_rule(ResNet(replace(RESNET50, depths=depths)))
    theirs = Theirs(Bottleneck, list(depths), norm_layer=FrozenBatchNorm2d).eval()
    renamed = {torchvisions(name): value for name, value in ours.state_dict().items()}
    theirs.load_state_dict(renamed | {k: v for k, v in theirs.state_dict().items() if k.startswith("fc")})
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = ours(images)
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
        for i in range(1, 5):
            x = getattr(theirs, f"layer{i}")(x)
            torch.testing.assert_close(maps[f"res{i + 1}"], x)
    assert ResNetConfig.of_weights(ours.state_dict(), "").depths == depths
