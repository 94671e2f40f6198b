"""The average of a noisy series: a moving window against an exponentially weighted one, with and without correction.

A year of temperatures: a slow wave and noise. The window of 10 days holds the last 10 values; the exponential average
with beta = 0.9, whose window is 10 too, holds one number. Without correction it begins near 0.
"""

import math
import random

from twingrad.optim import EWA

DAYS, BETA = 365, 0.9


def weather(seed):
    """The true temperature of each day, and the measured one."""
    draw = random.Random(seed)
    true = [10 + 8 * math.sin(2 * math.pi * (day - 100) / DAYS) for day in range(DAYS)]
    return true, [value + draw.gauss(0, 3) for value in true]


def moving(series, width):
    """The mean of the last `width` values, of fewer at the beginning."""
    return [sum(series[max(0, i + 1 - width) : i + 1]) / min(width, i + 1) for i in range(len(series))]


def error(found, true, days=slice(None)):
    """The root mean squared error."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(found[days], true[days], strict=True)) / len(true[days]))


def draw(measured, curves):
    """The year, and its first month, where the correction tells: averages.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), dpi=120, layout="constrained")
    for axes, days, title in zip(figure.subplots(1, 2), (DAYS, 30), ("the year", "the first month"), strict=True):
        axes.plot(measured[:days], ".", color="#bbbbbb", markersize=3 if days > 30 else 6, label="measured")
        for name, curve in sorted(curves.items(), key=lambda one: "beta 0.5" not in one[0]):  # the noisy one below
            axes.plot(curve[:days], linewidth=1.2, label=name)
        axes.set(xlabel="day", ylabel="temperature", title=title)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    figure.savefig("averages.png")


def main():
    """Errors over the year and over its first ten days, and how far back each beta reaches."""
    true, measured = weather(seed=0)
    curves = {
        "moving window of 10": moving(measured, 10),
        f"exponential, beta {BETA}": EWA(BETA).over(measured),
        f"exponential, beta {BETA}, uncorrected": EWA(BETA, bias_correction=False).over(measured),
        "exponential, beta 0.98": EWA(0.98).over(measured),
        "exponential, beta 0.5": EWA(0.5).over(measured),
    }
    print(f"measured: off by {error(measured, true):.2f}")
    for name, curve in curves.items():
        print(f"{name}: off by {error(curve, true):.2f}, in the first ten days by {error(curve, true, slice(10)):.2f}")
    for beta in (0.5, 0.9, 0.98, 0.999):
        average = EWA(beta)
        print(f"beta {beta}: a window of {average.window:.0f}; 1/e after {average.time_constant:.4g} values")
    try:
        draw(measured, curves)
        print("picture: averages.png")
    except ImportError:
        print("no picture: pip install 'twingrad[plot]'")


if __name__ == "__main__":
    main()
