/* What the files of the checker share: check.c (declarations), check_rule.c (rules), check_order.c (what is
 * never reached or never matches). */
#ifndef POLICY_CHECKER_H
#define POLICY_CHECKER_H

#include "policy/check.h"

void check_rules(struct diag *d);
void check_expects(struct diag *d);
void check_order(struct diag *d);
/* Numbers the user of that name, new ones too. NULL without memory. */
struct user_decl *check_user(struct diag *d, const struct word *name);
/* Host name or address as look-ups spell it, in the arena; false after an error. */
bool check_name(struct diag *d, struct word *w);
/* Error "there is no WHAT `NAME`" with the nearest name of the maps; `more` may be NULL. */
void check_missing(struct diag *d, const struct word *w, const char *what, const struct map *known,
                   const struct map *more);

#endif
