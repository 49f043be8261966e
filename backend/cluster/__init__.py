"""What other processes compute with Ray, on this machine or on others."""
