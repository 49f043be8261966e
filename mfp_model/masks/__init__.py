"""The forms of a mask: runs, RLE, polygons."""
