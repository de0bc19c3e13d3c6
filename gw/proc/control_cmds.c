/* The commands of perronctl, as the master answers them. `show` of anything about flows is asked of every
 * worker and handed on piece by piece: the master does not read what workers say about strangers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/control_int.h"
#include "gw/proc/sandbox.h"

enum { HELD_MOST_S = 3600, HELD_SHOWN = 10000 };

static const char *text_of(json_t *request, const char *key)
{
    const char *s = json_string_value(json_object_get(request, key));
    return s ? s : "";
}

/* A policy file may hold any bytes, and its diagnostics quote it. */
static json_t *as_text(span s)
{
    json_t *text = json_stringn((const char *)s.p, s.n);
    AUTO_FREE char *plain = text ? NULL : malloc(s.n + 1);
    if (text || !plain)
        return text ? text : json_string("");
    for (size_t i = 0; i < s.n; i++)
        plain[i] = s.p[i] < 0x80 ? (char)s.p[i] : '?';
    return json_stringn(plain, s.n);
}

/* ---- show processes, show gateway ---- */

static json_t *process(const struct child *c, int64_t now_ms)
{
    static const char *const states[] = {"down", "starting", "ready", "ending"};
    return json_pack("{s:s, s:i, s:i, s:i, s:s, s:I, s:i, s:s}", "role", role_name(c->role), "index",
                     (int)c->index, "pid", (int)c->pid, "uid", (int)sandbox_uid(c->role, c->index), "state",
                     states[c->state], "up_ms",
                     (json_int_t)(c->state == CHILD_DOWN ? 0 : now_ms - c->spawned_ms), "restarts",
                     (int)c->restarts, "text", role_text(c->role));
}

static void show_processes(struct client *client)
{
    struct master *m = client->owner->m;
    struct child *c;
    int64_t now = ev_now_ms(m->ev);
    client_say(client,
               json_pack("{s:{s:s, s:i, s:i, s:i, s:s, s:I, s:i, s:s}}", "process", "role", "master", "index",
                         0, "pid", (int)getpid(), "uid", (int)getuid(), "state",
                         m->phase == PHASE_RUNNING ? "ready" : "starting", "up_ms",
                         (json_int_t)(now - m->started_ms), "restarts", 0, "text", role_text(ROLE_MASTER)));
    for (size_t it = 0; (c = children_next(m, &it));) {
        if (c->wanted || c->state != CHILD_DOWN)
            client_say(client, json_pack("{s:o}", "process", process(c, now)));
    }
    client_done(client, NULL);
}

/* What only the master knows, beside the workers' counters. */
static void say_gateway(struct client *c)
{
    const struct master *m = c->owner->m;
    uint64_t waiting = m->own_ring ? ring_used(m->own_ring) : 0;
    client_say(c, json_pack("{s:{s:s, s:s, s:i, s:I, s:I, s:i, s:I, s:i, s:I, s:I, s:I, s:i}}", "gateway",
                            "snapshot", m->policy.snap ? snapshot_short(m->policy.snap) : "", "policy",
                            m->o->policy, "workers", (int)m->n_workers, "log_events",
                            (json_int_t)m->log_events, "log_bytes", (json_int_t)m->log_bytes, "log_errno",
                            (int)m->log_errno, "ring_bytes", (json_int_t)waiting, "zones_exempt",
                            (int)grants_n_exempt(m), "leaves_made", (json_int_t)m->leaves.made,
                            "leaves_put_off", (json_int_t)m->leaves.put_off, "leaves_refused",
                            (json_int_t)m->leaves.refused, "leaves_errno", (int)m->leaves.log_errno));
}

/* What lists hold back from going live. */
static void show_held(struct client *c)
{
    const struct snapshot *snap = c->owner->m->policy.snap;
    struct held_entry h;
    for (uint64_t i = 0; i < HELD_SHOWN && snap && snapshot_held(snap, i, &h); i++)
        client_say(c,
                   json_pack("{s:{s:o, s:o, s:i, s:o, s:s}}", "held", "list", as_text(h.list), "file",
                             as_text(h.file), "line", (int)h.line, "entry", as_text(h.entry), "why", h.why));
    client_done(c, NULL);
}

/* ---- show of the workers ---- */

