"""Search threads: process-wide settings are restored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info

from idia_index.support.threads import one_blas_thread


def blas_threads() -> list[int]:
    pools = (pool for pool in threadpool_info() if pool.get("threading_layer") == "pthreads")
    return [pool["num_threads"] for pool in pools]


@pytest.fixture
def before() -> list[int]:
    found = blas_threads()
    if not found or max(found) == 1:
        pytest.skip("NumPy's BLAS has one thread, or none whose threads can be set")
    return found


def test_every_thread_gets_one_and_the_setting_is_put_back(before: list[int]) -> None:
    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        assert {*blas_threads(), *pool.submit(blas_threads).result()} == {1}
    assert blas_threads() == before


def test_it_is_put_back_after_an_error(before: list[int]) -> None:
    with pytest.raises(ValueError, match="wrong"), one_blas_thread():
        raise ValueError("wrong")
    assert blas_threads() == before


def test_searches_of_other_threads_leave_it_as_it_is(before: list[int]) -> None:
    def search() -> list[int]:
        with one_blas_thread():
            return blas_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(search).result() == before
        with one_blas_thread():
            assert set(pool.submit(search).result()) == {1}
            assert set(blas_threads()) == {1}
    assert blas_threads() == before
