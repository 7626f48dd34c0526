"""`python -m bot` is `hat`."""

from bot.cli import main

main()
