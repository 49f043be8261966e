"""Between the image frame and the network frame."""
