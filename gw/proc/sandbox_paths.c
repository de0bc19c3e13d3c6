/* Landlock: which paths and TCP actions stay open after sandbox_close(). The kernel's header in Debian 12
 * knows two of the seven versions of the interface, so the rest stands here; what the running kernel does not
 * know is left out. Nothing is handled by default that is not forbidden by default: a right named in `fs`
 * below and given by no rule is refused everywhere. */
#include "gw/proc/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gw/base/dir.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

#define FS_UP_TO(bit)       ((UINT64_C(1) << ((bit) + 1)) - 1)
#define FS_TRUNCATE         (UINT64_C(1) << 14) /* version 3 */
#define NET_BIND_TCP        (UINT64_C(1) << 0)  /* version 4 */
#define NET_CONNECT_TCP     (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0) /* version 6 */
#define SCOPE_SIGNAL        (UINT64_C(1) << 1)

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                             \
    (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE)

struct ruleset {
    uint64_t fs, net, scoped;
};

static struct ruleset rules_of(int version, enum tcp tcp)
{
    struct ruleset r = {.fs = FS_UP_TO(12)};
    if (version >= 2)
        r.fs = FS_UP_TO(13);
    if (version >= 3)
        r.fs |= FS_TRUNCATE;
    if (version >= 5)
        r.fs = FS_UP_TO(15); /* ioctl on devices */
    if (version >= 4)
        r.net = (tcp == TCP_BIND ? 0 : NET_BIND_TCP) | (tcp == TCP_CONNECT ? 0 : NET_CONNECT_TCP);
    if (version >= 6)
        r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return r;
}

/* A directory or file and what may be done in it. A path that is not there needs no rule. */
static enum rc allow_fd(int ruleset, int fd, uint64_t rights, uint64_t known)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return RC_IO;
    if (!S_ISDIR(st.st_mode))
        rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & known, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? RC_IO : RC_OK;
}

static enum rc allow_path(int ruleset, const char *path, uint64_t rights, uint64_t known)
{
    AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? RC_OK : allow_fd(ruleset, fd, rights, known);
}

/* The name of the entry `hidden` of an open directory; the directory is read from its start again afterwards.
 */
static void name_of(DIR *dir, int parent, const struct stat *hidden, char out[256])
{
    struct stat st;
    out[0] = '\0';
    for (struct dirent *e; !out[0] && (e = readdir(dir));) {
        if (fstatat(parent, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == hidden->st_dev &&
            st.st_ino == hidden->st_ino)
            memcpy(out, e->d_name, strlen(e->d_name) + 1);
    }
    rewinddir(dir);
}

/* "ca" has relatives: ca.next, ca.old. */
static bool is_relative(const char *name, const char *of)
{
    size_t n = strlen(of);
    return n > 0 && strncmp(name, of, n) == 0 && name[n] == '.';
}

/* Everything in `parent` but the entry `hidden`, and where `family` its relatives. Landlock has no rule that
 * takes away, so each neighbour is named. */
static enum rc allow_siblings(int ruleset, int parent, const struct stat *hidden, bool family, uint64_t known)
{
    DIR *dir = dir_walk(parent);
    if (!dir)
        return RC_IO;
    char name[256] = "";
    if (family)
        name_of(dir, parent, hidden, name);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (is_relative(e->d_name, name))
            continue;
        bool dots = e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2]));
        AUTO_CLOSE int entry = dots ? -1 : openat(parent, e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (entry < 0 || fstat(entry, &st) < 0 || S_ISLNK(st.st_mode))
            continue; /* a link gives nothing that its target does not give */
        if (st.st_dev == hidden->st_dev && st.st_ino == hidden->st_ino)
            continue;
        if (allow_fd(ruleset, entry, READ_RIGHTS, known) != RC_OK)
            log_debug("sandbox: %s cannot be named and stays closed", e->d_name);
    }
    closedir(dir);
    return RC_OK;
}

/* Reading everywhere but in `dir`: the neighbours of it, of its parent, and so on up to the root. */
static enum rc allow_all_but(int ruleset, int dir, uint64_t known)
{
    struct stat at, up;
    AUTO_CLOSE int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &at) < 0)
        return RC_IO;
    for (bool first = true;; first = false) {
        int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
            return RC_IO;
        close(fd);
        fd = parent;
        if (fstat(fd, &up) < 0)
            return RC_IO;
        if (up.st_dev == at.st_dev && up.st_ino == at.st_ino)
            return RC_OK; /* the root is its own parent */
        TRY(allow_siblings(ruleset, fd, &at, first, known));
        at = up;
    }
}

static enum rc allow_given(int ruleset, int dir, uint64_t rights, uint64_t known)
{
    return dir < 0 ? RC_OK : allow_fd(ruleset, dir, rights, known);
}

static enum rc allow_paths(int ruleset, enum paths paths, const int dirs[SANDBOX_DIRS], uint64_t known)
{
    int dir = dirs[0];
    switch (paths) {
    case PATHS_NONE: return RC_OK;
    case PATHS_WRITE_GIVEN:
        for (size_t i = 0; i < SANDBOX_DIRS; i++)
            TRY(allow_given(ruleset, dirs[i], WRITE_RIGHTS, known));
        return RC_OK;
    case PATHS_TOKEN:
        for (size_t i = 0; i < SANDBOX_DIRS; i++)
            TRY(allow_given(ruleset, dirs[i], READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE, known));
        return RC_OK;
    case PATHS_READ_BUT_ONE:
        return dir < 0 ? allow_path(ruleset, "/", READ_RIGHTS, known) : allow_all_but(ruleset, dir, known);
    case PATHS_READ_ETC:
        TRY(allow_path(ruleset, "/etc", READ_RIGHTS, known));
        TRY(allow_path(ruleset, "/usr", READ_RIGHTS, known));
        return allow_path(ruleset, "/proc/sys/net", READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE, known);
    }
    return RC_BUG;
}

enum rc sandbox_paths(const struct power *p, const int dirs[SANDBOX_DIRS])
{
    static const size_t sizes[] = {0, 8, 8, 8, 16, 16, 24};
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        log_warn("this kernel has no Landlock: files are closed by the system call filter and the uid alone");
        return RC_OK;
    }
    struct ruleset rules = rules_of(version, p->tcp);
    size_t size = sizes[(size_t)version < N_ELEMS(sizes) ? (size_t)version : N_ELEMS(sizes) - 1];
    AUTO_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0 || allow_paths(fd, p->paths, dirs, rules.fs) != RC_OK ||
        syscall(SYS_landlock_restrict_self, fd, 0) < 0) {
        log_error("sandbox: Landlock: errno %d", errno);
        return RC_DENIED;
    }
    return RC_OK;
}
