"""Whether a study's way of correcting unequal classes fits its task, and corrects once."""

from collections.abc import Iterator

from data_pipeline.loading.class_balance import ONE_CLASS_TASKS, balance_fault
from data_pipeline.settings import Balance
from models.settings import TrainingSettings

BALANCE = "data.balance"
WEIGHTS = "training.class_weights"
COUNTED = "median_frequency"


def balance_faults(
    task: str, balance: Balance, training: TrainingSettings
) -> Iterator[tuple[str, str]]:
    """Yield each setting at fault, the samples' first, and what must hold.

    Weights that a study gives by name may be meant beside a balance; those that are counted come
    from the classes as they are, which the balance has made equal already.
    """
    fault = balance_fault(task, balance)
    if fault is not None:
        yield BALANCE, fault
    elif balance != "none" and task in ONE_CLASS_TASKS and training.class_weights == COUNTED:
        message = (
            f"balance '{balance}' shows every class alike, and {WEIGHTS}: {COUNTED} weighs the "
            f"rare ones more on top of that, which corrects twice; set {BALANCE}: none, or "
            f"{WEIGHTS}: null"
        )
        yield from ((path, message) for path in (BALANCE, WEIGHTS))
