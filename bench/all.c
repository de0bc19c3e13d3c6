/* perron-bench all: every comparison of this program once, in the order of the table in README.md. Options
 * that every measurement has (--json, --runs, --only, --perrond, ...) are handed on to each. */
#include <stdio.h>

#include "bench/bench.h"
#include "gw/base/buf.h"
#include "gw/base/obj.h"

enum { WORDS = 5, ARGS_MAX = 64 };

struct part {
    int (*run)(int argc, char **argv);
    const char *words[WORDS]; /* NULL ends them */
    bool perron_only;
};

static const struct part PARTS[] = {
    {bench_conn, {"conn"}, false},
    {bench_conn, {"conn", "--tickets"}, false},
    {bench_conn, {"conn", "--resume"}, false},
    {bench_conn, {"conn", "--names", "500"}, false},
    {bench_conn, {"conn", "--names", "500", "--explicit"}, true},
    {bench_keepalive, {"keepalive"}, false},
    {bench_h2, {"h2"}, false},
    {bench_latency, {"latency"}, false},
    {bench_bulk, {"bulk"}, false},
    {bench_idle, {"idle"}, false},
};

/* --only haproxy or --only direct: who cannot do what perron_only parts ask. */
static bool without_perron(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        span word = span_str(argv[i]);
        if (span_has_suffix(word, SPAN("haproxy")) || span_has_suffix(word, SPAN("direct")))
            return true;
    }
    return false;
}

static int run_part(const struct part *part, int argc, char **argv)
{
    char *args[ARGS_MAX + 1];
    int n = 0;
    for (int i = 0; i < WORDS && part->words[i]; i++)
        args[n++] = (char *)(uintptr_t)part->words[i];
    for (int i = 1; i < argc && n < ARGS_MAX; i++)
        args[n++] = argv[i];
    args[n] = NULL;
    return part->run(n, args);
}

int bench_all(int argc, char **argv)
{
    int status = 0;
    if (argc > 1 && span_eq(span_str(argv[1]), SPAN("--help")))
        return bench_conn(argc, argv);
    for (size_t i = 0; i < N_ELEMS(PARTS); i++) {
        if (PARTS[i].perron_only && without_perron(argc, argv))
            continue;
        status |= run_part(&PARTS[i], argc, argv);
    }
    return status;
}
