/* `perronctl show rules`: every rule in force with what it did. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/proc/control_int.h"
#include "policy/grants_ask.h"

/* Policy files are UTF-8: the compiler saw to it. */
static json_t *text(span s)
{
    json_t *t = json_stringn((const char *)s.p, s.n);
    return t ? t : json_string("");
}

static json_t *moment(int64_t s)
{
    return s == INT64_MIN || s == INT64_MAX || s == 0 ? json_null() : json_integer(s);
}

static json_t *rule(const struct master *m, uint32_t number)
{
    const struct snapshot *s = m->policy.snap;
    struct rule_info r = snapshot_rule(s, number);
    struct hit h;
    char key[20];
    bool hit = counts_find(&m->counts, r.key, &h);
    snprintf(key, sizeof key, "%016" PRIx64, r.key);
    json_t *o =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:o}", "key", key, "block",
                  text(r.block), "text", text(r.text), "name", text(r.name), "owner", text(r.owner), "ticket",
                  text(r.ticket), "reason", text(r.reason), "file", text(r.file), "line", (int)r.line, "hits",
                  (json_int_t)(hit ? h.n : 0), "last", hit ? json_integer(h.last_s) : json_null());
    if (o) {
        json_object_set_new(o, "since", moment(r.since));
        json_object_set_new(o, "until", moment(r.until));
        json_object_set_new(o, "observe_until", moment(r.observe_until));
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
        if (one.kind == GRANT_EXEMPT && one.until_s > clock_wall_s())
            client_say(c, json_pack("{s:{s:I, s:o, s:I, s:o, s:o}}", "exempt", "id", (json_int_t)one.id,
                                    "zone", text(one.target), "until", (json_int_t)one.until_s, "by",
                                    text(one.by), "reason", text(one.reason)));
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
