/* Start, run and orderly end of the gateway; see master.h. The start goes forward only when everything before
 * it is whole: options, state directory, CA, policy, sockets, children, and last of all the rules that bring
 * traffic here. The end goes the same way back, so that no packet is led to a process that is not there. */
#include "gw/proc/master.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/panic.h"
#include "gw/proc/broken_file.h"
#include "gw/proc/control.h"
#include "gw/proc/master_int.h"
#include "gw/proc/sandbox.h"
#include "policy/part.h"

enum { HOUR_MS = 3600000 };

static struct master master; /* one per process */

static void print(span text)
{
    if (text.n)
        fprintf(stderr, "%.*s", (int)text.n, (const char *)text.p);
}

/* ---- stopping ---- */

static enum phase phase_of(const struct child *c)
{
    switch (c->role) {
    case ROLE_WORKER: return PHASE_STOP_WORKERS;
    case ROLE_LOGGER: return PHASE_STOP_LOGGER;
    case ROLE_KEEPER: return PHASE_STOP_KEEPER;
    default: return PHASE_STOP_HELPERS;
    }
}

static bool phase_done(struct master *m)
{
    struct child *c;
    for (size_t it = 0; (c = children_next(m, &it));) {
        if (phase_of(c) == m->phase && c->state != CHILD_DOWN)
            return false;
    }
    return true;
}

static void enter(struct master *m, enum phase phase, uint32_t grace_ms)
{
    struct child *c;
    m->phase = phase;
    for (size_t it = 0; (c = children_next(m, &it));) {
        if (phase_of(c) == phase)
            child_stop(c, grace_ms);
    }
    ev_timer_set(m->ev, &m->phase_end, (int64_t)grace_ms + 2 * LIM_STOP_OVERDUE_MS);
}

static void next_phases(struct master *m)
{
    while (m->phase >= PHASE_STOP_WORKERS && m->phase < PHASE_OVER && phase_done(m)) {
        if (m->phase == PHASE_STOP_WORKERS)
            gate_close(m);
        enter(m, m->phase + 1, 0);
    }
    if (m->phase == PHASE_OVER)
        ev_stop(m->ev);
}

static void kill_phase(struct master *m)
{
    struct child *c;
    for (size_t it = 0; (c = children_next(m, &it));) {
        if (phase_of(c) == m->phase)
            child_kill(c);
    }
}

static void on_phase_end(struct ev_timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, phase_end);
    kill_phase(m);
    ev_timer_set(m->ev, t, LIM_STOP_OVERDUE_MS);
}

void master_stop(struct master *m, uint32_t grace_ms)
{
    struct child *c;
    if (m->phase >= PHASE_STOP_WORKERS) {
        if (m->phase == PHASE_STOP_WORKERS)
            kill_phase(m); /* asked twice: no grace */
        return;
    }
    for (size_t it = 0; (c = children_next(m, &it));)
        c->wanted = false;  /* nobody is replaced any more */
    doors_close(&m->doors); /* or the kernel would go on queueing clients for nobody */
    enter(m, PHASE_STOP_WORKERS, grace_ms);
    next_phases(m);
}

void master_fail(struct master *m)
{
    if (m->phase < PHASE_STOP_WORKERS)
        m->exit_code = 1;
    master_stop(m, 0);
}

/* ---- starting ---- */

static uint32_t workers_wanted(const struct settings *s)
{
    cpu_set_t set;
    uint32_t n = s->workers;
    if (n == 0)
        n = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    return n > LIM_WORKERS ? LIM_WORKERS : n ? n : 1;
}

static bool source_kept(const struct snapshot *s)
{
    for (uint16_t z = 0; z < snapshot_settings(s)->n_zones; z++) {
        if (snapshot_zone(s, z)->source_keep)
            return true;
    }
    return false;
}

/* The signer comes first and alone: a key that it refuses is the one thing that is said, and nobody else was
 * there. */
static void start_signer(struct master *m)
{
    m->single[ROLE_SIGNER].wanted = true;
    child_start(&m->single[ROLE_SIGNER]);
}

static void start_others(struct master *m)
{
    struct child *c;
    m->single[ROLE_LOGGER].wanted = m->single[ROLE_KEEPER].wanted = true;
    m->single[ROLE_FETCHER].wanted = true;
    m->single[ROLE_OPENER].wanted = source_kept(m->policy.snap);
    for (uint32_t w = 0; w < m->n_workers; w++)
        m->worker[w].wanted = true;
    for (size_t it = 0; (c = children_next(m, &it)) && m->phase == PHASE_STARTING;) {
        if (c->wanted && c->state == CHILD_DOWN)
            child_start(c);
    }
}

static void open_gate(struct master *m)
{
    struct buf err = {0};
    enum rc rc = gate_open(m, m->policy.snap, &err);
    print(buf_span(&err));
    buf_fini(&err);
    if (rc != RC_OK) {
        master_fail(m);
    } else {
        m->phase = PHASE_RUNNING;
        reload_write_start(m);
        grants_alarm(m);
        log_info("ready: %u workers, policy %s, state in %s", (unsigned)m->n_workers,
                 snapshot_short(m->policy.snap), m->o->state);
    }
}