static void say_part(struct client *c, uint32_t worker)
{
    char head[48];
    snprintf(head, sizeof head, "{\"worker\":%u,\"data\":", (unsigned)worker);
    client_say_raw(c, head, buf_span(&c->part[worker]), "}");
    buf_fini(&c->part[worker]);
}

void control_shown(struct control *ctl, uint32_t worker, span payload)
{
    struct rd r = rd_of(payload);
    struct client *c = control_client(ctl, rd_u64(&r));
    bool last = rd_u8(&r) != 0;
    if (r.bad || !c || worker >= LIM_WORKERS || !(c->owed >> worker & 1))
        return;
    if (buf_put(&c->part[worker], rd_bytes(&r, rd_left(&r))) != RC_OK) {
        log_warn("worker %u shows more than fits", (unsigned)worker);
        buf_fini(&c->part[worker]);
        last = true;
    }
    if (!last)
        return;
    say_part(c, worker);
    c->owed &= ~(UINT64_C(1) << worker);
    if (c->owed == 0)
        client_done(c, NULL);
}

static void on_show_late(struct ev_timer *t)
{
    struct client *c = CONTAINER_OF(t, struct client, late);
    if (c->owed)
        client_done(c, "a worker did not answer in time");
    c->owed = 0;
}

static void show_workers(struct client *client, const char *what)
{
    struct master *m = client->owner->m;
    struct buf b = {0};
    enum rc rc = buf_put_u64(&b, client->id);
    if (rc == RC_OK)
        rc = buf_put_str(&b, what);
    for (uint32_t w = 0; rc == RC_OK && w < m->n_workers; w++) {
        if (m->worker[w].state != CHILD_READY)
            continue;
        client->owed |= UINT64_C(1) << w;
        child_send(&m->worker[w], MSG_SHOW, buf_span(&b), NULL, 0);
    }
    buf_fini(&b);
    if (client->owed == 0) {
        client_done(client, rc == RC_OK ? "no worker is ready" : rc_text(rc));
        return;
    }
    client->late.cb = on_show_late;
    ev_timer_set(m->ev, &client->late, SHOW_MS);
}

static void show(struct client *c, json_t *request)
{
    const char *what = text_of(request, "what");
    if (strlen(what) > 200) {
        client_done(c, "that is no noun of `show`");
    } else if (strcmp(what, "processes") == 0) {
        show_processes(c);
    } else if (strcmp(what, "snapshots") == 0) {
        control_snapshots(c);
    } else if (strcmp(what, "rules") == 0) {
        control_rules(c);
    } else if (strcmp(what, "held") == 0) {
        show_held(c);
    } else {
        if (strcmp(what, "counters") == 0)
            say_gateway(c);
        show_workers(c, what);
    }
}

/* ---- reload ---- */

static void on_reloaded(struct master *m, uint64_t token, enum rc rc, span diag)
{
    struct client *c = control_client(m->control, token);
    if (!c)
        return; /* left; the log has it */
    client_say(c, json_pack("{s:o, s:s, s:b}", "diag", diag.n ? as_text(diag) : json_string(""), "snapshot",
                            snapshot_short(m->policy.snap), "loaded", rc == RC_OK));
    client_done(c, rc == RC_OK ? NULL : "the policy was refused; nothing has changed");
}

/* The asker hears of a snapshot that is gone at once. */
static void reload_back(struct client *c, const char *prefix)
{
    struct master *m = c->owner->m;
    struct buf err = {0};
    enum rc rc = reload_to(m, span_str(prefix), c->uid, on_reloaded, c->id, &err);
    while (buf_len(&err) && err.p[err.w - 1] == '\n')
        err.w--;
    AUTO_FREE char *why = strndup(buf_len(&err) ? (const char *)buf_span(&err).p : "", buf_len(&err));
    buf_fini(&err);
    if (rc == RC_AGAIN)
        client_busy(c, "another reload is under way; try again when it is over");
    else if (rc != RC_OK)
        client_done(c, why && *why ? why : rc_text(rc));
}

