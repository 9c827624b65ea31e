"""`make demo`: a shell game is watched, the marked video written, and questions answered from its tracks."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from som_agent import Session, open_video, read_run
from som_agent.grounding import ask
from som_agent.runs.record import record

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"
OUT = Path("out/demo")
QUESTIONS = (
    "Which mark is yellow?",
    "When is the yellow mark visible?",
    "Which marks are red at the end?",
    "Which red mark is above the yellow mark at the end?",
)


def main() -> int:
    """Track the clip, keep the run, and ask it."""
    console = Console()
    with open_video(CLIP) as video, Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("tracking", total=video.frame_count)

        def on_frame() -> bool:
            bar.advance(task)
            return True

        record(video, Session(), OUT, on_frame=on_frame)
    run = read_run(OUT)
    for question in QUESTIONS:
        answer = ask(question, run.history, run.pictures)
        console.print(f"\n[bold]{question}[/bold]")
        console.print(answer.text, markup=False)
    console.print(f"\nThe marked video: [bold]{OUT / 'marked.mp4'}[/bold]")
    console.print(f'Ask on: .venv/bin/som-agent ask {OUT} "Which marks move?"', markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
