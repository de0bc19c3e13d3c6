/* What is kept comes back whole or not at all, is found by the beginning of its name, and is forgotten only
 * when nobody names it. */
#include "gw/proc/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/proc/kept_file.h"
#include "gw/proc/parts.h"
#include "gw/siem/journal_fmt.h"
#include "policy/part.h"

static char base[] = "/tmp/perron-kept-XXXXXX";
static int state_dir;
static struct kept k;
static struct buf err;

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    state_dir = open(base, O_RDONLY | O_DIRECTORY);
    assert_int_equal(kept_open(&k, state_dir, &err), RC_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kept_close(&k);
    kept_close(&k);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", base);
    buf_fini(&err);
    return system(cmd);
}

static bool said(const char *words)
{
    span s = buf_span(&err);
    bool found = s.n && memmem(s.p, s.n, words, strlen(words)) != NULL;
    buf_clear(&err);
    return found;
}

/* A snapshot whose parts are short texts. */
static struct kept_snapshot make(const char *policy, const char *lists, int fds[SNAP_PARTS])
{
    struct kept_snapshot s = {.loaded_s = 1790000000, .who = "uid 7", .file = "/etc/\xc3\xa9.policy"};
    const span bytes[SNAP_PARTS] = {span_str(policy), span_str(lists), SPAN_NONE, SPAN_NONE};
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        assert_int_equal(part_seal("t", bytes[i], &fds[i]), RC_OK);
    assert_int_equal(manifest_of(fds, &s.manifest), RC_OK);
    return s;
}

static struct kept_snapshot keep(const char *policy, const char *lists)
{
    int fds[SNAP_PARTS];
    struct kept_snapshot s = make(policy, lists, fds);
    assert_int_equal(kept_put(&k, &s, fds, &err), RC_OK);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(fds[i]);
    return s;
}

static const char *path_of(const char *dir, const uint8_t hash[SNAP_HASH])
{
    static char path[256];
    char name[MANIFEST_TEXT];
    hash_text(hash, name);
    snprintf(path, sizeof path, "%s/%s/%s", base, dir, name);
    return path;
}

static void overwrite(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* ---- refused ---- */

static void names_that_are_none_or_two_are_refused(void **state)
{
    struct kept_snapshot got;
    (void)state;
    for (char c = 0; c < 40; c++) { /* enough that two begin alike */
        char text[8] = {'p', c + 33, 0};
        keep(text, "lists");
    }
    assert_int_equal(kept_find(&k, SPAN("fffffffffff0"), &got, &err), RC_CONFIG);
    assert_true(said("no snapshot of this name"));
    assert_int_equal(kept_find(&k, SPAN_NONE, &got, &err), RC_CONFIG);
    assert_true(said("no snapshot"));
    assert_int_equal(kept_find(&k, SPAN("../lock"), &got, &err), RC_CONFIG);
    assert_true(said("no snapshot"));
    bool two = false;
    for (unsigned d = 0; d < 16 && !two; d++) {
        uint8_t digit = (uint8_t) "0123456789abcdef"[d];
        two = kept_find(&k, span_of(&digit, 1), &got, &err) == RC_CONFIG && said("more than one");
        buf_clear(&err);
    }
    assert_true(two);
}

static void damaged_parts_are_refused(void **state)
{
    struct kept_snapshot s = keep("policy bytes", "list bytes");
    int fd = -1;
    (void)state;
    overwrite(path_of("parts", s.manifest.part[0].hash), "policy bytez");
    assert_int_equal(kept_part(&k, PART_POLICY, &s.manifest.part[0], &fd, &err), RC_CONFIG);
    assert_true(said("damaged"));
    overwrite(path_of("parts", s.manifest.part[0].hash), "policy byte");
    assert_int_equal(kept_part(&k, PART_POLICY, &s.manifest.part[0], &fd, &err), RC_CONFIG);
    assert_true(said("cannot be read whole"));
    unlink(path_of("lists", s.manifest.part[1].hash));
    assert_int_equal(kept_part(&k, PART_LISTS, &s.manifest.part[1], &fd, &err), RC_CONFIG);
    assert_true(said("kept no longer"));
    assert_int_equal(fd, -1);
    /* Keeping it again mends what has another length. */
    keep("policy bytes", "list bytes");
    assert_int_equal(kept_part(&k, PART_POLICY, &s.manifest.part[0], &fd, &err), RC_OK);
    close(fd);
}

static void count(const struct kept_snapshot *s, void *arg)
{
    (void)s;
    ++*(unsigned *)arg;
}

static void damaged_snapshots_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"parts\": {}}",
                                      "{\"parts\": {\"policy\": {\"hash\": \"00\", \"size\": -1}}}",
                                      "\x01\x02"};
    struct kept_snapshot s = keep("to be damaged", "x"), got;
    char name[MANIFEST_TEXT];
    unsigned before = 0, after = 0;
    (void)state;
    assert_int_equal(kept_each(&k, count, &before), 0);
    hash_text(s.name, name);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        overwrite(path_of("snapshots", s.name), bad[i]);
        assert_int_equal(kept_find(&k, span_str(name), &got, &err), RC_CONFIG);
        assert_true(said("damaged"));
    }
    /* Whole, but another snapshot's. */
    struct kept_snapshot other = keep("another", "x");
    char from[256];
    snprintf(from, sizeof from, "%s", path_of("snapshots", other.name));
    assert_int_equal(rename(from, path_of("snapshots", s.name)), 0);
    assert_int_equal(kept_find(&k, span_str(name), &got, &err), RC_CONFIG);
    assert_true(said("damaged"));
    assert_int_equal(kept_each(&k, count, &after), 1);
    assert_int_equal(after, before - 1);
    assert_int_equal(unlink(path_of("snapshots", s.name)), 0);
}

