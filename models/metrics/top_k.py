"""Whether the true class is among the first k, ties being shared.

A class is among the first k where fewer than k others are more probable. Classes that are as
probable as the true one share the places that are left: with r places left for m of them, the true
one counts r / m, which is the chance of a draw. So an output that is the same for all classes
scores k / classes, and no order of the classes is favoured.
"""

from torch import Tensor


def credit(probabilities: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return how surely the true class is among the first k, (n,) float64 in [0, 1].

    Args:
        probabilities: (n, classes) or any scores; more is better.
        labels: (n,) int64, the true classes.
        k: Places there are.
    """
    true = probabilities.gather(1, labels.unsqueeze(1))
    above = (probabilities > true).sum(dim=1)
    equal = (probabilities == true).sum(dim=1)
    return ((k - above).double() / equal).clamp(0, 1)
