/* perron-bench soak: does anything grow? New connections at a steady rate for minutes, one in ten of them a
 * download, over many names; memory (Rss, Pss) and descriptors of all the gateway's processes are read every
 * second. A sample is ten seconds: the median of memory, the least of descriptors (how many connections
 * happen to be open says nothing; a leak lifts the least as well). The verdict compares the last minute with
 * minute two, since the first one fills caches: not more than 2 % above it, or four descriptors, which is
 * what a connection or two at the moment of reading make. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/procs.h"
#include "bench/say.h"
#include "bench/stop.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

enum { PER_SAMPLE = 10, PER_MINUTE = 6, SECOND_MS = 1000, BIG_EVERY = 10, FD_SLACK = 4 };
enum { RSS, PSS, DESCRIPTORS, WHATS };
static const double DRIFT_MAX = 0.02;

/* Rss, Pss (KiB) and descriptors, one value per ten seconds. */
struct series {
    struct samples of[WHATS];
};

static enum rc read_now(pid_t root, struct samples now[WHATS])
{
    struct proc_memory mem;
    uint64_t fds;
    TRY(procs_memory(root, &mem));
    TRY(procs_fds(root, &fds));
    samples_add(&now[0], (double)mem.rss_kib);
    samples_add(&now[1], (double)mem.pss_kib);
    samples_add(&now[2], (double)fds);
    return RC_OK;
}

/* Ten seconds; CLOSED when a stop was asked. */
static enum rc take_sample(struct turn *t, struct series *out)
{
    AUTO_FREE struct samples *now = calloc(WHATS, sizeof(*now));
    if (!now)
        return RC_NOMEM;
    for (int i = 0; i < PER_SAMPLE; i++) {
        if (stop_sleep_ms(SECOND_MS))
            return RC_CLOSED;
        TRY(read_now(t->pid, now));
    }
    for (int w = 0; w < WHATS; w++)
        samples_add(&out->of[w], w == DESCRIPTORS ? samples_min(&now[w]) : samples_median(&now[w]));
    size_t last = out->of[0].n - 1;
    say_progress("soak: %zu s, %" PRIu64 " connections, rss %.0f KiB, pss %.0f KiB, %.0f descriptors",
                 (last + 1) * PER_SAMPLE, atomic_load(&t->load.shared->ended), out->of[0].v[last],
                 out->of[1].v[last], out->of[2].v[last]);
    return RC_OK;
}

/* Median of the six samples of a minute, counted from 0. */
static double minute_of(const struct samples *s, size_t minute)
{
    struct samples part = {.n = 0};
    for (size_t i = minute * PER_MINUTE; i < (minute + 1) * PER_MINUTE && i < s->n; i++)
        samples_add(&part, s->v[i]);
    return samples_median(&part);
}

static bool flat(double second, double last, double slack)
{
    return last - second <= fmax(second * DRIFT_MAX, slack);
}

/* Figures; true when all is flat. */
static bool judge(const struct series *s, const struct turn *t, struct report *report)
{
    static const char *const NAMES[WHATS] = {"soak-rss", "soak-pss", "soak-descriptors"};
    static const char *const UNITS[WHATS] = {"KiB", "KiB", "descriptors"};
    bool good = true;
    size_t minutes = s->of[0].n / PER_MINUTE;
    for (int w = 0; w < WHATS; w++) {
        double second = minute_of(&s->of[w], 1), last = minute_of(&s->of[w], minutes - 1);
        struct figure f = {.name = NAMES[w],
                           .unit = UNITS[w],
                           .value = last,
                           .low = samples_min(&s->of[w]),
                           .high = samples_max(&s->of[w]),
                           .peer = "minute-two",
                           .peer_value = second,
                           .peer_low = second,
                           .peer_high = second,
                           .runs = 1};
        report_figure(report, &f);
        if (!flat(second, last, w == DESCRIPTORS ? FD_SLACK : 0)) {
            say_error("%s: %.0f in minute two, %.0f in the last minute: it grows by more than 2 %%", NAMES[w],
                      second, last);
            good = false;
        }
    }
    const struct load_shared *l = t->load.shared;
    double counts[2] = {(double)load_errors(l), (double)l->ok};
    report_figure(report, &(struct figure){
                              .name = "soak-errors", .unit = "connections", .value = counts[0], .runs = 1});
    report_figure(
        report,
        &(struct figure){.name = "soak-connections", .unit = "connections", .value = counts[1], .runs = 1});
    return good && counts[0] == 0;
}

static enum rc soak(struct lab *lab, struct turn *t, struct series *series, bool *good)
{
    const struct knobs *k = lab->knobs;
    struct load_plan plan = turn_plan(t, lab);
    plan.connections = 0;
    plan.seconds = k->minutes * 60;
    plan.rate = k->rate;
    plan.big_every = BIG_EVERY;
    plan.big_path = "/large";
    plan.big_len = k->size_mib << 20;
    TRY(turn_load(t, lab, &plan));
    for (uint64_t i = 0; i < k->minutes * PER_MINUTE; i++)
        TRY(take_sample(t, series));
    TRY(load_wait_end(&t->load, "soak: the last connections"));
    *good = judge(series, t, &lab->report);
    return RC_OK;
}

static int run(const struct knobs *k)
{
    struct lab lab;
    struct turn t = {.pid = -1, .load.pid = -1};
    bool good = false;
    AUTO_FREE struct series *series = calloc(1, sizeof(*series));
    if (!series)
        return 1;
    stop_block();
    enum rc rc = lab_up(&lab, k);
    if (rc == RC_OK) {
        rc = turn_begin(&t, &lab, gateway_find(k->only ? k->only : "perron"), 0);
        rc = rc == RC_OK ? soak(&lab, &t, series, &good) : rc;
        measure_tell_errors(t.what, &t.load);
        enum rc ended = turn_end(&t, &lab);
        rc = rc == RC_OK ? ended : rc;
    }
    lab_down(&lab, rc != RC_OK && rc != RC_CLOSED && rc != RC_CONFIG);
    stop_release();
    return rc == RC_OK && good ? 0 : 1;
}

int bench_soak(int argc, char **argv)
{
    struct knobs k = knobs_usual(1, 1000);
    k.runs = 1;
    k.names = 500;
    k.rate = 100;
    k.minutes = 10;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    if (k.minutes < 3) {
        say_error("soak --minutes %" PRIu64 ": at least 3, since minute two is compared with the last",
                  k.minutes);
        return 1;
    }
    if (k.only && span_eq(span_str(k.only), SPAN("direct"))) {
        say_error("soak --only direct: there is no gateway whose memory could grow");
        return 1;
    }
    return run(&k);
}
