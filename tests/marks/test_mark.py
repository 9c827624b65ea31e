import json

import numpy as np

from som_agent.marks import Mark


def test_json_is_the_contract_of_the_command_line():
    mark = Mark(
        mark=3,
        label="C",
        color=(1, 2, 3),
        anchor=(np.float32(10.26), np.float32(20.5)),
        plate=(1, 2, 30, 20),
        box=(0, 1, 50.04, 60),
        area=np.int64(77),
    )
    assert json.loads(json.dumps(mark.to_json())) == {
        "mark": 3,
        "label": "C",
        "anchor": [10.3, 20.5],
        "plate": [1, 2, 30, 20],
        "box": [0.0, 1.0, 50.0, 60.0],
        "area": 77,
        "shown": True,
        "reason": None,
    }


def test_json_of_a_mark_that_is_not_drawn():
    mark = Mark(
        1, "1", (0, 0, 0), (0.5, 0.5), None, (0, 0, 1, 1), 1, shown=False, reason="no room for its label"
    )
    told = mark.to_json()
    assert told["plate"] is None
    assert told["shown"] is False
    assert told["reason"] == "no room for its label"
