/* Each role, inside its own sandbox, tries what a captured process would try: files, exec, ptrace, raw
 * sockets, another process's memory. A child is forked for every attempt; it reports with its exit status (0:
 * done, 1: refused) or dies of SIGSYS. Needs root, as perrond does. */
#include "gw/proc/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/sanitizer.h"
#include "gw/proc/sandbox_int.h"

enum outcome { DONE, REFUSED, KILLED, BROKEN };

static char scratch[64]; /* directory that the logger may write to / that is hidden from the compiler */
static int scratch_fd = -1;

static const enum role all[] = {ROLE_SIGNER, ROLE_WORKER,   ROLE_LOGGER,  ROLE_OPENER,
                                ROLE_KEEPER, ROLE_COMPILER, ROLE_GRANTER, ROLE_FETCHER};

/* Runs `attempt` (true: it worked) as that role. */
static enum outcome as_role(enum role r, bool (*attempt)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool dir = r == ROLE_LOGGER || r == ROLE_COMPILER || r == ROLE_GRANTER;
        log_setup(role_name(r), LOG_ERROR);
        signal(SIGSYS, SIG_DFL); /* the test library catches it */
        if (sandbox_drop(r, 1) != RC_OK ||
            sandbox_close(r, (int[SANDBOX_DIRS]){dir ? scratch_fd : -1, -1, -1}) != RC_OK)
            _exit(2);
        _exit(attempt() ? 0 : 1);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : BROKEN;
    return WEXITSTATUS(status) == 0 ? DONE : WEXITSTATUS(status) == 1 ? REFUSED : BROKEN;
}

static void nobody_may(bool (*attempt)(void), const char *what)
{
    for (size_t i = 0; i < N_ELEMS(all); i++) {
        enum outcome o = as_role(all[i], attempt);
        if (o != REFUSED && o != KILLED)
            fail_msg("%s: %s", role_name(all[i]), what);
    }
}

static bool opens(const char *path, int flags)
{
    return openat(AT_FDCWD, path, flags | O_CLOEXEC, 0600) >= 0;
}
static bool reads_passwd(void)
{
    return opens("/etc/passwd", O_RDONLY);
}
static bool reads_shadow(void)
{
    return opens("/etc/shadow", O_RDONLY);
}
static bool writes_tmp(void)
{
    return opens("/tmp/perron-sandbox-test", O_WRONLY | O_CREAT);
}
static bool executes(void)
{
    char *argv[] = {(char *)"true", NULL};
    execv("/bin/true", argv);
    return false;
}
static bool forks(void)
{
    return syscall(SYS_fork) >= 0;
}
static bool traces(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}
static bool reads_parents_memory(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
    return opens(path, O_RDONLY);
}
static bool reads_by_process_vm(void)
{
    char c;
    struct iovec here = {&c, 1}, there = {scratch, 1};
    return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}
static bool raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_TCP) >= 0;
}
static bool packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}
static bool ping_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) >= 0;
}
static bool unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}
static bool tcp_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static bool executable_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool kills_parent(void)
{
    return kill(getppid(), 0) == 0;
}
static bool becomes_root(void)
{
    return setuid(0) == 0;
}
static bool mounts(void)
{
    return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL) == 0;
}

static void nobody_executes_forks_or_traces(void **state)
{
    (void)state;
    nobody_may(executes, "executed a program");
    nobody_may(forks, "forked");
    nobody_may(traces, "traced another process");
    nobody_may(kills_parent, "signalled another process");
    nobody_may(mounts, "mounted");
}

static void nobody_reads_another_process_or_becomes_root(void **state)
{
    (void)state;
    nobody_may(reads_parents_memory, "opened /proc/PID/mem");
    nobody_may(reads_by_process_vm, "read another process's memory");
    nobody_may(becomes_root, "became root");
}

static void nobody_opens_raw_packet_ping_or_unix_sockets(void **state)
{
    (void)state;
    nobody_may(raw_socket, "opened a raw socket");
    nobody_may(packet_socket, "opened a packet socket");
    nobody_may(ping_socket, "opened a ping socket");
    nobody_may(unix_socket, "opened a Unix socket");
}

static void nobody_writes_outside_its_directory(void **state)
{
    (void)state;
    nobody_may(writes_tmp, "wrote into /tmp");
    assert_int_equal(access("/tmp/perron-sandbox-test", F_OK), -1);
}

