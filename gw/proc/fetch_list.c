/* Revocation lists: which there are, when each is fetched again, and the set made of all. See
 * fetcher_int.h.
 *
 * A list is read and verified against its issuer before anything of it is used. A newer one replaces an older
 * one and never the other way round; one that cannot be had leaves the last one in force, which stops
 * proving anybody good when its time is over, and is tried again, more and more seldom. */
#include "gw/proc/fetcher_int.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

enum {
    TURN_MS = 5000,
    PUBLISH_MS = 250, /* ... and longer where a set is large */
    SERIALS_A_MS = 1000,
    RETRY_FIRST_S = 30,
    RETRY_MOST_S = 3600,
    REFRESH_LEAST_S = 300,
    REFRESH_MOST_S = 86400,
};

struct source {
    struct list link; /* least recently wanted first */
    struct fetcher *f;
    struct get get;
    struct revoked_source is; /* serials point to `own`, or into the restored set */
    uint8_t *own;
    uint8_t *text; /* URL and issuer, which `is` points to */
    X509 *issuer;
    bool have, fetching;
    unsigned failures;
    int64_t due_s; /* wall clock */
};

static void run(struct fetcher *f);

/* ---- the set */

static void publish(struct ev_timer *t)
{
    struct fetcher *f = CONTAINER_OF(t, struct fetcher, publish);
    struct revoked_source *all = calloc(f->by_id.n + 1, sizeof *all);
    size_t n = 0;
    int fd = -1;
    for (struct list *l = f->sources.next; all && l != &f->sources; l = l->next) {
        struct source *s = CONTAINER_OF(l, struct source, link);
        if (s->have)
            all[n++] = s->is;
    }
    enum rc rc = all ? revoked_build(all, n, &fd) : RC_NOMEM;
    if (rc == RC_OK && f->ctx->master)
        rc = peer_send(f->ctx->master, MSG_REVOKED, SPAN_NONE, &fd, 1);
    if (rc != RC_OK)
        log_error("a new revocation set could not be handed over: %s", rc_text(rc));
    if (fd >= 0)
        close(fd);
    free(all);
}

static void changed(struct fetcher *f)
{
    if (f->publish.due_ms == 0)
        ev_timer_set(f->env.ev, &f->publish, PUBLISH_MS + (int64_t)(f->n_serials / SERIALS_A_MS));
}

/* ---- one source */

static void drop_serials(struct source *s)
{
    s->f->n_serials -= s->is.serials.n / CRL_SERIAL;
    free(s->own);
    s->own = NULL;
    s->is.serials = SPAN_NONE;
    s->have = false;
}

static void drop(struct source *s)
{
    struct fetcher *f = s->f;
    if (s->fetching)
        f->running--;
    get_cancel(&s->get);
    drop_serials(s);
    map_take(&f->by_id, span_of(s->is.id, sizeof s->is.id));
    list_drop(&s->link);
    X509_free(s->issuer);
    free(s->text);
    free(s);
}

static bool put_text(struct source *s, span url)
{
    uint8_t *der = NULL;
    int n = i2d_X509(s->issuer, &der);
    s->text = n > 0 ? malloc(url.n + (size_t)n) : NULL;
    if (s->text) {
        memcpy(s->text, url.p, url.n);
        memcpy(s->text + url.n, der, (size_t)n);
        s->is.url = span_of(s->text, url.n);
        s->is.issuer = span_of(s->text + url.n, (size_t)n);
    }
    OPENSSL_free(der);
    return s->text != NULL;
}

static void make_room(struct fetcher *f)
{
    if (f->by_id.n >= LIM_REVOKED_SOURCES)
        drop(CONTAINER_OF(f->sources.next, struct source, link));
}

static struct source *add(struct fetcher *f, X509 *issuer, span url, bool authorities,
                          const uint8_t id[REVOKED_SOURCE])
{
    make_room(f);
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct source){.f = f, .issuer = issuer, .is = {.authorities = authorities}};
    memcpy(s->is.id, id, sizeof s->is.id);
    X509_up_ref(issuer);
    list_init(&s->link);
    if (!put_text(s, url) || map_put(&f->by_id, span_of(id, REVOKED_SOURCE), s) != RC_OK) {
        X509_free(s->issuer);
        free(s->text);
        free(s);
        return NULL;
    }
    list_push(&f->sources, &s->link);
    return s;
}

/* ---- a list has come */

/* RFC 5280 section 5.2.3: numbers grow. Where one of the two has none, its date counts. */
static bool is_older(const struct source *s, const struct crl *c)
{
    static const uint8_t none[CRL_NUMBER];
    if (!s->have)
        return false;
    if (memcmp(s->is.number, none, CRL_NUMBER) != 0 && memcmp(c->number, none, CRL_NUMBER) != 0) {
        int order = memcmp(c->number, s->is.number, CRL_NUMBER);
        if (order != 0)
            return order < 0;
    }
    return c->this_s < s->is.this_s;
}

static enum rc take(struct source *s, struct crl *c)
{
    struct fetcher *f = s->f;
    size_t others = f->n_serials - s->is.serials.n / CRL_SERIAL;
    uint8_t *serials = NULL;
    if (c->n <= LIM_REVOKED_SERIALS - others)
        serials = malloc(c->n * CRL_SERIAL + 1);
    if (!serials) {
        c->why = CRL_TOO_LARGE;
        return RC_LIMIT;
    }
    size_t n = crl_serials(c, serials);
    drop_serials(s);
    s->own = serials;
    s->is.serials = span_of(serials, n * CRL_SERIAL);
    s->is.this_s = c->this_s;
    s->is.next_s = crl_good_until(c, n);
    memcpy(s->is.number, c->number, sizeof s->is.number);
    s->have = true;
    f->n_serials += n;
    return RC_OK;
}

