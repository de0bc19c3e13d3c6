/* The ring loses and doubles nothing, whoever dies when; and nothing that a captured worker writes into it
 * leads the logger out of the map or into a loop. */
#include "gw/ipc/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "tests/unit/kids.h"

enum { HEADER = 4096, AT_HEAD = 64, AT_NOTE = 72, AT_TAIL = 128, AT_SLEEPING = 192 };

struct pair {
    int fd;
    struct ring *w, *l; /* worker's and logger's view */
};

static void pair_open(struct pair *p)
{
    assert_int_equal(ring_create(0xb007, 3, &p->fd), RC_OK);
    assert_int_equal(ring_map(p->fd, &p->w), RC_OK);
    assert_int_equal(ring_map(p->fd, &p->l), RC_OK);
}

static void pair_close(struct pair *p)
{
    ring_unmap(p->w);
    ring_unmap(p->l);
    close(p->fd);
}

static void put(struct ring *r, span s)
{
    bool wake;
    assert_int_equal(ring_reserve(r), RC_OK);
    ring_put(r, RING_EVENT, s, &wake);
}

/* One frame off the ring, its text compared with the number it should hold. */
static void take_number(struct ring *l, uint64_t want)
{
    uint64_t cursor = ring_tail(l), seq, got;
    enum ring_kind kind;
    span f;
    assert_int_equal(ring_peek(l, &cursor, &kind, &seq, &f), RC_OK);
    assert_true(f.n >= sizeof got);
    memcpy(&got, f.p, sizeof got);
    assert_int_equal(got, want);
    assert_int_equal(seq, want);
    for (size_t i = sizeof got; i < f.n; i++)
        assert_int_equal(f.p[i], (uint8_t)(want + i));
    ring_advance(l, cursor);
}

static void put_number(struct ring *w, uint64_t v, size_t n)
{
    static uint8_t bytes[LIM_EVENT_BYTES];
    n = n < sizeof v ? sizeof v : n > sizeof bytes ? sizeof bytes : n;
    memcpy(bytes, &v, sizeof v);
    for (size_t i = sizeof v; i < n; i++)
        bytes[i] = (uint8_t)(v + i);
    assert_int_equal(ring_next_seq(w), v);
    put(w, span_of(bytes, n));
}

