/* Why connections break, for people: evidence by name, kind of client and cause, in bounded tables of this
 * worker; `perronctl show breaks` lists it. What all workers decide together is in gw/ipc/broken.h: which
 * devices accept our CA, and the exemptions that policy's `on broken exempt for` line gives a name for one
 * kind of client (JA4), after failures of BROKEN_CLIENTS clients that accept our CA elsewhere, at an origin
 * that was verified. */
#ifndef GW_FLOW_BREAKS_H
#define GW_FLOW_BREAKS_H

#include <jansson.h>

#include "gw/flow/txn.h"

struct engine;
struct flow;
struct breaks;

enum break_kind {
#define B(id, name, text, advice) BREAK_##id,
#include "gw/flow/break.tbl"
#undef B
    BREAK_N
};

/* The origin's side failed; called once, when the flow is refused for it. */
void breaks_origin(struct flow *f, enum reason why, span detail);
/* An exchange is over: inside TLS it shows that the device accepts our CA, and that its kind of client takes
 * our leaf at this name, which ends what was counted there. */
void breaks_works(struct flow *f);
/* The flow ends: did the client break it off? Called once, before it lets go. */
void breaks_end(struct flow *f, enum reason why);
/* Is this flow's name exempt for its kind of client? The line of policy that says so, and until when. */
bool breaks_exempt(struct flow *f, uint32_t *rule, int64_t *until_s);

/* judge.c: the line `on broken exempt for` that holds for the flow's name, and until when (UTC seconds)
 * nothing changes that; RULE_NONE where there is none, where the name is in no category, and where a rule of
 * `web` would block it or warn of it once no request is seen any more. */
uint32_t judge_broken(const struct flow *f, int64_t *until_s);

/* Rows for `show breaks`. */
json_t *breaks_show(struct engine *e);

#endif