static enum rc judge(struct source *s, span body, struct crl *c)
{
    struct crl_want want = {
        .issuer = s->issuer, .url = s->is.url, .authorities = s->is.authorities, .now_s = clock_wall_s()};
    TRY(crl_read(body, c));
    TRY(crl_verify(c, &want));
    if (is_older(s, c)) {
        c->why = CRL_OLDER;
        return RC_DENIED;
    }
    return take(s, c);
}

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* At half its life, for a revocation shall not wait for the end of the list that lacks it. */
static void again_when_due(struct source *s)
{
    int64_t now = clock_wall_s(), half = s->is.this_s + (s->is.next_s - s->is.this_s) / 2;
    s->failures = 0;
    s->due_s = now + clamp(half - now, REFRESH_LEAST_S, REFRESH_MOST_S);
}

static void again_after_failure(struct source *s)
{
    unsigned shift = s->failures < 7 ? s->failures : 7;
    s->failures++;
    s->due_s = clock_wall_s() + clamp((int64_t)RETRY_FIRST_S << shift, 0, RETRY_MOST_S);
}

static void on_list(struct get *g, enum get_why why, span body)
{
    struct source *s = g->data;
    struct fetcher *f = s->f;
    struct crl c = {.why = CRL_FINE};
    const char *word = get_why_name(why);
    bool taken = false;
    s->fetching = false;
    f->running--;
    if (why == GET_DONE) {
        taken = judge(s, body, &c) == RC_OK;
        word = crl_why_name(c.why);
    }
    if (taken || c.why == CRL_OLDER)
        again_when_due(s);
    else
        again_after_failure(s);
    if (taken) {
        log_info("revocation list %.*s: %zu entries", (int)s->is.url.n, (const char *)s->is.url.p,
                 s->is.serials.n / CRL_SERIAL);
        changed(f);
    } else {
        log_warn("revocation list %.*s not taken: %s", (int)s->is.url.n, (const char *)s->is.url.p, word);
    }
    run(f);
}

/* ---- what is due */

static void start(struct source *s)
{
    struct fetcher *f = s->f;
    s->get = (struct get){
        .env = &f->env, .most = LIM_CRL_BYTES, .timeout_ms = LIM_FETCH_MS, .data = s, .done = on_list};
    if (get_start(&s->get, s->is.url) != RC_OK) {
        again_after_failure(s);
        return;
    }
    s->fetching = true;
    f->running++;
}

static void run(struct fetcher *f)
{
    int64_t now = clock_wall_s(), next = INT64_MAX;
    for (struct list *l = f->sources.next; l != &f->sources && f->have_rules; l = l->next) {
        struct source *s = CONTAINER_OF(l, struct source, link);
        if (s->fetching)
            continue;
        if (s->due_s <= now && f->running < LIM_FETCHES)
            start(s);
        else if (s->due_s < next)
            next = s->due_s;
    }
    int64_t wait_ms = next > now + TURN_MS / 1000 ? TURN_MS : (next - now) * 1000 + 1;
    ev_timer_set(f->env.ev, &f->turn,
                 wait_ms < 100 ? 100 : wait_ms); /* TURN_MS: the clock may have been set */
}

static void on_turn(struct ev_timer *t)
{
    run(CONTAINER_OF(t, struct fetcher, turn));
}

void lists_wake(struct fetcher *f)
{
    run(f);
}

void lists_want(struct fetcher *f, X509 *issuer, span url, bool authorities)
{
    uint8_t id[REVOKED_SOURCE];
    if (revoked_source_id(issuer, url, authorities, id) != RC_OK)
        return;
    struct source *s = map_find(&f->by_id, span_of(id, sizeof id));
    if (s) {
        list_drop(&s->link);
        list_push(&f->sources, &s->link);
        return;
    }
    if (add(f, issuer, url, authorities, id))
        run(f);
}

static void restore_one(struct fetcher *f, const struct revoked_source *was)
{
    const uint8_t *p = was->issuer.p;
    X509 *issuer = d2i_X509(NULL, &p, (long)was->issuer.n);
    struct source *s = issuer ? add(f, issuer, was->url, was->authorities, was->id) : NULL;
    X509_free(issuer);
    if (!s)
        return;
    s->is.this_s = was->this_s;
    s->is.next_s = was->next_s;
    s->is.serials = was->serials;
    memcpy(s->is.number, was->number, sizeof s->is.number);
    s->have = true;
    f->n_serials += was->serials.n / CRL_SERIAL;
    again_when_due(s);
}

void lists_restore(struct fetcher *f, int fd)
{
    if (f->restored || f->by_id.n > 0)
        return; /* our own, come back */
    if (revoked_map(fd, &f->restored) != RC_OK) {
        log_warn("the revocation set of before is damaged: all lists are fetched anew");
        return;
    }
    for (size_t i = 0; i < revoked_n_sources(f->restored); i++) {
        struct revoked_source was;
        revoked_source_at(f->restored, i, &was);
        restore_one(f, &was);
    }
    ERR_clear_error();
    run(f);
}

void lists_init(struct fetcher *f)
{
    map_init(&f->by_id, LIM_REVOKED_SOURCES);
    list_init(&f->sources);
    ev_timer_init(&f->turn, on_turn);
    ev_timer_init(&f->publish, publish);
}

void lists_fini(struct fetcher *f)
{
    ev_timer_stop(f->env.ev, &f->turn);
    ev_timer_stop(f->env.ev, &f->publish);
    while (!list_empty(&f->sources))
        drop(CONTAINER_OF(f->sources.next, struct source, link));
    map_fini(&f->by_id);
    revoked_free(f->restored);
}
