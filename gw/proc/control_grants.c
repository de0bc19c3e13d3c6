/* Grants from the control socket: the request goes to the granter with the asker's uid, lines of the answer
 * come back, and a change leaves an event and, for an exemption, an alarm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/control_int.h"

enum { ASK_MOST = 12000 };

static const char *text_of(json_t *request, const char *key)
{
    const char *s = json_string_value(json_object_get(request, key));
    return s ? s : "";
}

static void on_line(struct master *m, uint64_t token, span json)
{
    struct client *c = control_client(m->control, token);
    if (c)
        client_say_raw(c, "", json, "");
}

/* Written from what the client asked, so that it also counts when the client has left. */
static void write_change(struct master *m, const struct grant_wish *w, span what)
{
    struct grant_change change = {
        .message = w->revoke ? (w->zone ? "an exemption of a zone was ended" : "a grant was revoked")
                   : w->zone ? "a zone is exempt from interception"
                             : "a grant was given",
        .outcome = w->revoke ? (w->zone ? "exempt-ended" : "revoked")
                   : w->zone ? "exempted"
                             : "granted",
        .id = m->asking.id,
        .what = what,
        .by = span_str(w->by),
        .reason = span_str(w->reason)};
    log_warn("%s: %.*s, by %s: %s", change.message, (int)what.n, (const char *)what.p, w->by, w->reason);
    reload_write_grant(m, &change);
    grants_alarm(m);
}

static void on_done(struct master *m, uint64_t token, enum rc rc, span text)
{
    struct client *c = control_client(m->control, token);
    AUTO_FREE char *why = strndup(text.n ? (const char *)text.p : "", text.n);
    if (rc == RC_OK && m->wish.change)
        write_change(m, &m->wish, text);
    m->wish = (struct grant_wish){0};
    if (!c)
        return;
    if (rc != RC_OK) {
        client_done(c, why && *why ? why : rc_text(rc));
        return;
    }
    client_say(
        c, json_pack("{s:s, s:s}", "done_what", why ? why : "", "snapshot", snapshot_short(m->policy.snap)));
    client_done(c, NULL);
}

static struct grant_wish wish_of(json_t *request)
{
    struct grant_wish w = {0};
    const char *op = text_of(request, "op");
    w.revoke = strcmp(op, "revoke") == 0;
    w.change = w.revoke || (strcmp(op, "add") == 0 && !json_is_true(json_object_get(request, "dry")));
    w.zone = *text_of(request, "zone") || strcmp(text_of(request, "kind"), "exempt") == 0;
    snprintf(w.by, sizeof w.by, "%s", text_of(request, "by"));
    snprintf(w.reason, sizeof w.reason, "%s", text_of(request, "reason"));
    return w;
}

void control_grants(struct client *c, json_t *request)
{
    struct master *m = c->owner->m;
    const char *op = text_of(request, "op");
    if (m->phase != PHASE_RUNNING) {
        client_done(c, "the gateway is not running yet, or ending");
        return;
    }
    if (strcmp(op, "add") != 0 && strcmp(op, "revoke") != 0 && strcmp(op, "list") != 0) {
        client_done(c, "unknown command");
        return;
    }
    json_object_set_new(request, "uid", json_integer((json_int_t)c->uid));
    AUTO_FREE char *words = json_dumps(request, JSON_COMPACT);
    if (!words || strlen(words) > ASK_MOST) {
        client_done(c, "that is too long");
        return;
    }
    const struct question as = {.line = on_line, .done = on_done, .token = c->id};
    enum rc rc = grants_ask(m, span_str(words), &as);
    if (rc == RC_OK)
        m->wish = wish_of(request);
    else if (rc == RC_AGAIN)
        client_busy(c, "another question about grants is under way; try again");
    else
        client_done(c, rc == RC_NOTFOUND
                           ? "the folder `grants` of the state directory cannot be used; the operator "
                             "log says why"
                           : rc_text(rc));
}
