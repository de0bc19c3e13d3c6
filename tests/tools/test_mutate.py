"""The table of mutants that no test can notice: each line of it names one, in the sources as they are."""
import mutate


def test_every_line_of_the_table_names_a_mutant(monkeypatch):
    monkeypatch.chdir(mutate.ROOT)
    names = set()
    for files, _ in mutate.SUBJECTS.values():
        for path in files:
            with open(path) as f:
                text = f.read()
            names |= {mutate.identity(path, text, *site) for site in mutate.sites(text)}
    assert [name for name in mutate.read_equal() if name not in names] == []
