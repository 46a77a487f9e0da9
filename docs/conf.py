"""The documentation's site: `make docs` executes the notebooks, `make docs-fast` does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import hooks
import made_pages

from pagjax._version import __version__

REPOSITORY = "https://github.com/pagjax/pagjax"
project = "pagjax"
author = "The pagjax authors"
project_copyright = "The pagjax authors, Apache-2.0"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]

# Single backticks in docstrings name things; what is on the site becomes a link.
default_role = "py:obj"
add_module_names = False
python_maximum_signature_line_length = 88
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = True

myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
myst_url_schemes = {"http": None, "https": None, "site": "{{path}}"}
# Notebooks are executed where PAGJAX_NOTEBOOKS is not "off"; what has not changed is not run again.
nb_execution_mode = "off" if os.environ.get("PAGJAX_NOTEBOOKS") == "off" else "cache"
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
nb_merge_streams = True

html_theme = "furo"
html_title = f"pagjax {version}"
html_static_path = ["_static"]
html_css_files = ["pagjax.css"]
html_theme_options = {
    "top_of_page_buttons": [],
    "footer_icons": [
        {"name": "Repository", "url": REPOSITORY, "html": "Repository", "class": ""},
    ],
}
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(app):
    """Pages that are made before the build, and what is done while it runs."""
    hooks.name_attributes()
    app.connect("config-inited", lambda app, _: made_pages.write(HERE))
    app.connect("autodoc-process-docstring", hooks.escape, priority=400)
    app.connect("autodoc-process-docstring", hooks.shorten, priority=600)
    app.connect("autodoc-skip-member", hooks.skip)
    app.connect("source-read", hooks.relink)
    app.connect("build-finished", hooks.copy_gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
