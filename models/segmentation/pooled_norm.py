"""Batch normalisation of maps that were pooled to a single pixel.

DeepLab's image pooling normalises one value per image and channel. Of a single image there is
no variance to take, and torch refuses to train: a batch size of 1, a micro-batch of 1 after
running out of memory, or a last batch of 1 would end the training.
"""

from torch import Tensor, nn
from torch.nn import functional


class PooledBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of (b, c, 1, 1), by running statistics where b is 1."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        if len(maps) > 1 or not self.training:
            return super().forward(maps)
        return functional.batch_norm(
            maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def train_on_single_images(network: nn.Module, pooling_type: type[nn.Module]) -> None:
    """Make a freshly built network trainable whatever the size of a batch.

    Args:
        network: With batch normalisation at its initial values.
        pooling_type: Of the modules that pool to a single pixel, and normalise that.
    """
    for pooling in network.modules():
        if isinstance(pooling, pooling_type):
            for name, layer in list(pooling.named_children()):
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(pooling, name, PooledBatchNorm(layer.num_features))
