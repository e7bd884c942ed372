"""What a trial takes of a cluster, and how many trials it holds."""

import pytest

from studies.running.ray_share import ClusterError, Node, Share, room, share_of


def node(cpus: float, gpus: float = 0.0, host: str = "n") -> Node:
    """Return a machine."""
    return Node(host, host, cpus, gpus)


@pytest.mark.parametrize(
    ("nodes", "workers", "gpus_per_trial", "expected"),
    [
        ([node(8)], None, 1, Share(8.0, 0.0)),  # one trial per node without GPUs
        ([node(2)], 3, 1, Share(0.6666, 0.0)),  # rounded down: three must fit
        ([node(8), node(4)], 4, 1, Share(2.0, 0.0)),
        ([node(0), node(4)], 2, 1, Share(2.0, 0.0)),  # a head that has nothing to give
        ([node(8, 4)], None, 1, Share(2.0, 1.0)),
        ([node(8, 4), node(32, 8)], None, 1, Share(2.0, 1.0)),
        ([node(8, 2)], 6, 1, Share(1.3333, 0.3333)),  # three on each GPU
        ([node(8, 4)], None, 2, Share(4.0, 2.0)),
        ([node(8, 3), node(64)], None, 2, Share(8.0, 2.0)),
    ],
)
def test_share_divides_a_node_among_its_trials(
    nodes: list[Node], workers: int | None, gpus_per_trial: int, expected: Share
) -> None:
    assert share_of(nodes, workers=workers, gpus_per_trial=gpus_per_trial) == expected


@pytest.mark.parametrize(
    ("nodes", "share", "trials"),
    [
        ([node(2)], Share(0.6666, 0.0), 3),
        ([node(8, 2)], Share(1.3333, 0.3333), 6),
        ([node(8, 3), node(64)], Share(8.0, 2.0), 1),  # the third GPU stays idle
        ([node(4, 4)], Share(2.0, 1.0), 2),  # no cores for the others
        ([node(0), node(4)], Share(2.0, 0.0), 2),
        ([], Share(1.0, 0.0), 0),
    ],
)
def test_room_counts_whole_trials_on_whole_gpus(
    nodes: list[Node], share: Share, trials: int
) -> None:
    assert room(nodes, share) == trials


@pytest.mark.parametrize("workers", range(1, 20))
def test_wanted_workers_fit_the_cluster_they_were_divided_for(workers: int) -> None:
    for nodes in ([node(6, 3)], [node(4)], [node(3), node(5)], [node(8, 1), node(4, 2)]):
        share = share_of(nodes, workers=workers, gpus_per_trial=1)
        gpus = sum(each.gpus for each in nodes)

        assert room(nodes, share) >= (workers if not gpus or workers > gpus else gpus)


def test_trial_wider_than_every_node_is_refused_with_the_largest() -> None:
    with pytest.raises(ClusterError, match=r"on 8 GPUs .* the largest, big, has 4: lower"):
        share_of([node(8, 2), node(8, 4, "big")], workers=None, gpus_per_trial=8)


def test_cluster_without_anything_to_give_is_refused() -> None:
    with pytest.raises(ClusterError, match="got 1 nodes without"):
        share_of([node(0)], workers=None, gpus_per_trial=1)
