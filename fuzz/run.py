"""Fuzzes the parsers and the stack: `run.py [--seconds N] [TARGET...]`, each target for N seconds (60).

What atheris finds new goes to `build/fuzz/TARGET`, and so does an input that makes a target raise or hang.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent))

#: An input that takes longer is a finding, in seconds; so is one that takes more memory, in MB.
TIMEOUT = 5
MEMORY = 1024
MAX_LENGTH = 70_000


def fuzz(name: str, seconds: int) -> None:
    """Runs one target in this process; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["sipsimple", "msrplib"]):
        from targets import TARGETS
    target, seeds = TARGETS[name]
    # the first call imports what the target needs, instrumented
    with atheris.instrument_imports(include=["sipsimple", "msrplib"]):
        target(b"")
    logging.disable(logging.CRITICAL)
    work = ROOT / "build" / "fuzz" / name
    work.mkdir(parents=True, exist_ok=True)
    options = [
        *(f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", f"-max_len={MAX_LENGTH}"),
        *(f"-artifact_prefix={work}/crash-", "-verbosity=0", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *options, str(work), *(str(ROOT / seed) for seed in seeds)], target)
    atheris.Fuzz()


def main() -> int:
    from targets import TARGETS

    parser = argparse.ArgumentParser(description="Fuzz the parsers and the stack.")
    parser.add_argument("--seconds", type=int, default=60, help="for how long each target runs")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    unknown = set(names) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.here:
        fuzz(names[0], arguments.seconds)
    failed = []
    for name in names:
        command = [sys.executable, __file__, "--here", "--seconds", str(arguments.seconds), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
        executed = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(f"{name}: {'FAILED' if done.returncode else 'ok'} {executed[0].split()[-1] if executed else '?'} inputs")
        if done.returncode:
            failed.append(name)
            print(done.stdout[-4000:], done.stderr[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
