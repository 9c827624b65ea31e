"""A robot that finds things in a room by what som-agent's tools tell it; see docs/robot.md."""
