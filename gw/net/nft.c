/* Loading and removing; see nft.h. The library's context holds the netlink socket that owns the table
 * `perron`, so it lives as long as we divert. Routing comes before the rules that need it and goes after
 * them.
 *
 * One gateway per network namespace: whoever diverts holds an abstract socket address, which the kernel gives
 * back when its last holder is gone. The keeper holds it too, so that a successor does not add the very rule
 * and route that the keeper is about to remove. */
#include "gw/net/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/net/route.h"

enum { PLACE_TRIES = 60, PLACE_PAUSE_MS = 50 };

static const char place_name[] = "perron-divert"; /* abstract: behind a NUL */
static const char remove_own[] = "add table inet perron { flags owner; }\ndelete table inet perron\n";
static const char remove_closed[] = "add table inet perron_closed\ndelete table inet perron_closed\n";

struct nft {
    struct nft_ctx *ctx;
    int place;
    bool routed;
    struct buf own, closed; /* texts in force, each with a NUL; empty: none */
};

static enum rc say(struct buf *err, enum rc rc, const char *what, const char *detail)
{
    enum rc put = buf_printf(err, "%s%s\n", what, detail);
    return put == RC_OK ? rc : put;
}

/* ---- the place ---- */

static int try_place(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + sizeof place_name - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    memcpy(a.sun_path + 1, place_name, sizeof place_name - 1);
    if (bind(fd, (struct sockaddr *)&a, len) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int take_place(void)
{
    const struct timespec pause = {.tv_nsec = PLACE_PAUSE_MS * 1000000L};
    int fd = try_place();
    for (int i = 0; fd < 0 && errno == EADDRINUSE && i < PLACE_TRIES; i++) {
        nanosleep(&pause, NULL);
        fd = try_place();
    }
    return fd;
}

/* ---- the tables ---- */

/* The library's own words end in a new line and name the place; one line is enough for a person. */
static enum rc explain(struct nft *n, struct buf *err)
{
    span words = span_str(nft_ctx_get_error_buffer(n->ctx));
    size_t end = span_find(words, '\n', 0);
    words = span_trim(span_cut(words, 0, end == SIZE_MAX ? words.n : end));
    TRY(buf_put_str(err, "nftables refused our rules: "));
    TRY(buf_put(err, words));
    if (span_has_suffix(words, SPAN("Operation not permitted")))
        TRY(buf_put_str(err, "; perrond must be started by root"));
    if (span_has_suffix(words, SPAN("Operation not supported")))
        TRY(buf_put_str(err, "; somebody else made a table `perron` (nft delete table inet perron)"));
    TRY(buf_put_u8(err, '\n'));
    return RC_IO;
}

static enum rc run(struct nft *n, const char *text, struct buf *err)
{
    return nft_run_cmd_from_buffer(n->ctx, text) == 0 ? RC_OK : explain(n, err);
}

static enum rc run_text(struct nft *n, const struct buf *text, struct buf *err)
{
    return run(n, (const char *)buf_span(text).p, err);
}

static bool in_force(const struct buf *had, const struct buf *want)
{
    return span_eq(buf_span(had), buf_span(want));
}

/* The table that diverts first: what the other one stops does not get there meanwhile. What is in force
 * already is not loaded again. */
static enum rc load_both(struct nft *n, const struct buf *own, const struct buf *closed, struct buf *err)
{
    if (!in_force(&n->own, own))
        TRY(run_text(n, own, err));
    if (in_force(&n->closed, closed))
        return RC_OK;
    enum rc rc = run_text(n, closed, err);
    struct buf more = {0}; /* the first failure is the one to tell */
    if (rc != RC_OK && !in_force(&n->own, own) && buf_len(&n->own) > 0 &&
        run_text(n, &n->own, &more) != RC_OK)
        log_error("the packet rules of before could not be put back");
    buf_fini(&more);
    return rc;
}

static void swap(struct buf *a, struct buf *b)
{
    struct buf was = *a;
    *a = *b;
    *b = was;
}

static enum rc load(struct nft *n, const struct nft_plan *plan, struct buf *err)
{
    struct buf own = {0}, closed = {0};
    enum rc rc = nft_rules_own(&own, plan, err);
    if (rc == RC_OK)
        rc = nft_rules_closed(&closed, plan, err);
    if (rc == RC_OK)
        rc = buf_put_u8(&own, 0);
    if (rc == RC_OK)
        rc = buf_put_u8(&closed, 0);
    if (rc == RC_OK)
        rc = load_both(n, &own, &closed, err);
    if (rc == RC_OK) {
        swap(&n->own, &own);
        swap(&n->closed, &closed);
    }
    buf_fini(&own);
    buf_fini(&closed);
    return rc;
}

static enum rc open_context(struct nft *n, struct buf *err)
{
    n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!n->ctx || nft_ctx_buffer_error(n->ctx) != 0)
        return say(err, RC_NOMEM, "nftables: ", rc_text(RC_NOMEM));
    return RC_OK;
}

enum rc nft_open(struct nft **out, struct buf *err)
{
    struct nft *n = calloc(1, sizeof *n);
    if (!n)
        return RC_NOMEM;
    n->place = take_place();
    enum rc rc = RC_OK;
    if (n->place < 0)
        rc = errno == EADDRINUSE
                 ? say(err, RC_CONFIG, "another gateway diverts traffic on this machine already",
                       "; stop it first")
                 : say(err, RC_IO, "socket: ", strerror(errno));
    if (rc == RC_OK)
        rc = open_context(n, err);
    if (rc != RC_OK) {
        nft_close(n);
        return rc;
    }
    *out = n;
    return RC_OK;
}

static enum rc unroute(struct nft *n, struct buf *err)
{
    const struct route_divert ours = ROUTE_DIVERT_OURS;
    n->routed = false;
    if (route_divert_remove(&ours) == RC_OK)
        return RC_OK;
    return say(err, RC_IO, "removing our policy routing: ", strerror(errno));
}

/* Routing first where something will be diverted, and last where nothing is any more. */
enum rc nft_apply(struct nft *n, const struct nft_plan *plan, struct buf *err)
{
    const struct route_divert ours = ROUTE_DIVERT_OURS;
    bool had = n->routed, empty = nft_plan_empty(plan);
    enum rc rc = empty ? RC_OK : route_divert_add(&ours, err);
    if (rc == RC_OK)
        rc = load(n, plan, err);
    n->routed = had || (rc == RC_OK && !empty);
    if (rc == RC_OK && !empty)
        return RC_OK;
    if (rc != RC_OK && had)
        return rc;
    struct buf more = {0};
    enum rc also = unroute(n, rc == RC_OK ? err : &more); /* the first failure is the one to tell */
    buf_fini(&more);
    return rc == RC_OK ? also : rc;
}

enum rc nft_stop(struct nft *n, struct buf *err)
{
    buf_clear(&n->own);
    enum rc rc = run(n, remove_own, err);
    enum rc routes = unroute(n, err);
    return rc != RC_OK ? rc : routes;
}

int nft_place(const struct nft *n)
{
    return n->place;
}

void nft_close(struct nft *n)
{
    if (!n)
        return;
    if (n->ctx)
        nft_ctx_free(n->ctx);
    if (n->place >= 0)
        close(n->place);
    buf_fini(&n->own);
    buf_fini(&n->closed);
    free(n);
}

enum rc nft_release(struct buf *err)
{
    struct nft *n = NULL;
    TRY(nft_open(&n, err));
    enum rc rc = nft_stop(n, err);
    enum rc closed = run(n, remove_closed, err);
    nft_close(n);
    return rc != RC_OK ? rc : closed;
}
