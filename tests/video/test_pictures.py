"""Still pictures and folders of them."""

import numpy as np
import pytest
from PIL import Image as Pillow

from som_agent.errors import InputError, OutputError
from som_agent.video import open_video, picture_files, read_image, write_image

RAMP = np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8)


def save(path, array, **options):
    Pillow.fromarray(array).save(path, **options)
    return path


def test_colour(tmp_path):
    source = open_video(save(tmp_path / "a.png", RAMP))
    (frame,) = source
    assert np.array_equal(frame.image, RAMP)
    assert (frame.index, frame.time, frame.name) == (0, 0.0, "a")
    assert (source.size, source.fps, source.frame_count, source.duration) == ((64, 48), None, 1, None)


def test_grey(tmp_path):
    image = read_image(save(tmp_path / "a.png", RAMP[..., 0]))
    assert np.array_equal(image, np.repeat(RAMP[..., :1], 3, axis=2))


def test_sixteen_bits(tmp_path):
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        assert read_image(save(tmp_path / name, deep)).tolist() == [[[0] * 3, [1] * 3, [128] * 3, [255] * 3]]


def test_transparent_lies_on_white(tmp_path):
    rgba = np.array([[[255, 0, 0, 255], [0, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    image = read_image(save(tmp_path / "a.png", rgba))
    assert image[0, :2].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert np.abs(image[0, 2].astype(int) - 127).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path):
    picture = Pillow.new("P", (2, 1))
    picture.putpalette([9, 8, 7, 200, 100, 50])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [200, 100, 50]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation, tmp_path):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255  # top left as stored
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.jpg", stored, exif=exif, quality=95, subsampling=0)
    image = read_image(path)
    # Orientations 1 to 8 say where the stored top row and left column are meant to be.
    y = 0 if orientation in (1, 2, 5, 6) else image.shape[0] - 8
    x = 0 if orientation in (1, 4, 5, 8) else image.shape[1] - 8
    assert image.shape == ((16, 32, 3) if orientation < 5 else (32, 16, 3))
    assert image[y : y + 8, x : x + 8].mean() > 240
    assert image.mean() < 50
    assert open_video(path).size == image.shape[1::-1]
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "a.jpg")
    assert open_video(tmp_path / "folder").size == image.shape[1::-1]


def test_one_pixel(tmp_path):
    assert read_image(save(tmp_path / "a.png", RAMP[:1, :1])).shape == (1, 1, 3)


def test_floating_point_and_half_files(tmp_path):
    with pytest.raises(
        InputError, match=r"a.tif is not a picture that can be read: its pixels are floating-point"
    ):
        open_video(save(tmp_path / "a.tif", np.ones((4, 4), np.float32)))
    path = save(tmp_path / "b.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"b.jpg is not a picture that can be read: image file is truncated"):
        open_video(path)


def test_folder(tmp_path):
    for name in ("f10.png", "f9.jpg", "f2.PNG", ".hidden.png", "notes.txt"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("x")
        else:
            save(tmp_path / name, RAMP, **({"format": "PNG"} if name.lower().endswith("png") else {}))
    source = open_video(tmp_path)
    assert [(f.name, f.index, f.time) for f in source] == [
        ("f2", 0, 0.0),
        ("f9", 1, 1 / 24),
        ("f10", 2, 2 / 24),
    ]
    assert (source.fps, source.frame_count, source.duration) == (24.0, 3, 3 / 24)
    fast = open_video(tmp_path, fps=10, start=0.1, every=2)
    assert [(f.name, f.index, f.time) for f in fast] == [("f9", 1, 0.1)]
    with pytest.raises(InputError, match=r"fps 0 makes no sense"):
        open_video(tmp_path, fps=0)


def test_folder_of_mixed_sizes(tmp_path):
    save(tmp_path / "a.png", RAMP)
    save(tmp_path / "b.png", RAMP[:40])
    with pytest.raises(InputError, match=r"b\.png is 64x40 pixels, but a\.png is 64x48"):
        open_video(tmp_path)


def test_folder_with_a_damaged_picture(tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.png", np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:1000])
    source = open_video(tmp_path)
    assert [f.index for f in source] == [0, 1]
    assert source.problem == (
        f"{tmp_path} is damaged in 2.png after frame 1 (0.0 s): 2 frames can be read, 4 were expected"
    )


def test_davis_folder(shared_data):
    folder = shared_data / "vos" / "JPEGImages" / "libby"
    source = open_video(folder, every=20)
    assert [f.name for f in source] == ["00000", "00020", "00040"]
    assert source.size == (854, 480)
    assert len(picture_files(folder)) == 49


@pytest.mark.parametrize("name", ["a.png", "Übung 画像.png", "b.JPG"])
def test_write_and_read(name, tmp_path):
    image = RAMP if name.endswith("png") else np.full((48, 64, 3), (200, 90, 30), np.uint8)
    path = write_image(tmp_path / name, image)
    assert np.abs(read_image(path).astype(int) - image).max() <= (0 if name.endswith("png") else 3)
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"known endings of pictures are .png, .jpg and .jpeg"):
        write_image(tmp_path / "a.gif", RAMP)
    with pytest.raises(OutputError, match=r"cannot write .*a.png: No such file or directory"):
        write_image(tmp_path / "nowhere" / "a.png", RAMP)
    with pytest.raises(OutputError, match=r"cannot write .*a.png: Not a directory"):
        write_image(tmp_path / "file" / "a.png", RAMP)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OutputError, match=r"b.png: it is a folder"):
        write_image(tmp_path / "b.png", RAMP)
