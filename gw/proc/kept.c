/* Kept parts and snapshots; see kept.h. The JSON is ours and root's alone, but is read as if it were not. */
#include "gw/proc/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/dir.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/kept_file.h"
#include "gw/siem/journal.h"

enum { SNAPSHOT_BYTES = 8192, DAY_S = 86400 };

static enum rc complain(struct buf *err, const char *what)
{
    return buf_printf(err, "%s: %s\n", what, strerror(errno)) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

static enum rc open_dir(int state_dir, const char *name, bool make, int *out, struct buf *err)
{
    if (make && mkdirat(state_dir, name, 0700) < 0 && errno != EEXIST)
        return complain(err, name);
    *out = openat(state_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *out < 0 ? complain(err, name) : RC_OK;
}

static enum rc open_dirs(struct kept *k, int state_dir, bool make, struct buf *err)
{
    *k = (struct kept){-1, -1, -1};
    TRY(open_dir(state_dir, "parts", make, &k->parts, err));
    TRY(open_dir(state_dir, "lists", make, &k->lists, err));
    return open_dir(state_dir, "snapshots", make, &k->snapshots, err);
}

enum rc kept_open(struct kept *k, int state_dir, struct buf *err)
{
    return open_dirs(k, state_dir, true, err);
}

enum rc kept_look(struct kept *k, int state_dir, struct buf *err)
{
    return open_dirs(k, state_dir, false, err);
}

void kept_close(struct kept *k)
{
    const int fds[] = {k->parts, k->lists, k->snapshots};
    for (size_t i = 0; i < N_ELEMS(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    *k = (struct kept){-1, -1, -1};
}

static int dir_of(const struct kept *k, enum snap_part p)
{
    return part_is_kept(p) ? k->parts : k->lists;
}

/* ---- writing ---- */

/* Lists are large and can be had again from their source: they are not synced, a torn one is found by its
 * hash. */
static enum rc put_part(const struct kept *k, enum snap_part p, const struct part_id *id, int fd,
                        struct buf *err)
{
    char name[MANIFEST_TEXT];
    struct stat st;
    int dir = dir_of(k, p);
    if (id->size == 0)
        return RC_OK;
    hash_text(id->hash, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == id->size) {
        utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
        return RC_OK;
    }
    if (kept_file_copy(dir, name, fd, id->size, part_is_kept(p)) != RC_OK)
        return complain(err, "a part of the policy cannot be kept");
    if (!part_is_kept(p))
        kept_file_oldest_go(dir, LIM_LISTS_KEPT);
    return RC_OK;
}

static json_t *hex(const uint8_t hash[SNAP_HASH])
{
    char text[MANIFEST_TEXT];
    hash_text(hash, text);
    return json_string(text);
}

static json_t *describe(const struct kept_snapshot *s)
{
    json_t *parts = json_object();
    for (unsigned i = 0; parts && i < SNAP_PARTS; i++)
        json_object_set_new(parts, part_name(i),
                            json_pack("{s:o, s:I}", "hash", hex(s->manifest.part[i].hash), "size",
                                      (json_int_t)s->manifest.part[i].size));
    return json_pack("{s:o, s:I, s:s, s:s}", "parts", parts, "loaded", (json_int_t)s->loaded_s, "who", s->who,
                     "file", s->file);
}

enum rc kept_put(const struct kept *k, struct kept_snapshot *s, const int fds[SNAP_PARTS], struct buf *err)
{
    char name[MANIFEST_TEXT];
    TRY(manifest_name(&s->manifest, s->name));
    hash_text(s->name, name);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        TRY(put_part(k, i, &s->manifest.part[i], fds[i], err));
    json_t *o = describe(s);
    AUTO_FREE char *text = o ? json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII) : NULL;
    json_decref(o);
    if (!text)
        return RC_NOMEM;
    if (kept_file_write(k->snapshots, name, span_str(text)) != RC_OK)
        return complain(err, "a snapshot cannot be kept");
    return RC_OK;
}

void kept_touch(const struct kept *k, const uint8_t name[SNAP_HASH])
{
    char text[MANIFEST_TEXT];
    hash_text(name, text);
    if (utimensat(k->snapshots, text, NULL, AT_SYMLINK_NOFOLLOW) < 0)
        log_debug("snapshot %s is not kept: errno %d", text, errno);
}

/* ---- reading ---- */

static bool read_hash(json_t *o, const char *key, uint8_t out[SNAP_HASH])
{
    const char *text = json_string_value(json_object_get(o, key));
    return text && hash_parse(span_str(text), out);
}

static bool read_text(json_t *o, const char *key, char *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(o, key));
    size_t n = text ? strlen(text) : cap;
    if (n >= cap)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool read_parts(json_t *parts, struct manifest *m)
{
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        json_t *p = json_object_get(parts, part_name(i)), *size = json_object_get(p, "size");
        if (!read_hash(p, "hash", m->part[i].hash) || !json_is_integer(size) || json_integer_value(size) < 0)
            return false;
        m->part[i].size = (uint64_t)json_integer_value(size);
    }
    return true;
}

/* BAD: not what its name says. */
static enum rc read_snapshot(const struct kept *k, const char *name, struct kept_snapshot *s)
{
    static uint8_t bytes[SNAPSHOT_BYTES];
    uint8_t want[SNAP_HASH];
    size_t n = 0;
    *s = (struct kept_snapshot){0};
    if (!hash_parse(span_str(name), want) ||
        kept_file_read(k->snapshots, name, bytes, sizeof bytes, &n) != RC_OK)
        return RC_BAD;
    json_t *o = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    bool good = read_parts(json_object_get(o, "parts"), &s->manifest) &&
                read_text(o, "who", s->who, sizeof s->who) && read_text(o, "file", s->file, sizeof s->file);
    s->loaded_s = json_integer_value(json_object_get(o, "loaded"));
    json_decref(o);
    if (!good)
        return RC_BAD;
    TRY(manifest_name(&s->manifest, s->name));
    return memcmp(s->name, want, SNAP_HASH) == 0 ? RC_OK : RC_BAD;
}

unsigned kept_each(const struct kept *k, void (*each)(const struct kept_snapshot *s, void *arg), void *arg)
{
    static struct kept_snapshot s;
    unsigned damaged = 0;
    DIR *d = dir_walk(k->snapshots);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || strlen(e->d_name) != MANIFEST_TEXT - 1)
            continue;
        if (read_snapshot(k, e->d_name, &s) == RC_OK)
            each(&s, arg);
        else
            damaged++;
    }
    if (d)
        closedir(d);
    return damaged;
}

