/* The granter: a process that lives for one question about grants. It has their store (one directory, nothing
 * else of the file system) and the policy in force, looks whether what is asked for can be granted, writes it
 * down and answers with the new part. SQL is spoken here alone. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/grants_check.h"
#include "gw/proc/grants_db.h"
#include "gw/proc/role.h"
#include "policy/manifest.h"
#include "policy/part.h"

enum { ASKED_FDS = 4 }; /* directory, policy, both parts of lists */

struct asked {
    struct role_ctx *ctx;
    struct grants_db *db;
    struct snapshot *snap; /* NULL at the start of the gateway */
    json_t *words;
    int64_t now_s;
    struct buf answer; /* why not, or what was done */
    uint32_t id;       /* of the grant that was made or ended */
    bool changed;
};

static const char *word(const struct asked *a, const char *key)
{
    const char *s = json_string_value(json_object_get(a->words, key));
    return s ? s : "";
}

static json_int_t number(const struct asked *a, const char *key)
{
    return json_integer_value(json_object_get(a->words, key));
}

static enum rc refuse(struct asked *a, const char *sentence)
{
    return buf_put_str(&a->answer, sentence) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

/* ---- lines of the answer ---- */

static json_t *text(span s)
{
    json_t *t = json_stringn(s.n ? (const char *)s.p : "", s.n);
    return t ? t : json_string("");
}

static enum rc say(const struct grant_row *r, void *arg)
{
    struct asked *a = arg;
    const struct grant *g = &r->g;
    bool ended = r->revoked_s || g->until_s <= a->now_s;
    json_t *o =
        json_pack("{s:I, s:s, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:I, s:b}", "id", (json_int_t)g->id, "kind",
                  grant_kind_text(g->kind), "target", text(g->target), "scope", grant_scope_text(g->scope),
                  "who", text(g->who), "since", (json_int_t)g->since_s, "until", (json_int_t)g->until_s, "by",
                  text(g->by), "reason", text(g->reason), "uid", (json_int_t)r->uid, "ended", ended);
    if (o && r->revoked_s) {
        json_object_set_new(o, "revoked", json_integer(r->revoked_s));
        json_object_set_new(o, "revoked_by", text(r->revoked_by));
        json_object_set_new(o, "revoked_reason", text(r->revoked_reason));
    }
    json_t *line = json_pack("{s:o}", "grant", o);
    AUTO_FREE char *bytes = line ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(line);
    return bytes ? peer_send(a->ctx->master, MSG_GRANT_SAID, span_str(bytes), NULL, 0) : RC_NOMEM;
}

/* ---- what can be asked ---- */

static enum rc read_grant(struct asked *a, struct grant *g)
{
    *g = (struct grant){.since_s = a->now_s,
                        .until_s = number(a, "until"),
                        .target = span_str(word(a, "target")),
                        .who = span_str(word(a, "who")),
                        .by = span_str(word(a, "by")),
                        .reason = span_str(word(a, "reason"))};
    if (!grant_kind_of(word(a, "kind"), &g->kind) || !grant_scope_of(word(a, "scope"), &g->scope))
        return refuse(a, "there is no such kind of grant");
    if (g->kind == GRANT_EXEMPT && (g->scope != GRANT_FOR_ZONE || !span_eq(g->who, g->target)))
        return refuse(a, "only a zone can be exempt");
    return RC_OK;
}

/* Counted in the store: a part has a cap. */
static enum rc count(const struct grant_row *r, void *arg)
{
    (void)r;
    ++*(unsigned *)arg;
    return RC_OK;
}

static enum rc add(struct asked *a)
{
    uint8_t room[GRANT_ROOM];
    struct grant_row row = {.created_s = a->now_s, .uid = (uint32_t)number(a, "uid")};
    unsigned n = 0;
    if (!a->snap)
        return refuse(a, "no policy is in force");
    TRY(read_grant(a, &row.g));
    TRY(grant_check(a->snap, &row.g, a->now_s, room, &a->answer));
    TRY(grants_db_each(a->db, false, a->now_s, count, &n));
    if (n >= LIM_GRANTS)
        return refuse(a, "as many grants as there can be are in force; revoke some");
    if (!json_is_true(json_object_get(a->words, "dry"))) {
        TRY(grants_db_add(a->db, &row.g, row.uid, a->now_s, &row.g.id));
        a->changed = true;
    }
    a->id = row.g.id;
    TRY(say(&row, a));
    return grant_describe(&row.g, &a->answer);
}

/* The grants that are meant: a number, or the exemptions of a zone. */
struct meant {
    struct asked *a;
    uint32_t id[64];
    size_t n;
};

static enum rc find_meant(const struct grant_row *r, void *arg)
{
    struct meant *m = arg;
    const char *zone = word(m->a, "zone");
    bool same = *zone ? r->g.kind == GRANT_EXEMPT && span_eq(r->g.target, span_str(zone))
                      : r->g.id == (uint32_t)number(m->a, "id");
    if (!same || m->n == N_ELEMS(m->id))
        return RC_OK;
    m->id[m->n++] = r->g.id;
    TRY(m->n > 1 ? buf_put_str(&m->a->answer, "; ") : RC_OK);
    return grant_describe(&r->g, &m->a->answer);
}

static enum rc take_back(struct asked *a)
{
    struct meant m = {.a = a};
    span by = span_str(word(a, "by")), reason = span_str(word(a, "reason"));
    if (!grant_sentence(by) || !grant_sentence(reason))
        return refuse(a,
                      "--by wants a name and --reason a sentence, of at most 512 bytes that can all be seen");
    TRY(grants_db_each(a->db, false, a->now_s, find_meant, &m));
    if (m.n == 0)
        return refuse(a, *word(a, "zone")
                             ? "this zone is not exempt"
                             : "no grant of this number is in force; perronctl grants lists them");
    for (size_t i = 0; i < m.n; i++)
        TRY(grants_db_revoke(a->db, m.id[i], by, reason, a->now_s));
    a->id = m.id[0];
    a->changed = true;
    return RC_OK;
}

static enum rc serve(struct asked *a)
{
    const char *op = word(a, "op");
    if (strcmp(op, "add") == 0)
        return add(a);
    if (strcmp(op, "revoke") == 0)
        return take_back(a);
    if (strcmp(op, "list") == 0)
        return grants_db_each(a->db, json_is_true(json_object_get(a->words, "all")), a->now_s, say, a);
    a->changed = strcmp(op, "build") == 0;
    return a->changed ? RC_OK : refuse(a, "unknown command");
}

/* ---- the answer ---- */

/* What was to be said of a success is not true. */
static void say_why(struct asked *a, enum rc rc)
{
    buf_clear(&a->answer);
    if (rc != RC_IO)
        log_error("grants: %s", rc_text(rc));
    else if (buf_printf(&a->answer, "nothing was changed: the store of grants says: %s",
                        grants_db_error(a->db)) == RC_OK)
        log_error("grants: %s", grants_db_error(a->db));
}

/* u32 rc, u32 id, text; the part where it is another one. */
static enum rc answer(struct asked *a, enum rc rc)
{
    struct buf part = {0}, b = {0};
    AUTO_CLOSE int fd = -1;
    if (rc == RC_OK && a->changed)
        rc = grants_db_part(a->db, a->now_s, &part);
    if (rc == RC_OK && a->changed)
        rc = part_seal("perron-grants", buf_span(&part), &fd);
    if (rc != RC_OK && rc != RC_CONFIG && a->db)
        say_why(a, rc);
    enum rc sent = buf_put_u32(&b, (uint32_t)rc);
    if (sent == RC_OK)
        sent = buf_put_u32(&b, a->id);
    if (sent == RC_OK)
        sent = buf_put(&b, span_cut(buf_span(&a->answer), 0, 2000));
    if (sent == RC_OK)
        sent = peer_send(a->ctx->master, MSG_GRANTED, buf_span(&b), &fd, fd >= 0);
    buf_fini(&part);
    buf_fini(&b);
    return sent;
}

/* No grant takes part in what is asked here: that part is an empty one. */
static enum rc open_policy(struct asked *a, struct manifest *m, const int *fds)
{
    int parts[SNAP_PARTS];
    parts[PART_POLICY] = fds[1];
    parts[PART_LISTS] = fds[2];
    parts[PART_LISTS_TEXT] = fds[3];
    TRY(part_seal("perron-none", SPAN_NONE, &parts[PART_GRANTS]));
    enum rc rc = part_identify(parts[PART_GRANTS], &m->part[PART_GRANTS]);
    if (rc == RC_OK)
        rc = snapshot_open_as(m, parts, NULL, &a->snap);
    close(parts[PART_GRANTS]);
    return rc;
}

static enum rc begin(struct asked *a, span payload, const int *fds, size_t n_fds)
{
    struct manifest m;
    if ((n_fds != 1 && n_fds != ASKED_FDS) || payload.n < MANIFEST_BYTES)
        return RC_BAD;
    TRY(manifest_get(span_cut(payload, 0, MANIFEST_BYTES), &m));
    span words = span_cut(payload, MANIFEST_BYTES, payload.n);
    a->words = json_loadb((const char *)words.p, words.n, JSON_REJECT_DUPLICATES, NULL);
    if (!a->words || fchdir(fds[0]) < 0)
        return RC_BAD;
    a->ctx->sandbox_dirs[0] = fds[0];
    TRY(role_ready(a->ctx));
    if (n_fds == ASKED_FDS)
        TRY(open_policy(a, &m, fds));
    return grants_db_open("grants.sqlite", &a->db, &a->answer);
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct asked a = {.ctx = ctx, .now_s = clock_wall_s()};
    enum rc rc = t == MSG_GRANT_ASK ? begin(&a, payload, fds, n_fds) : RC_BAD;
    if (rc == RC_OK)
        rc = serve(&a);
    if (t == MSG_GRANT_ASK && answer(&a, rc) != RC_OK)
        ev_stop(ctx->ev);
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    grants_db_close(a.db);
    snapshot_put(a.snap);
    json_decref(a.words);
    buf_fini(&a.answer);
}

static enum rc start(struct role_ctx *ctx)
{
    (void)ctx;
    return RC_OK;
}

const struct role_ops granter_ops = {.role = ROLE_GRANTER, .start = start, .on_msg = on_msg};