void master_opener(struct master *m)
{
    struct child *opener = &m->single[ROLE_OPENER];
    if (opener->wanted || !source_kept(m->policy.snap))
        return; /* once there it stays: open flows of an older policy may need it */
    opener->wanted = true;
    if (opener->state == CHILD_DOWN)
        child_start(opener);
}

void master_step(struct master *m)
{
    if (m->phase == PHASE_STARTING && m->n_workers && children_all_ready(m)) {
        if (m->single[ROLE_LOGGER].wanted)
            open_gate(m);
        else
            start_others(m);
    }
    next_phases(m);
}

static void on_policy(struct master *m, uint64_t token, enum rc rc, span diag)
{
    struct buf err = {0};
    (void)token;
    print(diag);
    if (m->phase != PHASE_STARTING)
        return;
    if (rc == RC_OK) {
        const struct settings *s = snapshot_settings(m->policy.snap);
        uint32_t n = workers_wanted(s);
        rc = feed_open_policy(m, s, n, &err);
        print(buf_span(&err));
        buf_fini(&err);
    }
    if (rc != RC_OK) {
        master_fail(m);
        return;
    }
    start_signer(m);
}

/* ---- signals and timers ---- */

static void on_hup(struct master *m, uint64_t token, enum rc rc, span diag)
{
    (void)m;
    (void)token;
    (void)rc;
    print(diag);
}

static void on_signal(struct ev_io *io, uint32_t events)
{
    struct master *m = CONTAINER_OF(io, struct master, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(io->fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            children_reap(m);
        else if (info.ssi_signo != SIGHUP)
            master_stop(m, m->phase == PHASE_RUNNING ? LIM_DRAIN_MS : 0);
        else if (m->phase != PHASE_RUNNING || reload_begin(m, m->o->policy, 0, on_hup, 0) != RC_OK)
            log_warn("not now: another load of the policy is under way");
    }
}

static void on_heartbeat(struct ev_timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, heartbeat);
    children_beat(m);
    ev_timer_set(m->ev, t, LIM_HEARTBEAT_MS);
}

static void on_hourly(struct ev_timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, hourly);
    feed_hourly(m);
    if (m->policy.snap) {
        kept_touch(&m->kept, snapshot_hash(m->policy.snap));
        unsigned gone = kept_forget(&m->kept, m->journal_fd, clock_wall_s());
        if (gone)
            log_info("%u kept files of policies out of force for %d days were removed", gone,
                     (int)LIM_SNAPSHOT_KEPT_DAYS);
    }
    ev_timer_set(m->ev, t, HOUR_MS);
}

static void write_counts(struct master *m)
{
    m->counts_written_ms = ev_now_ms(m->ev);
    enum rc rc = counts_write(&m->counts);
    if (rc != RC_OK)
        log_error("alarm: the counters of rules cannot be written: %s, errno %d", rc_text(rc), errno);
}

static void write_broken(struct master *m)
{
    uint64_t now = m->broken ? broken_changes(m->broken) : 0;
    if (now == m->broken_written)
        return;
    enum rc rc = broken_file_write(m->state.dir, m->broken, clock_wall_s());
    int err = rc == RC_OK ? 0 : errno;
    if (rc == RC_OK)
        m->broken_written = now;
    else if (err != m->broken_errno)
        log_error("alarm: the exemptions of `on broken` cannot be written: %s, errno %d", rc_text(rc), err);
    m->broken_errno = err;
}

static void on_counting(struct ev_timer *t)
{
    struct master *m = CONTAINER_OF(t, struct master, counting);
    for (uint32_t w = 0; w < m->n_workers; w++) {
        if (counts_turn(&m->counts, w))
            feed_hits(&m->worker[w]);
    }
    if (m->phase == PHASE_RUNNING && grants_ended(m)) {
        log_warn("an exemption has ended: its zone is intercepted again");
        reload_write_grant(m, &(struct grant_change){.message = "an exemption of a zone has ended",
                                                     .outcome = "exempt-ended",
                                                     .reason = SPAN("its time is over")});
    }
    if (m->policy.snap)
        force_keep_again(m);
    revocations_write(m, false);
    write_broken(m);
    if (ev_now_ms(m->ev) - m->counts_written_ms >= LIM_HITS_WRITE_MS)
        write_counts(m);
    ev_timer_set(m->ev, t, LIM_HITS_TURN_MS);
}

static enum rc watch_signals(struct master *m)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return RC_IO;
    m->signals = (struct ev_io){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .cb = on_signal};
    return m->signals.fd < 0 ? RC_IO : ev_watch(m->ev, &m->signals, EPOLLIN);
}

/* ---- the whole ---- */

