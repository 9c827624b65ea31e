"""Frames in and out: files, folders, pictures, cameras and streams; mp4, PNG and JPEG."""

from som_agent.video.folders import picture_files
from som_agent.video.frame import Frame, Image
from som_agent.video.kinds import PICTURE_SUFFIXES, is_picture
from som_agent.video.pictures import read_image, write_image
from som_agent.video.source import VideoSource, open_video
from som_agent.video.writer import VideoWriter, write_video

__all__ = [
    "PICTURE_SUFFIXES",
    "Frame",
    "Image",
    "VideoSource",
    "VideoWriter",
    "is_picture",
    "open_video",
    "picture_files",
    "read_image",
    "write_image",
    "write_video",
]
