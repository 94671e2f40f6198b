"""The captured step on a GPU: a CUDA graph whose replays leave the bits of plain steps, on the stand-in's streams."""

from __future__ import annotations

import cuda_on_host
import numpy as np
import pytest

import twingrad as tg
from twingrad import backends, fusable, nn, optim
from twingrad import functional as F
from twingrad.data import Resident, batches
from twingrad.kernels.cuda import graph, launching
from twingrad.precision import use_precision

import fake_cublaslt
import fake_memory
import fake_streams
import networks
from captured_cases import EVERYTHING, batch_of, step_of
from mixes import MIXES, Mixed

pytestmark = pytest.mark.skipif(
    cuda_on_host.compiler() is None, reason="no C++ compiler to run the CUDA sources on the host"
)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    yield cuda_on_host.stand_in(monkeypatch)
    assert not fake_streams.entered()


def there(array):
    return backends.get("cuda").asarray(array)


def state_of(model, optimizer=None):
    """All that a training step changes, as NumPy arrays."""
    found = networks.everything(model, optimizer)
    return {name: np.asarray(value.get() if hasattr(value, "get") else value) for name, value in found.items()}


def trained(wrap, optimizer="adam", steps=5, before=lambda number, optimizer: None, dtype=np.float32, **options):
    """The losses of `steps` steps on the GPU, and what the model and its optimizer hold afterwards."""
    model = networks.network(dtype)
    model.to("cuda")
    step_of = networks.OPTIMIZERS[optimizer](model, **options)
    step = wrap(networks.stepper(model, step_of))
    losses = []
    for number in range(steps):
        before(number, step_of)
        x, y = networks.batch(dtype=dtype, seed=number)
        losses.append(step(there(x), there(y)).data.get().tobytes())
    return losses, state_of(model, step_of)


def assert_alike(**options):
    """Captured and plain steps leave the same bits."""
    captured, plain = trained(tg.capture, **options), trained(lambda step: step, **options)
    assert captured[0] == plain[0]
    networks.assert_same_bits(captured[1], plain[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", networks.OPTIMIZERS)
def test_captured_steps_equal_plain_ones(optimizer, dtype):
    assert_alike(optimizer=optimizer, dtype=dtype)


def after_steps(what, wrap):
    """Losses and state after three steps of a case of `captured_cases`."""
    model, rule, step = step_of(*what, np.float32)
    model.to("cuda")
    step = wrap(step)
    losses = {f"loss {i}": step(*map(there, batch_of(*what[:2], np.float32, i))).data.get() for i in range(3)}
    return losses | state_of(model, rule)


@pytest.mark.parametrize("what", EVERYTHING, ids=", ".join)
def test_every_layer_loss_and_optimizer(what):
    networks.assert_same_bits(after_steps(what, tg.capture), after_steps(what, lambda step: step))


def test_learning_rates_change_between_replays():
    def before(number, optimizer):
        optimizer.lr = 0.02 / (number + 1)

    assert_alike(before=before)
    assert_alike(optimizer="clipped", lr=lambda step: 0.01 / (step + 1))


def mixed(mix, dtype, wrap, precision="float32"):
    """Losses of a network that computes with xp between its layers, and what it holds afterwards."""
    model = Mixed(MIXES[mix], dtype, 40)
    model.to("cuda")
    optimizer = networks.OPTIMIZERS["adam"](model)
    step, losses = wrap(networks.stepper(model, optimizer)), []
    with use_precision(precision):
        for number in range(3):
            losses.append(step(*map(there, networks.batch(32, dtype, seed=number))).data.get().tobytes())
    return losses, state_of(model, optimizer)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mix", MIXES)
def test_arithmetic_of_tensors_belongs_to_the_graph(mix, dtype):
    captured, plain = mixed(mix, dtype, tg.capture), mixed(mix, dtype, lambda step: step)
    assert captured[0] == plain[0]
    networks.assert_same_bits(captured[1], plain[1])


def test_arithmetic_of_bfloat16_belongs_to_the_graph():
    pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 is that of ml_dtypes, of the extra bf16")
    mix = "a residual sum"
    captured, plain = (mixed(mix, np.float32, wrap, "bf16") for wrap in (tg.capture, lambda step: step))
    assert captured[0] == plain[0]
    networks.assert_same_bits(captured[1], plain[1])


@pytest.mark.parametrize("weight", [0.25, 2])
def test_a_sum_of_losses(weight):
    states = []
    for wrap in (tg.capture, lambda step: step):
        model = networks.network()
        model.to("cuda")
        optimizer = optim.SGD(model, lr=0.1)

        def step(x, y, values, model=model, optimizer=optimizer):
            logits = model(x)
            loss = F.softmax_cross_entropy(logits, y) + weight * F.mean_squared_error(logits, values)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        step = wrap(step)
        for i in range(3):
            x, y = networks.batch(seed=i)
            step(there(x), there(y), there(np.ones((len(x), networks.OUT), np.float32)))
        states.append(state_of(model, optimizer))
    networks.assert_same_bits(*states)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + there(np.ones(networks.IN, np.float32)), "takes equal shapes, or an array and a single number"),
        (lambda x: x * there(np.ones(x.shape, np.int64)), "an argument has dtype int64, where float32 is needed"),
        (lambda x: x.sum(), "xp.sum cannot be captured: its kernel takes NumPy arrays"),
    ],
)
def test_arithmetic_that_a_graph_cannot_hold_is_refused_by_name(function, message):
    with pytest.raises(tg.CaptureError, match=message):
        tg.capture(lambda x: function(F.relu(x)))(there(networks.batch()[0]))


