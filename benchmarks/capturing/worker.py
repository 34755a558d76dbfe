"""One method at one length in a process of its own: ``python -m … METHOD FOLDER LAYERS N``.

It says ``{"ready": …}``; for each line that it reads it runs once and says what that cost.
The peak is what the pass adds to the memory of the process with its model loaded.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path

MODULES = {"lens": "benchmarks.capturing.lens"}


def resident(field: str) -> int:
    """Return VmRSS or VmHWM (its peak) in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def main() -> None:
    """Load the method, then run it whenever asked."""
    method, folder, layers, length = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    module = importlib.import_module(MODULES.get(method, "benchmarks.capturing.methods"))
    run = module.prepare(method, Path(folder), int(layers), int(length))
    print(json.dumps({"ready": method}), file=out, flush=True)
    base = None
    for _ in sys.stdin:
        base = base or resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        start = time.process_time()
        summary = run()
        seconds = time.process_time() - start
        peak = resident("VmHWM") - base
        said = {"seconds": seconds, "peak": peak, "summary": summary}
        print(json.dumps(said), file=out, flush=True)


if __name__ == "__main__":
    main()
