"""Every rule of house.py finds what it forbids, and says nothing about clean code."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from house import Lint

CLEAN_H = "/* A thing. */\n#ifndef GW_BASE_A_H\n#define GW_BASE_A_H\nint a_get(int x);\n#endif\n"
CLEAN_C = '/* A thing. */\n#include "gw/base/a.h"\n\nint a_get(int x)\n{\n    return x;\n}\n'


def lint(tmp_path, files):
    for name, text in {"gw/base/a.h": CLEAN_H, "gw/base/a.c": CLEAN_C, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return Lint(tmp_path).run()


def test_clean_code_is_left_alone(tmp_path):
    assert lint(tmp_path, {"gw/tls/b.c": '/* B. */\n#include "gw/base/a.h"\n'}) == []


BAD = {
    "layer": ("policy/p.c", '/* P. */\n#include "gw/net/dial.h"\n', "policy may not include gw/net"),
    "layer of base": ("gw/base/b.c", '/* B. */\n#include "gw/net/dial.h"\n', "gw/base may not include gw/net"),
    "unrooted include": ("gw/base/b.c", '/* B. */\n#include "a.h"\n', "not a path from the root"),
    "openssl in policy": ("policy/p.c", "/* P. */\n#include <openssl/ssl.h>\n", "policy does not see <openssl/ssl.h>"),
    "own header last": ("gw/base/a.c", '/* A. */\n#include "gw/base/b.h"\n#include "gw/base/a.h"\n', "first include"),
    "strcpy": ("gw/base/b.c", "/* B. */\nvoid f(char *a)\n{\n    strcpy(a, \"x\");\n}\n", "strcpy() is not used"),
    "atoi": ("bench/b.c", "/* B. */\nint f(char *a)\n{\n    return atoi(a);\n}\n", "atoi() is not used"),
    "no opening comment": ("gw/base/b.c", "int b;\n", "opens with a comment"),
    "no guard": ("gw/base/b.h", "/* B. */\nint b(void);\n", "no include guard"),
    "long function": ("gw/base/b.c", "/* B. */\nint f(void)\n{\n" + "    g();\n" * 99 + "}\n", "has 101 lines"),
    "seven parameters": ("gw/base/b.c", "/* B. */\nint f(int a, int b, int c, int d, int e, int f, int g)\n{\n}\n",
                         "takes 7 parameters"),
    "deep nesting": ("gw/base/b.c", "/* B. */\nvoid f(void)\n{\n" + "if (x) {" * 5 + "}" * 5 + "\n}\n", "nests 5 deep"),
    "long file": ("gw/base/b.c", "/* B. */\n" + "int x;\n" * 1000, "1000 is the limit"),
    "long header": ("gw/base/b.h", "/* B. */\n#ifndef B_H\n" + "int x;\n" * 200 + "#endif\n", "200 is the limit"),
    "unfinished": ("gw/base/b.c", "/* B. " + "TO" + "DO */\n", "unfinished work"),
    "not ASCII": ("gw/base/b.c", "/* caf\u00e9 */\n", "ASCII"),
    "blank at the end": ("gw/base/b.c", "/* B. */ \n", "white space at the end"),
    "top level": ("stuff/x.txt", "x\n", "top level holds nothing called stuff"),
    "row twice": ("gw/base/t.tbl", 'T(ONE, "one", "text")\nT(ONE, "two", "text")\n', "stands here twice"),
    "row without sentence": ("gw/base/t.tbl", 'T(ONE, "one", "")\n', "a row without its sentence"),
    "table unused": ("gw/base/t.tbl", 'T(ONE, "one", "text")\n', "no source includes this table"),
    "eleven includes": ("gw/flow/b.c", "/* B. */\n" + "".join(f'#include "gw/base/h{i}.h"\n' for i in range(11)),
                        "11 own headers"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_finds(tmp_path, name):
    path, text, sentence = BAD[name]
    more = {"gw/net/dial.h": CLEAN_H}
    if "own header" in name:
        more["gw/base/b.h"] = CLEAN_H
    found = lint(tmp_path, {**more, path: text})
    assert any(f.startswith(path) and sentence in f for f in found), found


def test_comments_and_strings_are_not_code(tmp_path):
    text = '/* never strcpy( or atoi( here */\nconst char *s = "strcpy(x)";\n'
    assert lint(tmp_path, {"gw/base/b.c": text}) == []


def test_policy_may_read_the_names_of_defects(tmp_path):
    text = '/* P. */\n#include "certs/defect.tbl"\n'
    assert lint(tmp_path, {"policy/p.c": text, "certs/defect.tbl": 'D(ONE, "one", "text")\n'}) == []
