"""Codecs of rows: every storable number is read back correctly."""

from __future__ import annotations

import numpy as np
import pytest

from idia_index.indexes.codecs import Float16


def float16_numbers() -> np.ndarray:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return every[np.isfinite(every)]


def test_every_float16_is_decoded_as_numpy_does() -> None:
    codes = float16_numbers()
    expected = codes.astype(np.float32)
    assert (Float16().decode(codes).view(np.uint32) == expected.view(np.uint32)).all()


def test_also_where_a_library_takes_subnormal_numbers_for_zero() -> None:
    torch = pytest.importorskip("torch")
    codes = float16_numbers()
    expected = codes.astype(np.float32)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        found = Float16().decode(codes)
    finally:
        torch.set_flush_denormal(False)
    assert (found.view(np.uint32) == expected.view(np.uint32)).all()


def test_what_is_no_number_is_not_taken_for_a_row_of_unit_length() -> None:
    codes = np.array([np.inf, -np.inf, np.nan], np.float16)
    assert not (np.abs(Float16().decode(codes)) <= 2).any()
