"""Values of a cross-validated study as one number per fold, and how far folds are independent.

The networks of two folds learnt mostly from the same images, so that their scores are closer to
each other than those of networks from two data sets: Student's t over folds finds differences
where there are none. There is no unbiased estimate of that variance (Bengio & Grandvalet 2004).
Nadeau & Bengio 2003, "Inference for the generalization error", equation 7 and section 5, suppose
that two folds correlate by the share of images that validate, which puts

    1 / k + n_validation / n_training   in the place of   1 / k

in the variance of a mean over k folds: of whole folds 1 / k + 1 / (k - 1). A limit on images is
not regarded: it does not change by how much training sets overlap.

Seeds of one fold share all their images, so that they are averaged before anything is told from
folds, and so are the classes of a study with a network for each.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studies.tree.intervals import mean_of

Values = Mapping[str, float]  # replicate, or block of replicates -> value


@dataclass(frozen=True, slots=True)
class Folds:
    """The folds that a study's replicates were measured on."""

    count: int  # of the cut, also where none of a fold's cells has a value
    of: Mapping[str, str]  # replicate -> fold, both by name

    @property
    def overlap(self) -> float:
        """Images that validate for each that trains."""
        return 1 / (self.count - 1)

    def blocks(self, measured: Sequence[Values]) -> list[Values]:
        """Average what each configuration scored on a fold, for those compared with each other.

        Args:
            measured: Replicate -> value of each configuration; replicates may be missing.

        Returns:
            Fold -> mean of each, without the folds where it lacks what a rival has: the others'
            mean would be of other seeds.
        """
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for values in measured:
            for replicate in values:
                wanted[self.of[replicate]].add(replicate)
        return [
            {
                fold: mean_of([values[each] for each in sorted(replicates)])
                for fold, replicates in sorted(wanted.items())
                if replicates <= values.keys()
            }
            for values in measured
        ]
