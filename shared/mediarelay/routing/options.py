"""Vendor options: which a model takes, and what they do to its price. Read only for requests that have some.

Theory of operation
- The list of a model (`models.json`) says by name what may be set and what that does to the price. A call is priced by
  it when it is built (`priced`), so that whatever estimates it, bounds it, sets it aside or enters it reads the same.
- What is not on the list is refused, or passes where the deployment says so: the call then counts at the dearest prices
  of the model, and as what one call of it costs at most.
- An option that passes may add a field to what is sent. It never changes one that was made of the request (whom, what,
  how much, in which format), has the vendor call somebody, or is one that the list refuses: then nothing would be
  delivered, or something else than what was checked and paid for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mediarelay.options.parsing import AllowedOption, ListedOptions, OptionPrice
from mediarelay.providers.catalogue import Model, models
from mediarelay.request.parsing import in_brief
from mediarelay.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from mediarelay.providers.api import Capability, ProviderCall

_VOICE: Final = "voice"
# Names by which vendors call back, or send results elsewhere.
_CALLS_BACK: Final = ("callback", "webhook")

_NAMED_CHARACTERS: Final = 100

Path = tuple[str, ...]


def parse_options(model: Model) -> ListedOptions:
    """Return the list of a model's options, or that of the model whose options are its own as well.

    Raises pydantic's error for any slip.
    """
    options = model.options
    while isinstance(options, str):
        options = models(model.provider)[options].options
    return ListedOptions.model_validate(options or {"source": model.source}, context=model.prices)


def priced(call: ProviderCall) -> ProviderCall:
    """Return the call with the prices that its options make of its model's."""
    listed, model = parse_options(call.model), call.model
    known = _known(call, listed)
    effects = [option.effect(value) for option, value in known if option is not None]
    least = 0.0
    if any(option is None for option, _ in known):
        effects = [effect for option in listed.allowed for effect in _effects(option)]
        least = model.most_usd or 0.0
    prices = dict(model.prices)
    times = 1.0
    for effect in filter(None, effects):
        times = times * effect.times
        for unit, other in effect.prices.items():
            prices[unit] = max(prices[unit], model.prices[other])
    prices = {unit: usd * times for unit, usd in prices.items()}
    return replace(call, model=replace(model, prices=prices), least_usd=least)


def refusal(provider: Capability, call: ProviderCall, *, passing: bool) -> str | None:
    """Return what is wrong with the call's options, naming what is allowed; None when nothing is.

    Args:
        provider: Whose they are.
        call: With the options.
        passing: Whether the deployment lets pass what is not listed.
    """
    listed = parse_options(call.model)
    allowed = {option.name: option for option in listed.allowed}
    refused = {_plain(name): instead for name, instead in listed.refused.items()}
    faults = []
    for path, value in _leaves(call.options):
        option = allowed.get(".".join(path))
        name = ".".join(path)[:_NAMED_CHARACTERS]
        instead = _instead(path, refused)
        if _is_voice(call, path) or (option is not None and option.takes(value)):
            continue
        if instead is not None:
            faults.append(f"options.{provider.name}.{name}: {instead}")
        elif not passing or call.model.most_usd is None:
            faults.append(_unlisted(provider.name, name, option, call, listed))
        elif _breaks(provider, call, path):
            faults.append(f"options.{provider.name}.{name}: may not change what is made of the request; leave it out")
    return in_brief(faults, len(faults)) or None


def _known(call: ProviderCall, listed: ListedOptions) -> list[tuple[AllowedOption | None, object]]:
    """Each option with its entry; None for one that is not listed so."""
    allowed = {option.name: option for option in listed.allowed}
    found = []
    for path, value in _leaves(call.options):
        if not _is_voice(call, path):
            option = allowed.get(".".join(path))
            found.append((option if option is not None and option.takes(value) else None, value))
    return found


def _effects(option: AllowedOption) -> Iterator[OptionPrice]:
    """The dearest that an option can do: what multiplies most, and every price that may count instead."""
    yield OptionPrice(times=max((each.times for each in option.effects()), default=1.0))
    yield from (OptionPrice(prices=each.prices) for each in option.effects())


def _unlisted(provider: str, name: str, option: AllowedOption | None, call: ProviderCall, listed: ListedOptions) -> str:
    if option is not None:
        return f"options.{provider}.{name}: takes {option.allowed()}"
    names = [each.name for each in listed.allowed] + [_VOICE] * (call.input.kind is Kind.TTS)
    said = f"options.{provider}.{name}: not an option of {call.model.id} (allowed: {', '.join(sorted(names)) or 'none'}"
    # Nobody says so where the deployment lets others pass: it would have.
    return f"{said})" if call.model.most_usd is None else f"{said}; others need OptionsPolicy=pass of the deployment)"


def _instead(path: Path, refused: Mapping[str, str]) -> str | None:
    """What to do instead of an option that the list refuses, or of one within it; None where it refuses neither."""
    starts = (_plain(".".join(path[:depth])) for depth in range(1, len(path) + 1))
    return next((refused[start] for start in starts if start in refused), None)


def _breaks(provider: Capability, call: ProviderCall, path: Path) -> bool:
    """Whether an option that is not listed would change what is sent otherwise, or have somebody called."""
    if any(word in _plain(name) for name in path for word in _CALLS_BACK):
        return True
    own = {_VOICE: call.options[_VOICE]} if _is_voice(call, (_VOICE,)) and _VOICE in call.options else {}
    before = provider.build_request(replace(call, options=own))
    after = provider.build_request(replace(call, options={**own, path[0]: _only(call.options, path)}))
    if (before.method, before.path, before.headers) != (after.method, after.path, after.headers):
        return True
    kept = [leaf for part in (before.json, before.params) for leaf in _leaves(part)]
    sent = [leaf for part in (after.json, after.params) for leaf in _leaves(part)]
    # Google's services take a field by either spelling: one beside the other would be a second value for it.
    spellings = {path[:depth] for path, _ in sent for depth in range(1, len(path) + 1)}
    return any(leaf not in sent for leaf in kept) or len({tuple(map(_plain, each)) for each in spellings}) < len(
        spellings
    )


def _only(options: Mapping[str, Any], path: Path) -> Any:
    """The value at the path, in the objects around it and nothing else of them."""
    value = options[path[0]]
    return value if len(path) == 1 else {path[1]: _only(value, path[1:])}


def _is_voice(call: ProviderCall, path: Path) -> bool:
    """Whether it is the voice, which the voice book reads."""
    return path == (_VOICE,) and call.input.kind is Kind.TTS


def _leaves(options: Mapping[str, Any], before: Path = ()) -> Iterator[tuple[Path, object]]:
    """Each field that is no object with fields of its own, however deep, with the names that lead to it."""
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*before, name))
        else:
            yield (*before, name), value


def _plain(name: str) -> str:
    """The name as any of its spellings: Google's services take `candidate_count` for `candidateCount` as well."""
    return name.replace("_", "").lower()
