/* Grants as a decision asks for them: from facts and a snapshot to the names that the part of grants knows.
 */
#ifndef POLICY_GRANTS_ASK_H
#define POLICY_GRANTS_ASK_H

#include "policy/facts.h"
#include "policy/grants.h"

struct snapshot;
struct tokens;

/* `people`: tokens of the groups that this person is in (policy/tokens.h), however many. */
enum grants_word snapshot_grants(const struct snapshot *s, const struct facts *f, const struct tokens *people,
                                 struct grant *out);
/* Is nothing intercepted in this zone at this moment, by an exemption? */
bool snapshot_exempt(const struct snapshot *s, uint16_t zone, int64_t time_s, struct grant *out);
/* Does this policy know that name? */
bool snapshot_knows_zone(const struct snapshot *s, span name);
bool snapshot_knows_group(const struct snapshot *s, span name);
bool snapshot_knows_category(const struct snapshot *s, span name);
/* The first `forbid` rule that this grant would run into for the people it is for, whatever they ask;
 * RULE_NONE. A rule that hangs on more than place, person, name and category does not count: where it matches
 * it beats the grant. */
uint32_t snapshot_forbids(const struct snapshot *s, const struct grant *g, int64_t now_s);
/* The grants of the snapshot, for who shows or writes them. */
const struct grants *snapshot_all_grants(const struct snapshot *s);

#endif
