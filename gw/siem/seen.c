/* Names asked for lately; see seen.h. Two tables: names (a map, and a list in order of use), and a plain
 * array of hashes of those that one flow alone has asked for. The array has one place for each hash; whoever
 * comes later takes it, so a flood of made-up names costs others only their first mention and never a kept
 * name. */
#include "gw/siem/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/addr.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/map.h"
#include "gw/base/obj.h"

enum {
    SEEN_LINE = LIM_NAME_BYTES + 2 * DEC_MOST, /* name, count, day */
    SEEN_FILE_BYTES = (LIM_SEEN_NAMES + 1) * SEEN_LINE,
    SEEN_BLOCK = 65536
};
#define SEEN_FILE "names"
#define SEEN_NEW  SEEN_FILE ".new"

struct name {
    struct list link;
    uint64_t flow; /* that asked last; 0: read back */
    uint32_t count, day;
    size_t n;
    uint8_t text[];
};

struct once {
    uint64_t name, flow; /* hash; 0: free */
};

struct seen {
    int dir;
    struct map names;
    struct list order; /* the next one to go first */
    struct once once[LIM_SEEN_ONCE];
    bool changed;
};

enum rc seen_new(struct seen **out)
{
    struct seen *s = calloc(1, sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->dir = -1;
    map_init(&s->names, LIM_SEEN_NAMES);
    list_init(&s->order);
    *out = s;
    return RC_OK;
}

static void drop(struct seen *s, struct name *n)
{
    map_take(&s->names, span_of(n->text, n->n));
    list_drop(&n->link);
    free(n);
    s->changed = true;
}

static void drop_oldest(struct seen *s)
{
    drop(s, CONTAINER_OF(s->order.next, struct name, link));
}

static void drop_all(struct seen *s)
{
    while (!list_empty(&s->order))
        drop_oldest(s);
}

void seen_free(struct seen *s)
{
    if (!s)
        return;
    drop_all(s);
    map_fini(&s->names);
    if (s->dir >= 0)
        close(s->dir);
    free(s);
}

/* ---- names ---- */

/* A captured worker may write anything here, and the file has one name a line. */
static bool is_host(span name)
{
    uint8_t normal[LIM_NAME_BYTES];
    return name.n <= LIM_NAME_BYTES && span_find(name, '.', 0) != SIZE_MAX &&
           name_normalise(name, normal) == name.n && memcmp(normal, name.p, name.n) == 0;
}

static struct name *put(struct seen *s, span text, uint32_t count)
{
    struct name *n = malloc(sizeof *n + text.n);
    if (!n)
        return NULL;
    *n = (struct name){.count = count, .n = text.n};
    memcpy(n->text, text.p, text.n);
    list_init(&n->link);
    while (s->names.n >= LIM_SEEN_NAMES)
        drop_oldest(s);
    if (map_put(&s->names, text, n) != RC_OK) {
        free(n);
        return NULL;
    }
    return n;
}

static void use(struct seen *s, struct name *n, uint64_t flow, uint32_t day)
{
    n->flow = flow;
    n->day = day;
    list_drop(&n->link);
    list_push(&s->order, &n->link);
    s->changed = true;
}

/* Has another flow asked for it before? */
static bool is_second(struct seen *s, span name, uint64_t flow)
{
    uint64_t hash = map_hash(name) | 1;
    struct once *o = &s->once[(hash >> 1) % LIM_SEEN_ONCE];
    bool second = o->name == hash && o->flow != flow;
    *o = (struct once){second ? 0 : hash, flow};
    return second;
}

void seen_ask(struct seen *s, span name, uint64_t flow, uint32_t day)
{
    struct name *n = map_find(&s->names, name);
    if (n && n->flow == flow && n->day == day)
        return; /* one more request of the same connection */
    if (!n) {
        if (!is_host(name) || !is_second(s, name, flow))
            return;
        n = put(s, name, 1);
        if (!n)
            return;
    }
    if (n->flow != flow && n->count < UINT32_MAX)
        n->count++;
    use(s, n, flow, day);
}

size_t seen_total(const struct seen *s)
{
    return s->names.n;
}

uint32_t seen_count(const struct seen *s, span name)
{
    const struct name *n = map_find(&s->names, name);
    return n ? n->count : 0;
}

/* ---- reading back ---- */

static enum rc read_file(int dir, struct buf *out)
{
    struct stat st;
    AUTO_CLOSE int fd = openat(dir, SEEN_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return RC_BAD;
    for (;;) {
        TRY(buf_reserve(out, SEEN_BLOCK));
        ssize_t n = read(fd, out->p + out->w, SEEN_BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? RC_OK : RC_IO;
        out->w += (size_t)n;
    }
}

/* A span up to the next blank; `at` moves behind that. */
static span word(span line, size_t *at)
{
    size_t end = span_find(line, ' ', *at);
    span w = span_cut(line, *at, end);
    *at = end == SIZE_MAX ? line.n : end + 1;
    return w;
}

static enum rc take_line(struct seen *s, span line)
{
    size_t at = 0;
    uint64_t count, day;
    if (line.n && line.p[0] == '#')
        return RC_OK;
    span name = word(line, &at), counted = word(line, &at), last = span_cut(line, at, SIZE_MAX);
    if (!is_host(name) || !span_to_u64(counted, UINT32_MAX, &count) || count < 2 ||
        !span_to_u64(last, UINT32_MAX, &day) || map_find(&s->names, name))
        return RC_BAD;
    struct name *n = put(s, name, (uint32_t)count);
    if (!n)
        return RC_NOMEM;
    use(s, n, 0, (uint32_t)day);
    return RC_OK;
}

static enum rc take_lines(struct seen *s, span text, size_t *line)
{
    for (size_t at = 0, nl; at < text.n; at = nl + 1) {
        ++*line;
        nl = span_find(text, '\n', at);
        if (nl == SIZE_MAX) /* cut off */
            return RC_BAD;
        TRY(take_line(s, span_cut(text, at, nl)));
    }
    return RC_OK;
}

void seen_target(struct seen *s, int dir)
{
    struct buf text;
    size_t line = 0;
    if (s->dir >= 0)
        close(s->dir);
    s->dir = dir;
    if (dir < 0)
        return;
    drop_all(s);
    buf_init(&text, SEEN_FILE_BYTES + SEEN_BLOCK);
    enum rc rc = read_file(dir, &text);
    if (rc == RC_OK)
        rc = take_lines(s, buf_span(&text), &line);
    if (rc != RC_OK && rc != RC_NOTFOUND) {
        log_warn("names seen lately: the file of before cannot be read (%s, line %zu): begun anew",
                 rc_text(rc), line);
        drop_all(s);
    }
    s->changed = false;
    buf_fini(&text);
}

/* ---- writing ---- */

static void forget_old(struct seen *s, uint32_t day)
{
    for (struct list *l = s->order.next, *next; l != &s->order; l = next) {
        struct name *n = CONTAINER_OF(l, struct name, link);
        next = l->next;
        if (n->day < day && day - n->day > LIM_SEEN_DAYS)
            drop(s, n);
    }
}

static enum rc put_line(struct buf *b, const struct name *n)
{
    TRY(buf_put(b, span_of(n->text, n->n)));
    TRY(buf_put_u8(b, ' '));
    TRY(buf_put_dec(b, n->count));
    TRY(buf_put_u8(b, ' '));
    TRY(buf_put_dec(b, n->day));
    return buf_put_u8(b, '\n');
}

static enum rc put_lines(const struct seen *s, struct buf *b)
{
    TRY(buf_put_str(b,
                    "# name, connections that asked for it, last day (days since 1970); replaced whole\n"));
    for (const struct list *l = s->order.next; l != &s->order; l = l->next)
        TRY(put_line(b, CONTAINER_OF(l, struct name, link)));
    return RC_OK;
}

static enum rc write_all(int fd, span s)
{
    for (size_t done = 0; done < s.n;) {
        ssize_t k = write(fd, s.p + done, s.n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0)
            errno = ENOSPC;
        if (k <= 0)
            return RC_IO;
        done += (size_t)k;
    }
    return RC_OK;
}

/* As the log's files, whatever umask came with the process. */
static enum rc replace(int dir, span text)
{
    AUTO_CLOSE int fd =
        openat(dir, SEEN_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0)
        return RC_IO;
    if (fchmod(fd, 0640) != 0 || write_all(fd, text) != RC_OK || fsync(fd) != 0 ||
        renameat(dir, SEEN_NEW, dir, SEEN_FILE) != 0) {
        int why = errno;
        unlinkat(dir, SEEN_NEW, 0);
        errno = why;
        return RC_IO;
    }
    return fsync(dir) == 0 ? RC_OK : RC_IO;
}

enum rc seen_write(struct seen *s, uint32_t day)
{
    struct buf b;
    if (s->dir < 0)
        return RC_NOTFOUND;
    forget_old(s, day);
    if (!s->changed)
        return RC_OK;
    buf_init(&b, SEEN_FILE_BYTES);
    enum rc rc = put_lines(s, &b);
    if (rc == RC_OK)
        rc = replace(s->dir, buf_span(&b));
    s->changed = rc != RC_OK;
    buf_fini(&b);
    return rc;
}
