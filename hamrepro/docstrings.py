"""The library's own words: names, signatures and docstrings, read off its text without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from hamrepro.places import ROOT


class Documented(NamedTuple):
    """A module, class, function or method with its docstring.

    Attributes:
        module: dotted, without the package. name: dotted inside the module, "" for the module itself.
        signature: arguments and result, as written. docstring: without its examples.
    """

    module: str
    name: str
    signature: str
    docstring: str

    @property
    def label(self) -> str:
        """`symplectic.flow_powers`."""
        return f"{self.module}.{self.name}" if self.name else self.module

    @property
    def summary(self) -> str:
        """First sentence, without its citations."""
        first = " ".join(self.docstring.split("\n\n")[0].split())
        return re.split(r"\s*(?:Paper:|Deviation:? D|\.\s)", first)[0].rstrip(".")


def _signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    """`(clips: Tensor, frames: int) -> Tensor`; of a class, its constructor's or its fields."""
    if isinstance(node, ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.FunctionDef) and child.name == "__init__":
                return _signature(child).removesuffix(" -> None")
        fields = [ast.unparse(child) for child in node.body if isinstance(child, ast.AnnAssign)]
        return f"({', '.join(fields)})" if fields else ""
    arguments = re.sub(r"^self(, )?", "", ast.unparse(node.args))
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


@lru_cache(maxsize=8)
def documented(root: Path = ROOT) -> tuple[Documented, ...]:
    """Everything in `hamrepro/` that has a docstring, private names too, in order of path and line."""

    def walk(node: ast.AST, module: str, prefix: str) -> Iterator[Documented]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                name = f"{prefix}{child.name}"
                yield Documented(module, name, _signature(child), ast.get_docstring(child) or "")
                yield from walk(child, module, f"{name}.")

    found = []
    for path in sorted((root / "hamrepro").rglob("*.py")):
        module = ".".join(path.relative_to(root / "hamrepro").with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        found += [Documented(module, "", "", ast.get_docstring(tree) or ""), *walk(tree, module, "")]
    prose = (entry._replace(docstring=entry.docstring.split(">>>")[0].strip()) for entry in found)
    return tuple(entry for entry in prose if entry.docstring)


def modules(root: Path = ROOT) -> tuple[str, ...]:
    """Modules and packages of the library that have a docstring, by name."""
    return tuple(sorted({entry.module.split(".")[0] for entry in documented(root)}))


def reference(*names: str, root: Path = ROOT) -> str:
    """Public names of some modules as HTML: signature, then docstring. A package stands for all of its modules."""
    parts = []
    for entry in documented(root):
        if entry.module.split(".")[0] not in names or any(word.startswith("_") for word in entry.name.split(".")):
            continue
        title = f"<b>{entry.name}</b>{escape(entry.signature)}" if entry.name else f"hamrepro.<b>{entry.module}</b>"
        level = "module" if not entry.name else "member" if "." in entry.name else "object"
        parts.append(f'<dt id="{entry.label}" class="{level}"><code>{title}</code></dt>')
        said = re.sub("`([^`]+)`", r"<code>\1</code>", escape(entry.docstring))
        parts.append(f'<dd class="{level}">{said}</dd>')
    return f'<dl class="reference-list">{"".join(parts)}</dl>'


def source(label: str, root: Path = ROOT) -> str:
    """Code of one object without its docstring, as a Markdown block: a page can show what runs, and no copy of it.

    Args:
        label: `halo.Halo.decode`; a module, then names inside it.

    Raises:
        KeyError: nothing of that name.
    """
    *parts, _ = names = label.split(".")
    while parts:
        place = root / "hamrepro" / Path(*parts)
        if found := [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()]:
            break
        parts.pop()
    else:
        raise KeyError(label)
    text = found[0].read_text()
    node: ast.AST = ast.parse(text)
    for name in names[len(parts) :]:
        found = [child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == name]
        if not found:
            raise KeyError(label)
        node = found[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    lines, first = text.splitlines(), min([node.lineno, *(d.lineno for d in node.decorator_list)])
    kept = lines[first - 1 : node.end_lineno]
    if ast.get_docstring(node) is not None:
        said = node.body[0]
        del kept[said.lineno - first : (said.end_lineno or said.lineno) - first + 1]
        if not "".join(kept[said.lineno - first :][:1]).strip():  # an empty line after it
            del kept[said.lineno - first : said.lineno - first + 1]
    code = dedent("\n".join(kept))
    return f"```python\n{code}\n```"
