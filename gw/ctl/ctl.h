/* perronctl: one noun or verb a file. A command gets its own words; what all have in common (-d, --json,
 * --help) is taken out before. Results go to standard output, a failure is one clear line on standard error
 * and exit status 1. */
#ifndef GW_CTL_CTL_H
#define GW_CTL_CTL_H

#include <jansson.h>

#include "gw/base/buf.h"

struct ctl {
    const char *dir; /* state directory of the gateway to talk to */
    bool json;
};

struct ctl_command {
    const char *name, *usage; /* usage: one line or more, each ends with a newline */
    int (*run)(const struct ctl *ctl, int argc, char **argv);
};
extern const struct ctl_command ctl_check, ctl_explain, ctl_whatif, ctl_replay, ctl_reload, ctl_grant,
    ctl_grants, ctl_revoke, ctl_exempt, ctl_show, ctl_journal, ctl_ca, ctl_certcheck, ctl_lists, ctl_simulate;

/* "perronctl: ..." and a newline; returns 1. */
int ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int ctl_usage(const struct ctl_command *c);
/* Sends `request` (taken) to the gateway and hands every answer line but the last to `line`. 0 when the last
 * says ok. */
int ctl_ask(const struct ctl *ctl, json_t *request, void (*line)(json_t *answer, void *arg), void *arg);
int ctl_show_breaks(const struct ctl *ctl);
/* `show rules [--unused [DAYS]]`, without its first two words. */
int ctl_show_rules(const struct ctl *ctl, int argc, char **argv);
int ctl_show_revocation(const struct ctl *ctl);
/* Text from elsewhere on its way to a terminal: what it would obey or hide becomes '?', newlines stay where
 * `lines`. */
void ctl_print(FILE *to, span text, bool lines);
/* The same, as a cell of a table: with spaces up to `width` characters, and two. */
void ctl_cell(const char *text, int width);
void ctl_print_json(json_t *o);
/* What a library function left in `err`, as the one clear line; returns 1. */
int ctl_error_line(span err, enum rc rc);

#endif
