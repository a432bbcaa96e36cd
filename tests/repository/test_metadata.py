"""What the project says of itself is true: metadata, extras, the files at its top."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from email.parser import Parser
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import pytest
import yaml
from docutils import nodes
from docutils.core import publish_doctree
from packaging.requirements import Requirement

from fluxus_rx._common.messages import OPTIONAL_PACKAGES

CHECKOUT = Path(__file__).parents[2]
SETTINGS = configparser.ConfigParser()
SETTINGS.read(CHECKOUT / "setup.cfg", encoding="utf-8")
METADATA = SETTINGS["metadata"]


def text_of(name: str) -> str:
    """A file of the checkout."""
    return (CHECKOUT / name).read_text(encoding="utf-8")


def lines_of(name: str) -> list[str]:
    """The lines of a setting, without comments."""
    return [line for line in METADATA[name].splitlines() if line and not line.startswith("#")]


class TestMetadata:
    def test_it_tells_who_made_it_and_under_which_licence(self) -> None:
        """As an SPDX expression; a licence has no classifier beside that."""
        assert METADATA["author"] == "the fluxus_rx authors"
        assert METADATA["license_expression"] == "Apache-2.0"
        assert "license" not in METADATA
        assert not any("License ::" in line for line in lines_of("classifiers"))

    def test_the_python_versions_are_those_that_ci_runs(self) -> None:
        """One by `.ci/run` itself, the others by `.ci/other_pythons`, which it calls."""
        found = {
            line.rpartition(" ")[2]
            for line in lines_of("classifiers")
            if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
        }
        others = re.findall(r"\[(3\.\d+)\]=", text_of(".ci/other_pythons"))
        assert ".ci/other_pythons" in text_of(".ci/run")
        assert found == {"3.11", *others}
        assert SETTINGS["options"]["python_requires"] == ">=3.11"

    def test_it_is_found_by_the_words_of_the_field(self) -> None:
        """In alphabetical order, so that one more is put where it belongs."""
        keywords = METADATA["keywords"].split(", ")
        assert keywords == sorted(keywords)
        wanted = {"backpressure", "etl", "fan-out", "fluxus", "llm", "rate-limit", "retry", "rxpy"}
        assert wanted <= set(keywords)
        assert "backpressure" in METADATA["description"]

    def test_the_links_have_labels_that_an_index_takes(self) -> None:
        """Up to 32 characters without a comma, which ends a label; pages by https."""
        links = [line.partition(" = ") for line in lines_of("project_urls")]
        assert links
        assert all(
            len(label) <= 32 and "," not in label and url.startswith("https://")
            for label, _, url in links
        )

    def test_the_build_system_is_all_that_pyproject_has(self) -> None:
        """The home of all else is setup.cfg."""
        found = tomllib.loads(text_of("pyproject.toml"))
        assert found.keys() == {"build-system"}
        assert found["build-system"]["build-backend"] == "setuptools.build_meta"

    def test_the_version_is_the_one_that_is_cited(self) -> None:
        """In the citation, and on top of the changelog."""
        assert yaml.safe_load(text_of("CITATION.cff"))["version"] == METADATA["version"]
        first = re.findall(
            r"^(\d+\.\d+\.\d+\S*)(?: \(.+\))?\n-+$", text_of("CHANGELOG.rst"), re.MULTILINE
        )[0]
        assert first == METADATA["version"]


def test_a_build_writes_the_metadata(tmp_path: Path) -> None:
    """Each in its field; the README is the long description."""
    from setuptools import Distribution

    built = Distribution()
    built.parse_config_files([str(CHECKOUT / "setup.cfg")])
    with (tmp_path / "METADATA").open("w", encoding="utf-8") as file:
        built.metadata.write_pkg_file(file)
    found = Parser().parsestr((tmp_path / "METADATA").read_text(encoding="utf-8"))
    assert (found["Name"], found["Author"]) == ("fluxus_rx", "the fluxus_rx authors")
    assert len(found.get_all("Project-URL", [])) == 3
    assert found["Description-Content-Type"] == "text/x-rst"
    assert str(found.get_payload()).strip() == text_of("README.rst").strip()
    if int(version_of("setuptools").partition(".")[0]) >= 77:
        assert found["License-Expression"] == "Apache-2.0"


class TestReadme:
    def test_an_index_can_show_it(self) -> None:
        """docutils alone understands it: no directive or role of Sphinx is in it."""
        messages = [
            one.astext()
            for one in tree_of("README.rst").findall(nodes.system_message)
            if one["level"] > 1
        ]
        assert messages == []

    def test_its_relative_links_lead_to_files(self) -> None:
        """An index shows them as dead links; in the checkout, they are not."""
        links = [one["refuri"] for one in tree_of("README.rst").findall(nodes.reference)
                 if "refuri" in one]  # fmt: skip
        relative = [link for link in links if not re.match(r"[a-z]+:|#", link)]
        missing = [link for link in relative if not (CHECKOUT / link.partition("#")[0]).exists()]
        assert missing == []


def tree_of(name: str) -> nodes.document:
    """A document, as docutils reads it."""
    settings = {"report_level": 5, "file_insertion_enabled": False, "syntax_highlight": "none"}
    return publish_doctree(text_of(name), settings_overrides=settings)


class TestExtras:
    def test_messages_name_the_packages_of_the_extras(self) -> None:
        """With the versions that setup.cfg asks for."""
        extras = SETTINGS["options.extras_require"]
        asked = {
            Requirement(line).name: line
            for extra in ("arrow", "frame", "viz", "progress")
            for line in extras[extra].split("\n")
            if line and not line.startswith("#")
        }
        assert asked == OPTIONAL_PACKAGES

    def test_nothing_says_that_the_package_is_published(self) -> None:
        """`pip install fluxus_rx` and its extras are on no index: from a checkout, extras are those
        of `.`, and a message names the third-party package itself."""
        folders = ("fluxus_rx", "docs", "benchmarks")
        kinds = ("*.py", "*.rst", "*.md", "*.html")
        paths = [path for top in folders for kind in kinds for path in (CHECKOUT / top).rglob(kind)]
        paths = [
            path for path in paths if "_build" not in path.parts and "results" not in path.parts
        ]
        paths += [CHECKOUT / name for name in ("README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst")]
        published = re.compile(r"pip install (?:-\S+ )*['\"]?fluxus_rx|fluxus_rx\[")
        wrong = [
            str(path.relative_to(CHECKOUT))
            for path in paths
            if published.search(path.read_text(encoding="utf-8"))
        ]
        assert wrong == []


#: Where aiostream is imported: the fewer, the nearer is a version without it.
AIOSTREAM = {
    "_components/pipes.py",
    "_conduits/producer.py",
    "_conduits/transformer.py",
    "_engine/conversions.py",
    "_streams/iteration.py",
    "_streams/operators.py",
}


def test_aiostream_is_imported_in_these_modules_only() -> None:
    """Its licence is the GPL; a module that is added here makes it harder to do without."""
    package = CHECKOUT / "fluxus_rx"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if any(name.partition(".")[0] == "aiostream" for name in imported(node))
    }
    assert found == AIOSTREAM


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


FORMS = ["bug", "feature", "question"]


class TestFiles:
    @pytest.mark.parametrize("name", FORMS)
    def test_a_form_asks_what_it_needs(self, name: str) -> None:
        """Each field has a label of its own and an id; the first one of a kind is required."""
        form: dict[str, Any] = yaml.safe_load(text_of(f".github/ISSUE_TEMPLATE/{name}.yml"))
        assert form.keys() == {"name", "description", "labels", "body"}
        assert {field["type"] for field in form["body"]} == {"textarea"}
        assert form["body"][0]["validations"] == {"required": True}
        ids = [field["id"] for field in form["body"]]
        labels = [field["attributes"]["label"] for field in form["body"]]
        assert len(set(ids)) == len(set(labels)) == len(form["body"])

    def test_hooks_run_what_ci_runs_and_need_no_network(self) -> None:
        """They are the tools of the environment."""
        (repo,) = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
        assert repo["repo"] == "local"
        assert {hook["language"] for hook in repo["hooks"]} == {"system"}
        mypy = next(hook["entry"] for hook in repo["hooks"] if hook["id"] == "mypy")
        assert mypy in text_of(".ci/run")

    def test_the_site_is_built_from_what_is_there(self) -> None:
        """With the extra that has its tools."""
        found = yaml.safe_load(text_of(".readthedocs.yaml"))
        assert (CHECKOUT / found["sphinx"]["configuration"]).exists()
        (install,) = found["python"]["install"]
        assert {*install["extra_requirements"]} <= SETTINGS["options.extras_require"].keys()

    def test_the_changelog_has_the_usual_sections(self) -> None:
        """Those of a version, in this order, and the page of the site is the same text."""
        sections = re.findall(r"^(\w+)\n~+$", text_of("CHANGELOG.rst"), re.MULTILINE)
        assert sections == ["Added", "Changed", "Fixed"]
        assert ".. include:: ../CHANGELOG.rst" in text_of("docs/changelog.rst")

    @pytest.mark.parametrize("name", ["SECURITY.rst", "CODE_OF_CONDUCT.rst", "CHANGELOG.rst"])
    def test_a_document_can_be_read_without_sphinx(self, name: str) -> None:
        """Where the repository is looked at; roles of Sphinx are for pages of the site."""
        found = [one.astext() for one in tree_of(name).findall(nodes.system_message)]
        assert found == []
