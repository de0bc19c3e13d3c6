/* perronctl explain: the whole chain of a decision, one step a line. Of a request that is described, under
 * the policy in force (or a kept one, or a file); or of a decision that was made, found by its code in the
 * journal and decided again under the snapshot of then. The evaluator is the gateway's own, and so is the
 * answer. */
#include "gw/ctl/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/ctl/record.h"
#include "gw/proc/kept.h"
#include "policy/diag.h"
#include "policy/url.h"
#include "signatures/catkey.h"

/* ---- the snapshot to ask ---- */

static void on_snapshot(json_t *answer, void *arg)
{
    char *hash = arg;
    json_t *s = json_object_get(answer, "snapshot");
    const char *text = json_string_value(json_object_get(s, "hash"));
    if (text && json_is_true(json_object_get(s, "in_force")))
        snprintf(hash, MANIFEST_TEXT, "%s", text);
}

static int open_kept(const struct ctl *ctl, const char *prefix, struct snapshot **out)
{
    AUTO_CLOSE int dir = open(ctl->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static struct kept_snapshot s;
    struct kept k;
    struct buf err = {0};
    int status = 0;
    if (dir < 0)
        return ctl_fail("%s: %s", ctl->dir, strerror(errno));
    enum rc rc = kept_look(&k, dir, &err);
    if (rc == RC_OK)
        rc = kept_find(&k, span_str(prefix), &s, &err);
    if (rc == RC_OK)
        rc = kept_snapshot(&k, &s, true, out, &err);
    if (rc != RC_OK)
        status = ctl_error_line(buf_span(&err), rc);
    kept_close(&k);
    buf_fini(&err);
    return status;
}

static int open_file(const struct words *a, struct snapshot **out)
{
    struct compile_opts opts = {.time_s = clock_wall_s(), .node = a->node};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    struct buf diag = {0};
    enum rc rc = policy_compile(a->file, &opts, fds, hash, &diag);
    if (rc == RC_OK)
        rc = snapshot_open(fds, hash, out);
    int status = rc == RC_OK ? 0 : ctl_error_line(buf_span(&diag), rc);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return status;
}

static int open_snapshot(const struct ctl *ctl, const struct words *a, struct snapshot **out)
{
    char hash[MANIFEST_TEXT] = "";
    if (a->file)
        return open_file(a, out);
    if (a->snapshot)
        return open_kept(ctl, a->snapshot, out);
    if (ctl_ask(ctl, json_pack("{s:s, s:s}", "cmd", "show", "what", "snapshots"), on_snapshot, hash) != 0)
        return 1;
    if (hash[0] == '\0')
        return ctl_fail("explain: the gateway does not say which policy is in force; name a file with -f");
    return open_kept(ctl, hash, out);
}

/* ---- facts of a described request ---- */

/* First address of the first zone of clients. */
static bool some_client(const struct snapshot *s, struct addr *out)
{
    for (uint16_t i = 0; i < snapshot_settings(s)->n_zones; i++) {
        const struct set_zone *z = snapshot_zone(s, i);
        if (z->internet || z->n_networks == 0)
            continue;
        *out = snapshot_zone_network(s, i, 0).addr;
        return true;
    }
    return false;
}

static int person(const struct words *a, const struct snapshot *s, struct facts *f)
{
    if (a->from && !addr_parse(span_str(a->from), &f->src))
        return ctl_fail("explain: --from %s is no address", a->from);
    if (!a->from && !some_client(s, &f->src))
        return ctl_fail("explain: --from ADDRESS is needed: no zone has a network");
    f->zone = snapshot_zone_of(s, &f->src);
    f->user = a->user ? span_str(a->user) : snapshot_user_of(s, &f->src);
    f->id_source = f->user.n && !a->user ? ID_POLICY : ID_NONE; /* ID_NONE: because you say so */
    for (unsigned i = 0; i < a->n_attrs; i++)
        f->attrs[f->n_attrs++] = span_str(a->attr[i]);
    return 0;
}

static bool find_defect(const char *word, uint32_t *bit)
{
    for (uint32_t i = 0; i < 32; i++) {
        if (defect_word(i).n && span_eq(defect_word(i), span_str(word))) {
            *bit = i;
            return true;
        }
    }
    return false;
}

/* "2026-11-24 10:00", "2026-11-24T10:00:30", local time; with a Z at its end UTC. */
static bool time_parse(const char *text, int64_t *out)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < N_ELEMS(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (!end || (*end && strcmp(end, "Z") != 0))
            continue;
        int day = tm.tm_mday, hour = tm.tm_hour, minute = tm.tm_min;
        *out = *end ? timegm(&tm) : mktime(&tm);
        /* there is no 30 February, and no 02:30 when clocks are put forward */
        return tm.tm_mday == day && tm.tm_hour == hour && tm.tm_min == minute;
    }
    return false;
}

