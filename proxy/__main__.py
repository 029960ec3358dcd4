"""`python -m proxy` is `flyball`."""

from proxy.cli import main

raise SystemExit(main())
