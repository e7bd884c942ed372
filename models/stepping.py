"""An optimizer step: its learning rate before it, the gradient's length after the batches."""

from models.optimizers import set_learning_rate, set_momentum
from models.schedules import Place, step_factor, step_momentum
from models.settings import TrainingSettings
from models.workbench import Workbench


def set_step_rate(
    bench: Workbench, training: TrainingSettings, epoch_rate: float, place: Place
) -> None:
    """Give the optimizer the rate of its next step, and the momentum where that changes too.

    Args:
        bench: With the optimizer.
        training: Of the cell.
        epoch_rate: The schedule's, of the epoch under way.
        place: Of the step.
    """
    set_learning_rate(bench.optimizer, epoch_rate * step_factor(training, place))
    momentum = step_momentum(training, place)
    if momentum is not None:
        set_momentum(bench.optimizer, momentum)


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