enum rc kept_find(const struct kept *k, span prefix, struct kept_snapshot *out, struct buf *err)
{
    char name[MANIFEST_TEXT] = "";
    unsigned n = 0;
    DIR *d = prefix.n ? dir_walk(k->snapshots) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strlen(e->d_name) == MANIFEST_TEXT - 1 && span_has_prefix(span_str(e->d_name), prefix)) {
            memcpy(name, e->d_name, sizeof name);
            n++;
        }
    }
    if (d)
        closedir(d);
    const char *why = n == 0  ? "no snapshot of this name is kept; perronctl show snapshots lists them"
                      : n > 1 ? "more than one snapshot has a name that begins so; give more of it"
                      : read_snapshot(k, name, out) != RC_OK ? "what is kept of this snapshot is damaged"
                                                             : NULL;
    if (!why)
        return RC_OK;
    int shown = prefix.n > 64 ? 64 : (int)prefix.n;
    return buf_printf(err, "%.*s: %s\n", shown, (const char *)prefix.p, why) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

/* Files are touched while their snapshot is in force, and written when it comes. */
enum rc kept_latest(const struct kept *k, struct kept_snapshot *out)
{
    char name[MANIFEST_TEXT] = "";
    struct timespec newest = {0};
    DIR *d = dir_walk(k->snapshots);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (strlen(e->d_name) != MANIFEST_TEXT - 1 ||
            fstatat(k->snapshots, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (st.st_mtim.tv_sec > newest.tv_sec ||
            (st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec >= newest.tv_nsec)) {
            newest = st.st_mtim;
            memcpy(name, e->d_name, sizeof name);
        }
    }
    if (d)
        closedir(d);
    return name[0] && read_snapshot(k, name, out) == RC_OK ? RC_OK : RC_NOTFOUND;
}

static enum rc refuse(struct buf *err, enum snap_part p, const char *name, const char *why)
{
    return buf_printf(err, "part %s (%.12s): %s\n", part_name(p), name, why) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

enum rc kept_part(const struct kept *k, enum snap_part p, const struct part_id *id, int *fd, struct buf *err)
{
    static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    char name[MANIFEST_TEXT];
    struct part_id got;
    hash_text(id->hash, name);
    AUTO_CLOSE int mem = memfd_create("perron-kept", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    AUTO_CLOSE int file = id->size ? openat(dir_of(k, p), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (mem < 0)
        return complain(err, "memory");
    if (id->size && file < 0)
        return refuse(err, p, name, "is kept no longer; load the policy's file instead");
    if (id->size && kept_file_bytes(file, mem, id->size) != RC_OK)
        return refuse(err, p, name, "cannot be read whole");
    if (fcntl(mem, F_ADD_SEALS, seals) < 0)
        return complain(err, "memory");
    if (part_identify(mem, &got) != RC_OK || !part_same(&got, id))
        return refuse(err, p, name, "is damaged: its bytes are not those of its name");
    *fd = mem;
    mem = -1;
    return RC_OK;
}

enum rc kept_snapshot(const struct kept *k, const struct kept_snapshot *s, bool with_lists,
                      struct snapshot **out, struct buf *err)
{
    enum rc rc = RC_OK;
    char name[MANIFEST_TEXT];
    int fds[SNAP_PARTS];
    *out = NULL;
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        fds[i] = -1;
    for (unsigned i = 0; i < SNAP_PARTS && rc == RC_OK; i++) {
        if (with_lists || i == PART_POLICY || i == PART_GRANTS)
            rc = kept_part(k, i, &s->manifest.part[i], &fds[i], err);
    }
    if (rc == RC_OK) {
        rc = with_lists ? snapshot_open_as(&s->manifest, fds, NULL, out)
                        : snapshot_open_old(&s->manifest, fds, out);
        hash_text(s->name, name);
        if (rc == RC_BAD)
            rc = refuse(err, PART_POLICY, name, "is of another version of this program");
    }
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return rc;
}

/* ---- forgetting ---- */

struct named {
    uint8_t (*hash)[SNAP_HASH];
    size_t n, cap;
    bool bad;
};

static void note_parts(const struct kept_snapshot *s, void *arg)
{
    struct named *x = arg;
    for (unsigned i = 0; i < SNAP_PARTS && !x->bad; i++) {
        if (x->n == x->cap) {
            size_t cap = x->cap ? 2 * x->cap : 256;
            void *more = realloc(x->hash, cap * SNAP_HASH);
            x->bad = !more;
            if (!more)
                return;
            x->hash = more;
            x->cap = cap;
        }
        memcpy(x->hash[x->n++], s->manifest.part[i].hash, SNAP_HASH);
    }
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, SNAP_HASH);
}

static bool is_named(const char *name, void *arg)
{
    const struct named *x = arg;
    uint8_t hash[SNAP_HASH];
    return hash_parse(span_str(name), hash) && bsearch(hash, x->hash, x->n, SNAP_HASH, by_hash);
}

static bool nobody(const char *name, void *arg)
{
    (void)name;
    (void)arg;
    return false;
}

/* While one snapshot cannot be read no part goes: it may be the one that names it. */
unsigned kept_purge(const struct kept *k, int64_t oldest_s)
{
    struct named named = {0};
    unsigned gone = kept_file_go(k->snapshots, oldest_s, nobody, NULL);
    unsigned damaged = kept_each(k, note_parts, &named);
    if (damaged)
        log_warn("%u kept snapshots are damaged; no part is removed", damaged);
    if (!damaged && !named.bad) {
        if (named.n)
            qsort(named.hash, named.n, SNAP_HASH, by_hash);
        gone += kept_file_go(k->parts, oldest_s, is_named, &named);
    }
    free(named.hash);
    return gone;
}

/* The file of a snapshot in force is touched every hour. */
unsigned kept_forget(const struct kept *k, int journal_dir, int64_t now_s)
{
    int64_t first_us = 0, oldest_s = now_s - LIM_SNAPSHOT_KEPT_DAYS * (int64_t)DAY_S;
    enum rc rc = journal_oldest(journal_dir, &first_us);
    if (rc == RC_OK && first_us / 1000000 - DAY_S < oldest_s)
        oldest_s = first_us / 1000000 - DAY_S;
    return rc == RC_OK || rc == RC_NOTFOUND ? kept_purge(k, oldest_s) : 0;
}
