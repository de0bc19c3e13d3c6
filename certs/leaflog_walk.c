/* Reading the register from its first file to its last, link by link; see leaflog.h. */
#include "certs/leaflog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/dir.h"
#include "gw/base/obj.h"

enum { FILES_MAX = 999999 };

void leaflog_file_name(uint32_t number, char out[LEAFLOG_NAME])
{
    snprintf(out, LEAFLOG_NAME, "%06u.jsonl", (unsigned)(number % (FILES_MAX + 1)));
}

bool leaflog_file_number(const char *name, uint64_t *number)
{
    char again[LEAFLOG_NAME];
    span s = span_str(name);
    if (s.n != 12 || !span_to_u64(span_cut(s, 0, 6), FILES_MAX, number) || *number == 0)
        return false;
    leaflog_file_name((uint32_t)*number, again);
    return strcmp(name, again) == 0;
}

struct state {
    struct leaflog_walk *w;
    uint64_t n;         /* of the last entry */
    uint64_t torn_line; /* the line that is none, not yet forgiven; 0: there is none */
    uint32_t torn_file;
};

static enum rc broken(struct state *s, uint32_t file, uint64_t line, const char *why)
{
    s->w->file = file;
    s->w->line = line;
    s->w->why = why;
    return RC_BAD;
}

/* A line that is none is a write that was cut short, if the next one goes on from the last whole one. */
static enum rc no_entry(struct state *s)
{
    if (s->torn_line)
        return broken(s, s->torn_file, s->torn_line, "this line is not an entry");
    s->torn_file = s->w->file;
    s->torn_line = s->w->line;
    return RC_OK;
}

static enum rc link_entry(struct state *s, const struct leaflog_entry *e, span line)
{
    struct leaflog_walk *w = s->w;
    bool first = w->n_entries == 0;
    bool follows = first || (memcmp(e->prev, w->head, SHA256_BYTES) == 0 && e->n == s->n + 1);
    static const uint8_t zeros[SHA256_BYTES];
    if (first && e->n == 1 && memcmp(e->prev, zeros, SHA256_BYTES) != 0)
        follows = false;
    if (!follows && s->torn_line)
        return broken(s, s->torn_file, s->torn_line, "this line is not an entry");
    if (!follows)
        return broken(s, w->file, w->line, "this entry does not follow the one before it");
    w->n_torn += s->torn_line != 0;
    s->torn_line = 0;
    if (first)
        w->first = e->n;
    w->n_entries++;
    s->n = e->n;
    TRY(sha256(&line, 1, w->head));
    return w->each ? w->each(e, line, w->arg) : RC_OK;
}

static enum rc walk_line(struct state *s, span line, bool whole)
{
    struct leaflog_entry e;
    s->w->line++;
    if (!whole || leaflog_parse(line, &e) != RC_OK)
        return no_entry(s);
    return link_entry(s, &e, line);
}

static enum rc walk_file(struct state *s, uint32_t number)
{
    char name[LEAFLOG_NAME], *line = NULL;
    size_t room = 0;
    ssize_t n;
    enum rc rc = RC_OK;
    leaflog_file_name(number, name);
    int fd = openat(s->w->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return RC_IO;
    }
    s->w->file = number;
    s->w->line = 0;
    while (rc == RC_OK && (n = getline(&line, &room, f)) > 0) {
        bool whole = line[n - 1] == '\n';
        rc = walk_line(s, span_of(line, (size_t)n - whole), whole);
    }
    if (rc == RC_OK && ferror(f))
        rc = RC_IO;
    free(line);
    fclose(f);
    return rc;
}

/* A file that is missing between two others is a broken link already by its entries; one that holds none
 * would not be missed. */
static enum rc walk_files(struct state *s, const uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && numbers[i] != numbers[i - 1] + 1)
            return broken(s, (uint32_t)numbers[i - 1] + 1, 0, "this file is missing");
        TRY(walk_file(s, (uint32_t)numbers[i]));
    }
    return RC_OK;
}

enum rc leaflog_walk(struct leaflog_walk *w)
{
    AUTO_FREE uint64_t *numbers = NULL;
    size_t n;
    struct state s = {.w = w};
    w->n_entries = w->n_torn = w->first = 0;
    memset(w->head, 0, sizeof w->head);
    TRY(dir_numbers(w->dir, leaflog_file_number, &numbers, &n));
    if (n == 0)
        return RC_NOTFOUND;
    TRY(walk_files(&s, numbers, n));
    w->n_torn += s.torn_line != 0; /* nothing was made since */
    return RC_OK;
}