static void no_memory_becomes_executable(void **state)
{
    (void)state;
    nobody_may(executable_memory, "made memory executable");
}

static void only_the_compiler_and_keeper_read_files(void **state)
{
    (void)state;
    assert_int_equal(as_role(ROLE_SIGNER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_WORKER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_OPENER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_LOGGER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_GRANTER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_FETCHER, reads_passwd), REFUSED);
    assert_int_equal(as_role(ROLE_KEEPER, reads_shadow), REFUSED);
    assert_int_equal(as_role(ROLE_COMPILER, reads_passwd), DONE);
    assert_int_equal(as_role(ROLE_KEEPER, reads_passwd), DONE);
}

static void only_worker_opener_and_fetcher_have_tcp(void **state)
{
    (void)state;
    assert_int_equal(as_role(ROLE_WORKER, tcp_socket), DONE);
    assert_int_equal(as_role(ROLE_OPENER, tcp_socket), DONE);
    assert_int_equal(as_role(ROLE_FETCHER, tcp_socket), DONE);
    assert_int_equal(as_role(ROLE_SIGNER, tcp_socket), KILLED);
    assert_int_equal(as_role(ROLE_LOGGER, tcp_socket), KILLED);
    assert_int_equal(as_role(ROLE_GRANTER, tcp_socket), KILLED);
    assert_int_equal(as_role(ROLE_KEEPER, tcp_socket), KILLED);
    assert_int_equal(as_role(ROLE_COMPILER, tcp_socket), REFUSED);
}

