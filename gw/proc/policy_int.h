/* A policy's and the grants' way into force, inside the master: reload.c (compiler), grants.c (granter),
 * force.c (what both bring). Everything here lives as long as the process. */
#ifndef GW_PROC_POLICY_INT_H
#define GW_PROC_POLICY_INT_H

#include "gw/base/ev.h"
#include "gw/ipc/msg.h"
#include "gw/proc/kept.h"

struct master;
struct child;

/* A policy in force or on its way. */
struct policy {
    int fd[SNAP_PARTS]; /* -1: none yet */
    struct snapshot *snap;
};

/* Lists that were in force when the gateway was last stopped, until the first policy is: they are not built
 * again where nothing has changed, and stand in where a list file is missing. */
struct last_lists {
    bool there;
    int fd[SNAP_PARTS]; /* of lists alone */
    struct manifest manifest;
};

/* The grants part in force: it belongs to no policy and stays when one is replaced. */
struct grants_part {
    int fd;
    struct part_id id;
};

/* Told once, when a reload is over: rc, what the compiler said, what else to know. */
typedef void (*reload_done)(struct master *m, uint64_t token, enum rc rc, span diag);

/* A question to the granter that is under way. */
struct question {
    /* The asker's: lines of the answer as they come (may be NULL), and the end: text is why not, or what was
     * done. */
    void (*line)(struct master *m, uint64_t token, span json);
    void (*done)(struct master *m, uint64_t token, enum rc rc, span text);
    uint64_t token;
    /* Ours. */
    bool running, settled, changed;
    enum rc rc;
    uint32_t id; /* of the grant in question */
    struct buf text;
    struct ev_timer late;
};

/* What a client asked of the granter, for the event when it is done. */
struct grant_wish {
    bool change, revoke, zone; /* zone: an exemption */
    char by[520], reason[520];
};

struct reload {
    bool running, settled; /* settled: `rc` is known, compiler and workers may still be on their way */
    enum rc rc;
    char *path;
    struct buf diag;
    uid_t who;
    bool rollback, lists_held;
    struct policy restored; /* a rollback, until the loop's next turn */
    struct manifest restored_as;
    struct ev_timer soon;
    uint8_t old_hash[SNAP_HASH];
    bool had_old;
    reload_done done;
    uint64_t token; /* the asker's */
    struct ev_timer late;
};

/* ---- force.c ---- */
void policy_init(struct policy *p);
/* Closes what it holds. */
void policy_drop(struct policy *p);
/* Completes a policy that has some parts: those that it lacks are the ones in force (lists, where the
 * manifest says the same) or the present grants. Then opens it. BAD: a part is damaged or does not fit. */
enum rc force_complete(struct master *m, struct policy *new, struct manifest *manifest) MUST_USE;
/* Looks for the lists of before; forgets them. */
void force_last(struct master *m);
void force_last_over(struct master *m);
/* Takes it. OK: it is in force, and workers are on their way to it; else nothing has changed and `diag` says
 * why. `from`: who loaded it from where, for what is kept. */
enum rc force_take(struct master *m, struct policy *new, const struct kept_snapshot *from,
                   struct buf *diag) MUST_USE;
/* Another attempt to keep what could not be kept when it came, where it is due. A policy is in force. */
void force_keep_again(struct master *m);
/* Every living worker has said that it is there. */
bool force_everywhere(const struct master *m);
/* Replaces workers that have not. */
void force_late(struct master *m);

/* The present grants beside the policy in force. */
enum rc force_grants(struct master *m) MUST_USE;

/* ---- grants.c ---- */
/* Asks the granter; `as` says whom to tell (its first three fields). AGAIN: another question is under way.
 * NOTFOUND: their folder cannot be used; it was said in the log. */
enum rc grants_ask(struct master *m, span words, const struct question *as) MUST_USE;
void grants_on_msg(struct child *granter, enum msg_type t, span payload, int *fds, size_t n_fds);
void grants_granter_ended(struct master *m);
void grants_confirmed(struct master *m);
/* Is there a store at all, or something in its place? */
bool grants_are_there(const struct master *m);
/* Says every exemption that holds. */
void grants_alarm(struct master *m);
/* True: an exemption has ended by itself since this, or the alarm, was last called. */
bool grants_ended(struct master *m);
unsigned grants_n_exempt(const struct master *m);

/* ---- reload.c ---- */
/* AGAIN: another one is under way. `done` is called later, never from inside. */
enum rc reload_begin(struct master *m, const char *path, uid_t who, reload_done done,
                     uint64_t token) MUST_USE;
/* Back to a snapshot that is kept, by the beginning of its name. CONFIG, and one line in `err`, where it or
 * one of its parts is gone; then nothing was begun and `done` is not called. */
enum rc reload_to(struct master *m, span prefix, uid_t who, reload_done done, uint64_t token,
                  struct buf *err) MUST_USE;
void reload_on_msg(struct child *compiler, enum msg_type t, span payload, int *fds, size_t n_fds);
void reload_compiler_ended(struct master *m);
void reload_confirmed(struct child *worker, span hash);
/* The event of the policy that the gateway starts with. */
void reload_write_start(struct master *m);
/* The event of a change of grants: which, by whom, why. */
struct grant_change {
    const char *message, *outcome;
    uint32_t id;
    span what, by, reason;
};
void reload_write_grant(struct master *m, const struct grant_change *c);

#endif