@pytest.mark.parametrize("count", [3, 700])
def test_embeddings_are_looked_up_and_learned_inside_the_graph(count):
    states = []
    for wrap in (tg.capture, lambda step: step):
        model = nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 3), seed=1)
        model.to("cuda")
        optimizer = optim.Adam(model, lr=0.01)
        step = wrap(networks.stepper(model, optimizer))
        for seed in range(3):
            rng = np.random.default_rng(seed)
            step(there(rng.integers(0, 9, count)), there(rng.integers(0, 3, count)))
        states.append(state_of(model, optimizer) | {"gradient": model[0].weight.grad.get()})
    networks.assert_same_bits(*states)


def test_a_replay_is_one_graph_and_runs_no_kernel_of_its_own(gpu, monkeypatch):
    model = networks.network()
    model.to("cuda")
    captured = tg.capture(networks.stepper(model, optim.Adam(model, lr=0.01)))
    x, y = map(there, networks.batch())
    captured(x, y)
    monkeypatch.setattr(graph, "perform", None)
    monkeypatch.setattr(fake_cublaslt, "matmul", None)
    program = captured._program
    launched = program.graph.launches
    captured(x, y)
    assert program.graph.launches == launched + 1
    assert len(program.graph.calls) == len(program.calls)
    assert all(call.gpu == 0 for call in program.calls)
    assert repr(captured).endswith("captured>")


def test_memory_is_used_again_within_the_step_and_never_outside():
    model = nn.Sequential(*[layer for _ in range(6) for layer in (nn.Linear(40, 40), nn.Sigmoid())])
    model.to("cuda")
    optimizer = optim.SGD(model, lr=0.1)

    def step(x):
        optimizer.zero_grad()
        F.mean_squared_error(model(x), x).backward()
        optimizer.step()

    captured = tg.capture(step)
    x = there(np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32))
    captured(x)
    pool = captured._program.memory.pool
    before = pool.total_bytes()
    assert pool.used_bytes() < before < sum(1 for _ in captured._program.calls) * x.nbytes
    captured(x)
    assert pool.total_bytes() == before


def test_what_cupy_keeps_makes_room_for_a_recording(gpu, monkeypatch):
    kept, malloc = [1], fake_memory.MemoryPool.malloc

    def full(pool, size):
        if kept:
            raise MemoryError(f"no {size} bytes")
        return malloc(pool, size)

    monkeypatch.setattr(fake_memory.MemoryPool, "malloc", full)
    monkeypatch.setattr(gpu.get_default_memory_pool(), "free_all_blocks", kept.clear, raising=False)
    x = there(networks.batch()[0])
    assert (tg.capture(F.relu)(x).data.get() == F.relu(x).get()).all()
    assert not kept


def test_batches_are_gathered_inside_the_graph():
    x, y = networks.batch(40)
    states = []
    for wrap in (tg.capture, lambda step: step):
        for put in (there, np.asarray):
            model = networks.network()
            model.to("cuda")
            held, optimizer = Resident(x, y, device="cuda"), optim.Adam(model, lr=0.01)
            plain = networks.stepper(model, optimizer)
            step = wrap(lambda index, plain=plain, held=held: plain(*held.gather(index)))
            losses = [step(put(index)).data.get().tobytes() for index in batches(40, 8, seed=1, epoch=0)]
            states.append((losses, state_of(model, optimizer)))
    for losses, state in states[1:]:
        assert losses == states[0][0]
        networks.assert_same_bits(state, states[0][1])


@pytest.mark.parametrize("hidden", ["relu", "relu dropout", "sigmoid"])
@pytest.mark.parametrize("refused", [(), ("DRELU_BGRAD",), ("BGRADB",), ("BIAS", "RELU_AUX_BIAS")])
def test_dense_networks_with_and_without_epilogues(hidden, refused):
    states = []
    for wrap in (tg.capture, lambda step: step):
        fake_cublaslt.refused.update(refused)
        tail = {"relu": [nn.ReLU()], "sigmoid": [nn.Sigmoid()], "relu dropout": [nn.ReLU(), nn.Dropout(0.3)]}[hidden]
        model = nn.Sequential(nn.Linear(5, 8), *tail, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3), seed=2)
        model.to("cuda")
        optimizer = optim.SGD(model, lr=0.1)
        step = wrap(networks.stepper(model, optimizer))
        losses = [step(*map(there, networks.batch(seed=i))).data.get().tobytes() for i in range(3)]
        states.append((losses, state_of(model, optimizer)))
    assert states[0][0] == states[1][0]
    networks.assert_same_bits(states[0][1], states[1][1])


