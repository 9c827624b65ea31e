import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video import write_image
from som_tools.roots import allowed_source, resolved_roots

Blocks = Callable[[int], np.ndarray]


@pytest.fixture
def roots(root: Path) -> tuple[Path, ...]:
    return resolved_roots([root])


def test_inside(root: Path, roots: tuple[Path, ...]) -> None:
    wanted = root.resolve() / "blocks.mp4"
    for source in ("blocks.mp4", str(wanted), "./blocks.mp4", "../videos/blocks.mp4"):
        assert allowed_source(source, roots) == wanted


def test_a_link_that_stays_inside_is_fine(root: Path, roots: tuple[Path, ...]) -> None:
    (root / "link.mp4").symlink_to("blocks.mp4")
    assert allowed_source("link.mp4", roots) == root.resolve() / "blocks.mp4"


@pytest.mark.parametrize(
    "source",
    [
        "../secret.mp4",
        "../nothing.mp4",
        "/etc/passwd",
        "/dev/video0",
        "/dev/zero",
        "/",
        "..",
        "{tmp}/secret.mp4",
        "link.mp4",
        "folder/secret.mp4",
        "folder",
        "pictures",
        "x/../../secret.mp4",
    ],
)
def test_outside(root: Path, roots: tuple[Path, ...], blocks: Blocks, source: str) -> None:
    (root / "link.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "folder").symlink_to(root.parent)
    (root / "pictures").mkdir()
    write_image(root.parent / "secret.png", blocks(0))
    write_image(root / "pictures" / "0.png", blocks(0))
    (root / "pictures" / "1.png").symlink_to(root.parent / "secret.png")
    with pytest.raises(InputError, match="is not in a folder where videos may be opened") as error:
        allowed_source(source.replace("{tmp}", str(root.parent)), roots)
    assert str(roots[0]) in str(error.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("none.mp4", "there is no video"),
        ("0", "there is no video"),
        ("", "no video is named"),
        ("http://169.254.169.254/latest", "there is no video"),
        ("file:///etc/passwd", "there is no video"),
        ("rtsp://camera/1", "there is no video"),
        ("pipe.mp4", "there is no video"),
        ("a\0b", "cannot be looked up"),
        ("loop.mp4", "cannot be looked up"),
        ("x" * 5000, "cannot be looked up"),
    ],
)
def test_no_file(root: Path, roots: tuple[Path, ...], source: str, says: str) -> None:
    os.mkfifo(root / "pipe.mp4")
    (root / "loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(InputError, match=says):
        allowed_source(source, roots)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4.0,\n../secret.mp4\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#\xff\0\n#EXTINF:4.0,\n../secret.mp4\n",
        b"ffconcat version 1.0\nfile secret.mp4\n",
        b"\xef\xbb\xbf <?xml version='1.0' encoding='latin1'?><!-- \xff --><MPD></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
    ],
)
def test_playlists_name_other_files(root: Path, roots: tuple[Path, ...], content: bytes) -> None:
    (root / "list.m3u8").write_bytes(content)
    with pytest.raises(InputError, match="is a text, perhaps a playlist"):
        allowed_source("list.m3u8", roots)


def test_each_root_is_looked_in(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    roots = resolved_roots([other, root])
    assert allowed_source("blocks.mp4", roots) == root.resolve() / "blocks.mp4"
    with pytest.raises(InputError, match="no folder at all"):
        allowed_source("blocks.mp4", ())


def test_an_empty_root_is_not_the_current_folder() -> None:
    with pytest.raises(InputError, match="a root is empty"):
        resolved_roots([""])
