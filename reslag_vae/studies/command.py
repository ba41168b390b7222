"""The command that shows how far a study is.

Usage: python -m reslag_vae.study studies/table1
"""

from pathlib import Path

from reslag_vae._runtime import terminal
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.parser import Parser
from reslag_vae.studies.overview import print_status, run_statuses
from reslag_vae.studies.plan import read_plan, results_of


def main() -> None:
    """Print a study's table of runs."""
    terminal.prepare()
    parser = Parser(prog=invocation("study"), description="How far a study is.")
    parser.add_argument("study", type=Path, help="its folder, such as studies/table1")
    folder = results_of(parser.parse_args().study)
    with ended_in_words():
        print_status(run_statuses(folder, read_plan(folder).jobs))


if __name__ == "__main__":
    main()
