/* perron-bench reload: a policy with a large list is reloaded again and again under load. Each time one rule
 * changes, and the very next request must show it. Meanwhile connections come at a steady rate, one in ten a
 * download, and slow downloads run across many reloads. Told are: failed connections, downloads that broke,
 * requests that still met the old rule, the 99th percentile beside a time without reloads, and memory and
 * descriptors of all processes afterwards, beside what they were before the first reload. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/pki.h"
#include "bench/procs.h"
#include "bench/say.h"
#include "bench/spawn.h"
#include "bench/stop.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

enum {
    BIG_EVERY = 10,
    SLOW_PARALLEL = 4,
    WARM_S = 2,
    QUIET_S = 20,      /* without reloads */
    FOREVER_S = 86400, /* the load is told when to end */
    SETTLE_MS = 3000,
    PROBE_MS = 10000,
    FLAT_KIB = 2048,
    FLAT_FDS = 4,
    BLOCKED = 403,
};
static const double GROWTH_MAX = 0.02, P99_MAX = 2.0;
static const char probe_name[] = "probe." PKI_DOMAIN;

/* Of all processes. */
struct weight {
    double own_kib, pss_kib, fds;
};

struct bed {
    struct lab lab;
    struct turn turn; /* its load: steady connections */
    struct load slow; /* downloads that last for many reloads */
    char policy[LAB_PATH];
    struct samples reload_ms;
    uint64_t stale, refused;
    double quiet_p99_ms, busy_p99_ms;
    struct weight before, after;
};

/* ---- the policy ---- */

