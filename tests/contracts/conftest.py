from collections.abc import Iterator

import pytest
import torch

pytest.register_assert_rewrite("tests.contracts.first_step")


@pytest.fixture(scope="module")
def deterministic() -> Iterator[None]:
    """Refuse what training would refuse; networks are so small that threads would only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
