"""`python -m elocute.cli`."""

from elocute.cli.app import main

main()
