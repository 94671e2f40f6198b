"""Reading ahead: in order, bounded, errors delivered, and no thread left behind."""

import gc
import threading
import time
import traceback
import weakref

import pytest

from twingrad.data import Prefetch, prefetch

from processes import PATIENCE, wait_for


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "twingrad prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left(monkeypatch):
    monkeypatch.setattr(prefetch, "PATIENCE", PATIENCE)
    if threads():
        gc.collect()  # what another test dropped
    assert not threads()
    yield
    assert not threads()


class Source:
    """Counts what was taken; fails at `fails`; tells whether it was closed."""

    def __init__(self, n=1000, fails=None):
        self.n, self.fails, self.taken, self.closed = n, fails, 0, False

    def __iter__(self):
        try:
            for item in range(self.n):
                if item == self.fails:
                    raise KeyError(f"item {item}")
                self.taken += 1
                yield item
        finally:
            self.closed = True


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_all_in_order(depth):
    ahead = Prefetch(Source(50), depth)
    assert list(ahead) == list(range(50))
    assert list(ahead) == []


@pytest.mark.parametrize("depth", [1, 4])
def test_no_more_than_depth_ahead(depth):
    source = Source()
    with Prefetch(source, depth) as ahead:
        assert next(ahead) == 0
        wait_for(lambda: source.taken == depth + 2)  # given away, in the queue, and in hand
        time.sleep(0.02)
        assert source.taken == depth + 2


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_comes_in_its_place_with_its_traceback(depth):
    ahead, found = Prefetch(Source(fails=3), depth), []
    with pytest.raises(KeyError, match="item 3") as caught:
        found.extend(iter(lambda: next(ahead), None))
    assert "__iter__" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    with pytest.raises(StopIteration):
        next(ahead)


def test_items_before_an_error_are_delivered():
    found = []
    with pytest.raises(KeyError):
        list(map(found.append, Prefetch(Source(fails=3))))
    assert found == [0, 1, 2]


LEAVING = {
    "break": lambda ahead: next(ahead),
    "close": lambda ahead: ahead.close(),
    "close twice": lambda ahead: (ahead.close(), ahead.close()),
    "close before the first": lambda ahead: ahead.close(),
    "with": lambda ahead: ahead.__exit__(None, None, None),
}


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_leaving_ends_the_thread_and_closes_the_source(leave, depth):
    source = Source()
    ahead = Prefetch(source, depth)
    next(ahead)
    leave(ahead)
    gone = weakref.ref(ahead)
    del ahead
    gc.collect()
    assert gone() is None
    assert not threads()
    assert source.closed


def test_an_exception_in_the_loop_ends_the_thread():
    source = Source()
    with pytest.raises(ZeroDivisionError), Prefetch(source) as ahead:
        [1 / item for item in ahead]
    assert source.closed


def test_after_close_there_is_nothing_more():
    ahead = Prefetch(Source())
    next(ahead)
    ahead.close()
    assert list(ahead) == []


def test_a_source_that_is_still_computing_is_left_to_its_thread(monkeypatch):
    monkeypatch.setattr(prefetch, "PATIENCE", 0.0)
    entered, release = threading.Event(), threading.Event()

    def slow():
        entered.set()
        release.wait(PATIENCE)
        yield 0

    ahead = Prefetch(slow())
    entered.wait(PATIENCE)
    (thread,) = threads()
    try:
        ahead.close()
        ahead.close()
        assert list(ahead) == []
    finally:
        release.set()
        thread.join(PATIENCE)


def test_close_frees_whoever_waits():
    release = threading.Event()

    def slow():
        release.wait(PATIENCE)
        yield 0

    ahead, found = Prefetch(slow()), []
    waiting = threading.Thread(target=lambda: found.append(next(ahead, "nothing")))
    waiting.start()
    release.set()
    ahead.close()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert found[0] in (0, "nothing")
