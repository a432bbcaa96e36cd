"""How Sphinx builds the documentation."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path

checkout = Path(__file__).parent.parent
sys.path[:0] = [
    str(checkout),
    str(checkout / "docs" / "examples"),
    str(checkout / "docs" / "extensions"),
]

settings = configparser.ConfigParser()
settings.read(checkout / "setup.cfg", encoding="utf-8")

project = "fluxus_rx"
author = "the fluxus_rx authors"
project_copyright = f"{author}, Apache License 2.0"
version = release = settings["metadata"]["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    # Of docs/extensions.
    "pictures",
    "reference",
    "site_extras",
]
templates_path = ["_templates"]
default_role = "py:obj"
exclude_patterns = ["_build", "examples"]

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Shown by their names; the page on steps tells what they are.
autodoc_type_aliases = {"Attributes": "Attributes", "Outcome": "Outcome"}
autosummary_generate = False
# Longer signatures have a line for each parameter. The modules of types, which aren't shown, count.
maximum_signature_line_length = 130

html_theme = "furo"
# The one of the theme underlines the names of classes and modules.
pygments_dark_style = "github-dark"
html_title = f"fluxus_rx {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = html_favicon = "_static/logo.svg"
html_additional_pages = {"404": "404.html"}
#: Where the site stands on its server, for the page that is shown at addresses that there are not.
html_context = {"site_root": "/"}

# Prompts of Python and of shells are left out of what is copied, and so is output, where there is a
# prompt.
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True
