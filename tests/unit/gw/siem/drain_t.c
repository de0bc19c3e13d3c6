/* What workers write comes into the log as it must, whatever a captured one says; and every line of every
 * file is one JSON object. */
#include "tests/unit/gw/siem/drain_tally.h"

#include <time.h>

/* ---- a captured worker ---- */

static void what_is_no_line_of_its_own_is_replaced(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const bad[] = {
        "",
        "{",
        "x",
        "{}",
        "no json",
        "{\"a\":1}\n{\"b\":2}",
        "{\"perron\":{\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":1}}\n",
        "{\"a\":\"\x1b[2J\",\"perron\":{,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":9}}",
        "{\"perron\":{\"x\":1,\"worker\":1,\"boot\":\"000000000000b007\",\"seq\":9}}",  /* another worker's
                                                                                           name */
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b008\",\"seq\":10}}", /* another run's */
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000B007\",\"seq\":12}}",
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":013}}",
        "{\"perron\":{\"x\":1,\"worker\":-0,\"boot\":\"000000000000b007\",\"seq\":14}}",
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":99999999999999999999}}",
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        put_raw(w.w[0], span_str(bad[i]));
    put_raw(w.w[0], span_of("{\0}", 3));
    put_lines(&w, 0, 1);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.malformed, N_ELEMS(bad) + 1);
    assert_int_equal(t.lines, N_ELEMS(bad) + 2);
    assert_int_equal(t.missing + t.doubled, 0);
    assert_int_equal(drain_counts(w.d)->malformed, N_ELEMS(bad) + 1);
    world_close(&w);
}

static void a_worker_cannot_have_anothers_lines_skipped(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_raw(w.w[0], line_of(1, 1000, 10)); /* worker 0 says: worker 1 is at 1000 already */
    pump(&w);
    put_lines(&w, 1, 5);
    world_restart(&w);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.last[1], 5);
    assert_int_equal(t.missing, 0);
    world_close(&w);
}

/* Lines that found the ring full wait in their worker, all with the number that was next when they were
 * written. */
static void a_line_gets_the_number_of_its_frame(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const uint64_t numbers[] = {1, 1, 1, 99, 123456789, 0, 7};
    for (size_t i = 0; i < N_ELEMS(numbers); i++)
        put_raw(w.w[0], line_of(0, numbers[i], 10));
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.last[0], N_ELEMS(numbers));
    assert_int_equal(t.missing + t.doubled + t.notes, 0);
    world_close(&w);
}

static void a_broken_ring_is_reported_and_serves_again(void **state)
{
    (void)state;
    struct world w;
    uint32_t kind = 7;
    world_open(&w);
    put_lines(&w, 0, 3);
    assert_int_equal(pwrite(w.fd[0], &kind, 4, 4096 + 4), 4); /* the first frame's kind */
    put_lines(&w, 1, 3);
    pump(&w);
    put_lines(&w, 0, 2);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.broken, 1);
    assert_int_equal(t.last[1], 3);
    assert_int_equal(t.last[0], 5);
    assert_int_equal(t.missing, 3);
    world_close(&w);
}

static void missing_numbers_are_reported(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 2);
    pump(&w);
    put_lines(&w, 0, 3);
    ring_reset(w.w[0]); /* somebody drops three lines */
    put_lines(&w, 0, 1);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.gaps, 1);
    assert_int_equal(t.missing, 3);
    world_close(&w);
}

/* ---- names and places ---- */

static void only_plain_names_are_taken(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char longer[SPOOL_NAME + 2];
    memset(longer, 'a', sizeof longer);
    static const char *const bad[] = {"",        ".",      "..",  "../x", "a/b",
                                      ".hidden", "/etc/x", "a b", "a\n",  "\xc3\xa9"};
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_str(bad[i])), RC_BAD);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_of(longer, sizeof longer)),
                     RC_BAD);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_of("a\0b", 3)), RC_BAD);
    assert_int_equal(drain_target(w.d, -1, SPAN("a")), RC_BAD);
    world_close(&w);
}

static void a_link_or_a_pipe_in_its_place_is_not_followed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 1);
    assert_int_equal(symlinkat("elsewhere", w.dir, "eve.json"), 0);
    assert_int_equal(drain_turn(w.d), RC_IO);
    assert_int_equal(drain_spool(w.d)->last_errno, ELOOP);
    unlinkat(w.dir, "eve.json", 0);
    assert_int_equal(mkfifoat(w.dir, "eve.json", 0600), 0);
    assert_int_equal(drain_turn(w.d), RC_IO);
    unlinkat(w.dir, "eve.json", 0);
    pump(&w);
    assert_int_equal(tally_all(&w).last[0], 1);
    world_close(&w);
}

static void without_a_file_everything_waits(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct drain *d;
    put_lines(&w, 0, 4);
    assert_int_equal(drain_new(BOOT, SPAN_NONE, &d), RC_OK);
    assert_int_equal(drain_add(d, w.fd[0], BOOT, 0), RC_OK);
    assert_int_equal(drain_turn(d), RC_NOTFOUND);
    drain_free(d);
    pump(&w);
    assert_int_equal(tally_all(&w).last[0], 4);
    world_close(&w);
}

static void the_same_ring_twice_is_one_ring(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(drain_add(w.d, w.fd[0], BOOT, 0), RC_OK);
    assert_int_equal(drain_add(w.d, w.dir, BOOT, 9), RC_BAD);
    put_lines(&w, 0, 4);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.lines, 4);
    world_close(&w);
}