static void reload(struct client *c, json_t *request)
{
    struct master *m = c->owner->m;
    const char *file = text_of(request, "file");
    if (json_object_get(request, "file") && !*file) {
        client_done(c, "`file` is the name of a file");
        return;
    }
    if (m->phase != PHASE_RUNNING) {
        client_done(c, "the gateway is not running yet, or ending");
        return;
    }
    if (json_object_get(request, "to")) {
        reload_back(c, text_of(request, "to"));
        return;
    }
    enum rc rc = reload_begin(m, *file ? file : m->o->policy, c->uid, on_reloaded, c->id);
    if (rc == RC_AGAIN)
        client_busy(c, "another reload is under way; try again when it is over");
    else if (rc != RC_OK)
        client_done(c, rc_text(rc));
}

/* ---- simulate ---- */

/* Kills or stops the process of a role and, for `seconds`, does not replace it. */
static void fail_child(struct client *client, struct child *c, json_t *request)
{
    struct master *m = client->owner->m;
    json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
    bool hang = json_is_true(json_object_get(request, "hang"));
    if (seconds < 0 || seconds > HELD_MOST_S) {
        client_done(client, "from 0 to 3600 seconds");
        return;
    }
    if (c->pid <= 0) {
        client_done(client, "that process is not there");
        return;
    }
    log_warn("simulated by uid %u: %s (pid %d) is %s, back after %d s", (unsigned)client->uid,
             role_name(c->role), (int)c->pid, hang ? "stopped" : "killed", (int)seconds);
    c->held_until_ms = ev_now_ms(m->ev) + seconds * 1000;
    kill(c->pid, hang ? SIGSTOP : SIGKILL);
    client_done(client, NULL);
}

/* Sets the scripted clock of all processes. Nobody may turn the real one, from which schedules, certificates
 * and the log live. */
static void move_clock(struct client *client, json_t *request)
{
    struct master *m = client->owner->m;
    json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
    bool back = json_is_true(json_object_get(request, "back"));
    if (m->o->clock_offset_us == 0 || seconds < 0 || seconds > HELD_MOST_S) {
        client_done(client, m->o->clock_offset_us ? "from 0 to 3600 seconds"
                                                  : "only a gateway that was started with --clock");
        return;
    }
    m->config.clock_offset_us += (back ? -seconds : seconds) * 1000000;
    clock_set_offset(m->config.clock_offset_us);
    log_warn("simulated by uid %u: the clock was set %d s %s", (unsigned)client->uid, (int)seconds,
             back ? "back" : "ahead");
    feed_clock(m);
    client_done(client, NULL);
}

static void simulate(struct client *client, json_t *request)
{
    struct master *m = client->owner->m;
    const char *what = text_of(request, "what");
    if (strcmp(what, "clock") == 0) {
        move_clock(client, request);
        return;
    }
    json_int_t worker = json_integer_value(json_object_get(request, "worker"));
    static const struct {
        const char *name;
        enum role role;
    } known[] = {{"signer-down", ROLE_SIGNER}, {"logger-down", ROLE_LOGGER}, {"opener-down", ROLE_OPENER}};
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        if (strcmp(what, known[i].name) == 0) {
            fail_child(client, &m->single[known[i].role], request);
            return;
        }
    }
    if (strcmp(what, "worker-down") == 0 && worker >= 0 && worker < (json_int_t)m->n_workers)
        fail_child(client, &m->worker[worker], request);
    else
        client_done(client, "known: signer-down, logger-down, opener-down, worker-down, clock");
}

/* ---- ca ---- */

/* The CA's files have changed: another signer reads them. Its certificates reach the workers before it does
 * (gw/proc/feed.c), and what they had asked the old one they ask it. */
static void ca_changed(struct client *client, json_t *request)
{
    struct child *signer = &client->owner->m->single[ROLE_SIGNER];
    (void)request;
    log_info("uid %u has changed the authority: the signer starts anew", (unsigned)client->uid);
    child_kill(signer);
    client_done(client, NULL);
}

void control_command(struct client *c, json_t *request)
{
    static const struct {
        const char *name;
        void (*run)(struct client *, json_t *);
    } commands[] = {{"show", show},
                    {"reload", reload},
                    {"simulate", simulate},
                    {"grants", control_grants},
                    {"ca", ca_changed}};
    const char *cmd = text_of(request, "cmd");
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        if (strcmp(cmd, commands[i].name) == 0) {
            commands[i].run(c, request);
            return;
        }
    }
    client_done(c, "unknown command");
}
