/* By what counters, click-throughs and grants know a rule: struct rule_info's key, which a reload keeps as
 * long as the rule's name, or else what it matches, stays the same. */
#ifndef POLICY_RULE_KEY_H
#define POLICY_RULE_KEY_H

#include "policy/snapshot.h"

/* Never 0; 0 for a number that is no rule. */
uint64_t snapshot_rule_key(const struct snapshot *s, uint32_t rule);
/* The block that a rule stands in: "tls", "web", "on", ...; "" where there is no such rule. */
const char *snapshot_rule_block(const struct snapshot *s, uint32_t rule);
/* Does the rule's text hold this word, outside of quotes? */
bool rule_says(span text, span word);

#endif
