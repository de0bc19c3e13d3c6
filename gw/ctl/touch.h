/* Whom would a grant touch? Told from recorded decisions, before anybody says yes to it. */
#ifndef GW_CTL_TOUCH_H
#define GW_CTL_TOUCH_H

#include "gw/ctl/record.h"
#include "policy/grants.h"

/* Goes through the journal in directory `dir` and tells on standard error how many stopped decisions the
 * grant would have let through, of how many people, and the latest few. A journal that cannot be read is said
 * and does no harm. */
void touch_show(int dir, const struct grant *g);
/* The record of a decision code; false after one line on standard error. Spans point into *bytes. */
bool touch_find(int dir, const char *code, struct buf *bytes, struct record *out);

#endif
