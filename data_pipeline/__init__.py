"""Files on disk to batches. Knows nothing of models, trackers or studies.

`NUMERICS` is part of every cell's fingerprint: raise it when a change here alters the pixels or
labels a model sees, so that old results are not mistaken for new ones.
"""

NUMERICS = 3
