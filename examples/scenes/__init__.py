"""Scenes with exact ground truth, rendered by PyBullet on any CPU (extra `robot`)."""

from examples.scenes.model import SceneFrame, SceneObject
from examples.scenes.recorder import TruthRecorder
from examples.scenes.scene import KINDS, Scene, make_scene
from examples.scenes.truth import Question, SceneTruth, load_truth

__all__ = [
    "KINDS",
    "Question",
    "Scene",
    "SceneFrame",
    "SceneObject",
    "SceneTruth",
    "TruthRecorder",
    "load_truth",
    "make_scene",
]
