import json

import numpy as np
import pytest
import torch

from som_agent.segmenters.networks.box_decoder import box_proposals
from som_agent.segmenters.networks.deformable import DeformableAttention
from som_agent.segmenters.networks.positions import box_sines, inverse_sigmoid, position_map
from som_agent.segmenters.networks.swin import SWIN_L, SWIN_T, Swin, SwinConfig
from som_agent.segmenters.weights import unfilled
from tests.segmenters.networks.rule import PARITY, compare, fill_by_rule, tensor_by_rule, units

torch.set_num_threads(1)


def test_weight_rule_gives_the_tensors_that_are_written_out():
    if not PARITY.is_dir():
        pytest.skip("no parity vectors")
    for name, entry in json.loads((PARITY / "weight_rule_check.json").read_text()).items():
        tensor = tensor_by_rule(name, tuple(entry["shape"]))
        np.testing.assert_array_equal(tensor.ravel(), np.array(entry["values"], np.float32))


@pytest.mark.parametrize("case", ["ref2", "ref4", "ref2_masked"])
def test_deformable_attention_equals_the_vectors(case):
    arrays = {name: torch.from_numpy(array) for name, array in units().items()}
    module = fill_by_rule(DeformableAttention(32, levels=2, heads=4, points=3))
    sizes = [tuple(size) for size in arrays["core.spatial_shapes"].tolist()]
    with torch.inference_mode():
        got = module(
            arrays["module.query"],
            arrays[f"module.{case[:4]}"],
            arrays["module.input_flatten"],
            sizes,
            arrays["module.padding_mask"] if case.endswith("masked") else None,
        )
    compare(got, units()[f"module.out_{case}"], 1e-6)


def test_positions_equal_the_vectors():
    arrays = units()
    compare(position_map((6, 9), 32), arrays["pe_sine_32_norm.out_1x64x6x9"], 2e-6)
    boxes = torch.from_numpy(arrays["sine_pos.in"])
    compare(box_sines(boxes, 128), arrays["sine_pos.out_4d_dim128"], 2e-6)
    compare(box_sines(boxes[..., :2], 128), arrays["sine_pos.out_2d_dim128"], 2e-6)
    compare(box_sines(boxes, 32), arrays["sine_pos.out_4d_dim32"], 2e-6)
    compare(
        inverse_sigmoid(torch.from_numpy(arrays["inverse_sigmoid.in"])), arrays["inverse_sigmoid.out"], 1e-6
    )


@pytest.mark.parametrize("config", [SWIN_T, SWIN_L, SwinConfig(16, (2, 2, 2, 2), (1, 2, 4, 8), 4)])
def test_swin_sizes_are_read_off_the_weights(config):
    with unfilled():
        state = {f"net.{name}": value for name, value in Swin(config).state_dict().items()}
    assert SwinConfig.of_weights(state, "net.") == config


@pytest.mark.parametrize("case", ["", "masked_"])
def test_proposals_equal_the_vectors(case):
    arrays = units()
    sizes = [tuple(size) for size in arrays["core.spatial_shapes"].tolist()]
    padding = torch.from_numpy(arrays["proposals.masked_padding_mask"]) if case else None
    memory, logits = box_proposals(torch.from_numpy(arrays["proposals.memory_in"]), sizes, padding)
    compare(memory, arrays[f"proposals.{case}memory_out"], 0)
    compare(logits, arrays[f"proposals.{case}out_logit"], 1e-5)
