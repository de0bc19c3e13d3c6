/* The event loop: callbacks that remove, add and re-arm what the same turn still holds; timers that come
 * neither early nor never; work put off. */
#include "gw/base/ev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"

static struct ev *ev;

static int setup(void **state)
{
    (void)state;
    return ev_new(&ev) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ev_free(ev);
    return 0;
}

static void turn(int wait_ms)
{
    assert_int_equal(ev_turn(ev, wait_ms), RC_OK);
}

/* ---- descriptors */

struct end {
    struct ev_io io;
    int other;
    int n_events;
    uint32_t last;
    struct end *remove; /* in the callback */
};

static void on_io(struct ev_io *io, uint32_t events)
{
    struct end *e = CONTAINER_OF(io, struct end, io);
    e->n_events++;
    e->last = events;
    if (e->remove)
        ev_unwatch(ev, &e->remove->io);
}

static void open_end(struct end *e)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    *e = (struct end){.io = {.fd = pair[0], .cb = on_io}, .other = pair[1]};
}

static void close_end(struct end *e)
{
    ev_unwatch(ev, &e->io);
    close(e->io.fd);
    close(e->other);
}

static void poke(const struct end *e)
{
    assert_int_equal(write(e->other, "x", 1), 1);
}

static void a_closed_descriptor_cannot_be_watched(void **state)
{
    (void)state;
    struct ev_io io = {.fd = -1, .cb = on_io};
    assert_int_equal(ev_watch(ev, &io, EPOLLIN), RC_IO);
    assert_int_equal(io.events, 0);
    ev_unwatch(ev, &io); /* what was never watched */
}

/* The first of two ready descriptors removes the other, whichever it is: the other must not be called any
 * more. */
static void an_event_of_the_turn_does_not_find_what_was_removed(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a);
    open_end(&b);
    a.remove = &b;
    b.remove = &a;
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN), RC_OK);
    assert_int_equal(ev_watch(ev, &b.io, EPOLLIN), RC_OK);
    poke(&a);
    poke(&b);
    turn(100);
    assert_int_equal(a.n_events + b.n_events, 1);
    turn(0);
    assert_int_equal(a.n_events + b.n_events, 2); /* the one that is left */
    close_end(&a);
    close_end(&b);
}

static void removing_oneself_is_fine(void **state)
{
    (void)state;
    struct end a;
    open_end(&a);
    a.remove = &a;
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN), RC_OK);
    poke(&a);
    turn(100);
    turn(0);
    assert_int_equal(a.n_events, 1);
    close_end(&a);
}

static void what_is_watched_can_be_changed(void **state)
{
    (void)state;
    struct end a;
    open_end(&a);
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN), RC_OK);
    turn(0);
    assert_int_equal(a.n_events, 0);
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN | EPOLLOUT), RC_OK);
    turn(100);
    assert_int_equal(a.last, EPOLLOUT);
    assert_int_equal(ev_watch(ev, &a.io, 0), RC_OK); /* nothing: not watched */
    poke(&a);
    turn(0);
    assert_int_equal(a.n_events, 1);
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN), RC_OK);
    turn(100);
    assert_int_equal(a.n_events, 2);
    close_end(&a);
}

static void the_other_ends_end_is_seen(void **state)
{
    (void)state;
    struct end a;
    open_end(&a);
    assert_int_equal(ev_watch(ev, &a.io, EPOLLIN | EPOLLRDHUP), RC_OK);
    shutdown(a.other, SHUT_RDWR);
    turn(100);
    assert_true(a.last & EPOLLHUP);
    close_end(&a);
}

static void more_ready_descriptors_than_a_batch_are_all_served(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static struct end ends[MANY];
    for (int i = 0; i < MANY; i++) {
        open_end(&ends[i]);
        assert_int_equal(ev_watch(ev, &ends[i].io, EPOLLIN | EPOLLET), RC_OK);
        poke(&ends[i]);
    }
    turn(0);
    turn(0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ends[i].n_events, 1);
        close_end(&ends[i]);
    }
}

/* ---- timers */

struct alarm {
    struct ev_timer t;
    int n_fired;
    int64_t fired_ms, again_ms;
    struct alarm *stop;
};

static void on_timer(struct ev_timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, t);
    a->n_fired++;
    a->fired_ms = clock_mono_ms();
    if (a->stop)
        ev_timer_stop(ev, &a->stop->t);
    if (a->again_ms)
        ev_timer_set(ev, t, a->again_ms);
}

static void alarm_init(struct alarm *a)
{
    *a = (struct alarm){0};
    ev_timer_init(&a->t, on_timer);
}

static void run_for(int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;)
        turn(5);
}

static void a_stopped_timer_never_fires(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    ev_timer_stop(ev, &a.t); /* that never ran */
    ev_timer_set(ev, &a.t, 20);
    ev_timer_stop(ev, &a.t);
    ev_timer_stop(ev, &a.t);
    run_for(80);
    assert_int_equal(a.n_fired, 0);
}

static void a_timer_stopped_by_another_of_its_slot_does_not_fire(void **state)
{
    (void)state;
    struct alarm a, b;
    alarm_init(&a);
    alarm_init(&b);
    a.stop = &b;
    b.stop = &a;
    turn(0);
    ev_timer_set(ev, &a.t, 20);
    ev_timer_set(ev, &b.t, 20);
    run_for(80);
    assert_int_equal(a.n_fired + b.n_fired, 1);
}

