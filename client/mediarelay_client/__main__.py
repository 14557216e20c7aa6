"""`python -m mediarelay_client`: the command."""

import sys

from mediarelay_client.command import main

sys.exit(main())
