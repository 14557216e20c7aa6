"""What every adapter shares: clients, items, pages, conditions and updates."""
