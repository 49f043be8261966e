"""Label Studio's language: what it says as our types, our masks as its rows."""
