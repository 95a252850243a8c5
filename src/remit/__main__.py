"""`python -m remit`: the command line."""

from remit.cli import main

raise SystemExit(main())
