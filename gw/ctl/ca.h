/* The verbs of `perronctl ca` that have a file of their own; each gets the words after it. */
#ifndef GW_CTL_CA_H
#define GW_CTL_CA_H

#include "gw/ctl/ctl.h"

int ca_log(const struct ctl *ctl, int argc, char **argv);

#endif
