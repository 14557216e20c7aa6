"""Provider simulator: one process that speaks the wire contracts of the media vendors."""
