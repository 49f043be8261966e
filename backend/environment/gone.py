"""Settings that are gone, and what to do instead."""

GONE = {
    "MFP_CA_BUNDLE": "set SSL_CERT_FILE, which other programs know, too",
    "MFP_CACHE_AGE_S": "images and clicks are kept for an hour",
    "MFP_CACHE_DIR": "downloaded weights lie in the folder cache of MFP_DATA_DIR",
    "MFP_CLICK_CACHE_MB": "MFP_MEMORY_MB bounds all that a worker keeps",
    "MFP_CONSTANTS": "put the file at graph-cut/rgb.json in MFP_DATA_DIR",
    "MFP_FETCH_TIMEOUT_S": "MFP_FETCH_TOTAL_S limits a whole file",
    "MFP_IMAGE_CACHE_MB": "MFP_MEMORY_MB bounds all that a worker keeps",
    "MFP_INPAINTER": 'write inpainter="…" beside finder="…" in the label configuration',
    "MFP_MODELS_MB": "MFP_MEMORY_MB bounds all that a worker keeps",
    "MFP_SPECK_SHARE": "parts and holes below 0.5 % of the largest part are removed",
}