static void what_is_no_ring_is_refused(void **state)
{
    (void)state;
    struct ring *r;
    int fd = memfd_create("no-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ring_map(fd, &r), RC_BAD);
    assert_int_equal(ftruncate(fd, HEADER + LIM_RING_BYTES), 0);
    assert_int_equal(ring_map(fd, &r), RC_BAD); /* not sealed: its size could change under us */
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(ring_map(fd, &r), RC_BAD); /* no magic */
    close(fd);
    assert_int_equal(ring_map(-1, &r), RC_BAD);
    fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    assert_int_equal(ring_map(fd, &r), RC_BAD);
    close(fd);
}

static void its_size_cannot_be_changed(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    assert_int_not_equal(ftruncate(p.fd, HEADER), 0);
    assert_int_not_equal(ftruncate(p.fd, HEADER + 2L * LIM_RING_BYTES), 0);
    assert_int_equal(ring_worker(p.l), 3);
    assert_int_equal(ring_boot(p.l), 0xb007);
    pair_close(&p);
}

static void promises_never_exceed_the_room(void **state)
{
    (void)state;
    struct pair p;
    static uint8_t big[LIM_EVENT_BYTES];
    bool wake;
    size_t n = 0, filled;
    pair_open(&p);
    while (ring_reserve(p.w) == RC_OK)
        n++;
    assert_int_equal(n, LIM_RING_BYTES / (LIM_EVENT_BYTES + 16));
    for (filled = 0; filled < n; filled++)
        ring_put(p.w, RING_EVENT, span_of(big, sizeof big), &wake); /* every promise is kept at its worst */
    assert_int_equal(ring_reserve(p.w), RC_FULL);
    uint64_t cursor = ring_tail(p.l), seq;
    enum ring_kind kind;
    span f;
    for (filled = 0; ring_peek(p.l, &cursor, &kind, &seq, &f) == RC_OK; filled++)
        assert_int_equal(seq, filled + 1);
    assert_int_equal(filled, n);
    assert_int_equal(ring_reserve(p.w), RC_FULL); /* looking is not writing out */
    ring_advance(p.l, cursor);
    assert_int_equal(ring_used(p.l), 0);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_release(p.w);
    pair_close(&p);
}

static void frames_of_every_size_go_round_many_times(void **state)
{
    (void)state;
    struct pair p;
    uint64_t in = 1, out = 1, rnd = 88172645463325252u;
    pair_open(&p);
    while (in < 30000) { /* about ten times round */
        rnd ^= rnd << 13;
        rnd ^= rnd >> 7;
        rnd ^= rnd << 17;
        for (unsigned i = 0; i < (rnd & 63); i++, in++)
            put_number(p.w, in, (rnd >> (i % 16)) % (LIM_EVENT_BYTES + 1));
        while (out < in)
            take_number(p.l, out++);
    }
    assert_true(ring_tail(p.l) > 8 * (uint64_t)LIM_RING_BYTES);
    pair_close(&p);
}

static void the_edge_of_the_map_is_crossed_at_every_offset(void **state)
{
    (void)state;
    struct pair p;
    uint64_t v = 1;
    pair_open(&p);
    for (uint64_t before = 0; before <= 80; before += 8) {
        uint64_t want = LIM_RING_BYTES - before;
        while (ring_tail(p.l) % LIM_RING_BYTES != want % LIM_RING_BYTES) { /* frames up to just there */
            uint64_t gap = (want - ring_tail(p.l) % LIM_RING_BYTES + LIM_RING_BYTES) % LIM_RING_BYTES;
            size_t n = gap >= 40000            ? LIM_EVENT_BYTES
                       : gap > LIM_EVENT_BYTES ? gap / 2 / 8 * 8 - 16
                                               : gap - 16;
            put_number(p.w, v, gap < 24 ? LIM_EVENT_BYTES : n);
            take_number(p.l, v++);
        }
        put_number(p.w, v, 64);
        take_number(p.l, v++);
    }
    pair_close(&p);
}

static void a_reader_that_comes_back_sees_what_was_not_advanced(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    for (uint64_t v = 1; v <= 10; v++)
        put_number(p.w, v, 100);
    for (uint64_t v = 1; v <= 4; v++)
        take_number(p.l, v);
    ring_unmap(p.l);
    assert_int_equal(ring_map(p.fd, &p.l), RC_OK);
    for (uint64_t v = 5; v <= 10; v++)
        take_number(p.l, v);
    pair_close(&p);
}

/* ---- a producer killed between any two of its stores ---- */

static void poke(int fd, off_t at, const void *v, size_t n)
{
    assert_int_equal(pwrite(fd, v, n, at), (ssize_t)n);
}

static void copy_image(int from, int to)
{
    static uint8_t page[65536];
    ssize_t n;
    for (off_t at = 0; (n = pread(from, page, sizeof page, at)) > 0; at += n)
        poke(to, at, page, (size_t)n);
}

/* The state of a ring after `done` of the stores that publish one frame: header, bytes, note.after, note.seq,
 * head. */
static void half_put(int fd, uint64_t head, uint64_t seq, unsigned done)
{
    struct {
        uint32_t n, kind;
        uint64_t seq, v;
    } f = {8, RING_EVENT, seq, seq};
    uint64_t after = head + 24;
    if (done >= 1)
        poke(fd, HEADER + (off_t)(head % LIM_RING_BYTES), &f, 16);
    if (done >= 2)
        poke(fd, HEADER + (off_t)(head % LIM_RING_BYTES) + 16, &f.v, 8);
    if (done >= 3)
        poke(fd, AT_NOTE + 24 * (off_t)(seq % 2), &after, 8);
    if (done >= 4)
        poke(fd, AT_NOTE + 24 * (off_t)(seq % 2) + 8, &seq, 8);
    if (done >= 5)
        poke(fd, AT_HEAD, &after, 8);
}

static void a_producer_killed_after_any_store_leaves_no_gap(void **state)
{
    (void)state;
    for (uint64_t before = 0; before < 4; before++) {
        for (unsigned done = 0; done <= 5; done++) {
            struct pair p;
            pair_open(&p);
            for (uint64_t v = 1; v <= before; v++)
                put_number(p.w, v, 8);
            if (before == 3) { /* also when the logger has taken all before the kill */
                take_number(p.l, 1);
                take_number(p.l, 2);
                take_number(p.l, 3);
            }
            ring_unmap(p.w);
            half_put(p.fd, before * 24, before + 1, done);
            assert_int_equal(ring_map(p.fd, &p.w), RC_OK);
            uint64_t next = before + 1 + (done == 5);
            assert_int_equal(ring_next_seq(p.w), next);
            put_number(p.w, next, 200);
            put_number(p.w, next + 1, 8);
            for (uint64_t v = before == 3 ? 4 : 1; v <= next + 1; v++)
                take_number(p.l, v);
            assert_int_equal(ring_used(p.l), 0);
            pair_close(&p);
        }
    }
}

/* Each kind counts for itself, also across a kill: readers of the log see its numbers without a gap. */
static void kinds_are_numbered_apart(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    static const enum ring_kind order[] = {RING_EVENT,  RING_RECORD, RING_RECORD, RING_EVENT,
                                           RING_RECORD, RING_RECORD, RING_EVENT};
    uint64_t count[RING_KINDS] = {0};
    for (size_t i = 0; i < N_ELEMS(order); i++) {
        bool wake;
        assert_int_equal(ring_reserve(p.w), RC_OK);
        ring_put(p.w, order[i], SPAN("frame"), &wake);
        if (i % 2 == 0) { /* another worker goes on */
            ring_unmap(p.w);
            assert_int_equal(ring_map(p.fd, &p.w), RC_OK);
        }
    }
    uint64_t cursor = ring_tail(p.l), seq;
    enum ring_kind kind;
    span f;
    for (size_t i = 0; i < N_ELEMS(order); i++) {
        assert_int_equal(ring_peek(p.l, &cursor, &kind, &seq, &f), RC_OK);
        assert_int_equal(kind, order[i]);
        assert_int_equal(seq, ++count[kind]);
    }
    assert_int_equal(ring_next_of(p.w, RING_RECORD), 5);
    assert_int_equal(ring_next_seq(p.w), 4);
    pair_close(&p);
}

/* Image of the ring taken at a moment goes on as the real one would. */
static void a_copied_state_goes_on_where_it_stood(void **state)
{
    (void)state;
    struct pair p, q;
    pair_open(&p);
    pair_open(&q);
    for (uint64_t v = 1; v <= 7; v++)
        put_number(p.w, v, 1000);
    take_number(p.l, 1);
    copy_image(p.fd, q.fd);
    ring_unmap(q.w);
    assert_int_equal(ring_map(q.fd, &q.w), RC_OK);
    put_number(q.w, 8, 50);
    for (uint64_t v = 2; v <= 8; v++)
        take_number(q.l, v);
    pair_close(&p);
    pair_close(&q);
}

/* ---- hostile contents ---- */

static void broken_positions_are_found(void **state)
{
    (void)state;
    static const uint64_t head[] = {1, 15, 17, LIM_RING_BYTES + 1, UINT64_MAX, UINT64_MAX - 15, 1ull << 63};
    for (size_t i = 0; i < N_ELEMS(head); i++) {
        struct pair p;
        uint64_t cursor, seq;
        enum ring_kind kind;
        span f;
        pair_open(&p);
        poke(p.fd, AT_HEAD, &head[i], 8);
        cursor = ring_tail(p.l);
        enum rc rc = ring_peek(p.l, &cursor, &kind, &seq, &f);
        assert_int_equal(rc, RC_BAD); /* also 17: the frame there says length 0 and kind 0 */
        ring_reset(p.l);
        cursor = ring_tail(p.l);
        assert_int_equal(ring_peek(p.l, &cursor, &kind, &seq, &f), RC_MORE);
        pair_close(&p);
    }
}

static void broken_frames_are_found(void **state)
{
    (void)state;
    static const struct {
        uint32_t n, kind;
    } bad[] = {{0, 0},          {8, 3}, {LIM_EVENT_BYTES + 1, 1},
               {UINT32_MAX, 1}, {9, 1}, {LIM_EVENT_BYTES, 1},
               {8, 0xffffffff}};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct pair p;
        uint64_t cursor, seq;
        enum ring_kind kind;
        span f;
        pair_open(&p);
        put_number(p.w, 1, 8);
        poke(p.fd, HEADER, &bad[i], 8);
        cursor = ring_tail(p.l);
        assert_int_equal(ring_peek(p.l, &cursor, &kind, &seq, &f), RC_BAD);
        assert_int_equal(cursor, 0);
        ring_reset(p.l); /* and the same ring serves again */
        put_number(p.w, 2, 8);
        take_number(p.l, 2);
        pair_close(&p);
    }
}

