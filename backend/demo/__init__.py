"""`make demo`: a real Label Studio with this backend and a few photos, ready to click."""
