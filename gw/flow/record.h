/* From a decision of a flow to its record in the ring. A decision is made (judge.c) and later takes effect;
 * in between it may be thought better of, so its record waits in the engine: record_made() keeps the last
 * one, record_of_flow() and record_of_txn() give it its code and put it into the ring. Both are called right
 * before the verdict takes effect, once judge_room() has said that there is room; where a verdict changes
 * without that question (an address that is blocked, a flow decided again) a full ring makes the record wait
 * in the backlog with the events, which stops nothing that is stricter than before. */
#ifndef GW_FLOW_RECORD_H
#define GW_FLOW_RECORD_H

#include "gw/flow/flow.h"
#include "policy/record.h"

/* The decision that counts, just made by `snap` on these facts. */
void record_made(struct flow *f, const struct snapshot *snap, const struct facts *x, const struct verdict *v,
                 int64_t took_ns);
/* The decision made last is the flow's: f->code is its code. */
void record_of_flow(struct flow *f);
/* ... is beside the flow's own: an acceptable certificate after the connect decision. */
void record_beside(struct flow *f);
/* ... is the exchange's: t->code is its code. */
void record_of_txn(struct txn *t);

#endif
