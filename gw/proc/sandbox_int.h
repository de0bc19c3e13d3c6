/* Between the files of the sandbox: a row of its table, and the two filters made from it. */
#ifndef GW_PROC_SANDBOX_INT_H
#define GW_PROC_SANDBOX_INT_H

#include "gw/proc/sandbox.h"

/* What Landlock leaves open. */
enum paths {
    PATHS_NONE,
    PATHS_WRITE_GIVEN,  /* files in directories, given as descriptors */
    PATHS_READ_BUT_ONE, /* reading everywhere but in one directory, given as descriptor */
    PATHS_TOKEN,        /* reading and writing what is there beneath given folders, no new file */
    PATHS_READ_ETC, /* reading what the C library and libnftables look up: /etc, /proc/sys/net too for writing
                     */
};
/* The second profile of the signer: its key is in a token that is files, or behind a socket of this machine.
 */
enum token { TOKEN_NONE, TOKEN_FOLDER, TOKEN_SOCKET };
enum tcp { TCP_NONE, TCP_BIND, TCP_CONNECT };

struct power {
    uid_t uid;
    uint64_t caps;
    uint32_t n_files;
    enum paths paths;
    enum tcp tcp;
    bool dies_with_master; /* at once; the others end by themselves when their channel ends */
};

/* Landlock. A kernel without it: one warning, the system call filter stays. */
enum rc sandbox_paths(const struct power *p, const int dirs[SANDBOX_DIRS]) MUST_USE;
/* A sanitizer build that shall look for leaks when it ends; never true in another build. */
bool sandbox_leaks_wanted(void);
/* seccomp, from call.tbl. */
enum rc sandbox_calls(enum role r, enum token token) MUST_USE;

#endif
