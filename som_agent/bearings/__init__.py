"""Where marks are from the camera: bearing, elevation, range, and how fast they loom.

```python
camera = Camera.of_fov((640, 480), 50.0, height_m=0.3, pitch_deg=-10.0)
bearings = Bearings(camera)
marked = session.step(image, time=0.0)
for bearing in bearings.update(marked, session.observations):
    print(bearing.mark, bearing.azimuth_deg, bearing.range_m)
```
"""

from som_agent.bearings.bearing import Bearing
from som_agent.bearings.bearings import Bearings
from som_agent.bearings.camera import Camera

__all__ = ["Bearing", "Bearings", "Camera"]
