/* Files of a policy; see source.h. */
#include "policy/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "gw/base/utf8.h"
#include "policy/utf8.h"

/* An error at the include line where there is one, else about the file itself. Always false. */
static bool refuse(struct diag *d, const char *path, const struct pos *by, const char *why)
{
    if (by)
        diag_error(d, *by, NULL, "%s: %s", path, why);
    else
        diag_file(d, path, why);
    return false;
}

static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
}

/* A file that a school owns is read by people before it goes in: no character may hide from them or turn the
 * order of what they see. */
static bool is_hidden(span s, size_t i, uint32_t *cp)
{
    return s.p[i] >= 0x80 && utf8_at(s, i, cp) && utf8_is_invisible(*cp);
}

/* Shows the one error of a file that is no policy text. */
static bool check_text(struct diag *d, uint32_t file)
{
    span s = d->tree->files[file]->text;
    struct pos at = {.file = file, .line = 1};
    size_t line_start = 0;
    uint32_t cp;
    for (size_t i = 0, len; i < s.n; i += len) {
        len = utf8_len(s.p + i, s.n - i);
        at.off = (uint32_t)i;
        if (len == 0)
            return diag_error(d, at, "save the file as UTF-8", "this is not UTF-8 text"), false;
        if (is_control(s.p[i]))
            return diag_error(d, at, "is this a policy file?", "control character 0x%02x", s.p[i]), false;
        if (is_hidden(s, i, &cp))
            return diag_error(d, at, "take it out: what a reader sees is not what the file says",
                              "this character (U+%04X) cannot be seen", (unsigned)cp),
                   false;
        if (i - line_start > LIM_POLICY_LINE_BYTES)
            return at.off = (uint32_t)line_start,
                   diag_error(d, at, NULL, "this line is longer than %d bytes", LIM_POLICY_LINE_BYTES), false;
        if (s.p[i] == '\n') {
            at.line++;
            line_start = i + 1;
        }
    }
    return true;
}

/* Registers the text; false without memory. */
static bool add_file(struct tree *t, const char *path, span text)
{
    struct source *src = arena_alloc(&t->mem, sizeof *src);
    char *name = arena_str(&t->mem, span_str(path));
    char *copy = arena_str(&t->mem, text);
    if (!src || !name || !copy)
        return false;
    *src = (struct source){.path = span_str(name), .text = span_of(copy, text.n), .parent = -1};
    if (span_has_prefix(src->text, SPAN("\xef\xbb\xbf")))
        src->text = span_cut(src->text, 3, src->text.n);
    t->files[t->n_files++] = src;
    return true;
}

static bool read_text(int fd, struct buf *out)
{
    for (;;) {
        if (buf_reserve(out, 65536) != RC_OK)
            return false;
        ssize_t n = read(fd, out->p + out->w, out->cap - out->w < 65536 ? out->cap - out->w : 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        out->w += (size_t)n;
    }
}

/* Same file already in the tree: by another include, or one of the files that led here. */
static bool check_twice(struct diag *d, const char *path, const struct stat *st, const struct pos *by)
{
    for (uint32_t i = 0; i < d->tree->n_files; i++) {
        const struct source *s = d->tree->files[i];
        if (s->dev != st->st_dev || s->ino != st->st_ino)
            continue;
        for (int up = (int)by->file; up >= 0; up = d->tree->files[up]->parent) {
            if ((uint32_t)up == i)
                return refuse(d, path, by, "this file includes itself");
        }
        return refuse(d, path, by, "this file is included already");
    }
    return true;
}

static int depth_of(const struct tree *t, const struct pos *by)
{
    int n = 0;
    for (int up = by ? (int)by->file : -1; up >= 0; up = t->files[up]->parent)
        n++;
    return n;
}

bool source_load(struct diag *d, const char *path, const struct pos *by)
{
    struct tree *t = d->tree;
    struct stat st;
    struct buf text;
    if (t->n_files == LIM_POLICY_FILES || depth_of(t, by) > LIM_POLICY_DEPTH)
        return refuse(d, path, by, "too many files include each other");
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return refuse(d, path, by, errno == ENOENT ? "there is no such file" : "the file cannot be opened");
    if (!S_ISREG(st.st_mode))
        return refuse(d, path, by, "this is not a file");
    if (st.st_size > LIM_POLICY_BYTES)
        return refuse(d, path, by, "the file is too large for a policy");
    if (by && !check_twice(d, path, &st, by))
        return false;
    buf_init(&text, LIM_POLICY_BYTES + 65536);
    bool ok = read_text(fd, &text) && add_file(t, path, buf_span(&text));
    buf_fini(&text);
    if (!ok)
        return refuse(d, path, by, "the file cannot be read");
    struct source *src = t->files[t->n_files - 1];
    src->dev = st.st_dev;
    src->ino = st.st_ino;
    src->parent = by ? (int)by->file : -1;
    return check_text(d, t->n_files - 1);
}

bool source_text(struct diag *d, const char *name, span text)
{
    if (d->tree->n_files == LIM_POLICY_FILES || !add_file(d->tree, name, text))
        return refuse(d, name, NULL, "the text cannot be taken");
    return check_text(d, d->tree->n_files - 1);
}

const char *source_beside(struct tree *t, uint32_t file, span name)
{
    span path = t->files[file]->path;
    size_t dir = path.n;
    if (name.n && name.p[0] == '/')
        return arena_str(&t->mem, name);
    while (dir > 0 && path.p[dir - 1] != '/')
        dir--;
    char *out = arena_alloc(&t->mem, dir + name.n + 1);
    if (out) {
        memcpy(out, path.p, dir);
        if (name.n)
            memcpy(out + dir, name.p, name.n);
    }
    return out;
}
