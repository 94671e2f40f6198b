"""Train on the handwritten digits, look at the result, then write the training step yourself."""

import twingrad as tg
from twingrad import functional as F
from twingrad import nn, optim

data = tg.data.load("digits").split(seed=0)  # .train .dev .test
model = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10), seed=0)
history = tg.fit(model, data, loss="cross_entropy", optimizer=optim.Adam(lr=1e-3), epochs=30, device="auto", seed=0)
print(model.summary())
print(f"best: {history.best}; {history.seconds:.1f} s on {history.device}, {history.path}, {history.step} step")
print(f"test accuracy {tg.train.evaluate(model, data.test).accuracy:.2%}")

model.to("cpu")  # or "cuda"
opt = optim.Adam(model, lr=1e-3)


def step(x, y):
    """One update: what `fit` does with each mini-batch."""
    loss = F.softmax_cross_entropy(model(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss


if history.step == "captured":  # else it says why not: no compiled kernels, for example
    step = tg.capture(step)  # a bound replay of the step's kernels, without Python
for _ in range(200):
    loss = step(data.train.x[:128], data.train.y[:128])
print(f"loss on 128 examples after 200 steps of our own: {float(loss):.5f}")
