/* perron-bench h2: what a request of 1 KiB costs over HTTP/2 on both sides, many at a time on each
 * connection. The load is h2load (nghttp2); the few handshakes at the beginning are part of the figure.
 * HAProxy shares its connections to origins among all, which is the best it can do. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/pki.h"
#include "bench/say.h"
#include "bench/spawn.h"
#include "bench/stop.h"
#include "gw/base/obj.h"

enum { POLL_MS = 50, SAID_BYTES = 8192, WORDS = 16 };

/* The number before a word of what h2load said; NAN without one. */
static double number_before(const char *said, const char *word)
{
    const char *at = strstr(said, word);
    char *end = NULL;
    while (at && at > said && at[-1] != ' ' && at[-1] != ',')
        at--;
    if (!at)
        return NAN;
    const char *from = at - 1;
    while (from > said && from[-1] >= '0' && from[-1] <= '9')
        from--;
    double value = strtod(from, &end);
    return end != from ? value : NAN;
}

static enum rc run_h2load(struct turn *t, struct lab *lab, const char *out)
{
    const struct knobs *k = lab->knobs;
    char count[24], clients[24], streams[24], to[40], url[PKI_NAME_MAX + 24], name[PKI_NAME_MAX];
    pki_name(0, name);
    snprintf(count, sizeof(count), "%" PRIu64, k->count);
    snprintf(clients, sizeof(clients), "%" PRIu64, k->parallel);
    snprintf(streams, sizeof(streams), "%" PRIu64, k->streams);
    snprintf(to, sizeof(to), "--connect-to=%s:443", NET_ORIGIN);
    snprintf(url, sizeof(url), "https://%s/1k", name);
    const char *const argv[WORDS] = {"h2load", "-n", count, "-c", clients, "-m", streams, to, url, NULL};
    pid_t pid;
    TRY(spawn_start(&(struct spawn){argv, lab->net.ns[NET_CLIENT], (int)lab->load_cpu, out}, &pid));
    while (spawn_alive(pid)) {
        if (stop_sleep_ms(POLL_MS)) {
            spawn_stop(pid, 1000);
            return RC_CLOSED;
        }
    }
    return turn_alive(t);
}

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    const struct knobs *k = lab->knobs;
    char out[LAB_PATH], said[SAID_BYTES] = "";
    lab_path(lab, "h2load.out", out);
    unlink(out);
    TRY(turn_cpu_begin(t));
    TRY(run_h2load(t, lab, out));
    TRY(turn_cpu_end(t));
    AUTO_CLOSE int fd = open(out, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, said, sizeof(said) - 1);
    double good = n > 0 ? number_before(said, " 2xx") : NAN;
    if (isnan(good)) {
        say_error("%s: h2load said nothing of use: %s", t->what, said);
        return RC_IO;
    }
    values[0] = t->pid > 0 ? (double)t->cpu_ns / 1e3 / (double)k->count : NAN;
    values[1] = (double)k->count - good;
    values[2] = number_before(said, " req/s");
    return RC_OK;
}

int bench_h2(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"cpu", "us/request", MEASURE_MEDIAN},
        {"errors", "requests", MEASURE_TOTAL},
        {"rate", "requests/s", MEASURE_MEDIAN},
    };
    struct knobs k = knobs_usual(200000, 8);
    k.streams = 10;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    if (k.explicit || !spawn_has("h2load")) {
        say_error(k.explicit ? "HTTP/2 is measured on the transparent way"
                             : "h2load is missing (package nghttp2-client)");
        return 1;
    }
    return measure_run(&(struct measure){"h2", ROWS, N_ELEMS(ROWS), turn}, &k);
}
