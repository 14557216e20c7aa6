"""What each rate of requests takes of AWS's quotas, as a page that is computed: docs/scaling.md."""
