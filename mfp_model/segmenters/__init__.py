"""Segmenters, each by the contract of `mfp_model.segmenter`; `mfp_model.loading` knows them."""
