/* Is a grant that somebody asks for one that this policy allows? Words are turned into the form in which
 * decisions look for them. */
#ifndef GW_PROC_GRANTS_CHECK_H
#define GW_PROC_GRANTS_CHECK_H

#include "policy/grants.h"

struct snapshot;

enum { GRANT_ROOM = 4096 };

/* Kind and scope by their words; false when there is none of that name. */
bool grant_kind_of(const char *word, enum grant_kind *out);
bool grant_scope_of(const char *word, enum grant_scope *out);
/* Checks and normalises g in place; `room` holds a target that had to be changed. CONFIG with one sentence in
 * `err` (no newline) when it cannot be. */
enum rc grant_check(const struct snapshot *s, struct grant *g, int64_t now_s, uint8_t room[GRANT_ROOM],
                    struct buf *err) MUST_USE;
/* A name or a reason: some word, 512 bytes at most, nothing that a terminal would obey or hide. */
bool grant_sentence(span s);
/* "category games for group pupils", for events and answers. */
enum rc grant_describe(const struct grant *g, struct buf *out) MUST_USE;

#endif
