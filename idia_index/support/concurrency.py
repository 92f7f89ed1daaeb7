"""Work done in threads: on the next item, on several at a time, or on what is left behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_END = object()


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in order; while one is used, the next is made in a thread.

    An exception of `items` is raised where its item would have come.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, source, _END)
            yield item  # type: ignore[misc]


def in_threads(
    work: Callable[[T], R],
    items: Iterable[T],
    threads: int,
    prepare: Callable[[], None] | None = None,
) -> Iterator[tuple[T, R]]:
    """Each item with work(item), in order, computed in `threads` threads.

    One item more than there are threads is taken from `items` ahead, so that none waits for it.
    `prepare` is called once in each thread. What is left is not begun when the caller stops, or
    when an error of `work` or `items` is raised, where its item would have come.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(threads, initializer=prepare) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > threads + 1:
                    first, result = waiting.popleft()
                    yield first, result.result()
            while waiting:
                first, result = waiting.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def one_behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that takes work and returns at once, while the work is done in a thread.

    One piece is done at a time: the next call waits for the piece before, and raises its error;
    the end of the block waits for the last, also where the block ends by an error of its own.
    """
    with ThreadPoolExecutor(1) as pool:
        before: Future[None] | None = None

        def hand_over(work: Callable[[], None]) -> None:
            nonlocal before
            if before is not None:
                before.result()
            before = pool.submit(work)

        yield hand_over
        if before is not None:
            before.result()
