"""How a lack of memory is told from other errors."""

from __future__ import annotations

import pytest
import torch

from fmagic.models.memory import is_shortage


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_ran_out(error: BaseException) -> None:
    assert is_shortage(error)


@pytest.mark.parametrize("error", [RuntimeError("expected scalar type Byte"), ValueError("memory")])
def test_something_else_failed(error: BaseException) -> None:
    assert not is_shortage(error)
