"""`python -m som_agent` is `som-agent`."""

from som_agent.cli import main

main()
