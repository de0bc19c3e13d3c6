/* The system call filter: call.tbl plus the calls whose arguments matter. Whatever is not allowed raises
 * SIGSYS: the panic handler names the call, then the process dies of it (a handler cannot get the call done).
 * Opening a file is refused instead of fatal where a library may try it (c-ares and OpenSSL look for files
 * and do without). The only conditional code is for the sanitizers, whose run-time needs more; such a build
 * is never installed. */
#include "gw/proc/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/sanitizer.h"

/* The letters of call.tbl. */
enum {
    S = 1 << ROLE_SIGNER,
    W = 1 << ROLE_WORKER,
    L = 1 << ROLE_LOGGER,
    O = 1 << ROLE_OPENER,
    K = 1 << ROLE_KEEPER,
    C = 1 << ROLE_COMPILER,
    G = 1 << ROLE_GRANTER,
    F = 1 << ROLE_FETCHER,
    ALL = S | W | L | O | K | C | G | F,
    T = 1 << ROLE_N, /* a signer whose key is in a token, beside S */
};
static const struct {
    const char *name;
    unsigned roles;
} calls[] = {
#define CALL(name, roles, why) {#name, roles},
#include "gw/proc/call.tbl"
#undef CALL
};

#ifdef SANITIZER
/* Shadow memory, symboliser, locks. The leak check at exit wants a second process and ptrace: it works only
 * with --sandbox-log. */
static const char *const more_calls[] = {
    "mmap",
    "mprotect",
    "sigaltstack",
    "sched_yield",
    "readlink",
    "open",
    "openat",
    "newfstatat",
    "dup",
    "getrlimit",
    "prlimit64",
    "clone",
    "set_robust_list",
    "nanosleep",
    "prctl",
    "clock_nanosleep",
    "rseq",
    "getppid",
    "pipe2",
    "exit",
    "fcntl",
};
#else
static const char *const more_calls[] = {"exit"};
#endif

static bool log_only;

bool sandbox_leaks_wanted(void)
{
    return SANITIZED && log_only;
}

#ifdef SANITIZER
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return !log_only;
}
#endif

void sandbox_log_only(void)
{
    log_only = true;
}

bool sandbox_logs_only(void)
{
    return log_only;
}

static int allow(scmp_filter_ctx f, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0); /* not on this processor */
}

static int allow_table(scmp_filter_ctx f, unsigned who)
{
    int bad = 0;
    for (size_t i = 0; i < N_ELEMS(calls); i++) {
        if (calls[i].roles & who)
            bad |= allow(f, calls[i].name);
    }
    for (size_t i = 0; i < N_ELEMS(more_calls); i++)
        bad |= allow(f, more_calls[i]);
    return bad;
}

/* Memory is never made executable: no code comes in from outside. */
static int allow_memory(scmp_filter_ctx f)
{
    int bad =
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return bad | seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* A PKCS#11 module reads and locks its files while it signs, or talks over a socket of this machine. */
static int allow_token(scmp_filter_ctx f, enum token token)
{
    static const int locks[] = {F_SETLK, F_SETLKW, F_GETLK};
    if (token == TOKEN_NONE)
        return 0;
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
    for (size_t i = 0; i < N_ELEMS(locks); i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)locks[i]));
    if (token == TOKEN_SOCKET)
        return bad | seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    /* Modules complain to syslog: refused, not fatal. */
    return bad | seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0);
}

/* SQLite locks its file and asks after it by name. */
static int allow_store(scmp_filter_ctx f)
{
    static const int locks[] = {F_SETLK, F_GETLK};
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
    for (size_t i = 0; i < N_ELEMS(locks); i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)locks[i]));
    return bad;
}

static int allow_own(scmp_filter_ctx f)
{
    static const int wanted[] = {F_GETFL,      F_SETFL,      F_GETFD,     F_SETFD,    F_DUPFD_CLOEXEC,
                                 F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS};
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    for (size_t i = 0; i < N_ELEMS(wanted); i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)wanted[i]));
    /* fstat() of the C library asks in this form. */
    return bad |
           seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
}

static int allow_socket(scmp_filter_ctx f, int domain, int type, int protocol)
{
    const scmp_datum_t type_bits = 0xf; /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain),
                            SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, (scmp_datum_t)type),
                            SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocol));
}

/* TCP for worker, opener and fetcher, UDP for look-ups, netlink for the keeper; never raw, never packet.
 */
static int allow_sockets(scmp_filter_ctx f, enum role r)
{
    static const int domains[] = {AF_INET, AF_INET6};
    int bad = 0;
    for (size_t i = 0; i < N_ELEMS(domains); i++) {
        if (r == ROLE_WORKER || r == ROLE_OPENER || r == ROLE_FETCHER) {
            bad |= allow_socket(f, domains[i], SOCK_STREAM, 0);
            bad |= allow_socket(f, domains[i], SOCK_STREAM, IPPROTO_TCP);
        }
        if (r == ROLE_WORKER || r == ROLE_FETCHER) {
            bad |= allow_socket(f, domains[i], SOCK_DGRAM, 0);
            bad |= allow_socket(f, domains[i], SOCK_DGRAM, IPPROTO_UDP);
        }
    }
    if (r == ROLE_KEEPER)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
    if (r == ROLE_COMPILER) /* if_nametoindex(): refused, not fatal */
        bad |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0);
    return bad;
}

static int refuse_files(scmp_filter_ctx f, enum role r)
{
#ifndef SANITIZER
    if (r == ROLE_SIGNER || r == ROLE_WORKER || r == ROLE_OPENER || r == ROLE_FETCHER) {
        return seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0) |
               seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 0) |
               seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(access), 0);
    }
#endif
    (void)f;
    (void)r;
    return 0;
}

enum rc sandbox_calls(enum role r, enum token token)
{
    scmp_filter_ctx f = seccomp_init(log_only ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
    if (!f)
        return RC_NOMEM;
    unsigned who = 1u << r | (token == TOKEN_NONE ? 0 : (unsigned)T);
    int bad =
        allow_table(f, who) | allow_memory(f) | allow_own(f) | allow_sockets(f, r) | allow_token(f, token);
    if (token == TOKEN_NONE)
        bad |= refuse_files(f, r);
    if (r == ROLE_COMPILER) /* `include` with a name and no pattern: glob() asks whether the file is there */
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
    if (r == ROLE_GRANTER)
        bad |= allow_store(f);
    bad |= seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: few steps for every call */
    int loaded = bad ? -EINVAL : seccomp_load(f);
    seccomp_release(f);
    if (loaded < 0) {
        log_error("sandbox: system call filter: errno %d", -loaded);
        return RC_DENIED;
    }
    return RC_OK;
}
