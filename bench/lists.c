/* What lists of names cost: `perron-bench lists --names N` writes N names into 20 list files, compiles a
 * policy of 20 categories over them (figure build), opens the parts (open), and asks for the categories of a
 * million host names of four labels, each another one, half of them in no list: in two halves, the first some
 * names ahead as what-if does it (lookup), and at once (lookup-alone). With --ut1 DIR the lists are the
 * folders of a UT1 tree. Nothing of it leaves the process; no root is needed. */
#include "bench/lists.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "bench/report.h"
#include "bench/say.h"
#include "gw/base/obj.h"
#include "gw/siem/journal.h"
#include "policy/compile.h"
#include "policy/manifest.h"

enum { N_LISTS = 20, N_QUERIES = 1000000, NAME_MAX_BYTES = 48, CATEGORIES_MAX = 200 };

struct setup {
    unsigned long names, runs, lookups;
    const char *ut1;
    char dir[32];
    char category[CATEGORIES_MAX][64];
    size_t n_categories;
    char *queries; /* N_QUERIES names, one behind the other */
    uint8_t *lengths;
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    struct report report;
};

/* ---- names ---- */

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    v = (v ^ v >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return v ^ v >> 32;
}

/* Name number i of the lists: two labels, every third one three. Those of odd numbers are written to no list.
 */
static int name_of(uint64_t i, char *out)
{
    static const char *const tld[] = {"com", "net", "org", "be", "fr", "info", "xyz", "de"};
    char label[16];
    uint64_t v = mix(i);
    unsigned n = 0, len = 6 + (unsigned)(v % 8);
    for (uint64_t left = v; n < len; left = left / 26 ? left / 26 : mix(v + n))
        label[n++] = (char)('a' + left % 26);
    label[n] = '\0';
    return snprintf(out, NAME_MAX_BYTES, "%s%s%x.%s", i % 3 ? "" : "shop.", label, (unsigned)(i & 0xfffffff),
                    tld[v >> 8 & 7]);
}

static bool make_queries(struct setup *s)
{
    s->queries = malloc((size_t)N_QUERIES * NAME_MAX_BYTES + NAME_MAX_BYTES);
    s->lengths = malloc(N_QUERIES);
    if (!s->queries || !s->lengths)
        return false;
    char *at = s->queries;
    for (uint64_t q = 0; q < N_QUERIES; q++) {
        uint64_t i = mix(q + 77) % (s->names ? s->names : 1) * 2 + q % 2;
        char name[NAME_MAX_BYTES];
        name_of(i, name);
        int n = snprintf(at, NAME_MAX_BYTES, "%s%s", i % 3 ? "www.img." : "www.", name);
        s->lengths[q] = (uint8_t)(n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES - 1);
        at += s->lengths[q];
    }
    return true;
}

/* ---- lists and policy ---- */

static bool write_list(const struct setup *s, unsigned list)
{
    char path[64], name[NAME_MAX_BYTES];
    snprintf(path, sizeof path, "%s/l%u", s->dir, list);
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    for (uint64_t i = list; i < s->names; i += N_LISTS)
        fprintf(f, "%.*s\n", name_of(i * 2, name), name);
    return fclose(f) == 0;
}

