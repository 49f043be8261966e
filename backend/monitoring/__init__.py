"""What the server notes of its own work: logs, metrics, a journal."""
