/* How long a decision takes: `perron-bench decide --rules N` writes a policy of N rules, compiles it, and
 * asks it on requests as they come (figure decide), and on requests that only its last rule decides
 * (decide-last; --last: that one alone). Nothing of it leaves the process; no root is needed. */
#include "bench/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/report.h"
#include "bench/say.h"
#include "gw/base/obj.h"
#include "policy/compile.h"

enum { N_CATEGORIES = 60, N_GROUPS = 40, N_SCHEDULES = 12, N_ATTRS = 4, N_FACTS = 1024, ROUNDS = 400 };

struct setup {
    unsigned long rules, runs;
    bool json, last;
    struct snapshot *snap;
    struct facts *facts; /* N_FACTS */
    uint8_t *names;      /* 64 bytes each */
};

/* ---- a policy as an administration has it ---- */

/* Every seventh rule names a domain, the others a category, most of them for a group, some from a zone or a
 * network, one in five by a schedule, one in ten with an end; some warn, some are about paths and uploads. */
static enum rc put_conditions(struct buf *b, unsigned long i)
{
    if (i % 7 == 0)
        return buf_printf(b, "domain \"host%lu.example\" for g%lu", i, i % N_GROUPS);
    if (i % 11 == 0)
        return buf_printf(b, "category c%lu upload for user \"u%lu\"", i % N_CATEGORIES, i);
    if (i % 13 == 0)
        return buf_printf(b, "category c%lu path \"/a%lu/b\" from z%lu", i % N_CATEGORIES, i % 50, i % 3);
    if (i % 5 == 0)
        return buf_printf(b, "category c%lu from z%lu to network 10.%lu.0.0/16 for g%lu", i % N_CATEGORIES,
                          i % 3, i % 200, i % N_GROUPS);
    return buf_printf(b,
                      "category c%lu except domain \"ok%lu.example\" for g%lu from network 10.%lu.%lu.0/24",
                      i % N_CATEGORIES, i % 50, i % N_GROUPS, 16 + i % 32, i % 256);
}

static enum rc put_rule(struct buf *b, unsigned long i)
{
    static const char *const verbs[] = {"block", "block", "warn", "block", "allow"};
    TRY(buf_printf(b, " %s ", verbs[i % N_ELEMS(verbs)]));
    TRY(put_conditions(b, i));
    if (i % 5 == 2)
        TRY(buf_printf(b, i % 3 ? " during s%lu" : " outside s%lu", i % N_SCHEDULES));
    if (i % 10 == 3)
        TRY(buf_printf(b, " until 20%02lu-%02lu-%02lu", 20 + i % 60, 1 + i % 12, 1 + i % 28));
    return buf_put_str(b, "\n");
}

static enum rc put_names(struct buf *b)
{
    TRY(buf_put_str(b, "zone internet\nzone z0 network 10.16.0.0/12\nzone z1 network 10.32.0.0/12\n"
                       "zone z2 network 10.0.0.0/12\nservice web tcp 80, 443\n"));
    for (int i = 0; i < N_CATEGORIES; i++)
        TRY(buf_printf(b, "category c%d domain \"cat%d.example\"\n", i, i));
    for (int i = 0; i < N_GROUPS; i++)
        TRY(buf_printf(b, "group g%d user \"m%d\", \"n%d\" ldap \"cn=g%d,ou=groups,dc=province,dc=test\"%s\n",
                       i, i, i, i, i % 4 ? "" : " stale 8h"));
    for (int i = 0; i < N_SCHEDULES; i++)
        TRY(buf_printf(b, "schedule s%d mon-fri %02d:15-12:00 13:00-%d:30 except 2026-12-21..2027-01-03\n", i,
                       6 + i % 4, 15 + i % 6));
    return RC_OK;
}

static enum rc put_firewall(struct buf *b)
{
    TRY(buf_put_str(b, "firewall {\n"));
    for (int i = 0; i < 60; i++)
        TRY(buf_printf(b, " allow from z%d to network 172.16.%d.0/24 tcp %d\n", i % 3, i, 1000 + i));
    return buf_put_str(b, " allow from z0, z1, z2 to internet service web quic refuse\n}\n");
}

static enum rc put_policy(struct buf *b, unsigned long rules)
{
    TRY(put_names(b));
    TRY(put_firewall(b));
    TRY(buf_put_str(b, "tls {\n exempt category c59\n inspect any\n}\nweb {\n"));
    for (int i = 0; i < 4; i++)
        TRY(buf_printf(b, " set safe-search for g%d\n log category c%d purpose test\n", i, i));
    TRY(buf_put_str(b, " set header \"X-Tenant: abc\" domain \"login.example\"\n"));
    for (unsigned long i = 0; i + 1 < rules; i++)
        TRY(put_rule(b, i));
    return buf_put_str(b, " allow any\n}\nobserve from z2 until 2026-01-01\n");
}

static enum rc write_file(const char *path, span text)
{
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text.p, 1, text.n, f) == text.n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? RC_OK : RC_IO;
}

