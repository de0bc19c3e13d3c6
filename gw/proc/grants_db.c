/* The store of grants; see grants_db.h. The file is opened by its plain name: the process has a directory,
 * not a path, so a small wrapper takes SQLite's default way into the file system but leaves names as they
 * are. Locking is exclusive, so no second file is shared in memory. */
#include "gw/proc/grants_db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { DB_VERSION = 1 };

struct grants_db {
    sqlite3 *sql;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS grants (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, scope "
    "INTEGER "
    "NOT NULL, target TEXT NOT NULL, who TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, by "
    "TEXT NOT "
    "NULL, reason TEXT NOT NULL, created INTEGER NOT NULL, uid INTEGER NOT NULL, revoked INTEGER NOT NULL "
    "DEFAULT 0, "
    "revoked_by TEXT NOT NULL DEFAULT '', revoked_reason TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX IF NOT EXISTS grants_until ON grants (until);";

/* ---- the file ---- */

static int keep_name(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    int n = snprintf(out, (size_t)cap, "%s", name);
    return n >= 0 && n < cap ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* SQLite keeps the pointer for as long as the process lives. */
static const char *own_vfs(void)
{
    static sqlite3_vfs vfs;
    const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
    if (!usual)
        return NULL;
    if (!vfs.zName) {
        vfs = *usual;
        vfs.zName = "perron";
        vfs.pNext = NULL;
        vfs.xFullPathname = keep_name;
        if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
            return NULL;
    }
    return vfs.zName;
}

static enum rc run(struct grants_db *db, const char *text)
{
    return sqlite3_exec(db->sql, text, NULL, NULL, NULL) == SQLITE_OK ? RC_OK : RC_IO;
}

static enum rc version_of(struct grants_db *db, int *out)
{
    sqlite3_stmt *s = NULL;
    bool row = sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
               sqlite3_step(s) == SQLITE_ROW;
    *out = row ? sqlite3_column_int(s, 0) : 0;
    sqlite3_finalize(s);
    return row ? RC_OK : RC_IO;
}

static enum rc prepare_file(struct grants_db *db)
{
    int version;
    TRY(run(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"));
    TRY(version_of(db, &version));
    if (version > DB_VERSION)
        return RC_BAD;
    if (version == 0) {
        TRY(run(db, "BEGIN IMMEDIATE"));
        TRY(run(db, schema));
        TRY(run(db, "PRAGMA user_version=1; COMMIT"));
    }
    return RC_OK;
}

enum rc grants_db_open(const char *file, struct grants_db **out, struct buf *err)
{
    struct grants_db *db = calloc(1, sizeof *db);
    const char *vfs = own_vfs();
    *out = NULL;
    if (!db)
        return RC_NOMEM;
    int opened = vfs ? sqlite3_open_v2(file, &db->sql,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, vfs)
                     : SQLITE_ERROR;
    enum rc rc = opened == SQLITE_OK ? prepare_file(db) : RC_IO;
    if (rc == RC_OK) {
        *out = db;
        return RC_OK;
    }
    bool ours = sqlite3_errcode(db->sql) != SQLITE_CANTOPEN && sqlite3_errcode(db->sql) != SQLITE_READONLY;
    if (rc == RC_BAD)
        rc = buf_put_str(err, "the store of grants cannot be used: it was written by a newer version");
    else
        rc = buf_printf(err, "the store of grants cannot be used: %s", grants_db_error(db));
    if (rc == RC_OK && !ours)
        rc = buf_printf(err, "; %s must belong to the owner of its folder", file);
    rc = rc == RC_OK ? RC_CONFIG : RC_NOMEM;
    grants_db_close(db);
    return rc;
}

void grants_db_close(struct grants_db *db)
{
    if (!db)
        return;
    sqlite3_close(db->sql);
    free(db);
}

const char *grants_db_error(const struct grants_db *db)
{
    return db->sql ? sqlite3_errmsg(db->sql) : "no memory";
}

/* ---- writing ---- */

static bool bind_text(sqlite3_stmt *s, int at, span text)
{
    return sqlite3_bind_text(s, at, text.p ? (const char *)text.p : "", (int)text.n, SQLITE_STATIC) ==
           SQLITE_OK;
}

static bool bind_number(sqlite3_stmt *s, int at, int64_t v)
{
    return sqlite3_bind_int64(s, at, v) == SQLITE_OK;
}

enum rc grants_db_add(struct grants_db *db, const struct grant *g, uint32_t uid, int64_t now_s, uint32_t *id)
{
    static const char text[] =
        "INSERT INTO grants (kind, scope, target, who, since, until, by, reason, created, uid) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    sqlite3_stmt *s = NULL;
    bool good = sqlite3_prepare_v2(db->sql, text, -1, &s, NULL) == SQLITE_OK && bind_number(s, 1, g->kind) &&
                bind_number(s, 2, g->scope) && bind_text(s, 3, g->target) && bind_text(s, 4, g->who) &&
                bind_number(s, 5, g->since_s) && bind_number(s, 6, g->until_s) && bind_text(s, 7, g->by) &&
                bind_text(s, 8, g->reason) && bind_number(s, 9, now_s) && bind_number(s, 10, uid) &&
                sqlite3_step(s) == SQLITE_DONE;
    sqlite3_finalize(s);
    sqlite3_int64 row = sqlite3_last_insert_rowid(db->sql);
    if (!good || row <= 0 || row > INT32_MAX)
        return RC_IO;
    *id = (uint32_t)row;
    return RC_OK;
}

enum rc grants_db_revoke(struct grants_db *db, uint32_t id, span by, span reason, int64_t now_s)
{
    static const char text[] = "UPDATE grants SET revoked = ?2, revoked_by = ?3, revoked_reason = ?4 "
                               "WHERE id = ?1 AND revoked = 0 AND until > ?2";
    sqlite3_stmt *s = NULL;
    bool good = sqlite3_prepare_v2(db->sql, text, -1, &s, NULL) == SQLITE_OK && bind_number(s, 1, id) &&
                bind_number(s, 2, now_s) && bind_text(s, 3, by) && bind_text(s, 4, reason) &&
                sqlite3_step(s) == SQLITE_DONE;
    sqlite3_finalize(s);
    if (!good)
        return RC_IO;
    return sqlite3_changes(db->sql) == 1 ? RC_OK : RC_NOTFOUND;
}

/* ---- reading ---- */

static span text_at(sqlite3_stmt *s, int at)
{
    const void *p = sqlite3_column_text(s, at);
    return span_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

static struct grant_row row_of(sqlite3_stmt *s)
{
    return (struct grant_row){.g = {.id = (uint32_t)sqlite3_column_int64(s, 0),
                                    .kind = (enum grant_kind)sqlite3_column_int(s, 1),
                                    .scope = (enum grant_scope)sqlite3_column_int(s, 2),
                                    .target = text_at(s, 3),
                                    .who = text_at(s, 4),
                                    .since_s = sqlite3_column_int64(s, 5),
                                    .until_s = sqlite3_column_int64(s, 6),
                                    .by = text_at(s, 7),
                                    .reason = text_at(s, 8)},
                              .created_s = sqlite3_column_int64(s, 9),
                              .uid = (uint32_t)sqlite3_column_int64(s, 10),
                              .revoked_s = sqlite3_column_int64(s, 11),
                              .revoked_by = text_at(s, 12),
                              .revoked_reason = text_at(s, 13)};
}

enum rc grants_db_each(struct grants_db *db, bool all, int64_t now_s,
                       enum rc (*each)(const struct grant_row *row, void *arg), void *arg)
{
    static const char text[] =
        "SELECT id, kind, scope, target, who, since, until, by, reason, created, uid, revoked, revoked_by, "
        "revoked_reason FROM grants WHERE ?1 OR (revoked = 0 AND until > ?2) ORDER BY id";
    sqlite3_stmt *s = NULL;
    enum rc rc = RC_OK;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(db->sql, text, -1, &s, NULL) == SQLITE_OK && bind_number(s, 1, all) &&
        bind_number(s, 2, now_s)) {
        while (rc == RC_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
            struct grant_row row = row_of(s);
            rc = each(&row, arg);
        }
    }
    sqlite3_finalize(s);
    return rc != RC_OK ? rc : step == SQLITE_DONE ? RC_OK : RC_IO;
}

/* ---- the part ---- */

struct gathered {
    struct grant *v;
    size_t n, cap;
    struct buf texts;
};

/* Offsets first: the bytes may move while they grow. */
static enum rc keep_text(struct gathered *x, span *s)
{
    size_t at = buf_len(&x->texts);
    TRY(buf_put(&x->texts, *s));
    s->p = (const uint8_t *)(uintptr_t)at;
    return RC_OK;
}

static enum rc gather(const struct grant_row *row, void *arg)
{
    struct gathered *x = arg;
    struct grant g = row->g;
    struct grant *v = array_room(x->v, x->n, &x->cap, 64, sizeof *v);
    if (!v)
        return RC_NOMEM;
    x->v = v;
    TRY(keep_text(x, &g.target));
    TRY(keep_text(x, &g.who));
    TRY(keep_text(x, &g.by));
    TRY(keep_text(x, &g.reason));
    x->v[x->n++] = g;
    return RC_OK;
}

static void place(const struct gathered *x, span *s)
{
    s->p = s->n ? x->texts.p + (uintptr_t)s->p : NULL;
}

enum rc grants_db_part(struct grants_db *db, int64_t now_s, struct buf *out)
{
    struct gathered x = {0};
    enum rc rc = grants_db_each(db, false, now_s, gather, &x);
    for (size_t i = 0; i < x.n; i++) {
        place(&x, &x.v[i].target);
        place(&x, &x.v[i].who);
        place(&x, &x.v[i].by);
        place(&x, &x.v[i].reason);
    }
    if (rc == RC_OK)
        rc = grants_build(x.v, x.n, out);
    free(x.v);
    buf_fini(&x.texts);
    return rc;
}
