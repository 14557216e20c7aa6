"""Polly's voices by engine, which is what a model is here: not every voice has every engine.

Sources: Amazon's developer guide, "Available voices" and its history up to 2026-04-20; an answer of DescribeVoices of
2024 for those that are older. What each speaks is in `voices.json`; one that is in neither goes by
`options.polly-tts.voice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WRITTEN: Final = {
    "neural": (
        "Joanna Matthew Danielle Ruth Stephen Gregory Salli Kendra Kimberly Ivy Joey Justin Kevin Amy Emma "
        "Brian Arthur Olivia Kajal Niamh Aria Jasmine Ayanda Lucia Sergio Mia Andres Lupe Pedro Lea Remi "
        "Isabelle Gabrielle Liam Vicki Daniel Hannah Sabrina Bianca Adriano Camila Thiago Vitoria Ines Takumi "
        "Kazuha Tomoko Seoyeon Jihye Zhiyu Hiujin Hala Zayd Laura Lisa Ola Arlet Jitka Sofie Suvi Ida Elin "
        "Burcu"
    ),
    "generative": (
        "Joanna Matthew Danielle Ruth Stephen Tiffany Amy Brian Olivia Kajal Niamh Aria Jasmine Ayanda Lucia "
        "Sergio Mia Andres Lupe Pedro Lea Remi Ambre Florian Isabelle Gabrielle Liam Vicki Daniel Lennart "
        "Hannah Sabrina Bianca Beatrice Lorenzo Camila Seoyeon Laura Lisa Ola"
    ),
    "long-form": ("Danielle Ruth Gregory"),
    "standard": (
        "Joanna Salli Kendra Kimberly Ivy Joey Kevin Amy Emma Brian Nicole Russell Aditi Raveena Geraint "
        "Lucia Conchita Enrique Mia Lupe Miguel Penelope Lea Celine Mathieu Chantal Vicki Marlene Hans Bianca "
        "Carla Giorgio Camila Vitoria Ricardo Ines Cristiano Takumi Mizuki Seoyeon Zhiyu Zeina Lotte Ruben "
        "Ewa Jacek Jan Maja Gwyneth Naja Mads Dora Karl Liv Carmen Tatyana Maxim Astrid Filiz"
    ),
}
VOICES: Final[Mapping[str, tuple[str, ...]]] = {engine: tuple(names.split()) for engine, names in _WRITTEN.items()}

# At home in two languages: Indian English, which they take for granted, and this one, which they have to be told.
BILINGUAL: Final[Mapping[str, str]] = {"Aditi": "hi-IN", "Kajal": "hi-IN"}