/* Times are told and read as the clocks of the policy's place show them. */
static int set_time(const struct words *a, const struct snapshot *s, struct facts *f)
{
    span zone = snapshot_settings(s)->time_zone;
    AUTO_FREE char *name = strndup((const char *)zone.p, zone.n);
    if (name && zone.n)
        setenv("TZ", name, 1);
    tzset();
    f->time_s = a->at;
    if (a->at_text && !time_parse(a->at_text, &f->time_s))
        return ctl_fail("explain: --at %s is no time; write \"2026-11-24 10:00\", or with a Z for UTC",
                        a->at_text);
    return 0;
}

static int describe(const struct words *a, const struct snapshot *s, struct facts *f,
                    uint8_t name[LIM_NAME_BYTES])
{
    struct url u;
    uint32_t defect = 0;
    if (!url_split(span_str(a->target), &u))
        return ctl_fail("explain: %s is neither a decision code nor a URL", a->target);
    if (a->certificate && !find_defect(a->certificate, &defect))
        return ctl_fail("explain: there is no defect %s of a certificate", a->certificate);
    if (strspn(a->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(a->method) || !*a->method)
        return ctl_fail("explain: --method %s is no method; they are words in capitals, such as GET",
                        a->method);
    if (person(a, s, f) != 0 || set_time(a, s, f) != 0)
        return 1;
    f->tls = u.tls;
    f->dst_port = u.port;
    f->path = u.path;
    f->proto = 6;
    f->known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS);
    size_t n = catkey_name(u.host, name);
    f->name = span_of(name, n);
    if (n == 0 && !addr_parse(u.host, &f->dst))
        return ctl_fail("explain: %.*s is no host name and no address", SHOW(u.host));
    if (n == 0)
        f->known |= FACT_BIT(DST);
    f->defects = a->certificate ? UINT32_C(1) << defect : 0;
    f->method = span_str(a->method);
    f->upload = a->upload || span_eq(f->method, SPAN("POST")) || span_eq(f->method, SPAN("PUT"));
    return 0;
}

/* ---- the steps of a described request ---- */

static void decide_step(json_t *chain, struct explain_subject *s, struct facts *f, enum step step,
                        struct verdict *v)
{
    struct timespec from, to;
    f->step = step;
    decide(s->snap, f, v); /* once for the caches, once for the clock */
    clock_gettime(CLOCK_MONOTONIC, &from);
    decide(s->snap, f, v);
    clock_gettime(CLOCK_MONOTONIC, &to);
    s->took_ns += (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec));
    chain_decision(chain, s);
}

static void walk(json_t *chain, struct explain_subject *s, struct facts *f, struct verdict *v)
{
    decide_step(chain, s, f, STEP_CONNECT, v);
    if (v->action != ACT_INSPECT)
        return;
    f->known |= FACT_BIT(DEFECTS);
    if (f->tls) {
        decide_step(chain, s, f, STEP_CERTIFICATE, v);
        if (v->action != ACT_ALLOW)
            return;
    }
    f->known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    f->decrypted = f->tls;
    uint16_t before = f->n_cats;
    snapshot_categories(s->snap, f); /* the path may add some */
    if (f->n_cats != before)
        chain_categories(chain, s);
    decide_step(chain, s, f, STEP_REQUEST, v);
}

