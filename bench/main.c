/* perron-bench: loads and compares. One table says what it can measure; everything else is in the file of
 * that name. Figures go to standard output (--json: one object a line), progress to a terminal, errors to
 * standard error. */
#include <stdio.h>

#include "bench/bench.h"
#include "bench/decide.h"
#include "bench/journal.h"
#include "bench/lists.h"
#include "bench/say.h"
#include "bench/whatif.h"
#include "gw/base/buf.h"
#include "gw/base/obj.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *sentence;
};

static const struct command COMMANDS[] = {
    {"conn", bench_conn,
     "CPU per new connection, full handshakes (--names 500: names never seen; --explicit)"},
    {"keepalive", bench_keepalive, "CPU per request of 1 KiB on open connections"},
    {"h2", bench_h2, "the same over HTTP/2 on both sides, many requests at a time"},
    {"latency", bench_latency, "how long a request of 1 KiB takes when the gateway has little to do"},
    {"bulk", bench_bulk, "CPU per GiB of large bodies"},
    {"idle", bench_idle, "memory per idle intercepted connection"},
    {"all", bench_all, "all of the above, one after the other"},
    {"decide", bench_decide, "time of one decision under a policy of many rules; needs no root"},
    {"journal", bench_journal, "append, find by code and verify in a journal of many records; needs no root"},
    {"what-if", bench_whatif, "recorded decisions made again under another policy; needs no root"},
    {"lists", bench_lists, "host name to categories among millions of names; needs no root"},
    {"soak", bench_soak, "do memory and descriptors stay flat under minutes of load?"},
    {"reload", bench_reload, "does anybody notice that the policy is loaded anew, again and again?"},
};

static void usage(FILE *out)
{
    fprintf(out, "usage: perron-bench COMMAND [--json] [--option VALUE ...]\n\n");
    for (size_t i = 0; i < N_ELEMS(COMMANDS); i++)
        fprintf(out, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].sentence);
    fprintf(out,
            "\n`perron-bench COMMAND --help` lists its options with their defaults. All but decide, "
            "journal, what-if and lists need root:\n"
            "they build three network namespaces with nginx, dnsmasq and HAProxy in them, and take them down "
            "again.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 1;
    }
    span name = span_str(argv[1]);
    if (span_eq(name, SPAN("--help")) || span_eq(name, SPAN("help"))) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < N_ELEMS(COMMANDS); i++) {
        if (span_eq(name, span_str(COMMANDS[i].name)))
            return COMMANDS[i].run(argc - 1, argv + 1);
    }
    say_error("there is no measurement \"%s\"; `perron-bench help` lists them", argv[1]);
    return 1;
}
