"""Entry of a worker process: `python -m pyembody.learn.worker RUN RANK SIZE PORT ITERATIONS RESUMED`."""

from __future__ import annotations

import sys
from pathlib import Path

from .distributed import worker_group
from .launch import PEER_LOST, one_core
from .run_folder import read_run
from .runner import Job, run_rank


def main(arguments: list[str]) -> int:
    """Train as one rank until rank 0 ends; return the exit status."""
    run = Path(arguments[0])
    rank, size, port, iterations, resumed = (int(a) for a in arguments[1:])
    with one_core(rank):
        group = worker_group(rank, size, port)
        try:
            run_rank(Job(run, iterations, bool(resumed)), read_run(run), group)
        except KeyboardInterrupt:  # polite or not: rank 0 says what is saved
            return 0
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        except RuntimeError as error:
            if "gloo" not in str(error):
                raise
            print(error, file=sys.stderr)
            return PEER_LOST
        finally:
            group.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
