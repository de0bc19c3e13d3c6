/* Roles, message types and the permit table, all generated from role.tbl and msg.tbl; see msg.h.
 * A row without a sender and receiver that fit is simply not found: there is no default that lets anything
 * through. */
#include "gw/ipc/msg.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { LOG_LEVELS = 4, NODES = 32 };

struct role_row {
    const char *name, *text;
};
static const struct role_row role_rows[ROLE_N] = {
#define R(id, name, text) [ROLE_##id] = {name, text},
#include "gw/ipc/role.tbl"
#undef R
};

/* Senders and receivers as they stand in msg.tbl: one role, or every role but the master. */
enum {
    PARTY_master = 1u << ROLE_MASTER,
    PARTY_signer = 1u << ROLE_SIGNER,
    PARTY_worker = 1u << ROLE_WORKER,
    PARTY_logger = 1u << ROLE_LOGGER,
    PARTY_opener = 1u << ROLE_OPENER,
    PARTY_compiler = 1u << ROLE_COMPILER,
    PARTY_keeper = 1u << ROLE_KEEPER,
    PARTY_granter = 1u << ROLE_GRANTER,
    PARTY_fetcher = 1u << ROLE_FETCHER,
    PARTY_any = ((1u << ROLE_N) - 1) & ~(unsigned)PARTY_master,
};
enum { TIMES_many, TIMES_once };

struct msg_row {
    const char *name;
    uint32_t from, to; /* sets of roles */
    uint32_t max_bytes;
    uint8_t max_fds;
    uint8_t times;
};
static const struct msg_row msg_rows[MSG_N] = {
#define M(id, from, to, bytes, fds, times, text) \
    [MSG_##id] = {#id, PARTY_##from, PARTY_##to, bytes, fds, TIMES_##times},
#include "gw/ipc/msg.tbl"
#undef M
};

const char *role_name(enum role r)
{
    return (unsigned)r < ROLE_N ? role_rows[r].name : "?";
}

const char *role_text(enum role r)
{
    return (unsigned)r < ROLE_N ? role_rows[r].text : "?";
}

enum role role_find(const char *name)
{
    for (unsigned r = 0; r < ROLE_N; r++) {
        if (span_eq(span_str(name), span_str(role_rows[r].name)))
            return (enum role)r;
    }
    return ROLE_N;
}

const char *msg_name(enum msg_type t)
{
    return (unsigned)t < MSG_N ? msg_rows[t].name : "?";
}

bool msg_permitted(enum msg_type t, enum role from, enum role to, struct msg_permit *out)
{
    if ((unsigned)t >= MSG_N || (unsigned)from >= ROLE_N || (unsigned)to >= ROLE_N)
        return false;
    const struct msg_row *row = &msg_rows[t];
    if (!(row->from >> from & 1) || !(row->to >> to & 1))
        return false;
    *out = (struct msg_permit){row->max_bytes, row->max_fds, row->times == TIMES_once};
    return true;
}

static enum rc put_addr(struct buf *b, const struct addr *a)
{
    TRY(buf_put_u8(b, a->family));
    return buf_put(b, span_of(a->b, sizeof a->b));
}

static bool get_addr(struct rd *r, struct addr *a)
{
    a->family = rd_u8(r);
    span bytes = rd_bytes(r, sizeof a->b);
    if (r->bad || (a->family != 4 && a->family != 6))
        return false;
    memcpy(a->b, bytes.p, sizeof a->b);
    return true;
}

enum rc role_config_put(struct buf *b, const struct role_config *c)
{
    size_t name_n = strnlen(c->node_name, sizeof c->node_name);
    gw_assert(c->n_resolvers <= N_ELEMS(c->resolver));
    TRY(buf_put_u32(b, c->index));
    TRY(buf_put_u64(b, c->boot));
    TRY(buf_put_u64(b, (uint64_t)c->clock_offset_us));
    TRY(buf_put_u32(b, c->node));
    TRY(buf_put_u8(b, c->log_level));
    TRY(buf_put_u8(b, (uint8_t)name_n));
    TRY(buf_put(b, span_of(c->node_name, name_n)));
    TRY(buf_put_u8(b, c->n_resolvers));
    for (unsigned i = 0; i < c->n_resolvers; i++)
        TRY(put_addr(b, &c->resolver[i]));
    return RC_OK;
}

enum rc role_config_get(span in, struct role_config *c)
{
    struct rd r = rd_of(in);
    *c = (struct role_config){0};
    c->index = rd_u32(&r);
    c->boot = rd_u64(&r);
    c->clock_offset_us = (int64_t)rd_u64(&r);
    c->node = rd_u32(&r);
    c->log_level = rd_u8(&r);
    span name = rd_vec8(&r);
    c->n_resolvers = rd_u8(&r);
    if (r.bad || name.n >= sizeof c->node_name || span_find(name, 0, 0) != SIZE_MAX)
        return RC_BAD;
    if (c->index > LIM_WORKERS || c->node >= NODES || c->log_level >= LOG_LEVELS ||
        c->n_resolvers > N_ELEMS(c->resolver))
        return RC_BAD;
    if (name.n)
        memcpy(c->node_name, name.p, name.n);
    for (unsigned i = 0; i < c->n_resolvers; i++) {
        if (!get_addr(&r, &c->resolver[i]))
            return RC_BAD;
    }
    return r.bad || rd_left(&r) ? RC_BAD : RC_OK;
}

static enum rc put_networks(struct buf *b, const struct prefix *p, uint8_t n)
{
    gw_assert(n <= LIM_FENCE_NETWORKS);
    TRY(buf_put_u8(b, n));
    for (unsigned i = 0; i < n; i++) {
        TRY(put_addr(b, &p[i].a));
        TRY(buf_put_u8(b, p[i].bits));
    }
    return RC_OK;
}

static bool get_networks(struct rd *r, struct prefix *p, uint8_t *n)
{
    *n = rd_u8(r);
    if (r->bad || *n > LIM_FENCE_NETWORKS)
        return false;
    for (unsigned i = 0; i < *n; i++) {
        if (!get_addr(r, &p[i].a))
            return false;
        p[i].bits = rd_u8(r);
        if (p[i].bits > (p[i].a.family == 4 ? 32 : 128))
            return false;
    }
    return true;
}

enum rc fetch_rules_put(struct buf *b, const struct fetch_rules *f)
{
    gw_assert(f->n_resolvers <= FETCH_RESOLVERS);
    TRY(buf_put_u8(b, f->private_block));
    TRY(buf_put_u8(b, f->n_resolvers));
    for (unsigned i = 0; i < f->n_resolvers; i++)
        TRY(put_addr(b, &f->resolver[i]));
    TRY(put_networks(b, f->open, f->n_open));
    return put_networks(b, f->management, f->n_management);
}

enum rc fetch_rules_get(span in, struct fetch_rules *f)
{
    struct rd r = rd_of(in);
    *f = (struct fetch_rules){.private_block = rd_u8(&r) != 0};
    f->n_resolvers = rd_u8(&r);
    if (r.bad || f->n_resolvers > FETCH_RESOLVERS)
        return RC_BAD;
    for (unsigned i = 0; i < f->n_resolvers; i++) {
        if (!get_addr(&r, &f->resolver[i]))
            return RC_BAD;
    }
    if (!get_networks(&r, f->open, &f->n_open) || !get_networks(&r, f->management, &f->n_management))
        return RC_BAD;
    return r.bad || rd_left(&r) ? RC_BAD : RC_OK;
}
