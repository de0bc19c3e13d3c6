/* The life of a bench and of each turn in it. Everything lives in one temporary folder and in three nameless
 * networks; processes are ended by their ids. A turn starts its gateway anew, so that nothing (leaves,
 * sessions, memory) is carried from one run to the next. */
#include "bench/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bench/procs.h"
#include "bench/say.h"
#include "bench/spawn.h"
#include "bench/stop.h"
#include "gw/base/obj.h"

enum { GRACE_MS = 5000, READY_TRIES = 100, READY_PAUSE_MS = 100, WARM_CONNECTIONS = 50, SETTLE_MS = 200 };

struct tool {
    const char *name, *package;
};

void lab_path(const struct lab *lab, const char *file, char out[LAB_PATH])
{
    int n = snprintf(out, LAB_PATH, "%s/%s", lab->dir, file);
    gw_assert(n > 0 && n < LAB_PATH);
}

/* Every tool, or one line that says what to install. */
static enum rc check_tools(const struct knobs *k)
{
    static const struct tool TOOLS[] = {{"ip", "iproute2"},
                                        {"nft", "nftables"},
                                        {"nginx", "nginx-light"},
                                        {"dnsmasq", "dnsmasq-base"},
                                        {"haproxy", "haproxy"}};
    bool want_haproxy = !k->only || span_eq(span_str(k->only), SPAN("haproxy"));
    for (size_t i = 0; i < N_ELEMS(TOOLS); i++) {
        bool want = want_haproxy || !span_eq(span_str(TOOLS[i].name), SPAN("haproxy"));
        if (want && !spawn_has(TOOLS[i].name)) {
            say_error("%s is not installed: apt-get install %s", TOOLS[i].name, TOOLS[i].package);
            return RC_CONFIG;
        }
    }
    return RC_OK;
}

/* perrond and perronctl stand beside this program unless --perrond says otherwise. */
static void find_perron(struct lab *lab)
{
    char self[LAB_PATH - 16] = ".";
    const char *given = lab->knobs->perrond;
    ssize_t n = given ? snprintf(self, sizeof(self), "%s", given)
                      : readlink("/proc/self/exe", self, sizeof(self) - 1);
    n = n < 0 ? 0 : n >= (ssize_t)sizeof(self) ? (ssize_t)sizeof(self) - 1 : n;
    while (n > 0 && self[n] != '/')
        n--;
    if (n > 0)
        self[n] = '\0';
    else
        snprintf(self, sizeof(self), ".");
    snprintf(lab->perrond, sizeof(lab->perrond), "%s/perrond", self);
    snprintf(lab->perronctl, sizeof(lab->perronctl), "%s/perronctl", self);
    if (given)
        snprintf(lab->perrond, sizeof(lab->perrond), "%s", given);
}

/* The last CPU is the gateway's, the first one does all the rest. */
static enum rc choose_cpus(struct lab *lab)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 2) {
        say_error("a bench needs two processors: one for the gateway alone");
        return RC_CONFIG;
    }
    lab->gateway_cpu = (unsigned)n - 1;
    lab->load_cpu = 0;
    return RC_OK;
}

/* Two descriptors a connection in a worker of the gateway: as many as the machine allows. */
static enum rc raise_fds(const struct knobs *k)
{
    enum { OTHERS = 200 };
    struct rlimit lim = {0};
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    uint64_t fds = 2 * k->parallel / k->workers + OTHERS;
    if (fds > lim.rlim_max) {
        say_error("%llu connections at a time need %llu descriptors in each of %llu workers, this machine "
                  "allows %llu (ulimit -Hn): more --workers, or fewer connections",
                  (unsigned long long)k->parallel, (unsigned long long)fds, (unsigned long long)k->workers,
                  (unsigned long long)lim.rlim_max);
        return RC_CONFIG;
    }
    return RC_OK;
}

static enum rc make_dir(struct lab *lab)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(lab->dir, sizeof(lab->dir), "%s/perron-bench.XXXXXX", tmp && strlen(tmp) < 100 ? tmp : "/tmp");
    if (!mkdtemp(lab->dir)) {
        say_error("cannot make a folder %s", lab->dir);
        lab->dir[0] = '\0';
        return RC_IO;
    }
    lab_path(lab, "tools.log", lab->log);
    return chmod(lab->dir, 0755) == 0 ? RC_OK : RC_IO; /* a gateway may read it under another uid */
}

