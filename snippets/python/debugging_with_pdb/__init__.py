"""Sessions of pdb as text, and what is behind pdb: two debuggers of our own, and a remote one.

The programs to debug lie in ``demo``: a script and the module that it imports, both plain files.
Left out: stepping through generators and coroutines, threads, setting breakpoints by name.

Symbols: F, the frame where the debugger stands; P(F), the frame that called it.
"""

from .figures import figure_cost, figure_stops
from .remote import remote_set_trace, serve_commands
from .sessions import DEMO, demo_with, import_demo, post_mortem_transcript, run_pdb, transcript
from .tracer import MiniPdb, MonitoringPdb, Stop
from .versions import version_facts

__all__ = [
    "DEMO",
    "MiniPdb",
    "MonitoringPdb",
    "Stop",
    "demo_with",
    "figure_cost",
    "figure_stops",
    "import_demo",
    "post_mortem_transcript",
    "remote_set_trace",
    "run_pdb",
    "serve_commands",
    "transcript",
    "version_facts",
]