static bool ut1_categories(struct setup *s)
{
    DIR *d = opendir(s->ut1);
    for (struct dirent *e; d && (e = readdir(d)) && s->n_categories < CATEGORIES_MAX;) {
        char path[512];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", s->ut1, e->d_name);
        if (e->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            snprintf(s->category[s->n_categories++], 64, "%.63s", e->d_name);
    }
    if (d)
        closedir(d);
    return s->n_categories > 0;
}

static enum rc put_policy(const struct setup *s, FILE *f)
{
    fprintf(f, "zone lan network 10.0.0.0/8\n");
    if (s->ut1)
        fprintf(f, "lists \"%s\"\n", s->ut1);
    for (size_t i = 0; i < s->n_categories; i++)
        fprintf(f, "category c%zu ut1 \"%s\"\n", i, s->category[i]);
    for (unsigned i = 0; i < N_LISTS && !s->ut1; i++)
        fprintf(f, "category c%u file \"l%u\"\n", i, i);
    fprintf(f, "web {\n block category c0\n allow any\n}\n");
    return fclose(f) == 0 ? RC_OK : RC_IO;
}

static bool write_all(struct setup *s)
{
    char path[64];
    memcpy(s->dir, "/tmp/perron-bench-XXXXXX", sizeof "/tmp/perron-bench-XXXXXX");
    if (!mkdtemp(s->dir))
        return false;
    for (unsigned i = 0; i < N_LISTS && !s->ut1; i++) {
        if (!write_list(s, i))
            return false;
    }
    if (s->ut1 && !ut1_categories(s))
        return false;
    snprintf(path, sizeof path, "%s/p", s->dir);
    FILE *f = fopen(path, "w");
    return f && put_policy(s, f) == RC_OK;
}

static void remove_all(const struct setup *s)
{
    char path[64];
    for (unsigned i = 0; i < N_LISTS; i++) {
        snprintf(path, sizeof path, "%s/l%u", s->dir, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/p", s->dir);
    unlink(path);
    rmdir(s->dir);
}

/* ---- measuring ---- */

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void say(struct setup *s, const char *name, const char *unit, const struct samples *v)
{
    struct figure f = figure_of(name, unit, v, NULL, NULL);
    report_figure(&s->report, &f);
}

static void close_parts(struct setup *s)
{
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (s->fds[i] >= 0)
            close(s->fds[i]);
        s->fds[i] = -1;
    }
}

static enum rc build(struct setup *s, const struct compile_prev *prev, struct compile_made *made,
                     struct samples *times)
{
    char path[64];
    struct compile_opts opts = {.time_s = 1, .prev = prev, .made = made};
    struct buf diag = {0};
    snprintf(path, sizeof path, "%s/p", s->dir);
    double t = cpu_ns();
    enum rc rc = policy_compile(path, &opts, s->fds, s->hash, &diag);
    samples_add(times, (cpu_ns() - t) / 1e9);
    if (rc != RC_OK)
        say_error("%.*s", (int)buf_len(&diag), diag.p ? (const char *)diag.p : "");
    buf_fini(&diag);
    return rc;
}

/* Opening all parts, and dropping them. */
static void measure_open(struct setup *s)
{
    static struct samples times;
    struct manifest manifest; /* parts are hashed once, by who makes them */
    if (manifest_of(s->fds, &manifest) != RC_OK)
        return;
    for (unsigned long run = 0; run < s->runs; run++) {
        struct snapshot *snap;
        double t = cpu_ns();
        if (snapshot_open_as(&manifest, s->fds, NULL, &snap) != RC_OK)
            return;
        samples_add(&times, (cpu_ns() - t) / 1e6);
        snapshot_put(snap);
    }
    say(s, "open", "ms", &times);
}

static double bytes_a_name(const struct setup *s, unsigned part, uint64_t names)
{
    struct stat st;
    return fstat(s->fds[part], &st) == 0 && names ? (double)st.st_size / (double)names : 0;
}

/* The categories of all names; returns how many have some. */
static unsigned long ask_at_once(const struct setup *s, const struct snapshot *snap)
{
    struct facts f = {.known = FACT_BIT(NAME)};
    unsigned long hits = 0;
    const char *at = s->queries;
    for (unsigned long q = 0; q < N_QUERIES; at += s->lengths[q++]) {
        f.name = span_of(at, s->lengths[q]);
        snapshot_categories(snap, &f);
        hits += f.n_cats > 0;
    }
    return hits;
}

/* The same, each name expected JOURNAL_AHEAD names before it is due. */
static unsigned long ask_ahead(const struct setup *s, const struct snapshot *snap)
{
    struct cat_keys keys[JOURNAL_AHEAD];
    struct facts f = {.known = FACT_BIT(NAME)};
    unsigned long hits = 0, told = 0;
    const char *at = s->queries, *next = s->queries;
    for (unsigned long q = 0; q < N_QUERIES; at += s->lengths[q++]) {
        for (; told < N_QUERIES && told < q + JOURNAL_AHEAD; next += s->lengths[told++])
            snapshot_expect(snap, span_of(next, s->lengths[told]), &keys[told % JOURNAL_AHEAD]);
        f.name = span_of(at, s->lengths[q]);
        snapshot_categories_expected(snap, &keys[q % JOURNAL_AHEAD], &f);
        hits += f.n_cats > 0;
    }
    return hits;
}

static bool measure_lookup(struct setup *s)
{
    static const struct {
        const char *name;
        unsigned long (*ask)(const struct setup *s, const struct snapshot *snap);
    } ways[] = {{"lookup", ask_ahead}, {"lookup-alone", ask_at_once}};
    static struct samples times[N_ELEMS(ways)];
    struct snapshot *snap;
    if (snapshot_open(s->fds, s->hash, &snap) != RC_OK)
        return false;
    unsigned long hits = ask_at_once(s, snap); /* faults the table in */
    bool same = true;
    for (unsigned long run = 0; run < s->lookups * N_ELEMS(ways); run++) {
        unsigned long way = run % N_ELEMS(ways);
        double t = cpu_ns();
        same &= ways[way].ask(s, snap) == hits;
        samples_add(&times[way], (cpu_ns() - t) / N_QUERIES);
    }
    for (size_t way = 0; way < N_ELEMS(ways); way++)
        say(s, ways[way].name, "ns", &times[way]);
    snapshot_put(snap);
    if (same && (s->ut1 || (hits > N_QUERIES * 49 / 100 && hits < N_QUERIES * 51 / 100)))
        return true;
    say_error("%lu of %d names were found, not the half that is there", hits, N_QUERIES);
    return false;
}

static void measure_size(struct setup *s)
{
    struct samples hot = {0}, text = {0};
    uint64_t names = snapshot_names(s->fds[PART_LISTS]);
    samples_add(&hot, bytes_a_name(s, PART_LISTS, names));
    samples_add(&text, bytes_a_name(s, PART_LISTS_TEXT, names));
    say(s, "table-bytes", "B/name", &hot);
    say(s, "text-bytes", "B/name", &text);
}

static bool measure(struct setup *s)
{
    static struct samples fresh, again;
    struct compile_made made = {0};
    for (unsigned long run = 0; run < s->runs; run++) {
        close_parts(s);
        if (build(s, NULL, &made, &fresh) != RC_OK)
            return false;
    }
    say(s, "build", "s", &fresh);
    struct compile_prev prev = {.manifest = made.manifest};
    memcpy(prev.fds, s->fds, sizeof prev.fds);
    enum rc rc = build(s, &prev, &made, &again);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(prev.fds[i]);
    if (rc != RC_OK)
        return false;
    if (made.outcome != LISTS_SAME) {
        say_error("the lists were built again although none had changed");
        return false;
    }
    say(s, "build-unchanged", "s", &again);
    measure_size(s);
    measure_open(s);
    return measure_lookup(s);
}

static bool options(struct setup *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint64_t n = 0;
        span a = span_str(argv[i]);
        bool number = i + 1 < argc && span_to_u64(span_str(argv[i + 1]), 20000000, &n) && n > 0;
        if (span_eq(a, SPAN("--json"))) {
            s->report.json = true;
        } else if (span_eq(a, SPAN("--names")) && number) {
            s->names = n;
            i++;
        } else if (span_eq(a, SPAN("--runs")) && number && n <= SAMPLES_MAX) {
            s->runs = n;
            i++;
        } else if (span_eq(a, SPAN("--lookups")) && number && n < SAMPLES_MAX) {
            s->lookups = n;
            i++;
        } else if (span_eq(a, SPAN("--ut1")) && i + 1 < argc) {
            s->ut1 = argv[++i];
        } else {
            say_error("usage: perron-bench lists [--names N | --ut1 DIR] [--runs N] [--lookups N] [--json]");
            return false;
        }
    }
    return true;
}

int bench_lists(int argc, char **argv)
{
    static struct setup s = {.names = 5000000, .runs = 3, .lookups = 9, .fds = {-1, -1, -1, -1}};
    char absolute[4096];
    if (!options(&s, argc, argv))
        return 1;
    if (s.ut1 && !(s.ut1 = realpath(s.ut1, absolute))) {
        say_error("there is no folder of that name");
        return 1;
    }
    bool ok = write_all(&s) && make_queries(&s) && measure(&s);
    if (s.dir[0])
        remove_all(&s);
    close_parts(&s);
    free(s.queries);
    free(s.lengths);
    return ok ? 0 : 1;
}