static void answers_of_a_compiler_are_read_with_care(void **state)
{
    struct parts_answer a = {.rc = RC_OK, .outcome = LISTS_HELD, .made = 1}, got;
    struct parts_ask ask = {.prev = true, .path = SPAN("/p")}, asked;
    struct buf b = {0};
    (void)state;
    assert_int_equal(parts_answer_put(&b, &a), RC_OK);
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(parts_answer_get(span_of(b.p, n), &got), RC_BAD);
    assert_int_equal(parts_answer_get(buf_span(&b), &got), RC_OK);
    assert_int_equal(got.outcome, LISTS_HELD);
    b.p[7] = 9;
    assert_int_equal(parts_answer_get(buf_span(&b), &got), RC_BAD);
    b.p[7] = 0;
    b.p[11] = 0x10; /* a part that there is not */
    assert_int_equal(parts_answer_get(buf_span(&b), &got), RC_BAD);
    buf_clear(&b);
    assert_int_equal(parts_ask_put(&b, &ask), RC_OK);
    assert_int_equal(parts_ask_get(buf_span(&b), &asked), RC_OK);
    assert_true(asked.prev && !asked.ca && span_eq(asked.path, SPAN("/p")));
    assert_int_equal(parts_ask_get(span_of(b.p, b.w - 2), &asked), RC_BAD);
    buf_fini(&b);
}

/* ---- whole ---- */

static void what_was_kept_comes_back(void **state)
{
    struct kept_snapshot s = keep("the policy", "the lists"), got;
    char name[MANIFEST_TEXT], bytes[32];
    int fd;
    (void)state;
    hash_text(s.name, name);
    assert_int_equal(kept_find(&k, span_of(name, 20), &got, &err), RC_OK);
    assert_memory_equal(&got.manifest, &s.manifest, sizeof s.manifest);
    assert_string_equal(got.who, s.who);
    assert_string_equal(got.file, s.file);
    assert_int_equal(got.loaded_s, s.loaded_s);
    assert_int_equal(kept_part(&k, PART_POLICY, &got.manifest.part[PART_POLICY], &fd, &err), RC_OK);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 0), 10);
    assert_memory_equal(bytes, "the policy", 10);
    assert_int_equal(ftruncate(fd, 0), -1); /* sealed */
    close(fd);
    assert_int_equal(kept_part(&k, PART_GRANTS, &got.manifest.part[PART_GRANTS], &fd, &err), RC_OK);
    close(fd);
}

