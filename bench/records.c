/* Records for measurements; see records.h. */
#include "bench/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/say.h"
#include "gw/base/obj.h"
#include "policy/compile.h"

enum { N_CATEGORIES = 60, N_GROUPS = 40, T0 = 1790000000 };

static enum rc put_rule(struct buf *b, unsigned long i)
{
    if (i % 7 == 0)
        return buf_printf(b, "block domain \"host%lu.example\" for g%lu\n", i, i % N_GROUPS);
    if (i % 11 == 0)
        return buf_printf(b, "block category c%lu for user \"u%lu\"\n", i % N_CATEGORIES, i);
    if (i % 5 == 0)
        return buf_printf(b, "allow category c%lu from z%lu for g%lu\n", i % N_CATEGORIES, i % 3,
                          i % N_GROUPS);
    return buf_printf(b,
                      "block category c%lu except domain \"ok%lu.example\" for g%lu from 10.%lu.%lu.0/24\n",
                      i % N_CATEGORIES, i % 50, i % N_GROUPS, 16 + i % 32, i % 256);
}

static enum rc put_policy(struct buf *b, unsigned long rules, bool changed)
{
    TRY(buf_put_str(b, "zone internet\nzone z0 network 10.16.0.0/12\nzone z1 network 10.32.0.0/12\n"
                       "zone z2 network 10.0.0.0/12\n"));
    for (int i = 0; i < N_CATEGORIES; i++)
        TRY(buf_printf(b, "category c%d domain \"cat%d.example\"\n", i, i));
    for (int i = 0; i < N_GROUPS; i++)
        TRY(buf_printf(b, "group g%d user \"m%d\", \"n%d\"\n", i, i, i));
    TRY(buf_put_str(b, "tls {\n exempt category c59\n inspect any\n}\nweb {\n"));
    if (changed)
        TRY(buf_put_str(b, "block category c1, c3, c5, c7, c9, c11, c13, c15, c17, c19\n"));
    for (unsigned long i = 0; i + 1 < rules; i++)
        TRY(put_rule(b, i));
    return buf_put_str(b, "allow any\n}\n");
}

static enum rc write_policy(struct bench_records *b, unsigned long rules, bool changed)
{
    struct buf text = {0};
    snprintf(b->policy, sizeof b->policy, "/tmp/perron-bench-XXXXXX");
    AUTO_CLOSE int fd = mkstemp(b->policy);
    if (fd < 0) {
        b->policy[0] = '\0';
        return RC_IO;
    }
    enum rc rc = put_policy(&text, rules, changed);
    for (size_t at = 0; rc == RC_OK && at < buf_len(&text);) {
        ssize_t n = write(fd, text.p + text.r + at, buf_len(&text) - at);
        rc = n > 0 ? RC_OK : RC_IO;
        at += n > 0 ? (size_t)n : 0;
    }
    buf_fini(&text);
    return rc;
}

static enum rc compile_it(struct bench_records *b)
{
    struct compile_opts opts = {.time_s = T0};
    struct buf diag = {0};
    uint8_t hash[SNAP_HASH];
    int fds[SNAP_PARTS];
    enum rc rc = policy_compile(b->policy, &opts, fds, hash, &diag);
    if (rc != RC_OK)
        say_error("%.*s", (int)buf_len(&diag), (const char *)diag.p);
    else
        rc = snapshot_open(fds, hash, &b->snap);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return rc;
}

/* Every other request is of somebody known, every other one to a host in a category. */
static void make_one(struct bench_records *b, unsigned i, struct record *r)
{
    char name[48], user[16];
    struct verdict v;
    int n = i % 2 ? snprintf(name, sizeof name, "www.host%u.cat%u.example", i * 37 % 5000, i % N_CATEGORIES)
                  : snprintf(name, sizeof name, "www.none%u.example", i);
    int u = i % 4 < 2 ? snprintf(user, sizeof user, "m%u", i % N_GROUPS) : 0;
    struct facts f = {.step = STEP_REQUEST,
                      .time_s = T0 + i,
                      .src = {4, {10, (uint8_t)(16 + i % 32), (uint8_t)(i % 256), 9}},
                      .dst = {4, {192, 0, 2, 1}},
                      .dst_port = 443,
                      .tls = true,
                      .decrypted = true,
                      .name = span_of(name, (size_t)n),
                      .user = span_of(user, (size_t)u),
                      .id_source = u ? ID_RADIUS : ID_NONE,
                      .ja4 = SPAN("t13d1516h2_8daaf6152771_02713d6af862"),
                      .method = SPAN("GET"),
                      .path = SPAN("/")};
    f.known = (UINT64_C(1) << FACT_N) - 1;
    f.zone = snapshot_zone_of(b->snap, &f.src);
    snapshot_categories(b->snap, &f);
    decide(b->snap, &f, &v);
    record_fill(r, b->snap, &f, &v, f.user.n ? SPAN("u-0123456789") : SPAN_NONE);
    r->wall_us = f.time_s * 1000000;
    r->flow = i;
    r->took_ns = 700;
    b->one[i].n = record_encode(r, b->one[i].bytes);
}

enum rc bench_records_init(struct bench_records *b, unsigned long rules, bool changed)
{
    *b = (struct bench_records){.snap = NULL};
    TRY(write_policy(b, rules, changed));
    TRY(compile_it(b));
    AUTO_FREE struct record *r = calloc(1, sizeof *r);
    for (unsigned i = 0; i < BENCH_RECORDS; i++) {
        b->one[i].bytes = r ? malloc(RECORD_MAX) : NULL;
        if (!b->one[i].bytes)
            return RC_NOMEM;
        make_one(b, i, r);
    }
    return RC_OK;
}

void bench_records_fini(struct bench_records *b)
{
    for (unsigned i = 0; i < BENCH_RECORDS; i++)
        free(b->one[i].bytes);
    snapshot_put(b->snap);
    if (b->policy[0])
        unlink(b->policy);
}

span bench_record(struct bench_records *b, uint64_t i, uint32_t node, uint64_t number)
{
    uint8_t *bytes = b->one[i % BENCH_RECORDS].bytes;
    record_set_code(bytes, node, number);
    return span_of(bytes, b->one[i % BENCH_RECORDS].n);
}
