"""An optimizer step: the rate of a warm-up before it, the gradient's length after the batches."""

from models.optimizers import set_learning_rate
from models.schedules import warmup_factor
from models.settings import TrainingSettings
from models.workbench import Workbench


def set_step_rate(
    bench: Workbench, training: TrainingSettings, epoch_rate: float, *, epochs: float
) -> None:
    """Give the optimizer the rate of its next step.

    Args:
        bench: With the optimizer.
        training: Of the cell.
        epoch_rate: The schedule's, of the epoch under way.
        epochs: That are over, the one under way by its share of steps.
    """
    set_learning_rate(bench.optimizer, epoch_rate * warmup_factor(training.warmup, epochs))


def take_step(bench: Workbench, training: TrainingSettings) -> None:
    """Change the weights by their gradients, which are shortened before and forgotten after.

    In half precision a gradient that is not finite is no error: the scaler then leaves the step
    out and scales less.
    """
    if training.clip_gradients is not None:
        bench.fabric.clip_gradients(
            bench.network,
            bench.stepper,
            max_norm=training.clip_gradients,
            error_if_nonfinite=False,
        )
    bench.stepper.step()
    bench.stepper.zero_grad()