/* Whatever stands in the whole map: every walk ends after a bounded number of frames, all of them inside. */
static void noise_ends_every_walk_inside_the_map(void **state)
{
    (void)state;
    struct pair p;
    uint64_t rnd = 42;
    pair_open(&p);
    for (unsigned round = 0; round < 300; round++) {
        uint64_t words[64];
        for (size_t i = 0; i < N_ELEMS(words); i++) {
            rnd = rnd * 6364136223846793005u + 1442695040888963407u;
            words[i] = round % 2 ? rnd : (rnd >> 40) % 64; /* small words look like lengths and kinds */
        }
        poke(p.fd, HEADER, words, sizeof words);
        uint64_t head = rnd >> 52, tail = (rnd >> 20) % 64;
        poke(p.fd, AT_HEAD, &head, 8);
        poke(p.fd, AT_TAIL, &tail, 8);
        uint64_t cursor = ring_tail(p.l), seq;
        enum ring_kind kind;
        span f;
        unsigned n = 0;
        volatile uint8_t sum = 0;
        while (ring_peek(p.l, &cursor, &kind, &seq, &f) == RC_OK) {
            n++;
            for (size_t i = 0; i < f.n; i++)
                sum = (uint8_t)(sum + f.p[i]);
        }
        assert_true(n <= LIM_RING_BYTES / 16);
    }
    pair_close(&p);
}