enum rc lab_up(struct lab *lab, const struct knobs *knobs)
{
    *lab = (struct lab){.knobs = knobs, .report = {.json = knobs->json}};
    lab->net = (struct net){.ns = {-1, -1, -1}, .home = -1};
    if (geteuid() != 0) {
        say_error("network namespaces need root: sudo perron-bench ...");
        return RC_CONFIG;
    }
    TRY(check_tools(knobs));
    TRY(choose_cpus(lab));
    TRY(raise_fds(knobs));
    find_perron(lab);
    if ((!knobs->only || span_eq(span_str(knobs->only), SPAN("perron"))) && !spawn_has(lab->perrond)) {
        say_error(
            "%s is not there: run `make`, give --perrond PATH, or measure HAProxy alone with --only haproxy",
            lab->perrond);
        return RC_CONFIG;
    }
    say_progress("building networks and origins");
    TRY(make_dir(lab));
    TRY(net_up(&lab->net, lab->log));
    return origin_start(lab);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* The end of what the tools said. */
static void show_log(const struct lab *lab)
{
    enum { TAIL = 4000 };
    char text[TAIL + 1];
    AUTO_CLOSE int fd = open(lab->log, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (size <= 0)
        return;
    ssize_t n = pread(fd, text, TAIL, size > TAIL ? size - TAIL : 0);
    if (n > 0)
        fprintf(stderr, "What the tools said:\n%.*s\n", (int)n, text);
}

void lab_down(struct lab *lab, bool failed)
{
    enum { OPEN_DIRS = 16 };
    say_progress_done();
    spawn_stop(lab->nginx, GRACE_MS);
    spawn_stop(lab->dnsmasq, GRACE_MS);
    net_down(&lab->net);
    if (lab->dir[0] == '\0')
        return;
    if (failed)
        show_log(lab);
    nftw(lab->dir, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
    lab->dir[0] = '\0';
}

struct load_plan turn_plan(const struct turn *t, const struct lab *lab)
{
    const struct knobs *k = lab->knobs;
    return (struct load_plan){.target = k->explicit ? NET_GATEWAY_LAN : NET_ORIGIN,
                              .port = k->explicit ? NET_EXPLICIT_PORT : 443,
                              .connect_first = k->explicit,
                              .ca_file = t->ca_file,
                              .names = k->names,
                              .resume = k->resume,
                              .connections = k->count,
                              .parallel = k->parallel,
                              .requests = 1,
                              .path = "/1k",
                              .body_len = LAB_SMALL_BYTES};
}

enum rc turn_load(struct turn *t, struct lab *lab, const struct load_plan *plan)
{
    load_free(&t->load);
    return load_start(&t->load, plan, &lab->net, lab->load_cpu);
}

/* A few connections to the one known name; true when all went well. */
static enum rc try_load(struct turn *t, struct lab *lab, uint64_t connections, bool *good)
{
    struct load_plan plan = turn_plan(t, lab);
    plan.names = 1;
    plan.connections = connections;
    plan.parallel = 1;
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_end(&t->load, t->what));
    *good = t->load.shared->ok == connections;
    return RC_OK;
}

/* Until it answers. A gateway that has died, or does not answer within 10 s, is an error. */
static enum rc wait_ready(struct turn *t, struct lab *lab)
{
    bool good = false;
    const struct knobs *k = lab->knobs;
    /* Where sessions are resumed, as many as will be wanted at once are there before anything is counted. */
    uint64_t warm = WARM_CONNECTIONS + (k->tickets || k->resume ? k->parallel : 0);
    for (int i = 0; i < READY_TRIES; i++) {
        TRY(try_load(t, lab, 1, &good));
        if (good)
            return try_load(t, lab, warm, &good);
        TRY(turn_alive(t));
        if (stop_sleep_ms(READY_PAUSE_MS))
            return RC_CLOSED;
    }
    say_error("%s does not answer: %s", t->gateway->name, t->load.shared->first_error);
    return RC_TIMEOUT;
}

enum rc turn_begin(struct turn *t, struct lab *lab, const struct gateway *gw, unsigned long run)
{
    *t = (struct turn){.gateway = gw, .pid = -1, .load.pid = -1};
    lab_path(lab, gw->ca_file, t->ca_file);
    snprintf(t->what, sizeof(t->what), "run %lu of %lu, %s", run + 1, (unsigned long)lab->knobs->runs,
             gw->name);
    say_progress("%s: starting", t->what);
    TRY(gw->start(lab, &t->pid));
    TRY(wait_ready(t, lab));
    return t->pid > 0 ? procs_pin(t->pid, lab->gateway_cpu) : RC_OK;
}

enum rc turn_end(struct turn *t, struct lab *lab)
{
    load_free(&t->load);
    spawn_stop(t->pid, GRACE_MS);
    t->pid = -1;
    return t->gateway->clean(lab);
}

enum rc turn_alive(struct turn *t)
{
    int status = 0;
    if (t->pid <= 0 || waitpid(t->pid, &status, WNOHANG) == 0)
        return RC_OK;
    t->pid = -1;
    say_error("%s: the gateway died (%s %d)", t->what, WIFSIGNALED(status) ? "signal" : "exit status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return RC_GONE;
}

enum rc turn_cpu_begin(struct turn *t)
{
    t->cpu_ns = 0;
    return t->pid > 0 ? procs_cpu_ns(t->pid, &t->cpu_ns) : RC_OK;
}

enum rc turn_cpu_end(struct turn *t)
{
    uint64_t before = t->cpu_ns, after = 0;
    if (stop_sleep_ms(SETTLE_MS)) /* the last connections are being closed */
        return RC_CLOSED;
    TRY(turn_alive(t));
    if (t->pid > 0)
        TRY(procs_cpu_ns(t->pid, &after));
    t->cpu_ns = after - before;
    return RC_OK;
}
