"""How Sphinx builds these pages: `make docs`."""

project = "label-studio-mfp"
author = "the label-studio-mfp contributors"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4  # links such as connecting.md#troubleshooting

html_theme = "furo"
html_title = "label-studio-mfp"
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
