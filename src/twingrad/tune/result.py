"""What a search came to: its trials, the best one, and which hyperparameters mattered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from twingrad.tune.scales import Scale
from twingrad.tune.store import DIVERGED, TRIAL, quiet_optuna

FEW = 6
"""Below so many trials nothing is said of importance."""


@dataclass(frozen=True)
class Trial:
    """A trial: its values, and what they came to.

    index: its place in the search. value: None where there is none. state: "complete", "pruned", "diverged", "failed",
    "running". reports: what it told along the way. seconds: of its last attempt.
    """

    index: int
    values: dict[str, Any]
    value: float | None
    state: str
    reports: tuple[float, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    reason: str = ""

    def __str__(self) -> str:
        told = ", ".join(f"{name} {shown(value)}" for name, value in self.values.items())
        return f"trial {self.index}: {self.state if self.value is None else f'{self.value:.6g}'} ({told})"


def trial_of(frozen: Any) -> Trial:
    """The trial that Optuna holds."""
    about = frozen.user_attrs
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = DIVERGED if about.get("reason") == DIVERGED else names.get(frozen.state.name, "running")
    value = frozen.value if state == "complete" else None
    reports = tuple(frozen.intermediate_values[step] for step in sorted(frozen.intermediate_values))
    rest = {"seconds": about.get("seconds", 0.0), "reason": about.get("reason", "")}
    return Trial(**about[TRIAL], value=value, state=state, reports=reports, **rest)


class Search:
    """The trials of a search in the order of their indices.

    maximize: whether more is better. even: the first so many trials are spread evenly over the space.
    study: Optuna's, for its own tools.
    """

    def __init__(self, study: Any, space: dict[str, Scale], trials: list[Trial], maximize: bool, even: int) -> None:
        self.study, self.space, self.trials, self.maximize, self.even = study, space, trials, maximize, even

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    def trial(self, index: int) -> Trial:
        """The one with that index. Raises IndexError where none of that index has ended."""
        for trial in self.trials:
            if trial.index == index:
                return trial
        raise IndexError(f"no trial {index} among the {len(self)} that have ended")

    @property
    def ranked(self) -> list[Trial]:
        """The complete trials, the best first."""
        complete = [trial for trial in self.trials if trial.value is not None]
        return sorted(complete, key=lambda trial: trial.value or 0.0, reverse=self.maximize)

    @property
    def best(self) -> Trial:
        """The complete trial with the best value, the first of equals. Raises ValueError where none is complete."""
        if not self.ranked:
            raise ValueError(f"none of the {len(self)} trials is complete: {', '.join(map(str, self.trials[:3]))}")
        return self.ranked[0]

    @property
    def known(self) -> list[tuple[Trial, float]]:
        """Trials and what is known of each: its value; of a pruned one the last report; of a diverged one the worst."""
        found = {each.index: each.reports[-1] for each in self.trials if each.state == "pruned" and each.reports}
        found |= {each.index: each.value for each in self.trials if each.value is not None}
        if not found:
            return []
        worst = min(found.values()) if self.maximize else max(found.values())
        lost = [each.index for each in self.trials if each.state == DIVERGED]
        found |= dict.fromkeys(lost, worst)
        return [(each, found[each.index]) for each in self.trials if each.index in found]

    def importance(self) -> dict[str, float]:
        """How much each hyperparameter decides whether a trial is among the best third, largest first; the sum is 1.

        By Optuna's PED-ANOVA, over `known`; of a search from coarse to fine only the first round, which alone is drawn
        evenly. A rough guide: of 20 trials it may take chance for a cause. Empty below six trials, or where all values
        are alike. Source: Watanabe, Bansal and Hutter 2023, "PED-ANOVA".
        """
        known = [(trial, value) for trial, value in self.known if trial.index < self.even]
        if len(known) < FEW or len({value for _, value in known}) == 1:
            return {}
        labels = {scale.label(name): name for name, scale in self.space.items()}
        distributions = {label: self.space[name].distribution() for label, name in labels.items()}
        with quiet_optuna() as optuna:
            study = optuna.create_study(direction="maximize" if self.maximize else "minimize")
            for trial, value in known:
                params = {label: self.space[name].inner(trial.values[name]) for label, name in labels.items()}
                study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=1 / 3)
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {labels[label]: float(share) for label, share in found.items()}

    def __repr__(self) -> str:
        return f"Search({len(self)} trials; best {self.best if self.ranked else 'none'})"


def shown(value: Any) -> str:
    """A hyperparameter as people read it.

    >>> shown(0.00123456), shown(0.99912345), shown(0.9), shown("relu")
    ('0.00123', '0.99912', '0.9', 'relu')
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:.5f}".rstrip("0") if 0.9 <= value < 1 else f"{value:.3g}"
