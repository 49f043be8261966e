"""What turns tensors into logits."""
