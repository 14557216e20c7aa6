"""Which account has which voice."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class VoiceRule(BaseModel):
    """What accounts of a vendor have of voices, from now on; without `account`, all of them.

    `premade` false: the vendor's own voices are gone, as they are from a day on, or never were, as for newer accounts.
    `owns`: voices that belong to the account alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["voices"]
    vendor: str
    account: str | None = None
    premade: bool = True
    owns: tuple[str, ...] = ()


class VoiceBook:
    """The rules in force. Without any, every account has every voice."""

    def __init__(self) -> None:
        self._rules: list[VoiceRule] = []

    def add(self, rule: VoiceRule) -> str:
        """Put a rule in force, instead of one for the same accounts; returns its name."""
        self._rules = [each for each in self._rules if (each.vendor, each.account) != (rule.vendor, rule.account)]
        self._rules.append(rule)
        return f"voices-{rule.vendor}-{rule.account or 'all'}"

    def clear(self) -> None:
        """Forget the rules."""
        self._rules.clear()

    def has(self, vendor: str, account: str, voice: str, *, premade: bool) -> bool:
        """Whether the account may speak with the voice, which is one of the vendor's own or not."""
        rules = [rule for rule in self._rules if rule.vendor == vendor]
        if premade and not all(rule.premade for rule in rules if rule.account in (None, account)):
            return False
        owners = {rule.account for rule in rules if voice in rule.owns}
        return not owners or bool(owners & {None, account})
