/* States of a flow: one way to change (flow_goto), every edge checked against state.tbl, the last ones kept
 * for a panic. */
#include "gw/flow/flow.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"

#define TO(id) (1u << ST_##id)

static const struct {
    const char *name, *text;
    int64_t ms;
    uint32_t next;
} rows[ST_N] = {
#define S(id, name_, ms_, text_, next_) [ST_##id] = {name_, text_, ms_, next_},
#include "gw/flow/state.tbl"
#undef S
};

static const struct {
    const char *name, *text;
} reasons[REASON_N] = {
#define R(id, name_, text_) [REASON_##id] = {name_, text_},
#include "gw/flow/reason.tbl"
#undef R
};

const char *reason_name(enum reason r)
{
    return (unsigned)r < REASON_N ? reasons[r].name : "?";
}

const char *reason_text(enum reason r)
{
    return (unsigned)r < REASON_N ? reasons[r].text : "?";
}

bool reason_is_policy(enum reason r)
{
    return r == REASON_POLICY || r == REASON_NO_ZONE || r == REASON_POLICY_CHANGED || r == REASON_TIME_IS_UP;
}

const char *state_name(enum state s)
{
    return (unsigned)s < ST_N ? rows[s].name : "?";
}

void flow_deadline(struct flow *f, int64_t ms)
{
    if (ms > 0)
        ev_timer_set(f->e->ev, &f->deadline, ms);
    else
        ev_timer_stop(f->e->ev, &f->deadline);
}

void flow_goto(struct flow *f, enum state to)
{
    gw_assert(to == ST_CLOSED || (rows[f->state].next & (1u << to)));
    f->state = to;
    f->trace[f->n_trace % FLOW_TRACE].state = (uint8_t)to;
    f->trace[f->n_trace % FLOW_TRACE].at_us = clock_mono_us();
    f->n_trace++;
    flow_deadline(f, rows[to].ms);
}

uint32_t flow_stamp(struct flow *f)
{
    int64_t now = clock_mono_us(), spent = now - f->stamp_us;
    f->stamp_us = now;
    return spent < 1 ? 1 : spent > UINT32_MAX ? UINT32_MAX : (uint32_t)spent;
}
