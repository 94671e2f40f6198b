"""`python -m twingrad` is the command `twingrad`."""

from twingrad.cli import main

raise SystemExit(main())
