/* A policy part while it is written; see part.h. */
#include "policy/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { PAGE = 4096, LARGE_PAGE = 2097152 };
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; not in the headers of glibc 2.36 */
#endif

static const size_t record_size[] = {
#define S(id, type) sizeof(type),
#include "policy/section.tbl"
#undef S
};

void part_init(struct part *p)
{
    *p = (struct part){0};
    for (unsigned i = 0; i < SECT_N; i++)
        buf_init(&p->sect[i], LIM_POLICY_PART_BYTES);
    map_init(&p->texts, 0);
}

void part_fini(struct part *p)
{
    for (unsigned i = 0; i < SECT_N; i++)
        buf_fini(&p->sect[i]);
    map_fini(&p->texts);
    free(p->text_runs);
}

static enum rc remember(struct part *p, span s, struct img_run run)
{
    struct img_run *runs = array_room(p->text_runs, p->n_texts, &p->cap_texts, 256, sizeof *runs);
    if (!runs)
        return RC_NOMEM;
    p->text_runs = runs;
    p->text_runs[p->n_texts++] = run;
    return map_put(&p->texts, s, (void *)(uintptr_t)p->n_texts);
}

enum rc part_text(struct part *p, span s, struct img_run *out)
{
    *out = (struct img_run){0};
    if (s.n == 0)
        return RC_OK;
    uintptr_t known = (uintptr_t)map_find(&p->texts, s);
    if (known) {
        *out = p->text_runs[known - 1];
        return RC_OK;
    }
    *out = (struct img_run){(uint32_t)buf_len(&p->sect[SECT_BYTES]), (uint32_t)s.n};
    TRY(buf_put(&p->sect[SECT_BYTES], s));
    return remember(p, s, *out);
}

uint32_t part_count(const struct part *p, enum section s)
{
    return (uint32_t)(buf_len(&p->sect[s]) / record_size[s]);
}

size_t part_record(enum section s)
{
    return record_size[s];
}

enum rc part_put(struct part *p, enum section s, const void *record, uint32_t *at)
{
    if (at)
        *at = part_count(p, s);
    return buf_put(&p->sect[s], span_of(record, record_size[s]));
}

/* Sections begin with a line of the cache, as their records are made for lines. */
enum { LINE = 64 };

enum rc part_emit(struct part *p, struct buf *out)
{
    static const uint8_t zeros[LINE];
    struct img_head head = {.magic = IMG_MAGIC, .version = IMG_VERSION, .n_sections = SECT_N};
    uint64_t off = (sizeof head + LINE - 1) / LINE * LINE;
    size_t start = out->w;
    for (unsigned i = 0; i < SECT_N; i++) {
        head.section[i].off = off;
        head.section[i].n = part_count(p, i);
        off += (buf_len(&p->sect[i]) + LINE - 1) / LINE * LINE;
    }
    head.size = off;
    if (off > LIM_POLICY_PART_BYTES)
        return RC_LIMIT;
    TRY(buf_put(out, span_of(&head, sizeof head)));
    for (unsigned i = 0; i < SECT_N; i++) {
        TRY(buf_put(out, span_of(zeros, (size_t)(head.section[i].off - (out->w - start)))));
        TRY(buf_put(out, buf_span(&p->sect[i])));
    }
    return buf_put(out, span_of(zeros, (size_t)(off - (out->w - start))));
}

void *part_map(int fd, size_t n)
{
    if (n < LARGE_PAGE)
        return mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    size_t all = (n + LARGE_PAGE - 1) / PAGE * PAGE + PAGE;
    uint8_t *room = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    size_t before = (LARGE_PAGE - (uintptr_t)room % LARGE_PAGE) % LARGE_PAGE;
    size_t end = before + (n + PAGE - 1) / PAGE * PAGE;
    void *p = mmap(room + before, n, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    if (p == MAP_FAILED) {
        munmap(room, all);
        return MAP_FAILED;
    }
    if (before)
        munmap(room, before);
    if (end < all)
        munmap(room + end, all - end);
    return p;
}

/* Makes an empty memfd n bytes long, with large pages as far as they are whole ones; without them small ones
 * do. The kernel makes a large page of small ones, and of none only where there is one. */
static void make_large(int fd, size_t n)
{
    if (n < LARGE_PAGE || ftruncate(fd, (off_t)n) != 0)
        return;
    for (size_t at = 0; at < n; at += LARGE_PAGE) {
        if (pwrite(fd, "", 1, (off_t)at) != 1)
            return;
    }
    void *p = part_map(fd, n);
    if (p == MAP_FAILED)
        return;
    (void)madvise(p, n, MADV_COLLAPSE);
    munmap(p, n);
}

enum rc part_begin(const char *name, int *fd)
{
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return *fd >= 0 ? RC_OK : RC_IO;
}

enum rc part_write(int fd, span bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RC_IO;
        at += (size_t)n;
    }
    return RC_OK;
}

enum rc part_end(int fd)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals) == 0 ? RC_OK : RC_IO;
}

static enum rc seal(const char *name, span bytes, bool large, int *fd)
{
    AUTO_CLOSE int mem = -1;
    TRY(part_begin(name, &mem));
    if (large)
        make_large(mem, bytes.n); /* before there is anything to copy */
    TRY(part_write(mem, bytes));
    TRY(part_end(mem));
    *fd = mem;
    mem = -1;
    return RC_OK;
}

enum rc part_seal(const char *name, span bytes, int *fd)
{
    return seal(name, bytes, false, fd);
}

enum rc part_seal_table(const char *name, span bytes, int *fd)
{
    return seal(name, bytes, true, fd);
}
