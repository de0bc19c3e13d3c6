/* How fast recorded decisions are made again under another policy: `perron-bench what-if --records N --rules
 * R` writes a journal of N records made by a policy of R rules, changes some of them, and asks what the new
 * policy would make of it: reading, decoding, categories, decision and counts (figure what-if, decisions a
 * second of one core). Needs no root; 0.4 GB a million records beneath --dir, removed at the end. */
#include "bench/whatif.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/records.h"
#include "bench/report.h"
#include "bench/say.h"
#include "gw/base/obj.h"
#include "gw/siem/journal.h"
#include "policy/whatif.h"

enum { BATCH = 1024 };

struct setup {
    uint64_t records, rules, runs;
    bool json;
    const char *under;
    char path[4096];
    int dir;
    struct bench_records then, now;
};

static enum rc fill(struct setup *s)
{
    struct journal *j = NULL;
    enum rc rc = journal_new(&j);
    if (rc != RC_OK)
        return rc;
    journal_target(j, fcntl(s->dir, F_DUPFD_CLOEXEC, 0));
    for (uint64_t i = 0; rc == RC_OK && i < s->records; i++) {
        rc = journal_add(j, 1, 0, i + 1, bench_record(&s->then, i, 1, i));
        if (rc == RC_OK && (i % BATCH == BATCH - 1 || i + 1 == s->records))
            rc = journal_write(j, true);
    }
    journal_free(j);
    return rc;
}

static const struct snapshot *open_old(void *arg, const uint8_t hash[SNAP_HASH])
{
    const struct setup *s = arg;
    return memcmp(hash, snapshot_hash(s->then.snap), SNAP_HASH) == 0 ? s->then.snap : NULL;
}

static void expect(const struct journal_frame *f, void *arg)
{
    whatif_expect(arg, f->record);
}

static enum rc take(const struct journal_frame *f, void *arg)
{
    return whatif_take(arg, f->record);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum rc once(struct setup *s, struct samples *out)
{
    struct whatif *w = NULL;
    TRY(whatif_new(s->now.snap, open_old, s, &w));
    struct journal_walk walk = {.dir = s->dir, .each = take, .ahead = expect, .arg = w};
    double t = cpu_s();
    enum rc rc = journal_walk(&walk);
    t = cpu_s() - t;
    const struct whatif_counts *c = whatif_counts(w);
    /* Some change, most do not, and every one is answered; anything else would measure something else. */
    if (rc == RC_OK && (c->records != s->records || c->unreadable || c->changed == 0 || c->same == 0))
        rc = RC_BUG;
    samples_add(out, (double)s->records / t);
    whatif_free(w);
    return rc;
}

static enum rc measure(struct setup *s)
{
    static struct samples samples;
    struct report report = {.json = s->json};
    enum rc rc = fill(s);
    for (uint64_t i = 0; rc == RC_OK && i < s->runs; i++)
        rc = once(s, &samples);
    struct figure f = figure_of("what-if", "decisions/s", &samples, NULL, NULL);
    if (rc == RC_OK)
        report_figure(&report, &f);
    return rc;
}

static void clean_up(struct setup *s)
{
    DIR *d = s->dir < 0 ? NULL : fdopendir(s->dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
    rmdir(s->path);
}

static bool number(int argc, char **argv, int *i, uint64_t most, uint64_t *out)
{
    if (*i + 1 >= argc || !span_to_u64(span_str(argv[*i + 1]), most, out) || *out == 0)
        return false;
    ++*i;
    return true;
}

static bool options(struct setup *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        span a = span_str(argv[i]);
        if (span_eq(a, SPAN("--json"))) {
            s->json = true;
        } else if (span_eq(a, SPAN("--dir")) && i + 1 < argc) {
            s->under = argv[++i];
        } else if (!((span_eq(a, SPAN("--records")) && number(argc, argv, &i, 100000000, &s->records)) ||
                     (span_eq(a, SPAN("--rules")) && number(argc, argv, &i, 60000, &s->rules)) ||
                     (span_eq(a, SPAN("--runs")) && number(argc, argv, &i, SAMPLES_MAX, &s->runs)))) {
            say_error(
                "usage: perron-bench what-if [--records N] [--rules R] [--runs N] [--dir DIR] [--json]");
            return false;
        }
    }
    return true;
}

int bench_whatif(int argc, char **argv)
{
    static struct setup s = {.records = 1000000, .rules = 1000, .runs = 5, .under = "/tmp", .dir = -1};
    if (!options(&s, argc, argv))
        return 1;
    int n = snprintf(s.path, sizeof s.path, "%s/perron-bench-XXXXXX", s.under);
    if (n < 0 || (size_t)n >= sizeof s.path || !mkdtemp(s.path)) {
        say_error("%s: no directory can be made there", s.under);
        return 1;
    }
    s.dir = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rc rc = s.dir < 0 ? RC_IO : bench_records_init(&s.then, s.rules, false);
    if (rc == RC_OK)
        rc = bench_records_init(&s.now, s.rules, true);
    if (rc == RC_OK)
        rc = measure(&s);
    clean_up(&s);
    bench_records_fini(&s.then);
    bench_records_fini(&s.now);
    if (rc != RC_OK)
        say_error("%s", rc_text(rc));
    return rc == RC_OK ? 0 : 1;
}
