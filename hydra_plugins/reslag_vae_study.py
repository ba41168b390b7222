"""Hydra's sweeper for studies.

Hydra finds sweepers only in this namespace, and imports it at every start: it must be light.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, UserError, first_line
from reslag_vae.studies.grid import DATA, MODEL, SEED, Axes, Job, jobs, seed_after_seed

log = logging.getLogger(__name__)


class StudySweeper(Sweeper):
    """A sweeper that runs what is left of a study, with whichever launcher is chosen.

    Args:
        grids: values of each axis, for each grid.
        questions: questions that the report is to answer.
        retry: whether failed runs are run again.
    """

    def __init__(
        self, grids: list[dict[str, Any]], questions: list[dict[str, Any]], retry: bool
    ) -> None:
        self.grids: list[Axes] = [axes_of(grid) for grid in plain(grids)]
        self.questions, self.retry = plain(questions), retry

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the configuration, and create the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Sequence[JobReturn]:
        """Run the study for the overrides of a command line; see `run`.

        Errors that a user can mend become Hydra's own, which it prints without a traceback.
        """
        try:
            return self.run(arguments)
        except UserError as error:
            # Hydra prints this one without a traceback.
            raise CompactHydraException(str(error)) from None
        except (KeyboardInterrupt, SystemExit):
            log.info("Stopped: start it again to go on.")
            raise

    def run(self, arguments: list[str]) -> Sequence[JobReturn]:
        """Launch every run that is left, then print how far the study is.

        Raises:
            ConfigError: the study has no such option or value, a question is about none of its
                rows, or there is nothing to run.
            RunError: a folder holds a run with other settings.
            CompactHydraException: a run has no result, or the launcher ended before its runs did.
        """
        from reslag_vae.studies import overview, plan
        from reslag_vae.training.job import refuse_other_folder

        assert self.config is not None, "set up"
        assert self.hydra_context is not None, "set up"
        if self.config.get("resume") is not None:
            raise ConfigError("resume= takes one run: leave out experiment= and -m.")
        if type(self.retry) is not bool:
            raise ConfigError(f"hydra.sweeper.retry={self.retry}: must be true or false.")
        refuse_other_folder(self.config.hydra.overrides.hydra, multirun=True)
        if not self.grids:
            raise ConfigError("This study has no runs: hydra.sweeper.grids is empty.")
        folder = Path(self.config.hydra.sweep.dir)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        asked = jobs(self.grids, chosen_by(parser.parse_overrides(arguments)))
        if not asked:
            raise ConfigError("This study has no such run: no grid of it has all that is chosen.")
        questions = [plan.parse_question(node) for node in self.questions]
        all_of_it = jobs(self.grids, {})
        plan.check_questions(questions, [*all_of_it, *asked, *plan.planned(folder).jobs])
        log.info("%d runs in %s", len(asked), folder)
        for job in asked:
            self.check(job, folder)
        plan.add_to_plan(folder, asked, questions, all_of_it)
        before = overview.run_statuses(folder, asked)
        overview.print_status(before)
        launched = seed_after_seed(job for job, own in before.items() if self.is_to_run(own.state))
        results: Sequence[JobReturn] = ()
        if launched:
            results = self.launch(launched)
            overview.print_status(overview.run_statuses(folder, asked))
        finish(overview.run_statuses(folder, asked))
        return results

    def launch(self, launched: Sequence[Job]) -> Sequence[JobReturn]:
        """Launch runs, and wait for them.

        Raises:
            CompactHydraException: the launcher ended before its runs did, for example because one
                of its processes was killed.
        """
        assert self.launcher is not None, "set up"
        try:
            return self.launcher.launch([overrides_of(job) for job in launched], initial_job_idx=0)
        except Exception as error:  # launchers are others' code, with exceptions of their own
            raise CompactHydraException(
                f"The launcher ended before its runs did ({type(error).__name__}: "
                f"{first_line(error)}). Nothing is lost: start the study again to go on."
            ) from error

    def is_to_run(self, state: Any) -> bool:
        """Return whether a run in this state is to be launched."""
        from reslag_vae.studies.run_state import State

        if state is State.FAILED:
            return self.retry
        return state in (State.TO_GO, State.INTERRUPTED, State.REFUSED)

    def check(self, job: Job, folder: Path) -> None:
        """Compose a run's configuration, check it, and compare it with that in the run's folder.

        Raises:
            ConfigError: the run has no such option or value.
            RunError: the run's folder holds a run with other settings.
        """
        from reslag_vae.training.second_stage import staged
        from reslag_vae.training.study_job import check_run

        assert self.config is not None, "set up"
        assert self.hydra_context is not None, "set up"
        composed = self.hydra_context.config_loader.load_sweep_config(
            self.config, overrides_of(job)
        )
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        own = folder / job.folder
        check_run(staged(composed, job.overrides, own), own)


def finish(statuses: Any) -> None:
    """Raise a CompactHydraException if a run has no result for a reason.

    The exit code of the command then says so.
    """
    without = [own for own in statuses.values() if own.reason]
    if without:
        raise CompactHydraException(
            f"{len(without)} of {len(statuses)} runs have no result, the others are not touched by "
            "it. hydra.sweeper.retry=true runs once more what has failed."
        )


def plain(node: Any) -> Any:
    """Return a node of the configuration in Python's own containers."""
    return OmegaConf.to_container(node) if OmegaConf.is_config(node) else node


def axes_of(grid: dict[str, Any]) -> dict[str, list[str]]:
    """Return a grid of the configuration, with its values as on the command line."""
    axes = {}
    for name, values in grid.items():
        listed = values if isinstance(values, list) else [values]
        axes[name] = [str(value) for value in listed]
    return axes


def chosen_by(overrides: Sequence[Override]) -> dict[str, list[str]]:
    """Return the values of each option on the command line.

    Raises:
        ConfigError: it is swept in a way that has no list of values, or an axis that every run has
            gets a list.
    """
    chosen = {}
    for override in overrides:
        key = override.get_key_element()
        if key in (DATA, MODEL, SEED) and isinstance(override.value(), list):
            raise ConfigError(
                f"{override.input_line}: a study takes values without brackets, as in seed=0,1,2."
            )
        if not override.is_sweep_override():
            chosen[key] = [override.get_value_element_as_str()]
        elif override.is_discrete_sweep():
            chosen[key] = list(override.sweep_string_iterator())
        else:
            raise ConfigError(
                f"{override.input_line}: a study takes lists of values, as in seed=0,1,2."
            )
    return chosen


def overrides_of(job: Job) -> list[str]:
    """Return the overrides of a run that Hydra is given."""
    return [*job.overrides, f"hydra.sweep.subdir={job.folder}"]
