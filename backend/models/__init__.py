"""Which weights answer, where they lie, and which of them are in memory."""
