"""Before a trial starts: can every limit of `budget` be measured on this machine?"""

from studies.running.devices import local_devices, visible_gpus
from studies.running.energy import EnergyCounter
from studies.running.prices import COLUMNS, PriceError, price_of, prices_for
from studies.running.progress import View
from studies.spec.budget_schema import Budget


def check_budget(budget: Budget, view: View, *, is_local: bool) -> None:
    """Refuse limits that nothing would ever reach; say where money is not counted.

    Args:
        budget: Of the study.
        view: Where it is said.
        is_local: Whether trials run on this machine, whose devices are then looked at. Elsewhere
            the study stops at the first trial whose device has no price, if money is limited.

    Raises:
        PriceError: see `studies.running.prices`; or a device's energy or price is not known.
    """
    prices_for(budget)
    if not is_local:
        return
    limits = (budget.per_trial, budget.study)
    devices = local_devices()
    if any(each.money is not None for each in limits):
        require_prices(budget, devices)
    if any(each.energy_kwh is not None for each in limits):
        _require_energy()
    for device in devices:
        if visible_gpus() and price_of(device, budget) is None:
            view.say(f"no price is known of {device}: money is not counted; see budget.prices")


def require_prices(budget: Budget, devices: tuple[str, ...]) -> None:
    """Refuse a limit of money where a device has no price, or prices are in two currencies.

    Raises:
        PriceError: see above.
    """
    found = {device: price_of(device, budget) for device in devices}
    unknown = [device for device, price in found.items() if price is None]
    if unknown:
        raise PriceError(
            f"a limit of money needs the price of every device, got none for {unknown[0]!r}; "
            f"name a CSV with a row for it in budget.prices (columns {', '.join(COLUMNS)})"
        )
    currencies = sorted({price.currency for price in found.values() if price is not None})
    if len(currencies) > 1:
        raise PriceError(
            f"a limit of money needs prices in one currency, got {' and '.join(currencies)}; "
            "convert them in the file that budget.prices names"
        )


def _require_energy() -> None:
    gpus = [identifier for identifier, _ in visible_gpus()]
    if EnergyCounter(gpus, 1.0)() is None:
        raise PriceError(
            "a limit of energy_kwh needs GPUs that count the energy they take (NVIDIA since "
            "Volta), got none; limit gpu_hours instead"
        )
