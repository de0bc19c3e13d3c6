/* Grants as a decision asks for them: from facts and a snapshot to the names that the part of grants knows.
 */
#ifndef POLICY_GRANTS_ASK_H
#define POLICY_GRANTS_ASK_H

#include "policy/facts.h"
#include "policy/grants.h"

struct snapshot;

/* `groups`: numbers of the groups that this person is in. */
enum grants_word snapshot_grants(const struct snapshot *s, const struct facts *f, const uint32_t *groups,
                                 size_t n_groups, struct grant *out);
/* Is nothing intercepted in this zone at this moment, by an exemption? */
bool snapshot_exempt(const struct snapshot *s, uint16_t zone, int64_t time_s, struct grant *out);
/* The grants of the snapshot, for who shows or writes them. */
const struct grants *snapshot_all_grants(const struct snapshot *s);

#endif
