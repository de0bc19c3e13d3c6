/* What the files of the checker share: check.c (declarations), check_value.c (names in rules), check_rule.c
 * (rules), check_time.c, check_deleg.c, check_order.c, check_reach.c (what is never reached), check_layer.c
 * (what another layer settles before), check_crl.c (where clients fetch our CRL). */
#ifndef POLICY_CHECKER_H
#define POLICY_CHECKER_H

#include "policy/check.h"

void check_rules(struct diag *d);
/* Time zones, schedules, and every date from local to UTC seconds; `now_s` for what is over. */
void check_times(struct diag *d, int64_t now_s);
/* Who may do what in delegated files. */
void check_delegates(struct diag *d);
/* Rules that another layer is asked before. */
void check_layers(struct diag *d);
void check_expects(struct diag *d);
void check_order(struct diag *d);
/* Of documentation prefixes (RFC 5737, RFC 3849): no host has them, so our CRL is at one of them where the
 * policy names no place of its own. */
#define CRL_ADDRESS_V4 "192.0.2.222"
#define CRL_ADDRESS_V6 "2001:db8::222"
/* The default of `crl`; ports and zones are known. */
void check_crl(struct diag *d);
/* Puts a declared name into its map; an error when it is taken. */
void check_declare(struct diag *d, struct map *m, struct word *name, const char *what);
/* Numbers the user of that name, new ones too. NULL without memory. */
struct user_decl *check_user(struct diag *d, const struct word *name);
/* Conditions of a rule or statement: names to numbers. `r` is the rule, or one made up for the statement. */
void check_conds(struct diag *d, const struct rule *r, struct cond *conds);
/* Names of one kind: zones, hosts and networks; groups and users; defects; rows of a table of words;
 * applications (made lower case). After an error v->id is left alone. */
void check_place(struct diag *d, struct value *v);
void check_person(struct diag *d, struct value *v);
bool check_defect(struct diag *d, const struct word *w, uint32_t *out);
void check_in_table(struct diag *d, const struct word *w, const char *what, span (*word)(unsigned));
void check_application(struct diag *d, struct word *w);
/* The condition of a rule about `noun`, or NULL. */
const struct cond *check_find(const struct rule *r, enum noun noun, bool except);
/* Whether the rule names a defect of a certificate. */
bool check_is_certificate(const struct rule *r);
/* Host name or address as look-ups spell it, in the arena, or an error. */
void check_name(struct diag *d, struct word *w);
/* Error "there is no WHAT `NAME`" with the nearest name of the maps; `more` may be NULL. */
void check_missing(struct diag *d, const struct word *w, const char *what, const struct map *known,
                   const struct map *more);

#endif