/* Sound frames all around, and a head further away than the ring is long: no walk round and round. */
static void a_head_beyond_the_ring_is_broken_whatever_stands_there(void **state)
{
    (void)state;
    static struct {
        uint32_t n, kind;
        uint64_t seq;
    } frames[4096];
    struct pair p;
    uint64_t head = LIM_RING_BYTES + 16, cursor, seq;
    enum ring_kind kind;
    span f;
    pair_open(&p);
    for (size_t i = 0; i < N_ELEMS(frames); i++)
        frames[i].kind = RING_EVENT;
    for (off_t at = 0; at < LIM_RING_BYTES; at += (off_t)sizeof frames)
        poke(p.fd, HEADER + at, frames, sizeof frames);
    poke(p.fd, AT_HEAD, &head, 8);
    cursor = ring_tail(p.l);
    assert_int_equal(ring_peek(p.l, &cursor, &kind, &seq, &f), RC_BAD);
    head = LIM_RING_BYTES; /* just full is sound */
    poke(p.fd, AT_HEAD, &head, 8);
    assert_int_equal(ring_peek(p.l, &cursor, &kind, &seq, &f), RC_OK);
    pair_close(&p);
}

static void a_producer_with_a_broken_tail_only_says_full(void **state)
{
    (void)state;
    struct pair p;
    uint64_t tail = 1;
    pair_open(&p);
    poke(p.fd, AT_TAIL, &tail, 8); /* ahead of head */
    assert_int_equal(ring_reserve(p.w), RC_FULL);
    ring_reset(p.l);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_release(p.w);
    pair_close(&p);
}