static void say_end(json_t *chain, const struct explain_subject *s)
{
    char hash[MANIFEST_TEXT];
    hash_text(snapshot_hash(s->snap), hash);
    chain_say(chain, "snapshot", "%s", hash);
    chain_say(chain, "spent", "%.1f us", (double)s->took_ns / 1000);
}

static void show(const struct ctl *ctl, json_t *chain, const struct snapshot *snap, const struct verdict *v)
{
    static const char *const actions[] = {"allow", "block", "exempt", "inspect", "warn"};
    if (!ctl->json) {
        chain_print(chain);
        return;
    }
    struct rule_info r = snapshot_rule(snap, v->rule);
    json_t *o =
        json_pack("{s:s, s:s%, s:s%, s:i, s:O}", "action",
                  (size_t)v->action < N_ELEMS(actions) ? actions[v->action] : "?", "rule",
                  r.text.n ? (const char *)r.text.p : "", r.text.n, "file",
                  r.file.n ? (const char *)r.file.p : "", r.file.n, "line", (int)r.line, "chain", chain);
    ctl_print_json(o);
    json_decref(o);
}

static int explain_described(const struct ctl *ctl, const struct words *a)
{
    struct snapshot *snap = NULL;
    static struct facts f;
    static struct verdict v;
    uint8_t name[LIM_NAME_BYTES];
    struct explain_subject s = {.facts = &f, .verdict = &v, .brief = a->brief};
    int status = open_snapshot(ctl, a, &snap);
    if (status == 0)
        status = describe(a, snap, &f, name);
    if (status == 0) {
        json_t *chain = json_array();
        s.snap = snap;
        snapshot_categories(snap, &f);
        if (!a->from)
            chain_say(chain, "from", "not said: an address of the first zone with networks is taken");
        chain_facts(chain, &s);
        walk(chain, &s, &f, &v);
        say_end(chain, &s);
        show(ctl, chain, snap, &v);
        json_decref(chain);
    }
    snapshot_put(snap);
    return status;
}

/* ---- words ---- */

static int take(struct words *a, const char *word, const char *value)
{
    const struct {
        const char *word;
        const char **to;
    } texts[] = {{"-f", &a->file},      {"--snapshot", &a->snapshot}, {"--journal", &a->journal},
                 {"--from", &a->from},  {"--user", &a->user},         {"--method", &a->method},
                 {"--at", &a->at_text}, {"--node", &a->node},         {"--certificate", &a->certificate}};
    if (!value)
        return ctl_fail("explain: %s wants a value", word);
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        if (strcmp(word, texts[i].word) == 0) {
            *texts[i].to = value;
            return 0;
        }
    }
    if (strcmp(word, "--attr") == 0 && a->n_attrs < FACTS_MAX_ATTRS) {
        a->attr[a->n_attrs++] = value;
        return 0;
    }
    return ctl_fail("explain: unexpected %s; perronctl explain --help", word);
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct words a = {.method = "GET", .at = clock_wall_s()};
    unsigned node;
    uint64_t number;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--upload") == 0) {
            a.upload = true;
        } else if (strcmp(argv[i], "--brief") == 0) {
            a.brief = true;
        } else if (argv[i][0] == '-') {
            if (take(&a, argv[i], i + 1 < argc ? argv[i + 1] : NULL) != 0)
                return 1;
            i++;
        } else if (a.target) {
            return ctl_fail("explain: one URL or code at a time, not also %s", argv[i]);
        } else {
            a.target = argv[i];
        }
    }
    if (!a.target)
        return ctl_fail("explain: which URL, or which decision code?");
    if (record_code_like(a.target))
        return record_code_read("explain: ", a.target, &node, &number) ? explain_code(ctl, &a, node, number)
                                                                       : 1;
    return explain_described(ctl, &a);
}

const struct ctl_command ctl_explain = {
    .name = "explain",
    .usage = "  explain [--from ADDR] [--user NAME] [--attr WORD ...] [--at TIME] [--method M] [--upload]\n"
             "          [--certificate DEFECT] [--brief] [-f FILE [--node NAME] | --snapshot HASH] URL\n"
             "                             why this request would be allowed or blocked, step by step\n"
             "  explain [--journal DIR] [--brief] CODE\n"
             "                             why that decision was made, from the journal\n",
    .run = run,
};