/* A record of a snapshot whose lists are long gone is decided again all the same. */
static void decisions_can_be_repeated_without_lists(void **state)
{
    static const char text[] = "zone internet\nzone lan network 10.0.0.0/8\ncategory c domain \"c.test\"\n"
                               "web {\n block category c\n allow any\n}\n";
    char path[] = "/tmp/perron-policy-XXXXXX";
    struct compile_made made;
    struct compile_opts opts = {.made = &made};
    struct kept_snapshot s = {.who = "w", .file = "f"};
    struct snapshot *snap;
    struct buf diag = {0};
    struct kept look;
    int fds[SNAP_PARTS], fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(policy_compile(path, &opts, fds, s.name, &diag), RC_OK);
    unlink(path);
    buf_fini(&diag);
    s.manifest = made.manifest;
    assert_int_equal(kept_put(&k, &s, fds, &err), RC_OK);
    unlink(path_of("lists", made.manifest.part[PART_LISTS].hash));
    assert_int_equal(kept_look(&look, state_dir, &err), RC_OK);
    assert_int_equal(kept_snapshot(&look, &s, true, &snap, &err), RC_CONFIG);
    assert_true(said("kept no longer"));
    assert_null(snap);
    assert_int_equal(kept_snapshot(&look, &s, false, &snap, &err), RC_OK);
    assert_memory_equal(snapshot_hash(snap), s.name, SNAP_HASH);
    struct facts f = {.known = ~UINT64_C(0), .step = STEP_REQUEST, .name = SPAN("c.test"), .zone = 1};
    assert_true(addr_parse(SPAN("10.0.0.1"), &f.src));
    struct verdict v;
    f.cats[0] = 0;
    f.n_cats = 1; /* as the record says */
    decide(snap, &f, &v);
    assert_int_equal(v.action, ACT_BLOCK);
    f.n_cats = 0;
    decide(snap, &f, &v);
    assert_int_equal(v.action, ACT_ALLOW);
    f.n_cats = 3;
    snapshot_categories(snap, &f);
    assert_int_equal(f.n_cats, 0);
    snapshot_put(snap);
    s.name[0] ^= 1;
    s.manifest.part[PART_POLICY].hash[0] ^= 1;
    assert_int_equal(kept_snapshot(&look, &s, false, &snap, &err), RC_CONFIG);
    assert_true(said("kept no longer"));
    assert_null(snap);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(fds[i]);
    kept_close(&look);
    assert_int_equal(kept_look(&look, -1, &err), RC_CONFIG);
    buf_clear(&err);
}

static void the_latest_is_the_one_last_in_force(void **state)
{
    struct kept_snapshot got, a = keep("first in force", "l"), b;
    (void)state;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    b = keep("then this", "l");
    assert_int_equal(kept_latest(&k, &got), RC_OK);
    assert_memory_equal(got.name, b.name, SNAP_HASH);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    kept_touch(&k, a.name);
    assert_int_equal(kept_latest(&k, &got), RC_OK);
    assert_memory_equal(got.name, a.name, SNAP_HASH);
    overwrite(path_of("snapshots", a.name), "{");
    assert_int_equal(kept_latest(&k, &got), RC_NOTFOUND);
    unlink(path_of("snapshots", a.name));
}

static void half_written_files_are_nobodys(void **state)
{
    struct kept_snapshot s = keep("whole", "lists");
    char path[300];
    unsigned before = 0, after = 0;
    (void)state;
    kept_each(&k, count, &before);
    snprintf(path, sizeof path, "%s.new", path_of("snapshots", s.name));
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "{\"par", 5), 5);
    close(fd);
    assert_int_equal(kept_each(&k, count, &after), 0);
    assert_int_equal(before, after);
    keep("whole", "lists"); /* and does not stand in the way */
    assert_int_equal(access(path, F_OK), -1);
}

static void only_the_last_lists_are_kept(void **state)
{
    (void)state;
    struct kept_snapshot first = keep("p", "lists 0"), last = first;
    for (unsigned i = 1; i < 12; i++) {
        char text[16];
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        snprintf(text, sizeof text, "lists %u", i);
        last = keep("p", text);
    }
    int fd;
    assert_int_equal(kept_part(&k, PART_LISTS, &first.manifest.part[PART_LISTS], &fd, &err), RC_CONFIG);
    assert_true(said("kept no longer"));
    assert_int_equal(kept_part(&k, PART_LISTS, &last.manifest.part[PART_LISTS], &fd, &err), RC_OK);
    close(fd);
}

