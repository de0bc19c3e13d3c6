/* How fast the journal is: `perron-bench journal --records N` fills one with N records like those of a day's
 * requests (figure append), looks up codes anywhere in it (find, and find-cold right after the kernel has
 * forgotten the files), and walks its chain (verify). In a directory of its own beneath --dir, removed at the
 * end; 10 million records take about 4.5 GB. */
#include "bench/journal.h"

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

enum { BATCH = 1024, FINDS = 200, WORKERS = 4, RANGE = 1 << 20 };

struct setup {
    uint64_t records;
    bool json;
    const char *under;
    char path[4096];
    int dir;
};

static double now_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Codes come from the workers' ranges in turn, so they are sorted within each worker alone. */
static uint64_t number_of(uint64_t i)
{
    uint64_t of_worker = i / WORKERS, worker = i % WORKERS;
    return (of_worker / RANGE * WORKERS + worker) * RANGE + of_worker % RANGE;
}

static enum rc fill(const struct setup *s, struct report *report)
{
    struct journal *j = NULL;
    static struct bench_records maker;
    static struct samples samples;
    enum rc rc = bench_records_init(&maker, 100, false);
    if (rc == RC_OK)
        rc = journal_new(&j);
    if (rc == RC_OK)
        journal_target(j, fcntl(s->dir, F_DUPFD_CLOEXEC, 0));
    double began = now_us(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; rc == RC_OK && i < s->records; i++) {
        span bytes = bench_record(&maker, i, 1, number_of(i));
        rc = journal_add(j, 1, (uint32_t)(i % WORKERS), i / WORKERS + 1, bytes);
        if (rc == RC_OK && (i % BATCH == BATCH - 1 || i + 1 == s->records))
            rc = journal_write(j);
    }
    samples_add(&samples, (now_us(CLOCK_PROCESS_CPUTIME_ID) - began) * 1e3 / (double)s->records);
    struct figure f = figure_of("append", "ns", &samples, NULL, NULL);
    if (rc == RC_OK)
        report_figure(report, &f);
    else if (j && journal_errno(j))
        say_error("%s: %s", s->path, strerrorname_np(journal_errno(j)));
    journal_free(j);
    bench_records_fini(&maker);
    return rc;
}

/* The kernel drops what it can of every file: the next look-up reads from the disk. */
static void forget_files(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));) {
        AUTO_CLOSE int file = openat(dir, e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (file >= 0)
            posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (d)
        closedir(d);
}

static enum rc find_some(const struct setup *s, const char *name, bool cold, struct report *report)
{
    static struct samples samples;
    struct buf bytes = {0};
    struct journal_frame f;
    unsigned more;
    enum rc rc = RC_OK;
    samples = (struct samples){0};
    uint64_t finds = cold ? FINDS / 10 : FINDS;
    for (uint64_t k = 0; rc == RC_OK && k < finds && k < SAMPLES_MAX; k++) {
        uint64_t i = k * 0x9e3779b97f4a7c15 % s->records;
        if (cold)
            forget_files(s->dir);
        double t = now_us(CLOCK_MONOTONIC);
        rc = journal_find(s->dir, journal_code(1, number_of(i)), &bytes, &f, &more);
        samples_add(&samples, now_us(CLOCK_MONOTONIC) - t);
        if (rc == RC_OK && (more || f.seq != i / WORKERS + 1))
            rc = RC_BUG;
    }
    struct figure fig = figure_of(name, "us", &samples, NULL, NULL);
    if (rc == RC_OK)
        report_figure(report, &fig);
    buf_fini(&bytes);
    return rc;
}

static enum rc verify(const struct setup *s, struct report *report)
{
    static struct samples samples;
    struct journal_walk w = {.dir = s->dir, .verify = true};
    double t = now_us(CLOCK_PROCESS_CPUTIME_ID);
    TRY(journal_walk(&w));
    if (w.broken || w.n_records != s->records)
        return RC_BUG;
    samples_add(&samples, (now_us(CLOCK_PROCESS_CPUTIME_ID) - t) * 1e3 / (double)s->records);
    struct figure f = figure_of("verify", "ns", &samples, NULL, NULL);
    report_figure(report, &f);
    static struct samples size;
    samples_add(&size, (double)w.n_bytes / (double)s->records);
    f = figure_of("record", "bytes", &size, NULL, NULL);
    report_figure(report, &f);
    return RC_OK;
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

static bool options(struct setup *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        span a = span_str(argv[i]);
        bool more = i + 1 < argc;
        if (span_eq(a, SPAN("--json"))) {
            s->json = true;
        } else if (span_eq(a, SPAN("--records")) && more &&
                   span_to_u64(span_str(argv[i + 1]), 100000000, &s->records) && s->records > 0) {
            i++;
        } else if (span_eq(a, SPAN("--dir")) && more) {
            s->under = argv[++i];
        } else {
            say_error("usage: perron-bench journal [--records N] [--dir DIR] [--json]");
            return false;
        }
    }
    return true;
}

int bench_journal(int argc, char **argv)
{
    struct setup s = {.records = 1000000, .under = "/tmp"};
    if (!options(&s, argc, argv))
        return 1;
    int n = snprintf(s.path, sizeof s.path, "%s/perron-bench-XXXXXX", s.under);
    if (n < 0 || (size_t)n >= sizeof s.path || !mkdtemp(s.path)) {
        say_error("%s: no directory can be made there", s.under);
        return 1;
    }
    struct report report = {.json = s.json};
    s.dir = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rc rc = s.dir < 0 ? RC_IO : fill(&s, &report);
    if (rc == RC_OK)
        rc = find_some(&s, "find", false, &report);
    if (rc == RC_OK)
        rc = find_some(&s, "find-cold", true, &report);
    if (rc == RC_OK)
        rc = verify(&s, &report);
    clean_up(&s);
    if (rc != RC_OK)
        say_error("%s", rc_text(rc));
    return rc == RC_OK ? 0 : 1;
}
