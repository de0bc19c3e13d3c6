/* The store of grants: one SQLite file (WAL, synchronous FULL) that keeps every grant for ever, with who gave
 * it and who took it back. Used by the granter process alone, with its directory as working directory. */
#ifndef GW_PROC_GRANTS_DB_H
#define GW_PROC_GRANTS_DB_H

#include "policy/grants.h"

struct grants_db;

/* What the store knows beyond the grant itself. Spans live until the next call. */
struct grant_row {
    struct grant g;
    int64_t created_s, revoked_s; /* revoked: 0 where it was not */
    uint32_t uid;                 /* of who ran the command */
    span revoked_by, revoked_reason;
};

/* Makes the file where there is none. CONFIG with one sentence in `err` (no newline) where it is damaged or
 * of a newer version. */
enum rc grants_db_open(const char *file, struct grants_db **out, struct buf *err) MUST_USE;
void grants_db_close(struct grants_db *db); /* NULL is fine */
/* Safe on disk when it returns; *id is never used again. */
enum rc grants_db_add(struct grants_db *db, const struct grant *g, uint32_t uid, int64_t now_s,
                      uint32_t *id) MUST_USE;
/* NOTFOUND: no grant of this number is in force. */
enum rc grants_db_revoke(struct grants_db *db, uint32_t id, span by, span reason, int64_t now_s) MUST_USE;
/* Those in force, or all, oldest first. `each` may stop with another code than OK. */
enum rc grants_db_each(struct grants_db *db, bool all, int64_t now_s,
                       enum rc (*each)(const struct grant_row *row, void *arg), void *arg) MUST_USE;
/* The bytes of the part of those in force. */
enum rc grants_db_part(struct grants_db *db, int64_t now_s, struct buf *out) MUST_USE;
/* What SQLite said last, for the operator log. */
const char *grants_db_error(const struct grants_db *db);

#endif
