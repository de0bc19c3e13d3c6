/* The store of grants: damaged and newer files are refused, numbers are never used twice, what ended is kept
 * and not in force. */
#include "gw/proc/grants_db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char base[] = "/tmp/perron-grants-XXXXXX";
static struct buf err;
static char home[4096];

static int setup(void **state)
{
    (void)state;
    assert_non_null(getcwd(home, sizeof home));
    assert_non_null(mkdtemp(base));
    return chdir(base);
}

static int teardown(void **state)
{
    char cmd[128];
    (void)state;
    buf_fini(&err);
    assert_int_equal(chdir(home), 0);
    snprintf(cmd, sizeof cmd, "rm -rf %s", base);
    return system(cmd);
}

static struct grants_db *open_it(const char *file)
{
    struct grants_db *db = NULL;
    assert_int_equal(grants_db_open(file, &db, &err), RC_OK);
    return db;
}

static struct grant one(const char *target, int64_t until)
{
    return (struct grant){.kind = GRANT_NAME,
                          .scope = GRANT_FOR_GROUP,
                          .since_s = 100,
                          .until_s = until,
                          .target = span_str(target),
                          .who = SPAN("pupils"),
                          .by = SPAN("M. O'Brien"),
                          .reason = SPAN("cours; DROP TABLE grants")};
}

static uint32_t add(struct grants_db *db, const char *target, int64_t until)
{
    struct grant g = one(target, until);
    uint32_t id = 0;
    assert_int_equal(grants_db_add(db, &g, 1000, 100, &id), RC_OK);
    return id;
}

static enum rc count(const struct grant_row *r, void *arg)
{
    (void)r;
    ++*(unsigned *)arg;
    return RC_OK;
}

static unsigned n_of(struct grants_db *db, bool all, int64_t now)
{
    unsigned n = 0;
    assert_int_equal(grants_db_each(db, all, now, count, &n), RC_OK);
    return n;
}

static void other_files_are_refused(void **state)
{
    struct grants_db *db;
    (void)state;
    int fd = open("other", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, "this is no database at all, no, no, no, no\n", 43), 43);
    close(fd);
    assert_int_equal(grants_db_open("other", &db, &err), RC_CONFIG);
    assert_null(db);
    assert_non_null(memmem(err.p, buf_len(&err), "cannot be used", 14));
    buf_clear(&err);
    assert_int_equal(symlink("elsewhere", "link"), 0);
    assert_int_equal(grants_db_open("link", &db, &err), RC_CONFIG); /* not through a link */
    buf_clear(&err);
    assert_int_equal(grants_db_open("no/such/place", &db, &err), RC_CONFIG);
    buf_clear(&err);
    grants_db_close(NULL);
}

static void a_newer_version_is_left_alone(void **state)
{
    struct grants_db *db;
    sqlite3 *raw;
    (void)state;
    grants_db_close(open_it("newer"));
    assert_int_equal(sqlite3_open("newer", &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "PRAGMA user_version=2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(raw);
    assert_int_equal(grants_db_open("newer", &db, &err), RC_CONFIG);
    assert_non_null(memmem(err.p, buf_len(&err), "newer version", 13));
    buf_clear(&err);
}

static void what_is_not_there_cannot_be_revoked(void **state)
{
    struct grants_db *db = open_it("revoke");
    (void)state;
    uint32_t id = add(db, "a.test", 500), old = add(db, "b.test", 150);
    assert_int_equal(grants_db_revoke(db, 0, SPAN("x"), SPAN("y"), 200), RC_NOTFOUND);
    assert_int_equal(grants_db_revoke(db, 99, SPAN("x"), SPAN("y"), 200), RC_NOTFOUND);
    assert_int_equal(grants_db_revoke(db, old, SPAN("x"), SPAN("y"), 200), RC_NOTFOUND); /* over */
    assert_int_equal(grants_db_revoke(db, id, SPAN("x"), SPAN("y"), 200), RC_OK);
    assert_int_equal(grants_db_revoke(db, id, SPAN("x"), SPAN("y"), 201), RC_NOTFOUND); /* twice */
    grants_db_close(db);
}

static enum rc look(const struct grant_row *r, void *arg)
{
    (void)arg;
    assert_true(span_eq(r->g.target, SPAN("a.test")));
    assert_true(span_eq(r->g.by, SPAN("M. O'Brien")));
    assert_true(span_eq(r->g.reason, SPAN("cours; DROP TABLE grants")));
    assert_int_equal(r->g.scope, GRANT_FOR_GROUP);
    assert_int_equal(r->uid, 1000);
    assert_int_equal(r->created_s, 100);
    assert_int_equal(r->revoked_s, 300);
    assert_true(span_eq(r->revoked_by, SPAN("chief")));
    assert_true(span_eq(r->revoked_reason, SPAN("over")));
    return RC_OK;
}

static void all_of_it_is_kept(void **state)
{
    struct grants_db *db = open_it("kept");
    (void)state;
    uint32_t id = add(db, "a.test", 500);
    assert_int_equal(n_of(db, false, 200), 1);
    assert_int_equal(grants_db_revoke(db, id, SPAN("chief"), SPAN("over"), 300), RC_OK);
    grants_db_close(db);
    db = open_it("kept");
    assert_int_equal(n_of(db, false, 200), 0);
    assert_int_equal(n_of(db, true, 200), 1);
    assert_int_equal(grants_db_each(db, true, 200, look, NULL), RC_OK);
    assert_true(add(db, "c.test", 500) > id);
    grants_db_close(db);
}

static void the_part_holds_what_is_in_force(void **state)
{
    struct grants_db *db = open_it("part");
    struct buf part = {0};
    struct grants g;
    struct grant out;
    (void)state;
    assert_int_equal(grants_db_part(db, 200, &part), RC_OK);
    assert_int_equal(buf_len(&part), 0);
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.test", i);
        add(db, name, i % 2 ? 150 : 500);
    }
    assert_int_equal(grants_db_revoke(db, 1, SPAN("x"), SPAN("y"), 200), RC_OK);
    assert_int_equal(grants_db_part(db, 200, &part), RC_OK);
    assert_int_equal(grants_open(buf_span(&part), &g), RC_OK);
    assert_int_equal(g.n, 99);
    assert_false(grants_by_id(&g, 1, &out));
    assert_true(grants_by_id(&g, 3, &out));
    assert_true(span_eq(out.target, SPAN("n2.test")));
    buf_fini(&part);
    grants_db_close(db);
}

static enum rc stop(const struct grant_row *r, void *arg)
{
    ++*(unsigned *)arg;
    return r->g.id == 2 ? RC_LIMIT : RC_OK;
}

static void a_walk_can_be_stopped(void **state)
{
    struct grants_db *db = open_it("walk");
    unsigned n = 0;
    (void)state;
    for (int i = 0; i < 5; i++)
        add(db, "a.test", 500);
    assert_int_equal(grants_db_each(db, false, 200, stop, &n), RC_LIMIT);
    assert_int_equal(n, 2);
    grants_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_newer_version_is_left_alone),
        cmocka_unit_test(what_is_not_there_cannot_be_revoked),
        cmocka_unit_test(all_of_it_is_kept),
        cmocka_unit_test(the_part_holds_what_is_in_force),
        cmocka_unit_test(a_walk_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