/* ---- torn lines ---- */

static void a_torn_line_becomes_one_whole_report(void **state)
{
    (void)state;
    static const size_t piece[] = {1, 2, 50, 300, 700, 4000, 16384};
    for (size_t i = 0; i < N_ELEMS(piece); i++) {
        for (unsigned before = 0; before < 3; before++) {
            struct world w;
            struct buf b = {0};
            world_open(&w);
            for (uint64_t v = 1; v <= before; v++) {
                assert_int_equal(buf_put(&b, line_of(0, v, 20)), RC_OK);
                assert_int_equal(buf_put_u8(&b, '\n'), RC_OK);
            }
            for (size_t k = 0; k < piece[i]; k++)
                assert_int_equal(buf_put_u8(&b, k == 0 ? '{' : k % 7 ? '"' : 0xff), RC_OK);
            write_file(&w, "eve.json", b.p, buf_len(&b));
            put_lines(&w, 1, 2);
            pump(&w);
            struct tally t = tally_all(&w);
            assert_int_equal(t.torn, 1);
            assert_int_equal(t.lines, before + 3);
            assert_int_equal(t.last[1], 2);
            buf_fini(&b);
            world_close(&w);
        }
    }
}

static void a_file_that_is_no_log_is_put_aside(void **state)
{
    (void)state;
    struct world w;
    static uint8_t noise[200000];
    world_open(&w);
    memset(noise, 'n', sizeof noise);
    write_file(&w, "eve.json", noise, sizeof noise);
    put_lines(&w, 0, 2);
    pump(&w);
    struct tally t = {0};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.lines, 2);
    world_close(&w);
}

/* ---- rotation ---- */

static void rotation_by_size_splits_and_loses_no_line(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    drain_spool(w.d)->max_bytes = 20000;
    for (unsigned i = 0; i < 30; i++) {
        put_lines(&w, i % RINGS, 10);
        pump(&w);
    }
    struct tally t = tally_all(&w);
    assert_int_equal(t.lines, 300);
    assert_int_equal(t.missing + t.doubled + t.notes,
                     0); /* also: names sort in order of time within a second */
    assert_in_range(t.files, 5, 9);
    world_close(&w);
}

static void rotation_on_demand_and_by_others(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    put_lines(&w, 0, 3);
    pump(&w);
    assert_int_equal(tally_all(&w).files, 2);
    assert_int_equal(renameat(w.dir, "eve.json", w.dir, "zz-moved-by-logrotate"), 0);
    drain_check_file(w.d);
    put_lines(&w, 0, 3);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.files, 3);
    assert_int_equal(t.last[0], 9);
    assert_int_equal(t.missing + t.doubled, 0);
    unlinkat(w.dir, "eve.json", 0);
    drain_check_file(w.d);
    put_lines(&w, 0, 1);
    pump(&w);
    t = (struct tally){.last = {9, 0}};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.last[0], 10);
    world_close(&w);
}

static void the_file_is_not_readable_by_others(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    world_open(&w);
    mode_t was = umask(0);
    put_lines(&w, 0, 1);
    pump(&w);
    umask(was);
    assert_int_equal(fstatat(w.dir, "eve.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    world_close(&w);
}

static void a_flood_of_one_worker_does_not_keep_another_waiting(void **state)
{
    (void)state;
    struct world w;
    bool wake;
    world_open(&w);
    while (ring_reserve(w.w[0]) == RC_OK)
        ring_put(w.w[0], RING_EVENT, line_of(0, ring_next_seq(w.w[0]), 1000), &wake);
    put_lines(&w, 1, 1);
    assert_int_equal(drain_turn(w.d), RC_OK); /* one batch */
    assert_int_equal(ring_used(w.w[1]), 0);
    assert_true(ring_used(w.w[0]) > 0);
    assert_true(drain_full(w.d));
    world_close(&w);
}

/* Two syncs for every few lines cost more than all else the logger does. */
static void a_short_batch_says_that_the_next_may_wait(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_false(drain_full(w.d));
    put_lines(&w, 0, 3);
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_false(drain_full(w.d));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_line_of_its_own_is_replaced),
        cmocka_unit_test(a_worker_cannot_have_anothers_lines_skipped),
        cmocka_unit_test(a_line_gets_the_number_of_its_frame),
        cmocka_unit_test(a_broken_ring_is_reported_and_serves_again),
        cmocka_unit_test(missing_numbers_are_reported),
        cmocka_unit_test(only_plain_names_are_taken),
        cmocka_unit_test(a_link_or_a_pipe_in_its_place_is_not_followed),
        cmocka_unit_test(without_a_file_everything_waits),
        cmocka_unit_test(the_same_ring_twice_is_one_ring),
        cmocka_unit_test(a_torn_line_becomes_one_whole_report),
        cmocka_unit_test(a_file_that_is_no_log_is_put_aside),
        cmocka_unit_test(rotation_by_size_splits_and_loses_no_line),
        cmocka_unit_test(rotation_on_demand_and_by_others),
        cmocka_unit_test(the_file_is_not_readable_by_others),
        cmocka_unit_test(a_flood_of_one_worker_does_not_keep_another_waiting),
        cmocka_unit_test(a_short_batch_says_that_the_next_may_wait),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