static bool writes_its_directory(void)
{
    int fd = openat(scratch_fd, "eve.json", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd >= 0 && write(fd, "{}\n", 3) == 3 && fdatasync(fd) == 0 &&
           renameat(scratch_fd, "eve.json", scratch_fd, "eve.json.1") == 0 &&
           unlinkat(scratch_fd, "eve.json.1", 0) == 0;
}
static bool leaves_its_directory(void)
{
    return openat(scratch_fd, "../passwd", O_RDONLY) >= 0 ||
           openat(scratch_fd, "../../etc/passwd", O_RDONLY) >= 0;
}

static void the_logger_writes_rotates_and_stays_in_its_directory(void **state)
{
    (void)state;
    assert_int_equal(chown(scratch, sandbox_uid(ROLE_LOGGER, 0), (gid_t)-1), 0);
    assert_int_equal(as_role(ROLE_LOGGER, writes_its_directory), DONE);
    assert_int_equal(as_role(ROLE_LOGGER, leaves_its_directory), REFUSED);
    assert_int_not_equal(as_role(ROLE_WORKER, writes_its_directory), DONE);
}

static bool reads_hidden(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/issuing.key", scratch);
    return opens(path, O_RDONLY);
}
static bool reads_beside_hidden(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s-policy", scratch);
    return opens(path, O_RDONLY);
}
static bool reads_relative_of_hidden(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s.next", scratch);
    return opens(path, O_RDONLY);
}

static void the_compiler_reads_what_root_reads_but_not_the_ca(void **state)
{
    (void)state;
    char key[128], policy[128], next[128];
    snprintf(key, sizeof key, "%s/issuing.key", scratch);
    snprintf(policy, sizeof policy, "%s-policy", scratch);
    snprintf(next, sizeof next, "%s.next", scratch);
    close(open(key, O_WRONLY | O_CREAT, 0400));
    close(open(policy, O_WRONLY | O_CREAT, 0600));
    close(open(next, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(as_role(ROLE_COMPILER, reads_hidden), REFUSED);
    assert_int_equal(as_role(ROLE_COMPILER, reads_beside_hidden), DONE);
    assert_int_equal(as_role(ROLE_COMPILER, reads_relative_of_hidden), REFUSED); /* ca.next, ca.old */
    assert_int_equal(as_role(ROLE_COMPILER, reads_shadow),
                     DONE); /* root's files, which its capability opens */
    unlink(key);
    unlink(policy);
    unlink(next);
}

/* ---- the signer whose key is in a token: threats.md row 130 */

static enum outcome with_token(bool (*attempt)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        log_setup("signer", LOG_ERROR);
        signal(SIGSYS, SIG_DFL);
        if (sandbox_drop(ROLE_SIGNER, 0) != RC_OK ||
            sandbox_close(ROLE_SIGNER, (int[SANDBOX_DIRS]){scratch_fd, -1, -1}) != RC_OK)
            _exit(2);
        _exit(attempt() ? 0 : 1);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : BROKEN;
    return WEXITSTATUS(status) == 0 ? DONE : WEXITSTATUS(status) == 1 ? REFUSED : BROKEN;
}

static bool makes_a_file_in_the_token(void)
{
    return openat(scratch_fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}
static bool removes_from_the_token(void)
{
    return unlinkat(scratch_fd, "issuing.key", 0) == 0;
}
static bool locks_and_reads_the_token(void)
{
    char path[128];
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s/issuing.key", scratch);
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0;
}
static void a_token_opens_its_folder_and_nothing_else(void **state)
{
    (void)state;
    char key[128];
    snprintf(key, sizeof key, "%s/issuing.key", scratch);
    int fd = open(key, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(fchown(fd, sandbox_uid(ROLE_SIGNER, 0), (gid_t)-1), 0);
    close(fd);
    assert_int_equal(chown(scratch, sandbox_uid(ROLE_SIGNER, 0), (gid_t)-1), 0);
    assert_int_equal(with_token(locks_and_reads_the_token), DONE);
    assert_int_not_equal(as_role(ROLE_SIGNER, locks_and_reads_the_token), DONE); /* without one */
    if (!SANITIZED) {
        assert_int_equal(with_token(reads_passwd), REFUSED);
        assert_int_equal(with_token(makes_a_file_in_the_token), REFUSED);
        assert_int_equal(with_token(writes_tmp), REFUSED);
        assert_int_equal(with_token(removes_from_the_token), KILLED);
        assert_int_equal(with_token(unix_socket), REFUSED);
        assert_int_equal(with_token(tcp_socket), REFUSED);
        assert_int_equal(with_token(forks), KILLED);
        assert_int_equal(with_token(executes), KILLED);
    }
    unlink(key);
}

/* bind() may be refused by Landlock alone: a worker never opens a port of its own. */
static bool binds_a_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
}
static bool binds_transparently(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0 &&
           bind(fd, (struct sockaddr *)&client, sizeof client) == 0;
}

static void only_the_opener_binds(void **state)
{
    (void)state;
    assert_int_equal(as_role(ROLE_WORKER, binds_a_port), KILLED);
    assert_int_equal(as_role(ROLE_WORKER, binds_transparently), REFUSED);
    assert_int_equal(as_role(ROLE_OPENER, binds_transparently), DONE);
}

/* Facts that the kernel shows. */
static bool is_bare(void)
{
    struct rlimit core;
    uid_t r, e, s;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 && getresuid(&r, &e, &s) == 0 && r == e &&
           e == s && r >= SANDBOX_UID_BASE;
}

static enum outcome dropped_only(enum role r, bool (*attempt)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_drop(r, 1) == RC_OK && attempt() ? 0 : 1);
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DONE : REFUSED;
}

static void every_role_has_its_own_uid_no_core_and_no_new_privileges(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(all); i++) {
        assert_int_equal(dropped_only(all[i], is_bare), DONE);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(sandbox_uid(all[i], 0), sandbox_uid(all[j], 0));
    }
    assert_int_not_equal(sandbox_uid(ROLE_WORKER, 0), sandbox_uid(ROLE_WORKER, 1));
}

/* Without the system call filter the uid and the missing capabilities must hold by themselves. */
static void uid_and_capabilities_hold_alone(void **state)
{
    (void)state;
    static const enum role bare[] = {ROLE_SIGNER, ROLE_WORKER, ROLE_LOGGER};
    for (size_t i = 0; i < N_ELEMS(bare); i++) {
        assert_int_equal(dropped_only(bare[i], reads_shadow), REFUSED);
        assert_int_equal(dropped_only(bare[i], raw_socket), REFUSED);
        assert_int_equal(dropped_only(bare[i], traces), REFUSED);
        assert_int_equal(dropped_only(bare[i], reads_parents_memory), REFUSED);
        assert_int_equal(dropped_only(bare[i], becomes_root), REFUSED);
    }
    assert_int_equal(dropped_only(ROLE_KEEPER, reads_shadow), REFUSED);
    assert_int_equal(dropped_only(ROLE_OPENER, reads_shadow), REFUSED);
}

/* Landlock by itself, as root with every capability: a hole in the system call filter opens no file. */
static enum outcome behind_paths(enum paths paths, enum tcp tcp, bool (*attempt)(void))
{
    int status;
    const struct power p = {.paths = paths, .tcp = tcp};
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(sandbox_paths(&p, (int[SANDBOX_DIRS]){paths == PATHS_WRITE_GIVEN ? scratch_fd : -1, -1, -1}) ==
                          RC_OK &&
                      attempt()
                  ? 0
                  : 1);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? DONE : REFUSED;
}

/* Nobody listens there: refused by the other end is "it may", refused by the kernel's rule is not. */
static bool may_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 || errno != EACCES;
}

static void landlock_holds_alone(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 4)
        skip(); /* rules for TCP came with version 4 */
    assert_int_equal(behind_paths(PATHS_NONE, TCP_CONNECT, reads_passwd), REFUSED);
    assert_int_equal(behind_paths(PATHS_NONE, TCP_CONNECT, executes), REFUSED);
    assert_int_equal(behind_paths(PATHS_WRITE_GIVEN, TCP_NONE, reads_passwd), REFUSED);
    assert_int_equal(behind_paths(PATHS_WRITE_GIVEN, TCP_NONE, writes_its_directory), DONE);
    assert_int_equal(behind_paths(PATHS_READ_BUT_ONE, TCP_NONE, reads_passwd), DONE);
    assert_int_equal(behind_paths(PATHS_READ_BUT_ONE, TCP_NONE, writes_tmp), REFUSED);
    assert_int_equal(behind_paths(PATHS_READ_ETC, TCP_NONE, reads_passwd), DONE);
    assert_int_equal(behind_paths(PATHS_NONE, TCP_CONNECT, may_connect), DONE);
    assert_int_equal(behind_paths(PATHS_NONE, TCP_CONNECT, binds_a_port), REFUSED);
    assert_int_equal(behind_paths(PATHS_NONE, TCP_BIND, may_connect), REFUSED);
    assert_int_equal(behind_paths(PATHS_NONE, TCP_NONE, may_connect), REFUSED);
}

