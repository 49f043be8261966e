"""Fine-tuning on corrected masks: split, replay, train, and a gate that lets only better pass."""
