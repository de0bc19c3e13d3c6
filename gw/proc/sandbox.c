/* What each kind of process may do: the table below says it for uid, capabilities, limits and paths; call.tbl
 * says it for system calls. See sandbox.h. The order of the steps is the point here: limits and bounding set
 * while there is still the power to lower them, groups before user, capabilities last, and after that
 * no_new_privs, so that nothing that this process could execute (it cannot) would get any of it back. */
#include "gw/proc/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/sandbox_int.h"

enum { FILES_FEW = 1024, FILES_MANY = 4 * LIM_FLOWS_PER_WORKER };

#define CAP(name) (UINT64_C(1) << (name))

/* The compiler reads files that only root may read: the policy is often 0600, and a person starts the gateway
 * from a directory of his own. It has no way to write, no network, and Landlock hides the CA directory from
 * it. */
static const struct power powers[ROLE_N] = {
    /*                  uid    capabilities kept           descriptors  paths             TCP            */
    [ROLE_SIGNER] = {64801, 0, FILES_FEW, PATHS_NONE, TCP_NONE, true},
    [ROLE_LOGGER] = {64802, 0, FILES_FEW, PATHS_WRITE_GIVEN, TCP_NONE, false},
    [ROLE_COMPILER] = {64803, CAP(CAP_DAC_READ_SEARCH), FILES_FEW, PATHS_READ_BUT_ONE, TCP_NONE, true},
    [ROLE_OPENER] = {64804, CAP(CAP_NET_ADMIN), FILES_FEW, PATHS_NONE, TCP_BIND, true},
    [ROLE_KEEPER] = {64805, CAP(CAP_NET_ADMIN), FILES_FEW, PATHS_READ_ETC, TCP_NONE, false},
    [ROLE_GRANTER] = {64806, 0, FILES_FEW, PATHS_WRITE_GIVEN, TCP_NONE, true},
    [ROLE_FETCHER] = {64807, 0, FILES_FEW, PATHS_NONE, TCP_CONNECT, true},
    [ROLE_WORKER] = {SANDBOX_UID_WORKER, 0, FILES_MANY, PATHS_NONE, TCP_CONNECT, true},
};

uid_t sandbox_uid(enum role r, uint32_t index)
{
    gw_assert((unsigned)r < ROLE_N && index <= LIM_WORKERS);
    return powers[r].uid + (r == ROLE_WORKER ? index : 0);
}

static enum rc failed(const char *what)
{
    log_error("sandbox: %s: errno %d", what, errno);
    return RC_DENIED;
}

static enum rc set_limit(int which, rlim_t want)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)which, &now) < 0)
        return failed("getrlimit");
    if (now.rlim_max != RLIM_INFINITY && want > now.rlim_max)
        want = now.rlim_max; /* only the system's administrator can give more */
    struct rlimit set = {want, want};
    return setrlimit((__rlimit_resource_t)which, &set) < 0 ? failed("setrlimit") : RC_OK;
}

static enum rc set_limits(const struct power *p)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    /* The CA key must not reach swap: the signer locks all it has. Where that is refused it says so and locks
     * the key alone. */
    if (p == &powers[ROLE_SIGNER] && setrlimit(RLIMIT_MEMLOCK, &all) < 0)
        log_info("sandbox: memory cannot be locked without limit: errno %d", errno);
    TRY(set_limit(RLIMIT_CORE, 0));
    if (!sandbox_leaks_wanted())
        TRY(set_limit(RLIMIT_NPROC, 0)); /* no further process or thread */
    return set_limit(RLIMIT_NOFILE, p->n_files);
}

static enum rc set_capabilities(uint64_t keep)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
        {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
    };
    return syscall(SYS_capset, &head, data) < 0 ? failed("capset") : RC_OK;
}

static void empty_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static enum rc become(uid_t uid)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return failed("keepcaps");
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        return failed("setuid (perrond must be started by root)");
    return RC_OK;
}

enum rc sandbox_drop(enum role r, uint32_t index)
{
    gw_assert((unsigned)r < ROLE_N && powers[r].uid);
    const struct power *p = &powers[r];
    TRY(set_limits(p));
    empty_bounding_set();
    TRY(become(sandbox_uid(r, index)));
    TRY(set_capabilities(p->caps));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return failed("prctl");
    /* After the change of uid, which clears it. The logger still empties the rings, the keeper still removes
     * rules. */
    if (p->dies_with_master && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return failed("pdeathsig");
    return RC_OK;
}

static enum token token_of(enum role r, const int dirs[SANDBOX_DIRS])
{
    struct stat st;
    enum token t = TOKEN_NONE;
    for (size_t i = 0; r == ROLE_SIGNER && i < SANDBOX_DIRS; i++) {
        if (dirs[i] < 0)
            continue;
        bool socket = fstat(dirs[i], &st) == 0 && S_ISSOCK(st.st_mode);
        t = socket || t == TOKEN_SOCKET ? TOKEN_SOCKET : TOKEN_FOLDER;
    }
    return t;
}

enum rc sandbox_close(enum role r, const int dirs[SANDBOX_DIRS])
{
    struct power p = powers[r];
    enum token token = token_of(r, dirs);
    if (token != TOKEN_NONE)
        p.paths = PATHS_TOKEN;
    if (!sandbox_leaks_wanted())
        TRY(sandbox_paths(&p, dirs));
    return sandbox_calls(r, token);
}