static void one_wake_for_one_sleep(void **state)
{
    (void)state;
    struct pair p;
    bool wake;
    pair_open(&p);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_put(p.w, RING_EVENT, SPAN("{}"), &wake);
    assert_false(wake);
    ring_sleeping(p.l, true);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_put(p.w, RING_EVENT, SPAN("{}"), &wake);
    assert_true(wake);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_put(p.w, RING_EVENT, SPAN("{}"), &wake);
    assert_false(wake);
    ring_sleeping(p.l, true);
    ring_sleeping(p.l, false);
    assert_int_equal(ring_reserve(p.w), RC_OK);
    ring_put(p.w, RING_EVENT, SPAN("{}"), &wake);
    assert_false(wake);
    pair_close(&p);
}

/* ---- two processes, real kills ---- */

enum { KILLS = 40 };

static void produce(void *pair, uint32_t unused)
{
    struct ring *w;
    (void)unused;
    if (ring_map(((const struct pair *)pair)->fd, &w) != RC_OK)
        _exit(1);
    for (;;) {
        bool wake;
        uint8_t bytes[512];
        uint64_t seq = ring_next_seq(w);
        memcpy(bytes, &seq, sizeof seq);
        for (size_t i = sizeof seq; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(seq + i);
        if (ring_reserve(w) == RC_OK)
            ring_put(w, RING_EVENT, span_of(bytes, 8 + seq % 500), &wake);
        else
            nap_us(100);
    }
}

static void kill_9_of_the_producer_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct pair p;
    uint64_t next = 1;
    pair_open(&p);
    for (unsigned k = 0; k < KILLS; k++) {
        pid_t pid = child(produce, &p, 0);
        nap_us(2000 + (k * 7919) % 3000);
        for (unsigned i = 0; i < 200 && ring_used(p.l); i++)
            take_number(p.l, next++);
        stop_child(pid);
        while (ring_used(p.l))
            take_number(p.l, next++); /* each is the one that follows, whole */
    }
    assert_true(next > KILLS);
    print_message("%llu frames across %d kills\n", (unsigned long long)next - 1, KILLS);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_ring_is_refused),
        cmocka_unit_test(broken_positions_are_found),
        cmocka_unit_test(broken_frames_are_found),
        cmocka_unit_test(noise_ends_every_walk_inside_the_map),
        cmocka_unit_test(a_head_beyond_the_ring_is_broken_whatever_stands_there),
        cmocka_unit_test(a_producer_with_a_broken_tail_only_says_full),
        cmocka_unit_test(its_size_cannot_be_changed),
        cmocka_unit_test(promises_never_exceed_the_room),
        cmocka_unit_test(frames_of_every_size_go_round_many_times),
        cmocka_unit_test(the_edge_of_the_map_is_crossed_at_every_offset),
        cmocka_unit_test(a_reader_that_comes_back_sees_what_was_not_advanced),
        cmocka_unit_test(a_producer_killed_after_any_store_leaves_no_gap),
        cmocka_unit_test(kinds_are_numbered_apart),
        cmocka_unit_test(a_copied_state_goes_on_where_it_stood),
        cmocka_unit_test(one_wake_for_one_sleep),
        cmocka_unit_test(kill_9_of_the_producer_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
