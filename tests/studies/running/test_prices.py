"""What an hour of a device costs, and limits that nothing could measure."""

from pathlib import Path

import pytest

from studies.running import budget_preflight
from studies.running.budget_preflight import check_budget, require_prices
from studies.running.prices import PRICES_FILE, PriceError, price_of, read_prices
from studies.spec.budget_schema import Budget

HEAD = "gpu,provider,price_per_hour,currency,date,source\n"


class Silent:
    """A view that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def update(self, snapshot: object) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("device", "gpu"),
    [
        ("cuda:0 NVIDIA H200", "H200"),
        ("cuda:0 Tesla V100-SXM2-16GB", "V100"),
        ("cuda:0 Tesla V100-PCIE-32GB", "V100 32GB"),
        ("cuda:1 NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("cuda:0 NVIDIA H100 PCIe", "H100 PCIe"),
        ("cuda:0 Quadro M4000", "M4000"),
        ("cuda:0 NVIDIA RTX 6000 Ada Generation", None),
        ("cuda:0 NVIDIA GeForce RTX 2060", None),
        ("cpu", None),
    ],
)
def test_a_device_is_found_by_the_words_of_its_name(device: str, gpu: str | None) -> None:
    price = price_of(device, Budget())
    assert (price.gpu if price is not None else None) == gpu


def test_the_cheapest_price_counts_unless_a_provider_is_named() -> None:
    named = price_of("cuda:0 Tesla T4", Budget(provider="Replicate"))
    cheapest = price_of("cuda:0 Tesla T4", Budget())
    assert named is not None
    assert cheapest is not None
    assert (named.provider, named.per_hour) == ("Replicate", 0.81)
    fitting = [row.per_hour for row in read_prices(PRICES_FILE) if row.gpu == "T4"]
    assert cheapest.per_hour == min(fitting)


def test_free_hours_cost_nothing_where_their_provider_is_named() -> None:
    free = price_of("cuda:0 Tesla K80", Budget(provider="Google Colab (free)"))
    assert free is not None
    assert free.per_hour == 0.0
    assert price_of("cuda:0 Tesla K80", Budget()) is None


def test_own_prices_come_first(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(f"{HEAD}T4,our cluster,9.5,EUR,2026,contract\ncpu,ours,0.05,EUR,2026,bill\n")
    budget = Budget(prices=str(file))
    found = [price_of(device, budget) for device in ("cuda:0 Tesla T4", "cpu")]
    assert [each and (each.per_hour, each.currency) for each in found] == [
        (9.5, "EUR"),
        (0.05, "EUR"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu,price\nT4,1\n", "must have rows with the columns gpu, provider, price_per_hour"),
        (f"{HEAD}T4,x,cheap,USD,,\n", "prices.csv:2: a row must have a gpu, a currency"),
        (f"{HEAD}T4,x,-1,USD,,\n", "a price of at least 0"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text)
    with pytest.raises(PriceError, match=says):
        price_of("cpu", Budget(prices=str(file)))


def test_a_missing_table_and_an_unknown_provider_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="must name a readable CSV"):
        price_of("cpu", Budget(prices=str(tmp_path / "none.csv")))
    with pytest.raises(PriceError, match="did you mean 'Lambda'"):
        price_of("cpu", Budget(provider="Lamda"))


def test_a_limit_of_money_needs_a_price_of_every_device_in_one_currency(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="got none for 'cpu'"):
        require_prices(Budget(), ("cpu",))
    file = tmp_path / "prices.csv"
    file.write_text(f"{HEAD}cpu,ours,0.05,EUR,2026,bill\n")
    with pytest.raises(PriceError, match="one currency, got EUR and USD"):
        require_prices(Budget(prices=str(file)), ("cpu", "cuda:0 Tesla T4"))


def test_a_limit_of_energy_needs_a_device_that_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_preflight, "visible_gpus", tuple)
    budget = Budget.model_validate({"per_trial": {"energy_kwh": 1}})
    with pytest.raises(PriceError, match="needs GPUs that count the energy"):
        check_budget(budget, Silent(), is_local=True)
    check_budget(budget, Silent(), is_local=False)


def test_a_gpu_without_a_price_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_preflight, "visible_gpus", lambda: (("0", "Tesla K80"),))
    monkeypatch.setattr(budget_preflight, "local_devices", lambda: ("cuda:0 Tesla K80",))
    view = Silent()
    check_budget(Budget(), view, is_local=True)
    assert view.said == [
        "no price is known of cuda:0 Tesla K80: money is not counted; see budget.prices"
    ]
