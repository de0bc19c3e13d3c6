/* Lines and records come from one ring and go to two places in one batch: each once, whatever fails between
 * the two, whatever is killed. */
#include "tests/unit/gw/siem/both_help.h"
#include "tests/unit/gw/siem/refuse_help.h"
#include "tests/unit/kids.h"

/* ---- tests ---- */

static void without_a_journal_nothing_moves(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    drain_free(w.d);
    w.d = logger_start(&w, false);
    put_both(&w, 3);
    uint64_t used = ring_used(w.ring);
    assert_int_equal(drain_turn(w.d), RC_NOTFOUND);
    assert_int_equal(drain_turn(w.d), RC_NOTFOUND);
    assert_int_equal(ring_used(w.ring), used);
    drain_journal(w.d, fcntl(w.journal_dir, F_DUPFD_CLOEXEC, 0));
    pump(&w);
    (void)assert_both(&w, 3);
    world_close(&w);
}

static void what_is_no_record_is_told(void **state)
{
    (void)state;
    struct world w;
    static uint8_t big[LIM_RECORD_BYTES + 1];
    unsigned notes;
    world_open(&w);
    assert_true(put(w.ring, RING_RECORD, SPAN("short")));
    assert_true(put(w.ring, RING_RECORD, span_of(big, sizeof big)));
    assert_true(put_line(w.ring));
    pump(&w);
    assert_int_equal(drain_counts(w.d)->malformed, 2);
    assert_int_equal(drain_counts(w.d)->records, 0);
    assert_int_equal(lines(&w, &notes), 1);
    assert_int_equal(notes, 2);
    world_close(&w);
}

static void a_journal_that_cannot_be_written_holds_all(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    disk_errno = ENOSPC;
    put_both(&w, 2);
    pump(&w);
    journal_disk(drain_journal_of(w.d))->write = no_write;
    put_both(&w, 5);
    uint64_t used = ring_used(w.ring);
    for (int i = 0; i < 3; i++)
        assert_int_equal(drain_turn(w.d), RC_IO);
    assert_int_equal(drain_errno(w.d), ENOSPC);
    assert_int_equal(ring_used(w.ring), used);
    assert_int_equal(lines(&w, &notes), 2);
    journal_disk(drain_journal_of(w.d))->write = pwrite;
    pump(&w);
    assert_int_equal(drain_errno(w.d), 0);
    (void)assert_both(&w, 7);
    world_close(&w);
}

/* The journal has the batch, the log does not: neither the retry nor another logger writes it twice. */
static void a_log_that_cannot_be_written_doubles_no_record(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct world w;
        unsigned notes;
        world_open(&w);
        disk_errno = EDQUOT;
        put_both(&w, 2);
        pump(&w);
        drain_spool(w.d)->write = no_line;
        put_both(&w, 5);
        for (int i = 0; i < 3; i++)
            assert_int_equal(drain_turn(w.d), RC_IO);
        assert_int_equal(records(&w), 7);
        assert_int_equal(lines(&w, &notes), 2);
        if (restart)
            world_restart(&w);
        else
            drain_spool(w.d)->write = write;
        put_both(&w, 1);
        pump(&w);
        assert_int_equal(drain_counts(w.d)->skipped, restart ? 5 : 0);
        assert_int_equal(assert_both(&w, 8), 0);
        world_close(&w);
    }
}

static void another_logger_goes_on_with_both(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    journal_disk(drain_journal_of(w.d))->max_bytes = 4000;
    for (unsigned i = 0; i < 20; i++) {
        put_both(&w, i % 4);
        assert_true(put_record(w.ring));
        if (i % 3)
            pump(&w);
        if (i % 2) {
            world_restart(&w);
            journal_disk(drain_journal_of(w.d))->max_bytes = 4000;
        }
    }
    pump(&w);
    assert_int_equal(records(&w), 50);
    assert_int_equal(lines(&w, &notes), 30);
    assert_int_equal(notes, 0);
    world_close(&w);
}

static ssize_t head_alone(int fd, const void *p, size_t n, off_t at)
{
    if (at == 0)
        return pwrite(fd, p, n, at);
    return no_write(fd, p, n, at);
}

/* Killed twice: once when a batch was on the disk and its place in the ring not yet free, once when the next
 * file had just been begun. Were it begun before the ring moves on, nobody would know of the first batch. */
static void no_file_is_begun_before_the_ring_has_moved_on(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    disk_errno = EIO;
    put_both(&w, 5);
    drain_spool(w.d)->write = no_line; /* the journal has them, the log does not: nothing moves */
    assert_int_equal(drain_turn(w.d), RC_IO);
    drain_free(w.d);
    w.d = logger_start(&w, true);
    put_both(&w, 5);
    journal_disk(drain_journal_of(w.d))->max_bytes = 1; /* full: a new one is due ... */
    drain_spool(w.d)->max_bytes = 1;
    journal_disk(drain_journal_of(w.d))->write = head_alone; /* ... and nothing comes into it */
    assert_int_equal(drain_turn(w.d), RC_IO);
    world_restart(&w);
    pump(&w);
    (void)assert_both(&w, 10);
    world_close(&w);
}

/* ---- kills ---- */

enum { KILLS = 40 };

static void run_worker(void *arg, uint32_t unused)
{
    const struct world *w = arg;
    (void)unused;
    struct ring *r;
    if (ring_map(w->fd, &r) != RC_OK)
        _exit(1);
    for (unsigned i = 0;; i++) {
        put_record(r);
        put_line(r);
        if (i % 16 == 0)
            nap_us(300);
    }
}

static void run_logger(void *arg, uint32_t unused)
{
    (void)unused;
    struct drain *d = logger_start(arg, true);
    journal_disk(drain_journal_of(d))->max_bytes = 3 << 20;
    drain_spool(d)->max_bytes = 5 << 20;
    for (;;) {
        if (drain_turn(d) != RC_OK)
            nap_us(200);
    }
}

static void kill_9_under_load_loses_and_doubles_neither(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    drain_free(w.d);
    pid_t worker = child(run_worker, &w, 0);
    for (unsigned k = 0; k < KILLS; k++) {
        pid_t logger = child(run_logger, &w, 0);
        nap_us(10000 + (k * 7919) % 30000);
        stop_child(logger);
        if (k % 3 == 0) {
            stop_child(worker);
            worker = child(run_worker, &w, 0);
        }
    }
    stop_child(worker);
    w.d = logger_start(&w, true);
    pump(&w);
    struct ring *r;
    assert_int_equal(ring_map(w.fd, &r), RC_OK);
    uint64_t n = records(&w);
    assert_true(n > 1000);
    assert_int_equal(ring_next_of(r, RING_RECORD), n + 1);
    assert_int_equal(ring_next_seq(r), lines(&w, &notes) + 1);
    print_message("%llu records across %d kills\n", (unsigned long long)n, KILLS);
    ring_unmap(r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_journal_nothing_moves),
        cmocka_unit_test(what_is_no_record_is_told),
        cmocka_unit_test(a_journal_that_cannot_be_written_holds_all),
        cmocka_unit_test(a_log_that_cannot_be_written_doubles_no_record),
        cmocka_unit_test(another_logger_goes_on_with_both),
        cmocka_unit_test(no_file_is_begun_before_the_ring_has_moved_on),
        cmocka_unit_test(kill_9_under_load_loses_and_doubles_neither),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