static void make_old(const char *path)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void only_what_nobody_names_is_forgotten(void **state)
{
    struct kept_snapshot a = keep("shared", "l1"), b = keep("shared", "l2"), c = keep("alone", "l1");
    (void)state;
    make_old(path_of("snapshots", a.name));
    make_old(path_of("snapshots", c.name));
    make_old(path_of("parts", a.manifest.part[0].hash));
    make_old(path_of("parts", c.manifest.part[0].hash));
    kept_touch(&k, c.name); /* it is in force after all */
    assert_int_equal(kept_purge(&k, 2000), 1);
    assert_int_equal(access(path_of("snapshots", a.name), F_OK), -1);
    assert_int_equal(access(path_of("parts", b.manifest.part[0].hash), F_OK), 0);
    assert_int_equal(access(path_of("parts", c.manifest.part[0].hash), F_OK), 0);
    make_old(path_of("snapshots", c.name));
    make_old(path_of("parts", c.manifest.part[0].hash));
    assert_int_equal(kept_purge(&k, 2000), 2);
    assert_int_equal(access(path_of("parts", c.manifest.part[0].hash), F_OK), -1);
    assert_int_equal(access(path_of("parts", b.manifest.part[0].hash), F_OK), 0);
}

/* Begins the journal's first segment at that second. */
static void journal_begins(int dir, int64_t s)
{
    uint8_t head[JNL_HEAD];
    const uint8_t none[JOURNAL_HASH] = {0};
    assert_int_equal(jnl_head_write(1, s * 1000000, none, head), RC_OK);
    int fd = openat(dir, "000000000001.seg", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, head, sizeof head), sizeof head);
    close(fd);
}

/* Whatever the clock says. */
static void what_a_record_may_name_is_not_forgotten(void **state)
{
    enum { LATER = 2000000000 };
    struct kept_snapshot a = keep("of that time", "l1");
    (void)state;
    make_old(path_of("snapshots", a.name));
    assert_int_equal(mkdirat(state_dir, "journal", 0700), 0);
    int dir = openat(state_dir, "journal", O_RDONLY | O_DIRECTORY);
    journal_begins(dir, 500);
    assert_int_equal(kept_forget(&k, dir, LATER), 0);
    journal_begins(dir, 1000 + 86400);
    assert_int_equal(kept_forget(&k, dir, LATER), 0); /* a day for the moment between two touches */
    int fd = openat(dir, "000000000001.seg", O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 30), 1);
    close(fd);
    assert_int_equal(kept_forget(&k, dir, LATER), 0); /* it may be as old as can be */
    journal_begins(dir, 1000 + 86400 + 1);
    assert_int_equal(kept_forget(&k, dir, 1000 + LIM_SNAPSHOT_KEPT_DAYS * 86400), 0);
    assert_int_equal(kept_forget(&k, dir, 1001 + LIM_SNAPSHOT_KEPT_DAYS * 86400), 1);
    assert_int_equal(access(path_of("snapshots", a.name), F_OK), -1);
    a = keep("of that time", "l1");
    make_old(path_of("snapshots", a.name));
    assert_int_equal(unlinkat(dir, "000000000001.seg", 0), 0);
    assert_int_equal(kept_forget(&k, dir, 1001 + LIM_SNAPSHOT_KEPT_DAYS * 86400), 1); /* no record at all */
    close(dir);
}

/* One that cannot be read may be the one that names the part. */
static void beside_a_damaged_snapshot_no_part_is_forgotten(void **state)
{
    struct kept_snapshot a = keep("precious", "l1");
    (void)state;
    overwrite(path_of("snapshots", a.name), "{");
    make_old(path_of("parts", a.manifest.part[0].hash));
    kept_purge(&k, 2000);
    assert_int_equal(access(path_of("parts", a.manifest.part[0].hash), F_OK), 0);
    unlink(path_of("snapshots", a.name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_none_or_two_are_refused),
        cmocka_unit_test(what_a_record_may_name_is_not_forgotten),
        cmocka_unit_test(damaged_parts_are_refused),
        cmocka_unit_test(damaged_snapshots_are_refused),
        cmocka_unit_test(answers_of_a_compiler_are_read_with_care),
        cmocka_unit_test(what_was_kept_comes_back),
        cmocka_unit_test(decisions_can_be_repeated_without_lists),
        cmocka_unit_test(the_latest_is_the_one_last_in_force),
        cmocka_unit_test(half_written_files_are_nobodys),
        cmocka_unit_test(only_the_last_lists_are_kept),
        cmocka_unit_test(only_what_nobody_names_is_forgotten),
        cmocka_unit_test(beside_a_damaged_snapshot_no_part_is_forgotten),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
