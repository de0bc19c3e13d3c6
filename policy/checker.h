/* What the files of the checker share: check.c (declarations), check_rule.c (rules), check_order.c (what is
 * never reached or never matches), check_crl.c (where clients fetch our CRL). */
#ifndef POLICY_CHECKER_H
#define POLICY_CHECKER_H

#include "policy/check.h"

void check_rules(struct diag *d);
void check_expects(struct diag *d);
void check_order(struct diag *d);

/* Of documentation prefixes (RFC 5737, RFC 3849): no host has them, so our CRL is at one of them where the
 * policy names no place of its own. */
#define CRL_ADDRESS_V4 "192.0.2.222"
#define CRL_ADDRESS_V6 "2001:db8::222"
/* The default of `crl`; ports and zones are known. */
void check_crl(struct diag *d);
/* Numbers the user of that name, new ones too. NULL without memory. */
struct user_decl *check_user(struct diag *d, const struct word *name);
/* Host name or address as look-ups spell it, in the arena; false after an error. */
bool check_name(struct diag *d, struct word *w);
/* Error "there is no WHAT `NAME`" with the nearest name of the maps; `more` may be NULL. */
void check_missing(struct diag *d, const struct word *w, const char *what, const struct map *known,
                   const struct map *more);

#endif
