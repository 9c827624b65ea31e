import numpy as np
import pytest

from som_agent.segmenters import segmenter_names
from som_agent.segmenters.entries import ABILITIES, REGISTRY
from som_agent.video import write_image


def test_the_table_fits_110_columns(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    done = cli("segmenters")
    assert (done.code, done.err) == (0, "")
    assert max(len(line) for line in done.out.splitlines()) <= 110
    lines = done.out.splitlines()
    for entry in REGISTRY:
        assert any(line.strip().startswith(entry.form.split(",")[0]) for line in lines), entry.form
        for family in entry.families if len(entry.families) > 1 else ():
            assert any(line.startswith(f"   {family.title} ") for line in lines), family.title
    assert "CC-BY-NC-4.0" in done.out
    assert "375-2564" in done.out


def test_json(cli):
    rows = cli("segmenters", "--json").json["segmenters"]
    assert len(rows) == sum(len(entry.families) for entry in REGISTRY)
    assert {row["written"] for row in rows} == set(segmenter_names())
    for row in rows:
        assert list(row["can"]) == list(ABILITIES)
        assert any(row["can"].values())
    by_network = {row["network"]: row for row in rows}
    assert by_network["SAM 3"]["weights"]["gated"] is True
    assert by_network["EdgeTAM"]["extra"] == "edgetam"
    assert by_network["Grounding DINO"]["granularity"] is None
    assert by_network["watershed hierarchy"]["weights"] is None


@pytest.fixture
def photo(tmp_path):
    y, x = np.mgrid[:60, :90]
    cells = (x // 10 + 3 * (y // 10)) % 7
    image = np.stack([cells * 36, 255 - cells * 30, (cells * 90) % 256], axis=-1).astype(np.uint8)
    write_image(tmp_path / "photo.png", image)
    return tmp_path / "photo.png"


def test_granularity_of_a_picture(cli, photo):
    found = [
        len(cli("mark", photo, "--max-marks", 500, "--granularity", dial, "--json").json["marks"])
        for dial in (0, 1)
    ]
    assert found[0] < found[1]


def test_a_granularity_that_makes_no_sense(cli, photo, tmp_path):
    cli("mark", photo, "--granularity", "2").refused("--granularity 2", "from 0 (coarse) to 1 (fine)")
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "photo.json").write_text("[]")
    done = cli("mark", photo, "--segmenter", f"labels:{masks}", "--granularity", "0.5")
    done.refused("has no granularity; these have: hierarchy, ")
    cli("eval", "tracks", "--root", tmp_path, "--segmenter", "labels", "--granularity", "1").refused(
        "the true masks have none"
    )
