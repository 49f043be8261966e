"""Label Studio's annotations to COCO and back."""
