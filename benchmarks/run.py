"""Runs all benchmarks, one after the other; `run.py NAME...` runs those whose file name holds one of the names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    scripts = sorted(Path(__file__).parent.glob("bench_*.py"))
    wanted = sys.argv[1:]
    failed = 0
    for script in scripts:
        if not wanted or any(name in script.stem for name in wanted):
            failed += subprocess.run([sys.executable, str(script)], check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
