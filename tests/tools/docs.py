#!/usr/bin/python3
"""Documents made from what the code itself reads: man pages as HTML, every table, the diagram of a flow's states.

docs.py --out FOLDER. The tables are those of the tree; what they say is what the programs do.
"""
import argparse
import html
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rows(path):
    """(macro, [arguments]) of a .tbl file."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    for m in re.finditer(r"^([A-Z]\w*)\(((?:[^()\"]|\"(?:\\.|[^\"\\])*\"|\([^()]*\))*)\)", text, re.M):
        parts = re.findall(r'"(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*|[^,"]+', m.group(2))
        yield m.group(1), [p.strip().strip('"') for p in parts if p.strip()]


def first_comment(path):
    found = re.match(r"/\*\s*(.*?)\*/", path.read_text(), re.S)
    return re.sub(r"\s*\n\s*\*\s*", " ", found.group(1)).strip() if found else ""


def table_page(paths):
    out = ["<!doctype html><meta charset=utf-8><title>Tables of Perron</title>",
           "<style>body{font:16px sans-serif;max-width:70em;margin:2em auto}td{padding:.2em 1em .2em 0;"
           "vertical-align:top}</style><h1>Tables</h1>"]
    for path in paths:
        out.append(f"<h2>{path.relative_to(ROOT)}</h2><p>{html.escape(first_comment(path))}</p><table>")
        for _, cells in rows(path):
            out.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
        out.append("</table>")
    return "\n".join(out)


def state_diagram(path):
    """Graphviz text of the states and their successors."""
    names = {cells[0]: cells[1] for _, cells in rows(path)}
    out = ["digraph flow { rankdir=LR; node [shape=box, fontname=sans];"]
    for _, cells in rows(path):
        for target in re.findall(r"TO\((\w+)\)", " ".join(cells[4:])):
            out.append(f'  "{cells[1]}" -> "{names.get(target, target)}";')
    return "\n".join([*out, "}"]) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    out = ROOT / parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for page in sorted((ROOT / "gw/man").glob("*.[58]")):
        made = subprocess.run(["mandoc", "-Thtml", str(page)], stdout=subprocess.PIPE, check=True).stdout
        (out / (page.name + ".html")).write_bytes(made)
    tables = [p for p in sorted(ROOT.rglob("*.tbl")) if p.relative_to(ROOT).parts[0] in
              ("gw", "policy", "certs", "signatures")]
    (out / "tables.html").write_text(table_page(tables))
    (out / "flow.dot").write_text(state_diagram(ROOT / "gw/flow/state.tbl"))
    n_rows = sum(len(list(rows(p))) for p in tables)
    print(f"{out}: {len(tables)} tables with {n_rows} rows, man pages, flow.dot")
    return 0 if n_rows else 1


if __name__ == "__main__":
    sys.exit(main())
