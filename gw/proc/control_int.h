/* Between the two halves of the control socket: connections (control.c) and commands (control_cmds.c). */
#ifndef GW_PROC_CONTROL_INT_H
#define GW_PROC_CONTROL_INT_H

#include <jansson.h>

#include "gw/proc/control.h"

enum { SHOW_MS = 5000 }; /* a busy machine may keep a worker waiting for seconds */

struct client {
    struct control *owner;
    struct ev_io io;
    uid_t uid;
    struct buf in, out;
    uint64_t id;           /* of the command under way, 0: none */
    bool close_when_empty; /* the last answer was given */
    /* show: what the workers still owe */
    uint64_t owed; /* set of workers */
    struct buf part[LIM_WORKERS];
    struct ev_timer late;
};

struct control {
    struct master *m;
    struct ev_io io;
    uint64_t next_id;
    struct client *client[LIM_CONTROL_CLIENTS];
};

/* One request; answers come at once or later. */
void control_command(struct client *c, json_t *request);
/* `show snapshots` (control_kept.c). */
void control_snapshots(struct client *c);
/* Questions about grants, and changes (control_grants.c). */
void control_grants(struct client *c, json_t *request);
/* `show rules` (control_rules.c). */
void control_rules(struct client *c);
/* An answer line; takes `line`. */
void client_say(struct client *c, json_t *line);
/* A line that is JSON already, control characters made blank. */
void client_say_raw(struct client *c, const char *head, span text, const char *tail);
/* The last line: {"done": true, "ok": ..., "error": ...}. */
void client_done(struct client *c, const char *error);
/* The same where somebody else's request is under way: perronctl asks again for a while. */
void client_busy(struct client *c, const char *error);
/* The client with this command, NULL when it has left. */
struct client *control_client(struct control *ctl, uint64_t id);

#endif