/* Even root's own process leaves no core file and lets nobody of its children look into it. */
static void close_up(void)
{
    struct rlimit files, none = {0, 0};
    umask(0077);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Without grants people are stopped who should not be; without a policy everybody is. */
static void on_grants(struct master *m, uint64_t token, enum rc rc, span text)
{
    (void)token;
    if (m->phase != PHASE_STARTING)
        return;
    if (rc != RC_OK)
        log_error("alarm: no grant is in force: %.*s", (int)text.n, (const char *)text.p);
    if (reload_begin(m, m->o->policy, getuid(), on_policy, 0) != RC_OK)
        master_fail(m);
}

/* Counters are not worth a gateway that does not start. */
static enum rc open_counts(struct master *m)
{
    struct buf err = {0};
    enum rc rc = counts_open(&m->counts, m->state.dir, &err);
    if (rc == RC_CONFIG)
        log_error("alarm: %.*s", (int)buf_len(&err) - 1, (const char *)buf_span(&err).p);
    buf_fini(&err);
    return rc == RC_CONFIG ? RC_OK : rc;
}

/* Nor are exemptions of what breaks: it breaks a few times more. */
static enum rc open_broken(struct master *m)
{
    struct buf err = {0};
    TRY(broken_create(&m->broken_fd));
    TRY(broken_map(m->broken_fd, &m->broken));
    enum rc rc = broken_file_read(m->state.dir, m->broken, clock_wall_s(), &err);
    if (rc == RC_CONFIG)
        log_error("alarm: %.*s", (int)buf_len(&err) - 1, (const char *)buf_span(&err).p);
    else if (rc != RC_OK)
        log_error("alarm: the exemptions of `on broken` cannot be read: %s, errno %d", rc_text(rc), errno);
    m->broken_written = broken_changes(m->broken);
    buf_fini(&err);
    return RC_OK;
}

static enum rc prepare(struct master *m, struct buf *err)
{
    TRY(state_open(&m->state, m->o->state, err));
    TRY(kept_open(&m->kept, m->state.dir, err));
    TRY(open_counts(m));
    TRY(open_broken(m));
    TRY(part_seal("perron-grants", SPAN_NONE, &m->grants.fd));
    TRY(part_identify(m->grants.fd, &m->grants.id));
    TRY(feed_open(m, err));
    TRY(ev_new(&m->ev));
    m->started_ms = ev_now_ms(m->ev);
    TRY(watch_signals(m));
    TRY(control_open(m, err));
    ev_timer_init(&m->heartbeat, on_heartbeat);
    ev_timer_init(&m->hourly, on_hourly);
    ev_timer_init(&m->counting, on_counting);
    ev_timer_set(m->ev, &m->counting, LIM_HITS_TURN_MS);
    ev_timer_init(&m->phase_end, on_phase_end);
    ev_timer_set(m->ev, &m->heartbeat, LIM_HEARTBEAT_MS);
    on_hourly(&m->hourly);
    force_last(m);
    revocations_open(m);
    enum rc rc = RC_NOTFOUND;
    if (grants_are_there(m))
        rc = grants_ask(m, SPAN("{\"op\":\"build\"}"), &(struct question){.done = on_grants});
    if (rc != RC_NOTFOUND) /* a store that cannot be used is no reason not to start: it is an alarm */
        return rc;
    return reload_begin(m, m->o->policy, getuid(), on_policy, 0);
}

static void init(struct master *m, const struct master_opts *o)
{
    *m = (struct master){.o = o,
                         .trust_fd = -1,
                         .log_fd = -1,
                         .journal_fd = -1,
                         .seen_fd = -1,
                         .revoked_fd = -1,
                         .leaves = {.dir = -1, .fd = -1}};
    for (size_t i = 0; i <= LIM_WORKERS; i++)
        m->ring_fd[i] = m->ring_wake[i] = -1;
    policy_init(&m->policy);
    counts_init(&m->counts);
    m->broken_fd = -1;
    m->grants.fd = -1;
    m->kept = (struct kept){-1, -1, -1};
    m->state.dir = m->state.lock = -1;
    m->config.clock_offset_us = o->clock_offset_us;
    m->config.node = o->node;
    m->config.log_level = (uint8_t)o->log_level;
    children_init(m);
}

int master_run(const struct master_opts *o)
{
    struct master *m = &master;
    struct buf err = {0};
    log_setup("master", o->log_level);
    panic_catch_signals();
    close_up();
    if (geteuid() != 0) {
        fprintf(stderr,
                "perrond must be started by root: it binds sockets and gives every child its own user\n");
        return 1;
    }
    init(m, o);
    if (sandbox_logs_only())
        log_warn("--sandbox-log: no system call is refused; never run a gateway so");
    enum rc rc = prepare(m, &err);
    print(buf_span(&err));
    if (rc != RC_OK && buf_len(&err) == 0)
        fprintf(stderr, "perrond: %s\n", rc_text(rc));
    buf_fini(&err);
    if (rc == RC_OK)
        rc = ev_run(m->ev);
    if (m->ev)
        write_counts(m);
    revocations_write(m, true);
    write_broken(m);
    broken_unmap(m->broken);
    counts_close(&m->counts);
    control_close(m->control);
    kept_close(&m->kept);
    state_close(&m->state);
    return rc == RC_OK ? m->exit_code : 1;
}
