"""Tuning of hyperparameters on Optuna (extra `tune`): scales, search strategies, many trials or one model babysat."""

from twingrad.tune.babysit import Babysit
from twingrad.tune.pictures import importance_png, slices_png
from twingrad.tune.report import Pruned, Report
from twingrad.tune.result import Search, Trial
from twingrad.tune.scales import Choice, Integers, LogUniform, OneMinusLogUniform, Scale, Uniform
from twingrad.tune.search import search
from twingrad.tune.space import default_space

__all__ = [
    "Babysit",
    "Choice",
    "Integers",
    "LogUniform",
    "OneMinusLogUniform",
    "Pruned",
    "Report",
    "Scale",
    "Search",
    "Trial",
    "Uniform",
    "default_space",
    "importance_png",
    "search",
    "slices_png",
]