/* The list of a process that parses strangers' bytes stays short (threats.md row 137). */
static void the_workers_list_is_short(void **state)
{
    (void)state;
    enum { ROLE_LETTERS_WORKER = 1, OTHERS = 0 };
    enum {
        S = OTHERS,
        W = ROLE_LETTERS_WORKER,
        L = OTHERS,
        O = OTHERS,
        K = OTHERS,
        C = OTHERS,
        G = OTHERS,
        F = OTHERS,
        T = OTHERS,
        ALL = W
    };
    static const unsigned worker[] = {
#define CALL(name, roles, why) (roles),
#include "gw/proc/call.tbl"
#undef CALL
    };
    unsigned n = 0;
    for (size_t i = 0; i < N_ELEMS(worker); i++)
        n += worker[i];
    assert_true(n >= 30 && n <= 40);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/perron-sandbox-%d", (int)getpid());
    if (geteuid() != 0 || mkdir(scratch, 0755) < 0)
        return -1;
    scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return scratch_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(scratch_fd);
    return rmdir(scratch);
}

static void skipped_here(void **state)
{
    (void)state;
    fprintf(stderr, "skipped: the sandbox can only be tried by root, and not under a sanitizer, which needs "
                    "holes in it\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest not_here[] = {cmocka_unit_test(skipped_here)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_executes_forks_or_traces),
        cmocka_unit_test(nobody_reads_another_process_or_becomes_root),
        cmocka_unit_test(nobody_opens_raw_packet_ping_or_unix_sockets),
        cmocka_unit_test(nobody_writes_outside_its_directory),
        cmocka_unit_test(no_memory_becomes_executable),
        cmocka_unit_test(only_the_compiler_and_keeper_read_files),
        cmocka_unit_test(only_worker_opener_and_fetcher_have_tcp),
        cmocka_unit_test(a_token_opens_its_folder_and_nothing_else),
        cmocka_unit_test(only_the_opener_binds),
        cmocka_unit_test(the_logger_writes_rotates_and_stays_in_its_directory),
        cmocka_unit_test(the_compiler_reads_what_root_reads_but_not_the_ca),
        cmocka_unit_test(every_role_has_its_own_uid_no_core_and_no_new_privileges),
        cmocka_unit_test(uid_and_capabilities_hold_alone),
        cmocka_unit_test(landlock_holds_alone),
        cmocka_unit_test(the_workers_list_is_short),
    };
    if (geteuid() != 0 || SANITIZED)
        return cmocka_run_group_tests(not_here, NULL, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
