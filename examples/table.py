"""A table with text: from a CSV file to predictions in another, in Python and on the command line."""

import csv
import random
import tempfile
from pathlib import Path

import twingrad as tg
from twingrad.cli import main
from twingrad.train import dense, evaluate, load_model, predict


def write(path, rows, seed):
    """Invented homes: the price depends on the area, and on the city and kind, which are text."""
    draw = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["city", "kind", "area", "price"])
        for _ in range(rows):
            city, kind, area = (
                draw.choice(["Oslo", "Rome", "Łódź"]),
                draw.choice(["flat", "house"]),
                draw.uniform(20, 200),
            )
            price = area * {"Oslo": 9, "Rome": 5, "Łódź": 2}[city] + 300 * (kind == "house") + draw.gauss(0, 20)
            writer.writerow([city, kind, f"{area:.1f}", f"{price:.2f}"])


folder = Path(tempfile.mkdtemp())
write(folder / "homes.csv", 600, seed=0)
write(folder / "new.csv", 3, seed=1)

homes = tg.data.load(folder / "homes.csv", target="price")
print(f"{homes}: {homes.task}, because {homes.task_reason}")
data = homes.split(seed=0)
preprocessing = tg.data.Preprocessing.fit(data.train)  # learned from the train part alone; text becomes 0 and 1
print(f"the network sees {', '.join(preprocessing.column_names)}")
model = dense(preprocessing.width, homes.outputs, hidden=[64, 32], seed=0)
run = folder / "run"
tg.fit(model, data, epochs=100, batch_size=32, preprocessing=preprocessing, device="cpu", out=run)
measured = evaluate(model, data.test)
print(f"test: R2 {measured.r2:.4f}, off by {measured.mae:.1f} on average")

new = tg.data.load(folder / "new.csv", target="price")
print("predicted", predict(load_model(run), new.x).ravel().round(1), "actual", new.y.round(1))

# The same by commands: `twingrad train --data homes.csv --target price`, and then
code = main(["predict", str(run), "--data", str(folder / "new.csv"), "--out", str(folder / "prices.csv")])
print((folder / "prices.csv").read_text(), end="")
raise SystemExit(code)
