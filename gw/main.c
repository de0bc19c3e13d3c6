/* perrond: options, then either the master, one of its children (--role, only ever used by the master
 * itself), or the check of a policy file. Everything the process may later need on descriptors 0 to 2 is
 * settled here first. */
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/proc/master.h"
#include "gw/proc/progress.h"
#include "gw/proc/role.h"
#include "gw/proc/sandbox.h"
#include "policy/compile.h"

#define STATE_DIR "/var/lib/perron"

static const char usage[] = "usage: perrond -f FILE [-d DIR] [-n] [options]\n"
                            "  -f, --file FILE     settings and policy\n"
                            "  -d, --dir DIR       state directory (default " STATE_DIR ")\n"
                            "  -n, --check         only check the file\n"
                            "      --log-dir DIR   where eve.json is written (default DIR/log)\n"
                            "      --node N        number of this gateway, 0 to 31: first character of its "
                            "decision codes (default 0)\n"
                            "      --clock TIME    start the wall clock at this moment, such as "
                            "2026-11-24T10:00:00Z (for demonstrations)\n"
                            "  -v, --verbose       say more on standard error\n"
                            "  -h, --help          this text\n";

struct options {
    struct master_opts master;
    bool check;
    const char *role;
};

static const struct option long_options[] = {
    {"file", required_argument, NULL, 'f'},  {"dir", required_argument, NULL, 'd'},
    {"check", no_argument, NULL, 'n'},       {"log-dir", required_argument, NULL, 'L'},
    {"node", required_argument, NULL, 'N'},  {"clock", required_argument, NULL, 'C'},
    {"verbose", no_argument, NULL, 'v'},     {"help", no_argument, NULL, 'h'},
    {"role", required_argument, NULL, 'R'},  {"index", required_argument, NULL, 'I'},
    {"sandbox-log", no_argument, NULL, 'S'}, {NULL, 0, NULL, 0},
};

static bool has_interface(const char *name)
{
    return if_nametoindex(name) != 0;
}

static _Noreturn void bad_usage(const char *what, const char *arg)
{
    fprintf(stderr, "perrond: %s%s%s; perrond --help lists the options\n", what, *arg ? " " : "", arg);
    exit(1);
}

static int64_t clock_offset_to(const char *text)
{
    int64_t wall_s;
    if (clock_parse(span_str(text), &wall_s) != RC_OK)
        bad_usage("--clock wants a moment such as 2026-11-24T10:00:00Z, not", text);
    return wall_s * 1000000 - clock_wall_us();
}

static uint32_t node_number(const char *text)
{
    uint64_t n;
    if (!span_to_u64(span_str(text), 31, &n))
        bad_usage("--node wants a number from 0 to 31, not", text);
    return (uint32_t)n;
}

static void take_option(struct options *o, int c, char **argv)
{
    switch (c) {
    case 'f': o->master.policy = optarg; return;
    case 'd': o->master.state = optarg; return;
    case 'n': o->check = true; return;
    case 'L': o->master.log_dir = optarg; return;
    case 'N': o->master.node = node_number(optarg); return;
    case 'C': o->master.clock_offset_us = clock_offset_to(optarg); return;
    case 'v': o->master.log_level = LOG_DEBUG; return;
    case 'R': o->role = optarg; return;
    case 'I': return; /* for `ps`; the number itself comes with the configuration */
    case 'S': sandbox_log_only(); return;
    case 'h': fputs(usage, stdout); exit(0);
    case ':': bad_usage("a value is missing after", argv[optind - 1]);
    default: bad_usage("unknown option", argv[optind - 1]);
    }
}

static void read_options(struct options *o, int argc, char **argv)
{
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":f:d:nvh", long_options, NULL)) != -1)
        take_option(o, c, argv);
    if (optind < argc)
        bad_usage("unexpected", argv[optind]);
    if (!o->role && !o->master.policy)
        bad_usage("no policy file; -f FILE names one", "");
}

static int run_role(const char *name)
{
    static const struct role_ops *const roles[] = {&worker_ops, &signer_ops,   &logger_ops,  &opener_ops,
                                                   &keeper_ops, &compiler_ops, &granter_ops, &fetcher_ops};
    for (size_t i = 0; i < N_ELEMS(roles); i++) {
        if (roles[i]->role == role_find(name))
            return role_run(roles[i]);
    }
    bad_usage("--role is for perrond's own children", "");
}

static int check(const char *path)
{
    const struct compile_opts opts = {.check_only = true,
                                      .time_s = clock_wall_s(),
                                      .has_interface = has_interface,
                                      .progress = progress_shown()};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    struct buf diag = {0};
    enum rc rc = policy_compile(path, &opts, fds, hash, &diag);
    progress_over();
    if (buf_len(&diag))
        fprintf(stderr, "%.*s", (int)buf_len(&diag), (const char *)buf_span(&diag).p);
    else if (rc != RC_OK)
        fprintf(stderr, "perrond: %s: %s\n", path, rc_text(rc));
    buf_fini(&diag);
    return rc == RC_OK ? 0 : 1;
}

/* A program started with one of these closed would take its first socket for standard error. */
static void settle_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    struct options o = {.master = {.state = STATE_DIR, .log_level = LOG_INFO}};
    settle_descriptors();
    read_options(&o, argc, argv);
    if (o.role)
        return run_role(o.role);
    clock_set_offset(o.master.clock_offset_us);
    return o.check ? check(o.master.policy) : master_run(&o.master);
}