/* As it stood when the gateway started, with or without the rule that the probe meets. */
static enum rc write_policy(const struct bed *b, span base, bool blocked)
{
    AUTO_CLOSE int fd = open(b->policy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char rule[128] = "";
    int n = blocked ? snprintf(rule, sizeof(rule), "web {\n    block domain \"%s\"\n}\n", probe_name) : 0;
    bool good = fd >= 0 && write(fd, rule, (size_t)n) == n && write(fd, base.p, base.n) == (ssize_t)base.n;
    return good ? RC_OK : RC_IO;
}

static enum rc read_policy(const struct bed *b, struct buf *out)
{
    AUTO_CLOSE int fd = open(b->policy, O_RDONLY | O_CLOEXEC);
    TRY(buf_reserve(out, 65536));
    ssize_t n = fd < 0 ? -1 : read(fd, out->p + out->w, 65536);
    if (n <= 0)
        return RC_IO;
    out->w += (size_t)n;
    return RC_OK;
}

/* ---- the request that shows it ---- */

static int dial_probe(struct lab *lab)
{
    struct sockaddr_storage to;
    struct addr a;
    const struct timeval late = {.tv_sec = PROBE_MS / 1000};
    if (!addr_parse(SPAN(NET_ORIGIN), &a) || net_enter(&lab->net, NET_CLIENT) != RC_OK)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (net_enter(&lab->net, NET_PLACES) != RC_OK || fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &late, sizeof(late));
    socklen_t n = addr_to_sockaddr(&a, 80, &to);
    if (connect(fd, (struct sockaddr *)&to, n) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Status of the answer to a plain request, 0 without one. */
static unsigned probe(struct lab *lab)
{
    char text[256], status[4] = "";
    uint64_t number = 0;
    AUTO_CLOSE int fd = dial_probe(lab);
    int n =
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", probe_name);
    if (fd < 0 || send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return 0;
    ssize_t got = recv(fd, text, sizeof(text), 0);
    if (got < 12 || !span_has_prefix(span_of(text, (size_t)got), SPAN("HTTP/1.1 ")))
        return 0;
    memcpy(status, text + 9, 3);
    return span_to_u64(span_str(status), 999, &number) ? (unsigned)number : 0;
}

/* ---- reloads ---- */

static enum rc one_reload(struct bed *b, span base, bool blocked)
{
    char state[LAB_PATH];
    lab_path(&b->lab, "state", state);
    const char *const argv[] = {b->lab.perronctl, "-d", state, "reload", NULL};
    TRY(write_policy(b, base, blocked));
    int64_t begun = clock_mono_us();
    enum rc rc = spawn_run(&(struct spawn){argv, SPAWN_HERE, (int)b->lab.load_cpu, b->lab.log});
    samples_add(&b->reload_ms, (double)(clock_mono_us() - begun) / 1e3);
    if (rc != RC_OK) {
        b->refused++;
        return turn_alive(&b->turn);
    }
    unsigned status = probe(&b->lab);
    if (status == 0 || (status == BLOCKED) != blocked)
        b->stale++;
    return turn_alive(&b->turn);
}

/* The steady load has ended: what connections need is given back. */
static enum rc weigh(const struct bed *b, struct weight *out)
{
    struct proc_memory mem;
    uint64_t fds;
    if (stop_sleep_ms(SETTLE_MS))
        return RC_CLOSED;
    TRY(procs_memory(b->turn.pid, &mem));
    TRY(procs_fds(b->turn.pid, &fds));
    *out = (struct weight){(double)mem.own_kib, (double)mem.pss_kib, (double)fds};
    return RC_OK;
}

static enum rc all_reloads(struct bed *b, span base)
{
    const struct knobs *k = b->lab.knobs;
    for (uint64_t i = 0; i < k->reloads; i++) {
        int64_t due = clock_mono_ms() + (int64_t)k->pause_ms;
        TRY(one_reload(b, base, i % 2 == 0));
        say_progress("reload: %" PRIu64 " of %" PRIu64 ", %" PRIu64 " requests answered", i + 1, k->reloads,
                     (uint64_t)atomic_load(&b->turn.load.shared->requests_ok));
        int64_t left = due - clock_mono_ms();
        if (stop_sleep_ms(left > 0 ? left : 0))
            return RC_CLOSED;
    }
    return RC_OK;
}

/* ---- load ---- */

static enum rc begin_load(struct bed *b)
{
    const struct knobs *k = b->lab.knobs;
    struct load_plan plan = turn_plan(&b->turn, &b->lab);
    plan.connections = 0;
    plan.seconds = FOREVER_S;
    plan.rate = k->rate;
    plan.big_every = BIG_EVERY;
    plan.big_path = "/large";
    plan.big_len = k->size_mib << 20;
    return turn_load(&b->turn, &b->lab, &plan);
}

static enum rc begin_slow(struct bed *b)
{
    struct load_plan plan = turn_plan(&b->turn, &b->lab);
    plan.names = 1;
    plan.connections = 0;
    plan.seconds = FOREVER_S;
    plan.parallel = SLOW_PARALLEL;
    plan.path = "/slow";
    plan.body_len = b->lab.knobs->size_mib << 20;
    return load_start(&b->slow, &plan, &b->lab.net, b->lab.load_cpu);
}

static enum rc end_load(struct load *l)
{
    atomic_store(&l->shared->cancel, true);
    return load_wait_end(l, "reload: the last connections");
}

static double p99_ms(const struct load *l)
{
    return (double)hist_percentile(&l->shared->latency_us, 99) / 1e3;
}

static enum rc measure(struct bed *b, span base)
{
    const struct knobs *k = b->lab.knobs;
    TRY(begin_load(b)); /* every name once: leaves are made and chains verified */
    if (stop_sleep_ms((long)(WARM_S * 1000 + k->names * 1000 / k->rate)))
        return RC_CLOSED;
    TRY(end_load(&b->turn.load));
    TRY(begin_slow(b));
    TRY(begin_load(b));
    say_progress("reload: %d s without one", QUIET_S);
    if (stop_sleep_ms(QUIET_S * 1000))
        return RC_CLOSED;
    TRY(end_load(&b->turn.load));
    b->quiet_p99_ms = p99_ms(&b->turn.load);
    if (load_errors(b->turn.load.shared) > 0) {
        measure_tell_errors(b->turn.what, &b->turn.load);
        return RC_IO; /* without reloads too: nothing could be said about them */
    }
    TRY(weigh(b, &b->before));
    TRY(begin_load(b));
    TRY(all_reloads(b, base));
    TRY(end_load(&b->turn.load));
    TRY(weigh(b, &b->after));
    b->busy_p99_ms = p99_ms(&b->turn.load);
    return end_load(&b->slow);
}

/* ---- what came out ---- */

static void say_figure(struct bed *b, const char *name, const char *unit, double value)
{
    report_figure(&b->lab.report, &(struct figure){.name = name, .unit = unit, .value = value, .runs = 1});
}

static void say_beside(struct bed *b, const char *name, const char *unit, const char *peer, const double v[2])
{
    report_figure(&b->lab.report, &(struct figure){.name = name,
                                                   .unit = unit,
                                                   .value = v[0],
                                                   .low = v[0],
                                                   .high = v[0],
                                                   .peer = peer,
                                                   .peer_value = v[1],
                                                   .peer_low = v[1],
                                                   .peer_high = v[1],
                                                   .runs = 1});
}

/* Growth that would go on. What two processes share (rings, counters) is touched page by page for the first
 * time, and has its own cap. */
static bool flat(const struct weight *before, const struct weight *after)
{
    return after->own_kib - before->own_kib <= fmax(before->own_kib * GROWTH_MAX, FLAT_KIB) &&
           after->fds - before->fds <= FLAT_FDS;
}

static bool judge(struct bed *b)
{
    uint64_t failed = load_errors(b->turn.load.shared), dropped = load_errors(b->slow.shared);
    say_figure(b, "reload-time", "ms", samples_median(&b->reload_ms));
    say_figure(b, "reload-refused", "reloads", (double)b->refused);
    say_figure(b, "reload-stale", "requests", (double)b->stale);
    say_figure(b, "reload-errors", "connections", (double)failed);
    say_figure(b, "reload-connections", "connections", (double)b->turn.load.shared->ok);
    say_figure(b, "reload-downloads", "downloads", (double)b->slow.shared->ok);
    say_figure(b, "reload-dropped", "downloads", (double)dropped);
    say_beside(b, "reload-p99", "ms", "without", (const double[]){b->busy_p99_ms, b->quiet_p99_ms});
    say_beside(b, "reload-memory", "KiB", "before", (const double[]){b->after.own_kib, b->before.own_kib});
    say_beside(b, "reload-pss", "KiB", "before", (const double[]){b->after.pss_kib, b->before.pss_kib});
    say_beside(b, "reload-descriptors", "descriptors", "before",
               (const double[]){b->after.fds, b->before.fds});
    bool same = flat(&b->before, &b->after), quick = b->busy_p99_ms <= P99_MAX * b->quiet_p99_ms;
    if (!same)
        say_error("memory or descriptors are more than before the reloads");
    if (!quick)
        say_error("reload-p99: more than %.0f times that without reloads", P99_MAX);
    if (dropped)
        say_error("reload-dropped: %s", b->slow.shared->first_error);
    return same && quick && failed + dropped + b->stale + b->refused == 0;
}

static enum rc run_bed(struct bed *b, struct knobs *k, bool *good)
{
    struct buf base = {0};
    TRY(lab_up(&b->lab, k));
    lab_path(&b->lab, "perron.policy", b->policy);
    TRY(turn_begin(&b->turn, &b->lab, gateway_find("perron"), 0));
    enum rc rc = read_policy(b, &base);
    if (rc == RC_OK)
        rc = measure(b, buf_span(&base));
    if (rc == RC_OK)
        *good = judge(b);
    buf_fini(&base);
    measure_tell_errors(b->turn.what, &b->turn.load);
    return rc;
}

int bench_reload(int argc, char **argv)
{
    struct knobs k = knobs_usual(1, 1000);
    bool good = false;
    k.runs = 1;
    k.names = 200;
    k.rate = 100;
    k.reloads = 1000;
    k.pause_ms = 250;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    if (k.policy || (k.only && !span_eq(span_str(k.only), SPAN("perron")))) {
        say_error("reload writes its own policy, for Perron alone: leave out --policy and --only");
        return 1;
    }
    k.only = "perron";
    AUTO_FREE struct bed *b = calloc(1, sizeof(*b));
    if (!b)
        return 1;
    b->turn = (struct turn){.pid = -1, .load.pid = -1};
    b->slow.pid = -1;
    stop_block();
    rc = run_bed(b, &k, &good);
    load_free(&b->slow);
    if (b->turn.gateway) {
        enum rc ended = turn_end(&b->turn, &b->lab);
        rc = rc == RC_OK ? ended : rc;
    }
    lab_down(&b->lab, rc != RC_OK && rc != RC_CLOSED && rc != RC_CONFIG);
    stop_release();
    return rc == RC_OK && good ? 0 : 1;
}