def test_without_cublaslt_plain_steps_run_and_the_reason_is_said_once(monkeypatch):
    cuda_on_host.stand_in(monkeypatch, cublaslt=False)
    fusable.clear_fused_report()
    with pytest.warns(tg.CaptureWarning, match="a matrix product on a GPU cannot be captured: nvmath-python") as said:
        found = trained(lambda step: tg.capture(step, fallback=True))
    assert len(said) == 1
    plain = trained(lambda step: step)
    assert found[0] == plain[0]
    networks.assert_same_bits(found[1], plain[1])
    (row,) = [row for row in tg.fused_report() if row["operation"] == "linear"]
    assert row["count"] == 1
    assert "a pass of their own" in row["reason"]


def test_what_cuda_refuses_in_a_capture_leaves_the_stream_usable(monkeypatch):
    model = networks.network()
    model.to("cuda")
    captured = tg.capture(networks.stepper(model, optim.Adam(model, lr=0.01)))
    x, y = map(there, networks.batch())
    before = state_of(model)

    def waits(function, grid, *args):
        fake_streams.forbid("cudaStreamSynchronize")
        function(grid, (launching.THREADS,), args)

    with monkeypatch.context() as patched:
        patched.setattr(launching, "_run", waits)
        with pytest.raises(
            tg.CaptureError, match=r"CUDA makes no graph of the step: .*not permitted when stream is capt"
        ):
            captured(x, y)
    networks.assert_same_bits(state_of(model), before)
    assert float(captured(x, y)) > 0


def test_cupy_at_work_beside_the_kernels_is_refused():
    model = networks.network()
    model.to("cuda")
    plain = networks.stepper(model, optim.SGD(model, lr=0.1))
    before = state_of(model)

    def step(x, y):
        plain(x, y)
        weight = model[0].weight.data
        weight[...] = weight * 0.5

    with pytest.raises(tg.CaptureError, match="changes an array with its library, NumPy or CuPy"):
        tg.capture(step)(*map(there, networks.batch()))
    networks.assert_same_bits(state_of(model), before)


@pytest.mark.parametrize("change", ["shape", "dtype", "mode"])
def test_a_recording_that_does_not_hold(change):
    model = networks.network()
    model.to("cuda")
    captured = tg.capture(networks.stepper(model, optim.Adam(model, lr=0.01)))
    x, y = networks.batch()
    captured(there(x), there(y))
    if change == "mode":
        model.eval()
    other = {"shape": (x[:5], y[:5]), "dtype": (x.astype(np.float64), y), "mode": (x, y)}[change]
    with pytest.raises(tg.CaptureError, match=r"was captured for \(float32\[16, 5\], int64|capture it again"):
        captured(*map(there, other))


def test_the_precision_of_a_recording_is_kept():
    model = networks.network()
    model.to("cuda")
    captured = tg.capture(networks.stepper(model, optim.Adam(model, lr=0.01)))
    x, y = map(there, networks.batch())
    captured(x, y)
    with use_precision("tf32"), pytest.raises(tg.CaptureError, match="precision is no longer 'float32'; capture it"):
        captured(x, y)


def test_a_rehearsal_copies_no_data_set(monkeypatch):
    held, model = Resident(*networks.batch(40), device="cuda"), networks.network()
    model.to("cuda")
    plain = networks.stepper(model, optim.Adam(model, lr=0.01))
    captured = tg.capture(lambda index: plain(*held.gather(index)))
    captured(np.arange(8))
    assert not {id(array) for array in held.arrays} & {id(array) for array in captured._program.arrays}
    assert {id(array) for call in captured._program.calls for array in call.keep} >= {
        id(array) for array in held.arrays
    }


def test_a_mirror_waits_for_the_copy_whose_memory_it_takes_again(gpu):
    host = np.zeros(3)
    mirror = graph.Mirror(host, there(host))
    waited = []
    slots = [next(mirror.turns) for _ in range(graph.SLOTS)]
    for slot, event in slots:
        event.synchronize = lambda slot=slot: waited.append(slot)
    for turn in range(2 * graph.SLOTS):
        host += 1
        mirror.send()
        assert len(waited) == turn + 1
        assert waited[-1] is slots[turn % graph.SLOTS][0]
        assert slots[turn % graph.SLOTS][1].recorded == turn // graph.SLOTS + 1
        assert mirror.there.get().tolist() == host.tolist()


def test_a_mirror_that_goes_waits_for_its_copies(gpu, monkeypatch):
    monkeypatch.setattr(fake_streams.World, "queued", lambda world: None)  # nothing is done before it is waited for
    host = np.zeros(3)
    target = there(host)
    mirror = graph.Mirror(host, target)
    host[...] = 7
    mirror.send()
    assert (target.host == 0).all()
    del mirror
    assert (target.host == 7).all()