static enum rc compile_it(struct setup *s, const char *path)
{
    struct compile_opts opts = {.time_s = 1};
    struct buf diag = {0};
    uint8_t hash[SNAP_HASH];
    int fds[SNAP_PARTS];
    enum rc rc = policy_compile(path, &opts, fds, hash, &diag);
    if (rc != RC_OK)
        say_error("%.*s", (int)buf_len(&diag), (const char *)diag.p);
    else
        rc = snapshot_open(fds, hash, &s->snap);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return rc;
}

static enum rc make_policy(struct setup *s)
{
    char path[] = "/tmp/perron-bench-XXXXXX";
    struct buf text = {0};
    int fd = mkstemp(path);
    if (fd < 0)
        return RC_IO;
    close(fd);
    enum rc rc = put_policy(&text, s->rules);
    if (rc == RC_OK)
        rc = write_file(path, buf_span(&text));
    if (rc == RC_OK)
        rc = compile_it(s, path);
    unlink(path);
    buf_fini(&text);
    return rc;
}

/* A request as it comes: somebody known, a host in a category (`hit`) or in none. */
static void fill(struct setup *s, unsigned i, bool hit)
{
    struct facts *f = &s->facts[i];
    char *name = (char *)s->names + (size_t)i * 64, *user = name + 48;
    int n = hit ? snprintf(name, 48, "www.host%u.cat%u.example", i * 37 % 5000, i % N_CATEGORIES)
                : snprintf(name, 48, "www.none%u.example", i);
    int u = snprintf(user, 16, "m%u", i % N_GROUPS);
    *f = (struct facts){.step = STEP_REQUEST,
                        .src = {4, {10, (uint8_t)(16 + i % 32), (uint8_t)(i % 256), 9}},
                        .dst = {4, {192, 0, 2, 1}},
                        .dst_port = 443,
                        .tls = true,
                        .decrypted = true,
                        .name = span_of(name, (size_t)n),
                        .user = span_of(user, (size_t)u),
                        .id_age_s = i % 7200,
                        .app = SPAN("tls"),
                        .method = SPAN("GET"),
                        .path = SPAN("/a7/index/page.html"),
                        .time_s = 1790000000 + (int64_t)i * 611}; /* a week of it */
    for (unsigned k = 0; k < N_ATTRS; k++) {
        static const char *const attrs[N_ATTRS] = {
            "ldap:CN=g3,OU=groups,DC=province,DC=test", "ldap:CN=g17,OU=groups,DC=province,DC=test",

            "ldap:CN=vpn,OU=access,DC=province,DC=test", "radius:class=staff"};
        f->attrs[f->n_attrs++] = span_str(attrs[k]);
    }
    f->known = (UINT64_C(1) << FACT_N) - 1;
    f->zone = snapshot_zone_of(s->snap, &f->src);
    snapshot_categories(s->snap, f);
}

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void measure(struct setup *s, const char *name, bool hit, struct report *report)
{
    static struct samples samples;
    struct verdict v;
    samples = (struct samples){0};
    for (unsigned i = 0; i < N_FACTS; i++)
        fill(s, i, hit);
    for (unsigned long run = 0; run < s->runs; run++) {
        double t = cpu_ns();
        for (unsigned r = 0; r < ROUNDS; r++) {
            for (unsigned i = 0; i < N_FACTS; i++)
                decide(s->snap, &s->facts[i], &v);
        }
        samples_add(&samples, (cpu_ns() - t) / ROUNDS / N_FACTS);
    }
    struct figure f = figure_of(name, "ns", &samples, NULL, NULL);
    report_figure(report, &f);
}

static bool options(struct setup *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint64_t n = 0;
        span a = span_str(argv[i]);
        bool number = i + 1 < argc && span_to_u64(span_str(argv[i + 1]), 60000, &n) && n > 0;
        if (span_eq(a, SPAN("--json"))) {
            s->json = true;
        } else if (span_eq(a, SPAN("--last"))) {
            s->last = true;
        } else if (span_eq(a, SPAN("--rules")) && number) {
            s->rules = n;
            i++;
        } else if (span_eq(a, SPAN("--runs")) && number && n <= SAMPLES_MAX) {
            s->runs = n;
            i++;
        } else {
            say_error("usage: perron-bench decide [--rules N] [--runs N] [--last] [--json]");
            return false;
        }
    }
    return true;
}

int bench_decide(int argc, char **argv)
{
    struct setup s = {.rules = 10000, .runs = 5};
    if (!options(&s, argc, argv))
        return 1;
    s.facts = calloc(N_FACTS, sizeof *s.facts);
    s.names = calloc(N_FACTS, 64);
    bool ok = s.facts && s.names && make_policy(&s) == RC_OK;
    if (ok) {
        struct report report = {.json = s.json};
        if (!s.last)
            measure(&s, "decide", true, &report);
        measure(&s, "decide-last", false, &report);
    }
    snapshot_put(s.snap);
    free(s.facts);
    free(s.names);
    return ok ? 0 : 1;
}
