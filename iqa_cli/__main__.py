"""Run as `python -m iqa_cli`."""

from iqa_cli.cli.app import main

main()
