"""What a process that `running.fork` starts runs, by path: a script, as if a shell had started it.

The arguments are an order, the script, and its own arguments.
"""

import gc
import json
import os
import runpy
import signal
import sys

from shortcuts import DIGITS

gc.freeze()  # what was loaded before the fork stays
gc.set_threshold(20_000, 20, 20)
_, order, *sys.argv = sys.argv
wanted = json.loads(order)
os.chdir(wanted["folder"])
os.environ.clear()
os.environ.update(wanted["environment"])
for stream, path in zip((sys.stdout, sys.stderr), wanted["files"], strict=True):
    with open(path, "w") as file:
        os.dup2(file.fileno(), stream.fileno())
for owner, name, own in DIGITS.get(os.environ.get("DIGITS", ""), ()):
    setattr(owner, name, own)
os.setsid()  # what is sent to it and its own processes does not reach the tests
# A shell starts what runs in its background with SIGINT ignored, and all below inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path(sys.argv[0], run_name="__main__")
