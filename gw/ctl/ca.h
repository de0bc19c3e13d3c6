/* The verbs of `perronctl ca` that have a file of their own; each gets the words after it. */
#ifndef GW_CTL_CA_H
#define GW_CTL_CA_H

#include "gw/ctl/ctl.h"

int ca_log(const struct ctl *ctl, int argc, char **argv);
/* init, and prepare (`next`). */
int ca_make(const struct ctl *ctl, bool next, int argc, char **argv);
int ca_switch_now(const struct ctl *ctl, int argc, char **argv);
/* Prints what a function of certs/ca wrote; both buffers are given back. */
int ca_report(const struct ctl *ctl, enum rc rc, struct buf *text, struct buf *err);

#endif
