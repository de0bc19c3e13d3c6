/* A policy part while it is written: one growing buffer a section, put together and sealed at the end. */
#ifndef POLICY_PART_H
#define POLICY_PART_H

#include "gw/base/map.h"
#include "policy/image.h"

struct part {
    struct buf sect[SECT_N];
    struct map texts; /* bytes already in BYTES -> 1 + index into `text_runs` */
    struct img_run *text_runs;
    size_t n_texts, cap_texts;
    struct img_settings set;
};

void part_init(struct part *p);
void part_fini(struct part *p);
/* Bytes into BYTES, equal ones once. */
enum rc part_text(struct part *p, span s, struct img_run *out) MUST_USE;
/* One record; its index goes to `at` where that is not NULL. */
enum rc part_put(struct part *p, enum section s, const void *record, uint32_t *at) MUST_USE;
uint32_t part_count(const struct part *p, enum section s);
size_t part_record(enum section s);
/* Head and sections, each at a line of the cache, appended to `out`. */
enum rc part_emit(struct part *p, struct buf *out) MUST_USE;
/* A memfd that is written piece by piece, and put under all seals at the end. */
enum rc part_begin(const char *name, int *fd) MUST_USE;
enum rc part_write(int fd, span bytes) MUST_USE;
enum rc part_end(int fd) MUST_USE;
/* A memfd with these bytes under all seals. */
enum rc part_seal(const char *name, span bytes, int *fd) MUST_USE;
/* The same with large pages (2 MiB) where the kernel gives them, for a table that is read all over: finding
 * its small pages would cost more than reading them. */
enum rc part_seal_table(const char *name, span bytes, int *fd) MUST_USE;
/* Maps n bytes of a part for reading, so that large pages can be used; MAP_FAILED: see errno. munmap() undoes
 * it. */
void *part_map(int fd, size_t n);

#endif
