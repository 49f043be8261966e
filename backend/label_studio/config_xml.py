"""A label configuration's XML, read as Label Studio's page reads it.

Tags and attributes count in any case. A `<Repeater>` stands for as many copies of its content as
the task has elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

from backend.label_studio.task_values import list_at
from mfp_model.errors import MfpError

_MAX_LETTERS = 2_000_000
_MAX_TAGS = 50_000
_MAX_DEPTH = 50
_INDEX_FLAG = "{{idx}}"


class LabelConfigError(MfpError):
    """A label configuration that cannot be read or lacks a needed control."""


def read_xml(xml: str) -> ET.Element:
    """Return the configuration's root, its tags and the names of its attributes in lower case.

    Raises:
        LabelConfigError: Not XML, too large, nested too deep, or with a document type, which
            Label Studio never writes.
    """
    if len(xml) > _MAX_LETTERS or xml.count("<") > _MAX_TAGS:
        raise LabelConfigError(
            f"label config: {len(xml)} letters with {xml.count('<')} tags, at most {_MAX_LETTERS} "
            f"and {_MAX_TAGS}"
        )
    try:
        _refuse_document_type(xml)
        root = ET.fromstring(xml)
    except (ET.ParseError, expat.ExpatError, ValueError) as error:  # ValueError: surrogates
        raise LabelConfigError(f"label config: not XML ({error})") from None
    _check_depth(root)
    for tag in root.iter():
        tag.tag = tag.tag.lower()
        attributes = {name.lower(): value for name, value in tag.attrib.items()}
        tag.attrib.clear()
        tag.attrib.update(attributes)
    for tag in root.iter("hypertext"):  # what stands in it is text
        for child in list(tag):
            tag.remove(child)
    return root


def has_repeaters(root: ET.Element) -> bool:
    """Return whether the tags depend on the task."""
    return root.find(".//repeater") is not None


def repeated(root: ET.Element, data: Mapping[str, Any]) -> ET.Element:
    """Return the configuration with each `<Repeater>` replaced by its copies for a task's data.

    Raises:
        LabelConfigError: These are too many tags, or too many letters.
    """
    return _Repeating(data).copy(root)


class _Repeating:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._n_copied = 0
        self._n_numbered = 0  # more than are copied, where repeaters lie in each other
        self._n_letters = 0

    def copy(self, tag: ET.Element) -> ET.Element:
        self._n_copied += 1
        self._check()
        made = ET.Element(tag.tag, tag.attrib)
        for child in tag:
            made.extend(self._copies(child) if child.tag == "repeater" else [self.copy(child)])
        return made

    def _copies(self, repeater: ET.Element) -> list[ET.Element]:
        n_elements = len(list_at(repeater.get("on", ""), self._data))
        flag = repeater.get("indexflag", _INDEX_FLAG)
        views = []
        for index in range(n_elements):
            view = ET.Element("view")
            view.extend([self._numbered(child, flag, str(index)) for child in repeater])
            views.append(self.copy(view))
        return views

    def _numbered(self, tag: ET.Element, flag: str, index: str) -> ET.Element:
        """A copy with the index in the place of its flag."""
        attributes = {name: value.replace(flag, index) for name, value in tag.attrib.items()}
        self._n_numbered += 1
        self._n_letters += sum(map(len, attributes.values()))
        self._check()
        made = ET.Element(tag.tag, attributes)
        made.extend([self._numbered(child, flag, index) for child in tag])
        return made

    def _check(self) -> None:
        if max(self._n_copied, self._n_numbered) > _MAX_TAGS:
            raise LabelConfigError(f"label config: its repeaters make more than {_MAX_TAGS} tags")
        if self._n_letters > _MAX_LETTERS:
            raise LabelConfigError(
                f"label config: its repeaters make more than {_MAX_LETTERS} letters"
            )


def _refuse_document_type(xml: str) -> None:
    def refuse(*declaration: object) -> None:
        raise LabelConfigError("label config: document types and entities are refused")

    parser = expat.ParserCreate("UTF-8")  # whatever the text says of itself
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(xml.encode(), True)


def _check_depth(root: ET.Element) -> None:
    """Refuse nesting that no page has: the work below grows with depth times tags."""
    level = [root]
    for _ in range(_MAX_DEPTH):
        level = [child for tag in level for child in tag]
    if level:
        raise LabelConfigError(f"label config: nested more than {_MAX_DEPTH} deep")
