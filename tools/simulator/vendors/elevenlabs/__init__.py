"""ElevenLabs: speech, music and sound effects."""
