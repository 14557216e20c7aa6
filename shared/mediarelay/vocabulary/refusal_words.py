"""What a refusal says to people, where it gives programs no marker that is known: of money, keys, policy, or the input.

Vendors reword and rename; the words of money, of keys and of policy stay. Each reading needs a phrase that says it,
since bare words mislead: a rate limit advertises the billing page, a range error explains how it differs from quotas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mediarelay.vocabulary.outcome import Outcome

_READ_CHARACTERS: Final = 2000  # what matters stands near the start; the rest may be an echo of the input
# Patterns are compiled when a text is first searched for them: by `re`, which keeps them. Most workers never see one.
_URL: Final = r"https?://\S+"

_JOINT: Final = r"(?<=[a-z])(?=[A-Z])|[_.]"

_FUNDS: Final = r"(?:credits?|balance|funds?|quotas?|prepa\w+|allowance|resource pack|tokens? left)"
_SPENT: Final = (
    r"(?:exhaust\w*|deplet\w*|used (?:up|all)|exceed\w*|insufficient|not enough|too low|empty|expired|negative|ran out|"
    r"run out|reached|overdrawn|below zero|remaining: 0)"
)
_MONEY: Final = (
    rf"\b{_FUNDS}\b[^.;]{{0,60}}\b{_SPENT}"
    rf"|\b(?:{_SPENT}|out of|no|lacks?|does not have|doesn't have|do not have|don't have|have 0|low)\b[^.;]{{0,40}}"
    rf"\b{_FUNDS}\b"
    r"|\barrear\w*|\boverdue\b|\bpast due\b|\bunpaid\b|\bgood standing\b|\bdelinquent"
    r"|\bbilling\b[^.;]{0,40}\b(?:limit|active|inactive|enabled?|disabled|required|suspended|issue|hold|problem|set up)"
    r"|\b(?:enable|activate|set up|update|requires?)\b[^.;]{0,30}\bbilling\b"
    r"|\b(?:spend|spending|usage|budget) (?:limit|cap)\b"
    r"|\bpayment (?:required|failed|declined|method|issue|due|past)|\b(?:failed|incomplete|overdue|missing) payment"
    r"|\btop[ -]?up\b|\brecharge\b|\b(?:purchase|buy|add)(?: more)? credits?\b|\bout of call volume\b"
    r"|余额|欠费|额度"
)
# A pace is named, so that time alone helps: however the sentence goes on about plans and billing.
_RATE: Final = (
    r"\brate[ -]?limit|\bper[ -](?:second|minute|hour|day)\b|\brpm\b|\btpm\b|\btpd\b|\brpd\b|\bthrottl"
    r"|\btoo many requests\b|\bconcurren|\bparallel\b|\b(?:try again|retry|resets?) (?:in|after) "
)
_ACCOUNT: Final = (
    r"\b(?:account|organi[sz]ation|project|workspace|team|user|subscription)\b[^.;]{0,30}\b(?:deactivated|disabled|"
    r"suspended|terminated|banned|locked|closed|blocked)"
)
_CREDENTIAL: Final = r"(?:api[ _-]?keys?|access[ _-]?keys?|subscription key|secret[ _-]?key|bearer token|credentials?)"
_BAD: Final = (
    r"(?:invalid|incorrect|wrong|expired|revoked|unknown|missing|malformed|disabled|deactivated|deleted|leaked|blocked|"
    r"unrecognized|not valid|not found|not recogni[sz]ed|does not exist)"
)
# In a 400 only what names the credential itself: a prompt may have an invalid token too.
_KEY: Final = (
    rf"\b{_BAD}\b[^.;]{{0,30}}\b{_CREDENTIAL}|\b{_CREDENTIAL}[^.;]{{0,40}}\b{_BAD}"
    r"|\bunauthenticated\b|\bauthentication (?:failed|failure|required|is required)|\bvalid api[ _-]?key"
)
_KEY_BESIDE_401: Final = (
    rf"{_KEY}|\b{_BAD}\b[^.;]{{0,30}}\b(?:key|token|secret|authorization|authentication|signature)\b"
    rf"|\b(?:key|token|secret|authorization|signature)\b[^.;]{{0,40}}\b{_BAD}|\b(?:no user|user not) found\b"
    r"|\bnot authenticated\b|\bvalid (?:authentication|credentials?)\b|\bnot logged in\b|\blogin fail"
)
_PERMISSION: Final = (
    r"\bmissing (?:scopes?|(?:the )?permissions?)\b|\binsufficient (?:permissions?|scopes?|privileges?)\b"
    r"|\bnot (?:authori[sz]ed|permitted|entitled|allowed|eligible) to\b|\bpermission denied\b|\bcaller does not have"
    r"|\b(?:does|do|did) not have (?:access|permissions?|the required)"
    r"|\b(?:no|not have|without) (?:access|permission)\b"
    r"|\bterms acceptance\b|\baccept the terms\b|\bmust be verified\b|\bverify (?:your )?organi[sz]ation"
    r"|\bnot (?:available|included|supported) (?:for|in|on|with) (?:free|your)\b|\bfree (?:users?|tier|plan)s?\b"
    r"|\b(?:upgrade|higher|paid|current|pro|enterprise) (?:\w+ ){0,3}(?:plan|subscription|tier)\b|\bupgrade to\b"
    r"|\bnot been used in project\b|\bnot enabled\b|\bwhitelist|\ballow-?list"
    r"|\b(?:country|countries|region|territory|location)\b[^.;]{0,40}\b(?:supported|available|allowed)"
    r"|\bmust be a member\b|\bapis? (?:keys? )?(?:is|are) not supported by this api\b"
)
_MODEL_GONE: Final = (
    r"\bmodels?\b[^.;]{0,80}\b(?:does not exist|do not exist|doesn't exist|not found|not exist|decommissioned|"
    r"deprecated|no longer|retired|shut ?down|discontinued|unknown|has been removed|is not available)"
    r"|\b(?:unknown|no such|nonexistent|invalid) model\b"
)
_POLICY: Final = (
    r"\bcontent[ _-]?(?:policy|policies|moderat\w*|filter\w*|safety|violat\w*|guidelines?|blocked|review\w*)"
    r"|\bmoderation\b|\bmoderated\b"
    r"|\bsafety[ _-]?(?:system|filters?|violat\w*|reasons?|checks?|checker|guidelines?|polic\w*|settings|concern\w*)"
    r"|\bflagged\b|\bnsfw\b|\bnot safe for work\b|\brisk[ _-]?control\b|\bresponsible ai\b"
    r"|\bsensitive (?:content|materials?|information|words?|topics?|input|output|data)|\b(?:as|new_|is|be) ?sensitive\b"
    r"|\busage (?:guidelines?|polic\w*)|\bacceptable use\b|\blikeness|\breal people\b|\bpublic figures?\b|\bcelebrit"
    r"|\b(?:inappropriate|harmful|unsafe|offensive|explicit|sexual|violent|prohibited|disallowed|forbidden|restricted|"
    r"illegal) (?:\w+ )?(?:content|materials?|words?|images?|inputs?|outputs?|prompts?|terms?)\b"
    r"|\b(?:violat\w+|against|breach\w*)\b[^.;]{0,50}\b(?:polic\w+|guidelines?|terms|rules|standards|laws?)\b"
    r"|\bpolicy[ _-]violations?\b|\bcopyright|\btrademark|\bnudity\b|\bhate speech\b|\bminors\b"
    r"|\b(?:blocked|rejected|refused|filtered)\b[^.;]{0,30}\b(?:safety|policy|content|moderation)\b"
    r"|敏感|违规|审核"
)
_BUSY: Final = (
    r"\bhigh (?:demand|load|traffic|volume)\b|\bheavy (?:traffic|load)\b|\boverload|\bat capacity\b|\bno capacity\b"
    r"|\bqueue is full\b|\b(?:temporarily|currently) unavailable\b|\bsystem (?:is )?busy\b"
)
_OURS_TO_REPEAT: Final = (
    r"\binternal\b|\bunexpected\b|\binterrupted\b|\btimed? ?out\b|\bunavailable\b|\bplease (?:retry|try again)\b"
    r"|\bout of memory\b|\bdisconnected\b|\bcrash|\bweights\b"
)
_MEDIA: Final = (
    r"(?:images?|pictures?|photos?|frames?|videos?|audio|files?|masks?|prompts?|text|urls?|inputs?|duration|resolution|"
    r"aspect[ _]ratio|pixels?|dimensions?|sizes?|width|height|voices?|parameters?|arguments?|fields?|values?|format|"
    r"length|seed|image_url|language|speed)"
)
_CALLERS: Final = (
    r"\b(?:input )?validation (?:error|failed)\b|\bbad request\b"
    rf"|\b(?:invalid|unsupported|illegal|corrupt\w*|missing|malformed|wrong|unreadable|bad)\b[^.;:]{{0,30}}\b{_MEDIA}\b"
    rf"|\b{_MEDIA}\b[^.;]{{0,60}}\b(?:invalid|illegal|not valid|too \w+|unsupported|not supported|corrupt\w*|"
    r"unreadable|inaccessible|not accessible|exceeds?|exceeded|required|missing|out of range|does not meet|not match|"
    r"mismatch|must|should|at (?:most|least)|less than|greater than|larger than|smaller than|longer than|not exist)"
    r"|\b(?:fail\w*|unable|could not|couldn't|cannot|can't|error)\b(?: to| while| when|:)? "
    rf"(?:download|fetch|load|open|decod|read|access|retriev|pars|identify)\w*\b[^.;]{{0,40}}\b{_MEDIA}\b"
)

_FUNDS_NAMED: Final = rf"\b{_FUNDS}\b"
_OF_MONEY: Final = frozenset({400, 401, 402, 403, 429})
_OF_PLANS: Final = frozenset({401, 402, 403})
_OF_ACCOUNTS: Final = frozenset({400, 401, 402, 403})
# Never a 5xx, nor a 429: whoever fails or is busy has judged nothing.
_OF_CONTENT: Final = frozenset({400, 403, 406, 409, 422, 451})


def refused(status: int, message: str, codes: Iterable[str] = ()) -> Outcome | None:
    """What the words of a 4xx say, its codes among them; None when they say nothing that is known."""
    said = ". ".join([_plain(message), *map(_spelled_out, codes)])
    of_money = status in _OF_MONEY and re.search(_MONEY, said) and not re.search(_RATE, said)
    if of_money and not (status in _OF_PLANS and _bars_one_thing(said)):
        return Outcome.QUOTA_EXHAUSTED
    readings = (
        (_OF_ACCOUNTS, _ACCOUNT, Outcome.KEY_REJECTED),
        (_OF_CONTENT, _POLICY, Outcome.CONTENT_REJECTED),
        ({401, 403}, _KEY_BESIDE_401, Outcome.KEY_REJECTED),
        ({400}, _KEY, Outcome.KEY_REJECTED),
        (_OF_ACCOUNTS, _PERMISSION, Outcome.PERMISSION_DENIED),
        ({400, 404, 410, 422}, _MODEL_GONE, Outcome.MODEL_GONE),
    )
    found = (outcome for statuses, words, outcome in readings if status in statuses and re.search(words, said))
    return next(found, None)


def job_failed(message: str) -> Outcome:
    """What the reason of a job that came to nothing says; what it does not say is the provider's fault."""
    said = _plain(message)
    if re.search(_POLICY, said):
        return Outcome.CONTENT_REJECTED
    if re.search(_BUSY, said):
        return Outcome.OVERLOADED
    if re.search(_CALLERS, said) and not re.search(_OURS_TO_REPEAT, said):
        return Outcome.INVALID_REQUEST
    return Outcome.PROVIDER_FAULT


def _bars_one_thing(said: str) -> bool:
    """Whether a plan lacks something, rather than the balance: "upgrade to use this voice"."""
    return bool(re.search(_PERMISSION, said)) and not re.search(_FUNDS_NAMED, said)


def _plain(message: str) -> str:
    """The start of it in lower case, without addresses: those advertise."""
    return re.sub(_URL, " ", message[:_READ_CHARACTERS].lower())


def _spelled_out(code: str) -> str:
    """`InvalidApiKey` and `invalid_api_key` as words."""
    return _plain(re.sub(_JOINT, " ", code))
