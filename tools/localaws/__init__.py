"""The local AWS: starts MiniStack with what it gets wrong about AWS put right in process.

The launcher (`python -m tools.localaws`) and its fixes run inside MiniStack's own virtual environment: standard library
and `ministack` only. `MiniStackProcess` starts the launcher from any other Python. `make test-localaws` runs the tests.
"""
