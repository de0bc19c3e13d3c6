/* `perronctl show rules`: every rule in force with what it did. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gw/base/obj.h"
#include "gw/proc/control_int.h"
#include "policy/grants_ask.h"

/* Policy files are UTF-8: the compiler saw to it. */
static json_t *text(span s)
{
    json_t *t = json_stringn((const char *)s.p, s.n);
    return t ? t : json_string("");
}

/* What clocks show then in the policy's time zone, and by how much they are ahead of UTC. */
static json_t *local(const struct snapshot *s, int64_t at)
{
    int ahead_min = snapshot_offset_s(s, at) / 60;
    unsigned off = (unsigned)abs(ahead_min);
    time_t t = (time_t)(at + (int64_t)ahead_min * 60);
    char date[48], shown[64];
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(date, sizeof date, "%F %H:%M", &tm) == 0)
        return json_null();
    snprintf(shown, sizeof shown, "%s %c%02u:%02u", date, ahead_min < 0 ? '-' : '+', off / 60, off % 60);
    return json_string(shown);
}

/* KEY in UTC seconds, and KEY_local for people. */
static void set_moment(json_t *o, const struct snapshot *s, const char *key, int64_t at)
{
    bool none = at == INT64_MIN || at == INT64_MAX || at == 0;
    char local_key[32];
    snprintf(local_key, sizeof local_key, "%s_local", key);
    json_object_set_new(o, key, none ? json_null() : json_integer(at));
    json_object_set_new(o, local_key, none ? json_null() : local(s, at));
}

static json_t *rule(const struct master *m, uint32_t number)
{
    const struct snapshot *s = m->policy.snap;
    struct rule_info r = snapshot_rule(s, number);
    struct hit h;
    char key[20];
    bool hit = counts_find(&m->counts, r.key, &h);
    snprintf(key, sizeof key, "%016" PRIx64, r.key);
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:I}", "key", key, "block",
                          text(r.block), "text", text(r.text), "name", text(r.name), "owner", text(r.owner),
                          "ticket", text(r.ticket), "reason", text(r.reason), "file", text(r.file), "line",
                          (int)r.line, "hits", (json_int_t)(hit ? h.n : 0));
    if (o) {
        set_moment(o, s, "last", hit ? h.last_s : 0);
        set_moment(o, s, "since", r.since);
        set_moment(o, s, "until", r.until);
        set_moment(o, s, "observe_until", r.observe_until);
        json_object_set_new(o, "observed", json_boolean(r.observe_until > clock_wall_s()));
    }
    return o;
}

/* Rules of `tls` do nothing in a zone that is exempt. */
static void say_exempt(struct client *c, const struct snapshot *s)
{
    const struct grants *g = snapshot_all_grants(s);
    for (uint32_t i = 0; i < g->n; i++) {
        struct grant one = grants_at(g, i);
        if (one.kind != GRANT_EXEMPT || one.until_s <= clock_wall_s())
            continue;
        json_t *e = json_pack("{s:I, s:o, s:o, s:o}", "id", (json_int_t)one.id, "zone", text(one.target),
                              "by", text(one.by), "reason", text(one.reason));
        if (e)
            set_moment(e, s, "until", one.until_s);
        client_say(c, json_pack("{s:o}", "exempt", e));
    }
}

void control_rules(struct client *c)
{
    const struct master *m = c->owner->m;
    if (!m->policy.snap) {
        client_done(c, "no policy is in force yet");
        return;
    }
    say_exempt(c, m->policy.snap);
    for (uint32_t i = 0; i < snapshot_n_rules(m->policy.snap); i++)
        client_say(c, json_pack("{s:o}", "rule", rule(m, i)));
    client_done(c, NULL);
}
