/* Policies from text and facts in one line, for the tests of what a snapshot decides. */
#ifndef TESTS_UNIT_POLICY_SNAP_HELP_H
#define TESTS_UNIT_POLICY_SNAP_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/compile.h"

struct compiled {
    enum rc rc;
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    char diag[65536]; /* NUL-terminated */
};

static inline void compiled_close(struct compiled *c)
{
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (c->fds[i] >= 0)
            close(c->fds[i]);
        c->fds[i] = -1;
    }
}

/* Compiles bytes as a file of their own. */
static inline void compile_bytes(span text, const struct compile_opts *opts, struct compiled *out)
{
    char path[] = "/tmp/perron-policy-XXXXXX";
    struct buf diag = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t at = 0; at < text.n;) {
        ssize_t n = write(fd, text.p + at, text.n - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    close(fd);
    out->rc = policy_compile(path, opts, out->fds, out->hash, &diag);
    unlink(path);
    snprintf(out->diag, sizeof out->diag, "%.*s", (int)buf_len(&diag), diag.p ? (const char *)diag.p : "");
    buf_fini(&diag);
}

static inline void compile_text(const char *text, struct compiled *out)
{
    struct compile_opts opts = {.time_s = 1790000000};
    compile_bytes(span_str(text), &opts, out);
}

/* A policy that compiles without a word; zones lan (10.0.0.0/8), guests (172.16.0.0/12, ca none) and internet
 * before it. */
#define ZONES                                 \
    "zone internet\n"                         \
    "zone lan network 10.0.0.0/8, fd00::/8\n" \
    "zone guests network 172.16.0.0/12 ca none\n"

static inline struct snapshot *snap_of(const char *text)
{
    static struct compiled c;
    static char whole[1 << 20];
    struct snapshot *s = NULL;
    snprintf(whole, sizeof whole, "%s%s", ZONES, text);
    compile_text(whole, &c);
    if (c.rc != RC_OK || c.diag[0])
        print_error("%s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
    compiled_close(&c);
    return s;
}

static inline struct addr addr_of(const char *text)
{
    struct addr a = {0};
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

/* The connect step of a TLS flow from `src` to `name`. */
static inline struct facts hello(const struct snapshot *s, const char *src, const char *user,
                                 const char *name)
{
    struct facts f = {.step = STEP_CONNECT, .src = addr_of(src), .dst_port = 443, .tls = true};
    f.known =
        FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS) | FACT_BIT(HELLO);
    f.zone = snapshot_zone_of(s, &f.src);
    f.user = span_str(user);
    f.name = span_str(name);
    snapshot_categories(s, &f);
    return f;
}

static inline struct facts request(const struct snapshot *s, const char *src, const char *user,
                                   const char *name, const char *method)
{
    struct facts f = hello(s, src, user, name);
    f.step = STEP_REQUEST;
    f.decrypted = true;
    f.method = span_str(method);
    f.path = SPAN("/");
    f.known |= FACT_BIT(METHOD) | FACT_BIT(PATH) | FACT_BIT(DEFECTS);
    return f;
}

static inline struct verdict ask(const struct snapshot *s, const struct facts *f)
{
    struct verdict v;
    memset(&v, 0xa5, sizeof v);
    decide(s, f, &v);
    return v;
}

/* Line of the rule that decided (in the whole text: ZONES has three lines), 0: no rule. */
static inline unsigned line_of(const struct snapshot *s, const struct verdict *v)
{
    return v->rule == RULE_NONE ? 0 : snapshot_rule(s, v->rule).line - 3;
}

/* Action, why and line of a verdict, of the snapshot `s` there. */
#define EXPECT(v, act, w, line)                   \
    do {                                          \
        assert_int_equal((v).action, act);        \
        assert_int_equal((v).why, w);             \
        assert_int_equal(line_of(s, &(v)), line); \
    } while (0)

#endif
