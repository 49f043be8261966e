"""The Label Studio ML backend: speaks its protocol, keeps click state, calls `mfp_model`."""