static void timers_fire_once_and_not_early(void **state)
{
    (void)state;
    static const int delays[] = {0, 1, 15, 16, 17, 40, 100, 250};
    struct alarm a[N_ELEMS(delays)];
    turn(0);
    int64_t begin = clock_mono_ms();
    for (size_t i = 0; i < N_ELEMS(delays); i++) {
        alarm_init(&a[i]);
        ev_timer_set(ev, &a[i].t, delays[i]);
    }
    run_for(400);
    for (size_t i = 0; i < N_ELEMS(delays); i++) {
        assert_int_equal(a[i].n_fired, 1);
        assert_true(a[i].fired_ms - begin >= delays[i] - 1); /* the turn's clock is up to 1 ms behind */
        assert_true(a[i].fired_ms - begin < delays[i] + 150);
    }
}

static void a_later_deadline_is_kept_and_an_earlier_one_too(void **state)
{
    (void)state;
    struct alarm later, earlier;
    alarm_init(&later);
    alarm_init(&earlier);
    turn(0);
    int64_t begin = clock_mono_ms();
    ev_timer_set(ev, &later.t, 30);
    ev_timer_set(ev, &later.t, 150);
    ev_timer_set(ev, &earlier.t, 10000);
    ev_timer_set(ev, &earlier.t, 40);
    run_for(350);
    assert_int_equal(later.n_fired, 1);
    assert_true(later.fired_ms - begin >= 149);
    assert_int_equal(earlier.n_fired, 1);
    assert_true(earlier.fired_ms - begin < 200);
}

static void a_timer_may_set_itself_again(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    a.again_ms = 20;
    ev_timer_set(ev, &a.t, 20);
    run_for(200);
    assert_true(a.n_fired >= 3 && a.n_fired <= 10);
    ev_timer_stop(ev, &a.t);
}

/* More than one round of the wheel away: its slot comes by 16 s too early. */
static void a_timer_of_an_hour_does_not_fire_after_a_moment(void **state)
{
    (void)state;
    struct alarm a, soon;
    alarm_init(&a);
    alarm_init(&soon);
    turn(0);
    ev_timer_set(ev, &a.t, 16384 * 200 + 40); /* the very slot of 40 ms from now */
    ev_timer_set(ev, &soon.t, 40);
    run_for(150);
    assert_int_equal(a.n_fired, 0);
    assert_int_equal(soon.n_fired, 1);
    ev_timer_stop(ev, &a.t);
}

static void waiting_ends_with_the_next_timer(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    turn(0);
    ev_timer_set(ev, &a.t, 50);
    int64_t begin = clock_mono_ms();
    turn(5000);
    if (!a.n_fired)
        turn(5000);
    assert_int_equal(a.n_fired, 1);
    assert_true(clock_mono_ms() - begin < 1000);
}

/* ---- put off, and the loop itself */

struct later {
    struct ev_later l;
    int n;
    bool again;
};

static void on_later(struct ev_later *l)
{
    struct later *s = CONTAINER_OF(l, struct later, l);
    s->n++;
    if (s->again)
        ev_defer(ev, l);
}

static void put_off_work_runs_once_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct later a = {.l = {.cb = on_later}}, b = {.l = {.cb = on_later}};
    ev_defer(ev, &a.l);
    ev_defer(ev, &b.l);
    ev_defer(ev, &a.l);
    assert_int_equal(a.n, 0);
    int64_t begin = clock_mono_ms();
    turn(5000); /* does not wait */
    assert_true(clock_mono_ms() - begin < 1000);
    turn(0);
    assert_int_equal(a.n, 1);
    assert_int_equal(b.n, 1);
}

static void work_that_puts_itself_off_runs_once_a_turn(void **state)
{
    (void)state;
    struct later a = {.l = {.cb = on_later}, .again = true};
    ev_defer(ev, &a.l);
    for (int i = 1; i <= 5; i++) {
        turn(100);
        assert_int_equal(a.n, i);
    }
    a.again = false;
    turn(0);
    turn(0);
    assert_int_equal(a.n, 6);
}

static void on_stop(struct ev_later *l)
{
    (void)l;
    ev_stop(ev);
}

static void a_loop_can_run_again_after_it_was_stopped(void **state)
{
    (void)state;
    struct ev_later l = {.cb = on_stop};
    for (int i = 0; i < 3; i++) {
        ev_defer(ev, &l);
        assert_int_equal(ev_run(ev), RC_OK);
        assert_false(l.queued); /* it did run */
    }
    ev_stop(ev); /* before the run: ends it at once */
    assert_int_equal(ev_run(ev), RC_OK);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(a_closed_descriptor_cannot_be_watched),
        LOOP_TEST(an_event_of_the_turn_does_not_find_what_was_removed),
        LOOP_TEST(removing_oneself_is_fine),
        LOOP_TEST(what_is_watched_can_be_changed),
        LOOP_TEST(the_other_ends_end_is_seen),
        LOOP_TEST(more_ready_descriptors_than_a_batch_are_all_served),
        LOOP_TEST(a_stopped_timer_never_fires),
        LOOP_TEST(a_timer_stopped_by_another_of_its_slot_does_not_fire),
        LOOP_TEST(timers_fire_once_and_not_early),
        LOOP_TEST(a_later_deadline_is_kept_and_an_earlier_one_too),
        LOOP_TEST(a_timer_may_set_itself_again),
        LOOP_TEST(a_timer_of_an_hour_does_not_fire_after_a_moment),
        LOOP_TEST(waiting_ends_with_the_next_timer),
        LOOP_TEST(put_off_work_runs_once_at_the_end_of_the_turn),
        LOOP_TEST(work_that_puts_itself_off_runs_once_a_turn),
        LOOP_TEST(a_loop_can_run_again_after_it_was_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
